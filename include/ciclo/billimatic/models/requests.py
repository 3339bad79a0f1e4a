"""What is sent to the vendor, exactly: what cannot be right is refused before it is sent, with the field's path.

Dates go out as `yyyy-mm-dd`, the accrual month as `mm/yyyy`, money as the decimal that was given, and an unknown field
is an error here rather than something the server drops. Only what was given is sent. The rules are those of the API's
reference that the server is known to enforce, or says nothing about while going wrong.

What cannot be right is a `pydantic.ValidationError`; its message names the path and holds no value.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_serializer, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from ciclo.billimatic.models.reading import read_decimal

Exact = Annotated[Decimal, BeforeValidator(read_decimal)]
"""A decimal that never was a binary float."""
Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
"""Text that is not blank."""
Day = date
FilterValue = str | int | Decimal | Day | Sequence[str | int | Decimal | Day]

_ALL_SHARES = Decimal(100)
_ROUNDED_SHARE = Decimal("0.00005")
_CENT = Decimal("0.01")
_ONE_VALUE, _SEVERAL_VALUES = ("_not_eq", "_gteq", "_lteq", "_eq"), ("_not_in", "_in")


class Request(BaseModel):
    """Base of what is sent: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)

    def body(self) -> dict[str, Any]:
        """The JSON object to send, still with dates and decimals as such; what was not given is left out."""
        return self.model_dump(by_alias=True, exclude_unset=True)


Checked = TypeVar("Checked", bound=Request)


class Entry(Request):
    """One of a list: without `id` it is added, with `id` changed, with `id` and `destroy` removed."""

    id: int | None = None
    destroy: bool = Field(default=False, serialization_alias="_destroy", validation_alias="_destroy")

    def missing_if_added(self, *names: str) -> Iterable[tuple[str, str]]:
        """Name what an entry lacks that is not there yet."""
        if self.id is None and not self.destroy:
            yield from (
                (name, "is missing: without an id it is added") for name in names if getattr(self, name) is None
            )


class NewReceivable(Entry):
    """A due date with its share: `gross_value` in BRL, or (deprecated 2025-05) `value`, a percentage; never both."""

    due_date: date | None = None
    value: Exact | None = None
    gross_value: Exact | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [*self.missing_if_added("due_date")]
        if self.value is not None and self.gross_value is not None:
            problems.append(("gross_value", "stands beside value, which would win: send one of them"))
        return checked(self, problems)


class NewService(Entry):
    """A service of an invoice: units times unit value in BRL; `value` is ignored by the API."""

    service_item_id: int | None = None
    description: str | None = None
    units: Exact | None = None
    unit_value: Exact | None = None
    value: Exact | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        return checked(self, self.missing_if_added("service_item_id", "units", "unit_value"))


class NewAttachment(Entry):
    """A file, `content` in Base64."""

    filename: str | None = None
    content: str | None = None
    content_type: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        return checked(self, self.missing_if_added("filename", "content", "content_type"))


class NewPaymentInformation(Request):
    """How the customer pays; without `id`, an update replaces the record by a new one."""

    id: int | None = None
    payment_method: Literal["billet", "payment_gateway", "transfer"] | None = None
    installments: int | None = Field(default=None, ge=1)
    financial_charge_template_id: int | None = None
    financial_account_id: int | None = None
    charging_account_id: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        by_card = self.payment_method == "payment_gateway" or (self.id is not None and self.payment_method is None)
        if self.installments is not None and not by_card:
            return checked(self, [("installments", "are for payment_gateway (card) only")])
        return self


