"""A step of a Dag as an Airflow task: from Airflow's context to a run's value, with hook and session around it.

A scheduled or back-filled run takes its day from the logical date in São Paulo; a manual run may have none in Airflow
3: then it is the day on which the run was started. Which step a task does is said by its Dag's and its own id. When a
task tries again is said by the rules of the vendor's API and those of billing, as Airflow's retry policy.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryRule, get_current_context
from airflow.utils.types import DagRunType
from opentelemetry import trace

from ciclo.billimatic import pause_asked_for
from ciclo.domain.calendar import SAO_PAULO
from ciclo.http.retries import Budget, CallBudget
from ciclo.jobs.backfill import BackfillPolicy
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.settle import StillInDoubtError
from ciclo.jobs.runs import (
    Approval,
    DryRun,
    LedgerStep,
    ReadingStep,
    Run,
    Shard,
    Stage,
    Trigger,
    keeping_pauses,
)
from ciclo.jobs.stages import FIRST_DELAY, LONGEST_DELAY, MARGIN, RETRIES, RULES, STAGES, Next
from ciclo.ledger.budget import SharedBudget, store_of
from ciclo.ledger.database import ledger_session
from ciclo.ledger.repositories import Actor
from ciclo.provider.hook import BillimaticHook
from ciclo.provider.retries import API_RETRIES
from ciclo.sgs.client import SgsClient
from ciclo.tasks.notify import post, send
from ciclo.tasks.settings import settings


class BillingRetries(ExceptionRetryPolicy):
    """The API's retry rules, and those of the billing protocol."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Return what the task does next; what is in doubt is settled once its grace period is over."""
        if isinstance(exception, StillInDoubtError) and exception.ready_at is not None:
            delay = max(exception.ready_at - datetime.now(UTC), timedelta(0)) + MARGIN
            return RetryDecision.retry(delay, "Settled when the grace period of what is in doubt is over.")
        asked = pause_asked_for(exception)
        if asked is not None:
            reason = "The API wants a pause and is not asked again before it is over."
            return RetryDecision.retry(asked + MARGIN, reason)
        return super().evaluate(exception, try_number, max_tries, context)


_ACTIONS = {Next.RETRY: RetryAction.RETRY, Next.FAIL: RetryAction.FAIL}

BILLING_RETRIES = BillingRetries(
    rules=[
        *(RetryRule(exception=rule.exception, action=_ACTIONS[rule.next], reason=rule.reason) for rule in RULES),
        *API_RETRIES.rules,
    ]
)

RETRYING: dict[str, Any] = {
    "retries": RETRIES,
    "retry_delay": FIRST_DELAY,
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": LONGEST_DELAY,
    "retry_policy": BILLING_RETRIES,
    "pool": settings().pool,
}
"""Arguments of every task that talks to the API or the ledger; the pool limits what the API sees of all workers."""


_tracer = trace.get_tracer("ciclo.tasks")

Context = Mapping[str, Any]
Around = Callable[[JobContext, Run], AbstractContextManager[None]]
"""What is told of a step when it ends, well or not."""

SHARD_NAME = "shard {{ task.op_kwargs['shard'][0] + 1 }} of {{ task.op_kwargs['shard'][1] }}"
"""How a mapped task is called in the UI."""

_TRIGGERS = {DagRunType.MANUAL.value: Trigger.HAND, DagRunType.ASSET_TRIGGERED.value: Trigger.ASSET}
"""By value: `str()` of a run's type is its name in the enum, and the SDK has an enum of its own."""


Shards = list[list[int]]
"""Shards of a run, each as its number and of how many: the argument over which its sharded tasks are mapped."""


def shards() -> Shards:
    """Return the shards over which a run spreads its contracts; a task of the run asks once, its result is mapped.

    Asked for in a Dag file, each process would answer by its own environment: the scheduler starts as many tasks as the
    Dag processor counted, and each worker counts anew.
    """
    count = settings().shards
    return [[number, count] for number in range(count)]


def run_step(*, shard: list[int] | None = None, around: Sequence[Around] = (), **given: Any) -> Any:
    """Do the step that the current task is named for; return what travels to the next ones.

    Args:
        shard: number and of how many, of a mapped task.
        around: what is told of the step, unless it is a dry run.
        given: results of earlier steps that it needs, by their names.

    Raises:
        UnknownParamError, WrongParamError: the run was given params that its Dag does not take; nothing was read.
    """
    gc.freeze()  # what is imported by now stays as long as the process: no collection goes through all of it again
    context = get_current_context()
    stage = stage_of(context)
    dag_run = context.get("dag_run")
    conf = (dag_run.conf if dag_run is not None else None) or {}
    # the rest is Airflow's own to read, such as how much of a task is traced
    stage.refuse({name: value for name, value in conf.items() if not name.startswith("airflow/")})
    step = stage[context["ti"].task_id]
    run = run_of(context, shard=Shard(*shard) if shard is not None else None, given=given)
    if isinstance(step, Approval) or (run.dry_run and step.dry_run is DryRun.SKIP):
        return None
    with _span_of(stage, step.name, run):
        if isinstance(step, LedgerStep):
            with ledger_session(discard=run.dry_run) as session:
                return step.work(session, run)
        if isinstance(step, ReadingStep):
            hook = BillimaticHook(billimatic_conn_id=context["params"]["billimatic_conn_id"])
            with hook.get_conn(read_only=True) as api:
                return step.work(api, run)
        with open_job(context, discard=run.dry_run) as job, ExitStack() as stack:
            for telling in () if run.dry_run else around:
                stack.enter_context(telling(job, run))
            return step.work(job, run)


