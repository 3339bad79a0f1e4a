"""What really happens at the vendor, whoever does it: read from its state between the moves of its clock and the runs.

The vendor's stand-in knows what the real one tells nobody: which rule an invoice was generated from, and what a person
did to it. So it can be told whether Ciclo made a second invoice, undid what a person did, or brought back what somebody
had removed.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from ciclo_sandbox.generation import issue_dates
from mixed_company import Key

REFERENCE = re.compile(r"ciclo:\d+:(\d+):(\d{4}-\d{2}-\d{2})")

Json = Mapping[str, Any]


class Maker(StrEnum):
    """Who made an invoice, or acted since the last look."""

    CICLO = "Ciclo"
    VENDOR = "the vendor"
    PERSON = "a person"


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person at the vendor did to the invoice of a period."""

    what: str
    key: Key
    invoice_id: int
    on: date


@dataclass(slots=True)
class Traced:
    """An invoice from its first day on."""

    key: Key
    made_by: Maker
    alive: bool = True
    by_hand: dict[str, Any] = field(default_factory=dict)
    """What a person set, by what it is: nobody but people may change it."""


@dataclass(slots=True)
class Witness:
    """Everything that happened so far."""

    traced: dict[int, Traced] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    removed: dict[Key, int] = field(default_factory=dict)
    """Periods whose only invoice a person removed, with its number, until somebody bills them again."""
    may_come_back: set[Key] = field(default_factory=set)
    """Removed ones of which a person said in Ciclo that they are to be billed."""
    seconds: list[Deed] = field(default_factory=list)
    """Second invoices that the vendor or a person made."""
    duplicates: list[str] = field(default_factory=list)
    """Second invoices that Ciclo made."""
    overwritten: list[str] = field(default_factory=list)
    came_back: list[tuple[int, str]] = field(default_factory=list)
    """Removed invoices that Ciclo made again though nobody said so, by number."""
    destroyed: list[str] = field(default_factory=list)
    """Invoices that went away while nobody but Ciclo acted."""
    _rules: dict[int, Json] = field(default_factory=dict)
    _copied: set[int] = field(default_factory=set)
    """Invoices that a person cancelled and made anew."""

    def look(self, state: Json, on: date, *, acted: Maker) -> None:
        """Take in what changed since the last look, all of it done by one of the three."""
        now = {invoice["id"]: invoice for invoice in state["invoices"]}
        self._rules = {rule["id"]: rule for rule in state["invoice_rules"]}
        new = [now[number] for number in sorted(now.keys() - self.traced.keys())]
        if self.traced and acted is Maker.VENDOR:
            self._removed_unseen(new, on)
        gone = [number for number, known in self.traced.items() if known.alive and not _alive(now.get(number))]
        for number in gone:
            self.traced[number].alive = False
        for invoice in sorted(new, key=lambda each: each.get("person") == _COPY):  # what was copied comes first
            self._take(invoice, now, on)
        for number in gone:
            self._went(number, now.get(number), acted, on)
        for number, known in self.traced.items():
            if known.alive:
                self._compare(number, known, now[number], acted, on)

    def living(self) -> dict[Key, list[int]]:
        """Return the living invoices by period."""
        found = defaultdict(list)
        for number, known in self.traced.items():
            if known.alive:
                found[known.key].append(number)
        return dict(found)

    def made_by(self) -> Counter[Maker]:
        """Count the living invoices by who made them."""
        return Counter(known.made_by for known in self.traced.values() if known.alive)

    def wrong(self) -> list[str]:
        """Say what Ciclo must never have done, whatever it knew."""
        return [*self.duplicates, *self.overwritten, *self.destroyed]

    def _removed_unseen(self, new: Iterable[Json], on: date) -> None:
        """Take in what the vendor made and a person deleted since the last look: numbers that a rule's others skip.

        The vendor numbers a rule's invoices one after another, in order of their days; the last of them is years away.
        """
        before, made = max(self.traced), {invoice["id"]: invoice for invoice in new}
        rules = {number: each["generated"]["rule_id"] for number, each in made.items() if each.get("generated")}
        for rule_id in set(rules.values()):
            last = max(number for number, each in rules.items() if each == rule_id)
            days = issue_dates(dict(self._rules[rule_id]), _planned(made[last]))
            for number, day in zip(range(last, before, -1), reversed(days), strict=False):
                if number in made and rules.get(number) != rule_id:
                    break
                if number not in made:
                    self.traced[number] = Traced((rule_id, day), Maker.VENDOR, alive=False)
                    self._went(number, None, Maker.VENDOR, on)

    def _take(self, invoice: Json, now: Mapping[int, Json], on: date) -> None:
        maker, key = self._origin(invoice, now)
        known = Traced(key, maker, alive=_alive(invoice))
        beside = [number for number, each in self.traced.items() if each.key == key and each.alive]
        self.traced[invoice["id"]] = known
        if not known.alive:
            return
        if beside and maker is Maker.CICLO:
            self.duplicates.append(f"{on}: Ciclo made invoice {invoice['id']} of {_said(key)} beside {beside}")
        elif beside:
            self.seconds.append(Deed("second", key, invoice["id"], on))
        if key in self.removed and maker is Maker.CICLO and key not in self.may_come_back:
            number = self.removed[key]
            said = f"{on}: invoice {number} of {_said(key)} came back as {invoice['id']}"
            self.came_back.append((number, said))
        self.removed.pop(key, None)

    def _origin(self, invoice: Json, now: Mapping[int, Json]) -> tuple[Maker, Key]:
        if invoice.get("person") == _COPY:
            like = ("contract_id", "description", "estimated_issue_date", "comments")
            original = next(
                number
                for number, each in now.items()
                if each.get("person") == "cancel_and_copy"
                and number not in self._copied
                and all(each[name] == invoice[name] for name in like)
            )
            self._copied.add(original)
            return Maker.PERSON, self.traced[original].key
        if invoice.get("generated"):
            rule_id, planned = invoice["generated"]["rule_id"], _planned(invoice)
            days = issue_dates(dict(self._rules[rule_id]), planned)  # it may be moved on the day it is made
            return Maker.VENDOR, (rule_id, days[-1] if days else planned)
        named = REFERENCE.findall(invoice["comments"] or "")
        if not named:
            return Maker.PERSON, (0, _planned(invoice))
        return Maker.CICLO, (int(named[-1][0]), date.fromisoformat(named[-1][1]))

    def _went(self, number: int, invoice: Json | None, acted: Maker, on: date) -> None:
        key = self.traced[number].key
        if acted is Maker.CICLO:
            self.destroyed.append(f"{on}: invoice {number} of {_said(key)} is gone")
        if any(each.key == key and each.alive for each in self.traced.values()):
            if acted is Maker.VENDOR:
                self.deeds.append(Deed("cancel_and_copy", key, number, on))
            return
        self.removed[key] = number
        self.may_come_back.discard(key)
        self.deeds.append(Deed("delete" if invoice is None else "cancel", key, number, on))

    def _compare(self, number: int, known: Traced, invoice: Json, acted: Maker, on: date) -> None:
        for what, value in known.by_hand.items():
            found = _VALUES[what](invoice)
            if found != value and acted is Maker.CICLO:
                self.overwritten.append(
                    f"{on}: {what} of invoice {number} of {_said(known.key)}: {value} became {found}"
                )
            known.by_hand[what] = found
        deed = invoice.get("person")
        if deed in _PROTECTED and _PROTECTED[deed] not in known.by_hand:
            known.by_hand[_PROTECTED[deed]] = _VALUES[_PROTECTED[deed]](invoice)
            self.deeds.append(Deed(deed, known.key, number, on))


