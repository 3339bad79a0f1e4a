"""A rule's terms: its schedule, its due dates, and its scheduled updates (readjustments by a price index).

Sent with its `id`, a nested object changes what it names; sent without, it replaces the one before.
"""

from collections.abc import Callable, Container, Sequence
from datetime import date, timedelta
from typing import Any, Final

from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import BLANK, INVALID, NOT_LISTED, NOT_NUMERIC, Json
from ciclo_sandbox.billables import Errors, merged

PERIODICITIES: Final = (1, 2, 3, 6, 12)
_PERIOD_UNITS: Final = {None: "monthly", "0": "monthly", "monthly": "monthly", "1": "weekly", "weekly": "weekly"}
_ACCRUALS: Final = {
    None: "same_month", "0": "same_month", "same_month": "same_month", "1": "previous_month",
    "previous_month": "previous_month", "2": "next_month", "next_month": "next_month",
}  # fmt: skip
_LONGEST: Final = {"monthly": (5, "deve ser no máximo 5 (cinco) anos"), "weekly": (1, "deve ser no máximo 1 (um) ano")}
NOT_POSITIVE: Final = "o valor deve ser maior do que zero"
_CHARGED_BY: Final = {
    "fixed_day": ("day_number",),
    "last_day_of_month": (),
    "day_quantity": ("day_quantity",),
    "fixed_day_and_month_quantity": ("day_number", "month_quantity"),
}


def assemble_schedule(account: Account, rule: Json, given: Any, errors: Errors) -> None:
    """Apply the request's `additional_information` to a rule."""
    if not isinstance(given, dict):
        return
    current = rule["additional_information"]
    changes_it = current is not None and parsing.identifier(given.get("id")) is not None
    schedule = dict(current) if changes_it else _blank_schedule(account)
    _assign_schedule(schedule, given, errors)
    _check_schedule(schedule, given if changes_it else schedule, errors)
    _check_span(schedule, errors, exactly="init_date" in given or "end_date" in given)
    rule["additional_information"] = schedule


def _blank_schedule(account: Account) -> Json:
    return {
        "id": account.sequences.next("additional_information"),
        "init_date": None,
        "title": None,
        "period_unit": "monthly",
        "month_quantity": None,
        "end_date": None,
        "created_at": account.clock.stamp(),
        "accrual_month_quantity": "same_month",
    }


def _assign_schedule(schedule: Json, given: Json, errors: Errors) -> None:
    for field in ("init_date", "end_date"):
        if field in given:
            schedule[field] = parsing.iso(parsing.day(given[field]))
    if "title" in given:
        schedule["title"] = parsing.text(given["title"])
    if "month_quantity" in given:
        schedule["month_quantity"] = parsing.integer(given["month_quantity"])
    for field, known in (("period_unit", _PERIOD_UNITS), ("accrual_month_quantity", _ACCRUALS)):
        if field in given:
            schedule[field] = known.get(parsing.filled(given[field]))
            if schedule[field] is None:
                errors[f"additional_information.{field}"] = NOT_LISTED


def _check_schedule(schedule: Json, named: Json, errors: Errors) -> None:
    if "title" in named and not parsing.filled(schedule["title"]):
        errors["additional_information.title"] = BLANK
    if "init_date" in named and schedule["init_date"] is None:
        errors["additional_information.init_date"] = BLANK
    if schedule["period_unit"] == "weekly":
        schedule["month_quantity"] = None
    elif schedule["month_quantity"] not in PERIODICITIES:
        errors["additional_information.month_quantity"] = "valor deve ser 1, 2, 3, 6 ou 12 (em meses)"


def _check_span(schedule: Json, errors: Errors, *, exactly: bool) -> None:
    # On record, a rule of thirteen months became weekly, which may span one year: where the request sets neither end,
    # whole years count.
    first, last = parsing.day(schedule["init_date"]), parsing.day(schedule["end_date"])
    if first and last and schedule["period_unit"] in _LONGEST:
        years, refusal = _LONGEST[schedule["period_unit"]]
        if last > _years_later(first, years) if exactly else last >= _years_later(first, years + 1):
            errors["additional_information.periodicity"] = refusal


def _years_later(first: date, years: int) -> date:
    if first.year + years > date.max.year:
        return date.max
    if (first.month, first.day) == (2, 29):
        return date(first.year + years, 2, 28)
    return first.replace(year=first.year + years)


def assemble_due_dates(
    account: Account, rule: Json, given: Json | None, charge_type: str | None, errors: Errors
) -> None:
    """Apply the request's `charge_type` and `receivables_additional_information` to a rule."""
    current = rule["receivables_additional_information"]
    if given is None and charge_type is None and current is not None:
        return
    changes_it = current is not None and (given is None or parsing.identifier(given.get("id")) is not None)
    due = dict(current) if changes_it else _blank_due_dates(account, rule, charge_type)
    _assign_due_dates(due, given or {})
    if charge_type:
        _check_due_dates(due, charge_type, errors)
    if changes_it:
        due["updated_at"] = account.clock.iso_stamp()
    rule["receivables_additional_information"] = due


def _blank_due_dates(account: Account, rule: Json, charge_type: str | None) -> Json:
    stamp = account.clock.iso_stamp()
    return {
        "id": account.sequences.next("receivables_additional_information"),
        "day_number": None,
        "parcel_number": None,
        "invoice_rule_id": rule["id"],
        "created_at": stamp,
        "updated_at": stamp,
        "day_quantity": None,
        "month_quantity": None,
        # On record, nobody's choice is null for a number of days and false for every other charge type.
        "only_business_days": None if charge_type == "day_quantity" else False,
    }


