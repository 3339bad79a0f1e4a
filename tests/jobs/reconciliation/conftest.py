"""A year that was billed: every test of reconciliation begins with invoices at the vendor and in the ledger."""

from datetime import date

import pytest

from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from company import TODAY, YEAR


@pytest.fixture
def billed(sandbox, lite_job):
    """Bill a company's year; return the sandbox and the job's context."""

    def bill(state, *, scope=YEAR, job=lite_job, **means):
        box = sandbox(state)
        ctx = job(box, **means)
        bill_scope(ctx, scope)
        return box, ctx

    return bill


def bill_scope(ctx, scope, seen_on=TODAY):
    read_contract_list(ctx)
    expand_rules(ctx, scope, seen_on=seen_on)
    adopt_existing(ctx, scope, IssueOptions(), owner="tests")
    return issue_due_periods(ctx, scope, IssueOptions(concurrency=1), owner="tests")


@pytest.fixture
def reconciled():
    """Reconcile as the daily run does; return its outcome."""
    return lambda ctx, today=TODAY, **given: reconcile(ctx, today=today, recheck_days=400, **given)


@pytest.fixture
def opened(reconciled):
    """Reconcile and return the findings that it opened."""
    return lambda ctx, today=TODAY: reconciled(ctx, today).opened


@pytest.fixture
def first_invoice():
    """Return the invoice of the earliest issue date at the vendor."""

    def find(box):
        days = {
            invoice["id"]: date(*reversed([int(part) for part in invoice["issue_date"].split("/")]))
            for invoice in box.state()["invoices"]
        }
        number = min(days, key=lambda each: (days[each], each))
        return next(invoice for invoice in box.state()["invoices"] if invoice["id"] == number)

    return find
