"""A scenario: a state of the vendor, the days to play, and what people do on them; read from JSON and checked.

What a person does in the console is done with the ledger's own actions.
"""

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.errors import DomainError
from ciclo.jobs.rehearsal import RefusedError, ScenarioError
from ciclo.jobs.rehearsal.attention import about
from ciclo.jobs.settings import BillingSettings
from ciclo.ledger import actions
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.tables import Finding, Period, PriceUpdateExecution, Receivable, Rule


class Request(BaseModel):
    """Somebody who uses the vendor's API, or its screens (the stand-in's control plane)."""

    model_config = ConfigDict(frozen=True)

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    body: Any = None


class DagRun(BaseModel):
    """A Dag run by hand."""

    model_config = ConfigDict(frozen=True)

    dag_id: str
    params: dict[str, Any] = Field(default_factory=dict)
    approve: bool = False
    """Whether its plan is approved; if not it is shown and nothing is sent."""


class Act(BaseModel):
    """What a person does in the console: about a period or price update by rule and date, or about an invoice."""

    model_config = ConfigDict(frozen=True)

    action: str
    rule_id: int | None = None
    issue_date: date | None = None
    invoice_id: int | None = None
    note: str = "rehearsal"


class Event(BaseModel):
    """What happens on a day: exactly one of its kinds."""

    model_config = ConfigDict(frozen=True)

    on: date
    request: Request | None = None
    control: Request | None = None
    act: Act | None = None
    run: DagRun | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.request, self.control, self.act, self.run)) != 1:
            raise ValueError("an event is one of request, control, act and run")
        return self

    def __str__(self) -> str:
        """Name the event in a line."""
        if self.request or self.control:
            request = self.request or self.control
            return f"{self.on} {request.method} {request.path}" if request else str(self.on)
        if self.act:
            about = f"rule {self.act.rule_id}, {self.act.issue_date}" if self.act.rule_id else self.act.invoice_id
            return f"{self.on} {self.act.action} of {about}"
        return f"{self.on} run of {self.run.dag_id}" if self.run else str(self.on)


ONE_AT_A_TIME = {"shards": 1, "concurrency": 1}
"""Settings of a rehearsal that says nothing else: it comes to the same, faster, and with the same ids each time."""


class Scenario(BaseModel):
    """What is played. Keys that it does not know (such as `expect`) are passed over."""

    model_config = ConfigDict(frozen=True)

    name: str = ""
    about: str = ""
    state: dict[str, Any]
    today: date
    until: date
    settings: BillingSettings = Field(default_factory=lambda: BillingSettings(**ONE_AT_A_TIME), validate_default=True)
    down: tuple[tuple[date, date], ...] = ()
    events: tuple[Event, ...] = ()

    @field_validator("settings", mode="before")
    @classmethod
    def _one_at_a_time(cls, given: Any) -> Any:
        return ONE_AT_A_TIME | given if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _can_be_played(self) -> Self:
        if self.until < self.today:
            raise ValueError(f"until {self.until} is before today {self.today}")
        if not self.state.get("organizations"):
            raise ValueError("state names no organization")
        return self

    @property
    def organization_id(self) -> int:
        """The organization that bills: the first of the state."""
        return int(self.state["organizations"][0]["id"])

    def is_down(self, day: date) -> bool:
        """Whether no Dag runs on a day."""
        return any(first <= day <= last for first, last in self.down)

    def on(self, day: date) -> list[Event]:
        """Return the events of a day in their order."""
        return [event for event in self.events if event.on == day]


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from a file.

    Raises:
        ScenarioError: it cannot be read, is not JSON, or has a field that makes no sense.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"{path} is not JSON: {error}") from None
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ScenarioError(f"{path}: {place + ': ' if place else ''}{first['msg']}") from None


