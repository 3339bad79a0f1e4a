"""A rule's scheduled updates: readjustments by a price index."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Final

from ciclo_sandbox import casting
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import BLANK, INVALID, NOT_LISTED, NOT_NUMERIC, Json
from ciclo_sandbox.lines import Errors, merged
from ciclo_sandbox.rule_schedule import NOT_POSITIVE

PRICE_INDICES: Final = ("igpm", "ipca", "igpdi", "inpc", "ipcfipe")
_PATH: Final = "scheduled_updates."
_EARLIEST: Final = date(2000, 1, 1)
_LARGEST_NUMBER: Final = 3650


def assemble_updates(
    account: Account, rule: Json, changes: Sequence[Json], errors: Errors, *, at_once: bool = False
) -> None:
    """Apply the request's `scheduled_updates` to a rule and check them against its services.

    On record, numbers and dates are looked at first, and index and service only once those can be read; in a rule from
    a template everything that is wrong is told `at_once`.
    """
    updates = merged(rule["scheduled_updates"], changes, _filler(account, rule, errors, at_once=at_once))
    rule["scheduled_updates"] = updates
    unread = (f"{_PATH}{field}" in errors for field in ("month_quantity", "days_until_update", "init_date"))
    if at_once or not any(unread):
        _check_services(rule, updates, errors)


def _check_services(rule: Json, updates: Sequence[Json], errors: Errors) -> None:
    items = {line.get("service_item_id") for line in rule["services"]}
    if any(update["service_item_id"] not in items for update in updates if update["service_item_id"] is not None):
        errors["scheduled_updates.service_item_id"] = "deve estar entre os serviços da regra recorrente"
    if sum(update["service_item_id"] is None for update in updates) > 1:
        errors["scheduled_updates.service_item_id"] = "não pode ter mais de um reajuste sem serviço"


def _filler(account: Account, rule: Json, errors: Errors, *, at_once: bool) -> Callable[[Json, Json], Json]:
    def fill(line: Json, entry: Json) -> Json:
        update = dict(line) or _blank_update(account, rule)
        before = update["init_date"]
        _assign(update, entry)
        _check(update, entry if line else update, errors, at_once=at_once)
        if update["init_date"] != before:
            update["execution_date"] = update["init_date"]
        _set_reminder(update)
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


def _assign(update: Json, entry: Json) -> None:
    for field in ("month_quantity", "days_until_update", "service_item_id"):
        if field in entry:
            update[field] = casting.integer(entry[field])
    if "price_index" in entry:
        update["price_index"] = casting.filled(entry["price_index"])
    if "init_date" in entry:
        update["init_date"] = casting.iso(casting.day(entry["init_date"]))


def _check(update: Json, named: Json, errors: Errors, *, at_once: bool) -> None:
    found = {
        "month_quantity": _number_error(update["month_quantity"], 1, NOT_POSITIVE),
        "days_until_update": _number_error(update["days_until_update"], 0, INVALID),
        "init_date": _init_date_error(update["init_date"]),
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


def _init_date_error(written: str | None) -> str | None:
    first = casting.day(written)
    return "deve ser a partir de 01/01/2000" if first is None or first < _EARLIEST else None


def _set_reminder(update: Json) -> None:
    execution, notice = casting.day(update["execution_date"]), update["days_until_update"]
    if execution and notice is not None and 0 <= notice <= _LARGEST_NUMBER:
        update["remind_at"] = casting.iso(execution - timedelta(days=notice))
