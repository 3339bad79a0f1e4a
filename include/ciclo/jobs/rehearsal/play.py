"""A rehearsal: the days of a scenario, one after the other, with the Dags' own steps at the Dags' own times.

A day in São Paulo: 00:05 the vendor's machinery, 03:00 what people do, then the Dags, 12:00 runs by hand. The clock
moves when told: whoever would wait moves it instead.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient
from ciclo.domain.calendar import SAO_PAULO, add_days
from ciclo.http.retries import RetryRules
from ciclo.jobs.backfill import BackfillPolicy
from ciclo.jobs.context import JobContext, arm
from ciclo.jobs.rehearsal import RefusedError, ScenarioError
from ciclo.jobs.rehearsal.attention import Attention, Matter
from ciclo.jobs.rehearsal.scenario import DagRun, Event, Scenario, act
from ciclo.jobs.rehearsal.vendor import Vendor, open_vendor
from ciclo.jobs.runs import Approval, DryRun, LedgerStep, ReadingStep, Run, Shard, Stage, Step, Trigger, Window
from ciclo.jobs.stages import BILL_RANGE, IMPORT_ADJUSTMENTS, STAGES, next_try
from ciclo.ledger.database import open_engine, open_session, upgrade
from ciclo.ledger.repositories import Actor
from ciclo.sgs.client import SgsClient

LAST_TIME = time(23, 59)
"""Nothing of a day goes on after this."""


class DayOver(Exception):
    """A pause would go on into the next day."""


class RehearsalClock:
    """An instant that moves forward within a day; safe to share between threads."""

    def __init__(self, day: date) -> None:
        self._now = _at(day, time())
        self._began = self._now
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the current instant, in UTC."""
        return self._now

    @property
    def today(self) -> date:
        """The day in São Paulo."""
        return self._now.astimezone(SAO_PAULO).date()

    def seconds(self) -> float:
        """Seconds since the rehearsal began."""
        return (self._now - self._began).total_seconds()

    def begin(self, day: date, at: time) -> None:
        """Move to a time of a day, unless it is later already."""
        with self._lock:
            self._now = max(self._now, _at(day, at))

    def sleep(self, seconds: float) -> None:
        """Let seconds pass, up to the end of the day."""
        with self._lock:
            self._now = min(self._now + timedelta(seconds=seconds), _at(self.today, LAST_TIME))

    def wait_until(self, instant: datetime) -> None:
        """Let time pass until an instant of this day.

        Raises:
            DayOver: it is on another day.
        """
        with self._lock:
            if instant > _at(self.today, LAST_TIME):
                raise DayOver
            self._now = max(self._now, instant)


def _at(day: date, at: time) -> datetime:
    return datetime.combine(day, at, SAO_PAULO).astimezone(UTC)


MACHINERY, PEOPLE, BY_HAND = time(0, 5), time(3), time(12)
PERSON = "rehearsal"
TIMEOUT = 20.0
TO_START = 1.0
"""Seconds from the beginning of a run to its first step, as Airflow takes some: what was read before is told apart."""


@dataclass(frozen=True, slots=True)
class Played:
    """A Dag run: on which day, what it came to."""

    on: date
    dag_id: str
    green: bool
    message: str

    def document(self) -> dict[str, str]:
        """Return it as JSON values."""
        outcome = "green" if self.green else "red"
        return {"on": self.on.isoformat(), "dag_id": self.dag_id, "outcome": outcome, "message": self.message}


