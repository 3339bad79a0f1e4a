"""Invoice rules and the templates they are made from: as the API answers them, and what is sent to make one."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ciclo.billimatic.models.invoices import InvoiceFields, Receivables, Service, Services
from ciclo.billimatic.models.reading import (
    Answer,
    Day,
    Money,
    Number,
    OptionalDay,
    OptionalLastDay,
    OptionalMoney,
    OptionalNumber,
    OptionalText,
    OptionalTimestamp,
    OptionalTruth,
    PeriodUnitName,
    Record,
    State,
    Truth,
    nothing_to_none,
    read_list,
    read_object,
)
from ciclo.billimatic.models.requests import Billing, Entry, Exact, Request, Text, checked
from ciclo.domain.due_dates import charge_type_of
from ciclo.domain.errors import InvalidRule


class AdditionalInformation(Answer):
    """When a rule issues: `month_quantity` is the length of a period in months, null for weekly rules."""

    resource: ClassVar[str] = "additional_information"

    id: OptionalNumber = None
    title: OptionalText = None
    init_date: Day
    end_date: OptionalLastDay = None
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

    @property
    def months(self) -> int:
        """Months from one execution to the next; 0 where none are said, or nothing that could be meant."""
        return max(self.month_quantity or 0, 0)


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
    state: Annotated[State, BeforeValidator(lambda value: "to_emit" if value is None else value)] = "to_emit"
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

    @property
    def says_that_it_never_recurs(self) -> bool:
        """Whether the answer itself says so: it has the field, with nothing in it; an empty object says nothing."""
        return nothing_to_none(self.payload.get("additional_information", {})) is None

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


_FIRST_UPDATE = date(2000, 1, 1)
_MONTHS_AT_MOST, _WEEKS_AT_MOST = 60, 12  # months of a monthly and of a weekly rule, from init_date to end_date

_NUMBERS_OF = {
    "fixed_day": ("day_number",),
    "day_quantity": ("day_quantity",),
    "fixed_day_and_month_quantity": ("day_number", "month_quantity"),
}


class RuleTiming(Request):
    """When the rule issues: `month_quantity` is the length of a period in months (1, 2, 3, 6, 12).

    `end_date` is the last day on which an invoice may be issued. A monthly rule may span 5 years, a weekly one 1 year.
    In an update, `id` changes what is there; without it a new one takes its place.
    """

    id: int | None = None
    title: Text | None = None
    init_date: date | None = None
    end_date: date | None = None
    period_unit: Literal["monthly", "weekly"] | None = None
    month_quantity: Literal[1, 2, 3, 6, 12] | None = None
    accrual_month_quantity: Literal["same_month", "previous_month", "next_month"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.init_date is None or self.end_date is None:
            return self
        weekly = self.period_unit == "weekly"
        months = (self.end_date.year - self.init_date.year) * 12 + self.end_date.month - self.init_date.month
        months += self.end_date.day > self.init_date.day
        if months > (_WEEKS_AT_MOST if weekly else _MONTHS_AT_MOST):
            return checked(self, [("end_date", f"lies more than {'a year' if weekly else '5 years'} after init_date")])
        return self

    def missing(self, *, whole: bool) -> Iterable[tuple[str, str]]:
        """Name what a new rule lacks; `whole` if no template gives the rest."""
        needed = ["title", "init_date"]
        if whole and self.period_unit != "weekly":
            needed.append("month_quantity")
        yield from ((name, "is missing") for name in needed if getattr(self, name) is None)


class RuleDueDates(Request):
    """How due dates follow from an issue date; which numbers count depends on the rule's `charge_type`.

    In an update, `id` changes what is there; without it a new one takes its place.
    """

    id: int | None = None
    day_number: int | None = Field(default=None, ge=1, le=31)
    day_quantity: int | None = Field(default=None, ge=0)
    month_quantity: int | None = Field(default=None, ge=1)
    parcel_number: int | None = Field(default=None, ge=1)
    only_business_days: bool | None = None


class RuleService(Entry):
    """A service of the rule: overrides the template's entry it names, or is added."""

    invoice_template_service_item_id: int | None = None
    service_item_id: int | None = None
    description: str | None = None
    units: Exact | None = None
    unit_value: Exact | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        named = self.invoice_template_service_item_id is not None
        return checked(self, () if named else self.missing_if_added("service_item_id", "units", "unit_value"))


