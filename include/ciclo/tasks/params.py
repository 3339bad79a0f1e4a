"""Params of the Dags, typed, with a form in the UI. The same name means the same in every Dag."""

from typing import Any

from airflow.sdk import Param

from ciclo.jobs.backfill import BackfillPolicy
from ciclo.locale import _
from ciclo.provider.hook import BillimaticHook
from ciclo.tasks.settings import settings

MONEY = r"^\d{1,12}(\.\d{1,2})?$"

_ID = {"type": "integer", "minimum": 1}
_DESTROYED = {"id": _ID, "_destroy": {"type": "boolean"}}
_SERVICE = {
    **_DESTROYED,
    "invoice_template_service_item_id": _ID,
    "service_item_id": _ID,
    "description": {"type": "string"},
    "units": {"type": ["string", "integer"]},
    "unit_value": {"type": ["string", "integer"]},
}
_UPDATE = {
    **_DESTROYED,
    "invoice_template_scheduled_update_id": _ID,
    "price_index": {"enum": ["igpm", "ipca", "igpdi", "inpc", "ipcfipe"]},
    "init_date": {"type": "string", "format": "date"},
    "month_quantity": {"type": "integer", "minimum": 1},
    "days_until_update": {"type": "integer", "minimum": 0},
    "service_item_id": _ID,
}
_PAYMENT = {
    "payment_method": {"enum": ["billet", "payment_gateway", "transfer"]},
    "installments": {"type": "integer", "minimum": 1},
    "financial_charge_template_id": _ID,
    "financial_account_id": _ID,
    "charging_account_id": {"type": "string"},
}


def window_params() -> dict[str, Param]:
    """Return the params that every billing Dag takes."""
    return {
        **range_params(),
        "contract_ids": Param(
            [],
            type="array",
            items={"type": "integer", "minimum": 1},
            title=_("Contracts"),
            description=_("Ids of the contracts to bill. Empty: all of them."),
        ),
        "dry_run": Param(
            default=False, type="boolean", title=_("Dry run"), description=_("Say what would be done, send nothing.")
        ),
        **connection_param(),
    }


def range_params() -> dict[str, Param]:
    """Return the params that name the issue dates of a run."""
    return {
        "from_date": Param(
            None,
            type=["null", "string"],
            format="date",
            title=_("From"),
            description=_("First issue date, included. Empty: the run's own day or month."),
        ),
        "to_date": Param(
            None, type=["null", "string"], format="date", title=_("To"), description=_("Last issue date, included.")
        ),
    }


def connection_param() -> dict[str, Param]:
    """Return the param that names the Airflow connection."""
    return {
        "billimatic_conn_id": Param(
            BillimaticHook.default_conn_name,
            type="string",
            minLength=1,
            title=_("Connection"),
            description=_("Airflow connection of type Billimatic."),
        )
    }


def backfill_params() -> dict[str, Param]:
    """Return the params that `bill_range` takes besides those of every billing Dag."""
    return {
        "policy": Param(
            BackfillPolicy.EACH.value,
            enum=[policy.value for policy in BackfillPolicy],
            title=_("Policy"),
            description=_(
                "each: every missed period. current_only: the newest of each rule, older ones are given up. "
                "dry_run: a plan with amounts."
            ),
        ),
        "max_invoices": Param(
            settings().max_invoices,
            type=["null", "integer"],
            minimum=0,
            title=_("Invoices"),
            description=_("A plan of more invoices waits for a person's approval. Empty: any number."),
        ),
        "max_total": Param(
            settings().max_total,
            type=["null", "string", "integer"],
            pattern=MONEY,
            minimum=0,
            title=_("Total in BRL"),
            description=_("A plan of more money waits for a person's approval, as 250000.00. Empty: any amount."),
        ),
    }


def update_params() -> dict[str, Param]:
    """Return the params of `apply_price_updates` that no other Dag has."""
    return {
        "require_approval": Param(
            settings().approve_price_updates,
            type="boolean",
            title=_("Approval"),
            description=_("Let a person approve the proposals before they are applied."),
        )
    }


def import_params() -> dict[str, Param]:
    """Return the params of `import_adjustments`."""
    return {
        "path": Param(
            type="string",
            minLength=1,
            title=_("File"),
            description=_(
                "Address of a CSV or Parquet file, as s3://bucket/metering.csv or file:///data/metering.csv."
            ),
        ),
        "storage_conn_id": Param(
            None,
            type=["null", "string"],
            title=_("Connection of the storage"),
            description=_("Airflow connection with which the file is read. Empty: none."),
        ),
        "dry_run": window_params()["dry_run"],
        **connection_param(),
    }


def rule_params() -> dict[str, Param]:
    """Return the form of a new rule: what is left empty comes from the template, and is not sent."""
    return {
        "contract_id": Param(type="integer", minimum=1, title=_("Contract")),
        "invoice_template_id": Param(type="integer", minimum=1, title=_("Template")),
        "title": Param(type="string", minLength=1, title=_("Title")),
        "init_date": Param(type="string", format="date", title=_("First issue date")),
        "end_date": _empty("string", _("Last issue date"), format="date"),
        "period_unit": _choice(_("Unit of a period"), "monthly", "weekly"),
        "month_quantity": _choice(_("Months a period"), 1, 2, 3, 6, 12),
        "accrual_month_quantity": _choice(_("Competence"), "same_month", "previous_month", "next_month"),
        "gross_value": _empty("string", _("Gross value in BRL"), pattern=MONEY),
        "description": _empty("string", _("Description")),
        "nfe_body": _empty("string", _("Text of the NFS-e")),
        "charge_type": _choice(
            _("Due dates"), "fixed_day", "last_day_of_month", "day_quantity", "fixed_day_and_month_quantity"
        ),
        "day_number": _empty("integer", _("Due on day"), minimum=1, maximum=31),
        "day_quantity": _empty("integer", _("Due days after issue"), minimum=0),
        "due_month_quantity": _empty("integer", _("Due months after issue"), minimum=1),
        "parcel_number": _empty("integer", _("Receivables"), minimum=1),
        "only_business_days": _empty("boolean", _("Business days only")),
        "notify_customer": _empty("boolean", _("Notify the customer")),
        "apply_negative_updates": _empty("boolean", _("Let a negative index lower the price")),
        "services": _entries(
            _("Services"), _SERVICE, '[{"invoice_template_service_item_id": 12, "unit_value": "95.00"}]'
        ),
        "scheduled_updates": _entries(
            _("Price updates"),
            _UPDATE,
            '[{"invoice_template_scheduled_update_id": 490, "init_date": "2019-12-20", "month_quantity": 12}]',
        ),
        "payment_information": Param(
            None,
            type=["null", "object"],
            properties=_PAYMENT,
            additionalProperties=False,
            title=_("Payment"),
            description=_("Example:") + ' {"payment_method": "payment_gateway", "installments": 3}',
        ),
    }


def _empty(kind: str, title: str, **schema: Any) -> Param:
    return Param(None, type=["null", kind], title=title, **schema)


def _choice(title: str, *values: str | int) -> Param:
    return Param(None, enum=[None, *values], title=title)


def _entries(title: str, properties: dict[str, Any], example: str) -> Param:
    item = {"type": "object", "properties": properties, "additionalProperties": False}
    return Param([], type="array", items=item, title=title, description=_("Example:") + f" {example}")
