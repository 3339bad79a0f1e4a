"""What people let Ciclo tell the vendor about single invoices and receivables, and what became of it."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from ciclo.ledger.tables.base import ROW_ID, Base, Payload, Reasoned


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
