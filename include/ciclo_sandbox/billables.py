"""What an invoice and a rule share: their plain fields, services, receivables, and how they are paid.

A field that the request names is cast and set, one that it does not name stays as it is. Of a nested list, an entry
without `id` is added, one with `id` is changed, one with `id` and `_destroy` goes. Values are units x unit_value,
rounded once, half up to cents.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import BLANK, NOT_LISTED, NOT_NUMERIC, Json, NotFoundRefusal
from ciclo_sandbox.models import PaymentInformation, Receivable
from ciclo_sandbox.storage import Documents

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
        number = parsing.identifier(entry.get("id"))
        if parsing.boolean(entry.get("_destroy")):
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
        units = parsing.decimal(entry["units"] if "units" in entry else line.get("units"))
        unit_value = parsing.decimal(entry["unit_value"] if "unit_value" in entry else line.get("unit_value"))
        item_id = parsing.identifier(
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
            "unit_value": parsing.amount(unit_value),
            "units": parsing.amount(units),
            "value": parsing.amount(parsing.cents(units * unit_value)),
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
    given = parsing.text(entry.get("description"))
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
        due = parsing.day(entry["due_date"] if "due_date" in entry else line.get("due_date"))
        if due is None:
            errors["receivables.due_date"] = BLANK
        fresh = (
            line
            or Receivable(
                id=account.sequences.next("receivables"), created_at=account.clock.stamp(), state=state, value="100.0"
            ).model_dump()
        )
        fresh = fresh | {"due_date": parsing.brazilian(due)}
        for field in ("value", "gross_value"):
            if parsing.filled(entry.get(field)) is not None:
                share = parsing.decimal(entry[field])
                if share is None:
                    errors[f"receivables.{field}"] = NOT_NUMERIC
                else:
                    fresh["value" if field == "value" else _MONEY] = parsing.amount(share)
        if parsing.filled(entry.get("value")) is not None:
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
                line |= {"gross_value": part, "value": parsing.amount(share)}
        return True
    total = sum((Decimal(line["value"] or 0) for line in receivables), Decimal(0))
    if abs(total - parsing.HUNDRED) >= _TOLERANCE:
        errors["receivables"] = NOT_TOTAL
    return False


def _percentages(parts: Sequence[Decimal]) -> Iterator[Decimal]:
    """Yield the parts in per cent of their sum, with four decimals; the last takes what rounding leaves."""
    whole, left = sum(parts), parsing.HUNDRED
    for part in parts[:-1]:
        share = (part * parsing.HUNDRED / whole).quantize(_FINEST) if whole else Decimal(0)
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
        part = parsing.cents(whole * Decimal(line["value"] or 0) / parsing.HUNDRED)
        left -= part
        yield parsing.amount(part)
    if receivables:
        yield parsing.amount(left)


MANAGEMENT_TYPES: Final = ("manual", "automatic")
# pjbank is in no list of the documents, but in their templates.
PAYMENT_METHODS: Final = ("billet", "payment_gateway", "transfer", "pjbank")

_CASTS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    # what the request calls it: (what the answer calls it, how it is read)
    "description": ("description", parsing.text),
    "nfe_body": ("nfe_body", parsing.text),
    "comments": ("comments", parsing.text),
    "number": ("number", parsing.filled),
    "nfse_service": ("nfe_service", parsing.filled),
    "nfse_verification": ("nfe_verification", parsing.filled),
    "management_type": ("management_type", parsing.filled),
    "emites_service_values_id": ("emites_service_values_id", parsing.integer),
    "emites_service_value_name": ("emites_service_value_name", parsing.text),
    "nfse_template_id": ("nfse_template_id", parsing.integer),
    "issue_nfse": ("issue_nfse", lambda given: bool(parsing.boolean(given))),
    "finance_category": ("finance_category", parsing.text),
    "finance_category_id": ("finance_category_id", parsing.integer),
    "finance_revenue_center": ("finance_revenue_center", parsing.text),
    "finance_revenue_center_id": ("finance_revenue_center_id", parsing.integer),
    "myfinance_sale_account_id": ("myfinance_sale_account_id", parsing.integer),
    "myfinance_sale_account_name": ("myfinance_sale_account_name", parsing.text),
    "cobrato_charge_config_id": ("cobrato_charge_config_id", parsing.integer),
    "cobrato_charge_config_name": ("cobrato_charge_config_name", parsing.text),
    "cobrato_charge_template_id": ("cobrato_charge_template_id", parsing.integer),
    "cobrato_charge_template_name": ("cobrato_charge_template_name", parsing.text),
    "days_until_automatic_nfe_emission": ("days_until_automatic_nfe_emission", parsing.integer),
    "automatic_email_template_id": ("automatic_email_template_id", parsing.integer),
    "notification_ruler_id": ("notification_ruler_id", parsing.integer),
}


# Sent blank, these were answered blank in 2018 and are null since (as printed in 2025).
_NULL_WHEN_BLANK: Final = frozenset({
    "finance_category", "finance_revenue_center", "emites_service_value_name", "myfinance_sale_account_name",
    "cobrato_charge_config_name",
})  # fmt: skip


def asked_of(account: Account, named: Json) -> Json:
    """Return what a request names, with the blanks that are null by now, or the default."""
    if account.behaviour.shape == 2018:
        return named
    blank = {field for field in (*_NULL_WHEN_BLANK, "management_type") if parsing.filled(named.get(field, "-")) is None}
    return named | dict.fromkeys(blank) | ({"management_type": "manual"} if "management_type" in blank else {})


def refuse_unknown(known: Documents) -> None:
    """Refuse what is not among `known`, unless that is empty: a state that says nothing of a kind takes any.

    Raises:
        NotFoundRefusal: There are others of its kind.
    """
    if next(known.every(), None) is not None:
        raise NotFoundRefusal


def blank_billable(account: Account, contract: Json, number: int) -> Json:
    """Return the fields that an invoice and a rule begin with, before the request says anything."""
    return {
        "id": number,
        "contract_id": contract["id"],
        "issue_date": None,
        "estimated_issue_date": None,
        "gross_value": None,
        "payment_value": None,
        "description": None,
        "state": "to_emit",
        "cancelled_automatically": False,
        "nfe_service": None,
        "nfe_verification": None,
        "nfe_issue_date": None,
        "nfe_body": None,
        "nfe_issued": False,
        "number": None,
        "created_at": account.clock.stamp(),
        "management_type": "manual",
        "accrual_date": None,
        "comments": None,
        "customer_id": contract["customer_id"],
        "customer_type": contract["customer_type"],
        "emites_service_values_id": None,
        "emites_service_value_name": None,
        "nfse_template_id": None,
        "finance_category": None,
        "finance_category_id": None,
        "finance_revenue_center": None,
        "finance_revenue_center_id": None,
        "myfinance_sale_account_id": None,
        "myfinance_sale_account_name": None,
        "cobrato_charge_config_id": None,
        "cobrato_charge_config_name": None,
        "cobrato_charge_template_id": None,
        "cobrato_charge_template_name": None,
        "days_until_automatic_nfe_emission": 0,
        "automatic_nfe_issue_date": None,
        "automatic_email_template_id": None,
        "approval_status": "approved",
        "notification_ruler_id": None,
        "issue_nfse": False,
        "receivables": [],
        "services": [],
        "attachments": [],
        "payment_information": None,
    }


def assign(account: Account, document: Json, params: Json, errors: Errors, *, creating: bool) -> None:
    """Set the plain fields that the request names, and note what is wrong with them (all of them, when creating).

    Raises:
        NotFoundRefusal: The e-mail template is not in the account (one that knows none takes any).
    """
    asked = _CASTS if creating else params
    for name, (field, cast) in _CASTS.items():
        if name in params:
            document[field] = cast(params[name])
    template = document["automatic_email_template_id"]
    if "automatic_email_template_id" in params and template and account.email_templates.peek(template) is None:
        refuse_unknown(account.email_templates)
    for field in ("description", "nfe_body"):
        if field in asked and not parsing.filled(document[field]):
            errors[field] = BLANK
    if "management_type" in asked or "automatic_email_template_id" in asked:
        _check_management(document, errors)
    if document["days_until_automatic_nfe_emission"] is None:
        document["days_until_automatic_nfe_emission"] = 0
        if parsing.filled(params.get("days_until_automatic_nfe_emission")):
            errors["days_until_automatic_nfe_emission"] = NOT_NUMERIC


def _check_management(document: Json, errors: Errors) -> None:
    if document["management_type"] not in (None, *MANAGEMENT_TYPES):
        errors["management_type"] = NOT_LISTED
    if document["management_type"] == "automatic" and document["automatic_email_template_id"] is None:
        errors["automatic_email_template_id"] = BLANK


def set_gross_value(document: Json, params: Json, errors: Errors) -> None:
    """Set the gross value: the sum of the services; without any, what the request gives, else what it was."""
    if services := document["services"]:
        if not any(path.startswith("services.") for path in errors):
            document["gross_value"] = parsing.amount(sum((Decimal(line["value"]) for line in services), Decimal(0)))
        return
    given = parsing.decimal(params["gross_value"] if "gross_value" in params else document["gross_value"])
    if given is None:
        errors["gross_value"] = NOT_NUMERIC
    else:
        document["gross_value"] = parsing.amount(parsing.cents(given))


def assign_payment_information(account: Account, document: Json, given: Any, errors: Errors, installments: int) -> None:
    """Set how a document is paid: sent with its id, changed; sent without, replaced by a new one (as printed).

    `installments` is what answers of 2018 say for a boleto; since 2019 that is null.
    """
    params: Json = given if isinstance(given, dict) else {}
    payment = document["payment_information"]
    if payment is None or (isinstance(given, dict) and parsing.identifier(given.get("id")) is None):
        payment = PaymentInformation(
            id=account.sequences.next("payment_information"),
            installments=installments or None if account.behaviour.shape == 2018 else None,
            created_at=account.clock.stamp(),
        ).model_dump()
    for field in ("financial_charge_template_id", "financial_account_id"):
        if field in params:
            payment[field] = parsing.identifier(params[field])
    if "charging_account_id" in params:
        payment["charging_account_id"] = parsing.filled(params["charging_account_id"])
    assign_payment(payment, params, errors)
    document["payment_information"] = payment


def assign_payment(payment: Json, params: Json, errors: Errors) -> None:
    """Set the payment method and the installments, which only a card has (null means one)."""
    method = parsing.filled(params.get("payment_method", payment["payment_method"])) or "billet"
    payment["payment_method"] = method
    if method not in PAYMENT_METHODS:
        errors["payment_information.payment_method"] = NOT_LISTED
    if method == "payment_gateway":
        given = params.get("installments", payment["installments"])
        payment["installments"] = 1 if given is None else parsing.integer(given)
        if (payment["installments"] or 0) < 1:
            errors["payment_information.installments"] = "deve ser maior ou igual a 1"
