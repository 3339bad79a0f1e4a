"""What happened at the vendor before Ciclo came: rules were entered, their invoices made, people worked on them.

Rules younger than the vendor's horizon are entered over its API on their day, so that it generates their invoices
itself, issues and readjusts them as time passes; the company's `deeds` are done to some of them. The older rules, and
those that were entered while it made none (`not_generated`), are there as the company's file says: nobody has made
their invoices of the year, nobody has readjusted them.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

from ciclo.domain.recurrence import DateRange
from ciclo_sandbox.testing import SandboxControl, running_sandbox
from demo.company import YEAR_END, company, year_until

Json = dict[str, Any]

HORIZON_YEARS: Final = 2
"""How far the vendor generates the invoices of a rule without end, from its first day on."""
OPENS_AT: Final = "09:00"
"""When people at the vendor begin to work, in São Paulo."""
DAYS_BEFORE: Final = 2
"""How long before its planned date somebody works on an invoice."""

MORE_USAGE: Final = Decimal("1.25")
"""By what the value of an invoice grows to which somebody adds the month's usage."""

RULE: Final = (
    "description", "nfe_body", "approval_status", "management_type", "automatic_email_template_id",
    "days_until_automatic_nfe_emission", "notify_customer", "apply_negative_updates", "charge_type",
)  # fmt: skip
SCHEDULE: Final = ("title", "init_date", "end_date", "period_unit", "month_quantity", "accrual_month_quantity")
SERVICE: Final = ("service_item_id", "description", "units", "unit_value")
DUE_DATES: Final = ("day_number", "parcel_number", "day_quantity", "month_quantity", "only_business_days")
UPDATE: Final = ("price_index", "init_date", "month_quantity", "days_until_update", "service_item_id")


class Refused(Exception):
    """The vendor's stand-in refuses what the company's history says."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person did to an invoice that the vendor had made, planned for a day of a rule."""

    do: str
    rule_id: int
    planned_date: date


@dataclass(frozen=True, slots=True)
class Account:
    """The vendor's account on the day on which Ciclo comes.

    Attributes:
        state: in the state file's shape.
        before: the rules as they were entered, before any readjustment, in the same shape.
        deeds: what people did to invoices of the year.
    """

    state: Json
    before: Json
    deeds: tuple[Deed, ...]


def account(year_end: date = YEAR_END) -> Account:
    """Play the company's history up to a year's end, on a stand-in in this process, and return what came of it."""
    whole = company(year_end)
    year = year_until(year_end)
    young = [rule for rule in whole["invoice_rules"] if _is_young(rule, whole, year)]
    older = [rule for rule in whole["invoice_rules"] if rule not in young]
    begun = year.start.replace(year=year.start.year - HORIZON_YEARS)
    with running_sandbox(whole | {"invoice_rules": []}, today=begun) as vendor:
        history = _History(vendor, whole, year)
        entered = history.play(young)
        state = vendor.state()
    state["invoice_rules"] += older
    return Account(state, whole | {"invoice_rules": [*entered, *older]}, tuple(history.deeds))


def _is_young(rule: Json, whole: Json, year: DateRange) -> bool:
    """Whether a rule was entered so late that the vendor's own invoices of it reach into the year."""
    contracts = {contract["id"]: contract for contract in whole["contracts"]}
    first = date.fromisoformat(rule["additional_information"]["init_date"])
    horizon = first.replace(year=first.year + HORIZON_YEARS, day=min(first.day, 28))
    active = contracts[rule["contract_id"]]["state"] == "active"
    ordinary = bool(rule["description"]) and rule["approval_status"] == "approved"  # what is generated is approved
    generated = ordinary and rule["id"] not in whole["not_generated"]
    return active and generated and horizon > year.start and first < year.end