def _assign_due_dates(due: Json, given: Json) -> None:
    for field in ("day_number", "day_quantity", "month_quantity", "parcel_number"):
        if field in given:
            due[field] = parsing.integer(given[field])
    if "only_business_days" in given:
        due["only_business_days"] = parsing.boolean(given["only_business_days"])


def _check_due_dates(due: Json, charge_type: str, errors: Errors) -> None:
    for field in ("day_number", "day_quantity", "month_quantity"):
        if field not in _CHARGED_BY[charge_type]:
            due[field] = None
        elif (due[field] or 0) <= 0:
            errors[f"receivables_additional_information.{field}"] = NOT_POSITIVE
    if (due["day_number"] or 0) > 31:
        errors["receivables_additional_information.day_number"] = "deve ser menor ou igual a 31"
    if due["parcel_number"] is not None and due["parcel_number"] <= 0:
        errors["receivables_additional_information.parcel_number"] = NOT_POSITIVE


PRICE_INDICES: Final = ("igpm", "ipca", "igpdi", "inpc", "ipcfipe")
_PATH: Final = "scheduled_updates."
_EARLIEST: Final = date(2000, 1, 1)
_LARGEST_NUMBER: Final = 3650


def left_open(rule: Json) -> set[tuple[int, int]]:
    """Return ids of updates with their service items that none of a rule's services is known to be.

    A rule of the state may have them, since the answer of a service tells its name alone.
    """
    items = {line.get("service_item_id") for line in rule["services"]}
    named = {(update["id"], update["service_item_id"]) for update in rule["scheduled_updates"]}
    return {(number, item) for number, item in named if item is not None and item not in items}


def assemble_updates(
    account: Account,
    rule: Json,
    changes: Sequence[Json],
    errors: Errors,
    *,
    at_once: bool = False,
    forgiven: Container[tuple[int, int]] = (),
) -> None:
    """Apply the request's `scheduled_updates` to a rule and check them against its services, but for the `forgiven`.

    On record, numbers and dates are looked at first, and index and service only once those can be read; in a rule from
    a template everything that is wrong is told `at_once`.
    """
    updates = merged(rule["scheduled_updates"], changes, _filler(account, rule, errors, at_once=at_once))
    rule["scheduled_updates"] = updates
    unread = (f"{_PATH}{field}" in errors for field in ("month_quantity", "days_until_update", "init_date"))
    if at_once or not any(unread):
        _check_services(rule, errors, forgiven)


def _check_services(rule: Json, errors: Errors, forgiven: Container[tuple[int, int]]) -> None:
    updates = rule["scheduled_updates"]
    if any(each not in forgiven for each in left_open(rule)):
        errors["scheduled_updates.service_item_id"] = "deve estar entre os serviços da regra recorrente"
    if sum(update["service_item_id"] is None for update in updates) > 1:
        errors["scheduled_updates.service_item_id"] = "não pode ter mais de um reajuste sem serviço"


def _filler(account: Account, rule: Json, errors: Errors, *, at_once: bool) -> Callable[[Json, Json], Json]:
    def fill(line: Json, entry: Json) -> Json:
        update = dict(line) or _blank_update(account, rule)
        before = update["init_date"]
        _assign_update(update, entry)
        _check_update(update, entry if line else update, errors, at_once=at_once)
        if update["init_date"] != before:
            update["execution_date"] = update["init_date"]
        execution, notice = parsing.day(update["execution_date"]), update["days_until_update"]
        if execution and notice is not None and 0 <= notice <= _LARGEST_NUMBER:
            update["remind_at"] = parsing.iso(execution - timedelta(days=notice))
        update["updated_at"] = account.clock.iso_stamp() if line else update["created_at"]
        return update

    return fill


def _blank_update(account: Account, rule: Json) -> Json:
    return {
        "id": account.sequences.next("scheduled_updates"),
        "invoice_rule_id": rule["id"],
        "execution_date": None,
        "month_quantity": None,
        "price_index": None,
        "created_at": account.clock.iso_stamp(),
        "updated_at": None,
        "init_date": None,
        "days_until_update": None,
        "remind_at": None,
        "notified": False,
        "service_item_id": None,
        "invoice_template_id": None,
    }


def _assign_update(update: Json, entry: Json) -> None:
    for field in ("month_quantity", "days_until_update", "service_item_id"):
        if field in entry:
            update[field] = parsing.integer(entry[field])
    if "price_index" in entry:
        update["price_index"] = parsing.filled(entry["price_index"])
    if "init_date" in entry:
        update["init_date"] = parsing.iso(parsing.day(entry["init_date"]))


def _check_update(update: Json, named: Json, errors: Errors, *, at_once: bool) -> None:
    first = parsing.day(update["init_date"])
    found = {
        "month_quantity": _number_error(update["month_quantity"], 1, NOT_POSITIVE),
        "days_until_update": _number_error(update["days_until_update"], 0, INVALID),
        "init_date": "deve ser a partir de 01/01/2000" if first is None or first < _EARLIEST else None,
    }
    wrong = {field: error for field, error in found.items() if error and field in named}
    if (at_once or not wrong) and "price_index" in named and update["price_index"] not in PRICE_INDICES:
        wrong["price_index"] = BLANK if update["price_index"] is None else NOT_LISTED
    errors.update({_PATH + field: error for field, error in wrong.items()})


def _number_error(number: int | None, least: int, too_small: str) -> str | None:
    if number is None:
        return NOT_NUMERIC
    if number < least:
        return too_small
    return None if number <= _LARGEST_NUMBER else INVALID
