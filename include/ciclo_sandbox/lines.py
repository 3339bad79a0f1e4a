"""The nested lists of an invoice or a rule: services and receivables, added, changed and destroyed by one request.

The rule: an entry without `id` is added, one with `id` is changed, one with `id` and `_destroy` goes; what a request
does not name stays. Values are units x unit_value, rounded once, half up to cents.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from ciclo_sandbox import casting
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import BLANK, NOT_NUMERIC, Json, NotFoundRefusal

Errors = dict[str, str]
NOT_TOTAL: Final = "Os vencimentos não totalizam 100%."
# Thirds are written 33.3333: their sum may miss 100 by less than a hundredth.
_TOLERANCE: Final = Decimal("0.01")


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


def service_filler(account: Account, errors: Errors) -> Callable[[Json, Json], Json]:
    """Return the function that makes a service line of an entry, noting what is wrong with it in `errors`."""

    def fill(line: Json, entry: Json) -> Json:
        units = casting.decimal(entry["units"] if "units" in entry else line.get("units"))
        unit_value = casting.decimal(entry["unit_value"] if "unit_value" in entry else line.get("unit_value"))
        item_id = casting.identifier(
            entry["service_item_id"] if "service_item_id" in entry else line.get("service_item_id")
        )
        item = account.service_items.peek(item_id)
        _check_service(units, unit_value, item, errors)
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


def _check_service(units: Decimal | None, unit_value: Decimal | None, item: Json | None, errors: Errors) -> None:
    # On record, an entry with neither number is refused for its numbers alone; with one of them, for its item too.
    if units is None:
        errors["services.units"] = NOT_NUMERIC
    if unit_value is None:
        errors["services.unit_value"] = NOT_NUMERIC
    if item is None and not (units is None and unit_value is None):
        errors["services.service_item"] = f"{BLANK}."


def _described(line: Json, entry: Json, item: Json) -> str | None:
    given = casting.text(entry.get("description"))
    if given is not None:
        return given
    same_item = line.get("service_item_id") == item["id"]
    described: str | None = line.get("description") if same_item else item["description"]
    return described


def receivable_filler(account: Account, errors: Errors, *, state: str) -> Callable[[Json, Json], Json]:
    """Return the function that makes a receivable of an entry; its shares in money are `share_out`'s."""

    def fill(line: Json, entry: Json) -> Json:
        due = casting.day(entry["due_date"] if "due_date" in entry else line.get("due_date"))
        given = entry["value"] if "value" in entry else line.get("value")
        percentage = casting.decimal(given)
        if due is None:
            errors["receivables.due_date"] = BLANK
        if percentage is None and casting.filled(given) is not None:
            errors["receivables.value"] = NOT_NUMERIC
        fresh = line or _new_receivable(account, state)
        return fresh | {
            "due_date": casting.brazilian(due),
            "value": None if percentage is None else casting.amount(percentage),
        }

    return fill


def _new_receivable(account: Account, state: str) -> Json:
    return {
        "id": account.sequences.next("receivables"),
        "invoice_id": None,
        "due_date": None,
        "value": None,
        "gross_value": None,
        "payment_value": None,
        "received_value": None,
        "received_at": None,
        "created_at": account.clock.stamp(),
        "state": state,
        "payment_gateway_status": None,
        "cobrato_charge_id": None,
        "cobrato_errors": None,
        "finance_receivable_id": None,
        "myfinance_sale_id": None,
        "finance_entity_id": None,
        "myfinance_errors": None,
    }


def check_total(receivables: Sequence[Json], errors: Errors) -> None:
    """Note when the percentages do not total 100; a single receivable without one is given 100."""
    if not receivables:
        errors["receivables"] = NOT_TOTAL
    elif len(receivables) == 1 and receivables[0]["value"] is None:
        receivables[0]["value"] = "100.0"
    elif not any(path.startswith("receivables.") for path in errors):
        total = sum((Decimal(line["value"] or 0) for line in receivables), Decimal(0))
        if abs(total - casting.HUNDRED) >= _TOLERANCE:
            errors["receivables"] = NOT_TOTAL


def share_out(receivables: Sequence[Json], field: str, whole: Decimal | None) -> None:
    """Give each receivable its share of `whole` in money, to cents; the last takes what rounding leaves."""
    left = whole
    for line in receivables:
        if whole is None or left is None:
            line[field] = None
            continue
        last = line is receivables[-1]
        part = left if last else casting.cents(whole * Decimal(line["value"] or 0) / casting.HUNDRED)
        left -= part
        line[field] = casting.amount(part)
