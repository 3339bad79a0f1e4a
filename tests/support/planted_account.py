"""An account with planted faults, and what an audit of it has to say to the cent.

Nothing of Ciclo computes anything here: days, prices and index factors are worked out anew, from the index file alone.
The account is audited for three years up to the end of July 2026.
"""

import csv
from calendar import monthrange
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

Json = dict[str, Any]

ORGANIZATION = 7
TOKEN = "t0ken-of-the-tests"
FIRST, LAST = date(2023, 8, 1), date(2026, 7, 31)
GENERATED_UNTIL = date(2027, 1, 31)
"""How far the vendor has made invoices ahead."""
CENT = Decimal("0.01")
SERIES = Path(__file__).resolve().parents[2] / "include" / "ciclo" / "sgs" / "price_indices.csv"
OUT_ON = {"igpm": 1, "ipcfipe": 8, "igpdi": 9, "ipca": 13, "inpc": 13}


def money(value: Decimal | int | str) -> Decimal:
    return Decimal(value).quantize(CENT, ROUND_HALF_UP)


def months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def brazilian(day: date) -> str:
    return f"{day:%d/%m/%Y}"


def _values() -> dict[tuple[str, str], Decimal]:
    with SERIES.open(encoding="utf-8") as file:
        return {(row["index"], row["month"]): Decimal(row["value"]) for row in csv.DictReader(file)}


VALUES = _values()


def factor(index: str, execution: date, months: int, *, negative: bool = True, back: int = 0) -> Decimal:
    """The months that are published by the execution; `back` takes them so many months earlier."""
    last = months_later(execution.replace(day=1), -1)
    if execution.day < OUT_ON[index]:
        last = months_later(last, -1)
    result = Decimal(1)
    for step in range(months):
        result *= 1 + VALUES[index, f"{months_later(last, -step - back):%Y-%m}"] / 100
    return result if negative or result > 1 else Decimal(1)


@dataclass
class Line:
    """A service of a rule: its name, how many, and its unit value at the beginning."""

    name: str
    units: str
    price: str


@dataclass
class Update:
    index: str
    first: date
    months: int = 12
    service: str | None = None


@dataclass
class Shape:
    """What a rule is like."""

    init: date
    lines: list[Line] = field(default_factory=list)
    gross: str = "0"
    unit: str = "monthly"
    months: int = 1
    accrual: str = "same_month"
    parcels: int = 1
    updates: list[Update] = field(default_factory=list)
    negative: bool = False
    end: date | None = None

    def days(self, until: date = GENERATED_UNTIL) -> list[date]:
        last, found = min(until, self.end or until), []
        while True:
            number = len(found)
            step = (
                self.init + timedelta(days=7 * number)
                if self.unit == "weekly"
                else months_later(self.init, number * self.months)
            )
            if step > last:
                return found
            found.append(step)

    def executions(self) -> list[tuple[date, int]]:
        found = []
        for number, update in enumerate(self.updates):
            step = 0
            while (day := months_later(update.first, step * update.months)) <= LAST:
                found.append((day, number))
                step += 1
        return sorted(found)