class Billing(Request):
    """What an invoice and a rule have in common."""

    gross_value: Exact | None = None
    payment_value: Exact | None = None
    description: Text | None = None
    nfe_body: Text | None = None
    issue_nfse: bool | None = None
    nfse_template_id: int | None = None
    finance_category: str | None = None
    finance_category_id: int | None = None
    finance_revenue_center: str | None = None
    finance_revenue_center_id: int | None = None
    myfinance_sale_account_id: int | None = None
    myfinance_sale_account_name: str | None = None
    cobrato_charge_config_id: int | None = None
    cobrato_charge_config_name: str | None = None
    cobrato_charge_template_id: int | None = None
    cobrato_charge_template_name: str | None = None
    management_type: Literal["manual", "automatic"] | None = None
    automatic_email_template_id: int | None = None
    notification_ruler_id: int | None = None
    days_until_automatic_nfe_emission: int | None = Field(default=None, ge=0)
    comments: str | None = None
    payment_information: NewPaymentInformation | None = None

    def billing_problems(self, *, new: bool) -> Iterable[tuple[str, str]]:
        """Say what contradicts itself; `new` also says what the API cannot know from before."""
        for name in ("finance_category", "finance_revenue_center"):
            if getattr(self, name) and getattr(self, f"{name}_id") is not None:
                yield f"{name}_id", f"stands beside {name}, and which of them wins is not known: send one of them"
        automatic = self.management_type == "automatic"
        if (
            automatic
            and self.automatic_email_template_id is None
            and (new or "automatic_email_template_id" in self.model_fields_set)
        ):
            yield "automatic_email_template_id", "is needed for management_type automatic"
        if self.days_until_automatic_nfe_emission and (self.management_type == "manual" or (new and not automatic)):
            yield "days_until_automatic_nfe_emission", "is for management_type automatic only"


class InvoiceChange(Billing):
    """Changes of an invoice: what is given is sent, None as null, and everything else stays as it is.

    A receivable, service or attachment without `id` is added, with `id` changed, with `id` and `destroy` removed.
    """

    number: int | str | None = None
    issue_date: date | None = None
    estimated_issue_date: date | None = None
    accrual_date: date | None = None
    nfse_service: str | None = None
    nfse_verification: str | None = None
    nfe_issued: bool | None = None
    nfe_issue_date: date | None = None
    receivables: tuple[NewReceivable, ...] = ()
    services: tuple[NewService, ...] = ()
    attachments: tuple[NewAttachment, ...] = ()

    @field_serializer("accrual_date")
    def _write_month(self, month: date | None) -> str | None:
        return None if month is None else f"{month:%m}/{month.year:04}"

    @model_validator(mode="after")
    def _check_change(self) -> Self:
        if isinstance(self, NewInvoice):
            return self
        problems = [*self.billing_problems(new=False), *_mixed_shares(self.receivables)]
        for number, share in enumerate(self.receivables):
            if share.id is None and not share.destroy and share.value is None and share.gross_value is None:
                problems.append((f"receivables.{number}.gross_value", "is missing: without an id it is added"))
        return checked(self, problems)


