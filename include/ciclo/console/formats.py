"""Numbers and dates as Brazil writes them, in English sentences.

The one rule: a value is formatted here and nowhere else, and what is not there is an em dash, never a zero.
"""

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.money import brl as _brl
from ciclo.domain.price_index import PriceIndex

NOTHING = "—"
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
_AMOUNT = re.compile(r"-?\d+\.\d\d", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:", re.ASCII)
_SWAP = str.maketrans(",.", ".,")


def brl(amount: Decimal | None) -> str:
    """`R$ 1.234,56`; the space does not break."""
    return NOTHING if amount is None else _brl(amount).replace(" ", "\N{NO-BREAK SPACE}")


def decimal(value: Decimal | None, places: int | None = None) -> str:
    """`1.234,5678`: all digits, or rounded half up to `places`."""
    if value is None:
        return NOTHING
    shown = value if places is None else value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{shown:,f}".translate(_SWAP)


def integer(value: int | None) -> str:
    """`12.345`."""
    return NOTHING if value is None else f"{value:,d}".translate(_SWAP)


def percent(part: int | Decimal, whole: int | Decimal) -> str:
    """`98,7 %` of the whole; never 100 % while a part is missing, nor 0 % while there is one."""
    if not whole:
        return NOTHING
    share = (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    if share == 100 and part != whole:
        share = Decimal("99.9")
    if share == 0 and part:
        share = Decimal("0.1")
    return f"{decimal(share)}\N{NO-BREAK SPACE}%"


def day(value: date | None) -> str:
    """`31/03/2025`."""
    return NOTHING if value is None else f"{value:%d/%m/%Y}"


def month(value: date | None) -> str:
    """`03/2025`."""
    return NOTHING if value is None else f"{value:%m/%Y}"


def month_name(value: date) -> str:
    """`March 2025`."""
    return f"{value:%B %Y}"


def instant(value: datetime | None) -> str:
    """`31/03/2025 06:02`, in São Paulo."""
    return NOTHING if value is None else f"{value.astimezone(SAO_PAULO):%d/%m/%Y %H:%M}"


def iso_instant(text: str | None) -> str:
    """Write an instant that a document holds as ISO text; what is no instant stays as it is."""
    try:
        return instant(datetime.fromisoformat(text)) if text else NOTHING
    except ValueError:
        return str(text)


def entry(value: object, key: str = "") -> str:
    """Write a value of a document whose shape is not known here: money, dates and instants are told by their form."""
    match value:
        case None | "":
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value) if key.endswith("id") else integer(value)
        case _:
            return _text_entry(str(value))


def _text_entry(text: str) -> str:
    if _AMOUNT.fullmatch(text):
        return brl(Decimal(text))
    if _DAY.fullmatch(text):
        return day(date.fromisoformat(text))
    return iso_instant(text) if _INSTANT.match(text) else text


def age(value: datetime | None, now: datetime) -> str:
    """How long ago: `5 min`, `3 h`, `12 d`."""
    if value is None:
        return NOTHING
    minutes = max(0, int((now.astimezone(UTC) - value.astimezone(UTC)).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes}\N{NO-BREAK SPACE}min"
    if minutes < 48 * 60:
        return f"{minutes // 60}\N{NO-BREAK SPACE}h"
    return f"{integer(minutes // (24 * 60))}\N{NO-BREAK SPACE}d"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 period`, `1.204 periods`."""
    return f"{integer(number)} {singular if number == 1 else plural or f'{singular}s'}"


def index_label(name: str) -> str:
    """`IGP-M`; an index that is not known keeps its name."""
    return PriceIndex(name).label if name in set(PriceIndex) else name


def due_words(charge: Charge) -> str:
    """When an invoice of a rule is due, in words: `the next day 10 after the issue date`."""
    match charge.charge_type:
        case ChargeType.FIXED_DAY:
            when = f"the next day {charge.day_number} after the issue date"
        case ChargeType.LAST_DAY_OF_MONTH:
            when = "the last business day of the month" if charge.only_business_days else "the last day of the month"
        case ChargeType.DAY_QUANTITY:
            business = "business " if charge.only_business_days else ""
            when = f"{charge.day_quantity} {business}days after the issue date"
        case ChargeType.FIXED_DAY_AND_MONTH_QUANTITY:
            when = f"day {charge.day_number}, {count(charge.month_quantity or 0, 'month')} later"
    parcels = f", in {charge.parcels} parts one month apart" if charge.parcels > 1 else ""
    return when + parcels


FILTERS = {
    "brl": brl,
    "decimal": decimal,
    "integer": integer,
    "day": day,
    "month": month,
    "month_name": month_name,
    "instant": instant,
    "iso_instant": iso_instant,
    "entry": entry,
    "age": age,
    "count_of": count,
}
