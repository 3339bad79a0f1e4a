"""A day at the vendor: what its own machinery does when the clock moves, and what people do at its screens.

At 00:05 (`OWN_MACHINERY`) of each day, in this order: reminders and readjustments, the extension of endless rules (on
the 1st), people at the screens, issue, payments, NFS-e. Everything follows from the day, the account and the seed, so
that a leap ends where many steps end. Going back only changes the date.

Each invoice falls to one of the behaviour's people, or to none, by its id and the seed. A few days before the planned
date (which days, the seed says too) the person acts, once, if the invoice is not yet issued; whoever bills late does
so some days after it. What was done is kept beside the invoice as `person`. Nothing older than a week is touched.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Final

from ciclo_sandbox import generation, lifecycle, parsing
from ciclo_sandbox.account import OWN_MACHINERY, Account
from ciclo_sandbox.answers import Json
from ciclo_sandbox.behaviour import Deed
from ciclo_sandbox.calendar import DAY, add_months, months_between, next_business_day
from ciclo_sandbox.generation import invoice_edited, planned_date, share_out
from ciclo_sandbox.rule_terms import PRICE_INDICES
from ciclo_sandbox.sgs import last_published, values
from ciclo_sandbox.storage import INVOICES, RECEIVABLES

EARLIEST_DAYS: Final = 5
LATEST_DAYS: Final = 10
_TOUCHED_DAYS: Final = 7
_COPY: Final = "copy"


def let_people_act(account: Account, day: date) -> None:
    """Let everybody whose day it is do what he does."""
    if not account.behaviour.people:
        return
    first, last = day - DAY * (_TOUCHED_DAYS + LATEST_DAYS), day + DAY * EARLIEST_DAYS
    near = (INVOICES.c.state == "to_emit", INVOICES.c.issue_date.between(first.isoformat(), last.isoformat()))
    for number in account.invoices.ids(*near):
        invoice = lifecycle.find_invoice(account, number)
        deed, planned = _deed(account, invoice), planned_date(invoice)
        if deed is None or planned is None or not _is_its_day(account, invoice, deed, planned, day):
            continue
        invoice["person"] = deed
        before = deepcopy(invoice)
        _DEEDS[deed](account, invoice, day)
        if deed in ("append_description", "change_value", "move_date", "split"):
            invoice_edited(before, invoice)
            account.event("update", "Invoice", invoice)
            account.invoices.change(invoice)


def bills_late(account: Account, invoice: Json) -> bool:
    """Tell whether an invoice waits for the person who bills it late, so that the machinery leaves it alone."""
    return _deed(account, invoice) == "bill_late"


def _deed(account: Account, invoice: Json) -> Deed | None:
    """Return what is to be done to an invoice; nothing, if somebody did already."""
    if invoice.get("person"):
        return None
    person = account.behaviour.pick("person", invoice["id"], account.behaviour.people)
    return person.do if person else None


def _is_its_day(account: Account, invoice: Json, deed: Deed, planned: date, day: date) -> bool:
    if deed == "bill_late":
        return day >= planned + DAY * account.behaviour.days("late", invoice["id"], 3, LATEST_DAYS)
    ahead = account.behaviour.days("person", invoice["id"], 0, EARLIEST_DAYS)
    return planned - DAY * ahead <= day <= planned + DAY * _TOUCHED_DAYS


def _append_description(account: Account, invoice: Json, day: date) -> None:
    usage = account.behaviour.days("usage", invoice["id"], 40, 900)
    invoice["description"] = f"{invoice['description'] or ''} - Consumo {day:%m/%Y}: {usage} kWh"


def _change_value(account: Account, invoice: Json, _day: date) -> None:
    percent = account.behaviour.days("value", invoice["id"], 80, 150)
    factor = Decimal(101 if percent == 100 else percent) / 100  # who edits a value gives it another
    for line in invoice["services"][:1]:
        units = parsing.cents(Decimal(line["units"]) * factor)
        line["units"] = parsing.amount(units)
        line["value"] = parsing.amount(parsing.cents(units * Decimal(line["unit_value"])))
    if invoice["services"]:
        total = sum((Decimal(line["value"]) for line in invoice["services"]), Decimal(0))
    else:
        total = parsing.cents(Decimal(invoice["gross_value"] or 0) * factor)
    invoice["gross_value"] = invoice["payment_value"] = parsing.amount(total)
    share_out(invoice)


def _move_date(account: Account, invoice: Json, day: date) -> None:
    """Move both dates to a business day after the planned one; due dates stay."""
    planned = planned_date(invoice) or day
    moved = next_business_day(planned + DAY * account.behaviour.days("moved", invoice["id"], 1, 4))
    invoice["issue_date"] = invoice["estimated_issue_date"] = parsing.brazilian(moved)


def _bill_late(account: Account, invoice: Json, day: date) -> None:
    lifecycle.emit(account, invoice, day)


def _delete(account: Account, invoice: Json, _day: date) -> None:
    account.invoices.remove(invoice["id"])


def _cancel_and_copy(account: Account, invoice: Json, _day: date) -> None:
    """Cancel an invoice and make it anew: a copy with its dates and remarks, and ids of its own."""
    copy = deepcopy(invoice)
    lifecycle.cancel(account, invoice)
    number = account.sequences.next("invoices")
    copy |= {"id": number, "created_at": account.clock.stamp(), "person": _COPY, "generated": None, "attachments": []}
    for kind in ("services", "receivables"):
        for line in copy[kind]:
            line["id"] = account.sequences.next(kind)
    for line in copy["receivables"]:
        line |= {"invoice_id": number, "created_at": copy["created_at"]}
    if copy["payment_information"]:
        copy["payment_information"]["id"] = account.sequences.next("payment_information")
    account.invoices.add(copy)


def _split(account: Account, invoice: Json, day: date) -> None:
    """Split an invoice into two or three equal receivables, 30 days apart (as on record: 3 of 33.3333 %, 2 of 50 %)."""
    first = invoice["receivables"][0] if invoice["receivables"] else None
    if first is None:
        return
    parcels = account.behaviour.days("parcels", invoice["id"], 2, 3)
    due = parsing.day(first["due_date"]) or day
    invoice["receivables"] = []
    for parcel in range(parcels):
        line = first | {"due_date": parsing.brazilian(due + DAY * 30 * parcel)}
        line["value"] = "50.0" if parcels == 2 else "33.3333"
        line["id"] = line["id"] if parcel == 0 else account.sequences.next("receivables")
        invoice["receivables"].append(line)
    share_out(invoice)


_DEEDS: Final[Mapping[Deed, Callable[[Account, Json, date], None]]] = {
    "append_description": _append_description,
    "change_value": _change_value,
    "move_date": _move_date,
    "bill_late": _bill_late,
    "delete": _delete,
    "cancel_and_copy": _cancel_and_copy,
    "split": _split,
}


_OUT_ON: Final = 13


def move(account: Account, today: date, at: time | None = None) -> None:
    """Set the date and the time of day (the wall's, if none) and let happen what has come due.

    The machinery runs once for each day, from the one after its last run on; readjustments of days that it never saw
    are not made up for (as recorded: an execution date in the past stays in the past). Later on a day on which nothing
    came due, only what was written since can have come due.
    """
    clock = account.clock
    if account.quiet_since == (today, account.written()):
        clock.time = at
        return
    ran, written = min(clock.machinery_ran, today), account.written()
    agenda = _agenda(account, ran, today)
    for day in _busy_days(account, ran, today, agenda):
        clock.today, clock.time = day, OWN_MACHINERY
        _live(account, day, agenda.get(day, ()), is_new=day > ran)
    clock.today, clock.time, clock.machinery_ran = today, OWN_MACHINERY, today
    _pay(account, today)
    _issue_nfses(account, today)
    _mark_overdue(account, today)
    clock.time = at
    was_quiet = account.written() == written
    account.remember("today", today.isoformat())
    account.remember("machinery_ran", today.isoformat())
    account.quiet_since = (today, account.written()) if was_quiet else None


def _agenda(account: Account, ran: date, today: date) -> dict[date, list[int]]:
    """Return, by day after the last run, the rules that have a reminder or an execution then."""
    agenda: dict[date, list[int]] = {}
    for rule in account.rules.every():
        for day in {day for update in rule["scheduled_updates"] for day in _days(update, ran, today)}:
            agenda.setdefault(day, []).append(rule["id"])
    return agenda


def _days(update: Json, ran: date, today: date) -> Iterator[date]:
    """Yield the days up to today on which an update reminds (what is overdue: at once) or is executed."""
    remind_at = parsing.day(update["remind_at"])
    if remind_at and remind_at <= today and not update["notified"]:
        yield max(remind_at, min(ran + DAY, today))
    execution, first = parsing.day(update["execution_date"]), parsing.day(update["init_date"])
    while execution and execution <= today:
        if execution > ran:
            yield execution
        execution = _next_execution(update, first or execution, execution)
        remind_at = _remind_at(update, execution)
        if remind_at and ran < remind_at <= today:
            yield remind_at


def _busy_days(account: Account, ran: date, today: date, agenda: Iterable[date]) -> list[date]:
    """Return the days after the last run on which something may happen, and today."""
    behaviour = account.behaviour
    if behaviour.people or behaviour.emit_on_issue_date or behaviour.extend_generated:
        return [*(ran + DAY * days for days in range(1, (today - ran).days)), today]
    return sorted({*agenda, today})


def _next_execution(update: Json, first: date, execution: date) -> date | None:
    """Return the execution after one, counted from the first and clamped; none, if the update does not repeat."""
    months = update["month_quantity"]
    return add_months(first, months_between(first, execution) + months) if months else None


def _remind_at(update: Json, execution: date | None) -> date | None:
    notice = update["days_until_update"]
    return execution - DAY * notice if execution and notice is not None else None


def _live(account: Account, day: date, rules: Iterable[int], *, is_new: bool) -> None:
    behaviour = account.behaviour
    for rule in filter(None, map(account.rules.get, rules)):
        changed = [_remind(rule, day), is_new and behaviour.readjust and _readjust(account, rule, day)]
        if any(changed):
            account.rules.change(rule)
    if is_new and behaviour.extend_generated and day.day == 1:
        for rule in list(account.rules.every()):
            generation.extend(account, rule)
    if is_new:
        let_people_act(account, day)
    if behaviour.emit_on_issue_date:
        _emit(account, day)


def _remind(rule: Json, day: date) -> bool:
    due = False
    for update in rule["scheduled_updates"]:
        remind_at = parsing.day(update["remind_at"])
        if not update["notified"] and remind_at is not None and remind_at <= day:
            update["notified"] = due = True
    return due


def _readjust(account: Account, rule: Json, day: date) -> bool:
    """Apply the updates whose execution date is this day; carry the new prices into invoices planned from it on.

    A state may have one by an index that nobody knows, which stays as it is.
    """
    known = (update for update in rule["scheduled_updates"] if update["price_index"] in PRICE_INDICES)
    due = [update for update in known if parsing.day(update["execution_date"]) == day]
    for update in due:
        factor = _factor(account, update, day)
        _reprice_rule(rule, update, factor if rule["apply_negative_updates"] else max(factor, Decimal(1)))
        execution = _next_execution(update, parsing.day(update["init_date"]) or day, day)
        update |= {"execution_date": parsing.iso(execution), "updated_at": account.clock.iso_stamp()}
        update |= {"remind_at": parsing.iso(_remind_at(update, execution)), "notified": False}
    if due:
        _reprice_invoices(account, rule, day)
    return bool(due)


def _reprice_rule(rule: Json, update: Json, factor: Decimal) -> None:
    for line in rule["services"]:
        if update["service_item_id"] in (None, line.get("service_item_id")):
            unit_value = parsing.cents(Decimal(line["unit_value"]) * factor)
            line["unit_value"] = parsing.amount(unit_value)
            line["value"] = parsing.amount(parsing.cents(unit_value * Decimal(line["units"])))
    if rule["services"]:
        total = sum((Decimal(line["value"]) for line in rule["services"]), Decimal(0))
    elif rule["gross_value"] is None:
        return
    else:
        total = parsing.cents(Decimal(rule["gross_value"]) * factor)
    rule["gross_value"] = rule["payment_value"] = parsing.amount(total)


def _reprice_invoices(account: Account, rule: Json, day: date) -> None:
    for invoice in list(generation.waiting_invoices(account, rule)):
        planned = generation.planned_date(invoice)
        edited = {"services", "gross_value", "payment_value"}.intersection(invoice["generated"]["edited"])
        if planned and planned >= day and not (edited and account.behaviour.keep_hand_edits):
            generation.reprice(account, rule, invoice)
            account.invoices.change(invoice)


def _factor(account: Account, update: Json, execution: date) -> Decimal:
    """Return what an index multiplies a price by: its last months that count as out on the execution date."""
    if account.behaviour.readjust_window == "published":
        last = last_published(update["price_index"], execution)
    else:
        last = add_months(execution.replace(day=1), -1 if execution.day >= _OUT_ON else -2)
    series = values(account, update["price_index"])
    factor = Decimal(1)
    for back in range(update["month_quantity"] or 0):
        factor *= 1 + series.get(add_months(last, -back), Decimal(0)) / 100
    return factor


def _emit(account: Account, day: date) -> None:
    """Issue what is planned for the day or before; the issue date of a non-business day moves on, where asked for."""
    behaviour = account.behaviour
    if behaviour.wait_while_overdue:
        _pay(account, day)
    due = (INVOICES.c.state == "to_emit", INVOICES.c.issue_date <= day.isoformat())
    for number in account.invoices.ids(*due):
        invoice = lifecycle.find_invoice(account, number)
        on = parsing.day(invoice["issue_date"]) or day
        if behaviour.bill_on_business_days:
            on = next_business_day(on, national=True)
        if on > day or invoice["approval_status"] == "blocked" or bills_late(account, invoice):
            continue
        if behaviour.wait_while_overdue and invoice["management_type"] == "automatic":
            if _is_overdue(account, invoice["contract_id"], day):
                continue
            on = day  # it may have waited: billed the day the customer is clear
        lifecycle.emit(account, invoice, on)


def _is_overdue(account: Account, contract_id: int, day: date) -> bool:
    """Tell whether automatic billing waits: an earlier invoice of the contract is unpaid past its due date."""
    contract = account.contracts.peek(contract_id) or {}
    if contract.get("overdue_automatic_management") and contract.get("registration_method") != "subscription":
        return False
    return any(number == contract_id for number, _ in account.invoices.unpaid_past(day, contract_id))


def _pay(account: Account, today: date) -> None:
    payments = account.behaviour.payments
    if not payments:
        return
    # Nobody pays earlier than the earliest payer of all.
    earliest = min(payment.days_after_due for payment in payments)
    last_due = (today - timedelta(days=earliest)).isoformat()
    waiting = (RECEIVABLES.c.state == "to_receive", RECEIVABLES.c.due_date <= last_due)
    for number, _, due_date in account.invoices.receivable_rows(*waiting):
        payment = account.behaviour.pick("payment", number, payments)
        paid_on = date.fromisoformat(due_date) + DAY * payment.days_after_due if payment else None
        if paid_on is None or paid_on > today:
            continue
        invoice, line = lifecycle.find_receivable(account, number)
        # Money for which no charge could be created does not arrive until somebody acts.
        if not line["cobrato_errors"] and invoice["state"] == "to_receive":
            issued = parsing.day(invoice["issue_date"]) or paid_on
            lifecycle.receive(account, invoice, line, max(paid_on, issued))


def _issue_nfses(account: Account, today: date) -> None:
    due = (INVOICES.c.nfe_due <= today.isoformat(), INVOICES.c.nfe_due.is_not(None))
    for number in account.invoices.ids(*due):
        invoice = lifecycle.find_invoice(account, number)
        lifecycle.issue_nfse(account, invoice, parsing.day(invoice["automatic_nfe_issue_date"]) or today)
        account.invoices.change(invoice)


def _mark_overdue(account: Account, today: date) -> None:
    """Let the contracts say so whose customer is in arrears; a receipt takes it back (lifecycle.py)."""
    for number in {contract for contract, _ in account.invoices.unpaid_past(today)}:
        contract = account.contracts.get(number)
        if contract and not contract["overdue"]:
            account.contracts.change(contract | {"overdue": True})
