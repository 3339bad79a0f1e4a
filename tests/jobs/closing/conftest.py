"""A billed year and the closing of its months."""

from datetime import date

import pytest

from ciclo.domain.recurrence import DateRange
from ciclo.jobs.closing.close import close_month, refresh_rules
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.periods.plan import Backdated
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.tables import Finding
from company import TODAY, YEAR

JANUARY = date(2025, 1, 1)


class Company:
    """A sandbox and the ledger that bills it."""

    def __init__(self, box, ctx, folder):
        self.box, self.ctx, self.folder = box, ctx, folder

    def expand(self, seen_on=TODAY, scope=YEAR, backdated=Backdated.PLAN):
        read_contract_list(self.ctx)
        return expand_rules(self.ctx, scope, seen_on=seen_on, backdated=backdated)

    def bill(self, scope=YEAR, seen_on=TODAY, backdated=Backdated.PLAN):
        self.expand(seen_on, scope, backdated)
        adopt_existing(self.ctx, scope, IssueOptions(), owner="tests")
        return issue_due_periods(self.ctx, scope, IssueOptions(concurrency=1), owner="tests")

    def close(self, month=JANUARY, today=TODAY, contract_ids=()):
        refresh_rules(self.ctx, DateRange.month_of(month), seen_on=today, contract_ids=contract_ids)
        return close_month(self.ctx, month, today=today, reports=self.folder, contract_ids=contract_ids)

    def reconcile(self, today=TODAY):
        return reconcile(self.ctx, today=today, recheck_days=400)

    def invoice(self, day="10/01/2025"):
        """The first rule's invoice of a day: those of one day are created in any order."""
        found = [invoice for invoice in self.box.state()["invoices"] if invoice["issue_date"] == day]
        return min(found, key=lambda invoice: invoice["comments"] or "")

    def patch(self, invoice, **changes):
        path = f"contracts/{invoice['contract_id']}/invoices/{invoice['id']}"
        assert self.box.call("PATCH", path, {"invoice": changes})[0] == 200

    def delete(self, invoice):
        assert self.box.call("DELETE", f"contracts/{invoice['contract_id']}/invoices/{invoice['id']}")[0] == 204

    def duplicate(self, invoice, **changed):
        fields = ("description", "nfe_body", "gross_value", "issue_date", "comments")
        body = {name: invoice[name] for name in fields}
        body["receivables"] = [{"due_date": line["due_date"]} for line in invoice["receivables"]]
        path = f"contracts/{invoice['contract_id']}/invoices"
        status, answer = self.box.call("POST", path, {"invoice": body | changed})
        assert status == 201
        return answer["invoice"]

    def open_findings(self):
        return list(self.ctx.session.query(Finding).filter(Finding.closed_at.is_(None)))


@pytest.fixture
def company_of(sandbox, lite_job, tmp_path):
    """Start a company's sandbox and ledger."""

    def make(state, job=lite_job):
        box = sandbox(state)
        return Company(box, job(box), tmp_path / "reports")

    return make


@pytest.fixture
def billed(company_of):
    """Start a company and bill its year."""

    def make(state, **given):
        company = company_of(state, **given)
        company.bill()
        return company

    return make
