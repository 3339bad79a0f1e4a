"""What can be wrong with the input of a billing rule, one class per failure.

An error builds its own message, from the values that are wrong, so that every log, console page and
parked period shows the same sentence. Where contract and rule are known to the caller only, `InvalidRule.at` adds them.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Self


class DomainError(Exception):
    """Base of every failure of a billing rule. Retrying never helps: the input has to change."""


class InvalidRule(DomainError):
    """A contract's invoice rule holds a value that cannot be billed by."""

    def __init__(self, field: str, reason: str, *, contract: int | None = None, rule: int | None = None) -> None:
        self.contract = contract
        self.rule = rule
        self.field = field
        self.reason = reason
        super().__init__(f"{_place(contract, rule)}{field}: {reason}")

    def at(self, *, contract: int | None = None, rule: int | None = None) -> Self:
        """Return the same failure with the contract and rule it was found in."""
        return type(self)(self.field, self.reason, contract=contract, rule=rule)


class InvalidAmount(DomainError):
    """Something given as money, quantity or percentage is not a finite decimal number."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        self.field = field
        self.value = value
        super().__init__(f"{field}: {value!r} {reason}")


class InvalidPercentages(DomainError):
    """The percentages of an invoice's receivables do not split it: one is negative, or they do not total 100."""

    def __init__(self, percentages: Sequence[Decimal]) -> None:
        self.percentages = tuple(percentages)
        negative = [part for part in percentages if part < 0]
        reason = f"{negative[0]} is negative" if negative else f"they total {sum(percentages)}, not 100"
        super().__init__(f"percentages: {reason}")


class WindowUpsideDown(DomainError):
    """A window of dates ends before it starts."""

    def __init__(self, start: date, end: date) -> None:
        self.start = start
        self.end = end
        super().__init__(f"the window is upside down: it starts on {start} and ends on {end}")


class DateOutOfRange(DomainError):
    """A date lies outside the years 1 to 9999."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} lies outside the years 1 to 9999")


class InvalidHolidays(DomainError):
    """A line of a company's own holidays is no date."""

    def __init__(self, line: int, text: str) -> None:
        self.line = line
        super().__init__(f"line {line} of the holidays: {text!r} is no date such as 2025-12-24 or 24/12/2025")


class IllegalTransition(DomainError):
    """A period, invoice or receivable cannot go from one state to the other."""

    def __init__(self, what: str, source: str, target: str, allowed: Iterable[str] = ()) -> None:
        self.source = source
        self.target = target
        choices = " or ".join(allowed) or "nothing"
        super().__init__(f"a {what} cannot go from {source} to {target}; from {source} it may go to {choices}")


class MissingIndexValue(DomainError):
    """A month's value of a price index that a factor needs is not there."""

    def __init__(self, index: str, month: date) -> None:
        self.index = index
        self.month = month
        super().__init__(f"price index {index} has no value for {month:%Y-%m}")


class UnknownPriceIndex(DomainError):
    """A price index that is none of those the vendor offers."""

    def __init__(self, value: object, known: Iterable[str]) -> None:
        self.value = value
        super().__init__(f"price index {value!r} is unknown; known are {', '.join(known)}")


class NoPriceInForce(DomainError):
    """A rule, or one of its services, has no price on the day it should be billed."""

    def __init__(self, service: int, on: date) -> None:
        self.service = service
        self.on = on
        whose = f"service {service}" if service else "the rule"
        super().__init__(f"{whose} has no price in force on {on}")


class UnknownServiceItem(DomainError):
    """A scheduled update names a service item that no service of its rule is made of."""

    def __init__(self, update: int, service_item: int) -> None:
        self.update = update
        self.service_item = service_item
        super().__init__(f"scheduled update {update}: no service of the rule has service item {service_item}")


def _place(contract: int | None, rule: int | None) -> str:
    names = (("contract", contract), ("rule", rule))
    known = ", ".join(f"{name} {number}" for name, number in names if number is not None)
    return f"{known}, " if known else ""
