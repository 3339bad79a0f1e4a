"""A rule that changes mid-way: issued periods stay, later ones follow the new terms from the day it was seen."""

from datetime import UTC, date, datetime

import pytest

from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import said
from ciclo.jobs.closing.close import prove_running_month
from ciclo.jobs.periods.plan import Backdated
from ciclo.ledger.actions import acknowledge_finding, plan_again
from ciclo.ledger.repositories import Scope
from company import company, contract, rule

APRIL, MAY, JUNE = (date(2025, month, 1) for month in (4, 5, 6))
MID_APRIL = date(2025, 4, 15)


@pytest.fixture
def months(company_of, clock):
    """Bill a company's first months as the calendar would; `seen` is the day on which each month is expanded."""

    def bill(place, first, last, seen, backdated=Backdated.PLAN):
        clock.now = datetime(seen.year, seen.month, seen.day, 15, tzinfo=UTC)
        place.bill(Scope(DateRange.days(first, last)), seen_on=seen, backdated=backdated)

    return bill


def billed(place):
    days = (invoice["issue_date"].split("/") for invoice in place.box.state()["invoices"])
    return sorted(f"{year}-{month}-{day}" for day, month, year in days)


def change_rule(place, **timing):
    found = place.box.state()["invoice_rules"][0]["additional_information"]
    body = {"additional_information": {name: found[name] for name in ("title", "init_date", "month_quantity")} | timing}
    status, answer = place.box.call("PUT", "contracts/10/invoice_rules/1", {"invoice_rule": body})
    assert status == 200, answer


def test_a_changed_amount_bills_what_comes_and_leaves_what_was(company_of, months):
    place = company_of(company(rule(1)))
    months(place, date(2025, 1, 1), date(2025, 4, 14), MID_APRIL)
    place.box.call("PUT", "contracts/10/invoice_rules/1", {"invoice_rule": {"gross_value": "180.00"}})
    months(place, APRIL, date(2025, 6, 30), date(2025, 5, 1))
    amounts = {invoice["issue_date"]: invoice["gross_value"] for invoice in place.box.state()["invoices"]}
    assert [amounts[f"10/{month:02}/2025"] for month in (3, 4, 5, 6)] == ["150.0", "150.0", "180.0", "180.0"]
    assert place.close(APRIL).closed
    assert place.close(MAY).closed


def test_a_rule_made_quarterly_issues_no_more_in_between_and_what_nobody_bills_is_shown(company_of, months):
    place = company_of(company(rule(1)))
    months(place, date(2025, 1, 1), date(2025, 4, 14), MID_APRIL)
    change_rule(place, month_quantity=3)
    months(place, APRIL, date(2025, 12, 31), MID_APRIL)
    assert billed(place) == [
        "2025-01-10", "2025-02-10", "2025-03-10", "2025-04-10", "2025-07-10", "2025-10-10",
    ]  # fmt: skip
    attempt = place.close(MAY)
    assert attempt.report.totals()["expected_periods"] == 0
    (line,) = attempt.report.lines()
    assert line.startswith("gap: contract 10, rule 1: nobody bills 05/2025;")


def test_a_day_moved_later_never_bills_a_month_twice(company_of, months):
    place = company_of(company(rule(1)))
    months(place, date(2025, 1, 1), date(2025, 4, 14), MID_APRIL)
    change_rule(place, init_date="2025-01-25")
    months(place, APRIL, date(2025, 6, 30), MID_APRIL)
    assert billed(place)[3:] == ["2025-04-10", "2025-05-25", "2025-06-25"]
    (parked,) = place.ctx.periods.in_state(PeriodState.PARKED)
    assert said(parked.reason) == (
        "contract 10, rule 1, period 2025-04-25: 04/2025 is billed already by invoice 5 of 2025-04-10"
    )


@pytest.fixture
def tenth(company_of, months, clock):
    """A company billed to March; on 10/04, before April is billed, its rules are changed and then read."""

    def make(*rules, change):
        place = company_of(company(*rules))
        months(place, date(2025, 3, 1), date(2025, 4, 9), date(2025, 4, 9))
        place.expand(date(2025, 4, 9), Scope(DateRange.month_of(APRIL)))
        read(place, 10, change)
        return place

    def read(place, day, change):
        clock.now = datetime(2025, 4, day, 15, tzinfo=UTC)
        change(place)
        place.expand(date(2025, 4, day), Scope(DateRange.month_of(APRIL)), Backdated.SHOW)
        return prove_running_month(place.ctx, today=date(2025, 4, day + 1)).report.lines()

    make.read = read
    return make


def leave(place):
    """Change nothing."""


def delete_rule(place):
    assert place.box.call("DELETE", "contracts/10/invoice_rules/1")[0] == 204


def be(state):
    def change(place):
        place.box.put_state(
            company(rule(1), contracts=[contract(10, state=state)], invoices=place.box.state()["invoices"])
        )

    return change