@dataclass(slots=True)
class _History:
    """The history under way."""

    vendor: SandboxControl
    whole: Json
    year: DateRange
    deeds: list[Deed] = field(default_factory=list)

    def play(self, young: list[Json]) -> list[Json]:
        """Let everything happen on its day; return the rules as the vendor answered them when they were entered."""
        order = count()
        todo: list[tuple[date, int, Any]] = []
        for rule in young:
            heappush(todo, (_day(rule["created_at"]), next(order), rule))
        entered = []
        while todo:
            day, _, what = heappop(todo)
            self.vendor.set_clock(day, OPENS_AT)
            if isinstance(what, Deed):
                self._do(what)
                continue
            rule = self._enter(what)
            entered.append(rule)
            for deed in self.whole["deeds"]:
                if deed["rule_id"] == what["id"]:
                    days = sorted(_day(invoice["estimated_issue_date"]) for invoice in self._invoices(rule["id"]))
                    planned = [each for each in days if each in self.year][deed["period"] - 1]
                    about = Deed(deed["do"], rule["id"], planned)
                    heappush(todo, (max(day, planned - timedelta(days=DAYS_BEFORE)), next(order), about))
        self.vendor.set_clock(self.year.last_day)
        return entered

    def _enter(self, rule: Json) -> Json:
        asked = _some(rule, RULE) | {
            "services": [_some(line, SERVICE) for line in rule["services"]],
            "additional_information": _some(rule["additional_information"], SCHEDULE),
            "receivables_additional_information": _some(rule["receivables_additional_information"], DUE_DATES),
            "payment_information": _some(rule["payment_information"], ("payment_method",)),
            "scheduled_updates": [_some(update, UPDATE) for update in rule["scheduled_updates"]],
        }
        if not rule["services"]:
            asked["gross_value"] = rule["gross_value"]
        path = f"contracts/{rule['contract_id']}/invoice_rules"
        number = self._call("POST", path, {"invoice_rule": asked})["invoice_rule"]["id"]
        rules: list[Json] = self.vendor.state()["invoice_rules"]
        return next(each for each in rules if each["id"] == number)

    def _invoices(self, rule_id: int) -> list[Json]:
        """Return what the vendor made of a rule; its stand-in knows what the real one does not tell."""
        invoices = self.vendor.state()["invoices"]
        return [each for each in invoices if (each.get("generated") or {}).get("rule_id") == rule_id]

    def _do(self, deed: Deed) -> None:
        """Do to an invoice what a person does on the vendor's screens."""
        invoice = next(
            each for each in self._invoices(deed.rule_id) if _day(each["estimated_issue_date"]) == deed.planned_date
        )
        number, line = invoice["id"], next(iter(invoice["services"]), None)
        path = f"contracts/{invoice['contract_id']}/invoices"
        match deed.do:
            case "append_description":
                self.vendor.edit(number, description=f"{invoice['description']} - Pedido 4711")
            case "change_value" if line:
                units = str(Decimal(line["units"]) * MORE_USAGE)
                self.vendor.edit(number, services=[{"id": line["id"], "units": units}])
            case "change_value":
                self.vendor.edit(number, gross_value=str(Decimal(invoice["gross_value"]) * MORE_USAGE))
            case "move_date":
                day = f"{deed.planned_date + timedelta(days=3):%d/%m/%Y}"
                self.vendor.edit(number, issue_date=day, estimated_issue_date=day)
            case "split":
                first = invoice["receivables"][0]
                due = _day(first["due_date"])
                parts = [{"id": first["id"], "due_date": f"{due:%d/%m/%Y}", "value": "50.0"}]
                parts.append({"due_date": f"{due + timedelta(days=30):%d/%m/%Y}", "value": "50.0"})
                self.vendor.edit(number, receivables=parts)
            case "delete":
                self._call("DELETE", f"{path}/{number}")
            case "cancel_and_copy":
                self.vendor.cancel(number)
                copy = _some(invoice, ("issue_date", "description", "nfe_body")) | {
                    "comments": "Refeita a pedido do cliente",
                    "services": [_some(each, SERVICE) for each in invoice["services"]],
                    "receivables": [{"due_date": part["due_date"]} for part in invoice["receivables"]],
                }
                if not copy["services"]:
                    copy["gross_value"] = invoice["gross_value"]
                self._call("POST", path, {"invoice": copy})
            case _:
                raise Refused(f"nobody knows how to {deed.do} invoice {number}")
        self.deeds.append(deed)

    def _call(self, method: str, path: str, body: Json | None = None) -> Any:
        status, answer = self.vendor.call(method, path, body)
        if status >= 400:
            raise Refused(f"{method} {path}: {status} {answer}")
        return answer


def _some(document: Json, fields: tuple[str, ...]) -> Json:
    return {name: document[name] for name in fields if document.get(name) is not None}


def _day(text: str) -> date:
    return datetime.strptime(text[:10], "%d/%m/%Y").date()  # noqa: DTZ007 - a calendar day has no zone
