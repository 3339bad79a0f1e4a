"""Invoice rules: list, create whole or from a template, change, remove.

The rule: an invalid rule is refused with every message at once, by the dotted path of its field.
"""

from typing import Final

from ciclo_sandbox import billables, casting, lines
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import (
    BLANK,
    NOT_LISTED,
    Answer,
    Json,
    NotFoundRefusal,
    Request,
    ValidationRefusal,
    collection,
    entries,
    ok,
)
from ciclo_sandbox.rule_schedule import assemble_due_dates, assemble_schedule
from ciclo_sandbox.rule_template import from_template
from ciclo_sandbox.scheduled_updates import assemble_updates
from ciclo_sandbox.storage import INVOICE_RULES

_FLAGS: Final = ("notify_customer", "apply_negative_updates")


def index(account: Account, request: Request) -> Answer:
    """List the rules of a contract."""
    contract = account.contract(request.ids["contract_id"])
    return collection("invoice_rules", account.rules.answers(INVOICE_RULES.c.contract_id == contract["id"]))


def create(account: Account, request: Request) -> Answer:
    """Create a rule, whole or from a template."""
    contract = account.contract(request.ids["contract_id"])
    params = request.params("invoice_rule")
    if casting.filled(params.get("invoice_template_id")):
        params = from_template(account, contract, params)
    rule = billables.blank_billable(account, contract, account.sequences.next("invoice_rules"))
    rule |= {"notify_customer": False, "apply_negative_updates": False, "payment_information": None}
    rule |= {"additional_information": None, "scheduled_updates": [], "receivables_additional_information": None}
    errors: lines.Errors = {}
    if params.get("approval_status") == "blocked":
        rule["approval_status"] = "blocked"
    _assign(account, rule, params, errors, creating=True)
    if not errors and rule["additional_information"] is None:
        # On record, a rule wrong in its own fields is not told about the missing ones of its schedule.
        errors = {"additional_information.title": BLANK, "additional_information.init_date": BLANK}
    if errors:
        raise ValidationRefusal(errors)
    return ok("invoice_rule", account.rules.add(rule), status=201)


def update(account: Account, request: Request) -> Answer:
    """Change a rule: what the request names, nested objects partially when they carry their id."""
    rule = _find(account, request)
    errors: lines.Errors = {}
    _assign(account, rule, request.params("invoice_rule"), errors, creating=False)
    if errors:
        raise ValidationRefusal(errors)
    return ok("invoice_rule", account.rules.change(rule))


def destroy(account: Account, request: Request) -> Answer:
    """Remove a rule; its invoices stay."""
    account.rules.remove(_find(account, request)["id"])
    return Answer(204)


def _find(account: Account, request: Request) -> Json:
    contract = account.contract(request.ids["contract_id"])
    rule = account.rules.get(request.ids["id"])
    if rule is None or rule["contract_id"] != contract["id"]:
        raise NotFoundRefusal
    return rule


def _assign(account: Account, rule: Json, params: Json, errors: lines.Errors, *, creating: bool) -> None:
    before = rule["gross_value"]
    billables.assign(rule, params, errors, creating=creating)
    for flag in _FLAGS:
        if flag in params:
            rule[flag] = bool(casting.boolean(params[flag]))
    fill = lines.service_filler(account, errors)
    rule["services"] = lines.merged(rule["services"], entries(params.get("services")), fill)
    billables.set_gross_value(rule, params, errors)
    if creating or (rule["payment_value"] is not None and rule["gross_value"] != before):
        rule["payment_value"] = rule["gross_value"]
    _assign_charge(account, rule, params, errors)
    assemble_schedule(account, rule, params.get("additional_information"), errors)
    assemble_updates(account, rule, entries(params.get("scheduled_updates")), errors)
    _assign_payment(account, rule, params.get("payment_information"), errors)


def _assign_charge(account: Account, rule: Json, params: Json, errors: lines.Errors) -> None:
    charge_type = casting.filled(params.get("charge_type"))
    if charge_type not in (None, "fixed_day", "last_day_of_month", "day_quantity", "fixed_day_and_month_quantity"):
        errors["charge_type"] = NOT_LISTED
        return
    if charge_type or params.get("template_charge_type"):
        rule["charge_type"] = charge_type or params["template_charge_type"]
    given = params.get("receivables_additional_information")
    assemble_due_dates(account, rule, given if isinstance(given, dict) else None, charge_type, errors)


def _assign_payment(account: Account, rule: Json, given: object, errors: lines.Errors) -> None:
    payment = rule["payment_information"]
    if payment is None or (isinstance(given, dict) and casting.identifier(given.get("id")) is None):
        payment = billables.blank_payment(account, 1)
    billables.assign_payment(payment, given if isinstance(given, dict) else {}, errors)
    rule["payment_information"] = payment
