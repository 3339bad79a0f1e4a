"""What is billed: periods, invoices, receivables, adjustments, and what the vendor is told about single ones.

Uniqueness is by constraint, never by a check in code.
One row of `periods` is one issue of a rule. One row of `invoices` is one invoice at the vendor; each belongs to at
most one period and a period to at most one invoice.
"""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from ciclo.ledger.tables.base import ROW_ID, Base, Kept, Payload, Reasoned
from ciclo.ledger.types import Money


class Period(Reasoned, Base):
    """One issue of a rule: what must become exactly one invoice."""

    __tablename__ = "periods"
    __table_args__ = (
        UniqueConstraint("rule_id", "issue_date"),  # whatever the organization: a contract may move to another
        UniqueConstraint("organization_id", "invoice_id"),  # an invoice is adopted by at most one period
        CheckConstraint(
            "state IN ('planned','waiting','submitting','in_doubt','issued','parked','cancelled')", name="state"
        ),
        CheckConstraint("state <> 'issued' OR invoice_id IS NOT NULL", name="issued_has_invoice"),
        Index(  # the month's tiles without a look at the rows, and deep pages of the list in its order
            "ix_periods_by_day", "organization_id", "issue_date", "id", "state", "gross_value"
        ),
        Index(  # the claim, settling and the console's queue: only what is not at rest, a small part of the table
            "ix_periods_open",
            "organization_id",
            "state",
            "issue_date",
            postgresql_where=text("state NOT IN ('issued','cancelled')"),
            sqlite_where=text("state NOT IN ('issued','cancelled')"),
        ),
        Index(None, "organization_id", "contract_id", "issue_date"),  # a contract's page
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    contract_id: Mapped[int]
    rule_id: Mapped[int]
    rule_version: Mapped[int]
    issue_date: Mapped[date]
    accrual_month: Mapped[date]
    """First day of the competence month."""
    first_due_date: Mapped[date]
    parcel_number: Mapped[int]
    """How many receivables."""
    gross_value: Mapped[Decimal | None] = mapped_column(Money)
    """BRL. An estimate until the period is submitted, then the price in force on the issue date."""
    state: Mapped[str]
    attempts: Mapped[int]
    """How many times a POST was begun."""
    lost_answers: Mapped[int] = mapped_column(server_default="0", default=0)
    """How many of them were never answered: the second parks it."""
    reference_sequence: Mapped[int] = mapped_column(server_default="1", default=1)
    """Which invoice for the period this is: 2 where a person bills again what was cancelled at the vendor."""
    owner: Mapped[str | None]
    """Which process holds the claim."""
    lease_until: Mapped[datetime | None]
    """No POST of the owner is under way after this."""
    doubt_until: Mapped[datetime | None]
    """End of the grace period: what is not at the vendor after this never arrived."""
    invoice_id: Mapped[int | None]
    planned_by: Mapped[str]
    """The Dag run that planned it."""
    cancelled_by: Mapped[str | None]
    """The person who gave it up, or the run whose policy left it out. Null where nothing called for it any more: it is
    planned again when its rule does."""
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]

    @property
    def identity(self) -> tuple[int, int, date]:
        """What people know it by: contract, rule, planned date."""
        return self.contract_id, self.rule_id, self.issue_date


class PeriodSum(Kept):
    """What periods of a day and a state came to when they were last added up, on PostgreSQL alone.

    It holds for a day without a `PeriodMark`. `ciclo.ledger.queries.months.add_up_periods` writes it.
    """

    __tablename__ = "period_sums"
    __table_args__ = ({"info": {"only": "postgresql"}},)

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    issue_date: Mapped[date] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)
    periods: Mapped[int]
    """How many."""
    gross_value: Mapped[Decimal] = mapped_column(Money)


class PeriodMark(Kept):
    """That a transaction changed periods of a day since they were added up: a trigger leaves it (migration 0022)."""

    __tablename__ = "period_marks"
    __table_args__ = ({"info": {"only": "postgresql"}},)

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    issue_date: Mapped[date]


class Invoice(Base):
    """An invoice at the vendor, as last seen."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("organization_id", "period_id"),
        Index(None, "organization_id", "issue_date", "state"),  # reconciliation by window, the month's report
        Index(None, "organization_id", "contract_id"),
    )

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(primary_key=True)
    contract_id: Mapped[int]
    period_id: Mapped[int | None]
    """Null for an invoice that no period expects: somebody's own, or one too many."""
    customer_id: Mapped[int | None]
    issue_date: Mapped[date]
    """The day it was billed, once it was; until then the planned date."""
    planned_date: Mapped[date]
    moved_from: Mapped[date | None]
    """The planned date that it was first seen with; null while it has had no other."""
    gross_value: Mapped[Decimal] = mapped_column(Money)
    state: Mapped[str]
    description: Mapped[str | None]
    reference: Mapped[str | None]
    """What stands in `comments`."""
    adopted: Mapped[bool]
    """Found at the vendor, rather than created by the run that recorded it."""
    made_by: Mapped[str | None]
    """`ciclo` or `vendor`, which is its machinery or a person there; null while it belongs to no period."""
    created_at_vendor: Mapped[datetime | None]
    fatura_url: Mapped[str | None]
    """Where its PDF is, once there is one."""
    approval_status: Mapped[str | None]
    """`approved` or `blocked`, as the vendor said last; null where it said nothing."""
    nfse_wanted: Mapped[bool] = mapped_column(server_default=false(), default=False)
    """Whether it is to have a tax document."""
    nfse_issued: Mapped[bool] = mapped_column(server_default=false(), default=False)
    """Whether it says itself that it has one."""
    nfse_due: Mapped[date | None]
    """When that is to be issued; null where none is wanted, or it waits for billing or for the money."""
    first_seen_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]

    @property
    def first_planned(self) -> date:
        """The planned date that it was first seen with."""
        return self.moved_from or self.planned_date


