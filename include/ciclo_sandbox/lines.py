"""The nested lists of an invoice or a rule: services and receivables, added, changed and destroyed by one request.

The rule: an entry without `id` is added, one with `id` is changed, one with `id` and `_destroy` goes; what a request
does not name stays. Values are units x unit_value, rounded once, half up to cents.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from ciclo_sandbox import casting
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import BLANK, NOT_NUMERIC, Json, NotFoundRefusal
from ciclo_sandbox.models import Receivable

Errors = dict[str, str]
NOT_TOTAL: Final = "Os vencimentos não totalizam 100%."
# Thirds are written 33.3333: their sum may miss 100 by less than a hundredth.
_TOLERANCE: Final = Decimal("0.01")
_FINEST: Final = Decimal("0.0001")
_MONEY: Final = "money"


def merged(current: Sequence[Json], changes: Sequence[Json], fill: Callable[[Json, Json], Json]) -> list[Json]:
    """Apply a request's entries to a list; `fill(line, entry)` returns the new line.

    Changed lines take the request's order among themselves, new ones come last.

    Raises:
        NotFoundRefusal: An entry names a line that is not there.
    """
    known = {line["id"]: line for line in current}
    changed: dict[int, Json] = {}
    destroyed: set[int] = set()
    added: list[Json] = []
    for entry in changes:
        number = casting.identifier(entry.get("id"))
        if casting.boolean(entry.get("_destroy")):
            destroyed.add(number or 0)
        elif number is None:
            added.append(fill({}, entry))
        elif number in known:
            changed[number] = fill(changed.get(number, known[number]), entry)
        else:
            raise NotFoundRefusal
    in_order = iter(changed.values())
    kept = [next(in_order) if line["id"] in changed else line for line in current]
    return [line for line in kept if line["id"] not in destroyed] + added


def service_filler(account: Account, errors: Errors, *, at_once: bool = False) -> Callable[[Json, Json], Json]:
    """Return the function that makes a service line of an entry, noting what is wrong with it in `errors`.

    On record, numbers are looked at first and the service item only once they can be read; in a rule from a template
    everything that is wrong is told `at_once`.
    """

    def fill(line: Json, entry: Json) -> Json:
        units = casting.decimal(entry["units"] if "units" in entry else line.get("units"))
        unit_value = casting.decimal(entry["unit_value"] if "unit_value" in entry else line.get("unit_value"))
        item_id = casting.identifier(
            entry["service_item_id"] if "service_item_id" in entry else line.get("service_item_id")
        )
        item = account.service_items.peek(item_id)
        _check_service(units, unit_value, item, errors, at_once=at_once)
        if units is None or unit_value is None or item is None:
            return line | {"id": line.get("id") or 0}
        return {
            "id": line.get("id") or account.sequences.next("services"),
            "name": item["name"],
            "description": _described(line, entry, item),
            "unit_value": casting.amount(unit_value),
            "units": casting.amount(units),
            "value": casting.amount(casting.cents(units * unit_value)),
            "service_item_id": item_id,
        }

    return fill


def _check_service(
    units: Decimal | None, unit_value: Decimal | None, item: Json | None, errors: Errors, *, at_once: bool
) -> None:
    if units is None:
        errors["services.units"] = NOT_NUMERIC
    if unit_value is None:
        errors["services.unit_value"] = NOT_NUMERIC
    if item is None and (at_once or (units is not None and unit_value is not None)):
        errors["services.service_item"] = f"{BLANK}."


def _described(line: Json, entry: Json, item: Json) -> str | None:
    given = casting.text(entry.get("description"))
    if given is not None:
        return given
    same_item = line.get("service_item_id") == item["id"]
    described: str | None = line.get("description") if same_item else item["description"]
    return described


def receivable_filler(account: Account, errors: Errors, *, state: str) -> Callable[[Json, Json], Json]:
    """Return the function that makes a receivable of an entry.

    Its share is a percentage (`value`, which wins) or money (`gross_value`, kept as such until `check_total`); a new
    one with neither means 100 per cent.
    """

    def fill(line: Json, entry: Json) -> Json:
        due = casting.day(entry["due_date"] if "due_date" in entry else line.get("due_date"))
        if due is None:
            errors["receivables.due_date"] = BLANK
        fresh = (
            line
            or Receivable(
                id=account.sequences.next("receivables"), created_at=account.clock.stamp(), state=state, value="100.0"
            ).model_dump()
        )
        fresh = fresh | {"due_date": casting.brazilian(due)}
        for field in ("value", "gross_value"):
            if casting.filled(entry.get(field)) is not None:
                share = casting.decimal(entry[field])
                if share is None:
                    errors[f"receivables.{field}"] = NOT_NUMERIC
                else:
                    fresh["value" if field == "value" else _MONEY] = casting.amount(share)
        if casting.filled(entry.get("value")) is not None:
            fresh.pop(_MONEY, None)
        return fresh

    return fill


def check_total(receivables: Sequence[Json], gross_value: str | None, errors: Errors) -> bool:
    """Note when the shares do not total 100 per cent or the gross value; tell whether they are money."""
    if not receivables:
        errors["receivables"] = NOT_TOTAL
    if not receivables or any(path.startswith("receivables.") for path in errors):
        return False
    money = [line.pop(_MONEY, None) for line in receivables]
    if any(part is not None for part in money):
        if any(part is None for part in money):
            errors["receivables.gross_value"] = BLANK
        elif sum(map(Decimal, money)) != Decimal(gross_value or 0):
            errors["receivables"] = NOT_TOTAL
        else:
            shares = list(_percentages([Decimal(part) for part in money]))
            for line, part, share in zip(receivables, money, shares, strict=True):
                line |= {"gross_value": part, "value": casting.amount(share)}
        return True
    total = sum((Decimal(line["value"] or 0) for line in receivables), Decimal(0))
    if abs(total - casting.HUNDRED) >= _TOLERANCE:
        errors["receivables"] = NOT_TOTAL
    return False


def _percentages(parts: Sequence[Decimal]) -> Iterator[Decimal]:
    """Yield the parts in per cent of their sum, with four decimals; the last takes what rounding leaves."""
    whole, left = sum(parts), casting.HUNDRED
    for part in parts[:-1]:
        share = (part * casting.HUNDRED / whole).quantize(_FINEST) if whole else Decimal(0)
        left -= share
        yield share
    yield left


def share_out(invoice: Json, *, by_money: bool = False) -> None:
    """Give each receivable its share of the invoice in money, to cents; the last takes what rounding leaves.

    With `by_money` their gross values were given, and only the payment values are shared out.
    """
    receivables = invoice["receivables"]
    for field in ("gross_value", "payment_value"):
        if by_money and (field == "gross_value" or invoice["payment_value"] == invoice["gross_value"]):
            parts = [line["gross_value"] for line in receivables]
        elif invoice[field] is None:
            parts = [None for _ in receivables]
        else:
            parts = list(_parts(Decimal(invoice[field]), receivables))
        for line, part in zip(receivables, parts, strict=True):
            line[field] = part


def _parts(whole: Decimal, receivables: Sequence[Json]) -> Iterator[str]:
    left = whole
    for line in receivables[:-1]:
        part = casting.cents(whole * Decimal(line["value"] or 0) / casting.HUNDRED)
        left -= part
        yield casting.amount(part)
    if receivables:
        yield casting.amount(left)
