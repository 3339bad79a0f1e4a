"""A company whose billing is interrupted at will: the real jobs, on a real ledger, at a simulated vendor.

A run is a list of decisions: at which failpoint, the how-many-eth time, what happens there. `crash` ends the run as a
kill would; anything else happens while the run stands still: another run, a person, time that passes.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from ciclo import failpoints
from ciclo.billimatic import ApiError
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.indices import load_shipped
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import StillInDoubtError, settle
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.price_updates import UpdateOptions, apply_price_updates, settle_updates
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import cancel_period, release_period
from ciclo.ledger.repositories import Actor, Scope
from ciclo.ledger.tables import Period, PriceUpdateExecution
from company import ORGANIZATION, TODAY, company, rule, scheduled_update
from simulated_vendor import SimulatedClock, SimulatedVendor

WINDOW = Scope(DateRange.days(date(2025, 1, 1), date(2025, 4, 30)))
EVER = Scope(DateRange.days(date(2000, 1, 1), date(2025, 12, 31)))
IN_WINDOW = select(Period).where(Period.issue_date < WINDOW.window.end)
"""The periods that the simulation is about: reading a contract plans its open months, too."""
LEASE, GRACE = timedelta(minutes=10), timedelta(minutes=5)
BASE, READJUSTED = Decimal("1000.00"), Decimal("1084.45")
REFERENCE = re.compile(r"ciclo:7:(\d+):(\d{4}-\d{2}-\d{2})")

INSIDE_A_TRANSACTION = {name for name in failpoints.POINTS if name.endswith("ing") and name != "issue.posting"}
"""Where a run may crash, but on SQLite nobody else can write."""


class Crash(BaseException):
    """The process is gone, between two steps."""


@dataclass(frozen=True)
class Interruption:
    """What happens when a run reaches a failpoint for the `hit`-th time."""

    point: str
    hit: int
    action: Callable[["Billing"], None] | None
    """None: the run crashes."""


def state() -> dict[str, Any]:
    """Twins that only the reference tells apart, one of another contract, and one whose price is readjusted."""
    twin = {"description": "Mensalidade", "init_date": "2025-01-10", "gross_value": "150.0"}
    update = scheduled_update(500, init_date="2025-03-01")
    return company(
        rule(1, 10, **twin),
        rule(2, 10, **twin),
        rule(3, 11, init_date="2025-01-31"),
        rule(4, 12, gross_value=str(BASE), scheduled_updates=[update]),
    )


@dataclass
class Billing:
    """The company, its vendor and its ledger."""

    engine: Engine
    grace: timedelta = GRACE
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    interruptions: Counter[str] = field(default_factory=Counter)
    """What happened at which failpoint, how often."""
    depth: int = 0

    def __post_init__(self) -> None:
        self.vendor = SimulatedVendor(self.clock, state())
        self._names = count(1)
        self._billed_by_hand: set[int] = set()
        with self._session() as session:
            load_shipped(session, at=self.clock())
        self.expand()

    @property
    def options(self) -> IssueOptions:
        # one request at a time: the order of things is part of the decisions
        return IssueOptions(concurrency=1, batch=3, lease=LEASE, grace=self.grace)

    # -- what runs -----------------------------------------------------------------------------------------------

    def expand(self, *script: Interruption) -> None:
        def job(ctx: JobContext, _owner: str) -> None:
            read_contract_list(ctx)
            expand_rules(ctx, WINDOW, seen_on=TODAY)

        self._run(job, script)

    def issue(self, *script: Interruption) -> None:
        """Run what the tasks of `issue_invoices` run, in their order."""

        def job(ctx: JobContext, owner: str) -> None:
            settle(ctx, WINDOW, self.options)
            adopt_existing(ctx, WINDOW, self.options, owner=owner)
            issue_due_periods(ctx, WINDOW, self.options, owner=owner)
            finish_issuing(ctx, WINDOW, self.options, owner=f"{owner}/finish")

        self._run(job, script)

    def settle(self, *script: Interruption) -> None:
        self._run(lambda ctx, _owner: settle(ctx, WINDOW, self.options), script)

    def update_prices(self, *script: Interruption) -> None:
        """Run what the tasks of `apply_price_updates` run, in their order."""
        options = UpdateOptions(lease=LEASE, grace=self.grace)

        def job(ctx: JobContext, owner: str) -> None:
            settle_updates(ctx, EVER, options)
            apply_price_updates(ctx, EVER, options, today=TODAY, owner=owner)
            settle_updates(ctx, EVER, options)

        self._run(job, script)

    def _run(self, job: Callable[[JobContext, str], Any], script: Sequence[Interruption]) -> None:
        """Run a job to its end, to its crash, or to the error after which Airflow would try again."""
        owner = f"run {next(self._names)}"
        with self._session() as session, self.vendor.client() as api, self._interrupted(session, script):
            ctx = JobContext(api, session, Actor(run_id=owner), self.clock)
            try:
                job(ctx, owner)
            except (Crash, ApiError, StillInDoubtError):
                session.rollback()

    def _session(self) -> Session:
        return Session(self.engine, expire_on_commit=False)

    @contextmanager
    def _interrupted(self, session: Session, script: Sequence[Interruption]) -> Iterator[None]:
        """Follow a script while a run is under way; the runs that it starts have scripts of their own."""
        before, hits, crashed = failpoints._at_failpoint, Counter[str](), threading.Event()

        def reached(name: str) -> None:
            hits[name] += 1
            if crashed.is_set():
                raise Crash(name)
            for entry in script:
                if (entry.point, entry.hit) == (name, hits[name]):
                    follow(name, entry)

        def follow(name: str, entry: Interruption) -> None:
            if entry.action is None:
                self.interruptions[f"crash at {name}"] += 1
                crashed.set()
                raise Crash(name)
            if name not in INSIDE_A_TRANSACTION and not session.in_transaction():
                self.interruptions[f"interrupted at {name}"] += 1
                entry.action(self)

        failpoints._at_failpoint = reached
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
            failpoints._at_failpoint = before

    # -- what people and time do ---------------------------------------------------------------------------------

    def pass_time(self, minutes: float) -> None:
        self.clock.sleep(minutes * 60)
        self.vendor.commit_what_is_late()

    def release_parked(self) -> None:
        """Let a person look at each parked period: surplus invoices go at the vendor, then the period is released."""
        with self._session() as session:
            for period in self._in_state(session, PeriodState.PARKED):
                release_period(session, ORGANIZATION, period.id, person="ana", note="looked at", at=self.clock())
                session.commit()

    def cancel_parked(self) -> None:
        with self._session() as session:
            for period in self._in_state(session, PeriodState.PARKED)[:1]:
                cancel_period(session, ORGANIZATION, period.id, person="ana", note="not billed", at=self.clock())
                session.commit()

    def bill_by_hand(self) -> None:
        """Let a person make the invoice of a period that is planned, just as Ciclo would, but without reference."""
        with self._session() as session:
            planned = [p for p in self._in_state(session, PeriodState.PLANNED) if p.rule_id == 3 and not p.attempts]
            for period in [p for p in planned if p.id not in self._billed_by_hand][:1]:
                self._billed_by_hand.add(period.id)
                receivable = {"due_date": period.first_due_date.isoformat(), "value": 100}
                invoice = {
                    "issue_date": period.issue_date.isoformat(),
                    "gross_value": float(period.gross_value or 0),
                    "description": "Mensalidade 3",
                    "nfe_body": "x",
                    "receivables": [receivable],
                }
                self.vendor.ask("POST", f"contracts/{period.contract_id}/invoices", {"invoice": invoice})

    def _in_state(self, session: Session, state: PeriodState) -> list[Period]:
        return list(session.scalars(IN_WINDOW.where(Period.state == state.value).order_by(Period.id)))

    # -- what must hold ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Whatever happened so far: no period has two live invoices, no period is lost, no price was raised twice."""
        live = self.live_invoices()
        billed = Counter(_subject(invoice) for invoice in live)
        assert all(number == 1 for number in billed.values()), f"billed twice: {billed}"
        with self._session() as session:
            periods = list(session.scalars(IN_WINDOW))
        assert len(periods) == 16, "a period is lost"
        by_id = {invoice["id"]: invoice for invoice in live}
        for period in periods:
            if period.state == PeriodState.ISSUED:
                assert period.invoice_id in by_id, f"{period.rule_id} {period.issue_date}: its invoice does not exist"
                assert _subject(by_id[period.invoice_id]) in {
                    (period.rule_id, period.issue_date.isoformat()),
                    (period.contract_id, "by hand", period.issue_date.isoformat()),
                }, f"{period.rule_id} {period.issue_date} has another period's invoice"
        assert self.price_at_the_vendor() in (BASE, READJUSTED), "a price update was applied twice"

    def check_the_end(self) -> None:
        """Once all is calm: everything is issued, or cancelled by a person, at the price in force on its day."""
        self.check()
        with self._session() as session:
            periods = list(session.scalars(IN_WINDOW))
            executions = list(session.scalars(select(PriceUpdateExecution)))
        states = Counter(period.state for period in periods)
        assert set(states) <= {"issued", "cancelled"}, f"not at an end: {states}"
        assert [execution.state for execution in executions] == ["applied"], "not at an end: the price update"
        assert self.price_at_the_vendor() == READJUSTED, "not at an end: the price at the vendor"
        values = {(p.issue_date.month, p.gross_value) for p in periods if p.rule_id == 4 and p.state == "issued"}
        assert values <= {(1, BASE), (2, BASE), (3, READJUSTED), (4, READJUSTED)}, f"at the wrong price: {values}"
        assert len(self.live_invoices()) == states["issued"], "billed twice: an invoice belongs to no period"

    def calm_down(self) -> None:
        """Let nothing go wrong any more and run what is scheduled until nothing changes."""
        self.vendor.going_wrong = lambda _request: None
        for _ in range(3):
            self.pass_time(20)
            self.release_parked()
            self.expand()
            self.update_prices()
            self.issue()
            if self._all_at_rest():
                return

    def _all_at_rest(self) -> bool:
        with self._session() as session:
            states = {period.state for period in session.scalars(IN_WINDOW)}
        return states <= {PeriodState.ISSUED.value, PeriodState.CANCELLED.value}

    def live_invoices(self) -> list[dict[str, Any]]:
        return [invoice for invoice in self.vendor.resources("invoices") if invoice["state"] != "cancelled"]

    def price_at_the_vendor(self) -> Decimal:
        [readjusted] = [each for each in self.vendor.resources("invoice_rules") if each["id"] == 4]
        return Decimal(readjusted["gross_value"]).quantize(Decimal("0.01"))


def _subject(invoice: dict[str, Any]) -> tuple[Any, ...]:
    """What an invoice bills: by its reference, or what a person wrote."""
    found = REFERENCE.search(invoice["comments"] or "")
    if found:
        return int(found[1]), found[2]
    day = "-".join(reversed(invoice["issue_date"].split("/")))
    return invoice["contract_id"], "by hand", day