_OF_PERIODS: dict[str, Callable[..., Any]] = {
    "release": actions.release_period,
    "cancel": actions.cancel_period,
    "settle_now": actions.settle_now,
    "plan_again": actions.plan_again,
    "bill_again": actions.bill_again,
    "its_own": actions.its_own,
    "not_its_own": actions.not_its_own,
}
_OF_UPDATES: dict[str, Callable[..., Any]] = {"apply": actions.apply_update, "skip": actions.skip_update}


def act(session: Session, organization_id: int, wanted: Act, *, person: str, at: datetime) -> None:
    """Carry an action out and commit it.

    Raises:
        ScenarioError: there is no such action.
        RefusedError: what it is about is not there, or not in a state for it.
    """
    try:
        if wanted.action == "acknowledge":
            for finding_id in _findings(session, organization_id, wanted):
                actions.acknowledge_finding(
                    session, organization_id, finding_id, person=person, note=wanted.note, at=at
                )
        elif wanted.action in _OF_PERIODS:
            period = _period(session, organization_id, wanted)
            _OF_PERIODS[wanted.action](session, organization_id, period.id, person=person, note=wanted.note, at=at)
        elif wanted.action in _OF_UPDATES:
            update = _update(session, organization_id, wanted)
            _OF_UPDATES[wanted.action](session, organization_id, update.id, person=person, note=wanted.note, at=at)
        else:
            raise ScenarioError(f"there is no action {wanted.action}")
    except (LedgerError, DomainError) as error:
        raise RefusedError(str(error)) from error
    session.commit()


def _period(session: Session, organization_id: int, wanted: Act) -> Period:
    query = select(Period).where(Period.organization_id == organization_id)
    if wanted.invoice_id is not None:
        query = query.where(Period.invoice_id == wanted.invoice_id)
    else:
        query = query.where(Period.rule_id == wanted.rule_id, Period.issue_date == wanted.issue_date)
    period = session.scalar(query.order_by(Period.id).limit(1))
    if period is None:
        raise RefusedError("there is no such period")
    return period


def _update(session: Session, organization_id: int, wanted: Act) -> PriceUpdateExecution:
    query = select(PriceUpdateExecution).where(
        PriceUpdateExecution.organization_id == organization_id,
        PriceUpdateExecution.rule_id == wanted.rule_id,
        PriceUpdateExecution.execution_date == wanted.issue_date,
    )
    update = session.scalar(query.order_by(PriceUpdateExecution.id).limit(1))
    if update is None:
        raise RefusedError("there is no such price update")
    return update


def _findings(session: Session, organization_id: int, wanted: Act) -> list[int]:
    """Return the open findings about an invoice, or about a rule's periods as attention names them.

    Of a rule about which nothing is open they are those of its whole contract: that it cannot be read, say.
    """
    query = select(Finding).where(Finding.organization_id == organization_id, Finding.closed_at.is_(None))
    still_open = session.scalars(query.order_by(Finding.id)).all()
    found = [each.id for each in still_open if _is_about(session, each, wanted)]
    rule = session.get(Rule, (organization_id, wanted.rule_id)) if wanted.rule_id is not None else None
    if not found and rule is not None:
        of_contract = ("contract", rule.contract_id)
        found = [each.id for each in still_open if (each.subject, each.subject_id) == of_contract]
    if not found:
        raise RefusedError("there is no open finding about it")
    return found


def _is_about(session: Session, finding: Finding, wanted: Act) -> bool:
    if wanted.invoice_id is not None and wanted.invoice_id == _invoice_of(session, finding):
        return True
    rule_id, day = about(session, finding)
    return (
        wanted.rule_id is not None
        and wanted.rule_id == rule_id
        and wanted.issue_date in (None, day or wanted.issue_date)
    )


def _invoice_of(session: Session, finding: Finding) -> int | None:
    if finding.subject == "receivable":
        receivable = session.get(Receivable, (finding.organization_id, finding.subject_id))
        return receivable.invoice_id if receivable is not None else None
    return finding.subject_id if finding.subject == "invoice" else None
