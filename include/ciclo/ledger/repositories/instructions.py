"""Instructions to the vendor: asked for by people, claimed before anything is sent, one under way about a thing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from ciclo.domain.instructions import UNDER_WAY, InstructionState
from ciclo.domain.states import Reason
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.rows import insert_new
from ciclo.ledger.tables import Instruction, reason_columns

SUBJECT = "instruction"
"""What the audit trail and findings call one."""

_S = InstructionState


class InstructionRepository:
    """The instructions of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._audit = AuditRepository(session, organization_id, actor)

    def get(self, instruction_id: int) -> Instruction | None:
        """Return one as it is now; None if the organization has no such one."""
        query = select(Instruction).where(self._mine(), Instruction.id == instruction_id)
        return self._session.scalar(query.execution_options(populate_existing=True))

    def under_way(self, subject: str, subject_id: int) -> Instruction | None:
        """Return the one that is under way about a thing."""
        return self._session.scalar(
            select(Instruction)
            .where(self._mine(), Instruction.subject == subject, Instruction.subject_id == subject_id, _under_way())
            .execution_options(populate_existing=True)
        )

    def newest(self, subject: str, subject_id: int) -> Instruction | None:
        """Return the last one about a thing."""
        query = select(Instruction).where(
            self._mine(), Instruction.subject == subject, Instruction.subject_id == subject_id
        )
        return self._session.scalar(query.order_by(Instruction.id.desc()).limit(1))

    def of_invoice(self, invoice_id: int) -> Sequence[Instruction]:
        """Return those about an invoice and its receivables, newest first."""
        query = select(Instruction).where(self._mine(), Instruction.invoice_id == invoice_id)
        return self._session.scalars(query.order_by(Instruction.id.desc())).all()

    def to_carry_out(self, at: datetime, contract_ids: Sequence[int] = ()) -> list[Instruction]:
        """Return, oldest first, what is to be sent or looked up now: nothing that may still arrive."""
        ready = or_(
            Instruction.state == _S.ASKED.value,
            (Instruction.state == _S.SENDING.value) & (Instruction.lease_until < at),
            Instruction.state.in_((_S.IN_DOUBT.value, _S.ACCEPTED.value)) & (Instruction.doubt_until <= at),
        )
        query = select(Instruction).where(self._mine(), _under_way(), ready).order_by(Instruction.id)
        if contract_ids:
            query = query.where(Instruction.contract_id.in_(contract_ids))
        return list(self._session.scalars(query.execution_options(populate_existing=True)))

    def listed(self, *, every: bool) -> Sequence[Instruction]:
        """Return those under way, or every one, oldest first."""
        query = select(Instruction).where(self._mine()).order_by(Instruction.id)
        return self._session.scalars(query if every else query.where(_under_way())).all()

    def ask(self, row: dict[str, Any], reason: Reason, *, at: datetime) -> Instruction | None:
        """Add one; None where another about the same thing is under way."""
        values = row | {
            "organization_id": self._organization_id,
            "state": _S.ASKED.value,
            "lost_answers": 0,
            "created_at": at,
            "changed_at": at,
            **reason_columns(reason),
        }
        made = self._session.scalars(
            insert_new(self._session, Instruction)
            .values(values)
            .returning(Instruction)
            .execution_options(populate_existing=True)
        ).one_or_none()
        if made is not None:
            self._audit.record(SUBJECT, [Change(made.id, None, _S.ASKED, reason)], at)
        return made

    def change(
        self, row: Instruction, target: InstructionState, reason: Reason | None, *, at: datetime, **values: Any
    ) -> bool:
        """Bring one into a state, unless another run or person was first since `row` was read."""
        source = row.state
        same_owner = Instruction.owner.is_(None) if row.owner is None else Instruction.owner == row.owner
        changed = self._session.scalars(
            update(Instruction)
            .where(Instruction.id == row.id, Instruction.state == source, same_owner)
            .values(state=target.value, changed_at=at, **reason_columns(reason), **values)
            .returning(Instruction)
            .execution_options(synchronize_session=False, populate_existing=True)
        ).one_or_none()
        if changed is None:
            return False
        if source != target:
            self._audit.record(SUBJECT, [Change(row.id, source, target, reason)], at)
        return True

    def _mine(self) -> ColumnElement[bool]:
        return Instruction.organization_id == self._organization_id


def _under_way() -> ColumnElement[bool]:
    return Instruction.state.in_([state.value for state in UNDER_WAY])
