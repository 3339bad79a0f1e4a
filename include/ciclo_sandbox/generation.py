"""What the vendor makes of a rule by itself: its invoices, and what a change of the rule does to them.

Creating a rule creates its invoices in the same request, as at the vendor. No answer names an invoice's rule; the
sandbox keeps it beside the document, under `generated`:

- of an invoice `{"rule_id", "edited"}`: its rule, and the fields that somebody edited by hand,
- of a rule `{"until"}`: the last day up to which invoices were generated.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json
from ciclo_sandbox.calendar import add_months, due_dates, months_between
from ciclo_sandbox.models import Invoice, PaymentInformation, Receivable
from ciclo_sandbox.storage import INVOICES

HORIZON_MONTHS: Final = 24
WEEKLY_HORIZON_MONTHS: Final = 6
_WEEK: Final = timedelta(days=7)
_LAST_DAY: Final = date(9000, 12, 31)  # the due dates of a later one might lie beyond the calendar's end
_ACCRUAL_MONTHS: Final = {"previous_month": -1, "same_month": 0, "next_month": 1}
_PARCEL_UNIT: Final = Decimal("0.0001")
# What an invoice has of its own; every other field that a rule has too is the rule's.
_OWN: Final = frozenset({
    "id", "contract_id", "issue_date", "estimated_issue_date", "accrual_date", "state", "cancelled_automatically",
    "created_at", "number", "comments", "nfe_service", "nfe_verification", "nfe_issued", "nfe_issue_date",
    "automatic_nfe_issue_date", "approval_status", "gross_value", "payment_value", "services", "receivables",
    "attachments", "payment_information",
})  # fmt: skip
_DUE_TERMS: Final = ("day_number", "day_quantity", "month_quantity", "only_business_days", "parcel_number")
_SCHEDULE: Final = ("init_date", "end_date", "period_unit", "month_quantity")


def rule_created(account: Account, rule: Json) -> None:
    """Generate a new rule's invoices, past dates too. Call it once the rule has its id, before it is stored."""
    if not account.behaviour.generate_invoices or not _may_generate(account, rule):
        return
    dates = issue_dates(rule, horizon(rule))
    rule["generated"] = {"until": parsing.iso(horizon(rule))}
    account.invoices.load([new_invoice(account, rule, day, rule["created_at"]) for day in dates])


def rule_changed(account: Account, before: Json, rule: Json) -> None:
    """Carry a rule's change into its invoices that are not yet issued, in place. Call it before the rule is stored."""
    invoices = list(waiting_invoices(account, rule))
    if rule.get("generated") and _schedule(before) != _schedule(rule):
        invoices = _follow_schedule(account, rule, invoices)
    for invoice in invoices:
        was = deepcopy(invoice)
        _carry(account, before, rule, invoice)
        if invoice != was:
            account.invoices.change(invoice)


def rule_deleted(account: Account, rule: Json) -> None:
    """Do with a deleted rule's invoices what the behaviour says."""
    if account.behaviour.on_rule_deleted == "delete_to_emit":
        for invoice in list(waiting_invoices(account, rule)):
            account.invoices.remove(invoice["id"])


def invoice_edited(before: Json, invoice: Json) -> None:
    """Mark what a person changed in a generated invoice. Call it before the invoice is stored."""
    if generated := invoice.get("generated"):
        changed = {field for field in before if field != "generated" and before[field] != invoice.get(field)}
        generated["edited"] = sorted({*generated.get("edited", ()), *changed})


def extend(account: Account, rule: Json) -> None:
    """Generate what an endless rule lacks up to the horizon counted from today; what a person removed stays away.

    A rule of the state counts as generated if the state holds invoices on its dates.
    """
    schedule = rule["additional_information"]
    if not schedule or schedule["end_date"] or not _may_generate(account, rule):
        return
    until = parsing.day((rule.get("generated") or {}).get("until")) or _last_on_record(account, rule)
    if until is None:
        return
    last = horizon(rule, account.clock.today)
    dates = [day for day in issue_dates(rule, last) if day > until]
    if dates:
        rule["generated"] = {"until": parsing.iso(last)}
        account.rules.change(rule)
        account.invoices.load([new_invoice(account, rule, day, account.clock.stamp()) for day in dates])


def waiting_invoices(account: Account, rule: Json) -> Iterator[Json]:
    """Yield the invoices that were generated from a rule and are not yet issued."""
    conditions = (INVOICES.c.contract_id == rule["contract_id"], INVOICES.c.state == "to_emit")
    for invoice in account.invoices.every(*conditions):
        if (invoice.get("generated") or {}).get("rule_id") == rule["id"]:
            yield invoice


def planned_date(invoice: Json) -> date | None:
    """Return the day an invoice was planned for: `estimated_issue_date`, else `issue_date`."""
    return parsing.day(invoice["estimated_issue_date"]) or parsing.day(invoice["issue_date"])


