"""Money: Brazilian reais as `Decimal`.

No float ever, and an amount is rounded once, half up to cents, at the moment it becomes money.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

from ciclo.domain.errors import InvalidAmount, InvalidPercentages
from ciclo.locale import N_, Text

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
HUNDRED = Decimal(100)

EXACT = Context(prec=100_000, rounding=ROUND_HALF_UP)
"""A context wide enough that no product of prices, units and index factors is ever rounded before `cents`."""

_PLAIN_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_TYPED = re.compile(r"-?(\d+|\d{1,3}(\.\d{3})+),\d+", re.ASCII)
_TWO_WAYS = re.compile(r"-?[1-9]\d{0,2}\.\d{3}", re.ASCII)
_LARGEST = Decimal(10) ** 18
_BRAZILIAN = str.maketrans(",.", ".,")
DIGITS_OF_MONEY = 13
"""Before the point: ten billions of BRL have eleven; the ledger's columns hold sixteen, which leaves room for sums."""


def cents(amount: Decimal) -> Decimal:
    """Round an amount half up to cents (away from zero on the half), never to a negative zero."""
    return amount.quantize(CENT, context=EXACT) or ZERO


def total(amounts: Iterable[Decimal | None]) -> Decimal:
    """Add amounts up; an unknown one counts nothing."""
    return sum((amount for amount in amounts if amount is not None), ZERO)


def parse_decimal(value: object, field: str = "amount") -> Decimal:
    """Read an exact decimal number, unrounded, from what an API answer or a form holds.

    Args:
        value: a plain decimal string ("700.0"), an int or a `Decimal`.
        field: what the number is, for the error message.

    Raises:
        InvalidAmount: a float (its cents are already lost), NaN, infinity, anything that is not a plain number, or
            a number of 10^18 and more.
    """
    match value:
        case bool() | float():
            raise InvalidAmount(
                field, value, Text(N_("is a {kind}, not an exact decimal number"), kind=type(value).__name__)
            )
        case Decimal() | int():
            number = Decimal(value)
        case str() if _PLAIN_DECIMAL.fullmatch(value.strip()):
            number = Decimal(value.strip())
        case _:
            raise InvalidAmount(field, value, Text(N_("is not a decimal number")))
    if not number.is_finite():
        raise InvalidAmount(field, value, Text(N_("is not a finite number")))
    if abs(number) >= _LARGEST:
        raise InvalidAmount(field, value, Text(N_("is too large")))
    return number


def parse_typed(text: str, field: str = "amount") -> Decimal:
    """Read a number as people type it and spreadsheets write it, in Brazil: `1.234,50`, `1234,50` or `1234.50`.

    Raises:
        InvalidAmount: it is none, or one that may be meant in two ways: `1.500` is 1500 to whoever writes thousands so.
    """
    plain = text.strip()
    if _TWO_WAYS.fullmatch(plain):
        whole, broken = plain.replace(".", ""), plain.rstrip("0").rstrip(".").replace(".", ",")
        raise InvalidAmount(
            field, text, Text(N_("may be meant in two ways: write {whole} or {broken}"), whole=whole, broken=broken)
        )
    if _TYPED.fullmatch(plain):
        plain = plain.replace(".", "").replace(",", ".")
    return parse_decimal(plain, field)


def parse_money(value: object, field: str = "amount") -> Decimal:
    """Read an amount of money like `parse_decimal`, rounded to cents."""
    return cents(parse_decimal(value, field))


def at_least_cents(amount: Decimal) -> Decimal:
    """Return an amount with its cents, or with every digit of a unit value that is finer: 5.00, 0.0375."""
    rounded = cents(amount)
    return rounded if rounded == amount else amount.normalize(EXACT)


def brl(amount: Decimal) -> str:
    """Write money the Brazilian way: `R$ 1.234,56`, `-R$ 0,50`; a unit value finer than cents whole: `R$ 0,0375`."""
    shown = at_least_cents(amount)
    sign = "-" if shown < 0 else ""
    return f"{sign}R$ {number(shown.copy_abs())}"


def number(value: Decimal, places: int | None = None) -> str:
    """Write a number the Brazilian way, all digits of it or rounded half up to `places`: `1.234,5678`."""
    shown = value if places is None else value.quantize(Decimal(1).scaleb(-places), context=EXACT)
    return f"{shown:,f}".translate(_BRAZILIAN)


def multiply_to_cents(left: Decimal, right: Decimal) -> Decimal:
    """Multiply exactly, then round once to cents."""
    return cents(EXACT.multiply(left, right))


def service_value(units: Decimal, unit_value: Decimal) -> Decimal:
    """Value of a service line: units x unit value, half up to cents (2.5 x 5.75 → 14.38, as the API answers).

    Raises:
        InvalidAmount: it is more than a ledger holds.
    """
    value = multiply_to_cents(units, unit_value)
    if value.adjusted() >= DIGITS_OF_MONEY:
        raise InvalidAmount("value", f"{value:.3e}", Text(N_("is too large")))
    return value


def split_money(total: Decimal, percentages: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Split `total` into one part a percentage; the parts total it exactly, the last takes the rest.

    No part passes what is left, so a few cents over many parts never end in a negative one.

    Raises:
        InvalidPercentages: one is negative, or they do not total exactly 100.
    """
    if sum(percentages) != HUNDRED or min(percentages) < 0:
        raise InvalidPercentages(percentages)
    shares = [EXACT.multiply(total, percentage).scaleb(-2, context=EXACT) for percentage in percentages]
    return rounded_parts(cents(total), shares, CENT)


def rounded_parts(total: Decimal, shares: Sequence[Decimal], unit: Decimal) -> tuple[Decimal, ...]:
    """Round exact shares of `total` half up to multiples of `unit`, the last taking what the others leave."""
    parts: list[Decimal] = []
    rest = abs(total)
    for share in shares[:-1]:
        part = min(abs(share).quantize(unit, context=EXACT), rest)
        rest -= part
        parts.append(part)
    return tuple(part if total >= 0 else -part for part in (*parts, rest))
