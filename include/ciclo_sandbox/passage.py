"""The passage of time: what happens in the account when its date moves.

The rule: everything follows from the new date, the account and the seed, so moving in one leap or day by day ends in
the same states. Going back only changes the date.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from ciclo_sandbox import casting, lifecycle
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json
from ciclo_sandbox.readjustment import apply_due_updates
from ciclo_sandbox.storage import INVOICES, RECEIVABLES


def move(account: Account, today: date) -> None:
    """Set the date and let happen what has come due."""
    account.clock.today = today
    account.remember("today", today.isoformat())
    if account.behaviour.emit_on_issue_date:
        _emit(account, today)
    _pay(account, today)
    _issue_nfses(account, today)
    for rule in list(account.rules.every()):
        if _remind(rule, today) | apply_due_updates(account, rule, today):
            account.rules.change(rule)


def _emit(account: Account, today: date) -> None:
    due = (INVOICES.c.state == "to_emit", INVOICES.c.issue_date <= today.isoformat())
    for number in account.invoices.ids(*due):
        invoice = lifecycle.find_invoice(account, number)
        if invoice["approval_status"] != "blocked":
            lifecycle.emit(account, invoice, casting.day(invoice["issue_date"]) or today)


def _pay(account: Account, today: date) -> None:
    payments = account.behaviour.payments
    if not payments:
        return
    # Nobody pays earlier than the earliest payer of all.
    earliest = min(payment.days_after_due for payment in payments)
    last_due = (today - timedelta(days=earliest)).isoformat()
    waiting = (RECEIVABLES.c.state == "to_receive", RECEIVABLES.c.due_date <= last_due)
    for number, invoice_id, due_date in account.invoices.receivable_rows(*waiting):
        days = _days_after_due(account, number)
        paid_on = None if days is None else date.fromisoformat(due_date) + timedelta(days=days)
        if paid_on is not None and paid_on <= today:
            _pay_one(account, number, invoice_id, paid_on)


def _pay_one(account: Account, number: int, invoice_id: int, paid_on: date) -> None:
    invoice = lifecycle.find_invoice(account, invoice_id)
    line = next(each for each in invoice["receivables"] if each["id"] == number)
    # Money for which no charge could be created does not arrive until somebody acts.
    if not line["cobrato_errors"] and invoice["state"] == "to_receive":
        issued = casting.day(invoice["issue_date"]) or paid_on
        lifecycle.receive(account, invoice, line, max(paid_on, issued))


def _days_after_due(account: Account, receivable_id: int) -> int | None:
    """Return when this receivable's customer pays, or nothing: it is one of those that are never paid."""
    drawn = account.behaviour.draw("payment", receivable_id)
    for payment in account.behaviour.payments:
        if drawn < payment.share:
            return payment.days_after_due
        drawn -= payment.share
    return None


def _issue_nfses(account: Account, today: date) -> None:
    due = (INVOICES.c.nfe_due <= today.isoformat(), INVOICES.c.nfe_due.is_not(None))
    for number in account.invoices.ids(*due):
        invoice = lifecycle.find_invoice(account, number)
        lifecycle.issue_nfse(account, invoice, casting.day(invoice["automatic_nfe_issue_date"]) or today)
        account.invoices.change(invoice)


def _remind(rule: Json, today: date) -> bool:
    due = list(_unnotified(rule, today))
    for update in due:
        update["notified"] = True
    return bool(due)


def _unnotified(rule: Json, today: date) -> Iterator[Json]:
    for update in rule["scheduled_updates"]:
        remind_at = casting.day(update["remind_at"])
        if not update["notified"] and remind_at is not None and remind_at <= today:
            yield update
