"""The central bank's SGS API, as far as price indices go, with its bad manners.

The rule: no data is 404 with JSON, an unknown series is 200 with an HTML page, as the real one does.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

import orjson

from ciclo.sgs.series import shipped_series
from ciclo_sandbox import casting
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Answer

PREFIX: Final = "/dados/serie/bcdata.sgs."
CODES: Final = {189: "igpm", 190: "igpdi", 433: "ipca", 188: "inpc", 193: "ipcfipe"}
_UNKNOWN: Final = (
    b"<!DOCTYPE html><html><head><title>SGS</title></head><body><h1>Requisi&ccedil;&atilde;o inv&aacute;lida</h1>"
    b"<p>S&eacute;rie n&atilde;o encontrada.</p></body></html>"
)


def answer(account: Account, path: str, query: Mapping[str, str]) -> Answer:
    """Answer `bcdata.sgs.{code}/dados` (a range) or `…/dados/ultimos/{n}` (the last n)."""
    code, _, rest = path.removeprefix(PREFIX).partition("/")
    index = CODES.get(casting.integer(code) or 0)
    if index is None:
        return Answer(200, _UNKNOWN, b"text/html; charset=utf-8")
    months = sorted(values(account, index).items())
    if rest.startswith("dados/ultimos/"):
        last = casting.identifier(rest.removeprefix("dados/ultimos/")) or 0
        return _listed(months[-last:] if last else [])
    first, until = casting.day(query.get("dataInicial")), casting.day(query.get("dataFinal"))
    return _listed([(m, v) for m, v in months if (first or m) <= m <= (until or m)])


def values(account: Account, index: str) -> dict[date, Decimal]:
    """Return a series by first day of month: the shipped one, with the behaviour's own values laid over it."""
    series = dict(shipped_series()[index])
    for month, value in account.behaviour.price_indices.get(index, {}).items():
        first = date.fromisoformat(f"{month}-01")
        if value is None:
            series.pop(first, None)
        else:
            series[first] = value
    return series


def _listed(months: list[tuple[date, Decimal]]) -> Answer:
    if not months:
        return Answer(404, orjson.dumps({"error": {"detail": "Value(s) not found"}}))
    return Answer(200, orjson.dumps([{"data": casting.brazilian(m), "valor": f"{v:f}"} for m, v in months]))
