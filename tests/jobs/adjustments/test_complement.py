"""A difference that is billed by an invoice of its own: one rule of a single day, one invoice, whatever is lost."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from ciclo.domain.adjustments import Prorating
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.adjustments import bill_complements, correct_invoices
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import NotPossible, bill_complement, bill_difference, difference, set_policy
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Adjustment, Finding, Invoice, Period
from company import ORGANIZATION, TODAY, company, rule

JANUARY = DateRange.month_of(date(2026, 1, 1))
OPTIONS = IssueOptions(concurrency=1, lease=timedelta(minutes=10), grace=timedelta(minutes=5))


@pytest.fixture
def billed(sandbox, lite_job):
    """An account whose invoice of January is issued; R$ 30,00 of what it should be are missing."""
    box = sandbox(company(rule(1, init_date="2026-01-01", timing={"end_date": "2026-01-31"})))
    ctx = lite_job(box)
    read_contract_list(ctx)
    set_policy(ctx.session, ORGANIZATION, Prorating.ALWAYS)
    expand_rules(ctx, Scope(JANUARY), seen_on=TODAY)
    issue_due_periods(ctx, Scope(JANUARY), OPTIONS, owner="run")
    period = ctx.session.scalars(select(Period)).one()
    box.emit(period.invoice_id)
    reconcile(ctx, today=TODAY, recheck_days=400)
    short(ctx, "120.00")
    return box, ctx, period


def short(ctx, value):
    invoice = ctx.session.scalars(select(Invoice)).one()
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
    assert not ctx.session.scalars(select(Finding).where(Finding.kind == "adjustment_left_out")).all()


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


def test_a_credit_needs_the_next_invoice(billed):
    _box, ctx, period = billed
    short(ctx, "180.00")

    with pytest.raises(NotPossible, match=r"-R\$ 30,00 are to be credited"):
        asked(ctx, period)


def test_where_the_rule_issues_no_further_invoice_one_of_its_own_is_offered(billed):
    _box, ctx, period = billed

    with pytest.raises(NotPossible, match="by an invoice of its own"):
        bill_difference(ctx.session, ORGANIZATION, period.id, person="ana", note="agreed", at=ctx.clock())
