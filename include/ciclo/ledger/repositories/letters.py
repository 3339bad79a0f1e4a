"""Letters to customers: claimed before they are handed over, recorded afterwards, never sent twice unasked."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ciclo.domain.letter import NOT_SENT, LetterKind, LetterState
from ciclo.domain.states import Reason, ReasonKind
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.rows import insert_new, insert_new_rows
from ciclo.ledger.tables import Letter


class Occasion(NamedTuple):
    """What a letter is about: an execution of a contract's price update, before or after it."""

    execution_id: int
    contract_id: int
    kind: LetterKind


class Written(NamedTuple):
    """A letter in words, and to whom it goes."""

    recipients: tuple[str, ...]
    subject: str
    body: str


class LetterRepository:
    """The letters of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._audit = AuditRepository(session, organization_id, actor)

    def newest(self, execution_ids: Collection[int]) -> dict[tuple[int, str], Letter]:
        """Return the last letter of each execution and kind."""
        rows = self._session.scalars(
            select(Letter)
            .where(Letter.organization_id == self._organization_id, Letter.execution_id.in_(list(execution_ids)))
            .order_by(Letter.sequence)
            .execution_options(populate_existing=True)
        )
        return {(row.execution_id, row.kind): row for row in rows}

    def in_state(self, *states: LetterState) -> list[Letter]:
        """Return the letters in some states, in the order in which they came."""
        query = select(Letter).where(
            Letter.organization_id == self._organization_id, Letter.state.in_([state.value for state in states])
        )
        return list(self._session.scalars(query.order_by(Letter.id).execution_options(populate_existing=True)))

    def ask(self, occasion: Occasion, *, person: str, note: str, at: datetime) -> Letter:
        """Note that a person wants a letter; one that has reached nobody is asked for, else a further one."""
        last = self.newest([occasion.execution_id]).get((occasion.execution_id, occasion.kind.value))
        if last is not None and last.state in NOT_SENT:
            self._change(last, LetterState.ASKED, at, person=person, note=note)
            return last
        row = self._row(occasion, LetterState.ASKED, last.sequence + 1 if last is not None else 1, at)
        row |= {"person": person, "note": note}
        made = Letter(**row)
        self._session.add(made)
        self._session.flush()
        reason = Reason(ReasonKind.LETTER_ASKED, {"person": person, "note": note})
        self._audit.record("letter", [Change(made.id, None, LetterState.ASKED, reason)], at)
        return made

    def claim(self, occasion: Occasion, last: Letter | None, written: Written, *, at: datetime) -> Letter | None:
        """Take a letter that is to be handed over now; None if somebody else has it."""
        values = {"recipients": "\n".join(written.recipients), "subject": written.subject, "body": written.body}
        if last is not None:
            return last if self._change(last, LetterState.SENDING, at, **values, error=None) else None
        row = self._row(occasion, LetterState.SENDING, 1, at) | values
        made = self._session.scalars(
            insert_new(self._session, Letter).values(row).returning(Letter).execution_options(populate_existing=True)
        ).one_or_none()
        if made is None:
            return None
        self._audit.record("letter", [Change(made.id, None, LetterState.SENDING, None)], at)
        return made

    def without_address(self, occasion: Occasion, last: Letter | None, *, at: datetime) -> None:
        """Note that there is nobody to write to."""
        if last is None:
            insert_new_rows(self._session, Letter, [self._row(occasion, LetterState.NO_ADDRESS, 1, at)])
        elif last.state != LetterState.NO_ADDRESS:
            self._change(last, LetterState.NO_ADDRESS, at)

    def end(self, letter: Letter, state: LetterState, *, at: datetime, error: str | None = None) -> None:
        """Record what became of a letter that was taken."""
        self._change(letter, state, at, error=error)

    def _change(self, letter: Letter, target: LetterState, at: datetime, **values: str | None) -> bool:
        source = letter.state
        changed = self._session.scalars(
            update(Letter)
            .where(Letter.id == letter.id, Letter.state == source)
            .values(state=target.value, changed_at=at, **values)
            .returning(Letter)
            .execution_options(synchronize_session=False, populate_existing=True)
        ).one_or_none()
        if changed is None:
            return False
        facts = {"error": values.get("error"), "recipients": changed.recipients.split()}
        kind = ReasonKind.LETTER_FAILED if values.get("error") else ReasonKind.LETTER_SENT
        reason: Reason | None = Reason(kind, facts) if target in (LetterState.SENT, LetterState.FAILED) else None
        if target is LetterState.ASKED:
            reason = Reason(ReasonKind.LETTER_ASKED, {"person": values.get("person"), "note": values.get("note")})
        self._audit.record("letter", [Change(letter.id, source, target, reason)], at)
        return True

    def _row(self, occasion: Occasion, state: LetterState, sequence: int, at: datetime) -> dict[str, object]:
        return {
            "organization_id": self._organization_id,
            "contract_id": occasion.contract_id,
            "execution_id": occasion.execution_id,
            "kind": occasion.kind.value,
            "sequence": sequence,
            "state": state.value,
            "recipients": "",
            "subject": "",
            "body": "",
            "created_at": at,
            "changed_at": at,
        }
