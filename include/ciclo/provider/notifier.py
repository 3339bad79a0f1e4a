"""Messages to people: reminders of coming price updates, alerts of what needs them, failures of tasks.

A message is data, never a template. Nothing of it is rendered by Jinja, because a contract named
`{{ conn.billimatic_default.password }}` would then print the token; in e-mails every value is escaped.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from html import escape
from typing import Any

from airflow.sdk import BaseNotifier

from ciclo.domain.money import EXACT, brl, number
from ciclo.locale import _

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceUpdatePreview:
    """What a price update will do, or did, to one price of a rule.

    Attributes:
        contract_id: The contract.
        rule_id: The rule.
        execution_date: When the update applies.
        index: Name of the price index.
        months: The months of the window, in order; those not yet published are missing.
        factor: What the price is multiplied by, unrounded; None while values are missing.
        old_price: Unit value in force before, BRL.
        new_price: Unit value afterwards, BRL; None while the factor is unknown.
        contract_name: Name of the contract, for people.
        service: Name of the service, or None for the whole rule.
        warning: Something a person should know, such as a periodicity contrary to law.
    """

    contract_id: int
    rule_id: int
    execution_date: date
    index: str
    months: Sequence[date]
    factor: Decimal | None
    old_price: Decimal
    new_price: Decimal | None
    contract_name: str = ""
    service: str | None = None
    warning: str | None = None

    def line(self) -> str:
        """Say it in one line of text."""
        text = _(
            "Contract {contract_id}{name}, rule {rule_id}{service}: on {day} by {index}, {change}, months {window}"
        )
        price = brl(self.old_price)
        if self.factor is None or self.new_price is None:
            change = _("{amount}, factor not known yet").format(amount=price)
        else:
            change = f"{price} x {number(self.factor.normalize(EXACT))} = {brl(self.new_price)}"
        window = _("not published yet") if self.factor is None else "—"
        if self.months:
            first, last = f"{self.months[0]:%m/%Y}", f"{self.months[-1]:%m/%Y}"
            window = _("{first} to {last} ({count})").format(first=first, last=last, count=len(self.months))
        said = text.format(
            contract_id=self.contract_id,
            name=f" ({self.contract_name})" if self.contract_name else "",
            rule_id=self.rule_id,
            service=f", {self.service}" if self.service else "",
            day=f"{self.execution_date:%d/%m/%Y}",
            index=self.index,
            change=change,
            window=window,
        )
        return f"{said}. {self.warning}" if self.warning else said


class BillingNotifier(BaseNotifier):
    """Writes a message to the log and, if there are recipients, sends it through Airflow's SMTP connection.

    In a task: `BillingNotifier(subject=…, lines=[…], previews=[…], to=[…]).notify(context)`. As a callback,
    `on_failure_callback=BillingNotifier(to=[…])`, it describes the failed task.

    Args:
        to: Recipients; none means log only.
        subject: Subject of the message; by default it is made from the context.
        lines: Text, a line each.
        previews: Price updates to show.
        smtp_conn_id: Airflow connection of type `smtp`.
        from_email: Sender, if the connection names none.
        context: Airflow's context, for asynchronous use.
    """

    def __init__(
        self,
        *,
        to: Sequence[str] = (),
        subject: str | None = None,
        lines: Sequence[str] = (),
        previews: Sequence[PriceUpdatePreview] = (),
        smtp_conn_id: str = "smtp_default",
        from_email: str | None = None,
        context: Any = None,
    ) -> None:
        super().__init__(context=context)
        self.to = [to] if isinstance(to, str) else list(to)
        self.subject = subject
        self.lines = list(lines)
        self.previews = list(previews)
        self.smtp_conn_id = smtp_conn_id
        self.from_email = from_email

    def notify(self, context: Any) -> None:
        """Log the message, then send it.

        Raises:
            Exception: The e-mail could not be sent; the message is in the log all the same.
        """
        context = context or {}
        lines = [*self.lines, *(preview.line() for preview in self.previews)] or _failure_lines(context)
        # a line break in a mail's subject would begin a header
        subject = " ".join((self.subject or _default_subject(context)).split())
        log.warning("%s\n%s", subject, "\n".join(lines))
        if self.to:
            self._send(subject, lines)

    def _send(self, subject: str, lines: Sequence[str]) -> None:
        from airflow.providers.smtp.hooks.smtp import SmtpHook  # noqa: PLC0415 - only where there are recipients

        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        style = "overflow-wrap: anywhere"
        page = f'<html><body style="{style}"><h3>{escape(subject)}</h3><ul>{items}</ul></body></html>'
        with SmtpHook(smtp_conn_id=self.smtp_conn_id) as smtp:
            smtp.send_email_smtp(to=self.to, subject=subject, html_content=page, from_email=self.from_email)


def _default_subject(context: Mapping[str, Any]) -> str:
    instance = context.get("task_instance") or context.get("ti")
    if not instance:
        return _("Ciclo: a message about billing")
    return _("Ciclo: {dag}.{task} failed").format(dag=instance.dag_id, task=instance.task_id)


def _failure_lines(context: Mapping[str, Any]) -> list[str]:
    instance = context.get("task_instance") or context.get("ti")
    error = context.get("exception")
    lines = [f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)] if error else []
    if instance:
        lines.append(_("Run {run_id}, try {number}").format(run_id=instance.run_id, number=instance.try_number))
        lines.append(_("Log: {url}").format(url=instance.log_url))
    return lines
