"""NFS-e, the tax document of a service: what the vendor's words about one mean, when an invoice's is due or amiss."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Protocol, TypeVar

from ciclo.domain.calendar import NO_HOLIDAYS, add_business_days


class NfseState(StrEnum):
    """What a tax document is worth."""

    ISSUED = "issued"
    PENDING = "pending"
    """Neither issued nor refused: the city has not answered."""
    REFUSED = "refused"
    CANCELLED = "cancelled"
    """Cancelled, or somebody has asked for that."""


_REFUSALS = ("erro", "rejei", "recus", "negad", "inv", "falh", "refus", "denied", "error")


def nfse_state(status: str | None, errors: str | None, *, cancelled: bool) -> NfseState:
    """Return what a tax document is worth.

    Args:
        status: a word, or the number that the search asks by: 1 issued, 2 cancelled, 4 being cancelled, 6 cancelling
            failed.
        errors: what the city complains about.
        cancelled: whether it says when it was cancelled.
    """
    word = (status or "").strip().casefold()
    if word in ("emitida", "1") and not cancelled:
        return NfseState.ISSUED
    if cancelled or "cancel" in word or word in ("2", "4", "6"):
        return NfseState.CANCELLED
    if errors or any(each in word for each in _REFUSALS):
        return NfseState.REFUSED
    return NfseState.PENDING


def nfse_due(issue_date: date, days_after_receipt: int, received_on: date | None) -> date | None:
    """Return the day on which an invoice's tax document is to be issued.

    Args:
        issue_date: when the invoice was billed.
        days_after_receipt: business days after receipt; 0 means on the issue date.
        received_on: when the last of its money came; None while some is to come.

    Returns:
        The day; None where it waits for the money.
    """
    if not days_after_receipt:
        return issue_date
    return None if received_on is None else add_business_days(received_on, days_after_receipt, NO_HOLIDAYS)


class NfseFault(StrEnum):
    """What is wrong with the tax documents of an invoice."""

    REFUSED = "refused"
    CANCELLED = "cancelled"
    MISSING = "missing"
    """None is known though it should be there since yesterday at least."""


class Document(Protocol):
    """A tax document, as the vendor answers it or the ledger has it."""

    @property
    def state(self) -> str:
        """What it is worth, an `NfseState`."""


AnyDocument = TypeVar("AnyDocument", bound=Document)


def nfse_fault(
    documents: Sequence[AnyDocument], *, due: date | None, said_issued: bool, today: date
) -> tuple[NfseFault, AnyDocument | None] | None:
    """Return what is wrong with an invoice's tax documents, and the newest one that says so; None if nothing is.

    Args:
        documents: those that are known, the newest last.
        due: when there should be one; None where none is wanted, or none yet.
        said_issued: whether the invoice itself says that it has one.
        today: the day as of which it is judged.
    """
    by_state = {each.state: each for each in documents}
    if NfseState.ISSUED in by_state:
        return None
    for state, fault in ((NfseState.REFUSED, NfseFault.REFUSED), (NfseState.CANCELLED, NfseFault.CANCELLED)):
        if state in by_state:
            return fault, by_state[state]
    return (NfseFault.MISSING, None) if due is not None and due < today and not said_issued else None
