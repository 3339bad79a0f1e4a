"""Ageing: what is owed, since when, by whom and of which month; how long money takes."""

from datetime import date
from decimal import Decimal

import pytest

from ciclo.domain.receivables import AgeingBucket
from ciclo.jobs.reconciliation.reconcile import ageing
from company import company, rule

AS_OF = date(2025, 6, 3)


@pytest.fixture
def half_a_year(billed, reconciled, job):
    """Issued on the 10th and due on the 1st, to June; contract 11 pays 4 days late, contract 10 never."""
    box, ctx = billed(company(rule(1), rule(2, 11, gross_value="10.00")), job=job)
    for invoice in box.state()["invoices"]:
        day, month, year = (int(part) for part in invoice["issue_date"].split("/"))
        if date(year, month, day) < AS_OF:
            box.emit(invoice["id"], invoice["issue_date"])
            if invoice["contract_id"] == 11:
                box.receive(invoice["receivables"][0]["id"], on=f"{year}-{month + 1:02}-05")
    reconciled(ctx, today=AS_OF)
    return ctx


def test_what_is_owed_is_told_by_its_age(half_a_year):
    aged = ageing(half_a_year, AS_OF).total
    amounts = {bucket: (owed.receivables, owed.amount) for bucket, owed in aged.buckets.items()}
    assert amounts == {
        AgeingBucket.NOT_DUE: (0, Decimal("0.00")),
        AgeingBucket.DAYS_1_TO_30: (1, Decimal("150.00")),  # due 2025-06-01
        AgeingBucket.DAYS_31_TO_60: (1, Decimal("150.00")),  # due 2025-05-01
        AgeingBucket.DAYS_61_TO_90: (1, Decimal("150.00")),  # due 2025-04-01
        AgeingBucket.OVER_90_DAYS: (2, Decimal("300.00")),  # due 2025-03-01 and before
    }
    assert (aged.owed, aged.overdue) == (Decimal("750.00"), Decimal("750.00"))


def test_contracts_and_months_add_up_to_the_whole(half_a_year):
    aged = ageing(half_a_year, AS_OF)
    assert {number: line.owed for number, line in aged.by_contract.items()} == {
        10: Decimal("750.00"),
        11: Decimal("0.00"),
    }
    assert sum((line.owed for line in aged.by_month.values()), Decimal(0)) == aged.total.owed
    assert aged.by_month[date(2025, 1, 1)].received.amount == Decimal("10.00")


def test_days_to_receive_are_counted_from_the_issue_date(half_a_year):
    aged = ageing(half_a_year, AS_OF)
    assert aged.by_month[date(2025, 1, 1)].days_to_receive == Decimal("26.0")  # 2025-01-10 to 2025-02-05
    assert aged.by_contract[10].days_to_receive is None
    assert aged.lines()[-1] == "  received in 25.2 days on average"  # 126 days over 5


def test_nothing_owed_is_an_ageing_of_nothing(billed):
    _, ctx = billed(company(rule(1)))
    assert ageing(ctx, AS_OF).total.owed == Decimal("0.00")
