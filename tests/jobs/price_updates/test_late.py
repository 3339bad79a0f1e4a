"""A readjustment that is applied late: what was issued at the old price meanwhile is billed with the next, or not."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from ciclo.ledger.actions import NoSuchRow, NotPossible, UnusableNote, bill_late, late_readjustment, leave_late
from ciclo.ledger.actions.differences import put_into_next
from ciclo.ledger.tables import Adjustment, Finding
from company import company, rule, scheduled_update

LATE = date(2025, 9, 15)


@pytest.fixture
def late(billing):
    """R$ 1.000,00 a month by IGP-M from 10/06/2025 on, an update that became known when three were issued without."""

    def start(change=None, **given):
        run = billing(company(rule(gross_value="1000.0", **given)), today=LATE)
        run.expand()
        run.issue(last=date(2025, 9, 30))
        state = run.sandbox.state()
        for invoice in state["invoices"]:
            if invoice["issue_date"][3:] != "01/2026":
                invoice["state"] = "to_receive"
        if change is not None:
            change(state)
        state["invoice_rules"][0]["scheduled_updates"] = [scheduled_update()]
        run.sandbox.put_state(state)
        run.expand()
        run.apply(LATE, today=LATE)
        assert run.execution().state == "applied", run.execution().reason
        return run

    return start


def invoice_of(state, day):
    return next(invoice for invoice in state["invoices"] if invoice["issue_date"] == day)


def decided(run, action, **given):
    run.ctx.session.expire_all()
    given = {"person": "ana", "note": "seen with the customer", "at": run.ctx.clock()} | given
    outcome = action(run.ctx.session, run.ctx.organization_id, run.execution().id, **given)
    run.ctx.session.commit()
    return outcome


def lines(run):
    rows = run.ctx.session.scalars(select(Adjustment).order_by(Adjustment.id))
    return [(row.description, f"{row.unit_value:.2f}", row.from_date.isoformat()) for row in rows]


def finding(run):
    return run.ctx.session.scalars(select(Finding).where(Finding.kind == "readjusted_late")).one_or_none()


def test_what_was_issued_at_the_old_price_is_a_finding_with_its_difference(late):
    run = late()
    open_one = late_readjustment(run.ctx.session, run.execution())
    assert [(each.planned_date.month, each.amount) for each in open_one.invoices] == [
        (6, Decimal("70.26")),
        (7, Decimal("70.26")),
        (8, Decimal("70.26")),
        (9, Decimal("70.26")),
    ]
    assert (open_one.total, finding(run).amount, finding(run).id) == (
        Decimal("281.04"),
        Decimal("281.04"),
        open_one.finding_id,
    )
    assert lines(run) == []


def test_a_person_puts_the_difference_into_the_next_invoice_once(late):
    run = late()

    assert decided(run, bill_late).changed
    again = decided(run, bill_late)

    first_open = "2026-01-01"  # of January, where the tests are
    assert lines(run) == [(f"Diferença de {month:02}/2025", "70.26", first_open) for month in (6, 7, 8, 9)]
    assert not again.changed
    assert late_readjustment(run.ctx.session, run.execution()).total == 0
    assert finding(run).acknowledged_by == "ana"
    entry = run.ctx.audit.trail("execution", run.execution().id)[-1]
    assert (entry.person, entry.reason.kind, entry.reason.facts["amount"]) == ("ana", "late_billed", "281.04")


def test_what_was_billed_along_with_more_that_the_invoice_lacks_is_not_credited(late):
    run = late()
    june = next(each for each in run.periods() if each.issue_date == date(2025, 6, 10))
    given = {"person": "ana", "note": "this update's and another's", "at": run.ctx.clock()}
    put_into_next(run.ctx.session, june, Decimal("86.85"), **given)
    run.ctx.session.commit()

    decided(run, bill_late)

    assert [(line[0], line[1]) for line in lines(run)] == [
        ("Diferença de 06/2025", "86.85"),
        *((f"Diferença de {month:02}/2025", "70.26") for month in (7, 8, 9)),
    ]


def test_a_person_leaves_it_and_nothing_is_billed(late):
    run = late()

    assert decided(run, leave_late).changed

    assert lines(run) == []
    assert finding(run).acknowledged_by == "ana"
    assert not decided(run, bill_late).changed


def test_what_a_person_changed_or_cancelled_is_left_out(late):
    def change(state):
        invoice_of(state, "10/07/2025")["gross_value"] = "1300.0"
        invoice_of(state, "10/08/2025")["state"] = "cancelled"

    run = late(change)
    assert [each.planned_date.month for each in late_readjustment(run.ctx.session, run.execution()).invoices] == [6, 9]


def test_an_invoice_that_left_its_period_since_is_not_billed_and_the_page_says_why(late):
    run = late()
    period = next(each for each in run.periods() if each.issue_date == date(2025, 6, 10))
    period.invoice_id = 999_999
    run.ctx.session.commit()

    decided(run, bill_late)

    assert [line[0] for line in lines(run)] == [f"Diferença de {month:02}/2025" for month in (7, 8, 9)]
    first = late_readjustment(run.ctx.session, run.execution()).invoices[0]
    assert (first.amount, first.why_not) == (0, "it is no longer the invoice of its period")


def test_where_the_rule_issues_nothing_more_a_person_is_told(late):
    run = late(timing={"end_date": "2025-09-30"})
    with pytest.raises(NotPossible, match="70,26"):
        decided(run, bill_late)
    run.ctx.session.rollback()
    assert lines(run) == []


def test_a_decision_needs_a_note_and_an_execution_of_the_organization(late):
    run = late()
    with pytest.raises(UnusableNote):
        decided(run, bill_late, note=" ")
    with pytest.raises(NoSuchRow):
        bill_late(run.ctx.session, 8, run.execution().id, person="ana", note="x", at=run.ctx.clock())


def test_an_update_in_time_leaves_nothing_to_decide(billing):
    run = billing(company(rule(gross_value="1000.0", scheduled_updates=[scheduled_update()])))
    run.expand()
    run.apply(today=date(2025, 6, 10))
    assert late_readjustment(run.ctx.session, run.execution()) is None
    assert finding(run) is None
    assert not decided(run, leave_late).changed
