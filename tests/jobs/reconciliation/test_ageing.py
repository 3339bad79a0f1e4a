"""Ageing: what is owed and since when; how long money takes."""

from datetime import date
from decimal import Decimal

import pytest

from ciclo.domain.receivables import AgeingBucket, ReceivableState
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.queries.months import month_glance
from ciclo.ledger.queries.receivables import ageing, days_to_receive
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
    aged = ageing(half_a_year.session, half_a_year.organization_id, AS_OF)
    assert {bucket: (owed.count, owed.amount) for bucket, owed in aged.items()} == {
        AgeingBucket.NOT_DUE: (0, Decimal("0.00")),
        AgeingBucket.DAYS_1_TO_30: (1, Decimal("150.00")),  # due 2025-06-01
        AgeingBucket.DAYS_31_TO_60: (1, Decimal("150.00")),  # due 2025-05-01
        AgeingBucket.DAYS_61_TO_90: (1, Decimal("150.00")),  # due 2025-04-01
        AgeingBucket.OVER_90_DAYS: (2, Decimal("300.00")),  # due 2025-03-01 and before
    }


def test_days_to_receive_are_counted_from_the_issue_date(half_a_year):
    assert days_to_receive(half_a_year.session, half_a_year.organization_id) == Decimal("25.2")  # 126 days over 5


def test_receivables_follow_their_invoice_into_the_month_in_which_it_is_billed(billed, reconciled, first_invoice, job):
    box, ctx = billed(company(rule(1)), job=job)
    reconciled(ctx)
    box.emit(first_invoice(box)["id"], "03/02/2025")  # planned for January
    reconciled(ctx, today=date(2025, 2, 4))

    def receivables(month):
        glance = month_glance(ctx.session, ctx.organization_id, DateRange.month_of(month))
        return {state: share.count for state, share in glance.receivables.items() if share.count}

    assert receivables(date(2025, 1, 1)) == {}
    assert receivables(date(2025, 2, 1)) == {ReceivableState.TO_EMIT: 1, ReceivableState.TO_RECEIVE: 1}


def test_nothing_owed_is_an_ageing_of_nothing(billed):
    _, ctx = billed(company(rule(1)))
    assert sum(owed.amount for owed in ageing(ctx.session, ctx.organization_id, AS_OF).values()) == Decimal("0.00")
    assert days_to_receive(ctx.session, ctx.organization_id) is None
