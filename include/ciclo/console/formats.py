"""Values as they are shown: numbers and dates as Brazil writes them, in either language; states as marks; CSV files.

A value is formatted here and nowhere else, and what is not there is an em dash, never a zero. Every state of the ledger
has its own shape, so that no colour carries the meaning alone.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from babel.dates import format_skeleton
from fastapi.responses import StreamingResponse

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.calendar import SAO_PAULO
from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.money import brl as _brl
from ciclo.domain.money import number as _number
from ciclo.domain.receivables import AgeingBucket
from ciclo.domain.recurrence import AccrualMonth, PeriodUnit, Recurrence
from ciclo.domain.texts import cell
from ciclo.domain.wording import A_MONTH, key_words, month_words, plain_words, side_words, state_words
from ciclo.locale import N_, _, language, ngettext

NOTHING = "—"
_AMOUNT = re.compile(r"-?\d+\.\d\d", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:", re.ASCII)


def brl(amount: Decimal | None) -> str:
    """`R$ 1.234,56`; the space does not break."""
    return NOTHING if amount is None else _brl(amount).replace(" ", "\N{NO-BREAK SPACE}")


def decimal(value: Decimal | None, places: int | None = None) -> str:
    """`1.234,5678`: all digits, or rounded half up to `places`."""
    return NOTHING if value is None else _number(value, places)


def integer(value: int | None) -> str:
    """`12.345`."""
    return NOTHING if value is None else _number(Decimal(value))


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
    return NOTHING if value is None else month_words(value)


def iso_month(text: str | None) -> str:
    """Write a month that a document holds as `2025-03`; what is no month stays as it is."""
    return plain_words(text) if text else NOTHING


def month_name(value: date) -> str:
    """`March 2025`, `março de 2025`."""
    return format_skeleton("yMMMM", value, locale=language())


def instant(value: datetime | None) -> str:
    """`31/03/2025 06:02`, in São Paulo."""
    return NOTHING if value is None else f"{value.astimezone(SAO_PAULO):%d/%m/%Y %H:%M}"


def iso_instant(text: str | None) -> str:
    """Write an instant that a document holds as ISO text; what is no instant stays as it is."""
    try:
        return instant(datetime.fromisoformat(text)) if text else NOTHING
    except ValueError:
        return str(text)


_WORDED = ("state", "verdict", "kind")
"""Keys of documents whose values are words of ours."""


def entry(value: object, key: str = "") -> str:
    """Write a value of a document whose shape is not known here: money, dates and instants are told by their form."""
    match value:
        case None | "":
            return NOTHING
        case bool():
            return _("yes") if value else _("no")
        case Mapping():
            return plain_words(value)
        case int():
            return str(value) if key.endswith("id") else integer(value)
        case _ if key in _WORDED:
            return state_words(str(value))
        case _:
            return _text_entry(str(value))


def _text_entry(text: str) -> str:
    if _AMOUNT.fullmatch(text):
        return brl(Decimal(text))
    if _DAY.fullmatch(text):
        return day(date.fromisoformat(text))
    if A_MONTH.fullmatch(text):
        return iso_month(text)
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


def counted(number: int, what: str) -> str:
    """`1 period`, `1.204 periods`; what is counted is one of the nouns of tables."""
    match what:
        case "period":
            text = ngettext("{count} period", "{count} periods", number)
        case "rule":
            text = ngettext("{count} rule", "{count} rules", number)
        case "contract":
            text = ngettext("{count} contract", "{count} contracts", number)
        case "finding":
            text = ngettext("{count} finding", "{count} findings", number)
        case "price update":
            text = ngettext("{count} price update", "{count} price updates", number)
        case "receivable":
            text = ngettext("{count} receivable", "{count} receivables", number)
        case "adjustment":
            text = ngettext("{count} adjustment", "{count} adjustments", number)
        case "month":
            text = ngettext("{count} month", "{count} months", number)
        case _:
            text = ngettext("{count} change", "{count} changes", number)
    return text.format(count=integer(number))


def months_count(number: int) -> str:
    """`12 months`."""
    return counted(number, "month")


def due_words(charge: Charge) -> str:
    """When an invoice of a rule is due, in words: `the next day 10 after the issue date`."""
    match charge.charge_type:
        case ChargeType.FIXED_DAY:
            when = _("the next day {day} after the issue date").format(day=charge.day_number)
        case ChargeType.LAST_DAY_OF_MONTH if charge.only_business_days:
            when = _("the last business day of the month")
        case ChargeType.LAST_DAY_OF_MONTH:
            when = _("the last day of the month")
        case ChargeType.DAY_QUANTITY if charge.only_business_days:
            when = _("{days} business days after the issue date").format(days=charge.day_quantity)
        case ChargeType.DAY_QUANTITY:
            when = _("{days} days after the issue date").format(days=charge.day_quantity)
        case ChargeType.FIXED_DAY_AND_MONTH_QUANTITY:
            later = months_count(charge.month_quantity or 0)
            when = _("day {day}, {months} later").format(day=charge.day_number, months=later)
    if charge.parcels > 1:
        return _("{when}, in {parcels} parts one month apart").format(when=when, parcels=charge.parcels)
    return when


def recurrence_words(recurrence: Recurrence) -> str:
    """When a rule issues: `every 3 months from 10/01/2025 to 10/12/2026`."""
    if recurrence.period_unit is PeriodUnit.WEEKLY:
        often = _("every week")
    elif recurrence.month_quantity == 1:
        often = _("every month")
    else:
        often = _("every {months} months").format(months=recurrence.month_quantity)
    if recurrence.end_date is None:
        return _("{often} from {first}").format(often=often, first=day(recurrence.init_date))
    text = _("{often} from {first} to {last}")
    return text.format(often=often, first=day(recurrence.init_date), last=day(recurrence.end_date))


def accrual_words(accrual: AccrualMonth) -> str:
    """Which month an invoice of a rule belongs to."""
    match accrual:
        case AccrualMonth.SAME_MONTH:
            return _("the month of the issue date")
        case AccrualMonth.PREVIOUS_MONTH:
            return _("the month before")
        case AccrualMonth.NEXT_MONTH:
            return _("the month after")


def bucket_words(bucket: AgeingBucket) -> str:
    """How late a receivable is: `61 to 90 days`."""
    match bucket:
        case AgeingBucket.NOT_DUE:
            return _("Not due")
        case AgeingBucket.OVER_90_DAYS:
            return _("Over 90 days")
        case _:
            first, last = bucket.value.split("-")
            return _("{first} to {last} days").format(first=first, last=last)


ADJUSTMENTS: Mapping[str, str] = {
    AdjustmentKind.QUANTITY: N_("Quantity"),
    AdjustmentKind.UNIT_VALUE: N_("Unit value"),
    AdjustmentKind.LINE: N_("Extra line or credit"),
    AdjustmentKind.DISCOUNT: N_("Discount"),
    AdjustmentKind.PRORATE: N_("Part of the days"),
    AdjustmentKind.REPLACE: N_("Another gross value"),
    AdjustmentKind.SKIP: N_("Not billed"),
}


def adjustment_words(kind: str) -> str:
    """Say what differs, by an adjustment's kind."""
    return _(ADJUSTMENTS[kind])


