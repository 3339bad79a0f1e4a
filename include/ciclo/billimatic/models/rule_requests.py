"""What is sent to the vendor for a rule by which invoices recur: made, changed, or made from a template."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ciclo.billimatic.models.requests import Billing, Entry, Exact, Request, Text, checked

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
    """

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
    """How due dates follow from an issue date; which numbers count depends on the rule's `charge_type`."""

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