def horizon(rule: Json, start: date | None = None) -> date:
    """Return the last day up to which a rule generates, counted from `start`, or from its `init_date` (as recorded)."""
    schedule = rule["additional_information"] or {}
    first = start or parsing.day(schedule.get("init_date")) or date.min
    months = WEEKLY_HORIZON_MONTHS if schedule.get("period_unit") == "weekly" else HORIZON_MONTHS
    return parsing.day(schedule.get("end_date")) or add_months(first, months)


def issue_dates(rule: Json, until: date) -> list[date]:
    """Return a rule's issue dates up to and including a day; none for a rule that says no period unit that is known."""
    schedule = rule["additional_information"] or {}
    start, unit, months = (
        parsing.day(schedule.get("init_date")),
        schedule.get("period_unit"),
        schedule.get("month_quantity"),
    )
    until = min(until, _LAST_DAY)
    if start is None:
        return []
    if unit == "weekly":
        return [start + _WEEK * week for week in range((until - start) // _WEEK + 1)]
    if unit == "monthly" and months:
        steps = range(months_between(start, until) // months + 1)
        return [day for step in steps if (day := add_months(start, step * months)) <= until]
    return []


def new_invoice(account: Account, rule: Json, day: date, created_at: str) -> Json:
    """Return a rule's invoice of a day, with ids of its own, ready to be stored."""
    invoice = Invoice(id=account.sequences.next("invoices"), contract_id=rule["contract_id"]).model_dump(by_alias=True)
    invoice |= {field: deepcopy(rule[field]) for field in invoice if field in rule and field not in _OWN}
    invoice |= {"created_at": created_at, "gross_value": rule["gross_value"], "payment_value": rule["gross_value"]}
    invoice["issue_date"] = invoice["estimated_issue_date"] = parsing.brazilian(day)
    invoice["accrual_date"] = _accrual(rule, day)
    invoice["services"] = [line | {"id": account.sequences.next("services")} for line in rule["services"]]
    _set_receivables(account, rule, invoice)
    invoice["payment_information"] = PaymentInformation().model_dump()
    invoice["payment_information"] |= {
        "id": account.sequences.next("payment_information"), "created_at": created_at,
    } | _payment(rule)  # fmt: skip
    invoice["generated"] = {"rule_id": rule["id"], "edited": []}
    return invoice


def reprice(account: Account, rule: Json, invoice: Json) -> None:
    """Give an invoice its rule's services and values; due dates and shares stay as they are."""
    kept: dict[int | None, list[int]] = {}
    for line in invoice["services"]:
        kept.setdefault(line.get("service_item_id"), []).append(line["id"])
    invoice["services"] = []
    for line in rule["services"]:
        same = kept.get(line.get("service_item_id"))
        number = same.pop(0) if same else account.sequences.next("services")
        invoice["services"].append(line | {"id": number})
    invoice["gross_value"] = invoice["payment_value"] = rule["gross_value"]
    share_out(invoice)


def _may_generate(account: Account, rule: Json) -> bool:
    contract = account.contracts.peek(rule["contract_id"]) or {}
    return account.behaviour.generate_when_inactive or contract.get("state") != "inactive"


def _schedule(rule: Json) -> tuple[Any, ...]:
    schedule = rule["additional_information"] or {}
    return tuple(schedule.get(field) for field in _SCHEDULE)


def _carry(account: Account, before: Json, rule: Json, invoice: Json) -> None:
    """Carry what differs between two states of a rule into one of its invoices, but for what was edited by hand."""
    edited = frozenset(invoice["generated"]["edited"] if account.behaviour.keep_hand_edits else ())

    def reaches(*fields: str) -> bool:
        return edited.isdisjoint(fields)

    for field in invoice.keys() & rule.keys() - _OWN - {"generated"}:
        if before.get(field) != rule[field] and reaches(field):
            invoice[field] = deepcopy(rule[field])
    if _values(before) != _values(rule) and reaches("services", "gross_value", "payment_value"):
        reprice(account, rule, invoice)
    if _terms(before) != _terms(rule) and reaches("receivables"):
        _set_receivables(account, rule, invoice)
    planned = planned_date(invoice)
    if _accrual_months(before) != _accrual_months(rule) and planned and reaches("accrual_date"):
        invoice["accrual_date"] = _accrual(rule, planned)
    if _payment(before) != _payment(rule) and reaches("payment_information"):
        invoice["payment_information"] |= _payment(rule)


def _values(rule: Json) -> tuple[Any, ...]:
    lines = [{field: value for field, value in line.items() if field != "id"} for line in rule["services"]]
    return rule["gross_value"], lines


def _terms(rule: Json) -> tuple[Any, ...]:
    terms = rule["receivables_additional_information"] or {}
    return rule.get("charge_type"), *(terms.get(field) for field in _DUE_TERMS)


def _payment(rule: Json) -> Json:
    known = PaymentInformation.model_fields.keys() - {"id", "created_at"}
    payment = {field: value for field, value in (rule["payment_information"] or {}).items() if field in known}
    if payment.get("payment_method") != "payment_gateway":
        payment["installments"] = None
    return payment


def _accrual_months(rule: Json) -> int:
    return _ACCRUAL_MONTHS.get((rule["additional_information"] or {}).get("accrual_month_quantity") or "", 0)


def _accrual(rule: Json, day: date) -> str | None:
    return parsing.iso(add_months(day.replace(day=1), _accrual_months(rule)))


def _set_receivables(account: Account, rule: Json, invoice: Json) -> None:
    """Give an invoice the due dates of its rule; receivables that are there keep their ids."""
    terms: Mapping[str, Any] = rule["receivables_additional_information"] or {}
    dues = due_dates(terms, rule.get("charge_type"), planned_date(invoice) or account.clock.today)
    share = (parsing.HUNDRED / len(dues)).quantize(_PARCEL_UNIT)
    kept = [line["id"] for line in invoice["receivables"]]
    invoice["receivables"] = []
    for parcel, due in enumerate(dues):
        last = parcel == len(dues) - 1
        value = parsing.HUNDRED - share * parcel if last else share
        number = kept[parcel] if parcel < len(kept) else account.sequences.next("receivables")
        line = Receivable(id=number, invoice_id=invoice["id"], created_at=invoice["created_at"]).model_dump()
        line |= {"due_date": parsing.brazilian(due), "value": parsing.amount(value)}
        invoice["receivables"].append(line)
    share_out(invoice)


def share_out(invoice: Json) -> None:
    """Give each receivable its share of the invoice in money, to cents; the last takes what rounding leaves."""
    for field in ("gross_value", "payment_value"):
        left = whole = Decimal(invoice[field] or 0)
        for line in invoice["receivables"]:
            last = line is invoice["receivables"][-1]
            part = left if last else parsing.cents(whole * Decimal(line["value"] or 0) / parsing.HUNDRED)
            left -= part
            line[field] = parsing.amount(part)


def _follow_schedule(account: Account, rule: Json, invoices: list[Json]) -> list[Json]:
    """Let invoices not yet issued follow a rule's new dates, period by period; return those that are left.

    An invoice moves to the new date of its own month (of its own week, for a weekly rule), if there is one, and goes
    otherwise. Days to come of months that have none are generated. What was moved by hand stays where it is.
    """
    if account.behaviour.on_schedule_changed == "keep" or not account.behaviour.generate_invoices:
        return invoices
    weekly = (rule["additional_information"] or {}).get("period_unit") == "weekly"
    wanted = {_period(day, weekly=weekly): day for day in issue_dates(rule, horizon(rule))}
    left = []
    for invoice in invoices:
        planned = planned_date(invoice)
        day = wanted.pop(_period(planned, weekly=weekly), None) if planned else None
        if account.behaviour.keep_hand_edits and "issue_date" in invoice["generated"]["edited"]:
            left.append(invoice)
        elif day is None:
            account.invoices.remove(invoice["id"])
        else:
            left.append(_moved(account, rule, invoice, day))
    taken = {_period(day, weekly=weekly) for day in _billed_days(account, rule)}
    new = [day for period, day in wanted.items() if day >= account.clock.today and period not in taken]
    rule["generated"] = {"until": parsing.iso(horizon(rule))}
    account.invoices.load([new_invoice(account, rule, day, account.clock.stamp()) for day in new])
    return left


def _period(day: date, *, weekly: bool) -> tuple[int, int]:
    return day.isocalendar()[:2] if weekly else (day.year, day.month)


def _moved(account: Account, rule: Json, invoice: Json, day: date) -> Json:
    if planned_date(invoice) != day:
        invoice["issue_date"] = invoice["estimated_issue_date"] = parsing.brazilian(day)
        edited = frozenset(invoice["generated"]["edited"] if account.behaviour.keep_hand_edits else ())
        if "accrual_date" not in edited:
            invoice["accrual_date"] = _accrual(rule, day)
        if "receivables" not in edited:
            _set_receivables(account, rule, invoice)
        account.invoices.change(invoice)
    return invoice


def _billed_days(account: Account, rule: Json) -> Iterator[date]:
    """Yield the planned days of a rule's invoices that were issued or cancelled: nothing is generated beside them."""
    for invoice in account.invoices.every(INVOICES.c.contract_id == rule["contract_id"], INVOICES.c.state != "to_emit"):
        planned = planned_date(invoice)
        if planned and (invoice.get("generated") or {}).get("rule_id") == rule["id"]:
            yield planned


def _last_on_record(account: Account, rule: Json) -> date | None:
    """Return the last planned day of a contract's invoices that lie on a rule's dates and bill its customer."""
    contract: Iterable[Json] = account.invoices.every(INVOICES.c.contract_id == rule["contract_id"])
    theirs = {
        day
        for invoice in contract
        if invoice["customer_id"] == rule["customer_id"] and (day := planned_date(invoice)) is not None
    }
    return max(theirs.intersection(issue_dates(rule, max(theirs))), default=None) if theirs else None