class RuleUpdate(Entry):
    """A scheduled update of the rule: joins the template's entry it names if it has an `init_date`, or is added."""

    invoice_template_scheduled_update_id: int | None = None
    price_index: Literal["igpm", "ipca", "igpdi", "inpc", "ipcfipe"] | None = None
    init_date: date | None = None
    month_quantity: int | None = Field(default=None, ge=1)
    days_until_update: int | None = Field(default=None, ge=0)
    service_item_id: int | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems: list[tuple[str, str]] = []
        if self.invoice_template_scheduled_update_id is None:
            problems += self.missing_if_added("price_index", "init_date", "month_quantity", "days_until_update")
        if self.init_date is not None and self.init_date < _FIRST_UPDATE:
            problems.append(("init_date", f"lies before {_FIRST_UPDATE:%d/%m/%Y}"))
        return checked(self, problems)


class InvoiceRuleChange(Billing):
    """Changes of a rule: what is given is sent, None as null, and everything else stays as it is."""

    charge_type: Literal["fixed_day", "last_day_of_month", "day_quantity", "fixed_day_and_month_quantity"] | None = None
    notify_customer: bool | None = None
    apply_negative_updates: bool | None = None
    additional_information: RuleTiming | None = None
    receivables_additional_information: RuleDueDates | None = None
    services: tuple[RuleService, ...] = ()
    scheduled_updates: tuple[RuleUpdate, ...] = ()

    @model_validator(mode="after")
    def _check_rule(self) -> Self:
        if type(self) is not InvoiceRuleChange:
            return self
        return checked(self, self.billing_problems(new=False))

    def due_date_problems(self) -> Iterable[tuple[str, str]]:
        """Name the numbers that a charge type needs and that nobody gives."""
        due = self.receivables_additional_information or RuleDueDates()
        for name in _NUMBERS_OF.get(self.charge_type or "", ()):
            if getattr(due, name) is None:
                yield f"receivables_additional_information.{name}", f"is needed for charge_type {self.charge_type}"


class NewInvoiceRule(InvoiceRuleChange):
    """A rule to create whole, without a template. With services the API computes `gross_value` from them."""

    description: Text
    nfe_body: Text
    charge_type: Literal["fixed_day", "last_day_of_month", "day_quantity", "fixed_day_and_month_quantity"]
    additional_information: RuleTiming

    @model_validator(mode="after")
    def _check_new(self) -> Self:
        problems = [*self.billing_problems(new=True), *self.due_date_problems()]
        timing = self.additional_information.missing(whole=True)
        problems += [(f"additional_information.{name}", problem) for name, problem in timing]
        if self.gross_value is None and not self.services:
            problems.append(("gross_value", "is missing, and there are no services"))
        services = {each.service_item_id for each in self.services}
        for number, update in enumerate(self.scheduled_updates):
            if update.service_item_id is not None and update.service_item_id not in services:
                problems.append((f"scheduled_updates.{number}.service_item_id", "is none of the rule's services"))
        if sum(update.service_item_id is None for update in self.scheduled_updates) > 1:
            problems.append(("scheduled_updates", "has two updates of the whole rule"))
        return checked(self, problems)

    def body(self) -> dict[str, Any]:
        """The JSON object to send; a None would overwrite the API's default, so it is left out."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)


class RuleFromTemplate(InvoiceRuleChange):
    """A rule made from a template: every field comes from the template, what is given here overrides it."""

    invoice_template_id: int
    additional_information: RuleTiming
    overrides: Mapping[str, Any] = Field(default_factory=dict, exclude=True)
    """Any further field of a rule, sent as it stands."""

    @model_validator(mode="after")
    def _check_new(self) -> Self:
        timing = self.additional_information.missing(whole=False)
        problems = [(f"additional_information.{name}", problem) for name, problem in timing]
        return checked(self, [*problems, *self.billing_problems(new=False)])

    def body(self) -> dict[str, Any]:
        """The JSON object to send."""
        return {**super().body(), **self.overrides}
