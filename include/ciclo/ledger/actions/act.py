"""What every act of a person takes and answers: a note that says why, a locked row, an outcome."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.wording import state_words
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.tables import Organization, Period
from ciclo.locale import _

LONGEST_NOTE = 1000


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """What an action came to: `changed` is false if there was nothing left to do; `message` is a sentence."""

    changed: bool
    message: str


Action = Callable[..., ActionOutcome]
"""(session, organization_id, row_id, *, person, note, at) → outcome."""


class NoSuchRow(LedgerError):
    """The organization has no such period, finding or price update."""

    def __init__(self, what: str, row_id: object) -> None:
        text = _("There is no {what} {id} in this organization.")
        super().__init__(text.format(what=state_words(what), id=row_id))


class UnusableNote(LedgerError):
    """The note that goes with an action is missing or too long."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class NotPossible(LedgerError):
    """The row is in the right state, but what it is about is not as the action needs it."""


def usable_note(note: str) -> str:
    """Return a note fit for the audit trail, in one line.

    Raises:
        UnusableNote: it is empty or longer than `LONGEST_NOTE`.
    """
    text = " ".join(note.split())
    if not text:
        raise UnusableNote(_("The note must say why."))
    if len(text) > LONGEST_NOTE:
        raise UnusableNote(_("The note is longer than {most} characters.").format(most=LONGEST_NOTE))
    if not text.isprintable():
        raise UnusableNote(_("The note holds characters that cannot be printed."))
    return text


def locked_period(session: Session, organization_id: int, period_id: int) -> Period:
    """Return a period as it is now, for nobody else to change until the transaction ends.

    Raises:
        NoSuchRow: the organization has no such period.
    """
    query = select(Period).where(Period.organization_id == organization_id, Period.id == period_id)
    period = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if period is None:
        raise NoSuchRow("period", period_id)
    return period


def only_organization(session: Session) -> int:
    """Return the ledger's organization where it has one alone.

    Raises:
        NotPossible: it has none, or several.
    """
    found = list(session.scalars(select(Organization.organization_id).order_by(Organization.organization_id)))
    if len(found) != 1:
        if not found:
            raise NotPossible(_("The ledger has no organization yet: let sync_contracts run first."))
        text = _("Say which organization with --organization; the ledger has {known}.")
        raise NotPossible(text.format(known=", ".join(map(str, found))))
    return found[0]
