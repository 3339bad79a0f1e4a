"""The simulation is worth something only if it finds a protocol that is broken: here it is broken on purpose.

Each mutant takes one step of the protocol away. The simulation must find a period that is billed twice, lost, or left
without an end; a mutant that survives fails its test.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from ciclo.domain.states import PeriodState, Reason, ReasonKind
from ciclo.jobs.issuing import adopt, issue, match, settle
from ciclo.ledger.repositories.periods import PeriodRepository
from ciclo.ledger.tables import Period, reason_columns
from simulated_billing import Billing
from simulated_machine import under_fire

Patch = pytest.MonkeyPatch


def claim_after_post(patch: Patch) -> None:
    """Send first, and say so in the ledger once the answer is there."""
    claim, record = PeriodRepository.claim_planned, issue._record

    def pretend(self: PeriodRepository, seen: Any, *, owner: str, lease_until: Any, at: Any) -> list[Period]:
        with self._session.begin_nested() as savepoint:
            taken = claim(self, seen, owner=owner, lease_until=lease_until, at=at)
            for period in taken:
                self._session.expunge(period)
            savepoint.rollback()
        return taken

    def claim_and_record(ctx: Any, batch: Any, options: Any, outcome: Any) -> None:
        sent = [found.period for found in batch.created] + [period for period, _ in batch.lost + batch.unsent]
        later = ctx.clock() + options.lease
        ctx.periods.claim_these([p.id for p in sent], owner="late", lease_until=later, at=ctx.clock())
        record(ctx, batch, options, outcome)

    patch.setattr(PeriodRepository, "claim_planned", pretend)
    patch.setattr(issue, "_record", claim_and_record)


def settle_without_grace(patch: Patch) -> None:
    """Take absence for proof at once."""
    real = Billing.options
    patch.setattr(Billing, "options", property(lambda self: replace(real.fget(self), grace=timedelta(0))))


def match_without_reference(patch: Patch) -> None:
    """Recognize invoices by contract, date, value and description alone."""
    for module in (match, settle):
        patch.setattr(module, "references_in", lambda _comments: ())


def ignore_leases(patch: Patch) -> None:
    """Take a claim from a run that is alive."""

    def unanswered(self: PeriodRepository, scope: Any, _now: Any) -> list[Period]:
        return self.in_state(PeriodState.IN_DOUBT, PeriodState.SUBMITTING, scope=scope)

    def abandon(ctx: Any, period: Period, grace: timedelta, now: Any) -> None:
        reason = Reason(ReasonKind.CLAIM_EXPIRED, {"owner": period.owner})
        ctx.periods.doubt([period], reason=reason, until=now + grace, at=now)

    patch.setattr(PeriodRepository, "unanswered", unanswered)
    patch.setattr(settle, "_abandon", abandon)


def overwrite_what_others_settled(patch: Patch) -> None:
    """Change periods as they were read, whatever became of them since."""

    def change(self: PeriodRepository, periods: Any, target: Any, *, reason: Any, at: Any, doubt_until: Any = None):
        rows = list(periods)
        values = {"state": target.value, "changed_at": at, "owner": None, "lease_until": None, **reason_columns(reason)}
        for row in rows:
            as_read = {"invoice_id": row.invoice_id, "doubt_until": doubt_until}
            self._session.execute(update(Period).where(Period.id == row.id).values(**values, **as_read))
            row.state = target.value
        return rows

    patch.setattr(PeriodRepository, "_change", change)


def create_without_looking(patch: Patch) -> None:
    """Trust the ledger alone."""

    def blind(_ctx: Any, planned: Any, *_given: Any) -> list[Any]:
        return list(planned)

    patch.setattr(adopt, "_take", blind)


class MutantFoundError(BaseException):
    """The end of the search: not an `Exception`, so that hypothesis does not try the same history once more."""


class Suspect(Billing):
    """A company whose protocol is broken: the first thing that goes wrong ends the search."""

    def check(self) -> None:
        with self._ending_the_search():
            super().check()

    def check_the_end(self) -> None:
        with self._ending_the_search():
            super().check_the_end()

    def _run(self, job: Any, script: Any) -> None:
        with self._ending_the_search():
            super()._run(job, script)

    @contextmanager
    def _ending_the_search(self) -> Iterator[None]:
        try:
            yield
        except (AssertionError, IntegrityError) as error:  # the ledger's own constraints find some of it
            raise MutantFoundError(str(error)) from error


MUTANTS = {
    claim_after_post: 1,
    settle_without_grace: 3,
    match_without_reference: 2,
    ignore_leases: 1,
    overwrite_what_others_settled: 2,
    create_without_looking: 2,
}
"""Each with the number of histories that find it among the first; others may take minutes to."""


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_simulation_finds_a_protocol_that_is_broken_on_purpose(
    sqlite_engine, monkeypatch, mutate: Callable[[Patch], None]
):
    mutate(monkeypatch)
    with pytest.raises(MutantFoundError):
        under_fire(sqlite_engine, examples=400, make=Suspect, beginning_with=MUTANTS[mutate])