@contextmanager
def _span_of(stage: Stage, step: str, run: Run) -> Iterator[None]:
    """Put a span around a step, below that of Airflow's task; its requests and statements are below it."""
    shard = f"{run.shard.number + 1} of {run.shard.of}" if run.shard is not None else "the only one"
    attributes: dict[str, str | bool] = {
        "ciclo.window.first": str(run.window.start),
        "ciclo.window.last": str(run.window.last_day),
        "ciclo.shard": shard,
        "ciclo.dry_run": run.dry_run,
    }
    name = f"{stage.dag_id}.{step}"
    # an exception's text and frames may hold what a log's mask takes out: only its kind goes along
    with _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        except Exception as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


@contextmanager
def open_job(context: Context, *, discard: bool = False) -> Iterator[JobContext]:
    """Open the connection and the ledger of a task; with `discard` the ledger stays as it was.

    Raises:
        VendorPausedError: the vendor has asked a task of this organization for a pause that is not over.
    """
    hook = BillimaticHook(billimatic_conn_id=context["params"]["billimatic_conn_id"])
    with hook.get_conn(share=None if discard else _share) as api, ledger_session(discard=discard) as session:
        dag_run = context.get("dag_run")
        began = dag_run.start_date if dag_run is not None else None
        job = JobContext(api, session, actor_of(context), now, settings().own_holidays(), began)
        with keeping_pauses(job):
            yield job


def _share(organization_id: int, alone: CallBudget, rate: float) -> Budget:
    """Return the budget of requests that all tasks of an organization share, where the ledger can keep one."""
    store = store_of(organization_id)
    return alone if store is None else SharedBudget(store, rate, alone)


def stage_of(context: Context) -> Stage:
    """Return the stage of the table that the current task's Dag is."""
    return STAGES[context["ti"].dag_id]


def run_of(context: Context, *, shard: Shard | None = None, given: Mapping[str, Any] | None = None) -> Run:
    """Return what the current task is about.

    Raises:
        WindowUpsideDown: `to_date` is before `from_date`.
    """
    params, dag_run, ours = context["params"], context.get("dag_run"), settings()
    trigger = _TRIGGERS.get(dag_run.run_type.value, Trigger.SCHEDULE) if dag_run is not None else Trigger.HAND
    day = run_day(context)
    scheduled_at = dag_run.logical_date if dag_run is not None and trigger is Trigger.SCHEDULE else None
    return Run(
        day=day,
        today=today(),
        window=stage_of(context).window_of(params, scheduled_at=scheduled_at, day=day, settings=ours),
        dated=bool(params.get("from_date") or params.get("to_date")),
        contract_ids=tuple(params.get("contract_ids") or ()),
        settings=ours,
        trigger=trigger,
        dry_run=bool(params.get("dry_run")) or params.get("policy") == BackfillPolicy.DRY_RUN,
        owner=owner_of(context),
        shard=shard,
        params=params,
        given=given or {},
        reports=ours.reports_folder,
        now=now,
        tell=lambda notice: send(notice, context),
        open_sgs=lambda: SgsClient(base_url=ours.sgs_url),
        post=post,
    )


def now() -> datetime:
    """Return the current instant."""
    return datetime.now(UTC)


def today() -> date:
    """Return the current day in São Paulo."""
    return datetime.now(SAO_PAULO).date()


def run_day(context: Context) -> date:
    """Return the day in São Paulo that a run is about."""
    run = context.get("dag_run")
    instant: datetime | None = (run.logical_date or run.run_after or run.start_date) if run is not None else None
    return instant.astimezone(SAO_PAULO).date() if instant is not None else today()


def actor_of(context: Context) -> Actor:
    """Return who acts, for the audit trail."""
    task = context["ti"]
    return Actor(task.dag_id, task.run_id, task.task_id, task.map_index)


def owner_of(context: Context) -> str:
    """Return a name for claims that no other try of any task uses."""
    task = context["ti"]
    tried = getattr(task, "try_number", 0)
    return f"{task.dag_id}/{task.run_id}/{task.task_id}/{task.map_index}/try {tried}/{uuid4().hex[:8]}"


def person_of(answer: Mapping[str, Any]) -> str:
    """Return who answered a question in the Airflow UI."""
    user = answer.get("responded_by_user")
    name = user.get("name") or user.get("id") if isinstance(user, Mapping) else getattr(user, "name", None)
    return str(name or "unknown")
