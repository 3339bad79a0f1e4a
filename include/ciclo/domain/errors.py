"""What can be wrong with the input of a billing rule, one class per failure.

An error builds its own message, from the values that are wrong, so that every log, console page and
parked period shows the same sentence, each in its reader's language. Where contract and rule are known to the caller
only, `InvalidRule.at` adds them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Self

from ciclo.locale import N_, Text


class DomainError(Exception):
    """Base of every failure of a billing rule. Retrying never helps: the input has to change.

    Args:
        text: what is wrong, as the catalogues have it, with the names of values.
        values: what is filled in.
    """

    def __init__(self, text: str, **values: object) -> None:
        self.text = Text(text, **values)
        super().__init__(text, values)

    def __str__(self) -> str:
        return str(self.text)

    @property
    def fact(self) -> Mapping[str, object]:
        """The error as a fact of a reason, put into words where it is shown."""
        return self.text.fact


class InvalidRule(DomainError):
    """A contract's invoice rule holds a value that cannot be billed by."""

    def __init__(self, field: str, reason: str | Text, *, contract: int | None = None, rule: int | None = None) -> None:
        self.contract = contract
        self.rule = rule
        self.field = field
        self.reason = reason
        names = {"contract": contract, "rule": rule}
        known = {name: number for name, number in names.items() if number is not None}
        text = {
            (): N_("{field}: {reason}"),
            ("contract",): N_("contract {contract}, {field}: {reason}"),
            ("rule",): N_("rule {rule}, {field}: {reason}"),
            ("contract", "rule"): N_("contract {contract}, rule {rule}, {field}: {reason}"),
        }[tuple(known)]
        super().__init__(text, field=field, reason=reason, **known)

    def at(self, *, contract: int | None = None, rule: int | None = None) -> Self:
        """Return the same failure with the contract and rule it was found in."""
        return type(self)(self.field, self.reason, contract=contract, rule=rule)


class InvalidAmount(DomainError):
    """Something given as money, quantity or percentage is not a finite decimal number."""

    def __init__(self, field: str, value: object, reason: str | Text) -> None:
        self.field = field
        self.value = value
        self.reason = reason
        super().__init__(N_("{field}: {value} {reason}"), field=field, value=repr(value), reason=reason)


class InvalidPercentages(DomainError):
    """The percentages of an invoice's receivables do not split it: one is negative, or they do not total 100."""

    def __init__(self, percentages: Sequence[Decimal]) -> None:
        self.percentages = tuple(percentages)
        negative = [part for part in percentages if part < 0]
        if negative:
            super().__init__(N_("percentages: {part} is negative"), part=negative[0])
        else:
            super().__init__(N_("percentages: they total {total}, not 100"), total=sum(percentages))


class WindowUpsideDown(DomainError):
    """A window of dates ends before it starts."""

    def __init__(self, start: date, end: date) -> None:
        self.start = start
        self.end = end
        super().__init__(
            N_("the window is upside down: it starts on {start} and ends on {end}"),
            start=start.isoformat(),
            end=end.isoformat(),
        )


class DateOutOfRange(DomainError):
    """A date lies outside the years 1 to 9999."""

    def __init__(self, what: Text) -> None:
        super().__init__(N_("{what} lies outside the years 1 to 9999"), what=what)


class InvalidHolidays(DomainError):
    """A line of a company's own holidays is no date."""

    def __init__(self, line: int, text: str) -> None:
        self.line = line
        super().__init__(
            N_("line {line} of the holidays: {written} is no date such as 2025-12-24 or 24/12/2025"),
            line=line,
            written=repr(text),
        )


class IllegalTransition(DomainError):
    """A period, invoice or receivable cannot go from one state to the other."""

    def __init__(self, what: str, source: str, target: str, allowed: Iterable[str] = ()) -> None:
        self.source = source
        self.target = target
        super().__init__(
            N_("a {what} cannot go from {source} to {target}; from {source} it may go to {allowed}"),
            what=Text(what),
            source=_state(source),
            target=_state(target),
            allowed=[_state(each) for each in allowed] or Text(N_("nothing")),
        )


class MissingIndexValue(DomainError):
    """A month's value of a price index that a factor needs is not there."""

    def __init__(self, index: str, month: date) -> None:
        self.index = index
        self.month = month
        super().__init__(N_("price index {index} has no value for {month}"), index=index, month=f"{month:%Y-%m}")


class ServicePutInAnew(DomainError):
    """A service that an update readjusts was taken out of its rule and put in again at the old price since."""

    def __init__(self, service: str, execution_date: date) -> None:
        text = N_(
            "{service} was taken out and put in again at its old price after {day}: give it its new price at the "
            "vendor and skip the update"
        )
        super().__init__(text, service=service, day=execution_date.isoformat())


class InvalidWindow(DomainError):
    """The months that a person gives for a readjustment are no window of them."""

    def __init__(self, first: object, last: object) -> None:
        text = N_("{first} to {last} is no window: give its first and last month as YYYY-MM, ten years at most")
        super().__init__(text, first=first, last=last)


class UnknownPriceIndex(DomainError):
    """A price index that is none of those the vendor offers."""

    def __init__(self, value: object, known: Iterable[str]) -> None:
        self.value = value
        super().__init__(
            N_("price index {value} is unknown; known are {known}"), value=repr(value), known=", ".join(known)
        )


class InvalidTerm(DomainError):
    """A contract's term of readjustment lacks a value, has one too many, or one that is out of reach."""

    def __init__(self, kind: str, reason: str | Text) -> None:
        self.kind = kind
        super().__init__(N_("term {kind}: {reason}"), kind=kind, reason=reason)


class NoPriceInForce(DomainError):
    """A rule, or one of its services, has no price on the day it should be billed."""

    def __init__(self, service: int, on: date) -> None:
        self.service = service
        self.on = on
        if service:
            text = N_("service {service} has no price in force on {on}")
            super().__init__(text, service=service, on=on.isoformat())
        else:
            super().__init__(N_("the rule has no price in force on {on}"), on=on.isoformat())


class UnknownServiceItem(DomainError):
    """A scheduled update names a service item that no service of its rule is made of."""

    def __init__(self, update: int, service_item: int) -> None:
        self.update = update
        self.service_item = service_item
        super().__init__(
            N_("scheduled update {update}: no service of the rule has service item {service_item}"),
            update=update,
            service_item=service_item,
        )


def _state(state: str) -> Text:
    return Text(str(state).replace("_", " "))