def test_a_day_moved_later_on_the_issue_day_is_no_obstacle_once_the_later_day_is_billed(tenth, months):
    place = tenth(rule(1), change=lambda place: change_rule(place, init_date="2025-01-20"))
    assert place.open_findings() == []
    (line,) = place.close(APRIL).report.lines()
    assert line.startswith("missing: contract 10, rule 1, period 2025-04-20, R$ 150,00: planned")
    months(place, APRIL, date(2025, 4, 30), date(2025, 4, 20))
    assert billed(place) == ["2025-03-10", "2025-04-20"]
    assert place.close(APRIL).closed


def test_a_day_moved_to_one_that_is_over_is_shown_by_the_reading_that_sees_it(tenth):
    place = tenth(rule(1), change=lambda place: change_rule(place, init_date="2025-01-09"))
    assert [(each.kind, each.facts["issue_date"]) for each in place.open_findings()] == [("gap", "2025-04-09")]


@pytest.mark.parametrize(
    "change", [delete_rule, lambda place: change_rule(place, end_date="2025-04-09")], ids=["deleted", "ended"]
)
def test_a_period_taken_back_on_its_day_before_it_is_billed_is_no_obstacle(tenth, change):
    place = tenth(rule(1), change=change)
    assert tenth.read(place, 11, leave) == []
    assert place.open_findings() == []
    assert place.close(APRIL).closed


def test_a_period_of_a_contract_that_is_gone_on_its_day_is_shown_also_once_it_is_back(tenth):
    place = tenth(rule(1), change=lambda place: place.box.put_state(company(contracts=[contract(11)])))
    (shown,) = tenth.read(place, 11, leave)
    assert shown.startswith("not billed: contract 10, rule 1, period 2025-04-10")
    assert tenth.read(place, 12, be("active")) == [shown]


def test_a_period_given_up_after_its_day_is_shown_until_the_rule_made_anew_is_to_be_billed(tenth):
    place = tenth(rule(1), change=leave)
    (shown,) = tenth.read(place, 11, delete_rule)
    assert shown.startswith("not billed: contract 10, rule 1, period 2025-04-10")
    anew = company(rule(2, init_date="2025-04-20", description="Mensalidade 1"))
    assert tenth.read(place, 12, lambda place: place.box.put_state(anew)) == []
    assert place.open_findings() == []


def test_a_period_given_up_after_its_day_is_not_paid_by_a_rule_that_stood_beside_its_own(tenth):
    beside = rule(2, init_date="2025-04-10", description="Mensalidade 1")
    place = tenth(rule(1, init_date="2025-04-10"), beside, change=leave)
    (line,) = [line for line in tenth.read(place, 11, delete_rule) if line.startswith("not billed")]
    assert line.startswith("not billed: contract 10, rule 1, period 2025-04-10")


def test_what_was_not_billed_is_no_finding_once_it_is_planned_again(tenth):
    place = tenth(rule(1), change=leave)
    (shown,) = tenth.read(place, 11, delete_rule)
    assert shown.startswith("not billed: contract 10, rule 1, period 2025-04-10")
    (finding,) = place.open_findings()
    assert finding.kind == FindingKind.NOT_BILLED
    by = {"person": "Ana", "note": "it was due", "at": place.ctx.clock()}
    plan_again(place.ctx.session, place.ctx.organization_id, finding.subject_id, **by)
    place.expand(date(2025, 5, 3), Scope(DateRange.month_of(MAY)))
    assert place.open_findings() == []


def test_what_a_contract_seen_inactive_after_its_day_had_due_is_not_billed_by_itself_when_it_is_active_again(tenth):
    place = tenth(rule(1), change=leave)
    (shown,) = tenth.read(place, 12, be("inactive"))
    assert shown.startswith("not billed: contract 10, rule 1, period 2025-04-10")
    assert tenth.read(place, 13, be("active")) == [shown]
    place.expand(date(2025, 4, 14), Scope(DateRange.month_of(APRIL)), Backdated.PLAN)
    assert place.ctx.periods.in_state(PeriodState.PLANNED)[0].issue_date == date(2025, 4, 10)


def test_what_a_person_has_taken_on_as_not_billed_stays_so(tenth):
    place = tenth(rule(1), change=leave)
    tenth.read(place, 12, be("inactive"))
    (finding,) = place.open_findings()
    by = {"person": "Ana", "note": "paused since the 9th", "at": place.ctx.clock()}
    acknowledge_finding(place.ctx.session, place.ctx.organization_id, finding.id, **by)
    assert tenth.read(place, 13, be("active")) == []
    place.expand(date(2025, 4, 14), Scope(DateRange.month_of(APRIL)), Backdated.PLAN)
    assert place.ctx.periods.in_state(PeriodState.PLANNED) == []


@pytest.fixture
def renewed(company_of, months):
    """A company with a rule that ends on 30/04, and one typed on the 5th to go on from 10/04."""

    def make(day, **renewal):
        ending = rule(1, init_date=f"2025-01-{day}", timing={"end_date": "2025-04-30"})
        place = company_of(company(ending))
        months(place, date(2025, 3, 1), date(2025, 4, 4), date(2025, 4, 4))
        renewal = rule(2, **{"init_date": "2025-04-10", "description": "Mensalidade 1"} | renewal)
        place.box.put_state(place.box.state() | {"invoice_rules": [ending, renewal]})
        return place

    return make


