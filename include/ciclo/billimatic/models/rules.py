"""Invoice rules and the templates they are made from, as the API answers them.

The one rule: `payload` keeps the answer word for word, so that nothing the vendor said about a rule is lost.
Sources: seed 002, recordings/invoice_rules and recordings/invoice_templates.
"""

from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from ciclo.billimatic.models.invoices import PaymentInformation, Receivables, Services
from ciclo.billimatic.models.reading import (
    Answer,
    Day,
    Money,
    OptionalDay,
    OptionalMoney,
    OptionalNumber,
    OptionalText,
    OptionalTimestamp,
    PeriodUnitName,
    State,
    read_list,
)
from ciclo.domain.due_dates import charge_type_of
from ciclo.domain.errors import InvalidRule


class AdditionalInformation(Answer):
    """When a rule issues: `month_quantity` is the length of a period in months, null for weekly rules."""

    resource: ClassVar[str] = "additional_information"

    id: OptionalNumber = None
    title: OptionalText = None
    init_date: Day
    end_date: OptionalDay = None
    period_unit: PeriodUnitName = "monthly"
    month_quantity: OptionalNumber = None
    accrual_month_quantity: Annotated[str, BeforeValidator(lambda value: value or "same_month")] = "same_month"
    created_at: OptionalTimestamp = None


class ReceivablesAdditionalInformation(Answer):
    """How due dates follow from an issue date."""

    resource: ClassVar[str] = "receivables_additional_information"

    id: OptionalNumber = None
    charge_type: OptionalText = None
    day_number: OptionalNumber = None
    day_quantity: OptionalNumber = None
    month_quantity: OptionalNumber = None
    parcel_number: OptionalNumber = None
    only_business_days: Annotated[bool, BeforeValidator(bool)] = False
    create_parcels: bool | None = None

    def implied_charge_type(self) -> str | None:
        """The charge type that follows from which numbers are set; None if they belong to none."""
        try:
            return charge_type_of(self.day_number, self.day_quantity, self.month_quantity).value
        except InvalidRule:
            return None


class ScheduledUpdate(Answer):
    """A readjustment by price index that recurs every `month_quantity` months from `init_date` on.

    `execution_date` is the next one; `service_item_id` None means every service of the rule. A template's
    update may have no dates yet.
    """

    resource: ClassVar[str] = "scheduled_update"

    id: int
    invoice_rule_id: OptionalNumber = None
    price_index: str
    init_date: OptionalDay = None
    execution_date: OptionalDay = None
    month_quantity: OptionalNumber = None
    days_until_update: OptionalNumber = None
    remind_at: OptionalDay = None
    notified: Annotated[bool, BeforeValidator(bool)] = False
    service_item_id: OptionalNumber = None
    invoice_template_id: OptionalNumber = None
    created_at: OptionalTimestamp = None
    updated_at: OptionalTimestamp = None


ScheduledUpdates = Annotated[tuple[ScheduledUpdate, ...], BeforeValidator(read_list)]


class _KeepsItsPayload(Answer):
    payload: dict[str, Any] = Field(default_factory=dict, repr=False, exclude=True)
    """The answer as it came; decimals are strings in it, so that it is JSON again without loss."""

    @model_validator(mode="before")
    @classmethod
    def _keep_payload(cls, answer: Any) -> Any:
        if isinstance(answer, dict) and "payload" not in answer:
            return {**answer, "payload": answer}
        return answer


def _absent_means_true(value: Any) -> Any:
    # answers before 2018 have no such field: an index was then applied as it was, up or down
    return True if value is None else value


class InvoiceRule(_KeepsItsPayload):
    """What recurs: an invoice per period, until `additional_information.end_date`."""

    resource: ClassVar[str] = "invoice_rule"

    id: int
    contract_id: int
    gross_value: Money
    payment_value: OptionalMoney = None
    description: OptionalText = None
    nfe_body: OptionalText = None
    state: State = "to_emit"
    customer_id: OptionalNumber = None
    customer_type: OptionalText = None
    management_type: OptionalText = None
    automatic_email_template_id: OptionalNumber = None
    days_until_automatic_nfe_emission: OptionalNumber = None
    notification_ruler_id: OptionalNumber = None
    approval_status: OptionalText = None
    comments: OptionalText = None
    issue_nfse: bool | None = None
    nfse_template_id: OptionalNumber = None
    finance_category: OptionalText = None
    finance_revenue_center: OptionalText = None
    myfinance_sale_account_id: OptionalNumber = None
    myfinance_sale_account_name: OptionalText = None
    cobrato_charge_config_id: OptionalNumber = None
    cobrato_charge_config_name: OptionalText = None
    cobrato_charge_template_id: OptionalNumber = None
    cobrato_charge_template_name: OptionalText = None
    notify_customer: Annotated[bool, BeforeValidator(bool)] = False
    apply_negative_updates: Annotated[bool, BeforeValidator(_absent_means_true)] = True
    created_at: OptionalTimestamp = None
    charge_type: OptionalText = None
    receivables: Receivables = ()
    services: Services = ()
    payment_information: PaymentInformation | None = None
    additional_information: AdditionalInformation
    scheduled_updates: ScheduledUpdates = ()
    receivables_additional_information: ReceivablesAdditionalInformation

    @model_validator(mode="before")
    @classmethod
    def _read_the_single_update_of_2016(cls, answer: Any) -> Any:
        # before 2017 a rule had at most one update, under a singular name
        if isinstance(answer, dict) and answer.get("scheduled_update") and "scheduled_updates" not in answer:
            return {**answer, "scheduled_updates": [answer["scheduled_update"]]}
        return answer

    @model_validator(mode="after")
    def _settle_charge_type(self) -> Self:
        if self.charge_type is None:
            details = self.receivables_additional_information
            settled = details.charge_type or details.implied_charge_type()
            object.__setattr__(self, "charge_type", settled)  # the model is frozen for everybody else
        return self


class InvoiceTemplate(_KeepsItsPayload):
    """A model from which rules are created; a rule overrides what it gives itself."""

    resource: ClassVar[str] = "invoice_template"

    id: int
    name: OptionalText = None
    gross_value: OptionalMoney = None
    description: OptionalText = None
    nfe_body: OptionalText = None
    period_unit: PeriodUnitName = "monthly"
    month_quantity: OptionalNumber = None
    accrual_month_quantity: OptionalText = None
    management_type: OptionalText = None
    payment_method: OptionalText = None
    notify_customer: bool | None = None
    apply_negative_updates: bool | None = None
    created_at: OptionalTimestamp = None
    receivables_additional_information: ReceivablesAdditionalInformation | None = None
    services: Services = ()
    scheduled_updates: ScheduledUpdates = ()
