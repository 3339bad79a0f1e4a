"""What the vendor's answers hold that was never seen before, reported once each, after contracts were synchronised."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from ciclo.billimatic.drift import Drift, survey
from ciclo.jobs.context import JobContext
from ciclo.ledger.repositories.contracts import ShapeRepository

log = logging.getLogger("ciclo")


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What is new since the last look, and what could not be read at all."""

    new: Sequence[Drift]
    failures: Sequence[str]

    def counts(self) -> dict[str, int]:
        """Return it as counts, small enough to travel between tasks."""
        return {"new_shapes": len(self.new), "unread_endpoints": len(self.failures)}


def report_drift(ctx: JobContext) -> DriftReport:
    """Compare real answers with the models; log what was never seen before, and remember it. Reads only.

    Raises:
        AuthenticationError: The token is refused.
        TransientApiError: The API does not answer.
    """
    found = survey(ctx.api)
    shapes = ShapeRepository(ctx.session, ctx.organization_id)
    new = [drift for drift in sorted(found.drifts) if shapes.see(drift.kind, drift.path, drift.word, at=ctx.clock())]
    ctx.session.commit()
    for line in (*map(str, new), *found.failures):
        log.warning("the vendor's API: %s", line)
    return DriftReport(new, found.failures)