@pytest.mark.parametrize("day", [10, 20])
def test_a_renewal_typed_before_the_last_period_of_its_rule_does_not_bill_that_time_as_well(renewed, months, day):
    place = renewed(day)
    months(place, APRIL, date(2025, 5, 31), date(2025, 4, 5))
    assert billed(place)[1:] == [f"2025-04-{day}", "2025-05-10"]
    (parked,) = place.ctx.periods.in_state(PeriodState.PARKED)
    assert said(parked.reason) == (
        f"contract 10, rule 2, period 2025-04-10: 04/2025 is for the period of 2025-04-{day} of rule 1 to bill"
    )
    assert not place.close(APRIL).closed


def test_a_renewal_bills_a_time_once_nobody_else_is_to(renewed, months):
    place = renewed(20)
    place.expand(date(2025, 4, 5), Scope(DateRange.month_of(APRIL)))
    change_rule(place, init_date="2025-01-20", end_date="2025-04-19")
    months(place, APRIL, date(2025, 4, 30), date(2025, 4, 6))
    assert billed(place)[1:] == ["2025-04-10"]
    assert place.close(APRIL).closed


def test_what_begins_beside_a_rule_that_ends_and_bills_something_else_is_billed(renewed, months):
    place = renewed(10, description="Suporte")
    months(place, APRIL, date(2025, 4, 30), date(2025, 4, 5))
    assert billed(place)[1:] == ["2025-04-10", "2025-04-10"]
    assert place.close(APRIL).closed


def test_a_day_moved_earlier_than_today_leaves_a_month_unbilled_and_says_so(company_of, months):
    place = company_of(company(rule(1, init_date="2025-01-25")))
    months(place, date(2025, 1, 1), date(2025, 3, 31), date(2025, 4, 1))
    months(place, APRIL, date(2025, 4, 12), date(2025, 4, 12))
    change_rule(place, init_date="2025-01-10")
    months(place, APRIL, date(2025, 5, 31), MID_APRIL, Backdated.SHOW)
    assert billed(place)[2:] == ["2025-03-25", "2025-05-10"]
    (line,) = place.close(APRIL).report.lines()
    assert line.startswith("gap: contract 10, rule 1, period 2025-04-10: nobody bills 04/2025 (R$ 150,00)")
    assert place.close(MAY).closed
    months(place, APRIL, date(2025, 5, 31), date(2025, 4, 16))  # bill_range, as it says
    assert billed(place)[2:] == ["2025-03-25", "2025-04-10", "2025-05-10"]
    assert place.close(APRIL).closed


def test_a_rule_that_ends_is_billed_to_its_end_and_its_months_close(company_of, months):
    place = company_of(company(rule(1)))
    months(place, date(2025, 1, 1), date(2025, 4, 14), MID_APRIL)
    place.expand(MID_APRIL, Scope(DateRange.month_of(MAY)))
    change_rule(place, end_date="2025-04-30")
    months(place, APRIL, date(2025, 6, 30), MID_APRIL)
    assert billed(place)[-1] == "2025-04-10"
    assert [place.close(month).closed for month in (APRIL, MAY, JUNE)] == [True, True, True]


def test_a_rule_deleted_before_its_day_is_not_missed(company_of, months, clock):
    place = company_of(company(rule(1), rule(2)))
    months(place, date(2025, 1, 1), date(2025, 4, 14), MID_APRIL)
    place.expand(MID_APRIL, Scope(DateRange.month_of(MAY)))
    assert place.box.call("DELETE", "contracts/10/invoice_rules/2")[0] == 204
    months(place, APRIL, date(2025, 5, 31), MID_APRIL)
    assert len(billed(place)) == 4 + 5
    assert place.close(APRIL).closed
    assert place.close(MAY).closed


def test_a_contract_cancelled_mid_way_keeps_what_was_issued_and_bills_no_more(company_of, months):
    place = company_of(company(rule(1), rule(2, 11)))
    months(place, date(2025, 1, 1), date(2025, 4, 14), MID_APRIL)
    place.expand(MID_APRIL, Scope(DateRange.month_of(MAY)))
    state = place.box.state()
    place.box.put_state({**state, "contracts": [contract(10, state="inactive"), contract(11)]})
    months(place, APRIL, date(2025, 5, 31), MID_APRIL)
    assert len(billed(place)) == 4 + 5
    assert place.close(APRIL).closed
    assert place.close(MAY).closed


def test_expanding_after_every_change_never_makes_a_second_invoice(company_of, months):
    place = company_of(company(rule(1)))
    months(place, date(2025, 1, 1), date(2025, 4, 14), MID_APRIL)
    for init_date in ("2025-01-25", "2025-01-05", "2025-01-10"):
        change_rule(place, init_date=init_date)
        months(place, date(2025, 1, 1), date(2025, 4, 30), MID_APRIL)
    assert billed(place) == ["2025-01-10", "2025-02-10", "2025-03-10", "2025-04-10"]
