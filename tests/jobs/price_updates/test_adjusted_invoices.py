"""An invoice with adjustments is not one that a person edited: a price update keeps them, at the new price."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.adjustments import correct_invoices
from ciclo.jobs.context import IssueOptions
from ciclo.ledger.actions import NewAdjustment, add_adjustments
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Finding, Period
from company import ORGANIZATION, company, rule, scheduled_update, service

JUNE, JULY = date(2025, 6, 10), date(2025, 7, 10)
_K = AdjustmentKind


@pytest.fixture
def run(billing):
    """June and July are billed at the old price; then an adjustment of July comes, and the update of June."""

    def start(given, *adjustments):
        started = billing(company(rule(**given)), today=date(2025, 6, 2))
        ctx = started.ctx
        started.expand(JUNE, JULY)
        started.issue(JUNE, JULY)
        add_adjustments(ctx.session, ORGANIZATION, adjustments, origin="test", person="ana", at=ctx.clock())
        ctx.session.commit()
        correct_invoices(ctx, Scope(DateRange.days(JUNE, JULY)), IssueOptions(concurrency=1))
        state = started.sandbox.state()
        state["invoice_rules"][0]["scheduled_updates"] = [scheduled_update()]
        started.sandbox.put_state(state)
        started.expand(JUNE, JULY)
        return started

    return start


FLAT = {"gross_value": "1000.0"}
LINES = {"services": [service(31, "100.0", item=1), service(32, "0.5", item=2, units="1000.0")], "gross_value": "600.0"}
DISCOUNT = NewAdjustment(kind=_K.DISCOUNT, rule_id=1, period=JULY, amount=Decimal(50))
CREDIT = NewAdjustment(kind=_K.LINE, rule_id=1, period=JULY, unit_value=Decimal(-20), description="Crédito")
MEASURED = NewAdjustment(kind=_K.QUANTITY, rule_id=1, period=JULY, service="2", quantity=Decimal(3000))


def july(started):
    [invoice] = [each for each in started.sandbox.state()["invoices"] if each["estimated_issue_date"] == "10/07/2025"]
    return invoice


def findings(started):
    return [finding.kind for finding in started.ctx.session.scalars(select(Finding))]


@pytest.mark.parametrize(
    ("given", "adjustments", "before", "after"),
    [
        (FLAT, [DISCOUNT], "950.00", "1020.26"),
        (FLAT, [CREDIT], "980.00", "1050.26"),
        (LINES, [MEASURED], "1600.00", "1727.03"),
        (LINES, [MEASURED, CREDIT], "1580.00", "1707.03"),
    ],
)
def test_an_invoice_with_adjustments_is_brought_to_the_new_price_with_them(run, given, adjustments, before, after):
    started = run(given, *adjustments)
    assert Decimal(july(started)["gross_value"]) == Decimal(before)

    started.apply(JUNE, today=JUNE)

    assert Decimal(july(started)["gross_value"]) == Decimal(after)
    assert findings(started) == []
    [period] = started.ctx.session.scalars(select(Period).where(Period.issue_date == JULY)).all()
    assert period.gross_value == Decimal(after)


def test_one_that_a_person_edited_beside_its_adjustment_is_left_and_shown(run):
    started = run(FLAT, DISCOUNT)
    started.ctx.api.update_invoice(10, july(started)["id"], {"gross_value": Decimal(900)})

    started.apply(JUNE, today=JUNE)

    assert Decimal(july(started)["gross_value"]) == Decimal(900)
    assert findings(started) == ["value_edited"]
