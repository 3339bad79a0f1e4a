"""What is read: whole windows, a hundred invoices a request, and nothing that is missed while pages move."""

from datetime import date, timedelta

import pytest

from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.reconciliation.reconcile import FOR_EVER, READ_THROUGH, reading_plan
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import MonthOfInvoices, Scope
from company import ORGANIZATION, TODAY, company, rule

JAN, FEB, MAR, APR = (date(2025, month, 1) for month in (1, 2, 3, 4))
WEEKS = DateRange(date(2025, 1, 6), date(2025, 12, 22))


def months(**counts):
    names = {"jan": JAN, "feb": FEB, "mar": MAR, "apr": APR}
    return {names[name]: MonthOfInvoices(*count) for name, count in counts.items()}


@pytest.mark.parametrize(
    ("ledger", "recheck", "windows", "open_until"),
    [
        ({}, 30, [(MAR, FOR_EVER)], None),
        ({"mar": (5, 0)}, 30, [(MAR, FOR_EVER)], None),
        ({"feb": (5, 5), "mar": (5, 0)}, 30, [(FEB, FOR_EVER)], None),
        ({"feb": (5, 0), "mar": (5, 0)}, 30, [(MAR, FOR_EVER)], date(2025, 2, 28)),
        ({"jan": (5, 5), "feb": (READ_THROUGH, 0), "mar": (5, 0)}, 30, [(JAN, FOR_EVER)], None),
        ({"jan": (5, 5), "feb": (READ_THROUGH + 1, 0), "mar": (5, 0)}, 30, [(JAN, FEB), (MAR, FOR_EVER)], FEB),
        ({"jan": (5, 0), "feb": (5, 0), "mar": (5, 0)}, 400, [(JAN, FOR_EVER)], None),
    ],
)
def test_windows_hold_what_may_change_and_join_where_that_is_cheaper(ledger, recheck, windows, open_until):
    plan = reading_plan(months(**ledger), today=date(2025, 4, 15), recheck_days=recheck)
    assert [(window.start, window.end) for window in plan.windows] == windows
    assert (plan.open_until is None) == (open_until is None)


def test_a_month_with_an_open_finding_is_read_even_if_nothing_of_it_is_there_any_more():
    plan = reading_plan(months(mar=(5, 0)), today=date(2025, 4, 15), recheck_days=30, troubled={JAN})
    assert plan.windows == (DateRange(JAN, FOR_EVER),)


@pytest.fixture
def ten_thousand(sandbox, lite_job):
    """A company of 200 weekly rules with the 50 invoices that each has had, all of them taken over."""
    rules = [
        rule(number, 1000 + number, init_date="2025-01-06", timing={"period_unit": "weekly", "month_quantity": None})
        for number in range(1, 201)
    ]
    invoices = [
        {
            "id": 50_000 + 100 * each["id"] + week,
            "contract_id": each["contract_id"],
            "issue_date": day.strftime("%d/%m/%Y"),
            "gross_value": "150.0",
            "description": each["description"],
            "nfe_body": "$DESCRICAO",
            "comments": f"ciclo:{ORGANIZATION}:{each['id']}:{day}",
            "state": "to_receive",
            "receivables": [{"id": 90_000 + 100 * each["id"] + week, "due_date": _first(day), "state": "to_receive"}],
        }
        for each in rules
        for week in range(50)
        for day in [date(2025, 1, 6) + timedelta(weeks=week)]
    ]
    box = sandbox(company(*rules, invoices=invoices))
    ctx = lite_job(box)
    read_contract_list(ctx)
    expand_rules(ctx, Scope(WEEKS), seen_on=TODAY)
    assert adopt_existing(ctx, Scope(WEEKS), IssueOptions(), owner="tests").adopted == 10_000
    return box, ctx


def _first(day):
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1).strftime("%d/%m/%Y")


def test_ten_thousand_invoices_cost_a_hundred_requests(ten_thousand, reconciled):
    box, ctx = ten_thousand
    box.clear_requests()
    outcome = reconciled(ctx)
    assert outcome.counts() | {"invoices": 10_000, "changed": 0, "opened": 0} == outcome.counts()
    assert box.request_count()["total"] <= 101  # and the empty page after them
