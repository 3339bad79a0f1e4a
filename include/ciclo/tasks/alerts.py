"""Alerts: a task that failed, and what stopped for a person, each with contract and amount.

The one rule: an alert is sent once, to `CICLO_NOTIFY`, through Airflow's SMTP connection; without recipients it stands
in the log. An alert that cannot be sent fails nothing: billing goes on.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ciclo.domain.money import brl
from ciclo.domain.wording import said
from ciclo.jobs.context import JobContext
from ciclo.ledger.repositories.audit import StoppedRepository
from ciclo.ledger.tables import Period, PriceUpdateExecution
from ciclo.provider.notifier import BillingNotifier
from ciclo.tasks.runs import Context
from ciclo.tasks.settings import settings

log = logging.getLogger("ciclo")

SHOWN = 100


def alerts() -> dict[str, Any]:
    """Return arguments for `@dag`: tell of a failed task.

    No deadline: with one counted from the time of queueing, Airflow 3.3.2 answers 500 when a task is cleared.
    """
    return {"default_args": {"on_failure_callback": BillingNotifier(to=settings().notified)}}


@contextmanager
def telling_what_stopped(job: JobContext, context: Context) -> Iterator[None]:
    """Tell, after the block, what the run has parked or left in doubt; a block that is tried again tells only once."""
    try:
        yield
    finally:
        if context["ti"].try_number <= 1:
            tell_what_stopped(job, context)


def tell_what_stopped(job: JobContext, context: Context) -> int:
    """Send what the run has stopped for a person, with contract, amount and reason; return how many things."""
    job.session.rollback()
    found = StoppedRepository(job.session, job.organization_id)
    run_id = context["ti"].run_id
    lines = [*map(_period, found.periods(run_id)), *map(_price_update, found.price_updates(run_id))]
    job.session.rollback()
    if lines:
        more = [f"… and {len(lines) - SHOWN} more; the console lists them"] if len(lines) > SHOWN else []
        _send(f"Ciclo: {len(lines)} stopped for a person", [*lines[:SHOWN], *more], context)
    return len(lines)


def _period(period: Period) -> str:
    amount = brl(period.gross_value) if period.gross_value is not None else "amount unknown"
    state = period.state.replace("_", " ")
    return f"Contract {period.contract_id}, {amount}, {state}: {said(period.reason, 'no reason given')}"


def _price_update(update: PriceUpdateExecution) -> str:
    state = update.state.replace("_", " ")
    place = f"Contract {update.contract_id}, rule {update.rule_id}, price update of {update.execution_date}"
    return f"{place}, {state}: {said(update.reason, 'no reason given')}"


def _send(subject: str, lines: list[str], context: Context) -> None:
    try:
        BillingNotifier(to=settings().notified, subject=subject, lines=lines).notify(context)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the mail, the run's own outcome stands
        log.warning("the alert could not be sent (%s); it is in the log", type(error).__name__)
