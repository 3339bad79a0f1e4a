"""The console's queries, on both databases, against what plain Python makes of the same rows."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.receivables import AgeingBucket, ReceivableState, days_late
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.queries import attention, contracts, months, periods, price_updates, receivables
from ciclo.ledger.queries.paging import PageRequest
from ciclo.ledger.queries.search import search
from ciclo.ledger.tables import Period, PriceUpdateExecution, Receivable
from console.factories import ORGANIZATION, TODAY
from console.small_year import CANCELLED, IN_DOUBT, PARKED, fill_small_year


@pytest.fixture
def year(ledger_engine, session) -> Session:
    fill_small_year(ledger_engine)
    return session


def every_page(listing, session, size, **order):
    """The list, read page by page."""
    rows, number = [], 1
    while page := listing.page(session, PageRequest(number, size, **order)).rows:
        rows += page
        number += 1
    return rows


@pytest.mark.parametrize("sort", ["", *periods.SORTS])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_of_periods_neither_share_nor_lose_a_row(year, sort, descending):
    listing = periods.period_listing(year, ORGANIZATION, periods.PeriodFilter())

    paged = every_page(listing, year, 37, sort=sort, descending=descending)

    assert [row.id for row in paged] == [row.id for row in listing.every(year, PageRequest(1, 1, sort, descending))]
    assert len({row.id for row in paged}) == listing.page(year, PageRequest()).total


@pytest.mark.parametrize("sort", ["", *receivables.SORTS])
def test_pages_of_receivables_neither_share_nor_lose_a_row(year, sort):
    listing = receivables.receivable_listing(ORGANIZATION, receivables.ReceivableFilter(TODAY))

    paged = every_page(listing, year, 50, sort=sort)

    every = listing.every(year, PageRequest(1, 1, sort))
    assert [row.receivable_id for row in paged] == [row.receivable_id for row in every]


def ageing_bucket(due_date, today):
    buckets = zip((0, 30, 60, 90, 10**6), AgeingBucket, strict=True)
    return next(bucket for longest, bucket in buckets if days_late(due_date, today) <= longest)


@pytest.mark.parametrize("days", [-400, -91, -90, -61, -60, -31, -30, -1, 0, 1, 200])
def test_ageing_agrees_with_the_domain_receivable_by_receivable(year, days):
    as_of = TODAY + timedelta(days)
    owed = year.execute(
        select(Receivable.due_date, Receivable.gross_value).where(Receivable.state == ReceivableState.TO_RECEIVE.value)
    ).all()
    counts = Counter(ageing_bucket(due_date, as_of) for due_date, _ in owed)

    shares = receivables.ageing(year, ORGANIZATION, as_of)

    assert {bucket: share.count for bucket, share in shares.items()} == {one: counts[one] for one in AgeingBucket}
    assert sum(share.amount for share in shares.values()) == sum(amount for _, amount in owed)


@pytest.mark.parametrize("bucket", list(AgeingBucket))
def test_a_buckets_list_is_what_the_ageing_counted(year, bucket):
    as_of = TODAY + timedelta(days=45)
    wanted = receivables.ReceivableFilter(as_of, bucket=bucket)

    rows = every_page(receivables.receivable_listing(ORGANIZATION, wanted), year, 100)

    share = receivables.ageing(year, ORGANIZATION, as_of)[bucket]
    assert len(rows) == share.count
    assert sum((row.gross_value for row in rows), Decimal(0)) == share.amount
    assert {ageing_bucket(row.due_date, as_of) for row in rows} <= {bucket}


def test_days_to_receive_are_the_mean_from_issue_to_receipt(year):
    found = receivables.collected(year, ORGANIZATION, DateRange(date(2025, 3, 1), date(2025, 4, 1)))

    (march,) = found
    assert march.due == march.received  # every receivable due in March is paid
    assert Decimal(20) < march.days_to_receive < Decimal(40)
    assert 0 < march.received_on_time < march.received.count


def test_a_month_adds_up_by_state_and_by_day(year):
    october = DateRange.month_of(date(2025, 10, 1))
    rows = year.scalars(select(Period).where(Period.issue_date >= october.start, Period.issue_date < october.end)).all()

    glance = months.month_glance(year, ORGANIZATION, october)

    assert {state.value: share.count for state, share in glance.states.items() if share.count} == Counter(
        row.state for row in rows
    )
    expected = [row for row in rows if row.state != "cancelled"]
    assert glance.expected.count == len(expected)
    assert sum(day.expected.amount for day in glance.days) == sum(row.gross_value for row in expected)


def test_what_waits_for_a_person_is_counted_once(year):
    waiting = months.waiting_for_a_person(year, ORGANIZATION)

    assert (waiting.parked.count, waiting.in_doubt.count, waiting.updates, waiting.findings.count) == (1, 1, 1, 2)
    assert waiting.total == 5


def test_the_queue_holds_what_is_parked_and_in_doubt(year):
    rows = attention.stopped_periods(year, ORGANIZATION).page(year, PageRequest()).rows

    assert {row.id for row in rows} == {PARKED, IN_DOUBT}


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (periods.PeriodFilter(states=("cancelled",)), {CANCELLED}),
        (periods.PeriodFilter(states=("parked", "cancelled")), {PARKED, CANCELLED}),
        (periods.PeriodFilter(states=("parked",), text="TRÊS IRMÃOS"), None),
        (periods.PeriodFilter(states=("parked",), contract_id=100), set()),
    ],
)
def test_filters_of_periods(year, wanted, ids):
    rows = periods.period_listing(year, ORGANIZATION, wanted).page(year, PageRequest(size=200)).rows

    assert ids is None or {row.id for row in rows} == ids


def test_the_grid_holds_every_period_of_its_rules_in_its_window(year):
    window = DateRange(date(2025, 1, 1), date(2025, 12, 1))
    wanted = periods.GridFilter(window, price_index="ipca")

    page, rows = periods.grid(year, ORGANIZATION, wanted, PageRequest(size=50))

    in_window = select(Period.id).where(
        Period.rule_id.in_([rule.rule_id for rule in page.rows]),
        Period.issue_date >= window.start,
        Period.issue_date < window.end,
    )
    shown = {mark.period_id for row in rows for marks in row.cells.values() for mark in marks}
    assert shown == set(year.scalars(in_window))
    assert shown


def test_the_grid_finds_the_rules_with_a_state(year):
    window = DateRange(date(2025, 1, 1), date(2025, 12, 1))

    page, _ = periods.grid(year, ORGANIZATION, periods.GridFilter(window, states=("parked",)), PageRequest())

    assert page.total == 1


def test_the_calendar_counts_what_is_overdue_in_its_first_month(year):
    window = DateRange(date(2026, 3, 1), date(2026, 4, 1))
    coming = price_updates.coming_listing(ORGANIZATION, price_updates.UpdateFilter()).every(year, PageRequest())

    counts = price_updates.coming_calendar(year, ORGANIZATION, window)

    assert {count.month for count in counts} == {window.start}
    assert sum(count.count for count in counts) == sum(row.execution_date < window.end for row in coming)


def test_a_contracts_page_counts_its_periods_by_state(year):
    found = contracts.contract_page(year, ORGANIZATION, 100)

    assert found is not None
    assert sum(share.count for share in found.states.values()) == 14


def test_another_organization_sees_nothing(year):
    assert periods.period_page(year, 1, PARKED) is None
    assert contracts.contract_page(year, 1, 100) is None
    assert search(year, 1, "padaria") == ()
    assert periods.period_listing(year, 1, periods.PeriodFilter()).page(year, PageRequest()).total == 0


def test_measures_count_every_period(year):
    found = months.measures(year, TODAY)

    assert sum(entry.periods for entry in found.states) == len(year.scalars(select(Period.id)).all())
    assert found.oldest_doubt is not None


def test_measures_count_what_is_planned_and_late(year):
    planned = year.scalars(select(Period.issue_date).where(Period.state == "planned")).all()

    for today in sorted({*planned, TODAY}):
        assert months.measures(year, today).overdue == sum(day < today for day in planned)


def test_measures_count_price_updates_that_are_not_at_rest(year):
    states = Counter(year.scalars(select(PriceUpdateExecution.state)).all())

    found = months.measures(year, TODAY).price_updates
    assert found == {state: states[state] for state in ("waiting", "proposed", "submitting", "in_doubt", "parked")}
