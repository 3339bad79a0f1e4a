"""A new invoice rule from a template, by a form in the UI; it is read and expanded at once."""

import pendulum
from airflow.sdk import dag

from ciclo.locale import N_, _
from ciclo.tasks.contracts import create, read_and_expand
from ciclo.tasks.notify import alerts
from ciclo.tasks.params import connection_param, rule_params

DOCS = N_("""
### Create an invoice rule

Creates a rule in a contract from one of the account's invoice templates. What the form leaves empty is not sent: it
comes from the template. A rule of the contract with the same title and first issue date is taken as the same: clearing
the task never creates a second one.

1. `create`: looks for the rule, creates it if it is not there.
2. `read_and_expand`: reads the contract's rules and plans the new rule's periods of the open month.

`month_quantity` is the length of a period in months: 12 is one invoice a year. An entry of `services` or
`scheduled_updates` that names the template's (`invoice_template_service_item_id`,
`invoice_template_scheduled_update_id`) overrides it, or with `_destroy` leaves it out; any other one is added.
""")


@dag(
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    params=rule_params() | connection_param(),
    tags=["ciclo", "contracts"],
    doc_md=_(DOCS),
    **alerts(),
)
def create_invoice_rule() -> None:
    """Look for the rule, create it if it is not there, read and expand it."""
    read_and_expand(create())


create_invoice_rule()
