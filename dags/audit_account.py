"""Is the billing of the account right? A look at all of it that cannot write."""

import pendulum
from airflow.sdk import dag

from ciclo.locale import N_, _
from ciclo.tasks.audit import audit
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import connection_param, range_params

DOCS = N_("""
### Audit the account

Reads contracts, rules, invoices, receivables and tax documents of some months, through a client that refuses every
write, and judges them without the ledger: what was never billed, billed twice, wrongly or to somebody else, which
readjustments were missed, late or wrong and what they cost, what runs out, what will not be paid.

**Months**: the running one and the eleven before it, or `from_date` … `to_date`.
**What to look at**: the log for the totals and the largest findings; the report under `CICLO_REPORTS_DIR`, a page that
prints, a CSV and JSON. The same from the command line: `ciclo audit`. What each kind means: `docs/audit.md`.
""")


@dag(
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params={**range_params(), **connection_param()},
    tags=["ciclo", "audit"],
    doc_md=_(DOCS),
    **alerts(),
)
def audit_account() -> None:
    """Audit the account."""
    audit()


audit_account()
