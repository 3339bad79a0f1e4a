"""Charts as geometry: values in, whole pixels out; the templates draw them as SVG that any browser shows offline.

A chart only repeats what a table on the same page says in figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from ciclo.console import formats
from ciclo.domain.price_index import ONE

WIDTH = 720
HEIGHT = 220
LEFT = 64
RIGHT = 12
TOP = 12
BOTTOM = 28


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of an axis: where, and what stands there."""

    at: int
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with the sentence that a pointer or a screen reader gets."""

    x: int
    y: int
    width: int
    height: int
    title: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a line."""

    x: int
    y: int
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars and at most one line between two axes."""

    bars: tuple[Bar, ...]
    points: tuple[Point, ...]
    path: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    zero: int
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels, linearly: the lowest value at `start`, the highest at `end`."""

    lowest: Decimal
    highest: Decimal
    start: int
    end: int

    def __call__(self, value: Decimal | int) -> int:
        """Pixel of a value."""
        span = self.highest - self.lowest or ONE
        along = (Decimal(value) - self.lowest) * (self.end - self.start) / span
        return self.start + int(along.quantize(ONE, ROUND_HALF_UP))


def round_steps(lowest: Decimal, highest: Decimal, wanted: int = 4) -> tuple[Decimal, ...]:
    """Round values that enclose the range, about `wanted` steps apart (1, 2, 2.5 or 5 times a power of ten)."""
    span = highest - lowest or abs(highest) or ONE
    rough = span / wanted
    power = Decimal(1).scaleb(rough.adjusted())
    step = next(factor * power for factor in map(Decimal, ("1", "2", "2.5", "5", "10")) if factor * power >= rough)
    first = (lowest / step).to_integral_value("ROUND_FLOOR")
    last = max(first + 1, (highest / step).to_integral_value(ROUND_CEILING))
    return tuple((first + number) * step for number in range(int(last - first) + 1))


def bars_and_line(
    labels: Sequence[str],
    bars: Sequence[Decimal],
    line: Sequence[Decimal | None] = (),
    *,
    titles: Sequence[str],
    unit: str = "",
    tones: Sequence[str] = (),
) -> Chart:
    """Bars side by side, one a label, with an optional line over them; negative bars hang from zero."""
    known = [value for value in (*bars, *line, Decimal(0)) if value is not None]
    steps = round_steps(min(known), max(known))
    scale = Scale(steps[0], steps[-1], HEIGHT - BOTTOM, TOP)
    slot = max(1, (WIDTH - LEFT - RIGHT) // max(1, len(bars)))
    zero, gap = scale(0), max(1, slot // 6)
    drawn = tuple(
        Bar(
            LEFT + slot * position + gap,
            min(zero, end),
            max(1, slot - 2 * gap),
            max(1, abs(zero - end)),
            titles[position],
            tones[position] if tones else "",
        )
        for position, end in enumerate(map(scale, bars))
    )
    points = tuple(
        Point(LEFT + slot * position + slot // 2, scale(value), titles[position])
        for position, value in enumerate(line)
        if value is not None
    )
    every = max(1, -(-len(labels) // 12))
    x_ticks = tuple(
        Tick(LEFT + slot * position + slot // 2, label)
        for position, label in enumerate(labels)
        if position % every == 0
    )
    path = "".join(f"{'L' if position else 'M'}{point.x} {point.y}" for position, point in enumerate(points))
    return Chart(drawn, points, path, x_ticks, _y_ticks(steps, scale, unit), zero)


def steps_over_time(prices: Sequence[tuple[date, Decimal, str]], until: date) -> Chart:
    """A line of steps: each value holds from its day to the next one's, the last to `until`."""
    values = [value for _, value, _ in prices]
    low, high = min(values), max(values)
    margin = (high - low) / 5 or abs(high) / 10 or ONE
    steps = round_steps(max(Decimal(0), low - margin), high + margin)
    scale = Scale(steps[0], steps[-1], HEIGHT - BOTTOM, TOP)
    first = prices[0][0]
    end = max(until, prices[-1][0])
    across = Scale(Decimal(first.toordinal()), Decimal(end.toordinal()), LEFT, WIDTH - RIGHT)
    points = tuple(Point(across(day.toordinal()), scale(value), title) for day, value, title in prices)
    path = "".join(
        (f"H{point.x}V{point.y}" if position else f"M{point.x} {point.y}") for position, point in enumerate(points)
    )
    ticks = _spread([Tick(point.x, formats.month(day)) for point, (day, _, _) in zip(points, prices, strict=True)])
    return Chart((), points, f"{path}H{WIDTH - RIGHT}", ticks, _y_ticks(steps, scale, ""), HEIGHT - BOTTOM)


def _y_ticks(steps: Sequence[Decimal], scale: Scale, unit: str) -> tuple[Tick, ...]:
    return tuple(Tick(scale(value), f"{_short(value)}{unit}") for value in steps)


def _short(value: Decimal) -> str:
    """Write an axis' figure: `1.500`, `20 mil`, `1,5 mi`."""
    if abs(value) >= 1_000_000:
        return f"{formats.decimal((value / 1_000_000).normalize())}\N{NO-BREAK SPACE}mi"
    if abs(value) >= 10_000:
        return f"{formats.decimal((value / 1000).normalize())}\N{NO-BREAK SPACE}mil"
    return formats.decimal(value.normalize())


def _spread(ticks: Sequence[Tick], gap: int = 56) -> tuple[Tick, ...]:
    """Leave out labels that would touch the one before."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.at - kept[-1].at >= gap:
            kept.append(tick)
    return tuple(kept)
