"""A rule's schedule (`additional_information`) and due dates (`receivables_additional_information`).

The rule: sent with its `id`, a nested object changes what it names; sent without, it replaces the one before.
"""

from datetime import date
from typing import Any, Final

from ciclo_sandbox import casting
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import BLANK, NOT_LISTED, Json
from ciclo_sandbox.lines import Errors

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
    changes_it = current is not None and casting.identifier(given.get("id")) is not None
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
            schedule[field] = casting.iso(casting.day(given[field]))
    if "title" in given:
        schedule["title"] = casting.text(given["title"])
    if "month_quantity" in given:
        schedule["month_quantity"] = casting.integer(given["month_quantity"])
    for field, known in (("period_unit", _PERIOD_UNITS), ("accrual_month_quantity", _ACCRUALS)):
        if field in given:
            schedule[field] = known.get(casting.filled(given[field]))
            if schedule[field] is None:
                errors[f"additional_information.{field}"] = NOT_LISTED


def _check_schedule(schedule: Json, named: Json, errors: Errors) -> None:
    if "title" in named and not casting.filled(schedule["title"]):
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
    first, last = casting.day(schedule["init_date"]), casting.day(schedule["end_date"])
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
    changes_it = current is not None and (given is None or casting.identifier(given.get("id")) is not None)
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
            due[field] = casting.integer(given[field])
    if "only_business_days" in given:
        due["only_business_days"] = casting.boolean(given["only_business_days"])


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
