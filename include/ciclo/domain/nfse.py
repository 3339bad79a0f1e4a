"""NFS-e, the tax document of a service: what the vendor's words about one mean, and when an invoice's is due."""

from datetime import date
from enum import StrEnum

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
