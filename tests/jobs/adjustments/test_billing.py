"""Adjustments on their way into invoices: created and adopted alike, each once, or shown to a person."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from ciclo.billimatic import TransientApiError
from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.findings import STOPS_CLOSING, FindingKind
from ciclo.domain.states import PeriodState, ReasonKind
from ciclo.domain.wording import said
from ciclo.jobs.adjustments import adopt_adjusted, correct_invoices
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.periods.plan import Backdated
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import (
    AdjustmentsRefused,
    NewAdjustment,
    NotPossible,
    add_adjustments,
    bill_again,
    bill_difference,
    set_rule,
    withdraw_adjustment,
)
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Adjustment, AdjustmentUse, Finding, Invoice, Period
from company import ORGANIZATION, TODAY, YEAR, company, rule, service

QUARTER = Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 3, 31)))
OPTIONS = IssueOptions(concurrency=1, batch=200, lease=timedelta(minutes=10), grace=timedelta(minutes=5))
JANUARY, FEBRUARY = date(2025, 1, 10), date(2025, 2, 10)
MADE = "01/12/2024 10:15:00 -03:00"
_K = AdjustmentKind


def metered(**given):
    return rule(1, services=[service(1, "100.0"), service(2, "0.05", units="1000.0")], gross_value="150.0", **given)


def prepared(sandbox, job, *rules, **given):
    box = sandbox(company(*rules, **given))
    ctx = job(box)
    read_contract_list(ctx)
    expand_rules(ctx, QUARTER, seen_on=TODAY)
    return box, ctx


def add(ctx, *adjustments, origin="test"):
    added = add_adjustments(ctx.session, ORGANIZATION, adjustments, origin=origin, person="ana", at=ctx.clock())
    ctx.session.commit()
    return added.ids


def adjust(kind, month=JANUARY, rule_id=1, **given):
    numbers = {name: Decimal(value) if name in _NUMBERS else value for name, value in given.items()}
    return NewAdjustment(kind=kind, rule_id=rule_id, period=month, **numbers)


_NUMBERS = ("quantity", "unit_value", "amount", "percent")


def bill(ctx, scope=QUARTER):
    outcome = issue_due_periods(ctx, scope, OPTIONS, owner="run")
    return outcome, correct_invoices(ctx, scope, OPTIONS)


def totals(box):
    found = {invoice["estimated_issue_date"]: Decimal(invoice["gross_value"]) for invoice in box.state()["invoices"]}
    return {f"{day[6:]}-{day[3:5]}": value for day, value in sorted(found.items())}


def period(ctx, day=JANUARY, rule_id=1):
    query = select(Period).where(Period.rule_id == rule_id, Period.issue_date == day)
    return ctx.session.scalars(query.execution_options(populate_existing=True)).one()


def test_a_created_invoice_has_its_quantities_lines_and_discount_and_the_next_is_the_rules(sandbox, job):
    box, ctx = prepared(sandbox, job, metered())
    ids = add(
        ctx,
        adjust(_K.QUANTITY, service="Serviço 2", quantity="4000"),
        adjust(_K.LINE, unit_value="60", quantity="2", description="Visita técnica"),
        adjust(_K.DISCOUNT, percent="10"),
    )
    bill(ctx)
    assert totals(box) == {"2025-01": Decimal("378.00"), "2025-02": Decimal("150.0"), "2025-03": Decimal("150.0")}
    first = min(box.state()["invoices"], key=lambda invoice: invoice["id"])
    assert first["services"][-1]["description"] == f"Visita técnica [ciclo a{ids[1]}]"
    assert period(ctx).gross_value == Decimal("378.00")
    uses = ctx.session.scalars(select(AdjustmentUse)).all()
    assert {(use.adjustment_id, use.state, use.invoice_id) for use in uses} == {(n, "used", first["id"]) for n in ids}
    assert {row.state for row in ctx.session.scalars(select(Adjustment))} == {"used"}


def test_a_rule_without_services_says_an_added_line_in_its_description(sandbox, lite_job):
    box, ctx = prepared(sandbox, lite_job, rule())
    [number] = add(ctx, adjust(_K.LINE, unit_value="-20", description="Crédito"))
    bill(ctx)
    first = min(box.state()["invoices"], key=lambda invoice: invoice["id"])
    assert Decimal(first["gross_value"]) == Decimal("130.00")
    assert first["description"] == f"Mensalidade 1\nCrédito: -R$ 20,00 [ciclo a{number}]"


def test_what_comes_after_the_invoice_was_made_corrects_it_while_it_is_to_emit(sandbox, job):
    box, ctx = prepared(sandbox, job, metered())
    bill(ctx)
    add(
        ctx,
        adjust(_K.QUANTITY, service="2", quantity="2000"),
        adjust(_K.LINE, unit_value="10", description="Peça"),
    )
    _, corrected = bill(ctx)
    assert corrected.corrected == 1
    assert totals(box)["2025-01"] == Decimal("210.00")
    assert period(ctx).gross_value == Decimal("210.00")
    before = box.state()["invoices"]
    assert bill(ctx)[1].counts() == {"corrected": 0, "there": 0, "left_out": 0, "in_doubt": 0}
    assert box.state()["invoices"] == before


def generated(number, month, **given):
    day = f"2025-{month:02}-10"
    return {
        "id": number, "contract_id": 10, "customer_id": 1010, "customer_type": "Company", "issue_date": day,
        "estimated_issue_date": day, "gross_value": "150.0", "description": "Mensalidade 1", "nfe_body": "$DESCRICAO",
        "state": "to_emit", "comments": None, "created_at": MADE,
        "receivables": [{"id": number * 10, "due_date": f"2025-{month + 1:02}-01", "value": "100.0"}], **given,
    }  # fmt: skip


def test_an_invoice_that_the_vendor_made_is_adopted_without_a_finding_and_corrected(sandbox, job):
    made = [generated(900 + month, month) for month in (1, 2, 3)]
    box, ctx = prepared(sandbox, job, rule(created_at=MADE), invoices=made)
    add(ctx, adjust(_K.DISCOUNT, amount="50"))
    outcome, corrected = bill(ctx)
    assert (outcome.adopted, corrected.corrected) == (3, 1)
    assert totals(box)["2025-01"] == Decimal("100.00")
    assert ctx.session.scalars(select(Finding)).all() == []


def test_an_invoice_that_a_person_changed_stays_and_is_a_finding_until_it_is_as_it_should_be(sandbox, job):
    box, ctx = prepared(sandbox, job, metered())
    bill(ctx)
    invoice = min(box.state()["invoices"], key=lambda each: each["id"])
    lines = [{"id": invoice["services"][0]["id"], "unit_value": 90}]
    ctx.api.update_invoice(10, invoice["id"], {"services": lines})
    add(ctx, adjust(_K.QUANTITY, service="2", quantity="2000"))
    assert bill(ctx)[1].left_out == 1
    assert totals(box)["2025-01"] == Decimal("140.0")
    [finding] = ctx.session.scalars(select(Finding)).all()
    assert (finding.kind, finding.closed_at) == (FindingKind.ADJUSTMENT_LEFT_OUT, None)
    assert "R$ 200,00" in finding.message
    lines = [{"id": line["id"], "unit_value": 100, "units": 1} for line in invoice["services"][:1]]
    ctx.api.update_invoice(10, invoice["id"], {"services": lines})
    assert bill(ctx)[1].corrected == 1
    finding = ctx.session.scalars(select(Finding)).one()
    assert finding.closed_at is not None
    assert totals(box)["2025-01"] == Decimal("200.0")


@pytest.mark.parametrize("fault", ["timeout_after", "error_after", "reset_before", "error_before"])
def test_a_line_whose_answer_was_lost_is_there_once_in_the_end(sandbox, job, clock, fault):
    box, ctx = prepared(sandbox, job, metered())
    bill(ctx)
    add(ctx, adjust(_K.LINE, unit_value="10", description="Peça"))
    box.faults([{"method": "PATCH", "path": "/invoices/", "kind": fault, "probability": 1, "count": 1, "seed": 1}])
    assert bill(ctx)[1].corrected == 0
    assert bill(ctx)[1].in_doubt in (0, 1)
    clock.advance(minutes=20)
    bill(ctx)
    assert totals(box)["2025-01"] == Decimal("160.00")
    assert [use.state for use in ctx.session.scalars(select(AdjustmentUse))] == ["used"]


def test_no_correction_is_sent_while_the_vendor_wants_a_pause(sandbox, lite_job):
    box, ctx = prepared(sandbox, lite_job, metered())
    bill(ctx)
    months = [JANUARY.replace(month=month) for month in (1, 2, 3)]
    add(ctx, *[adjust(_K.LINE, month, unit_value="10", description="Peça") for month in months])
    box.faults([{"method": "PATCH", "path": "/invoices/", "kind": "rate_limit", "seconds": 3600}])
    with pytest.raises(TransientApiError):
        bill(ctx)
    assert len(box.requests(method="PATCH")) == 1
    box.clear_faults()
    assert bill(ctx)[1].corrected == 3


def test_an_adjustment_comes_too_late_for_an_invoice_that_has_left_to_emit(sandbox, job):
    box, ctx = prepared(sandbox, job, metered())
    bill(ctx)
    invoice = min(box.state()["invoices"], key=lambda each: each["id"])
    number = add(ctx, adjust(_K.DISCOUNT, percent="10"))[0]
    box.emit(invoice["id"], "2025-01-10")
    assert bill(ctx)[1].left_out == 1
    withdraw_adjustment(ctx.session, ORGANIZATION, number, person="ana", note="next month", at=ctx.clock())
    ctx.session.commit()
    bill(ctx)
    assert [finding.closed_at is not None for finding in ctx.session.scalars(select(Finding))] == [True]


def test_what_is_in_an_invoice_cannot_be_withdrawn_and_what_left_to_emit_takes_no_more(sandbox, job):
    _, ctx = prepared(sandbox, job, metered())
    number = add(ctx, adjust(_K.DISCOUNT, percent="10"))[0]
    bill(ctx)
    with pytest.raises(NotPossible, match="is in invoice"):
        withdraw_adjustment(ctx.session, ORGANIZATION, number, person="ana", note="no", at=ctx.clock())
    row = period(ctx)
    ctx.session.connection().exec_driver_sql("UPDATE invoices SET state = 'to_receive'")
    with pytest.raises(AdjustmentsRefused, match=f"invoice {row.invoice_id} is billed already: add a line"):
        add(ctx, adjust(_K.LINE, unit_value="10", description="Peça"))
    ctx.session.rollback()


def test_a_total_of_nothing_parks_the_period(sandbox, lite_job):
    box, ctx = prepared(sandbox, lite_job, rule())
    add(ctx, adjust(_K.DISCOUNT, percent="100"))
    outcome, _ = bill(ctx)
    assert (outcome.created, outcome.parked) == (2, 1)
    assert period(ctx).reason.kind is ReasonKind.TOTAL_NOT_POSITIVE
    assert len(box.state()["invoices"]) == 2


def test_a_skipped_period_is_given_up_by_the_person_and_planned_again_when_that_is_withdrawn(sandbox, job):
    box, ctx = prepared(sandbox, job, rule())
    [number] = add(ctx, adjust(_K.SKIP, note="combinado"))
    assert (period(ctx).state, period(ctx).cancelled_by) == (PeriodState.CANCELLED, "ana")
    bill(ctx)
    assert list(totals(box)) == ["2025-02", "2025-03"]
    withdraw_adjustment(ctx.session, ORGANIZATION, number, person="ana", note="after all", at=ctx.clock())
    ctx.session.commit()
    bill(ctx)
    assert list(totals(box)) == ["2025-01", "2025-02", "2025-03"]


def test_what_is_parked_after_its_skip_came_is_given_up_though_nothing_else_is_due(sandbox, lite_job):
    _, ctx = prepared(sandbox, lite_job, rule())
    add(ctx, adjust(_K.DISCOUNT, percent="100"))
    bill(ctx)
    parked = period(ctx)
    parked.state = PeriodState.IN_DOUBT
    ctx.session.commit()
    add(ctx, NewAdjustment(kind=_K.SKIP, contract_id=10, from_date=date(2025, 1, 1), note="obra"))
    period(ctx).state = PeriodState.PARKED
    ctx.session.commit()
    bill(ctx)
    assert (period(ctx).state, period(ctx).cancelled_by) == (PeriodState.CANCELLED, "ana")


def test_a_contract_is_paused_by_dates_and_resumed(sandbox, job):
    box, ctx = prepared(sandbox, job, rule(1), rule(2))
    pause = NewAdjustment(kind=_K.SKIP, contract_id=10, from_date=date(2025, 2, 1), note="obra")
    [number] = add(ctx, pause)
    bill(ctx)
    assert list(totals(box)) == ["2025-01"]
    resumed = date(2025, 3, 1)
    withdraw_adjustment(
        ctx.session, ORGANIZATION, number, person="ana", note="reopened", at=ctx.clock(), from_date=resumed
    )
    ctx.session.commit()
    bill(ctx)
    assert list(totals(box)) == ["2025-01", "2025-03"]
    assert len(box.state()["invoices"]) == 4


def withdrawn(ctx, number, **given):
    outcome = withdraw_adjustment(ctx.session, ORGANIZATION, number, person="ana", note="over", at=ctx.clock(), **given)
    ctx.session.commit()
    return outcome


def test_a_month_of_a_whole_contract_is_skipped_whichever_day_its_rules_issue_on(sandbox, lite_job):
    box, ctx = prepared(sandbox, lite_job, rule(1), rule(2, init_date="2025-01-20"))
    add(ctx, NewAdjustment(kind=_K.SKIP, contract_id=10, period=date(2025, 2, 1), note="obra"))
    bill(ctx)
    assert (list(totals(box)), len(box.state()["invoices"])) == (["2025-01", "2025-03"], 4)
    with pytest.raises(AdjustmentsRefused, match="is made already: cancel it at the vendor"):
        add(ctx, NewAdjustment(kind=_K.SKIP, contract_id=10, period=JANUARY))
    ctx.session.rollback()


def test_a_month_of_a_contract_with_weekly_rules_too_is_not_guessed(sandbox, lite_job):
    weekly = {"period_unit": "weekly", "month_quantity": None}
    _, ctx = prepared(sandbox, lite_job, rule(1), rule(2, timing=weekly))
    with pytest.raises(AdjustmentsRefused, match="monthly and weekly rules: say which rule, or from and to"):
        add(ctx, NewAdjustment(kind=_K.SKIP, contract_id=10, period=FEBRUARY))
    ctx.session.rollback()


def test_a_pause_that_is_over_is_not_made_longer_by_ending_it_later(sandbox, lite_job):
    box, ctx = prepared(sandbox, lite_job, rule())
    [number] = add(ctx, NewAdjustment(kind=_K.SKIP, rule_id=1, from_date=date(2025, 1, 1), to_date=date(2025, 1, 31)))
    outcome = withdrawn(ctx, number, from_date=date(2025, 3, 1))
    assert (outcome.changed, outcome.message) == (False, "It ends on 2025-01-31 already.")
    bill(ctx)
    assert list(totals(box)) == ["2025-02", "2025-03"]


@pytest.mark.parametrize("first", ["contract", "rule"])
def test_what_another_pause_is_for_stays_given_up_until_that_is_withdrawn_too(sandbox, lite_job, clock, first):
    box, ctx = prepared(sandbox, lite_job, rule())
    pauses = {
        "contract": NewAdjustment(kind=_K.SKIP, contract_id=10, from_date=JANUARY, to_date=FEBRUARY, note="works"),
        "rule": NewAdjustment(kind=_K.SKIP, rule_id=1, from_date=JANUARY, to_date=FEBRUARY, note="agreed"),
    }
    numbers = []
    for name in sorted(pauses, key=lambda each: each != first):
        numbers += add(ctx, pauses[name])
        clock.advance(minutes=1)
    withdrawn(ctx, numbers[0])
    clock.advance(minutes=1)
    bill(ctx)
    assert list(totals(box)) == ["2025-03"]
    assert period(ctx).reason.facts["adjustment_id"] == numbers[1]
    withdrawn(ctx, numbers[1], from_date=FEBRUARY)
    bill(ctx)
    assert list(totals(box)) == ["2025-02", "2025-03"]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_service_by_its_number_is_the_one_by_its_name(sandbox, lite_job, at_once):
    _, ctx = prepared(sandbox, lite_job, metered())
    two = adjust(_K.QUANTITY, service="Serviço 2", quantity="4"), adjust(_K.QUANTITY, service="2", quantity="5")
    parts = [two] if at_once else [two[:1], two[1:]]
    with pytest.raises(AdjustmentsRefused, match="says another quantity"):
        [add(ctx, *part) for part in parts]
    ctx.session.rollback()


def test_a_stretch_and_a_month_within_it_contradict_each_other(sandbox, lite_job):
    _, ctx = prepared(sandbox, lite_job, metered())
    year = NewAdjustment(
        kind=_K.UNIT_VALUE, rule_id=1, from_date=date(2025, 1, 1), service="2", unit_value=Decimal("0.04")
    )
    with pytest.raises(AdjustmentsRefused, match="another row says another unit_value"):
        add(ctx, adjust(_K.UNIT_VALUE, FEBRUARY, service="2", unit_value="0.06"), year)
    ctx.session.rollback()


def test_a_rule_that_waits_for_quantities_is_never_billed_without(sandbox, job):
    box, ctx = prepared(sandbox, job, metered())
    set_rule(ctx.session, ORGANIZATION, 1, person="ana", at=ctx.clock(), waits_for_quantities=True)
    ctx.session.commit()
    outcome, _ = bill(ctx)
    assert (outcome.created, outcome.waiting) == (0, 3)
    assert period(ctx).reason.kind is ReasonKind.QUANTITIES_MISSING
    add(ctx, adjust(_K.QUANTITY, service="2", quantity="1500"))
    assert bill(ctx)[0].created == 1
    assert totals(box) == {"2025-01": Decimal("175.00")}
    assert period(ctx, FEBRUARY).state == PeriodState.WAITING


def test_a_rule_made_anew_waits_for_quantities_as_the_one_before_it(sandbox, lite_job, clock):
    box, ctx = prepared(sandbox, lite_job, metered())
    set_rule(ctx.session, ORGANIZATION, 1, person="ana", at=ctx.clock(), waits_for_quantities=True, lead_days=3)
    ctx.session.commit()
    state = box.state()
    box.put_state(state | {"invoice_rules": [{**state["invoice_rules"][0], "id": 2}]})
    for _ in ("the first one is cancelled", "the second one is planned for days past"):
        clock.advance(hours=2)
        expand_rules(ctx, QUARTER, seen_on=TODAY, backdated=Backdated.PLAN)
    outcome, _ = bill(ctx)
    assert (outcome.created, outcome.waiting) == (0, 3)
    anew = ctx.adjustments.settings()[2]
    assert (anew.waits_for_quantities, anew.lead_days, anew.person) == (True, 3, "ana")
    set_rule(ctx.session, ORGANIZATION, 2, person="rui", at=ctx.clock(), waits_for_quantities=False)
    ctx.session.commit()
    clock.advance(hours=2)
    expand_rules(ctx, QUARTER, seen_on=TODAY, backdated=Backdated.PLAN)
    assert bill(ctx)[0].created == 3


def test_what_an_earlier_invoice_still_lacks_stays_open_though_the_last_one_has_it(sandbox, lite_job):
    box, ctx = prepared(sandbox, lite_job, metered())
    bill(ctx)
    invoice = min(box.state()["invoices"], key=lambda each: each["id"])
    line = {"id": invoice["services"][0]["id"]}
    ctx.api.update_invoice(10, invoice["id"], {"services": [line | {"unit_value": 90}]})
    [number] = add(
        ctx, NewAdjustment(kind=_K.DISCOUNT, rule_id=1, from_date=JANUARY, to_date=FEBRUARY, amount=Decimal(10))
    )
    assert bill(ctx)[1].counts() == {"corrected": 1, "there": 0, "left_out": 1, "in_doubt": 0}
    bill(ctx)
    assert [finding.closed_at for finding in ctx.session.scalars(select(Finding))] == [None]
    ctx.api.update_invoice(10, invoice["id"], {"services": [line | {"unit_value": 100}]})
    bill(ctx)
    assert totals(box) == {"2025-01": Decimal("140.0"), "2025-02": Decimal("140.0"), "2025-03": Decimal("150.0")}
    ctx.session.expire_all()
    assert ctx.session.get(Adjustment, number).state == "used"


def test_what_is_billed_again_and_was_made_by_a_person_gets_the_periods_adjustments(sandbox, lite_job):
    box, ctx = prepared(sandbox, lite_job, rule())
    [number] = add(ctx, adjust(_K.DISCOUNT, amount="50"))
    bill(ctx)
    before = period(ctx)
    box.cancel(before.invoice_id)
    reconcile(ctx, today=TODAY, recheck_days=400)
    bill_again(ctx.session, ORGANIZATION, before.id, person="ana", note="wrong CNPJ", at=ctx.clock())
    ctx.session.commit()
    state = box.state()
    box.put_state(state | {"invoices": [*state["invoices"], generated(5000, 1)]})
    outcome, corrected = bill(ctx)
    assert (outcome.adopted, corrected.corrected, period(ctx).invoice_id) == (1, 1, 5000)
    assert next(each["gross_value"] for each in box.state()["invoices"] if each["id"] == 5000) == "100.0"
    ctx.session.expire_all()
    assert ctx.session.get(Adjustment, number).state == "used"


def open_findings(ctx, kind=FindingKind.ADJUSTMENT_UNBILLED):
    query = select(Finding).where(Finding.kind == kind, Finding.closed_at.is_(None)).order_by(Finding.id)
    return [(each.subject_id, each.amount, each.billing_month) for each in ctx.session.scalars(query)]


def test_a_line_of_a_period_that_is_not_billed_is_shown_until_it_is_withdrawn(sandbox, lite_job):
    _, ctx = prepared(sandbox, lite_job, metered())
    add(ctx, adjust(_K.SKIP, FEBRUARY, note="obra"))
    [credit, _] = add(
        ctx,
        adjust(_K.LINE, FEBRUARY, unit_value="-2.5", quantity="8", description="Crédito"),
        adjust(_K.QUANTITY, FEBRUARY, service="2", quantity="2000"),  # it goes with its period
    )
    bill(ctx)
    assert open_findings(ctx) == [(credit, Decimal("-20.00"), date(2025, 2, 1))]
    assert FindingKind.ADJUSTMENT_UNBILLED in STOPS_CLOSING
    withdrawn(ctx, credit)
    bill(ctx)
    assert open_findings(ctx) == []


def test_what_comes_for_a_month_that_was_never_planned_is_shown(sandbox, lite_job):
    _, ctx = prepared(sandbox, lite_job, metered())
    [number] = add(ctx, adjust(_K.QUANTITY, date(2025, 6, 10), service="2", quantity="2000"))
    bill(ctx)
    assert open_findings(ctx) == [(number, None, date(2025, 6, 1))]
    expand_rules(ctx, Scope(YEAR.window.month_of(date(2025, 6, 1))), seen_on=TODAY)
    bill(ctx)
    assert open_findings(ctx) == []


def made_anew(box, ctx, *, init_date, **timing):
    """Put rule 77 in the place of rule 1, which is deleted, or with a timing ends so."""
    state = box.state()
    [before] = state["invoice_rules"]
    at = before["additional_information"]
    new = rule(77, init_date=init_date, description=before["description"])
    former = [before | {"additional_information": at | timing}] if timing else []
    box.put_state(state | {"invoice_rules": [*former, new]})
    read_contract_list(ctx)
    expand_rules(ctx, Scope(YEAR.window.month_of(TODAY)), seen_on=TODAY)


@pytest.mark.parametrize("timing", [{}, {"end_date": "2025-12-31"}])
def test_a_standing_discount_of_a_rule_that_another_goes_on_for_is_shown_until_it_is_ended(sandbox, lite_job, timing):
    box, ctx = prepared(sandbox, lite_job, rule())
    [number] = add(ctx, NewAdjustment(kind=_K.DISCOUNT, rule_id=1, from_date=JANUARY, amount=Decimal(10)))
    bill(ctx)
    assert open_findings(ctx) == []
    made_anew(box, ctx, init_date="2026-01-10", **timing)
    bill(ctx)
    assert open_findings(ctx) == [(number, None, date(2026, 1, 1))]
    withdrawn(ctx, number, from_date=date(2025, 12, 31))
    bill(ctx)
    assert open_findings(ctx) == []


def test_a_line_for_a_month_to_come_is_shown_at_once_when_its_rule_is_deleted(sandbox, lite_job):
    box, ctx = prepared(sandbox, lite_job, rule())
    [number] = add(ctx, adjust(_K.LINE, date(2026, 3, 10), unit_value="-20", description="Crédito"))
    bill(ctx)
    assert open_findings(ctx) == []
    made_anew(box, ctx, init_date="2026-01-10")
    bill(ctx)
    assert open_findings(ctx) == [(number, Decimal("-20.00"), date(2026, 3, 1))]


def test_a_difference_passes_over_a_pause_into_the_next_invoice_that_comes(sandbox, lite_job):
    box, ctx = prepared(sandbox, lite_job, rule())
    bill(ctx, Scope(YEAR.window.month_of(JANUARY)))
    first = period(ctx)
    box.emit(first.invoice_id, "2025-01-10")
    reconcile(ctx, today=TODAY, recheck_days=400)
    ctx.session.get(Invoice, (ORGANIZATION, first.invoice_id)).gross_value = Decimal("170.00")
    add(ctx, NewAdjustment(kind=_K.SKIP, contract_id=10, from_date=TODAY, to_date=date(2026, 2, 28), note="obra"))
    outcome = bill_difference(ctx.session, ORGANIZATION, first.id, person="ana", note="agreed", at=ctx.clock())
    assert outcome.message == "-R$ 20,00 will be in the invoice of 10/03/2026."


def test_what_is_said_later_of_a_rule_leaves_the_rest_as_it_was(sandbox, lite_job):
    box, ctx = prepared(sandbox, lite_job, metered())

    def say(**given):
        setting = set_rule(ctx.session, ORGANIZATION, 1, person="ana", at=ctx.clock(), **given)
        ctx.session.commit()
        return setting.waits_for_quantities, setting.notice_days, setting.lead_days

    assert say(waits_for_quantities=True, notice_days=9) == (True, 9, None)
    assert say(lead_days=10) == (True, 9, 10)
    bill(ctx)
    assert totals(box) == {}
    assert say(waits_for_quantities=False) == (False, 9, 10)
    assert say(lead_days=0) == (False, 9, 0)
    assert say() == (False, 9, 0)
    assert [said(entry.reason) for entry in ctx.audit.trail("rule", 1)] == [
        "ana changed how it is billed: waits for quantities False became True; notice days 5 became 9",
        "ana changed how it is billed: lead days — became 10",
        "ana changed how it is billed: waits for quantities True became False",
        "ana changed how it is billed: lead days 10 became 0",
    ]


def test_an_invoice_that_the_vendor_will_issue_tomorrow_is_corrected_today(sandbox, lite_job):
    day = date(2026, 1, 12)
    made = generated(950, 1) | {
        "issue_date": "2026-01-12", "estimated_issue_date": "2026-01-12",
        "receivables": [{"id": 9500, "due_date": "2026-02-01", "value": "100.0"}],
    }  # fmt: skip
    box = sandbox(company(rule(created_at=MADE, init_date="2026-01-12"), invoices=[made]))
    ctx = lite_job(box)
    january = Scope(YEAR.window.month_of(day))
    read_contract_list(ctx)
    expand_rules(ctx, january, seen_on=TODAY)
    ctx.contracts.record_expansions([date(2026, 1, 1)], run_id="test", unread=0, at=ctx.clock())
    add(ctx, adjust(_K.DISCOUNT, day, amount="30"))
    today = Scope(YEAR.window.days(TODAY, TODAY))
    assert adopt_adjusted(ctx, today, OPTIONS, owner="run").adopted == 1
    assert correct_invoices(ctx, today, OPTIONS).corrected == 1
    assert totals(box) == {"2026-01": Decimal("120.00")}
