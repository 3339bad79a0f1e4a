"""An account's future: its state played day by day, and what comes of it for whoever plans with it.

What is billed is what the vendor's stand-in holds at the end; what stops is what people were shown on the way. With a
what-if the same days are played a second time, the months of an index that nobody knows yet having the values assumed;
without, each is that of twelve months before. Money is BRL, months are their first days.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any, Final, NamedTuple

from sqlalchemy import select

from ciclo.domain.adjustments import marks_in
from ciclo.domain.calendar import add_days, add_months, first_of_month, month_end
from ciclo.domain.money import ZERO, total
from ciclo.domain.price_index import PriceIndex
from ciclo.domain.pricing import per_month
from ciclo.domain.recurrence import DateRange, PeriodUnit, Recurrence
from ciclo.domain.states import PeriodState
from ciclo.domain.texts import begins_alike, plain
from ciclo.jobs.audit.read import Progress
from ciclo.jobs.rehearsal import ScenarioError
from ciclo.jobs.rehearsal.outcome import outcome_of
from ciclo.jobs.rehearsal.play import rehearsing
from ciclo.jobs.rehearsal.scenario import Scenario
from ciclo.jobs.rehearsal.vendor import day_of
from ciclo.jobs.settings import BillingSettings
from ciclo.ledger.database import open_session
from ciclo.ledger.tables import Period
from ciclo.sgs.series import shipped_series

Json = dict[str, Any]

_AT_REST: Final = (PeriodState.ISSUED.value, PeriodState.CANCELLED.value)
_SAID_ELSEWHERE: Final = ("obstacle", "failed_run")
"""An obstacle is shown as what it is already; a close fails by its obstacles."""
NEAR: Final = 27
"""Days between two invoices of a contract that may be taken for one another: less than a month."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a forecast takes for granted.

    Attributes:
        today: the day of the account, on which it begins.
        months: whole months after the running one.
        known: values of the indices, by first day of month, that are newer than those that ship.
        what_if: by index its monthly variation in percent, from the first month that nobody knows.
        settings: how the installation bills.
    """

    today: date
    months: int
    known: Mapping[PriceIndex, Mapping[date, Decimal]]
    what_if: Mapping[PriceIndex, Decimal]
    settings: BillingSettings

    @property
    def days(self) -> DateRange:
        """The planned dates that it is about: the whole running month, and the months after it."""
        first = first_of_month(self.today)
        return DateRange.days(first, month_end(add_months(first, self.months)))

    def known_until(self, index: PriceIndex) -> date:
        """Return the last month of an index with a known value."""
        return max(*shipped_series()[index], *self.known.get(index, ()))

    def indices(self, *, what_if: bool) -> dict[str, dict[str, str]]:
        """Return the values that the stand-in answers beside those that ship, in the form of its behaviour."""
        found = {}
        for index in PriceIndex:
            series = {**shipped_series()[index], **self.known.get(index, {})}
            month = add_months(max(series), 1)
            while month < self.days.end:
                assumed = self.what_if.get(index) if what_if else None
                series[month] = series[add_months(month, -12)] if assumed is None else assumed
                month = add_months(month, 1)
            new = {month: value for month, value in series.items() if shipped_series()[index].get(month) != value}
            found[index.value] = {f"{month:%Y-%m}": f"{value:f}" for month, value in sorted(new.items())}
        return found


class Revenue(NamedTuple):
    """What a contract comes to in a month: billed, stopped for a person, and billed in the what-if."""

    month: date
    contract_id: int
    contract: str
    billed: Decimal
    stopped: Decimal
    what_if: Decimal | None

    def document(self) -> Json:
        """Return it as JSON values."""
        return {
            "month": f"{self.month:%Y-%m}",
            "contract_id": self.contract_id,
            "contract": self.contract,
            "billed": f"{self.billed:.2f}",
            "stopped": f"{self.stopped:.2f}",
            "what_if": f"{self.what_if:.2f}" if self.what_if is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Forecast:
    """What comes of an account. Dates ISO, money decimal strings in everything but `revenue`.

    Attributes:
        readjustments: every price update of the days, as a rehearsal says it, with the new prices of the what-if.
        stops: what people were shown, with first and last day.
        confusable: by contract two rules of which invoices are near enough to be taken for one another, with the first.
        ending: rules whose last period lies in the days, with what they come to per month.
        left_out: what could not be read of the account.
    """

    organization_id: int
    assumed: Assumptions
    revenue: Sequence[Revenue]
    readjustments: Sequence[Json]
    stops: Sequence[Json]
    confusable: Sequence[Json]
    ending: Sequence[Json]
    left_out: Sequence[str]

    def months(self) -> list[Revenue]:
        """Return what all contracts come to, month by month."""
        found = []
        month = self.assumed.days.start
        while month < self.assumed.days.end:
            rows = [each for each in self.revenue if each.month == month]
            billed, stopped = total(each.billed for each in rows), total(each.stopped for each in rows)
            what_if = total(each.what_if or ZERO for each in rows) if self.assumed.what_if else None
            found.append(Revenue(month, 0, "", billed, stopped, what_if))
            month = add_months(month, 1)
        return found

    def document(self) -> Json:
        """Return it as JSON values."""
        assumed = self.assumed
        totals = [{k: v for k, v in each.document().items() if not k.startswith("contract")} for each in self.months()]
        return {
            "organization_id": self.organization_id,
            "from": assumed.days.start.isoformat(),
            "until": add_days(assumed.days.end, -1).isoformat(),
            "today": assumed.today.isoformat(),
            "indices": {index.value: f"{assumed.known_until(index):%Y-%m}" for index in PriceIndex},
            "what_if": {index.value: f"{value:f}" for index, value in assumed.what_if.items()},
            "months": totals,
            "revenue": [each.document() for each in self.revenue],
            "readjustments": list(self.readjustments),
            "stops": list(self.stops),
            "confusable": list(self.confusable),
            "ending": list(self.ending),
            "left_out": list(self.left_out),
        }


def forecast_account(
    state: Json, assumed: Assumptions, *, left_out: Sequence[str] = (), tell: Callable[[Progress], None]
) -> Forecast:
    """Play an account's future, twice where there is a what-if.

    Args:
        state: a state file; its first organization bills, its `today` is passed over.
        assumed: what is taken for granted.
        left_out: what could not be read of the account.
        tell: told how far it is.

    Raises:
        ScenarioError: the stand-in does not take the state.
    """
    expected = _Future(state, assumed, tell, what_if=False)
    other = _Future(state, assumed, tell, what_if=True) if assumed.what_if else None
    return Forecast(
        organization_id=expected.organization_id,
        assumed=assumed,
        revenue=list(_revenue(state, expected, other)),
        readjustments=list(_readjustments(state, expected, other)),
        stops=[each for each in expected.outcome["attention"] if each["kind"] not in _SAID_ELSEWHERE],
        confusable=list(_confusable(expected)),
        ending=list(_ending(state, expected)),
        left_out=left_out,
    )


class _Future:
    """One play of the days, and what came of it."""

    def __init__(self, state: Json, assumed: Assumptions, tell: Callable[[Progress], None], *, what_if: bool) -> None:
        behaviour = {**state.get("behaviour", {}), "price_indices": assumed.indices(what_if=what_if)}
        days = assumed.days
        until = self.until = add_days(days.end, -1)
        scenario = Scenario(
            state={**{name: value for name, value in state.items() if name != "today"}, "behaviour": behaviour},
            today=assumed.today,
            until=until,
            settings=assumed.settings,
        )
        name, whole = "what-if" if what_if else "expected", (until - assumed.today).days + 1
        with rehearsing(scenario) as rehearsal:
            rehearsal.play(lambda day: tell(Progress(name, whole - (until - day).days, (until - day).days)))
            self.outcome = outcome_of(rehearsal)
            with open_session(rehearsal.engine) as session:
                query = select(Period).where(Period.issue_date >= days.start, Period.issue_date < days.end)
                self.periods = list(session.scalars(query.order_by(Period.issue_date, Period.id)))
                session.expunge_all()
        self.organization_id = scenario.organization_id
        purchases = {each["id"] for each in state["contracts"] if each.get("kind") == "purchase"}
        self.invoices = [
            each
            for each in self.outcome["invoices"]
            if each["state"] != "cancelled"
            and each["contract_id"] not in purchases
            and each["planned_date"]
            and date.fromisoformat(each["planned_date"]) in days
        ]

    def billed(self) -> dict[tuple[date, int], Decimal]:
        """Return what is billed by month and contract."""
        found: dict[tuple[date, int], Decimal] = defaultdict(lambda: ZERO)
        for each in self.invoices:
            found[first_of_month(date.fromisoformat(each["planned_date"])), each["contract_id"]] += Decimal(
                each["gross_value"]
            )
        return found

    def stopped(self) -> dict[tuple[date, int], Decimal]:
        """Return what has no invoice at the end, though its day is over."""
        found: dict[tuple[date, int], Decimal] = defaultdict(lambda: ZERO)
        for each in self.periods:
            if each.state not in _AT_REST:
                found[first_of_month(each.issue_date), each.contract_id] += each.gross_value or ZERO
        return found


def _revenue(state: Json, expected: _Future, other: _Future | None) -> Iterator[Revenue]:
    names = {each["id"]: each.get("name") or each.get("title") or "" for each in state["contracts"]}
    billed, stopped = expected.billed(), expected.stopped()
    assumed = other.billed() if other is not None else {}
    for month, contract_id in sorted({*billed, *stopped, *assumed}):
        yield Revenue(
            month,
            contract_id,
            names.get(contract_id, ""),
            billed.get((month, contract_id), ZERO),
            stopped.get((month, contract_id), ZERO),
            assumed.get((month, contract_id), ZERO) if other is not None else None,
        )


def _readjustments(state: Json, expected: _Future, other: _Future | None) -> Iterator[Json]:
    def key(update: Json) -> tuple[Any, ...]:
        return update["rule_id"], update["service_item_id"], update["execution_date"]

    contracts = {each["id"]: each["contract_id"] for each in state["invoice_rules"]}
    assumed = {key(each): each for each in other.outcome["price_updates"]} if other is not None else {}
    for update in expected.outcome["price_updates"]:
        there = assumed.get(key(update))
        yield {
            "contract_id": contracts.get(update["rule_id"]),
            **update,
            "what_if_prices": there["prices"] if there is not None else [],
        }


def _confusable(expected: _Future) -> Iterator[Json]:
    rules = {each.invoice_id: each.rule_id for each in expected.periods if each.invoice_id is not None}
    by_contract: dict[int, list[Json]] = defaultdict(list)
    for each in sorted(expected.invoices, key=lambda each: (each["planned_date"], each["id"])):
        by_contract[each["contract_id"]].append(each)
    for contract_id, invoices in sorted(by_contract.items()):
        pairs: dict[tuple[int | None, int | None], list[tuple[Json, Json]]] = defaultdict(list)
        for one, two in combinations(invoices, 2):
            first, second = rules.get(one["id"]), rules.get(two["id"])
            days = date.fromisoformat(two["planned_date"]) - date.fromisoformat(one["planned_date"])
            if (first is None or first != second) and days.days <= NEAR and (why := _alike(one, two)):
                pairs[min(first or 0, second or 0) or None, max(first or 0, second or 0) or None].append((one, two))
                one["alike"] = why
        for (first, second), found in pairs.items():
            one, two = found[0]
            yield {
                "contract_id": contract_id,
                "rule_ids": [each for each in (first, second) if each is not None],
                "invoice_ids": [one["id"], two["id"]],
                "planned_dates": [one["planned_date"], two["planned_date"]],
                "alike": one.pop("alike"),
                "times": len(found),
            }


def _alike(one: Json, two: Json) -> str | None:
    """Return what two invoices have in common that tells invoices apart: their value, or how their texts begin."""
    if one["gross_value"] == two["gross_value"]:
        return "value"
    return "description" if begins_alike(plain(one["description"]), plain(two["description"])) else None


def _ending(state: Json, expected: _Future) -> Iterator[Json]:
    last = {each.rule_id: each for each in expected.periods if each.state != PeriodState.CANCELLED.value}
    for rule in sorted(state["invoice_rules"], key=lambda each: each["id"]):
        timing, period = rule.get("additional_information") or {}, last.get(rule["id"])
        end = day_of(timing.get("end_date"))
        if period is None or end is None or end >= expected.until or marks_in(timing.get("title")):
            continue
        unit = PeriodUnit(timing.get("period_unit") or PeriodUnit.MONTHLY)
        recurrence = Recurrence(period.issue_date, unit, int(timing.get("month_quantity") or 1))
        yield {
            "contract_id": rule["contract_id"],
            "rule_id": rule["id"],
            "title": timing.get("title") or "",
            "end_date": end.isoformat(),
            "last_planned_date": period.issue_date.isoformat(),
            "per_month": f"{per_month(recurrence, period.gross_value or ZERO):.2f}",
        }


def read_what_if(text: str) -> tuple[PriceIndex, Decimal]:
    """Read `igpm=0.4/month`: an index and its variation in percent in each month to come.

    Raises:
        ScenarioError: it is written otherwise, or there is no such index.
    """
    name, equals, value = text.partition("=")
    number, slash, unit = value.partition("/")
    try:
        index, percent = PriceIndex(name.strip()), Decimal(number.strip().replace(",", "."))
    except (ValueError, ArithmeticError):
        index, percent = None, None
    if index is None or percent is None or not equals or (slash and unit != "month") or not percent.is_finite():
        known = ", ".join(each.value for each in PriceIndex)
        raise ScenarioError(f"--index {text}: it is written igpm=0.4/month; there are {known}")
    return index, percent
