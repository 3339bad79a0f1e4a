"""The step that audits an account: it looks at the vendor alone, and writes nothing but its report."""

import logging
from decimal import Decimal

from ciclo.billimatic import BillimaticClient
from ciclo.domain.money import brl
from ciclo.jobs.audit.account import audit_account
from ciclo.jobs.audit.findings import AuditRange
from ciclo.jobs.audit.report import write_report
from ciclo.jobs.runs import Counts, Run

log = logging.getLogger("ciclo")

LARGEST = 20
"""Findings that the log shows."""


def audit(api: BillimaticClient, run: Run) -> Counts:
    """Audit the run's months, write the report beside those of the closed months; return how much of each kind."""
    audited = AuditRange(run.window.start, run.window.last_day, run.today)
    said = "%s: %d requests made, %d left"
    with run.open_sgs() as sgs:
        found = audit_account(api, audited, sgs=sgs, tell=lambda step: log.info(said, step.what, step.made, step.left))
    totals = found.totals()
    for kind, each in totals.items():
        log.info("%s: %d, %s", kind, each["count"], brl(Decimal(each["amount"])))
    for finding in found.largest(LARGEST):
        log.warning("contract %s, rule %s: %s", finding.contract_id, finding.rule_id, finding.message)
    if run.reports is not None:
        files = write_report(found, audited, run.reports / str(api.organization_id), api.organization_id)
        log.info("the report: %s", ", ".join(map(str, files)))
    return {kind: each["count"] for kind, each in totals.items()}
