from datetime import date
from itertools import product

import pytest

from ciclo.domain.errors import IllegalTransition
from ciclo.domain.receivables import (
    EVENTS,
    AgeingBucket,
    BillingEvent,
    InvoiceState,
    ReceivableState,
    days_late,
    earliest_due_dates,
    event_between,
    next_states,
    observed_events,
)
from ciclo.domain.states import PeriodState, check_transition

LEGAL_PERIOD_CHANGES = {
    ("planned", "submitting"), ("planned", "waiting"), ("planned", "cancelled"), ("waiting", "planned"),
    ("submitting", "issued"), ("submitting", "in_doubt"), ("submitting", "parked"),
    ("in_doubt", "issued"), ("in_doubt", "planned"), ("in_doubt", "parked"),
    ("parked", "planned"), ("parked", "cancelled"), ("planned", "parked"),
    ("cancelled", "planned"), ("issued", "planned"),
}  # fmt: skip

LEGAL_RECEIVABLE_CHANGES = {
    ("to_emit", "to_receive"): "emit",
    ("to_receive", "to_emit"): "undo_emission",
    ("to_receive", "received"): "confirm_receival",
    ("received", "to_receive"): "undo_receival",
    ("to_emit", "cancelled"): "cancel",
    ("to_receive", "cancelled"): "cancel",
    ("cancelled", "to_emit"): "undo_cancellation",
    ("cancelled", "to_receive"): "undo_cancellation",
}
TODAY = date(2025, 6, 30)


def is_refused(source, target):
    try:
        check_transition(PeriodState(source), PeriodState(target))
    except IllegalTransition:
        return True
    return False


@pytest.mark.parametrize(("source", "target"), list(product(PeriodState, PeriodState)))
def test_a_period_changes_only_as_the_design_says(source, target):
    assert is_refused(source, target) is ((source.value, target.value) not in LEGAL_PERIOD_CHANGES)


def test_an_illegal_change_says_what_would_be_legal():
    with pytest.raises(IllegalTransition) as caught:
        check_transition(PeriodState.PARKED, PeriodState.SUBMITTING)
    assert (
        str(caught.value)
        == "a period cannot go from parked to submitting; from parked it may go to planned or cancelled"
    )
    with pytest.raises(IllegalTransition, match="from issued it may go to planned"):
        check_transition(PeriodState.ISSUED, PeriodState.CANCELLED)


@pytest.mark.parametrize(("source", "target"), list(product(ReceivableState, ReceivableState)))
def test_a_receivable_changes_by_one_event_or_not_at_all(source, target):
    event = LEGAL_RECEIVABLE_CHANGES.get((source.value, target.value))
    if event:
        assert event_between(source, target) is BillingEvent(event)
    else:
        with pytest.raises(IllegalTransition):
            event_between(source, target)


def test_an_invoice_speaks_the_same_words():
    assert event_between(InvoiceState.TO_EMIT, InvoiceState.TO_RECEIVE) is BillingEvent.EMIT
    assert set(InvoiceState) == set(ReceivableState)
    assert set(next_states(InvoiceState.RECEIVED)) == {ReceivableState.TO_RECEIVE}
    assert set(EVENTS.values()) == set(BillingEvent)


@pytest.mark.parametrize(
    ("source", "target", "events"),
    [
        ("to_receive", "to_receive", []),
        ("to_emit", "to_receive", ["emit"]),
        ("to_emit", "received", ["emit", "confirm_receival"]),
        ("received", "to_emit", ["undo_receival", "undo_emission"]),
        ("cancelled", "received", ["undo_cancellation", "confirm_receival"]),
    ],
)
def test_a_daily_reading_may_skip_a_step(source, target, events):
    assert list(observed_events(ReceivableState(source), ReceivableState(target))) == events


def test_received_money_that_is_found_cancelled_is_a_finding():
    with pytest.raises(IllegalTransition, match="a receivable cannot go from received to cancelled"):
        observed_events(ReceivableState.RECEIVED, ReceivableState.CANCELLED)


@pytest.mark.parametrize(
    ("due", "days", "bucket"),
    [
        (date(2025, 7, 1), 0, AgeingBucket.NOT_DUE),
        (date(2025, 6, 30), 0, AgeingBucket.NOT_DUE),
        (date(2025, 6, 29), 1, AgeingBucket.DAYS_1_TO_30),
        (date(2025, 5, 31), 30, AgeingBucket.DAYS_1_TO_30),
        (date(2025, 5, 30), 31, AgeingBucket.DAYS_31_TO_60),
        (date(2025, 5, 1), 60, AgeingBucket.DAYS_31_TO_60),
        (date(2025, 4, 30), 61, AgeingBucket.DAYS_61_TO_90),
        (date(2025, 4, 1), 90, AgeingBucket.DAYS_61_TO_90),
        (date(2025, 3, 31), 91, AgeingBucket.OVER_90_DAYS),
    ],
)
def test_ageing_counts_days_after_the_due_date(due, days, bucket):
    assert days_late(due, TODAY) == days
    edges = earliest_due_dates(TODAY)
    assert next((name for name, first in edges.items() if due >= first), AgeingBucket.OVER_90_DAYS) is bucket