@dataclass(slots=True)
class Rehearsal:
    """A scenario under way: the vendor, the ledger, the clock, and what came of it so far."""

    scenario: Scenario
    vendor: Vendor
    engine: Engine
    api: BillimaticClient
    sgs: SgsClient
    clock: RehearsalClock
    attention: Attention
    runs: list[Played] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What people wanted to do in the console and could not, each with why."""
    _failed: dict[tuple[str, time | None], Matter] = field(default_factory=dict)
    """By Dag, its look at the running month apart: the newest run that failed and that no later one made good."""

    def play(self, tell: Callable[[date], None] = lambda _day: None) -> None:
        """Play every day of the scenario.

        Args:
            tell: told each day when it is over.

        Raises:
            ScenarioError: an event cannot happen; the message names it.
        """
        self.begin()
        day = self.scenario.today
        while day <= self.scenario.until:
            self._play_day(day)
            tell(day)
            day = add_days(day, 1)

    def begin(self) -> None:
        """Arm the organization, responsible from the month of the first day."""
        with self._session() as session:
            ctx = JobContext(self.api, session, Actor(person=PERSON), self.clock.now)
            arm(ctx, self.scenario.today, person=PERSON)

    def _play_day(self, day: date) -> None:
        self.move(day, MACHINERY)
        events = self.scenario.on(day)
        people, by_hand = ([each for each in events if (each.run is None) is kind] for kind in (True, False))
        if people:
            self.move(day, PEOPLE)
        for event in people:
            self._happen(event)
        if self.scenario.is_down(day):
            return
        self.run_dags(day)
        self.watch(day)
        if by_hand:
            self.move(day, BY_HAND)
            for event in by_hand:
                self._run_by_hand(event)
            self.watch(day)

    def run_dags(self, day: date) -> None:
        """Run the Dags of a day at their times."""
        due = [(each.at, stage) for stage in STAGES.values() for each in stage.schedules if each.is_due(day)]
        for at, stage in sorted(due, key=lambda entry: entry[0]):
            self.move(day, at)
            self.run(stage, DagRun(dag_id=stage.dag_id), scheduled_at=datetime.combine(day, at, SAO_PAULO))

    def move(self, day: date, at: time) -> None:
        """Move the clocks to a time of a day: what is due at the vendor by then happens."""
        self.clock.begin(day, at)
        self.vendor.set_clock(self.clock.now())

    def _happen(self, event: Event) -> None:
        try:
            if event.request is not None:
                self.vendor.request(event.request)
            elif event.control is not None:
                self.vendor.control(event.control)
            elif event.act is not None:
                with self._session() as session:
                    act(session, self.scenario.organization_id, event.act, person=PERSON, at=self.clock.now())
        except RefusedError as error:
            self.refused.append(f"event {event}: {error}")
        except ScenarioError as error:
            raise ScenarioError(f"event {event}: {error}") from error

    def _run_by_hand(self, event: Event) -> None:
        wanted = event.run
        stage = STAGES.get(wanted.dag_id) if wanted is not None else None
        if wanted is None or stage is None:
            raise ScenarioError(f"event {event}: there is no such Dag; there are {', '.join(STAGES)}")
        self.run(stage, wanted, scheduled_at=None)

    def run(self, stage: Stage, wanted: DagRun, *, scheduled_at: datetime | None) -> None:
        """Run a Dag to its end and keep what it came to."""
        message = ""
        looks = (each.at for each in stage.schedules if each.window is Window.RUNNING_MONTH)
        look = next((at for at in looks if scheduled_at is not None and scheduled_at.time() == at), None)
        try:
            StageRun(self, stage, wanted, scheduled_at).steps()
        except Exception as error:  # noqa: BLE001 - whatever fails a task fails its run, and the next Dag runs
            message = str(error) or type(error).__name__
            self._failed[stage.dag_id, look] = Matter("failed_run", None, None, None, f"{stage.dag_id}: {message}")
        else:
            self._failed.pop((stage.dag_id, look), None)
        self.runs.append(Played(self.clock.today, stage.dag_id, not message, message))

    def watch(self, day: date) -> None:
        """Take in what is shown to a person by now."""
        with self._session() as session:
            self.attention.watch(session, self.scenario.organization_id, day, self._failed.values())

    @contextmanager
    def _session(self, *, discard: bool = False) -> Iterator[Session]:
        with open_session(self.engine, discard=discard) as session:
            yield session


@dataclass(slots=True)
class StageRun:
    """One run of a Dag."""

    rehearsal: Rehearsal
    stage: Stage
    wanted: DagRun
    scheduled_at: datetime | None
    _given: dict[str, Any] = field(default_factory=dict)
    _run_id: str = ""
    _began: datetime | None = None

    def steps(self) -> None:
        """Do every step in order; what fails is tried again as the Dag would, on the rehearsal's clock."""
        clock, params = self.rehearsal.clock, self.wanted.params
        self.stage.refuse(params)
        self._began = clock.now()
        kind = "scheduled" if self.scheduled_at else "manual"
        self._run_id = f"{kind}__{self._began.isoformat()}__{len(self.rehearsal.runs)}"
        clock.sleep(TO_START)
        if self.stage is IMPORT_ADJUSTMENTS:
            self._given["file"] = BytesIO(Path(params["path"]).read_bytes())  # as the task opens it
        for step in self.stage.steps:
            if isinstance(step, Approval):
                if not self._approve(step):
                    return
            elif isinstance(step, ReadingStep) or (isinstance(step, Step) and not step.rehearsed):
                continue
            elif isinstance(step, Step) and step.sharded:
                count = self.rehearsal.scenario.settings.shards
                self._given[step.name] = [self._try(step, Shard(number, count)) for number in range(count)]
            else:
                self._given[step.name] = self._try(step, None)

    def _approve(self, approval: Approval) -> bool:
        """Let a person answer; return whether the run goes on. Scheduled runs ask nobody."""
        if self.scheduled_at is None and not self.wanted.approve and approval.stops:
            return False
        asked = self.scheduled_at is None and approval.wanted(self._given[approval.about])
        self._given[approval.name] = None
        if asked:
            with self._means(discard=False) as job:
                answer = approval.answer(job, self._about(None, ""), self.wanted.approve, PERSON)
            self._given[approval.name] = answer
        return True

    def _try(self, step: Step | LedgerStep, shard: Shard | None) -> Any:
        clock, tried = self.rehearsal.clock, 0
        while True:
            tried += 1
            try:
                return self._do(step, shard, tried)
            except Exception as error:
                again = next_try(error, tried, clock.now())
                if again is None:
                    raise
                try:
                    clock.wait_until(again)
                except DayOver:
                    raise error from None
                self.rehearsal.vendor.set_clock(clock.now())

    def _do(self, step: Step | LedgerStep, shard: Shard | None, tried: int) -> Any:
        place = f"{self.stage.dag_id}/{self._run_id}/{step.name}/{shard.number if shard else -1}/try {tried}"
        run = self._about(shard, place)
        if run.dry_run and step.dry_run is DryRun.SKIP:
            return None
        if isinstance(step, LedgerStep):
            with open_session(self.rehearsal.engine, discard=run.dry_run) as session:
                return step.work(session, run)
        actor = Actor(self.stage.dag_id, self._run_id, step.name, shard.number if shard else -1)
        with self._means(discard=run.dry_run, actor=actor) as job:
            return step.work(job, run)

    def _about(self, shard: Shard | None, owner: str) -> Run:
        clock, params = self.rehearsal.clock, self.wanted.params
        settings = self.rehearsal.scenario.settings
        by_hand = self.scheduled_at is None
        never_sent = by_hand and not self.wanted.approve and self.stage is not BILL_RANGE
        return Run(
            day=clock.today,
            today=clock.today,
            window=self.stage.window_of(params, scheduled_at=self.scheduled_at, day=clock.today, settings=settings),
            dated=bool(params.get("from_date") or params.get("to_date")),
            contract_ids=tuple(params.get("contract_ids") or ()),
            settings=settings,
            trigger=Trigger.HAND if by_hand else Trigger.SCHEDULE,
            dry_run=never_sent or bool(params.get("dry_run")) or params.get("policy") == BackfillPolicy.DRY_RUN,
            owner=owner,
            shard=shard,
            params=params if by_hand else {"require_approval": False},
            given=self._given,
            now=clock.now,
            tell=lambda _notice: None,
            open_sgs=lambda: nullcontext(self.rehearsal.sgs),
        )

    @contextmanager
    def _means(self, *, discard: bool, actor: Actor | None = None) -> Iterator[JobContext]:
        rehearsal = self.rehearsal
        with open_session(rehearsal.engine, discard=discard) as session:
            holidays, by = rehearsal.scenario.settings.own_holidays(), actor or Actor(person=PERSON)
            yield JobContext(rehearsal.api, session, by, rehearsal.clock.now, holidays, self._began)