def is_web_address(value: str | None) -> bool:
    """Whether what the vendor gave as an address may become a link: no script, no address inside this machine."""
    return value is not None and value.startswith(("https://", "http://"))


FILTERS = {
    "is_web_address": is_web_address,
    "brl": brl,
    "decimal": decimal,
    "integer": integer,
    "day": day,
    "month": month,
    "month_name": month_name,
    "iso_month": iso_month,
    "instant": instant,
    "iso_instant": iso_instant,
    "entry": entry,
    "age": age,
    "state_words": state_words,
    "key_words": key_words,
    "plain_words": plain_words,
    "side_words": side_words,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A state's word for people, the symbol of `icons.svg` that stands for it, its colour class, and what it means."""

    label: str
    icon: str
    tone: str
    meaning: str = ""


MARKS = {
    "planned": Mark(N_("Planned"), "circle", "planned", N_("Its issue date has not come, or no run has taken it yet.")),
    "waiting": Mark(N_("Waiting"), "pause", "waiting", N_("Waits for a price update of its rule.")),
    "submitting": Mark(N_("Submitting"), "up", "running", N_("A run holds it and is sending it.")),
    "in_doubt": Mark(
        N_("In doubt"), "question", "doubt", N_("Sent, answer unknown: not sent again before it is settled.")
    ),
    "issued": Mark(N_("Issued"), "check", "success", N_("Exactly one invoice exists.")),
    "parked": Mark(N_("Parked"), "hand", "failed", N_("Stopped for a person.")),
    "cancelled": Mark(N_("Cancelled"), "cross", "muted", N_("Will not be invoiced.")),
    "to_emit": Mark(N_("To emit"), "circle", "planned"),
    "to_receive": Mark(N_("To receive"), "clock", "running"),
    "received": Mark(N_("Received"), "check", "success"),
    "late": Mark(N_("Late"), "alert", "failed"),
    "proposed": Mark(N_("Proposed"), "question", "doubt"),
    "applied": Mark(N_("Applied"), "check", "success"),
    "adopted": Mark(N_("Adopted"), "check-double", "success"),
    "open": Mark(N_("Open"), "alert", "failed"),
    "acknowledged": Mark(N_("Acknowledged"), "eye", "running"),
    "closed": Mark(N_("Closed"), "check", "success"),
    "active": Mark(N_("Active"), "check", "success"),
    "inactive": Mark(N_("Inactive"), "cross", "muted"),
    "asked": Mark(N_("Asked for"), "circle", "planned"),
    "approved": Mark(N_("Approved"), "check", "success"),
    "blocked": Mark(N_("Blocked"), "hand", "failed"),
    "not_cancelled": Mark(N_("Not cancelled"), "circle", "muted"),
    "no_address": Mark(N_("No address"), "alert", "failed"),
    "failed": Mark(N_("Not taken"), "alert", "failed"),
    "sending": Mark(N_("Being sent"), "up", "running"),
    "accepted": Mark(N_("Taken by the vendor"), "clock", "running"),
    "done": Mark(N_("Carried out"), "check", "success"),
    "refused": Mark(N_("Refused"), "hand", "failed"),
    "withdrawn": Mark(N_("Withdrawn"), "cross", "muted"),
    "sent": Mark(N_("Sent"), "check", "success"),
}


def mark(state: str) -> Mark:
    """Return how a state is shown, in the reader's language."""
    known = MARKS.get(state)
    if known is None:
        return Mark(state_words(state).capitalize(), "circle", "muted")
    return replace(known, label=_(known.label), meaning=_(known.meaning) if known.meaning else "")


_ROWS_A_CHUNK = 500


class Column(NamedTuple):
    """A column of an export: its header and where its value comes from."""

    header: str
    value: Callable[[Any], object]


def csv_response(name: str, columns: Sequence[Column], rows: Iterable[Any]) -> StreamingResponse:
    """Answer with a file `name`.csv, written as its rows are read."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(csv_chunks(columns, rows), media_type="text/csv; charset=utf-8", headers=headers)


def csv_chunks(columns: Sequence[Column], rows: Iterable[Any]) -> Iterator[str]:
    """Yield the file's text, some hundred rows at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    buffer.write("\N{ZERO WIDTH NO-BREAK SPACE}")
    writer.writerow([_(column.header) for column in columns])
    for number, row in enumerate(rows, start=1):
        writer.writerow([cell(column.value(row)) for column in columns])
        if number % _ROWS_A_CHUNK == 0:
            yield _drain(buffer)
    yield _drain(buffer)


def _drain(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
