"""A new invoice rule from a template, by a form in the UI."""

import pendulum
from airflow.sdk import Param, dag, get_current_context, task

from ciclo.tasks.alerts import alerts
from ciclo.tasks.new_rule import rule_from_params
from ciclo.tasks.params import connection_param
from ciclo.tasks.retries import RETRYING
from ciclo.tasks.runs import open_job

DOCS = """
### Create an invoice rule

Creates a rule in a contract from one of the account's invoice templates. Every field comes from the template; what the
form gives overrides it. A rule of the contract with the same title and first issue date is taken as the same: clearing
the task never creates a second one.

`month_quantity` is the length of a period in months: 12 is one invoice a year.
"""

UPDATE = {
    "type": "object",
    "properties": {
        "invoice_template_scheduled_update_id": {"type": "integer"},
        "price_index": {"enum": ["igpm", "ipca", "igpdi", "inpc", "ipcfipe"]},
        "init_date": {"type": "string", "format": "date"},
        "month_quantity": {"type": "integer", "minimum": 1},
        "days_until_update": {"type": "integer", "minimum": 0},
        "service_item_id": {"type": "integer"},
    },
    "additionalProperties": False,
}
EXAMPLE = '[{"invoice_template_scheduled_update_id": 490, "init_date": "2019-12-20", "month_quantity": 12}]'


@dag(
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="America/Sao_Paulo"),
    catchup=False,
    params={
        "contract_id": Param(type="integer", minimum=1, title="Contract"),
        "invoice_template_id": Param(type="integer", minimum=1, title="Template"),
        "title": Param(type="string", minLength=1, title="Title"),
        "description": Param(None, type=["null", "string"], title="Description", description="Empty: the template's."),
        "init_date": Param(type="string", format="date", title="First issue date"),
        "month_quantity": Param(1, enum=[1, 2, 3, 6, 12], title="Months a period"),
        "scheduled_updates": Param(
            [], type="array", items=UPDATE, title="Price updates", description=f"Example: {EXAMPLE}"
        ),
        **connection_param(),
    },
    tags=["ciclo", "contracts"],
    doc_md=DOCS,
    **alerts(),
)
def create_invoice_rule() -> None:
    """Look for the rule, create it if it is not there."""

    @task(**RETRYING)
    def create() -> int:
        """Create the rule of the form and return its id."""
        context = get_current_context()
        with open_job(context) as job:
            return rule_from_params(job, context["params"])

    create()


create_invoice_rule()
