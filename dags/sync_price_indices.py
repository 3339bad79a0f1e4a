"""Price-index values from the central bank into the ledger, an asset per index."""

import pendulum
from airflow.sdk import CronTriggerTimetable, Param, dag

from ciclo.locale import N_, _
from ciclo.tasks.assets import PRICE_INDICES
from ciclo.tasks.notify import alerts
from ciclo.tasks.prices import load_shipped, sync

DOCS = N_("""
### Sync price indices

Brings newer monthly values of IGP-M, IPCA, IGP-DI, INPC and IPC-Fipe from the central bank's SGS API into the ledger.
The values that ship with Ciclo are loaded first, so updates whose months are among them apply without the internet.

A value that the publisher **revised** becomes a further revision and is notified, with the updates that were computed
with the former one. Their prices stay as they are: a person decides.

**What to look at**: a red `sync_…` means that SGS does not answer for that index; the ledger keeps what it has, and
an update that needs a missing month waits. Settings: `CICLO_SGS_URL`, `CICLO_NOTIFY`.
""")


@dag(
    schedule=CronTriggerTimetable("0 7 * * *", timezone="America/Sao_Paulo"),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params={
        "dry_run": Param(
            default=False, type="boolean", title=_("Dry run"), description=_("Ask SGS, keep nothing of it.")
        )
    },
    tags=["ciclo", "prices"],
    doc_md=_(DOCS),
    **alerts(),
)
def sync_price_indices() -> None:
    """Load what is shipped, then ask SGS for each index."""
    loaded = load_shipped()
    for task_id, asset in PRICE_INDICES.items():
        loaded >> sync.override(task_id=task_id, outlets=[asset])()


sync_price_indices()
