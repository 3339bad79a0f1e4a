"""The central bank's SGS API, as far as price indices go, with its bad manners.

A month is there from the day on which it is published, by the sandbox's own clock. No data is 404 with JSON, an unknown
series is 200 with an HTML page, as the real one does.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Final

import orjson

from ciclo.sgs.series import shipped_series
from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Answer
from ciclo_sandbox.calendar import add_months

PREFIX: Final = "/dados/serie/bcdata.sgs."
CODES: Final = {189: "igpm", 190: "igpdi", 433: "ipca", 188: "inpc", 193: "ipcfipe"}
_OUT_ON: Final = {"igpm": 1, "ipcfipe": 8, "igpdi": 9, "ipca": 13, "inpc": 13}
"""Day of the next month from which an index's value is available."""
_UNKNOWN: Final = (
    b"<!DOCTYPE html><html><head><title>SGS</title></head><body><h1>Requisi&ccedil;&atilde;o inv&aacute;lida</h1>"
    b"<p>S&eacute;rie n&atilde;o encontrada.</p></body></html>"
)


def answer(account: Account, path: str, query: Mapping[str, str]) -> Answer:
    """Answer `bcdata.sgs.{code}/dados` (a range) or `…/dados/ultimos/{n}` (the last n)."""
    code, _, rest = path.removeprefix(PREFIX).partition("/")
    index = CODES.get(parsing.integer(code) or 0)
    if index is None:
        return Answer(200, _UNKNOWN, b"text/html; charset=utf-8")
    months = sorted(values(account, index).items())
    if rest.startswith("dados/ultimos/"):
        last = parsing.identifier(rest.removeprefix("dados/ultimos/")) or 0
        return _listed(months[-last:] if last else [])
    first, until = parsing.day(query.get("dataInicial")), parsing.day(query.get("dataFinal"))
    return _listed([(m, v) for m, v in months if (first or m) <= m <= (until or m)])


def values(account: Account, index: str) -> dict[date, Decimal]:
    """Return what is published of a series by first day of month, the behaviour's own values laid over it.

    The behaviour's own values are there from the start, so that a value may come early, or be taken back (null).
    """
    last = last_published(index, account.clock.today)
    series = dict(_published(index, last, continued=account.behaviour.continue_series))
    for month, value in account.behaviour.price_indices.get(index, {}).items():
        first = date.fromisoformat(f"{month}-01")
        if value is None:
            series.pop(first, None)
        else:
            series[first] = value
    return series


@lru_cache(maxsize=1024)  # the same through a month, and asked for each day of it
def _published(index: str, last: date, *, continued: bool) -> Mapping[date, Decimal]:
    series = dict(shipped_series()[index])
    while continued and (newest := max(series)) < last:
        series[add_months(newest, 1)] = series[add_months(newest, -11)]
    return {month: value for month, value in series.items() if month <= last}


def last_published(index: str, day: date) -> date:
    """Return the first day of the last month of an index that is out on a day."""
    return add_months(day.replace(day=1), -1 if day.day >= _OUT_ON[index] else -2)


def _listed(months: list[tuple[date, Decimal]]) -> Answer:
    if not months:
        return Answer(404, orjson.dumps({"error": {"detail": "Value(s) not found"}}))
    return Answer(200, orjson.dumps([{"data": parsing.brazilian(m), "valor": f"{v:f}"} for m, v in months]))
