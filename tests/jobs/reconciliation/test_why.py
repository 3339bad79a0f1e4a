"""Why an invoice is different, from what a billed and reconciled account left in the ledger."""

from datetime import date, timedelta
from decimal import Decimal

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.comparison import DifferenceKind
from ciclo.domain.wording import said_of_comparison
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import NewAdjustment, add_adjustments
from ciclo.ledger.queries.comparison import comparison_of
from ciclo.ledger.repositories import Scope
from company import ORGANIZATION, TODAY, YEAR, company, rule, service

QUARTER = Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 3, 31)))
OPTIONS = IssueOptions(concurrency=1, batch=200, lease=timedelta(minutes=10), grace=timedelta(minutes=5))


def test_a_quantity_of_one_month_and_a_value_edited_at_the_vendor_are_told_apart(sandbox, job):
    box = sandbox(company(rule(1, services=[service(1, "100.0"), service(2, "50.0")], gross_value="150.0")))
    ctx = job(box)
    read_contract_list(ctx)
    expand_rules(ctx, QUARTER, seen_on=TODAY)
    more = NewAdjustment(
        kind=AdjustmentKind.QUANTITY, rule_id=1, period=date(2025, 2, 10), service="Serviço 2", quantity=Decimal(3)
    )
    add_adjustments(ctx.session, ORGANIZATION, [more], origin="test", person="ana", at=ctx.clock())
    ctx.session.commit()
    issue_due_periods(ctx, QUARTER, OPTIONS, owner="run")
    january, february, march = sorted(box.state()["invoices"], key=lambda each: each["estimated_issue_date"][3:5])
    line = {"id": march["services"][0]["id"], "unit_value": 120}
    ctx.api.update_invoice(march["contract_id"], march["id"], {"services": [line]})
    reconcile(ctx, today=TODAY, recheck_days=400)

    def told(invoice):
        found = comparison_of(ctx.session, ORGANIZATION, invoice["id"])
        return found, [(each.kind, each.amount) for each in found.differences]

    assert told(january)[0].before is None
    assert told(february)[1] == [(DifferenceKind.ADJUSTED, Decimal("100.00"))]
    found, kinds = told(march)
    assert kinds == [
        (DifferenceKind.ADJUSTED_BEFORE, Decimal("-100.00")),
        (DifferenceKind.EDITED, Decimal("20.00")),
    ]
    assert "R$ 80,00 less" in said_of_comparison(found)
    assert comparison_of(ctx.session, ORGANIZATION, 1) is None