class Rule:
    """A rule in the making, with its invoices."""

    def __init__(self, account: "Account", contract: Json, shape: Shape, **fates: Any) -> None:
        self.account, self.contract, self.shape = account, contract, shape
        self.id = account.number()
        self.text = f"Serviço mensal nº {self.id}"
        self.title = f"Plano {self.id}"
        self.customer = contract["customer_id"]
        self.fates: dict[date, Any] = fates.get("fates", {})
        """What becomes of an execution: how (missing, late, factor, twice, twice_later), and a number."""
        self.raised: tuple[date, Decimal] | None = fates.get("raised")
        """A day from which people agreed on a price so many times the old one."""
        self.days = shape.days(fates.get("until", GENERATED_UNTIL))
        self.right = self.path(right=True)
        self.was = self.path(right=False)
        self.invoices = {day: self.invoice(day) for day in self.days}

    def keys(self) -> list[str]:
        return [line.name for line in self.shape.lines] or [""]

    def path(self, *, right: bool) -> dict[date, dict[str, Decimal]]:
        """Unit values by day and service."""
        prices = {line.name: Decimal(line.price) for line in self.shape.lines} or {"": Decimal(self.shape.gross)}
        found: dict[date, dict[str, Decimal]] = {}
        changes = sorted(self._changes(right=right), key=lambda each: each[:2])
        for day in self.days:
            while changes and changes[0][0] <= day:
                _, _, names, by = changes.pop(0)
                prices = {name: money(price * by) if name in names else price for name, price in prices.items()}
            found[day] = dict(prices)
        return found

    def _changes(self, *, right: bool) -> Iterator[tuple[date, int, list[str], Decimal]]:
        """Every change of a price: from which day, in which order, of which services, by what."""
        if self.raised:
            yield self.raised[0], -1, self.keys(), self.raised[1]
        for execution, number in self.shape.executions():
            update = self.shape.updates[number]
            if execution <= self.shape.init:
                continue
            names = self._touched(update)
            by = factor(update.index, execution, update.months, negative=self.shape.negative)
            how, what = ("made", None) if right else self.fates.get(execution, ("made", None))
            if how == "factor":
                yield execution, number, names, what
            elif how == "late":
                yield what, number, names, by
            elif how != "missing":
                yield execution, number, names, by
            if how == "twice":
                yield execution, number, names, by
            elif how == "twice_later":
                yield what, number, names, by

    def _touched(self, update: Update) -> list[str]:
        return [name for name in self.keys() if update.service in (None, name)]

    def total(self, prices: dict[str, Decimal]) -> Decimal:
        if not self.shape.lines:
            return prices[""]
        return sum((money(Decimal(line.units) * prices[line.name]) for line in self.shape.lines), Decimal(0))

    def price(self, day: date) -> Decimal:
        return money(self.total(self.was[day]))

    def invoice(self, day: date) -> Json:
        prices, accruals = self.was[day], {"same_month": 0, "previous_month": -1, "next_month": 1}
        services = [
            {"id": self.account.number(), "name": line.name, "units": line.units, "unit_value": str(prices[line.name]),
             "value": str(money(Decimal(line.units) * prices[line.name])), "description": ""}
            for line in self.shape.lines
        ]  # fmt: skip
        gross = money(self.total(prices))
        share = (Decimal(100) / self.shape.parcels).quantize(Decimal("0.0001"))
        shares = [share] * (self.shape.parcels - 1)
        shares.append(100 - sum(shares))
        state = "received" if day <= LAST - timedelta(days=60) else "to_receive" if day <= LAST else "to_emit"
        receivables = []
        for number, part in enumerate(shares):
            due = months_later(day + timedelta(days=10), number)
            paid = state != "to_emit" and due <= LAST - timedelta(days=20)
            each = {"id": self.account.number(), "due_date": brazilian(due), "value": str(part), "state": state}
            each["state"] = "received" if paid else "to_receive" if state != "to_emit" else "to_emit"
            receivables.append(each)
        return {
            "id": self.account.number(), "contract_id": self.contract["id"], "customer_id": self.customer,
            "customer_type": "Company", "issue_date": brazilian(day), "estimated_issue_date": brazilian(day),
            "accrual_date": months_later(day.replace(day=1), accruals[self.shape.accrual]).isoformat(),
            "description": self.text, "gross_value": str(gross), "state": state, "services": services,
            "receivables": receivables, "created_at": "01/08/2023 10:00:00 -03:00", "comments": None,
        }  # fmt: skip

    def document(self) -> Json:
        shape = self.shape
        now = self.was[max((day for day in self.days if day <= LAST), default=self.days[0])]
        items = {line.name: self.account.item(line.name) for line in shape.lines}
        return {
            "id": self.id, "contract_id": self.contract["id"], "description": self.text, "nfe_body": "$DESCRICAO",
            "gross_value": str(self.total(now)), "apply_negative_updates": shape.negative,
            "customer_id": self.customer, "customer_type": "Company", "created_at": "01/08/2023 10:00:00 -03:00",
            "additional_information": {
                "title": self.title, "init_date": shape.init.isoformat(), "period_unit": shape.unit,
                "month_quantity": shape.months if shape.unit == "monthly" else None,
                "end_date": shape.end.isoformat() if shape.end else None, "accrual_month_quantity": shape.accrual,
            },
            "receivables_additional_information": {"day_quantity": 10, "parcel_number": shape.parcels},
            "services": [
                {"id": self.account.number(), "name": line.name, "service_item_id": items[line.name],
                 "units": line.units, "unit_value": str(now[line.name]),
                 "value": str(money(Decimal(line.units) * now[line.name]))}
                for line in shape.lines
            ],
            "scheduled_updates": [
                {"id": self.account.number(), "price_index": update.index, "init_date": update.first.isoformat(),
                 "execution_date": update.first.isoformat(), "month_quantity": update.months, "days_until_update": 10,
                 "service_item_id": items.get(update.service or "")}
                for update in shape.updates
            ],
        }  # fmt: skip

    # -- what people do that is in order -------------------------------------------------------------------------------

    def edit(self, day: date, how: str) -> None:
        invoice = self.invoices[day]
        match how:
            case "append":
                invoice["description"] += " - Pedido 4711, consumo 231 kWh"
            case "move":
                later = brazilian(day + timedelta(days=2))
                invoice |= {"issue_date": later, "estimated_issue_date": later}
            case "bill_late":
                invoice["issue_date"] = brazilian(day + timedelta(days=9))
            case "split":
                first = invoice["receivables"][0]
                invoice["receivables"] = [
                    first | {"id": self.account.number(), "value": part} for part in ("33.3333", "33.3333", "33.3334")
                ]
            case "usage":
                line = {"id": self.account.number(), "name": "Excedente", "units": "3.0", "unit_value": "12.5",
                        "value": "37.50"}  # fmt: skip
                invoice["services"].append(line)
                invoice["gross_value"] = str(Decimal(invoice["gross_value"]) + Decimal("37.50"))
            case "units":
                line = invoice["services"][0]
                more = money(Decimal(line["units"]) + 1) * Decimal(line["unit_value"])
                gross = Decimal(invoice["gross_value"]) - Decimal(line["value"]) + money(more)
                line |= {"units": str(Decimal(line["units"]) + 1), "value": str(money(more))}
                invoice["gross_value"] = str(gross)
            case "copy":
                copy = deepcopy(invoice) | {"id": self.account.number(), "comments": "Refeita a pedido"}
                for line in (*copy["services"], *copy["receivables"]):
                    line["id"] = self.account.number()
                self.account.cancel(invoice)
                self.account.others.append(invoice)
                self.invoices[day] = copy
        self.account.edits += 1


