"""Pauses that the vendor asks for: kept in the ledger, so that every task and run respects what one of them was told.

Short ones are the client's own affair. A long `Retry-After`, of a 429 or a 503, ends the task that got it; its
organization is paused from then on, and who begins or goes on sending before it is over is told when to come back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from ciclo.billimatic import OutcomeUnknownError, TransientApiError
from ciclo.jobs.context import JobContext
from ciclo.sgs.client import IndexUnavailableError

LONGEST_WAIT_IN_A_TASK = timedelta(minutes=1)
"""What the client waits for by itself."""
LONGEST_PAUSE = timedelta(days=1)
"""After this long the vendor is asked again, whatever it said."""


class VendorPausedError(TransientApiError):
    """The vendor has asked another task for a pause that is not over; nothing was sent."""

    repeatable = False


def pause_asked_for(error: BaseException) -> timedelta | None:
    """Return the long pause that an error of the vendor's API asks for; None if it asks for none."""
    if not isinstance(error, TransientApiError | OutcomeUnknownError) or error.retry_after is None:
        return None
    asked = timedelta(seconds=min(error.retry_after, LONGEST_PAUSE.total_seconds()))
    return asked if asked > LONGEST_WAIT_IN_A_TASK else None


def require_no_pause(ctx: JobContext) -> None:
    """Refuse to go on while the vendor wants to be left alone. Ends the transaction it began.

    Raises:
        VendorPausedError: with the seconds that are left.
    """
    until = ctx.organizations.paused_until()
    ctx.session.commit()
    left = (until - ctx.clock()).total_seconds() if until is not None else 0.0
    if left > 0:
        reason = f"the vendor wants a pause of all tasks, {left:.0f} seconds more"
        raise VendorPausedError(reason, method="any", path="/api/v1", retry_after=left)


@contextmanager
def keeping_pauses(ctx: JobContext) -> Iterator[None]:
    """Begin only where no pause is asked for, and remember one that the block was asked for. Commits.

    Raises:
        VendorPausedError: another task was asked for a pause that is not over.
    """
    require_no_pause(ctx)
    try:
        yield
    except (TransientApiError, OutcomeUnknownError) as error:
        asked = pause_asked_for(error)
        if asked is not None and not isinstance(error, VendorPausedError | IndexUnavailableError):
            ctx.session.rollback()
            ctx.organizations.pause(until=ctx.clock() + asked, at=ctx.clock())
            ctx.session.commit()
        raise
