"""The life of an invoice and of its receivables: states, lateness, ageing.

An invoice and a receivable know four states, and `late` is none of them: it is a `to_receive` one past
its due date, as of the day that is asked about.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from ciclo.domain.calendar import add_days
from ciclo.domain.errors import IllegalTransition


class ReceivableState(StrEnum):
    """State of one due date's share of an invoice, in the words of the vendor's API."""

    TO_EMIT = "to_emit"
    TO_RECEIVE = "to_receive"
    RECEIVED = "received"
    CANCELLED = "cancelled"


class InvoiceState(StrEnum):
    """State of an invoice; the same words as a receivable's."""

    TO_EMIT = "to_emit"
    TO_RECEIVE = "to_receive"
    RECEIVED = "received"
    CANCELLED = "cancelled"


class MadeBy(StrEnum):
    """Who made an invoice."""

    CICLO = "ciclo"
    VENDOR = "vendor"
    """The vendor's own machinery, or a person on its screens."""


class BillingEvent(StrEnum):
    """What moves an invoice or receivable on, by the names of the API's webhook events."""

    EMIT = "emit"
    UNDO_EMISSION = "undo_emission"
    CONFIRM_RECEIVAL = "confirm_receival"
    UNDO_RECEIVAL = "undo_receival"
    CANCEL = "cancel"
    UNDO_CANCELLATION = "undo_cancellation"


class AgeingBucket(StrEnum):
    """How long a receivable is overdue, in calendar days after its due date."""

    NOT_DUE = "not due"
    DAYS_1_TO_30 = "1-30"
    DAYS_31_TO_60 = "31-60"
    DAYS_61_TO_90 = "61-90"
    OVER_90_DAYS = "over 90"


_S, _E = ReceivableState, BillingEvent
_Change = tuple[str, str]

EVENTS: Mapping[_Change, BillingEvent] = MappingProxyType(
    {
        (_S.TO_EMIT, _S.TO_RECEIVE): _E.EMIT,
        (_S.TO_RECEIVE, _S.TO_EMIT): _E.UNDO_EMISSION,
        (_S.TO_RECEIVE, _S.RECEIVED): _E.CONFIRM_RECEIVAL,
        (_S.RECEIVED, _S.TO_RECEIVE): _E.UNDO_RECEIVAL,
        (_S.TO_EMIT, _S.CANCELLED): _E.CANCEL,
        (_S.TO_RECEIVE, _S.CANCELLED): _E.CANCEL,
        (_S.CANCELLED, _S.TO_EMIT): _E.UNDO_CANCELLATION,
        (_S.CANCELLED, _S.TO_RECEIVE): _E.UNDO_CANCELLATION,
    }
)
"""Every legal single change of state, by the event that makes it. Received money is undone before it is cancelled."""

SKIPPED: Mapping[_Change, tuple[BillingEvent, ...]] = MappingProxyType(
    {
        (_S.TO_EMIT, _S.RECEIVED): (_E.EMIT, _E.CONFIRM_RECEIVAL),
        (_S.RECEIVED, _S.TO_EMIT): (_E.UNDO_RECEIVAL, _E.UNDO_EMISSION),
        (_S.CANCELLED, _S.RECEIVED): (_E.UNDO_CANCELLATION, _E.CONFIRM_RECEIVAL),
    }
)
"""Changes that a reading once a day may see in one step: two legal events, in the order they must have come.

Money that is received and then found cancelled is none of them: somebody should say where it went."""


def next_states(state: ReceivableState | InvoiceState) -> tuple[ReceivableState, ...]:
    """States that one event may lead to."""
    return tuple(ReceivableState(target) for source, target in EVENTS if source == state)


def event_between(source: ReceivableState | InvoiceState, target: ReceivableState | InvoiceState) -> BillingEvent:
    """Return the one event that leads from `source` to `target`.

    Raises:
        IllegalTransition: no single event does.
    """
    try:
        return EVENTS[source, target]
    except KeyError:
        raise IllegalTransition("receivable", source, target, next_states(source)) from None


def observed_events(
    source: ReceivableState | InvoiceState, target: ReceivableState | InvoiceState
) -> tuple[BillingEvent, ...]:
    """Events that explain a change seen between two readings of the API; none if nothing changed.

    Raises:
        IllegalTransition: no legal events explain it: a finding (money received, then found cancelled).
    """
    if source == target:
        return ()
    return SKIPPED.get((source, target)) or (event_between(source, target),)


def days_late(due_date: date, today: date) -> int:
    """Calendar days that `today` is past the due date; 0 on or before it."""
    return max(0, (today - due_date).days)


def earliest_due_dates(today: date) -> dict[AgeingBucket, date]:
    """Earliest due date of each ageing bucket as of `today`, the youngest bucket first; what is older is over 90."""
    longest = {
        AgeingBucket.NOT_DUE: 0,
        AgeingBucket.DAYS_1_TO_30: 30,
        AgeingBucket.DAYS_31_TO_60: 60,
        AgeingBucket.DAYS_61_TO_90: 90,
    }
    return {bucket: add_days(today, -days) for bucket, days in longest.items()}
