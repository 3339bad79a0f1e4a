"""What people and monitors are told: failed tasks, what a run stopped, price updates to come; and Airflow metrics.

A message is sent once, to `CICLO_NOTIFY`, through Airflow's SMTP connection; without recipients it stands in the log.
The metrics are gauges that an alert can watch, read at the end of a run for its window.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused
from typing import Any

from airflow.sdk import RetryAction, get_current_context
from airflow.sdk.observability import stats

from ciclo.domain.money import brl
from ciclo.domain.price_index import index_label
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import plain_words, said, state_words
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.settle import WindowSummary, summarize_window
from ciclo.jobs.price_updates import LetterNotTakenError, Mail, MailServerAwayError, Reminder
from ciclo.jobs.runs import Notice, Run
from ciclo.ledger.repositories.audit import StoppedRepository
from ciclo.ledger.tables import Period, PriceUpdateExecution
from ciclo.locale import _, ngettext
from ciclo.provider.notifier import BillingNotifier, PriceUpdatePreview
from ciclo.tasks.settings import settings

log = logging.getLogger("ciclo")

SHOWN = 100


def alerts() -> dict[str, Any]:
    """Return arguments for `@dag`: tell of a failed task.

    No deadline: with one counted from the time of queueing, Airflow 3.3.2 answers 500 when a task is cleared.
    """
    return {"default_args": {"on_failure_callback": BillingNotifier(to=settings().notified)}}


def send(notice: Notice, context: Mapping[str, Any]) -> None:
    """Send a notice; in a dry run it stands in the log."""
    previews = [preview for reminder in notice.reminders for preview in _previews(reminder)]
    if context["params"].get("dry_run"):
        lines = [*notice.lines, *(preview.line() for preview in previews)]
        log.info("%s\n%s", notice.subject, "\n".join(lines))
        return
    message = BillingNotifier(to=settings().notified, subject=notice.subject, lines=notice.lines, previews=previews)
    message.notify(context)


def post(mail: Mail) -> None:
    """Hand a mail to customers to the server of Airflow's SMTP connection, once.

    Raises:
        MailServerAwayError: no connection, or the server does not let us in: it was taken for nobody.
        LetterNotTakenError: the server refused sender, recipients or text: it was taken for nobody.
        Exception: whatever else goes wrong afterwards; the server may have taken it.
    """
    from airflow.providers.smtp.hooks.smtp import SmtpHook  # noqa: PLC0415 - only where there is something to send

    class OneTry(SmtpHook):  # type: ignore[misc,unused-ignore]  # without types in some versions of the provider
        smtp_retry_limit = 0  # a second try after a lost answer would be a second letter

    with ExitStack() as stack:
        try:
            server = stack.enter_context(OneTry(smtp_conn_id="smtp_default"))
        except Exception as error:
            raise MailServerAwayError(f"the mail server cannot be had ({type(error).__name__})") from error
        try:
            server.send_email_smtp(to=list(mail.recipients), subject=mail.subject, html_content=mail.html)
        except (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError) as error:
            raise LetterNotTakenError(type(error).__name__) from error


@contextmanager
def telling_what_stopped(job: JobContext, _run: Run) -> Iterator[None]:
    """Tell, after the last try of the block, what the run has parked or left in doubt.

    A message that cannot be sent fails nothing: the run's own outcome stands.
    """
    try:
        yield
    except BaseException as error:
        if not _is_tried_again(error):
            _tell_what_stopped(job)
        raise
    _tell_what_stopped(job)


def _is_tried_again(error: BaseException) -> bool:
    """Whether the current task is tried again after an error: what it has stopped may still go on by itself."""
    from ciclo.tasks.run import BILLING_RETRIES  # noqa: PLC0415 - which sends what this module words

    context = get_current_context()
    number, most = context["ti"].try_number, context["ti"].max_tries
    return number <= most and BILLING_RETRIES.evaluate(error, number, most).action is not RetryAction.FAIL


def _tell_what_stopped(job: JobContext) -> None:
    job.session.rollback()
    run_id = get_current_context()["ti"].run_id
    found = StoppedRepository(job.session, job.organization_id)
    lines = [*map(_period, found.periods(run_id)), *map(_price_update, found.price_updates(run_id))]
    job.session.rollback()
    if lines:
        count = len(lines)
        text = ngettext("Ciclo: {count} stopped for a person", "Ciclo: {count} stopped for a person", count)
        shown = lines[:SHOWN]
        if count > SHOWN:
            shown.append(_("… and {number} more; the console lists them").format(number=count - SHOWN))
        _try_to_send(Notice(subject=text.format(count=count), lines=tuple(shown)))


def _try_to_send(notice: Notice) -> None:
    try:
        send(notice, get_current_context())
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the mail, the run's own outcome stands
        log.warning("the alert could not be sent (%s); it is in the log", type(error).__name__)


def _period(period: Period) -> str:
    return _("Contract {contract_id}, {amount}, {state}: {reason}").format(
        contract_id=period.contract_id,
        amount=brl(period.gross_value) if period.gross_value is not None else _("amount unknown"),
        state=state_words(period.state),
        reason=said(period.reason, _("no reason given")),
    )


def _price_update(update: PriceUpdateExecution) -> str:
    return _("Contract {contract_id}, rule {rule_id}, price update of {day}, {state}: {reason}").format(
        contract_id=update.contract_id,
        rule_id=update.rule_id,
        day=plain_words(update.execution_date),
        state=state_words(update.state),
        reason=said(update.reason, _("no reason given")),
    )


def _previews(reminder: Reminder) -> Iterable[PriceUpdatePreview]:
    for price in reminder.prices:
        yield PriceUpdatePreview(
            contract_id=reminder.contract_id,
            contract_name=reminder.contract_name,
            rule_id=reminder.rule_id,
            execution_date=reminder.execution_date,
            index=index_label(reminder.index),
            months=reminder.months if price.factor is None else price.months,
            factor=price.factor,
            old_price=price.old,
            new_price=price.new,
            service=price.service,
            warning=reminder.note,
        )


PERIODS = "ciclo.periods"
"""Gauge of the window's periods, tagged with `state`."""
BILLED = "ciclo.billed_brl"
"""Gauge of the BRL that the window's issued periods amount to."""
OLDEST_DOUBT = "ciclo.oldest_doubt_seconds"
"""Gauge of how long the oldest period in doubt has been so; 0 where none is."""


@contextmanager
def reporting_window(job: JobContext, run: Run) -> Iterator[None]:
    """Report how the run's window stands after a step, however it ended."""
    try:
        yield
    finally:
        job.session.rollback()
        report_window(summarize_window(job, run.scope), job.clock())


def report_window(summary: WindowSummary, now: datetime) -> None:
    """Tell Airflow's metrics how a window stands."""
    for state, total in summary.totals.items():
        stats.gauge(PERIODS, total.periods, tags={"state": PeriodState(state).value})
    stats.gauge(BILLED, float(summary.billed))  # a gauge is a float; money itself never is
    since = summary.oldest_doubt
    stats.gauge(OLDEST_DOUBT, (now - since).total_seconds() if since else 0)
