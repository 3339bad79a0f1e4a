"""A difference that is billed by an invoice of its own: one rule of a single day, one invoice, whatever is lost."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import select

from ciclo.domain.adjustments import AdjustmentKind, Prorating
from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import said_of_finding
from ciclo.jobs.adjustments import bill_complements, correct_invoices
from ciclo.jobs.closing.close import close_month, refresh_rules
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import (
    NewAdjustment,
    NotPossible,
    add_adjustments,
    bill_again,
    bill_complement,
    bill_difference,
    difference,
    set_policy,
    withdraw_adjustment,
)
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Adjustment, AdjustmentUse, Finding, Invoice, Period
from company import ORGANIZATION, TODAY, company, rule, scheduled_update

JANUARY = DateRange.month_of(date(2026, 1, 1))
OPTIONS = IssueOptions(concurrency=1, lease=timedelta(minutes=10), grace=timedelta(minutes=5))


@pytest.fixture
def billed(sandbox, lite_job):
    """An account whose invoice of January is issued; R$ 30,00 of what it should be are missing."""
    box = sandbox(company(rule(1, init_date="2026-01-01", timing={"end_date": "2026-01-31"})))
    ctx = lite_job(box)
    read_contract_list(ctx)
    set_policy(ctx.session, ORGANIZATION, Prorating.ALWAYS, person="ana", at=ctx.clock())
    expand_rules(ctx, Scope(JANUARY), seen_on=TODAY)
    issue_due_periods(ctx, Scope(JANUARY), OPTIONS, owner="run")
    period = ctx.session.scalars(select(Period)).one()
    box.emit(period.invoice_id)
    reconcile(ctx, today=TODAY, recheck_days=400)
    short(ctx, period, "120.00")
    return box, ctx, period


def short(ctx, period, value):
    invoice = ctx.session.get(Invoice, (ORGANIZATION, period.invoice_id))
    invoice.gross_value = Decimal(value)
    ctx.session.commit()


def asked(ctx, period):
    outcome = bill_complement(ctx.session, ORGANIZATION, period.id, person="ana", note="agreed", at=ctx.clock())
    ctx.session.commit()
    return outcome


def run(ctx):
    outcome = bill_complements(ctx, Scope(JANUARY), OPTIONS)
    issue_due_periods(ctx, Scope(JANUARY), OPTIONS, owner="run")
    correct_invoices(ctx, Scope(JANUARY), OPTIONS)
    return outcome


def differences(box):
    """Title of each rule for a difference, and the values of its living invoices."""
    state = box.state()
    titles = [each["additional_information"]["title"] for each in state["invoice_rules"]]
    values = [
        each["gross_value"]
        for each in state["invoices"]
        if each["description"] == "Diferença de 01/2026" and each["state"] != "cancelled"
    ]
    return [title for title in titles if title.startswith("Diferença")], values


def shown(ctx):
    """The open findings about differences, in words."""
    query = select(Finding).where(Finding.kind.startswith("difference_"), Finding.closed_at.is_(None))
    return [said_of_finding(each.kind, each.facts) for each in ctx.session.scalars(query)]


def withdrawn(ctx, adjustment_id):
    withdraw_adjustment(ctx.session, ORGANIZATION, adjustment_id, person="ana", note="otherwise", at=ctx.clock())
    ctx.session.commit()


def text_of_its_nfse(box, ctx, text):
    state = box.state()
    first, *others = state["invoice_rules"]
    box.put_state(state | {"invoice_rules": [first | {"nfe_body": text}, *others]})
    expand_rules(ctx, Scope(JANUARY), seen_on=TODAY)


def own_rule(box):
    return next(each for each in box.state()["invoice_rules"] if "[ciclo a" in each["additional_information"]["title"])


def test_it_gets_a_rule_of_a_single_day_and_one_invoice_once(billed):
    box, ctx, period = billed
    assert "R$ 30,00 will be billed by an invoice of its own" in asked(ctx, period).message
    assert difference(ctx.session, ORGANIZATION, period) is None, "it is taken on"
    assert not asked(ctx, period).changed

    assert run(ctx).created == 1
    assert run(ctx).counts() == {"created": 0, "there": 0, "invoiced": 1, "left_out": 0, "in_doubt": 0}
    assert run(ctx).counts() == dict.fromkeys(("created", "there", "invoiced", "left_out", "in_doubt"), 0)

    [row] = ctx.session.scalars(select(Adjustment)).all()
    assert (row.state, row.rule_id) == ("used", None)
    assert differences(box) == ([f"Diferença de 01/2026 [ciclo a{row.id}]"], ["30.0"])
    assert shown(ctx) == []


@pytest.mark.parametrize(("kind", "there"), [("reset_after", True), ("reset_before", False)])
def test_a_lost_answer_is_settled_by_the_mark_in_the_title(billed, clock, kind, there):
    box, ctx, period = billed
    asked(ctx, period)
    box.faults([{"method": "POST", "path": "invoice_rules$", "kind": kind, "count": 1}])
    assert run(ctx).in_doubt == 1
    assert run(ctx).in_doubt == 1, "until the grace period is over"
    box.clear_faults()
    clock.advance(minutes=16)

    settled = run(ctx)

    assert (settled.there, settled.created) == (int(there), int(not there))
    assert run(ctx).invoiced == 1
    rules, invoices = differences(box)
    assert (len(rules), invoices) == (1, ["30.0"])


class MixedUp(httpx.HTTPTransport):
    """Answers the POST of a rule with one that was there before."""

    def handle_request(self, request):
        response = super().handle_request(request)
        document = json.loads(response.read())
        if request.method == "POST":
            document["invoice_rule"] |= {"id": 1}
        return httpx.Response(response.status_code, json=document)


def test_the_answer_to_another_request_is_settled_as_a_lost_one_is(billed, lite_job, clock):
    box, ctx, period = billed
    asked(ctx, period)
    assert run(lite_job(box, transport=MixedUp())).in_doubt == 1
    clock.advance(minutes=16)
    assert run(ctx).there == 1
    assert run(ctx).invoiced == 1
    assert len(differences(box)[0]) == 1


def test_an_amount_that_a_person_says_is_billed_once_beside_the_difference(billed):
    box, ctx, period = billed

    def say(amount, note="12 hours were not counted"):
        now = ctx.clock()
        outcome = bill_complement(
            ctx.session, ORGANIZATION, period.id, person="ana", note=note, at=now, amount=Decimal(amount)
        )
        ctx.session.commit()
        return outcome.changed

    assert (say("50"), say("50.00"), say("50.00", note="another matter")) == (True, False, True)
    assert difference(ctx.session, ORGANIZATION, period).amount == Decimal("30.00"), "what was said is beside it"
    assert asked(ctx, period).changed
    for _ in range(4):  # one at a time is under way for a period
        run(ctx)
    assert sorted(differences(box)[1]) == ["30.0", "50.0", "50.0"]
    assert {row.state for row in ctx.session.scalars(select(Adjustment))} == {"used"}
    for wrong in ("0", "-1", "1.005"):
        with pytest.raises(NotPossible):
            say(wrong)
    ctx.session.get(Invoice, (ORGANIZATION, period.invoice_id)).state = "to_emit"
    with pytest.raises(NotPossible, match="add an adjustment instead"):
        say("7.00")


def test_an_amount_that_is_asked_for_late_in_the_evening_is_of_that_day(billed):
    _, ctx, period = billed
    evening = datetime(2026, 1, 31, 23, 30, tzinfo=SAO_PAULO).astimezone(UTC)
    bill_complement(ctx.session, ORGANIZATION, period.id, person="ana", note="agreed", at=evening)
    assert ctx.session.scalars(select(Adjustment.from_date)).one() == date(2026, 1, 31)


def test_what_the_vendor_refuses_takes_nothing_from_another_amount_that_is_under_way(billed, clock):
    box, ctx, period = billed
    asked(ctx, period)
    ctx.session.commit()
    bill_complements(ctx, Scope(JANUARY), OPTIONS)
    clock.advance(minutes=20)
    amount, now = Decimal("50.00"), ctx.clock()
    bill_complement(ctx.session, ORGANIZATION, period.id, person="ana", note="12 hours", at=now, amount=amount)
    ctx.session.commit()
    text_of_its_nfse(box, ctx, "")
    bill_complements(ctx, Scope(JANUARY), OPTIONS)
    query = select(AdjustmentUse).order_by(AdjustmentUse.adjustment_id)
    states = [use.state for use in ctx.session.scalars(query.execution_options(populate_existing=True))]
    assert states == ["sending", "unsent"]


def test_a_credit_needs_the_next_invoice(billed):
    _box, ctx, period = billed
    short(ctx, period, "180.00")

    with pytest.raises(NotPossible, match=r"-R\$ 30,00 are to be credited"):
        asked(ctx, period)


def test_where_the_rule_issues_no_further_invoice_one_of_its_own_is_offered(billed):
    _box, ctx, period = billed

    with pytest.raises(NotPossible, match="by an invoice of its own"):
        bill_difference(ctx.session, ORGANIZATION, period.id, person="ana", note="agreed", at=ctx.clock())


def test_what_the_vendor_refuses_is_shown_and_asked_again_until_it_is_billed(billed):
    box, ctx, period = billed
    asked(ctx, period)
    text_of_its_nfse(box, ctx, "")  # the vendor takes no rule without

    assert run(ctx).left_out == 1
    [said] = shown(ctx)
    assert "lacks R$ 30,00, and the vendor refuses the rule" in said
    assert "withdraw adjustment 1" in said
    assert run(ctx).left_out == 1, "asked again"
    assert len(shown(ctx)) == 1
    text_of_its_nfse(box, ctx, "$DESCRICAO")

    assert run(ctx).created == 1
    assert run(ctx).invoiced == 1
    assert shown(ctx) == []
    assert differences(box)[1] == ["30.0"]


def test_two_amounts_of_one_invoice_that_the_vendor_refuses_are_shown_apart(billed):
    box, ctx, period = billed
    asked(ctx, period)
    amount, now = Decimal("50.00"), ctx.clock()
    bill_complement(ctx.session, ORGANIZATION, period.id, person="ana", note="12 hours", at=now, amount=amount)
    ctx.session.commit()
    text_of_its_nfse(box, ctx, "")

    assert run(ctx).left_out == 2
    assert run(ctx).left_out == 2
    first, second = sorted(shown(ctx))
    assert ("R$ 30,00" in first, "withdraw adjustment 1" in first) == (True, True)
    assert ("R$ 50,00" in second, "withdraw adjustment 2" in second) == (True, True)

    withdrawn(ctx, 1)
    run(ctx)
    assert shown(ctx) == [second]
    text_of_its_nfse(box, ctx, "$DESCRICAO")
    run(ctx)
    assert shown(ctx) == []


def test_what_an_older_version_said_of_the_invoice_is_said_of_the_amount(billed):
    box, ctx, period = billed
    asked(ctx, period)
    text_of_its_nfse(box, ctx, "")
    run(ctx)
    finding = ctx.session.scalars(select(Finding).where(Finding.kind == "difference_refused")).one()
    finding.subject, finding.subject_id = "invoice", period.invoice_id
    ctx.session.commit()

    run(ctx)

    assert len(shown(ctx)) == 1
    assert finding.closed_at is not None


def test_what_is_refused_may_be_withdrawn_and_is_a_difference_again(billed):
    box, ctx, period = billed
    asked(ctx, period)
    text_of_its_nfse(box, ctx, "")
    run(ctx)
    withdrawn(ctx, 1)

    assert run(ctx).counts() == dict.fromkeys(("created", "there", "invoiced", "left_out", "in_doubt"), 0)
    assert shown(ctx) == []
    assert difference(ctx.session, ORGANIZATION, period).amount == Decimal(30)
    assert differences(box) == ([], [])


def test_a_rule_that_a_person_deletes_before_its_invoice_is_shown_and_may_be_asked_for_again(billed, clock):
    box, ctx, period = billed
    asked(ctx, period)
    bill_complements(ctx, Scope(JANUARY), OPTIONS)
    with pytest.raises(NotPossible, match="bills adjustment 1 by itself: delete that rule"):
        withdrawn(ctx, 1)
    box.put_state(box.state() | {"behaviour": {"on_rule_deleted": "delete_to_emit"}})
    number = own_rule(box)["id"]
    assert box.call("DELETE", f"contracts/10/invoice_rules/{number}")[0] in (200, 204)
    expand_rules(ctx, Scope(JANUARY), seen_on=TODAY)
    expand_rules(ctx, Scope(JANUARY), seen_on=TODAY)  # one answer without it proves nothing

    assert run(ctx).left_out == 1
    [said] = shown(ctx)
    assert f"rule {number}, which was to bill it by itself, was deleted" in said
    assert run(ctx).counts()["created"] == 0, "nobody asked for it again"
    withdrawn(ctx, 1)
    clock.advance(minutes=1)  # what is first seen after the deleted rule takes over from it
    assert asked(ctx, period).changed
    assert run(ctx).created == 1
    assert run(ctx).invoiced == 1
    assert shown(ctx) == []
    assert differences(box) == (["Diferença de 01/2026 [ciclo a2]"], ["30.0"])


def test_an_invoice_of_its_own_that_a_person_cancels_is_a_finding_of_its_own_period(billed):
    box, ctx, period = billed
    asked(ctx, period)
    run(ctx)
    run(ctx)
    own = ctx.session.scalars(select(Period).where(Period.rule_id == own_rule(box)["id"])).one()
    box.cancel(own.invoice_id)
    reconcile(ctx, today=TODAY, recheck_days=400)

    kinds = ctx.session.scalars(select(Finding.kind).where(Finding.subject_id == own.invoice_id)).all()
    assert "cancelled_remotely" in kinds
    assert run(ctx).counts()["created"] == 0, "the period is billed again, by a person"
    short(ctx, period, "120.00")
    assert difference(ctx.session, ORGANIZATION, period) is None, "it is taken on"


def test_a_title_that_a_person_cleans_up_makes_no_second_rule(billed):
    box, ctx, period = billed
    asked(ctx, period)
    bill_complements(ctx, Scope(JANUARY), OPTIONS)
    own = own_rule(box)
    timing = own["additional_information"] | {"title": "Diferença combinada"}
    state = box.state()
    rules = [
        each | ({"additional_information": timing} if each["id"] == own["id"] else {})
        for each in state["invoice_rules"]
    ]
    box.put_state(state | {"invoice_rules": rules})
    expand_rules(ctx, Scope(JANUARY), seen_on=TODAY)

    for _ in range(3):
        run(ctx)

    assert len(box.state()["invoice_rules"]) == 2
    assert differences(box)[1] == ["30.0"]


@pytest.mark.parametrize("generates", [True, False])
def test_differences_of_two_rules_for_one_month_are_two_invoices_and_the_month_closes(
    sandbox, lite_job, clock, generates
):
    once = {"timing": {"end_date": "2026-01-31"}, "init_date": "2026-01-01"}
    rules = [rule(1, **once), rule(2, gross_value="99.9", **once)]
    behaviour = {"emit_on_issue_date": False, "payments": [], "generate_invoices": generates}
    box = sandbox(company(*rules, behaviour=behaviour))
    ctx = lite_job(box)
    read_contract_list(ctx)
    expand_rules(ctx, Scope(JANUARY), seen_on=TODAY)
    issue_due_periods(ctx, Scope(JANUARY), OPTIONS, owner="run")
    periods = ctx.session.scalars(select(Period).order_by(Period.rule_id)).all()
    for period, value in zip(periods, ("120.00", "90.00"), strict=True):
        box.edit(period.invoice_id, gross_value=value)
        box.emit(period.invoice_id)
    reconcile(ctx, today=TODAY, recheck_days=400)
    for period in periods:
        asked(ctx, period)
    run(ctx)
    run(ctx)

    assert sorted(differences(box)[1]) == ["30.0", "9.9"]
    clock.advance(minutes=60 * 24 * 30)
    box.set_clock(date(2026, 2, 9))
    refresh_rules(ctx, JANUARY, seen_on=ctx.today)
    attempt = close_month(ctx, date(2026, 1, 1), today=ctx.today, reports=None)
    lines = {line.rule_id: (line.verdict, line.expected, line.invoiced) for line in attempt.report.proof.lines}
    own = sorted(each["id"] for each in box.state()["invoice_rules"] if each["id"] > 2)
    assert [lines[number] for number in own] == [
        ("billed", Decimal(30), Decimal(30)),
        ("billed", Decimal("9.90"), Decimal("9.90")),
    ]
    assert sum(invoiced for _, _, invoiced in lines.values()) == Decimal("249.90"), "what the rules say, to the cent"
    said = {finding.kind for finding in attempt.report.findings}
    assert said <= {"value_edited"}, "what a person edited; of differences, duplicates or unmatched nothing"
    for finding in attempt.report.findings:
        finding.acknowledged_at, finding.acknowledged_by = ctx.clock(), "ana"
    ctx.session.commit()
    assert close_month(ctx, date(2026, 1, 1), today=ctx.today, reports=None).closed


def test_a_readjustment_of_its_rule_leaves_it_as_it_is_and_it_has_none_of_its_own(sandbox, lite_job):
    update = scheduled_update(500, init_date="2026-01-05")
    box = sandbox(
        company(rule(1, init_date="2026-01-01", scheduled_updates=[update], timing={"end_date": "2027-01-01"}))
    )
    ctx = lite_job(box)
    read_contract_list(ctx)
    expand_rules(ctx, Scope(JANUARY), seen_on=TODAY)
    issue_due_periods(ctx, Scope(JANUARY), OPTIONS, owner="run")
    period = ctx.session.scalars(select(Period).where(Period.issue_date < JANUARY.end)).one()
    assert period.state == "issued"
    box.emit(period.invoice_id)
    reconcile(ctx, today=TODAY, recheck_days=400)
    short(ctx, period, "120.00")
    asked(ctx, period)
    run(ctx)
    run(ctx)

    assert not own_rule(box).get("scheduled_updates")
    assert differences(box)[1] == ["30.0"]


def test_what_is_billed_again_takes_adjustments_though_a_difference_of_it_is_billed_by_itself(billed, clock):
    box, ctx, period = billed
    asked(ctx, period)
    assert bill_complements(ctx, Scope(JANUARY), OPTIONS).created == 1
    box.cancel(period.invoice_id)
    reconcile(ctx, today=TODAY, recheck_days=400)
    said = bill_again(ctx.session, ORGANIZATION, period.id, person="ana", note="wrong CNPJ", at=ctx.clock()).message
    ctx.session.commit()
    assert said.endswith(
        "R$ 30,00 of its difference are in other invoices already: add a line to it that takes them back."
    )
    run(ctx)
    assert run(ctx).invoiced == 1
    discount = NewAdjustment(kind=AdjustmentKind.DISCOUNT, rule_id=1, period=TODAY, amount=Decimal(30))
    add_adjustments(ctx.session, ORGANIZATION, [discount], origin="test", person="ana", at=ctx.clock())
    ctx.session.commit()
    clock.advance(minutes=16)
    run(ctx)
    values = sorted(each["gross_value"] for each in box.state()["invoices"] if each["state"] != "cancelled")
    assert values == ["120.0", "30.0"]