class NewInvoice(InvoiceChange):
    """An invoice to create; what is left out or None gets the API's default.

    `accrual_date` is any day of the accrual month. With services the API computes `gross_value` from them.
    `comments` carries Ciclo's reference. `approval_status` is taken at creation only. `charge_now` starts
    charging right after creation; it needs `management_type` automatic and payment by billet.
    """

    issue_date: date
    description: Text
    nfe_body: Text
    receivables: tuple[NewReceivable, ...] = Field(min_length=1)
    approval_status: Literal["approved", "blocked"] | None = None
    invoice_template_id: int | None = None
    charge_now: bool | None = None

    @model_validator(mode="after")
    def _check_new(self) -> Self:
        problems = [*self.billing_problems(new=self.invoice_template_id is None), *_mixed_shares(self.receivables)]
        for name in ("receivables", "services", "attachments"):
            for number, entry in enumerate(getattr(self, name)):
                problems += [
                    (f"{name}.{number}.{field}", "is for changing what is there; this is new")
                    for field in ("id", "destroy")
                    if getattr(entry, field)
                ]
        problems += self._wrong_totals()
        if self.charge_now:
            method = self.payment_information and self.payment_information.payment_method
            if self.management_type != "automatic" or method not in {None, "billet"}:
                problems.append(("charge_now", "needs management_type automatic and payment_method billet"))
        return checked(self, problems)

    def _wrong_totals(self) -> Iterable[tuple[str, str]]:
        shares = [each.value for each in self.receivables if each.value is not None]
        amounts = [each.gross_value for each in self.receivables if each.gross_value is not None]
        count = len(self.receivables)
        if amounts and len(amounts) == count:
            if (total := self._gross_value()) is not None and sum(amounts) != total:
                yield "receivables", f"do not total the gross value, {total:f}"
        elif not amounts and count > 1 and len(shares) < count:
            yield "receivables", "need a share each, or a gross_value each"
        elif shares and abs(sum(shares) - _ALL_SHARES) > _ROUNDED_SHARE * count:
            yield "receivables", "do not total 100 %"

    def _gross_value(self) -> Decimal | None:
        """What the API will take as gross value, where that can be known: a template may add services of its own."""
        if self.invoice_template_id is not None:
            return None
        if not self.services:
            return self.gross_value
        values = [
            each.units * each.unit_value
            for each in self.services
            if each.units is not None and each.unit_value is not None
        ]
        return sum((value.quantize(_CENT, ROUND_HALF_UP) for value in values), Decimal(0))

    def body(self) -> dict[str, Any]:
        """The JSON object to send; a None would overwrite the API's default, so it is left out."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)


class Payment(Request):
    """A payment of a receivable: what was received, in BRL, and when."""

    received_value: Exact
    received_at: date


def nfse_params(filters: Mapping[str, FilterValue]) -> dict[str, str | list[str]]:
    """Write the filters of the search of tax documents as the API's parameters (`q[status_eq]`, `q[id_in][]`).

    Raises:
        ValueError: A filter has no operator, or not as many values as its operator takes.
    """
    params: dict[str, str | list[str]] = {}
    for name, value in filters.items():
        several = isinstance(value, Sequence) and not isinstance(value, str)
        if name.endswith(_SEVERAL_VALUES) and isinstance(value, Sequence) and not isinstance(value, str):
            params[f"q[{name}][]"] = [_filter_text(each) for each in value]
        elif name.endswith(_ONE_VALUE) and not several:
            params[f"q[{name}]"] = _filter_text(value)
        else:
            takes = "several values" if name.endswith(_SEVERAL_VALUES) else "an operator and one value"
            msg = f"{name} takes {takes}; the operators are {', '.join((*_ONE_VALUE, *_SEVERAL_VALUES))}"
            raise ValueError(msg)
    return params


def _filter_text(value: Any) -> str:
    return f"{value:%d/%m/%Y}" if isinstance(value, date) else str(value)


def _mixed_shares(receivables: Sequence[NewReceivable]) -> Iterable[tuple[str, str]]:
    """Say so if some of an invoice's receivables are given in money and others as a percentage."""
    kept = [each for each in receivables if not each.destroy]
    if any(each.gross_value is not None for each in kept):
        for number, each in enumerate(receivables):
            if not each.destroy and each.gross_value is None and (each.id is None or each.value is not None):
                yield f"receivables.{number}.gross_value", "is missing: all receivables of an invoice have it, or none"


def checked(request: Checked, problems: Iterable[tuple[str, str]]) -> Checked:
    """Return the request.

    Raises:
        ValidationError: There are problems; each names the path of its field.
    """
    found = [
        InitErrorDetails(
            type=PydanticCustomError("cannot_be_right", "{path} {problem}", {"path": path, "problem": problem}),
            loc=tuple(int(part) if part.isdecimal() else part for part in path.split(".")),
            input=None,
        )
        for path, problem in problems
    ]
    if found:
        raise ValidationError.from_exception_data(type(request).__name__, found, hide_input=True)
    return request
