"""Backfills: the plan, its ceilings, its approval, and that nothing but the plan is carried out."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import said
from ciclo.jobs.backfill import (
    BackfillPolicy,
    Ceilings,
    PlanChangedError,
    PlanNotApprovedError,
    draft_plan,
    require_unchanged,
    why_ask,
)
from ciclo.jobs.context import is_armed, responsible_from
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Scope
from company import TODAY, YEAR, company, rule

EACH, CURRENT_ONLY = BackfillPolicy.EACH, BackfillPolicy.CURRENT_ONLY
NO_CEILINGS = Ceilings()


def states(place):
    return {state: total.periods for state, total in place.ctx.periods.totals(YEAR).items() if total.periods}


def test_each_bills_every_missed_period(backfill, job):
    place = backfill(company(rule(1), rule(2, timing={"month_quantity": 3})), job=job)
    plan = place.plan(EACH, NO_CEILINGS)
    assert (plan.invoices, plan.total, plan.needs_approval) == (16, Decimal("2400.00"), False)
    place.apply(plan)
    assert place.issue(plan).created == 16
    assert states(place) == {PeriodState.ISSUED: 16}


def test_the_first_plan_is_approved_by_a_person_who_arms_the_organization_thereby(backfill):
    place = backfill(company(rule(1)), armed=False)
    plan = place.plan(EACH, NO_CEILINGS)
    assert plan.needs_approval
    assert "first" in why_ask(place.ctx, draft_plan(place.ctx, YEAR, EACH), NO_CEILINGS)
    with pytest.raises(PlanNotApprovedError):
        place.apply(plan)
    assert not is_armed(place.ctx)
    place.apply(plan, approved_by="Ana")
    assert is_armed(place.ctx)
    assert responsible_from(place.ctx) == date(2025, 1, 1)
    later = place.plan(EACH, NO_CEILINGS, scope=Scope(DateRange.days(date(2025, 6, 1), date(2025, 6, 30))))
    assert not later.needs_approval


def test_days_to_come_are_approved_by_a_person_whatever_the_ceilings(backfill):
    place = backfill(company(rule(1)))
    place.ctx.clock.now = place.ctx.clock.now.replace(year=2025, month=12, day=8)
    december = Scope(DateRange.month_of(date(2025, 12, 1)))
    draft = draft_plan(place.ctx, december, EACH)
    assert why_ask(place.ctx, draft, NO_CEILINGS) == "1 are of days to come, up to 10/12/2025"
    assert why_ask(place.ctx, draft, NO_CEILINGS, lead_days=2) is None


def test_current_only_bills_the_newest_period_of_each_rule_and_gives_the_older_ones_up(backfill, job):
    place = backfill(company(rule(1), rule(2, timing={"month_quantity": 3})), job=job)
    plan = place.plan(CURRENT_ONLY, NO_CEILINGS)
    assert (plan.invoices, plan.total) == (2, Decimal("300.00"))
    place.apply(plan)
    assert place.issue(plan).created == 2
    assert sorted(invoice["issue_date"] for invoice in place.invoices()) == ["10/10/2025", "10/12/2025"]
    assert states(place) == {PeriodState.ISSUED: 2, PeriodState.CANCELLED: 14}
    (reason,) = {said(period.reason) for period in place.ctx.periods.in_state(PeriodState.CANCELLED)}
    assert reason == "left out by the policy current_only of run test"


def test_what_current_only_left_out_is_not_billed_by_a_later_run(backfill):
    place = backfill(company(rule(1)))
    plan = place.plan(CURRENT_ONLY, NO_CEILINGS)
    place.apply(plan)
    place.issue(plan)
    place.expand()
    later = place.plan(EACH, NO_CEILINGS)
    assert later.invoices == 0
    place.apply(later)
    assert place.issue(later).created == 0
    assert len(place.invoices()) == 1


def test_current_only_gives_up_nothing_of_days_to_come_and_nothing_for_them(backfill):
    place = backfill(company(rule(1)))
    place.ctx.clock.now = place.ctx.clock.now.replace(year=2025, month=10, day=20)
    draft = draft_plan(place.ctx, YEAR, CURRENT_ONLY)
    assert [request.period.issue_date.month for request in draft.billed] == [10, 11, 12]
    assert [period.issue_date.month for period in draft.left_out] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert why_ask(place.ctx, draft, NO_CEILINGS) == "2 are of days to come, up to 10/12/2025"


def test_current_only_leaves_what_is_billed_already_and_gives_up_what_lies_before_it(backfill):
    place = backfill(company(rule(1)))
    december = Scope(DateRange(date(2025, 12, 1), date(2026, 1, 1)))
    first = place.plan(EACH, NO_CEILINGS, december)
    place.apply(first, scope=december)
    place.issue(first, december)
    plan = place.plan(CURRENT_ONLY, NO_CEILINGS)
    assert plan.invoices == 0
    place.apply(plan)
    assert states(place) == {PeriodState.ISSUED: 1, PeriodState.CANCELLED: 11}


@pytest.mark.parametrize(
    ("ceilings", "said"),
    [
        (Ceilings(max_invoices=11), "12 invoices are more than 11"),
        (Ceilings(max_total=Decimal("1799.99")), "R$ 1.800,00 is more than R$ 1.799,99"),
        (Ceilings(0, Decimal(0)), "12 invoices are more than 0 and R$ 1.800,00 is more than R$ 0,00"),
        (Ceilings(max_invoices=12, max_total=Decimal("1800.00")), None),
        (NO_CEILINGS, None),
    ],
)
def test_ceilings_say_what_passes_them(ceilings, said):
    assert ceilings.exceeded_by(12, Decimal("1800.00")) == said


def test_a_plan_above_the_ceilings_does_nothing_until_a_person_approves_it(backfill):
    place = backfill(company(rule(1)))
    plan = place.plan(EACH, Ceilings(max_invoices=11))
    with pytest.raises(PlanNotApprovedError, match=f"plan {plan.id} is above the ceilings"):
        place.apply(plan)
    place.apply(plan, approved_by="Ana")
    assert place.issue(plan).created == 12
    trail = [(entry.to_state, said(entry.reason)) for entry in place.ctx.audit.trail("plan", plan.id)]
    assert trail == [
        ("proposed", f"each: {plan.plan_hash}"),
        ("approved", f"approved by Ana: {plan.plan_hash}"),
        ("applied", plan.plan_hash),
    ]


def test_nothing_but_the_plan_is_issued(backfill):
    place = backfill(company(rule(1)))
    plan = place.plan(EACH, NO_CEILINGS)
    place.box.put_state(company(rule(1), rule(2)))
    place.expand()
    place.apply(plan)
    assert place.issue(plan).created == 12
    assert states(place) == {PeriodState.ISSUED: 12, PeriodState.PLANNED: 12}


def test_a_plan_whose_amounts_changed_after_the_approval_is_refused(backfill):
    place = backfill(company(rule(1)))
    plan = place.plan(EACH, Ceilings(max_invoices=1))
    _reprice(place, "2025-06-01", "200.00")
    with pytest.raises(PlanChangedError, match=r"period 2025-06-10: planned at R\$ 150,00, now R\$ 200,00"):
        place.apply(plan, approved_by="Ana")
    place.ctx.session.rollback()
    assert states(place) == {PeriodState.PLANNED: 12}
    assert place.invoices() == []


def test_a_period_whose_amount_changes_while_the_plan_is_carried_out_is_parked(backfill):
    place = backfill(company(rule(1)))
    plan = place.plan(EACH, NO_CEILINGS)
    place.apply(plan)
    _reprice(place, "2025-12-01", "200.00")
    outcome = place.issue(plan)
    assert (outcome.created, outcome.parked) == (11, 1)
    (parked,) = place.ctx.periods.in_state(PeriodState.PARKED)
    assert said(parked.reason) == (
        "contract 10, rule 1, period 2025-12-10: R$ 150,00 was approved, by now it is R$ 200,00"
    )


@pytest.mark.parametrize(
    ("change", "created", "reason"),
    [
        (("DELETE", None), 0, "contract 10: rule 1 is no longer at the vendor"),
        (("PUT", {"end_date": "2026-06-30"}), 6, "contract 10: rule 1 ended on 2026-06-30"),
    ],
)
def test_what_is_no_longer_called_for_once_a_plan_is_approved_is_not_billed(backfill, change, created, reason):
    place = backfill(company(rule(1), rule(2, 11)))
    ahead = Scope(DateRange(date(2026, 1, 1), date(2027, 1, 1)))
    place.expand(scope=ahead)
    plan = place.plan(EACH, NO_CEILINGS, ahead)
    method, timing = change
    known = place.box.state()["invoice_rules"][0]["additional_information"]
    terms = {"invoice_rule": {"additional_information": known | timing}} if timing else None
    assert place.box.call(method, "contracts/10/invoice_rules/1", terms)[0] in (200, 204)
    place.ctx.clock.now += timedelta(hours=5)  # so long nobody approved it
    place.apply(plan, approved_by="Ana", scope=ahead)
    assert place.issue(plan, ahead).created == 12 + created
    cancelled = place.ctx.periods.in_state(PeriodState.CANCELLED)
    assert [said(period.reason) for period in cancelled] == [reason] * (12 - created)


def _reprice(place, since, unit_value):
    row = {
        "organization_id": place.ctx.organization_id,
        "rule_id": 1,
        "service_id": 0,
        "effective_from": date.fromisoformat(since),
        "unit_value": Decimal(unit_value),
        "source": "price update",
        "execution_id": None,
        "created_at": place.ctx.clock(),
    }
    place.ctx.prices.add([row])
    place.ctx.session.commit()


def test_planning_the_same_again_keeps_the_approval_and_anything_else_is_another_plan(backfill):
    place = backfill(company(rule(1)))
    ceilings = Ceilings(max_invoices=1)
    plan = place.plan(EACH, ceilings)
    place.ctx.plans.approve(plan, person="Ana", at=place.ctx.clock())
    place.ctx.session.commit()
    again = place.plan(EACH, ceilings)
    assert (again.id, again.approved_by) == (plan.id, "Ana")
    other = place.plan(CURRENT_ONLY, ceilings)
    assert (other.id != plan.id, other.approved_by) == (True, None)


def test_a_hash_that_is_not_the_plans_is_refused(backfill):
    place = backfill(company(rule(1)))
    plan = place.plan(EACH, NO_CEILINGS)
    plan.plan_hash = "0" * 64
    with pytest.raises(PlanChangedError):
        place.apply(plan)


def test_what_another_run_billed_meanwhile_does_not_make_it_another_plan(backfill):
    place = backfill(company(rule(1)))
    plan = place.plan(EACH, NO_CEILINGS)
    january = Scope(DateRange(date(2025, 1, 1), date(2025, 2, 1)))
    first = place.plan(EACH, NO_CEILINGS, january)
    place.apply(first, scope=january)
    place.issue(first, january)
    require_unchanged(place.ctx, plan, YEAR)
    place.apply(plan)
    assert place.issue(plan).created == 11
    assert len(place.invoices()) == 12


def test_a_period_without_a_price_is_parked_by_the_plan_and_not_forgotten(backfill):
    updates = [{"id": 500, "price_index": "igpm", "init_date": "2025-06-10", "execution_date": "2026-06-10",
                "month_quantity": 12, "days_until_update": 7, "service_item_id": None}]  # fmt: skip
    place = backfill(company(rule(1, scheduled_updates=updates)))
    plan = place.plan(EACH, NO_CEILINGS)
    place.apply(plan)
    outcome = place.issue(plan)
    assert (outcome.created, outcome.parked) == (7, 5)


def test_a_dry_run_plans_with_amounts_and_leaves_nothing(sandbox, client, sqlite_url, clock):
    from sqlalchemy.orm import Session

    from ciclo.jobs.context import JobContext
    from ciclo.jobs.periods.expand import expand_rules
    from ciclo.jobs.rules.read import read_contract_list
    from ciclo.ledger.database import ledger_session
    from ciclo.ledger.repositories import Actor
    from ciclo.ledger.tables import Contract, Period

    box = sandbox(company(rule(1)))
    with ledger_session(sqlite_url, discard=True) as session:
        ctx = JobContext(client(box), session, Actor(run_id="dry"), clock)
        read_contract_list(ctx)
        expand_rules(ctx, YEAR, seen_on=TODAY)
        draft = draft_plan(ctx, YEAR, EACH)
    assert draft.summary().startswith("12 invoices, R$ 1.800,00; 0 would be parked")
    assert draft.lines()[0] == "  2025-01-10  contract 10  rule 1  R$ 150,00"
    engine = open_engine(sqlite_url)
    with Session(engine) as session:
        assert (session.query(Period).count(), session.query(Contract).count()) == (0, 0)
    engine.dispose()
    assert box.state()["invoices"] == []


def test_a_dry_run_and_the_real_one_have_the_same_hash(backfill):
    place = backfill(company(rule(1)))
    assert draft_plan(place.ctx, YEAR, EACH).plan_hash == place.plan(EACH, NO_CEILINGS).plan_hash


def test_a_plan_tells_its_months_for_whoever_approves_it(backfill):
    place = backfill(company(rule(1), rule(2, 11)))
    assert draft_plan(place.ctx, YEAR, EACH).months()[0] == ("01/2025", 2, Decimal("300.00"))
