"""Scheduled price updates: reminders, applications on their execution date, optional approval."""

from datetime import timedelta

import pendulum
from airflow.sdk import CronTriggerTimetable, dag

from ciclo.locale import N_, _
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import update_params, window_params
from ciclo.tasks.prices import BATCH, PriceUpdateApproval, apply, finish, prepare, remind, write

DOCS = N_("""
### Apply price updates

Readjusts rules by their price index on the execution date: the ledger's prices from that day on, the rule at the
vendor (`PUT`), and invoices from that day on that are created but not yet issued (`PATCH`). Each rule's updates apply
in order, each exactly once; its periods wait until then and go on by themselves.

1. `prepare`: contracts, index values; proposals where approval is required.
2. `remind`: previews of the updates whose reminder is due, by e-mail to `CICLO_NOTIFY` and in the log.
3. `approve`: with `require_approval`, a person sees old price, factor and new price and approves or rejects.
4. `apply`: claims, commits, sends, records with the evidence; adopts what the vendor has applied itself.
5. `finish`: settles what got no answer. Red while anything is in doubt.
6. `write`, at the same time: letters to customers about readjustments, where `CICLO_LETTERS` wants them. What `finish`
   settles is written about by the next run.

**What to look at**: the log of `finish` lists updates that wait for an index value, for approval or for a person.
Rules, windows and sources: `docs/price-updates.md`.
""")


@dag(
    schedule=CronTriggerTimetable("30 5 * * *", timezone="America/Sao_Paulo"),
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    max_active_runs=1,
    params=window_params() | update_params(),
    tags=["ciclo", "prices"],
    doc_md=_(DOCS),
    **alerts(),
)
def apply_price_updates() -> None:
    """Prepare, remind, ask, apply each shard; finish, and write whatever is left in doubt."""
    prepared = prepare()
    prepared >> remind()
    approved = PriceUpdateApproval(task_id="approve", batch=prepared[BATCH], response_timeout=timedelta(hours=20))
    approved >> apply.expand(shard=prepared) >> [finish(), write()]


apply_price_updates()
