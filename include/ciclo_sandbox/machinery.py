"""A day at the vendor: what its own machinery does when the clock moves.

At 00:05 (`clock.OWN_MACHINERY`) of each day, in this order: reminders and readjustments, the extension of endless
rules (on the 1st), people at the screens, issue, payments, NFS-e. Everything follows from the day, the account and the
seed, so that a leap ends where many steps end. Going back only changes the date.
"""

from collections.abc import Iterable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Final

from ciclo_sandbox import generation, lifecycle, parsing, people
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json
from ciclo_sandbox.calendar import DAY, add_months, months_between, next_business_day
from ciclo_sandbox.clock import OWN_MACHINERY
from ciclo_sandbox.sgs import last_published, values
from ciclo_sandbox.storage import INVOICES, RECEIVABLES

_OUT_ON: Final = 13


def move(account: Account, today: date, at: time | None = None) -> None:
    """Set the date and the time of day (the wall's, if none) and let happen what has come due.

    The machinery runs once for each day, from the one after its last run on; readjustments of days that it never saw
    are not made up for (as recorded: an execution date in the past stays in the past).
    """
    clock = account.clock
    ran = min(clock.machinery_ran, today)
    agenda = _agenda(account, ran, today)
    for day in _busy_days(account, ran, today, agenda):
        clock.today, clock.time = day, OWN_MACHINERY
        _live(account, day, agenda.get(day, ()), is_new=day > ran)
    clock.today, clock.time, clock.machinery_ran = today, OWN_MACHINERY, today
    _pay(account, today)
    _issue_nfses(account, today)
    _mark_overdue(account, today)
    clock.time = at
    account.remember("today", today.isoformat())
    account.remember("machinery_ran", today.isoformat())


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
        people.act(account, day)
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
    """Apply the updates whose execution date is this day; carry the new prices into invoices planned from it on."""
    due = [update for update in rule["scheduled_updates"] if parsing.day(update["execution_date"]) == day]
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
        if on > day or invoice["approval_status"] == "blocked" or people.bills_late(account, invoice):
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