@contextmanager
def rehearsing(scenario: Scenario) -> Iterator[Rehearsal]:
    """Start the stand-in with the scenario's state and an empty ledger in a folder of its own; nothing is played yet.

    Raises:
        ScenarioError: the stand-in does not take the state.
    """
    clock = RehearsalClock(scenario.today)
    with (
        TemporaryDirectory(prefix="ciclo-rehearsal-") as folder,
        open_vendor(scenario.state, scenario.today) as vendor,
        _ledger(Path(folder)) as engine,
        BillimaticClient(
            base_url=vendor.url,
            token=vendor.token,
            organization_id=scenario.organization_id,
            timeout=TIMEOUT,
            requests_per_second=None,
            retries=_retries(clock),
        ) as api,
        SgsClient(base_url=vendor.url, timeout=TIMEOUT, retries=_retries(clock, attempts=1)) as sgs,
    ):
        attention = Attention(scenario.today, scenario.settings.catch_up_days)
        yield Rehearsal(scenario, vendor, engine, api, sgs, clock, attention)


@contextmanager
def _ledger(folder: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{folder / 'ledger.db'}")
    try:
        upgrade(engine)
        yield engine
    finally:
        engine.dispose()


def _retries(clock: RehearsalClock, attempts: int = 5) -> RetryRules:
    return RetryRules(attempts=attempts, sleep=clock.sleep, clock=clock.seconds, now=clock.now, jitter=lambda: 1.0)
