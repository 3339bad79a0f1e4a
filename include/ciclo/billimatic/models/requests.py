"""What Ciclo sends: new invoices, changes of invoices, rules from a template.

The one rule: exact. Dates go out as `yyyy-mm-dd`, the accrual month as `mm/yyyy`, money as the decimal that was given
(see `ciclo.http.json_bodies`), and an unknown field is an error here rather than something the server drops.
Sources: seeds 000, 001, 002 and the field tables of seed 004.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_serializer

from ciclo.billimatic.models.reading import read_decimal

Exact = Annotated[Decimal, BeforeValidator(read_decimal)]
"""A decimal that never was a binary float."""


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def body(self) -> dict[str, Any]:
        """The JSON object to send, still with dates and decimals as such; what was not given is left out."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class _Removable(_Request):
    id: int | None = None
    destroy: bool = Field(default=False, serialization_alias="_destroy", validation_alias="_destroy")


class NewReceivable(_Removable):
    """A due date; `value` is its percentage of the invoice (100 if it is the only one). With `id` it is changed."""

    due_date: date | None = None
    value: Exact | None = None


class NewService(_Removable):
    """A service of an invoice: units times unit value in BRL. With `id` an existing one is changed."""

    service_item_id: int | None = None
    description: str | None = None
    units: Exact | None = None
    unit_value: Exact | None = None
    value: Exact | None = None


class NewAttachment(_Request):
    """A file, `content` in Base64."""

    filename: str
    content: str
    content_type: str


class NewPaymentInformation(_Request):
    """How the customer pays; `installments` only with `payment_gateway`."""

    payment_method: Literal["billet", "payment_gateway", "transfer"] | None = None
    installments: int | None = None
    financial_charge_template_id: int | None = None
    financial_account_id: int | None = None


class InvoiceChange(_Request):
    """Changes of an invoice: what is given is sent, None as null, and everything else stays as it is.

    A receivable or service without `id` is added, with `id` changed, with `id` and `destroy` removed.
    """

    gross_value: Exact | None = None
    number: int | str | None = None
    issue_date: date | None = None
    estimated_issue_date: date | None = None
    accrual_date: date | None = None
    description: str | None = None
    nfse_service: str | None = None
    nfse_verification: str | None = None
    payment_value: Exact | None = None
    nfse_template_id: int | None = None
    finance_category: str | None = None
    finance_revenue_center: str | None = None
    myfinance_sale_account_id: int | None = None
    myfinance_sale_account_name: str | None = None
    nfe_body: str | None = None
    cobrato_charge_config_id: int | None = None
    cobrato_charge_config_name: str | None = None
    cobrato_charge_template_id: int | None = None
    cobrato_charge_template_name: str | None = None
    management_type: Literal["manual", "automatic"] | None = None
    automatic_email_template_id: int | None = None
    notification_ruler_id: int | None = None
    days_until_automatic_nfe_emission: int | None = None
    issue_nfse: bool | None = None
    comments: str | None = None
    receivables: tuple[NewReceivable, ...] = ()
    services: tuple[NewService, ...] = ()
    attachments: tuple[NewAttachment, ...] = ()
    payment_information: NewPaymentInformation | None = None

    @field_serializer("accrual_date")
    def _write_month(self, month: date | None) -> str | None:
        return None if month is None else f"{month:%m}/{month.year:04}"


class NewInvoice(InvoiceChange):
    """An invoice to create; what is left out or None gets the API's default.

    `accrual_date` is any day of the accrual month. With services the API computes `gross_value` from them.
    `comments` carries Ciclo's reference (DESIGN 4.1). `approval_status` is taken at creation only.
    """

    issue_date: date
    description: str
    nfe_body: str
    receivables: tuple[NewReceivable, ...] = Field(min_length=1)
    approval_status: Literal["approved", "blocked"] | None = None

    def body(self) -> dict[str, Any]:
        """The JSON object to send; a None would overwrite the API's default, so it is left out."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)


class RuleTiming(_Request):
    """When the rule issues: `month_quantity` is the length of a period in months (1, 2, 3, 6, 12)."""

    title: str
    init_date: date
    end_date: date | None = None
    period_unit: Literal["monthly", "weekly"] | None = None
    month_quantity: int | None = None
    accrual_month_quantity: Literal["same_month", "previous_month", "next_month"] | None = None


class RuleService(_Removable):
    """A service of the rule: overrides the template's entry it names, or is added."""

    invoice_template_service_item_id: int | None = None
    service_item_id: int | None = None
    description: str | None = None
    units: Exact | None = None
    unit_value: Exact | None = None


class RuleUpdate(_Removable):
    """A scheduled update of the rule: joins the template's entry it names if it has an `init_date`, or is added."""

    invoice_template_scheduled_update_id: int | None = None
    price_index: Literal["igpm", "ipca", "igpdi", "inpc", "ipcfipe"] | None = None
    init_date: date | None = None
    month_quantity: int | None = None
    days_until_update: int | None = None
    service_item_id: int | None = None


class RuleFromTemplate(_Request):
    """A rule made from a template (seed 002): every field comes from the template, what is given here overrides it."""

    invoice_template_id: int
    additional_information: RuleTiming
    description: str | None = None
    nfe_body: str | None = None
    gross_value: Exact | None = None
    services: tuple[RuleService, ...] = ()
    scheduled_updates: tuple[RuleUpdate, ...] = ()
    overrides: Mapping[str, Any] = Field(default_factory=dict, exclude=True)
    """Any further field of a rule (`charge_type`, `notify_customer`, …), sent as it stands."""

    def body(self) -> dict[str, Any]:
        """The JSON object to send."""
        return {**super().body(), **self.overrides}