class Nfse(Base):
    """A tax document of an invoice at the vendor, as last seen; an invoice may have had several."""

    __tablename__ = "nfses"
    __table_args__ = (
        CheckConstraint("state IN ('issued','pending','refused','cancelled')", name="state"),
        Index(None, "organization_id", "invoice_id"),
    )

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    nfse_id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int]
    number: Mapped[str | None]
    state: Mapped[str]
    status: Mapped[str | None]
    """The vendor's word."""
    errors: Mapped[str | None]
    """What the city complained about."""
    pdf_url: Mapped[str | None]
    xml_url: Mapped[str | None]
    generated_at: Mapped[datetime | None]
    changed_at_vendor: Mapped[datetime | None]
    seen_at: Mapped[datetime]


class GeneratedRange(Base):
    """For which days the vendor was seen to have generated a rule's invoices; what was removed since is in it, too."""

    __tablename__ = "generated_ranges"

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(primary_key=True)
    first_date: Mapped[date]
    last_date: Mapped[date]
    """Both planned dates, both included."""
    seen_at: Mapped[datetime]


class Receivable(Base):
    """One due date's share of an invoice, as last seen."""

    __tablename__ = "receivables"
    __table_args__ = (
        Index(None, "organization_id", "invoice_id"),
        Index(  # deep pages of the list, without a look at the rows
            "ix_receivables_by_state",
            "organization_id",
            "state",
            "due_date",
            "receivable_id",
            "gone_at",
            "gross_value",
            "received_at",
            "issue_date",
        ),
        Index("ix_receivables_by_issue_date", "organization_id", "issue_date", "state", "gone_at"),
        Index(None, "organization_id", "contract_id"),
        Index(  # the list of those alone: a small part of the table
            "ix_receivables_refused",
            "organization_id",
            "due_date",
            "receivable_id",
            postgresql_where=text("finance_errors IS NOT NULL"),
            sqlite_where=text("finance_errors IS NOT NULL"),
        ),
    )

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    receivable_id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int]
    contract_id: Mapped[int]
    issue_date: Mapped[date | None]
    """Its invoice's, which is not asked then. Null where the ledger does not have that."""
    due_date: Mapped[date]
    percentage: Mapped[Decimal]
    gross_value: Mapped[Decimal] = mapped_column(Money)
    state: Mapped[str]
    received_value: Mapped[Decimal | None] = mapped_column(Money)
    received_at: Mapped[date | None]
    finance_errors: Mapped[str | None]
    """What the finance or charge system refused: money that will not arrive until somebody acts."""
    boleto_url: Mapped[str | None]
    """Where its boleto is, once there is one."""
    first_seen_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]


class ReceivableSum(Kept):
    """What receivables come to that are in a state and at the vendor; rows that differ in `writer` alone add up.

    Triggers count every change of a receivable in its own transaction (migration 0018).
    """

    __tablename__ = "receivable_sums"

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)
    due_date: Mapped[date] = mapped_column(primary_key=True)
    issue_date: Mapped[date] = mapped_column(primary_key=True)
    """0001-01-01 where a receivable has none."""
    writer: Mapped[int] = mapped_column(primary_key=True)
    """Which of the transactions that were under way at once."""
    receivables: Mapped[int]
    """How many."""
    gross_value: Mapped[Decimal] = mapped_column(Money)
    on_time: Mapped[int]
    """How many came in on the due date or before."""
    timed: Mapped[int]
    """Of how many it is known when they were billed and when they came in."""
    days: Mapped[int]
    """From issue to receipt, of all `timed` ones together."""


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


class Instruction(Reasoned, Base):
    """One instruction to the vendor; `reason` says what became of it."""

    __tablename__ = "instructions"
    __table_args__ = (
        CheckConstraint(
            "state IN ('asked','sending','in_doubt','accepted','done','refused','withdrawn')", name="state"
        ),
        Index(  # one under way about a thing: a second click adds nothing
            "uq_instructions_under_way",
            "organization_id",
            "subject",
            "subject_id",
            unique=True,
            postgresql_where=text("state IN ('asked','sending','in_doubt','accepted')"),
            sqlite_where=text("state IN ('asked','sending','in_doubt','accepted')"),
        ),
        Index(None, "organization_id", "invoice_id"),
    )

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    contract_id: Mapped[int]
    invoice_id: Mapped[int]
    subject: Mapped[str]
    """`invoice` or `receivable`."""
    subject_id: Mapped[int]
    kind: Mapped[str]
    facts: Mapped[Payload]
    """`amount` (BRL) and `day` of a receipt, as text; `seen`: what the thing was when it was asked for; `charges`: the
    charges and their errors by receivable, as they were before boletos were asked for."""
    state: Mapped[str]
    person: Mapped[str]
    note: Mapped[str]
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    """Nothing of the owner is under way after this."""
    doubt_until: Mapped[datetime | None]
    """Until when its absence at the vendor proves nothing."""
    lost_answers: Mapped[int]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
