"""What differs from a rule for a period or a stretch of days, what it was used in, and how single rules are billed."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from ciclo.ledger.tables.base import ROW_ID, Base
from ciclo.ledger.types import Money


class Adjustment(Base):
    """One difference from a rule, as `ciclo.domain.adjustments.Adjustment` reads it; only its state changes."""

    __tablename__ = "adjustments"
    __table_args__ = (
        UniqueConstraint("organization_id", "origin", "key"),  # the same file twice adds nothing
        CheckConstraint("state IN ('open','used','withdrawn')", name="state"),
        Index(None, "organization_id", "rule_id", "from_date"),  # a rule's period
        Index(None, "organization_id", "contract_id"),  # a contract's page
        Index(  # what waits for its invoice: a small part of the table
            "ix_adjustments_open",
            "organization_id",
            "from_date",
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    contract_id: Mapped[int]
    rule_id: Mapped[int | None]
    """Null: every rule of the contract; only a `skip` may be so."""
    kind: Mapped[str]
    from_date: Mapped[date]
    """First planned date that it is for."""
    to_date: Mapped[date | None]
    """Last planned date that it is for; null has no end."""
    once: Mapped[bool]
    """Whether it is for one period: the first of its days that is billed."""
    service: Mapped[str | None]
    quantity: Mapped[Decimal | None]
    unit_value: Mapped[Decimal | None]
    """BRL."""
    amount: Mapped[Decimal | None] = mapped_column(Money)
    """BRL."""
    percent: Mapped[Decimal | None]
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    """What is billed of the coverage, of a `prorate`; both included."""
    description: Mapped[str | None]
    origin: Mapped[str]
    """Where it came from: a file, `console`, `api`, `prorata`."""
    key: Mapped[str]
    """What it is known by in its origin, so that it is added once."""
    note: Mapped[str]
    person: Mapped[str]
    created_at: Mapped[datetime]
    state: Mapped[str]
    changed_at: Mapped[datetime]


class AdjustmentUse(Base):
    """An adjustment in a period's invoice, or on its way there. `sequence` is the period's `reference_sequence`."""

    __tablename__ = "adjustment_uses"
    __table_args__ = (
        CheckConstraint("state IN ('sending','used','unsent')", name="state"),
        Index(None, "period_id"),
    )

    adjustment_id: Mapped[int] = mapped_column(primary_key=True)
    period_id: Mapped[int] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[int]
    state: Mapped[str]
    invoice_id: Mapped[int | None]
    doubt_until: Mapped[datetime | None]
    """While something is sent: until when its absence from the invoice proves nothing."""
    at: Mapped[datetime]


class RuleSetting(Base):
    """How a rule is billed, beside what the vendor says of it."""

    __tablename__ = "rule_settings"

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(primary_key=True)
    waits_for_quantities: Mapped[bool]
    """Whether a period is billed only once its quantities have come."""
    notice_days: Mapped[int]
    """Days before the planned date on which missing quantities are asked for."""
    noticed_until: Mapped[date | None]
    """Planned date of the last period for which they were asked for."""
    lead_days: Mapped[int | None]
    """How many days before its issue date its invoice is made; null: as the installation says."""
    person: Mapped[str]
    changed_at: Mapped[datetime]
