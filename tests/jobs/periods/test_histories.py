"""Histories of changes at the vendor, day by day: nothing is billed twice, nothing is lost without having been shown.

A history is a list of changes to one rule over some months: its price, day, periodicity, competence, end, a pause of
its contract, its deletion, a rule made anew for it or typed before it ends. Days on which anything may happen are lived
as the Dags live them.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from ciclo.domain.coverage import months_of
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import IssueOptions, JobContext, arm
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules, read_due, record_expansion, record_sync, sync_contracts
from ciclo.jobs.rules.read import read_contract_list
from ciclo.jobs.rules.snapshot import RuleSnapshots
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, Scope
from ciclo.ledger.tables import Finding, Period
from company import company, rule
from ledgers import migrate
from simulated_vendor import SimulatedClock, SimulatedVendor

FIRST, LAST = date(2025, 6, 1), date(2025, 9, 30)
CONTRACT = 10
NOBODY_ELSE = {"emit_on_issue_date": False, "payments": [], "seed": 1, "generate_invoices": False}


@dataclass(frozen=True)
class Change:
    """What somebody does at the vendor on the night before a day."""

    on: date
    what: str
    value: Any = None


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    days = draw(st.lists(st.integers(1, 110), min_size=1, max_size=5, unique=True))
    kinds = st.sampled_from(["price", "day", "months", "competence", "end", "no end", "pause", "resume", "anew",
                             "renewed"])  # fmt: skip
    values = {
        "price": st.sampled_from(["90.0", "175.5", "200.0"]),
        "day": st.sampled_from([1, 5, 10, 20, 28]),
        "months": st.sampled_from([1, 1, 2, 3]),
        "competence": st.sampled_from(["same_month", "previous_month", "next_month"]),
        "end": st.integers(0, 60),
        "renewed": st.tuples(st.integers(0, 20), st.integers(0, 20)),  # days to the new one's first, the old one's last
    }
    changes = []
    for number in sorted(days):
        what = draw(kinds)
        value = draw(values[what]) if what in values else None
        changes.append(Change(FIRST + timedelta(days=number), what, value))
    return changes


@dataclass
class Company:
    """A contract with one rule, billed from June 2025 on."""

    engine: Engine
    clock: SimulatedClock = field(default_factory=lambda: SimulatedClock(datetime(2025, 6, 1, 7, tzinfo=UTC)))
    typed: dict[int, str] = field(default_factory=lambda: {1: "150.0"})
    """The price of each rule at the vendor."""
    prices: dict[int, Decimal] = field(default_factory=dict)
    """By period, the price that the reading of the day on which it was issued found."""
    pauses: list[date] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.vendor = SimulatedVendor(self.clock, company(rule(1, CONTRACT), behaviour=NOBODY_ELSE))
        self.timing = {"title": "Regra", "init_date": "2025-01-10", "period_unit": "monthly", "month_quantity": 1,
                       "accrual_month_quantity": "same_month", "end_date": None}  # fmt: skip
        self.price, self.rule_id, self.active = "150.0", 1, True
        with self.job() as job:
            arm(job, FIRST, person="Ana")

    @contextmanager
    def job(self) -> Iterator[JobContext]:
        with self.vendor.client() as api, Session(self.engine, expire_on_commit=False) as session:
            yield JobContext(api, session, Actor(dag_id="histories", run_id="tests", task_id="day"), self.clock)

    def change(self, change: Change) -> None:
        match change.what:
            case "price":
                self.price = change.value
            case "day":
                day = date.fromisoformat(self.timing["init_date"]).replace(day=change.value)
                self.timing["init_date"] = day.isoformat()
            case "months":
                self.timing["month_quantity"] = change.value
            case "competence":
                self.timing["accrual_month_quantity"] = change.value
            case "end":
                self.timing["end_date"] = (change.on + timedelta(days=change.value)).isoformat()
            case "no end":
                self.timing["end_date"] = None
            case "pause" | "resume":
                self.active = change.what == "resume"
                with self.vendor.account.transaction():
                    contract = self.vendor.account.contract(CONTRACT)
                    state = "active" if self.active else "inactive"
                    self.vendor.account.contracts.change(contract | {"state": state})
                return
            case "anew":
                self.vendor.ask("DELETE", f"contracts/{CONTRACT}/invoice_rules/{self.rule_id}")
                self.make_rule()
                return
            case "renewed":
                first, last = (change.on + timedelta(days=days) for days in change.value)
                self.timing["end_date"] = last.isoformat()
                self.correct_rule()
                begun = date.fromisoformat(self.timing["init_date"])
                self.timing |= {"init_date": max(first, begun + timedelta(days=1)).isoformat(), "end_date": None}
                self.make_rule()
                return
        self.correct_rule()

    def make_rule(self) -> None:
        body = {"gross_value": self.price, "description": "Mensalidade 1", "nfe_body": "$DESCRICAO",
                "charge_type": "fixed_day", "receivables_additional_information": {"day_number": 1},
                "additional_information": self.timing}  # fmt: skip
        made = self.vendor.ask("POST", f"contracts/{CONTRACT}/invoice_rules", {"invoice_rule": body})
        self.rule_id = made.get("invoice_rule", made)["id"]
        self.typed[self.rule_id] = self.price

    def correct_rule(self) -> None:
        body = {"gross_value": self.price, "additional_information": self.timing}
        self.vendor.ask("PATCH", f"contracts/{CONTRACT}/invoice_rules/{self.rule_id}", {"invoice_rule": body})
        self.typed[self.rule_id] = self.price

    def live(self, day: date) -> None:
        """What the Dags of a day do."""
        self.clock.now = datetime(day.year, day.month, day.day, 7, tzinfo=UTC)
        if not self.active:
            self.pauses.append(day)
        scope = Scope(DateRange.days(day - timedelta(days=7), day))
        with self.job() as job:
            read_contract_list(job)
            sync_contracts(job, today=day)
            record_sync(job, day)
            if day.day == 1:
                month = Scope(DateRange.month_of(day))
                expand_rules(job, month, seen_on=day)
                record_expansion(job, month)
            before = self.issued(job)
            read_due(job, job.periods.open_contracts(scope), today=day)
            issue_due_periods(job, scope, IssueOptions(concurrency=1), owner=f"day {day}")
            for period in self.issued(job).values():
                if period.id not in before:
                    self.prices[period.id] = Decimal(self.typed[period.rule_id])

    def issued(self, job: JobContext) -> dict[int, Period]:
        rows = job.session.scalars(select(Period).where(Period.state == PeriodState.ISSUED))
        return {period.id: period for period in rows.all()}


def check(place: Company) -> None:
    with place.job() as job:
        periods = list(job.session.scalars(select(Period)))
        findings = list(job.session.scalars(select(Finding)))
        snapshots = RuleSnapshots(job, {period.rule_id for period in periods})
        covered = {each.id: snapshots[each.rule_id].coverage_of(each) for each in periods}
    issued = [each for each in periods if each.state == PeriodState.ISSUED]
    for count in (
        Counter(month for each in issued for month in months_of(covered[each.id].issued)),
        Counter(month for each in issued for month in months_of(covered[each.id].competence)),
    ):
        assert not [month for month, times in count.items() if times > 1], "a month is billed twice"
    for each in issued:
        assert each.gross_value == place.prices[each.id], "not at the price of its own day's reading"
    live = [each for each in place.vendor.resources("invoices") if each["state"] != "cancelled"]
    assert len(live) == len(issued)
    parked = [each for each in periods if each.state == PeriodState.PARKED]
    shown = {month for each in parked for month in months_of(covered[each.id].issued)}
    shown |= {each.billing_month for each in findings if each.kind in (FindingKind.GAP, FindingKind.BACKDATED)}
    billed = {month for each in issued for month in months_of(covered[each.id].issued)}
    paused = {day.replace(day=1) for day in place.pauses}
    if billed:
        between = months_of(DateRange(min(billed), max(billed)))
        lost = [month for month in between if month not in billed | shown | paused]
        assert not lost, f"lost without having been shown: {lost}"


@given(history=histories())
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a history takes seconds: the falsifying one is short enough to read
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    report_multiple_bugs=False,
)
def test_no_history_of_changes_bills_a_month_twice_or_loses_one_unseen(history, tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('history') / 'ledger.db'}"
    migrate(url)
    engine = open_engine(url)
    place = Company(engine)
    try:
        events = {change.on: change for change in history}
        interesting = {day + timedelta(days=after) for day in events for after in (0, 1)}
        day = FIRST
        while day <= LAST:
            if day in events:
                place.change(events[day])
            if day in interesting or day.day in (1, 2, 5, 10, 20, 28):
                place.live(day)
            day += timedelta(days=1)
        check(place)
    finally:
        place.vendor.shut_down()
        engine.dispose()
