"""A readjustment's passport: everything that one execution follows from, in a document that can be checked offline.

It is a JSON object of strings, lists and objects; decimals are strings, dates ISO, months `YYYY-MM`:

    {"passport": "1", "organization_id", "contract_id", "contract", "rule_id", "rule", "scheduled_update_id", "index",
     "policy", "execution_date", "state", "law", "clauses": ["7.2"], "breaks": ["month_used_twice"],
     "months": [{"month", "value", "source", "fetched_at", "revision", "index"?}], "floored",
     "prices": [{"service_id", "service", "old", "new", "ours"?, "factor", "months": [first, last], "terms": […]}],
     "decided": {"by", "at", "basis", "note"} | null, "hash"}

`hash` is the SHA-256 of the rest as JSON with sorted keys and no blanks: it finds any change, and is no signature. So a
check computes everything anew as well, and compares the values with a published series. `factor` is null where the
vendor's own price was adopted and none could be computed: such a passport tells what happened, and does not verify.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ciclo.domain.calendar import add_months
from ciclo.domain.contract_terms import ContractTerm, TermKind, applied
from ciclo.domain.errors import DomainError
from ciclo.domain.money import parse_decimal
from ciclo.domain.price_index import ONE, PriceIndex, accumulate, exact_product, price_index
from ciclo.domain.pricing import new_unit_value
from ciclo.locale import N_, Text

FORMAT = "1"
LAW = "Lei nº 10.192/2001, art. 2º, § 1º"
LONGEST = 120
"""Months of the longest window."""

Document = dict[str, Any]
_SERVES_AS_LENGTH = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a passport found.

    Attributes:
        problems: why it is refused; empty for one that holds.
        unknown: months whose value could not be compared, because the series does not reach them.
    """

    problems: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def sealed(document: Mapping[str, Any]) -> Document:
    """Return a passport with its hash."""
    return {**document, "hash": _hash(document)}


def check(document: Mapping[str, Any], published: Mapping[str, Mapping[date, Decimal]]) -> Verdict:
    """Check a passport: its hash, its values against a series, its factors and prices by computing them again.

    Args:
        document: as read from its file, numbers as strings.
        published: by index name, the variation in per cent of each month.
    """
    if document.get("passport") != FORMAT or not isinstance(document.get("hash"), str):
        return Verdict((str(Text(N_("this is no passport of a readjustment"))),))
    if _hash({name: value for name, value in document.items() if name != "hash"}) != document["hash"]:
        return Verdict((str(Text(N_("its hash is not that of its contents: something was changed"))),))
    try:
        date.fromisoformat(document["execution_date"])
        unknown: list[str] = []
        problems = [*_values(document, published, unknown), *_prices(document)]
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError, DomainError) as error:
        return Verdict((str(Text(N_("it cannot be computed again: {error}"), error=repr(error))),))
    return Verdict(tuple(problems), tuple(unknown))


def _hash(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def _values(
    document: Mapping[str, Any], published: Mapping[str, Mapping[date, Decimal]], unknown: list[str]
) -> Iterator[str]:
    """Yield the values that are not the published ones; note the months of which none is known."""
    used = [(entry.get("index") or document["index"], entry) for entry in document["months"]]
    steps = [step for price in document["prices"] for step in price["terms"]]
    used += [(step["index"], entry) for step in steps for entry in step.get("months", ())]
    for name, entry in used:
        index = price_index(name)
        known = published[index].get(_month(entry["month"]))
        if known is None:
            unknown.append(f"{index.label} {entry['month']}")
        elif known != Decimal(entry["value"]):
            told = {"index": index.label, "month": entry["month"], "value": entry["value"], "published": f"{known:f}"}
            yield str(Text(N_("{index} of {month} is {value} % here and {published} % in the series"), **told))


def _prices(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the prices that do not follow from the months and the terms."""
    if not document["prices"]:
        yield str(Text(N_("it has no price")))
    for price in document["prices"]:
        name = {"service": price["service"] or document["rule"]}
        if price["factor"] is None:
            told = {"old": price["old"], "new": price["new"]}
            yield str(
                Text(N_("{service}: {new} for {old} is the vendor's own price, no factor led to it"), **told, **name)
            )
            continue
        factor = Decimal(price["factor"])
        if not _follows(document, price, factor):
            yield str(Text(N_("{service}: the factor {factor} does not follow"), factor=price["factor"], **name))
        old, new = parse_decimal(price["old"], "old"), parse_decimal(price["new"], "new")
        ours = parse_decimal(price["ours"], "ours") if "ours" in price else new
        computed = new_unit_value(old, factor)
        if computed != ours:
            told = {"old": price["old"], "new": price.get("ours", price["new"]), "computed": f"{computed:f}"}
            yield str(Text(N_("{service}: {old} becomes {computed}, not {new}"), **told, **name))


def _follows(document: Mapping[str, Any], price: Mapping[str, Any], factor: Decimal) -> bool:
    """Whether a factor is what the months make, after the contract's terms and the floor at 1."""
    own = price_index(price.get("index") or document["index"])
    found: dict[date, tuple[PriceIndex, Decimal]] = {}
    for entry in document["months"]:
        month, index = _month(entry["month"]), price_index(entry.get("index") or document["index"])
        if index is own or month not in found:  # else a substitute's, or another price's
            found[month] = index, Decimal(entry["value"])
    first, last = (_month(month) for month in price["months"]) if price["months"] else (date.max, date.min)
    months = [month for month in sorted(found) if first <= month <= last]
    if price["months"] and months != [add_months(first, number) for number in range(len(months))]:
        return False
    if months and months[-1] != last:
        return False
    growths = [accumulate(found[month][0], {month: found[month][1]}, [month]).compounded for month in months]
    reached = exact_product(growths)
    for step in price["terms"]:
        before, after = Decimal(step["before"]), Decimal(step["after"])
        if before != reached and _term(step).kind is not TermKind.NOT_BEFORE:
            return False
        if not any(after == _after(step, before, counted) for counted in _lengths(months)):
            return False
        reached = after
    return factor == (max(reached, ONE) if document["floored"] else reached)


def _lengths(months: Sequence[date]) -> Iterator[Sequence[date]]:
    """Yield the months that a term may count: those of the index; where a percentage stands for it, any number."""
    if months:
        yield months
    else:
        yield from ([_SERVES_AS_LENGTH] * count for count in range(1, LONGEST + 1))


def _after(step: Mapping[str, Any], before: Decimal, months: Sequence[date]) -> Decimal:
    term = _term(step)
    if term.kind is TermKind.NOT_BEFORE:
        return ONE
    values = {_month(entry["month"]): Decimal(entry["value"]) for entry in step.get("months", ())}
    return applied(term, before, lambda _: values, tuple(values) or months)[0]


def _term(step: Mapping[str, Any]) -> ContractTerm:
    return ContractTerm(
        kind=TermKind(step["kind"]),
        effective_from=date.fromisoformat(step["effective_from"]),
        author=step["author"],
        percent=Decimal(step["percent"]) if "percent" in step else None,
        index=PriceIndex(step["index"]) if "index" in step else None,
        day=date.fromisoformat(step["day"]) if "day" in step else None,
        clause=step.get("clause", ""),
    )
