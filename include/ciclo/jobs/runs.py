"""A run and what it is made of: stages (one a Dag), their schedules, their steps. Times are São Paulo's.

A step is a plain function of a job's means and of the run; between steps only ids and counts travel.

Pauses that the vendor asks for are kept in the ledger, so that every task and run respects what one of them was told.
Short ones are the client's own affair. A long `Retry-After`, of a 429 or a 503, ends the task that got it; its
organization is paused from then on, and who begins or goes on sending before it is over is told when to come back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from ciclo.billimatic import BillimaticClient, OutcomeUnknownError, TransientApiError, pause_asked_for
from ciclo.domain.calendar import SAO_PAULO, YEARS, add_days, add_months, first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import JobContext, is_armed
from ciclo.jobs.price_updates import Post
from ciclo.jobs.reports import ReportsPath
from ciclo.jobs.settings import BillingSettings
from ciclo.ledger.repositories import Scope
from ciclo.locale import _
from ciclo.sgs.client import IndexUnavailableError

Counts = dict[str, int]
"""What a step comes to, small enough to travel between tasks."""


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
    RUNNING_MONTH = "running month"
    """Of the month of yesterday, what is over."""
    LAST_YEAR = "last year"
    """The day's month and the eleven before it, up to the day."""

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
            case Window.RUNNING_MONTH:
                yesterday = add_days(day, -1)
                return DateRange.days(first_of_month(yesterday), yesterday)
            case Window.LAST_YEAR:
                return DateRange.days(add_months(first_of_month(day), -11), day)


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
    """Its work, in a ledger that is put back afterwards; a step that sends looks at `Run.dry_run` and only says it."""


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
        now: returns the current instant, aware.
        tell: sends a notice.
        open_sgs: makes a client of the central bank's API.
        post: hands a mail to a customer over; None sends none.
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
    reports: ReportsPath | None = None
    now: Callable[[], datetime]
    tell: Callable[[Notice], None]
    open_sgs: Callable[[], Any]
    post: Post | None = None

    @property
    def scope(self) -> Scope:
        """What the step is about: its window, contracts and shard."""
        if self.shard is None:
            return Scope(self.window, self.contract_ids)
        return Scope(self.window, self.contract_ids, self.shard.number, self.shard.of)

    def sends(self, job: JobContext) -> bool:
        """Whether it may bill: it is no dry run, and a person has armed the organization."""
        return not self.dry_run and is_armed(job)

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
    rehearsed: bool = True
    """Whether a rehearsal does it, too; what looks at the real vendor alone has nothing to see there."""


@dataclass(frozen=True, slots=True)
class LedgerStep:
    """A step that needs the ledger alone, and no connection to the vendor."""

    name: str
    work: Callable[[Session, Run], Any]
    dry_run: DryRun = DryRun.SKIP


@dataclass(frozen=True, slots=True)
class ReadingStep:
    """A step that looks at the vendor through a client that cannot write, and needs no ledger; no rehearsal does it."""

    name: str
    work: Callable[[BillimaticClient, Run], Any]
    dry_run: DryRun = DryRun.DISCARD


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


COMMON_PARAMS = ("from_date", "to_date", "contract_ids", "dry_run", "billimatic_conn_id")
"""Names of the params that every billing Dag takes."""


class UnknownParamError(Exception):
    """A run was given params that its Dag does not know."""

    def __init__(self, dag_id: str, unknown: Sequence[str], known: Sequence[str]) -> None:
        text = _("{dag_id} does not know {names}; it takes {known}. Nothing was read or sent")
        super().__init__(text.format(dag_id=dag_id, names=", ".join(unknown), known=", ".join(known)))


class WrongParamError(Exception):
    """A run was given a param of a kind that none is of."""

    def __init__(self, dag_id: str, name: str, value: float | date) -> None:
        text = _(
            "{dag_id}: {name} is {value}, with a decimal point. Ids and numbers are whole, amounts are texts such "
            'as "250000.00". Nothing was read or sent'
        )
        if isinstance(value, date):
            text = _("{dag_id}: {name} is {value}: years are 1900 to 9000. Nothing was read or sent")
        super().__init__(text.format(dag_id=dag_id, name=name, value=value))