class Account:
    """The account under way, and what has to be found in it."""

    def __init__(self) -> None:
        self.last = 100
        self.contracts: list[Json] = []
        self.rules: list[Rule] = []
        self.documents: dict[int, Json] = {}
        self.others: list[Json] = []
        self.items: dict[str, int] = {}
        self.nfses: list[Json] = []
        self.expected: list[Json] = []
        self.edits = 0

    def number(self) -> int:
        self.last += 1
        return self.last

    def item(self, name: str) -> int:
        return self.items.setdefault(name, 50 + len(self.items))

    def contract(self, **given: Any) -> Json:
        number = self.number()
        contract = {
            "id": number, "name": f"Contrato {number}", "supplier_id": ORGANIZATION, "supplier_type": "Company",
            "customer_id": 90_000 + number, "customer_type": "Company", "state": "active", "kind": "sale",
        } | given  # fmt: skip
        self.contracts.append(contract)
        return contract

    def rule(self, shape: Shape, contract: Json | None = None, **fates: Any) -> Rule:
        rule = Rule(self, contract or self.contract(), shape, **fates)
        self.rules.append(rule)
        self.documents[rule.id] = rule.document()
        return rule

    def expect(self, kind: str, rule: Rule | None, amount: Decimal | int, **given: Any) -> None:
        contract = given.pop("contract_id", None) or (rule.contract["id"] if rule else None)
        entry = {"kind": kind, "contract_id": contract, "rule_id": rule.id if rule else None, "invoice_ids": [],
                 "amount": f"{money(amount):.2f}"}  # fmt: skip
        if isinstance(given.get("planned_date"), date):
            given["planned_date"] = given["planned_date"].isoformat()
        self.expected.append(entry | given)

    @staticmethod
    def cancel(invoice: Json) -> None:
        invoice["state"] = "cancelled"
        for line in invoice["receivables"]:
            line["state"] = "cancelled"

    def state(self) -> Json:
        invoices = [*(each for rule in self.rules for each in rule.invoices.values()), *self.others]
        return {
            "token": TOKEN,
            "organizations": [{"id": ORGANIZATION, "name": "Luz do Sul Serviços Ltda."}],
            "contracts": self.contracts,
            "service_items": [{"id": number, "name": name} for name, number in self.items.items()],
            "invoice_rules": list(self.documents.values()),
            "invoices": sorted(invoices, key=lambda each: each["id"]),
            "nfses": self.nfses,
        }
