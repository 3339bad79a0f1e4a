"""What things cost and why: effective-dated prices, scheduled updates, their executions, contract terms, index values.

A price is never changed in place: a new one begins on a day. An execution keeps the evidence it was computed from.
"""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ciclo.ledger.tables.base import ROW_ID, Base, Payload, Reasoned


class Price(Base):
    """What a service of a rule (or a rule without services) costs from a day on."""

    __tablename__ = "prices"
    __table_args__ = (
        UniqueConstraint(
            "organization_id", "rule_id", "service_id", "effective_from", "revision", name="uq_prices_once"
        ),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    rule_id: Mapped[int]
    service_id: Mapped[int]
    """The id of the service in the rule; 0 for the gross value of a rule without services."""
    effective_from: Mapped[date]
    revision: Mapped[int] = mapped_column(default=0)
    """Of several prices from the same day (two updates on one day, a correction) the highest counts."""
    unit_value: Mapped[Decimal]
    source: Mapped[str]
    """`rule` (as first seen), `rule changed`, `price update`, `vendor` (the vendor's own readjustment), `person`."""
    execution_id: Mapped[int | None]
    """The execution that brought it, of `price_update_executions`."""
    created_at: Mapped[datetime]


class ScheduledUpdate(Base):
    """A scheduled readjustment of a rule by a price index, as last seen."""

    __tablename__ = "scheduled_updates"
    __table_args__ = (
        Index(None, "organization_id", "rule_id"),  # the claim asks for a rule's next execution
        Index(None, "organization_id", "next_execution_date"),  # what is due
    )

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    scheduled_update_id: Mapped[int] = mapped_column(primary_key=True)
    contract_id: Mapped[int]
    rule_id: Mapped[int]
    price_index: Mapped[str]
    init_date: Mapped[date]
    month_quantity: Mapped[int]
    days_until_update: Mapped[int | None]
    service_item_id: Mapped[int | None]
    """Null: every service of the rule."""
    next_execution_date: Mapped[date | None]
    """The first execution that is not settled; null when the update has ended. No period on or after it is issued."""
    remote_execution_date: Mapped[date]
    """The next execution as the vendor last answered it: when it moves on by itself, the vendor applied it."""
    payload: Mapped[Payload]
    first_seen_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]


class PriceUpdateExecution(Reasoned, Base):
    """One execution of a scheduled update: its proposal, its evidence, its outcome."""

    __tablename__ = "price_update_executions"
    __table_args__ = (
        UniqueConstraint("organization_id", "scheduled_update_id", "execution_date", name="uq_executions_once"),
        CheckConstraint(
            "state IN ('planned','waiting','proposed','submitting','in_doubt','applied','adopted','parked',"
            "'cancelled')",
            name="state",
        ),
        Index("ix_executions_state", "organization_id", "state", "execution_date"),
        Index("ix_executions_rule", "organization_id", "rule_id"),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    scheduled_update_id: Mapped[int]
    contract_id: Mapped[int]
    rule_id: Mapped[int]
    execution_date: Mapped[date]
    state: Mapped[str]
    price_index: Mapped[str]
    policy: Mapped[str]
    """Which months count: `published` or `previous_month`."""
    factor: Mapped[Decimal | None]
    """Unrounded; floored to 1 where the rule does not apply negative updates."""
    evidence: Mapped[Payload | None]
    """{"months": [{"month", "value", "revision", "source", "fetched_at"}], "accumulated", "floored",
    "prices": [{"service_id", "old", "new"}], "warnings": […]}: decimals as strings.

    Also, where it applies: "late" (invoices that were issued at the old price before it was applied);
    "seen" and "sent" (remote unit values by service before and after), "invoices" (brought to
    the new price), "vendor" (the vendor's own readjustment that was adopted, with the difference to ours) and
    "vendor_after" (one that the vendor made on top of ours); "figures" between which a person chooses, and "decision":
    {"basis", "months", "prices", "person", "note", "at"}, what a person chose."""
    proposal_hash: Mapped[str | None]
    """Of rule, prices and index values: an approval holds for this and nothing else."""
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    doubt_until: Mapped[datetime | None]
    waiting_since: Mapped[date | None]
    reminded_at: Mapped[datetime | None]
    """When the reminder of `remind_at` was sent: it is sent once."""
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class ContractTerm(Base):
    """A term of a contract that the vendor cannot hold, as a person entered it; see `ciclo.domain.contract_terms`.

    It is never changed: one that no longer holds gets its last day, another one begins.
    """

    __tablename__ = "contract_terms"
    __table_args__ = (Index(None, "organization_id", "contract_id"),)  # the terms of a contract

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    contract_id: Mapped[int]
    rule_id: Mapped[int | None]
    """The one rule that it is about; null for every rule of the contract."""
    kind: Mapped[str]
    percent: Mapped[Decimal | None]
    price_index: Mapped[str | None]
    day: Mapped[date | None]
    clause: Mapped[str]
    """Where it stands in the contract; may be empty."""
    effective_from: Mapped[date]
    """First execution date that it applies to."""
    effective_to: Mapped[date | None]
    """Last one; null while it holds."""
    person: Mapped[str]
    note: Mapped[str]
    created_at: Mapped[datetime]


class Letter(Base):
    """A letter to a customer about one execution: what was sent, to whom, and what became of it.

    It is claimed before it is handed over, and only what has certainly reached nobody is tried again; a further one
    (`sequence`) is written only where a person asks for it.
    """

    __tablename__ = "letters"
    __table_args__ = (
        UniqueConstraint("execution_id", "kind", "sequence"),
        CheckConstraint("state IN ('asked','no_address','failed','sending','sent','in_doubt')", name="state"),
        Index(None, "organization_id", "state"),  # what waits, or is in doubt
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    contract_id: Mapped[int]
    execution_id: Mapped[int]
    kind: Mapped[str]
    """`before` announces the readjustment, `after` reports it."""
    sequence: Mapped[int]
    state: Mapped[str]
    recipients: Mapped[str]
    """E-mail addresses, one a line."""
    subject: Mapped[str]
    body: Mapped[str]
    """The page as it was sent."""
    error: Mapped[str | None]
    person: Mapped[str | None]
    """Who asked for it; null for one that was due."""
    note: Mapped[str | None]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class IndexValue(Base):
    """A month's variation of a price index, in per cent. A changed value is a new revision."""

    __tablename__ = "index_values"
    __table_args__ = (UniqueConstraint("price_index", "month", "revision"),)

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    price_index: Mapped[str]
    month: Mapped[date]
    revision: Mapped[int]
    value: Mapped[Decimal]
    source: Mapped[str]
    fetched_at: Mapped[datetime]
