"""Expanding rules: issue dates, accrual month and due dates, against dateutil and pendulum doing the same work.

The one rule: the baselines give the same dates, which is checked first, and are written as their users would write
them. They are timed on at most a thousand rules, because a hundred thousand would take them minutes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice

import pendulum
from dateutil.relativedelta import relativedelta
from dateutil.rrule import MONTHLY, rrule

from bench.figures import Figure, InTurn
from bench.plan import Plan
from bench.portfolio import Rule, rules
from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.recurrence import DateRange, expand

NEAR = DateRange.days(date(2021, 1, 1), date(2021, 12, 31))
FAR = DateRange.days(date(2051, 1, 1), date(2051, 12, 31))
SAMPLE = 1000

Dates = tuple[date, date, date]
"""Issue date, accrual month, due date."""
Expansion = Callable[[Rule, DateRange], list[Dates]]


def measure(plan: Plan) -> list[Figure]:
    """Measure a year's periods at three sizes, then a window thirty years away."""
    figures = []
    for count in (plan.size(1_000), plan.size(10_000), plan.size(100_000)):
        mine = list(rules(count))
        figures += [_against(plan, mine, name, peer, needed) for name, peer, needed in PEERS]
    pair = InTurn.measure(plan.runs, lambda: _rate(ciclo, mine, FAR), lambda: _rate(ciclo, mine, NEAR))
    figures.append(Figure("expand", f"{len(mine):,} rules", "periods/s", pair.baseline, at_least=300_000))
    title = "window 30 years after the start"
    figures.append(Figure("expand", title, "periods/s", pair.ours, "first year", pair.baseline, at_least=0.87))
    return figures


def _against(plan: Plan, mine: Sequence[Rule], name: str, peer: Expansion, needed: float | None) -> Figure:
    sample = list(islice(mine, min(SAMPLE, len(mine))))
    _require_same(sample, peer, name)
    pair = InTurn.measure(plan.runs, lambda: _rate(ciclo, mine, NEAR), lambda: _rate(peer, sample, NEAR))
    return Figure("expand", f"{len(mine):,} rules", "periods/s", pair.ours, name, pair.baseline, at_least=needed)


def _require_same(sample: Sequence[Rule], peer: Expansion, name: str) -> None:
    for rule in sample[:200]:
        if peer(rule, NEAR) != ciclo(rule, NEAR):
            raise AssertionError(f"{name} and Ciclo do not agree about {rule}")


def _rate(way: Expansion, mine: Sequence[Rule], window: DateRange) -> float:
    began = time.perf_counter()
    periods = sum(len(way(rule, window)) for rule in mine)
    return periods / (time.perf_counter() - began)


def ciclo(rule: Rule, window: DateRange) -> list[Dates]:
    """Ciclo's own expansion."""
    recurrence, charge, accrual = rule
    return [(issued, month, due[0]) for issued, month, due in expand(recurrence, charge, accrual, window)]


def dateutil(rule: Rule, window: DateRange) -> list[Dates]:
    """The same with `dateutil.rrule` and `relativedelta`."""
    recurrence, charge, _ = rule
    return [(day, day.replace(day=1), _due_by_relativedelta(charge, day)) for day in _rrule_days(recurrence, window)]


def _rrule_days(recurrence: object, window: DateRange) -> Iterator[date]:
    first: date = recurrence.init_date  # type: ignore[attr-defined]
    days = tuple(range(28, first.day + 1)) or (first.day,)
    # the last of the days 28…n that a month has: rrule itself would leave February out
    start = datetime(first.year, first.month, 1)  # noqa: DTZ001 - rrule's dates have no zone
    recurring = rrule(MONTHLY, dtstart=start, bymonthday=days, bysetpos=-1)
    last = window.end - timedelta(days=1)
    begin = max(window.start, first)
    between = recurring.between(
        datetime(begin.year, begin.month, begin.day),  # noqa: DTZ001 - same
        datetime(last.year, last.month, last.day),  # noqa: DTZ001 - same
        inc=True,
    )
    return (moment.date() for moment in between)


def _due_by_relativedelta(charge: Charge, issued: date) -> date:
    match charge.charge_type:
        case ChargeType.DAY_QUANTITY:
            return issued + relativedelta(days=charge.day_quantity or 0)
        case ChargeType.LAST_DAY_OF_MONTH:
            day = 31
        case _:
            day = charge.day_number or 0
    due = issued + relativedelta(day=day)
    return due if due > issued else issued + relativedelta(months=1, day=day)


def with_pendulum(rule: Rule, window: DateRange) -> list[Dates]:
    """The same with pendulum, counting from the first issue date so that it does not drift either."""
    recurrence, charge, _ = rule
    first = pendulum.date(recurrence.init_date.year, recurrence.init_date.month, recurrence.init_date.day)
    skipped = max(0, (window.start.year - first.year) * 12 + window.start.month - first.month)
    found: list[Dates] = []
    step = skipped
    while (issued := first.add(months=step)) < window.end:
        if issued >= window.start:
            found.append((issued, issued.start_of("month"), _due_by_pendulum(charge, issued)))
        step += 1
    return found


def _due_by_pendulum(charge: Charge, issued: pendulum.Date) -> pendulum.Date:
    if charge.charge_type is ChargeType.DAY_QUANTITY:
        return issued.add(days=charge.day_quantity or 0)
    day = charge.day_number or 31
    due = issued.set(day=min(day, issued.days_in_month))
    if due > issued:
        return due
    following = issued.start_of("month").add(months=1)
    return following.set(day=min(day, following.days_in_month))


PEERS: tuple[tuple[str, Expansion, float | None], ...] = (
    ("dateutil.rrule", dateutil, 10),
    ("pendulum", with_pendulum, None),
)
