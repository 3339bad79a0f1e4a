"""A company with months that were missed."""

import pytest

from ciclo.jobs.backfill import apply_plan, approved_amounts, draft_plan, keep_plan
from ciclo.jobs.context import IssueOptions, arm
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.periods.plan import Backdated
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope
from company import TODAY, YEAR


class Backfill:
    """The steps of bill_range on a sandbox and a ledger."""

    def __init__(self, box, ctx):
        self.box, self.ctx = box, ctx

    def expand(self, seen_on=TODAY, scope=YEAR):
        read_contract_list(self.ctx)
        return expand_rules(self.ctx, scope, seen_on=seen_on, backdated=Backdated.PLAN)

    def plan(self, policy, ceilings, scope=YEAR):
        return keep_plan(self.ctx, draft_plan(self.ctx, scope, policy), ceilings)

    def apply(self, plan, *, approved_by=None, scope=YEAR):
        apply_plan(self.ctx, plan.id, plan.plan_hash, scope=scope, approved_by=approved_by)

    def issue(self, plan, scope=YEAR):
        options = IssueOptions(concurrency=1, approved=approved_amounts(self.ctx, plan.id))
        planned = Scope(scope.window, scope.contract_ids, plan_id=plan.id)
        return issue_due_periods(self.ctx, planned, options, owner="tests")

    def invoices(self):
        return self.box.state()["invoices"]


@pytest.fixture
def backfill(sandbox, lite_job):
    """Start a company whose periods are planned and not billed."""

    def start(state, *, job=lite_job, armed=True):
        box = sandbox(state)
        place = Backfill(box, job(box))
        if armed:
            arm(place.ctx, YEAR.window.start, person="Ana")
        place.expand()
        return place

    return start
