"""A forecast for people, in their language: lines for a console, a CSV, and a page that prints; and as JSON."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Final

from ciclo.domain.money import ZERO, brl, total
from ciclo.domain.wording import kind_words, month_words, state_words
from ciclo.jobs.rehearsal.forecast import Forecast, Revenue
from ciclo.jobs.reports import ReportsPath, csv_lines, page, write_files
from ciclo.locale import _

NAME: Final = "ciclo-forecast"
SHOWN: Final = 15
"""Things of a kind that the console shows one by one."""

COLUMNS: dict[str, Callable[[Revenue], object]] = {
    "month": lambda each: f"{each.month:%Y-%m}",
    "contract_id": lambda each: each.contract_id,
    "contract": lambda each: each.contract,
    "billed": lambda each: each.billed,
    "stopped": lambda each: each.stopped,
    "what_if": lambda each: each.what_if,
}


def console_lines(forecast: Forecast) -> list[str]:
    """Return the months in a table, then what is to come, what stops and what runs out."""
    days, what_if = forecast.assumed.days, bool(forecast.assumed.what_if)
    head = [_("month"), _("billed"), _("stopped"), *([_("what-if"), _("difference")] if what_if else [])]
    rows = [[month_words(each.month), *_amounts(each, what_if=what_if)] for each in forecast.months()]
    total = Revenue(days.start, 0, "", *_totals(forecast))
    rows.append([_("total"), *_amounts(total, what_if=what_if)])
    lines = ["".join(f"{text:>18}" if at else f"{text:<10}" for at, text in enumerate(row)) for row in (head, *rows)]
    for title, each in _chapters(forecast):
        lines += ["", f"{title}: {len(each)}", *(f"  {line}" for line in each[:SHOWN])]
        if len(each) > SHOWN:
            lines.append("  " + _("… and {number} more").format(number=len(each) - SHOWN))
    return lines


def write_report(forecast: Forecast, folder: ReportsPath) -> list[ReportsPath]:
    """Write page, CSV and JSON under a folder, in place of those before; return where they are.

    Raises:
        OSError: the folder cannot be written to.
    """
    name = f"{NAME}-{forecast.organization_id}-{forecast.assumed.days.start:%Y-%m}"
    texts = {
        ".html": [forecast_page(forecast)],
        ".csv": csv_lines(COLUMNS, forecast.revenue),
        ".json": [json.dumps(forecast.document(), indent=2, ensure_ascii=False)],
    }
    return write_files(folder, name, texts)


def forecast_page(forecast: Forecast) -> str:
    """Return the forecast as one page."""
    months = forecast.months()
    contracts: dict[int, dict[date, Revenue]] = {}
    for each in forecast.revenue:
        contracts.setdefault(each.contract_id, {})[each.month] = each
    billed, stopped, what_if = _totals(forecast)
    return page(
        "ciclo.jobs.rehearsal",
        "forecast.html",
        forecast=forecast,
        months=months,
        contracts=contracts,
        totals={"billed": billed, "stopped": stopped, "what_if": what_if},
        sums={number: total(each.billed for each in rows.values()) for number, rows in contracts.items()},
        names={number: next(iter(rows.values())).contract for number, rows in contracts.items()},
        assumption=_assumption(forecast),
        chapters=list(_chapters(forecast)),
    )


def _totals(forecast: Forecast) -> tuple[Decimal, Decimal, Decimal | None]:
    months = forecast.months()
    what_if = total(each.what_if for each in months) if forecast.assumed.what_if else None
    return total(each.billed for each in months), total(each.stopped for each in months), what_if


def _amounts(each: Revenue, *, what_if: bool) -> list[str]:
    other = each.what_if or ZERO
    return [brl(each.billed), brl(each.stopped), *([brl(other), brl(other - each.billed)] if what_if else [])]


def _assumption(forecast: Forecast) -> str:
    if not forecast.assumed.what_if:
        return _("Index values to come are those of twelve months before.")
    values = {index.label: f"{value:f}".replace(".", ",") for index, value in forecast.assumed.what_if.items()}
    assumed = ", ".join(f"{label} {value} %" for label, value in values.items())
    return _("Index values to come are those of twelve months before; in the what-if, each month: {indices}.").format(
        indices=assumed
    )


def _chapters(forecast: Forecast) -> Iterator[tuple[str, list[str]]]:
    """Yield what is told line by line, under its heading; what there is nothing of is left out."""
    chapters = (
        (_("Readjustments to come"), [_readjustment(each) for each in forecast.readjustments]),
        (_("What would stop, and why"), [_stop(each) for each in forecast.stops]),
        (_("Invoices near enough to be confused"), [_confusable(each) for each in forecast.confusable]),
        (_("Rules that run out"), [_ending(each) for each in forecast.ending]),
        (_("Left out, because it cannot be read"), list(forecast.left_out)),
    )
    yield from ((title, lines) for title, lines in chapters if lines)


def _readjustment(each: dict[str, Any]) -> str:
    prices = "; ".join(f"{brl(Decimal(one['old']))} → {brl(Decimal(one['new']))}" for one in each["prices"])
    others = "; ".join(brl(Decimal(one["new"])) for one in each["what_if_prices"])
    same = [one["new"] for one in each["prices"]] == [one["new"] for one in each["what_if_prices"]]
    return _("{day}, contract {contract}, rule {rule}: {state} {prices}{what_if}").format(
        day=_day(each["execution_date"]),
        contract=each["contract_id"],
        rule=each["rule_id"],
        state=state_words(each["state"]),
        prices=prices,
        what_if=_(" (what-if: {prices})").format(prices=others) if others and not same else "",
    )


def _stop(each: dict[str, Any]) -> str:
    lines = each["message"].splitlines() or [""]
    until = _(" (until {day})").format(day=_day(each["cleared_on"])) if each["cleared_on"] else ""
    return f"{_day(each['shown_on'])}{until}, {kind_words(each['kind'])}: {lines[0]}"


def _confusable(each: dict[str, Any]) -> str:
    alike = {"value": _("the same value"), "description": _("the same description")}[each["alike"]]
    return _("contract {contract}, rules {rules}: invoices of {days} have {alike}").format(
        contract=each["contract_id"],
        rules=", ".join(map(str, each["rule_ids"])) or "?",
        days=", ".join(map(_day, each["planned_dates"])),
        alike=alike,
    ) + (f" ({each['times']} x)" if each["times"] > 1 else "")


def _ending(each: dict[str, Any]) -> str:
    return _("contract {contract}, rule {rule}: last on {day}, then {amount} a month less").format(
        contract=each["contract_id"],
        rule=each["rule_id"],
        day=_day(each["last_planned_date"]),
        amount=brl(Decimal(each["per_month"])),
    )


def _day(written: str) -> str:
    return f"{date.fromisoformat(written):%d/%m/%Y}"