def missing(witness: Witness, expected: Iterable[Key]) -> list[Key]:
    """Return the periods that have no living invoice, though nobody removed it."""
    there = witness.living()
    return [key for key in expected if key not in there and key not in witness.removed]


def _alive(invoice: Json | None) -> bool:
    return invoice is not None and invoice["state"] != "cancelled"


def _planned(invoice: Json) -> date:
    return _day(invoice["estimated_issue_date"] or invoice["issue_date"])


def _day(text: str) -> date:
    return datetime.strptime(text[:10], "%d/%m/%Y").date()  # noqa: DTZ007 - a calendar day has no zone


def _said(key: Key) -> str:
    return f"rule {key[0]}, {key[1]}"


def _lines(invoice: Json) -> tuple[Any, ...]:
    lines = sorted((line["id"], Decimal(line["units"]), Decimal(line["unit_value"])) for line in invoice["services"])
    return Decimal(invoice["gross_value"]), *lines


_COPY = "copy"
"""Who a copy's `person` is."""
_VALUES = {
    "value": _lines,
    "planned date": _planned,
    "issue date": lambda invoice: invoice["issue_date"],
    "parcels": lambda invoice: [(line["due_date"], Decimal(line["value"])) for line in invoice["receivables"]],
    "description": lambda invoice: invoice["description"],
}
_PROTECTED = {
    "change_value": "value",
    "move_date": "planned date",
    "bill_late": "issue date",
    "split": "parcels",
    "append_description": "description",
}
