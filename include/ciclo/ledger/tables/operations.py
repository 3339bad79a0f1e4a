"""What happened and what needs a person: the audit trail, findings, plans, closed months, webhook events.

Rows of the audit trail are only ever added.
"""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from ciclo.domain.wording import said_of_finding
from ciclo.ledger.tables.base import ROW_ID, Base, Payload, Reasoned
from ciclo.ledger.types import Money


class AuditEntry(Reasoned, Base):
    """One change of state: when, what, from, to, by which Dag run and task or person, why."""

    __tablename__ = "audit"
    __table_args__ = (
        Index(None, "organization_id", "subject", "subject_id"),  # the trail of one thing
        Index(None, "organization_id", "at"),  # the newest
        Index(None, "run_id", "dag_id"),  # what a Dag run did
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    at: Mapped[datetime]
    subject: Mapped[str]
    """`period`, `execution` (of a price update), `receivable`, `invoice`, `finding`, `month`, `plan`, `rule`."""
    subject_id: Mapped[int]
    from_state: Mapped[str | None]
    to_state: Mapped[str]
    dag_id: Mapped[str | None]
    run_id: Mapped[str | None]
    task_id: Mapped[str | None]
    map_index: Mapped[int | None]
    person: Mapped[str | None]
    """Who acted, where it was a person."""


class RequestBudget(Base):
    """Which turns of an organization's budget of requests were given out: the last ones, and what holds for all."""

    __tablename__ = "request_budgets"

    organization_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    turns: Mapped[Payload]
    """As `ciclo.ledger.budget.Turns` writes it."""


class Finding(Base):
    """A disagreement between ledger and vendor, with a name and an owner."""

    __tablename__ = "findings"
    __table_args__ = (
        Index(  # one open finding of a kind about a thing
            "uq_findings_open",
            "organization_id",
            "kind",
            "subject",
            "subject_id",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
            sqlite_where=text("closed_at IS NULL"),
        ),
        Index(None, "organization_id", "billing_month"),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    kind: Mapped[str]
    subject: Mapped[str]
    subject_id: Mapped[int]
    contract_id: Mapped[int | None]
    billing_month: Mapped[date | None]
    """First day of the month of the issue date concerned."""
    facts: Mapped[Payload]
    """What the sentence names, by the words of `ciclo.domain.wording`; an older row holds its `text`."""
    expected: Mapped[str | None]
    found: Mapped[str | None]
    amount: Mapped[Decimal | None] = mapped_column(Money)
    """BRL at risk."""
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    acknowledged_at: Mapped[datetime | None]
    note: Mapped[str | None]

    @property
    def message(self) -> str:
        """The finding in a sentence."""
        return said_of_finding(self.kind, self.facts)


class NotItsOwn(Base):
    """That a person said of an invoice: it is not the rule's own. No matching takes it for the rule again."""

    __tablename__ = "not_its_own"

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[str]
    note: Mapped[str]
    at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    """When a person took it back."""


class BillingPlan(Base):
    """What a backfill would do, kept with its hash: what was approved is what is applied."""

    __tablename__ = "billing_plans"
    __table_args__ = (UniqueConstraint("organization_id", "run_id", "plan_hash"),)

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    run_id: Mapped[str]
    from_date: Mapped[date]
    to_date: Mapped[date]
    policy: Mapped[str]
    plan_hash: Mapped[str]
    """Of every rule, issue date and amount in it, billed or left out: another plan has another hash."""
    invoices: Mapped[int]
    total: Mapped[Decimal] = mapped_column(Money)
    needs_approval: Mapped[bool]
    """It is above a ceiling: a person has to approve it before anything is sent."""
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class PlannedInvoice(Base):
    """A period of a billing plan at its amount: to be billed, or left out by the plan's policy."""

    __tablename__ = "billing_plan_periods"

    plan_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    period_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    gross_value: Mapped[Decimal | None] = mapped_column(Money)
    """BRL; unknown at most for one that is left out."""
    left_out: Mapped[bool]


class MonthClosing(Base):
    """One attempt to close a billing month, with its report. The newest counts."""

    __tablename__ = "month_closings"
    __table_args__ = (Index(None, "organization_id", "billing_month"),)

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    billing_month: Mapped[date]
    closed: Mapped[bool]
    report: Mapped[Payload]
    run_id: Mapped[str | None]
    created_at: Mapped[datetime]


class MonthProgress(Base):
    """How far a running month is proved: each day's proof takes the place of the one before."""

    __tablename__ = "month_progress"

    organization_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    billing_month: Mapped[date] = mapped_column(primary_key=True)
    complete_until: Mapped[date | None]
    """Last day up to which nothing is missing and nothing differs; None where not even the first day is complete."""
    report: Mapped[Payload]
    """`verdict`, and `lines` that say what is missing."""
    proved_at: Mapped[datetime]


class Forecast(Base):
    """What a rehearsal of the account said of its coming months. The newest counts."""

    __tablename__ = "forecasts"
    __table_args__ = (Index(None, "organization_id", "id"),)  # the newest of an organization

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    made_at: Mapped[datetime]
    document: Mapped[Payload]
    """As `ciclo rehearse --account --json` prints it."""


class ClosedInvoice(Base):
    """An invoice as it stood when its month was closed: what later changes are measured against."""

    __tablename__ = "closed_invoices"

    closing_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    invoice_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    contract_id: Mapped[int]
    gross_value: Mapped[Decimal] = mapped_column(Money)
    cancelled: Mapped[bool]


class WebhookEvent(Base):
    """An event that the vendor sent. Its request id makes a replay harmless."""

    __tablename__ = "webhook_events"
    __table_args__ = (
        UniqueConstraint("request_id"),
        Index(  # the poll for what waits: a handful of rows of a table that only grows
            "ix_webhook_events_waiting",
            "id",
            postgresql_where=text("handled_at IS NULL"),
            sqlite_where=text("handled_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int | None]
    request_id: Mapped[str]
    event: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[int]
    invoice_id: Mapped[int | None]
    """The invoice concerned; null where the event names none."""
    contract_id: Mapped[int | None]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]


class SeenShape(Base):
    """A form of the vendor's answers that the client does not know and that was reported: once is enough."""

    __tablename__ = "seen_shapes"

    organization_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(primary_key=True)
    first_seen_at: Mapped[datetime]
