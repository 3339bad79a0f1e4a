"""Invoice rules and the templates they are made from, as the API answers them."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from ciclo.billimatic.models.invoices import InvoiceFields, Receivables, Service, Services
from ciclo.billimatic.models.reading import (
    Answer,
    Day,
    Money,
    Number,
    OptionalDay,
    OptionalMoney,
    OptionalNumber,
    OptionalText,
    OptionalTimestamp,
    OptionalTruth,
    PeriodUnitName,
    Record,
    State,
    Truth,
    read_list,
    read_object,
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
    only_business_days: Truth = False
    create_parcels: OptionalTruth = None
    invoice_rule_id: OptionalNumber = None
    created_at: OptionalTimestamp = None
    updated_at: OptionalTimestamp = None

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

    id: Number
    invoice_rule_id: OptionalNumber = None
    price_index: str
    init_date: OptionalDay = None
    execution_date: OptionalDay = None
    month_quantity: OptionalNumber = None
    days_until_update: OptionalNumber = None
    remind_at: OptionalDay = None
    notified: Truth = False
    service_item_id: OptionalNumber = None
    invoice_template_id: OptionalNumber = None
    created_at: OptionalTimestamp = None
    updated_at: OptionalTimestamp = None


ScheduledUpdates = Annotated[tuple[ScheduledUpdate, ...], BeforeValidator(read_list)]


class InvoiceRule(InvoiceFields):
    """What recurs: an invoice per period, until `additional_information.end_date`.

    A rule whose `additional_information` is null never recurs (the reference, "Nulls to expect in a list of rules").
    """

    resource: ClassVar[str] = "invoice_rule"
    plural: ClassVar[str] = "invoice_rules"

    id: Number
    contract_id: Number
    gross_value: Money
    description: OptionalText = None
    state: State = "to_emit"
    notify_customer: Truth = False
    apply_negative_updates: Truth = True
    """Answers before 2018 have no such field: an index was then applied as it was. Null is the API's default, false."""
    charge_type: OptionalText = None
    receivables: Receivables = ()
    services: Services = ()
    additional_information: Annotated[AdditionalInformation | None, BeforeValidator(read_object)] = None
    scheduled_updates: ScheduledUpdates = ()
    receivables_additional_information: Annotated[
        ReceivablesAdditionalInformation, BeforeValidator(lambda value: {} if read_object(value) is None else value)
    ] = Field(default_factory=ReceivablesAdditionalInformation)

    @property
    def recurs(self) -> bool:
        """Whether the rule says when it issues."""
        return self.additional_information is not None

    @model_validator(mode="before")
    @classmethod
    def _read_the_single_update_of_2016(cls, answer: Any) -> Any:
        # before 2017 a rule had at most one update, under a singular name
        if isinstance(answer, dict) and answer.get("scheduled_update") and "scheduled_updates" not in answer:
            return {**answer, "scheduled_updates": [answer["scheduled_update"]]}
        return answer

    @model_validator(mode="after")
    def _settle_charge_type(self) -> Self:
        if self.charge_type is None and self.recurs:
            details = self.receivables_additional_information
            settled = details.charge_type or details.implied_charge_type()
            object.__setattr__(self, "charge_type", settled)  # the model is frozen for everybody else
        return self


class TemplateService(Service):
    """A service of a template, which may leave its amounts to the rule."""

    units: OptionalMoney = None  # type: ignore[assignment]  # the same field, only that it may be missing here
    unit_value: OptionalMoney = None  # type: ignore[assignment]
    value: OptionalMoney = None  # type: ignore[assignment]


class InvoiceTemplate(Record):
    """A model from which rules or invoices are created; what is created overrides what it gives itself.

    `receivables_additional_information` may be incomplete: the rule then has to say what is missing.
    """

    resource: ClassVar[str] = "invoice_template"
    plural: ClassVar[str] = "invoice_templates"

    id: Number
    name: OptionalText = None
    gross_value: OptionalMoney = None
    description: OptionalText = None
    nfe_body: OptionalText = None
    issue_nfse: OptionalTruth = None
    emites_service_values_id: OptionalNumber = None
    emites_service_value_name: OptionalText = None
    days_until_automatic_nfe_emission: OptionalNumber = None
    period_unit: PeriodUnitName = "monthly"
    month_quantity: OptionalNumber = None
    accrual_month_quantity: OptionalText = None
    management_type: OptionalText = None
    automatic_email_template_id: OptionalNumber = None
    notification_ruler_id: OptionalNumber = None
    payment_method: OptionalText = None
    card_installments: OptionalNumber = None
    financial_account_id: OptionalNumber = None
    financial_charge_template_id: OptionalNumber = None
    charging_account_id: OptionalText = None
    cobrato_charge_config_id: OptionalNumber = None
    cobrato_charge_config_name: OptionalText = None
    cobrato_charge_template_id: OptionalNumber = None
    cobrato_charge_template_name: OptionalText = None
    finance_category: OptionalText = None
    finance_revenue_center: OptionalText = None
    myfinance_sale_account_id: OptionalNumber = None
    myfinance_sale_account_name: OptionalText = None
    notify_customer: OptionalTruth = None
    apply_negative_updates: OptionalTruth = None
    created_at: OptionalTimestamp = None
    receivables_additional_information: Annotated[
        ReceivablesAdditionalInformation | None, BeforeValidator(read_object)
    ] = None
    services: Annotated[tuple[TemplateService, ...], BeforeValidator(read_list)] = ()
    scheduled_updates: ScheduledUpdates = ()
