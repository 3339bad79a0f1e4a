"""People at the vendor's screens: what they do to invoices that are about to be issued.

Each invoice falls to one of the behaviour's people, or to none, by its id and the seed. A few days before the planned
date (which days, the seed says too) the person acts, once, if the invoice is not yet issued; whoever bills late does so
some days after it. What was done is kept beside the invoice as `person`. Nothing older than a week is touched.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Final

from ciclo_sandbox import lifecycle, parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json
from ciclo_sandbox.behaviour import Deed
from ciclo_sandbox.calendar import DAY, next_business_day
from ciclo_sandbox.generation import invoice_edited, planned_date, share_out
from ciclo_sandbox.storage import INVOICES

EARLIEST_DAYS: Final = 5
LATEST_DAYS: Final = 10
_TOUCHED_DAYS: Final = 7
_COPY: Final = "copy"


def act(account: Account, day: date) -> None:
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
    factor = Decimal(account.behaviour.days("value", invoice["id"], 80, 150)) / 100
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
