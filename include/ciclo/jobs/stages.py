"""What each Dag does and when: its schedule and its steps, in order. The Dags' tasks and a rehearsal both run this table.

A step is a plain function of a job's means and of the run; between steps only ids and counts travel. Times are São
Paulo's. What a step does is in `ciclo.jobs.steps`; when it is tried again is in `ciclo.jobs.retries`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ciclo.domain.calendar import add_days, first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import JobContext
from ciclo.jobs.settings import BillingSettings
from ciclo.ledger.repositories import Scope

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
"""The time zone of billing."""


class Trigger(StrEnum):
    """What started a run."""

    SCHEDULE = "schedule"
    HAND = "hand"
    ASSET = "asset"
    """A webhook that named invoices."""


class Window(StrEnum):
    """The issue dates that a run without dates is about, counted from its own day."""

    DAY = "day"
    CATCH_UP = "catch up"
    """From `catch_up_days` before the day to `lead_days` after it."""
    MONTH = "month"
    LAST_MONTH = "last month"

    def of(self, day: date, settings: BillingSettings) -> DateRange:
        """Return the window of a run on `day`."""
        match self:
            case Window.DAY:
                return DateRange.days(day, day)
            case Window.CATCH_UP:
                return DateRange.days(add_days(day, -settings.catch_up_days), add_days(day, settings.lead_days))
            case Window.MONTH:
                return DateRange.month_of(day)
            case Window.LAST_MONTH:
                return DateRange.month_of(add_days(first_of_month(day), -1))


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a Dag runs: daily at a time, or on one day of each month; and what such a run is about."""

    at: time
    window: Window
    day_of_month: int | None = None

    @property
    def cron(self) -> str:
        """The schedule as a cron expression."""
        return f"{self.at.minute} {self.at.hour} {self.day_of_month or '*'} * *"

    def is_due(self, day: date) -> bool:
        """Whether it runs on a day."""
        return self.day_of_month in (None, day.day)


class DryRun(StrEnum):
    """What a step does in a run that only says what it would do."""

    SKIP = "skip"
    """Nothing; it returns None."""
    DISCARD = "discard"
    """All of its work, in a ledger that is put back afterwards. Only for steps that send nothing."""
    ASK = "ask"
    """It looks at `Run.dry_run` itself: it says what would be done."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of so many parts of an organization's contracts, counted from 0."""

    number: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to tell people: a subject, and either lines or reminders of price updates to come."""

    subject: str
    lines: tuple[str, ...] = ()
    reminders: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one step of one run is about. Nothing in it is read from a clock or an environment.

    Attributes:
        day: the day in São Paulo that the run is about (its logical date, or when it was started).
        today: the day in São Paulo on which it is carried out.
        window: issue dates, from the params where they are given, else from the schedule.
        dated: whether a person gave the dates.
        contract_ids: contracts that the run is restricted to; none means all.
        owner: a name for claims that no other try of any task uses.
        params: the Dag's own params.
        given: results of the steps before this one, by name; of a sharded step a list.
        reports: folder of the closed months' reports; None writes none.
        tell: sends a notice.
        open_sgs: makes a client of the central bank's API.
    """

    day: date
    today: date
    window: DateRange
    dated: bool = False
    contract_ids: tuple[int, ...] = ()
    settings: BillingSettings
    trigger: Trigger = Trigger.SCHEDULE
    dry_run: bool = False
    owner: str
    shard: Shard | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    reports: Path | None = None
    tell: Callable[[Notice], None]
    open_sgs: Callable[[], Any]

    @property
    def scope(self) -> Scope:
        """What the step is about: its window, contracts and shard."""
        if self.shard is None:
            return Scope(self.window, self.contract_ids)
        return Scope(self.window, self.contract_ids, self.shard.number, self.shard.of)

    def about(self, window: DateRange) -> "Run":
        """Return the same run about another window."""
        return replace(self, window=window)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a Dag: the name of its task, and the job that it does."""

    name: str
    work: Callable[[JobContext, Run], Any]
    dry_run: DryRun = DryRun.SKIP
    sharded: bool = False
    """Whether it runs once a shard; else once."""
    needs_api: bool = True
    """Whether it talks to the vendor; else `work` gets the ledger's session instead of a job's means."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's answer, for which the run waits where one is wanted.

    Attributes:
        name: of its task.
        about: name of the step whose result the person is shown.
        wanted: whether that result needs an answer.
        answer: records the answer (job, run, whether it is approved, the person's name); returns what travels on.
        stops: whether a rejection ends the run.
    """

    name: str
    about: str
    wanted: Callable[[Any], bool]
    answer: Callable[[JobContext, Run, bool, str], Any]
    stops: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """A Dag: its id, when it runs, and its steps in order."""

    dag_id: str
    schedules: tuple[Schedule, ...]
    window: Window
    """What a run by hand without dates is about."""
    steps: tuple[Step | Approval, ...]

    def __getitem__(self, name: str) -> Step:
        """Return a step by its name."""
        return next(step for step in self.steps if isinstance(step, Step) and step.name == name)

    def approval(self) -> Approval:
        """Return the person's answer that its runs wait for."""
        return next(step for step in self.steps if isinstance(step, Approval))

    def window_at(self, instant: datetime | None, day: date, settings: BillingSettings) -> DateRange:
        """Return the window of a scheduled run of `instant`; without one, of a run by hand."""
        at = instant.astimezone(SAO_PAULO).time() if instant is not None else None
        windows = (schedule.window for schedule in self.schedules if schedule.at == at and schedule.is_due(day))
        return next(windows, self.window).of(day, settings)


def stages() -> dict[str, Stage]:
    """Return every Dag that a rehearsal knows, by id, in the order of a day."""
    from ciclo.jobs.steps import STAGES  # noqa: PLC0415 - the steps are written in terms of this module

    return {stage.dag_id: stage for stage in STAGES}
