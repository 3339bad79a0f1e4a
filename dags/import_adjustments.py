"""What differs for single periods: quantities, lines, discounts, pauses, from a file."""

import pendulum
from airflow.sdk import dag

from ciclo.locale import N_, _
from ciclo.tasks.adjustments import correct, load
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import import_params

DOCS = N_("""
### Import adjustments

Adds what differs for single periods from a CSV or Parquet file, at any address that Airflow's object storage knows
(`s3://…`, `gs://…`, `file:///…`). docs/adjustments.md describes its columns.

1. `load`: checks the whole file; with one wrong row nothing is added, and the log names each with its line and column.
   The same row adds nothing a second time.
2. `correct`: brings invoices that are there already, and still `to_emit`, to what they should be.
""")


@dag(
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    params=import_params(),
    tags=["ciclo", "billing"],
    doc_md=_(DOCS),
    **alerts(),
)
def import_adjustments() -> None:
    """Load the file, correct what is there."""
    load() >> correct()


import_adjustments()