@dataclass(frozen=True, slots=True)
class Stage:
    """A Dag: its id, when it runs, its steps in order, and what it may be told.

    Attributes:
        window: what a run by hand without dates is about.
        params: names of its params.
    """

    dag_id: str
    schedules: tuple[Schedule, ...]
    window: Window
    steps: tuple[Step | LedgerStep | ReadingStep | Approval, ...]
    params: tuple[str, ...] = COMMON_PARAMS

    def __getitem__(self, name: str) -> Step | LedgerStep | ReadingStep | Approval:
        """Return a step by its name."""
        return next(step for step in self.steps if step.name == name)

    def approval(self) -> Approval:
        """Return the person's answer that its runs wait for."""
        return next(step for step in self.steps if isinstance(step, Approval))

    def refuse(self, given: Mapping[str, Any]) -> None:
        """Refuse params that the Dag does not take, and numbers that no schema tells from whole ones.

        Raises:
            UnknownParamError: naming them and those that it takes.
            WrongParamError: naming the first number with a decimal point; JSON Schema takes 10.0 for an integer.
        """
        unknown = sorted(set(given) - set(self.params))
        if unknown:
            raise UnknownParamError(self.dag_id, unknown, self.params)
        for name, value in _floats(given, ""):
            raise WrongParamError(self.dag_id, name, value)

    def window_of(
        self, params: Mapping[str, Any], *, scheduled_at: datetime | None, day: date, settings: BillingSettings
    ) -> DateRange:
        """Return a run's window of issue dates: its params where they are given, else that of its schedule.

        Args:
            params: of the run; dates are ISO.
            scheduled_at: the instant for which the run was scheduled; None for a run by hand.
            day: the run's own day.
            settings: how far back and ahead a day reaches.

        Raises:
            WindowUpsideDown: `to_date` is before `from_date`.
            WrongParamError: one of them is so far away that nobody can mean it.
        """
        told = {name: date.fromisoformat(params[name]) for name in ("from_date", "to_date") if params.get(name)}
        for name, value in told.items():
            if value.year not in YEARS:
                raise WrongParamError(self.dag_id, name, value)
        at = scheduled_at.astimezone(SAO_PAULO).time() if scheduled_at is not None else None
        unit = next((each.window for each in self.schedules if each.at == at and each.is_due(day)), self.window)
        own = unit.of(day, settings)
        first = told.get("from_date", own.start)
        if "to_date" in told:
            return DateRange.days(first, told["to_date"])
        last = DateRange.month_of(first).last_day if unit is Window.LAST_MONTH else own.last_day
        return DateRange.days(first, last)


def _floats(value: Any, path: str) -> Iterator[tuple[str, float]]:
    """Yield every binary float inside a param, with its path."""
    match value:
        case float():
            yield path, value
        case Mapping():
            for key, item in value.items():
                yield from _floats(item, f"{path}.{key}" if path else str(key))
        case list() | tuple():
            for number, item in enumerate(value):
                yield from _floats(item, f"{path}[{number}]")


class VendorPausedError(TransientApiError):
    """The vendor has asked another task for a pause that is not over; nothing was sent."""

    repeatable = False


def require_no_pause(ctx: JobContext) -> None:
    """Refuse to go on while the vendor wants to be left alone. Ends the transaction it began.

    Raises:
        VendorPausedError: with the seconds that are left.
    """
    until = ctx.organizations.paused_until()
    ctx.session.commit()
    left = (until - ctx.clock()).total_seconds() if until is not None else 0.0
    if left > 0:
        reason = f"the vendor wants a pause of all tasks, {left:.0f} seconds more"
        raise VendorPausedError(reason, method="any", path="/api/v1", retry_after=left)


@contextmanager
def keeping_pauses(ctx: JobContext) -> Iterator[None]:
    """Begin only where no pause is asked for, and remember one that the block was asked for. Commits.

    Raises:
        VendorPausedError: another task was asked for a pause that is not over.
    """
    require_no_pause(ctx)
    try:
        yield
    except (TransientApiError, OutcomeUnknownError) as error:
        asked = pause_asked_for(error)
        if asked is not None and not isinstance(error, VendorPausedError | IndexUnavailableError):
            ctx.session.rollback()
            ctx.organizations.pause(until=ctx.clock() + asked, at=ctx.clock())
            ctx.session.commit()
        raise
