"""Reading: the one door through which contracts and rules come from the vendor into the ledger.

The list holds active contracts only: one that is missing from it is asked for by itself before it counts as inactive or
gone, and a rule that is missing is asked for a second time. What disappears in bulk is not believed. A contract that
cannot be read, or about which the vendor has no answer while it has others, stops alone: it is tried again, and then it
is a finding `unread`. Without an answer about many, it is the vendor that is away, and the run stops. A contract of
which the list cannot be read, or says a state that nobody knows, is not billed by its rules either, however well these
can be read.

No transaction is open while the vendor is asked.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from ciclo.billimatic import ApiError, NotFoundError, TransientApiError
from ciclo.billimatic.models import Contract, OddRecord
from ciclo.billimatic.models.reading import id_in
from ciclo.domain.calendar import SAO_PAULO, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.states import Fact, Reason, ReasonKind
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.ask import RuleBatch, answers_about, is_away, rule_batches, rules_of, too_many
from ciclo.jobs.rules.store import CURRENT, Problem, store_rules
from ciclo.ledger.repositories import ACTIVE, Disagreement
from ciclo.ledger.rows import in_parts
from ciclo.locale import N_, Text, _

log = logging.getLogger("ciclo")

ANEW = timedelta(0)
"""Read whatever was read before."""

INACTIVE = "inactive"

ITSELF = "itself"
"""The fact of a finding `unread` that is about the contract's own record, which only another list can cure."""

GONE = "gone"
"""The state of a contract that the vendor no longer has for this organization."""


class DisappearedError(Exception):
    """The vendor's answer lacks so many of the known contracts that it is not believed: nothing was changed by it."""

    def __init__(self, missing: int, known: int) -> None:
        text = _(
            "{missing} of {known} known contracts are missing from the vendor's list, twice: nothing was changed. "
            "If they were really ended, acknowledge the finding that says so and run again"
        )
        super().__init__(text.format(missing=missing, known=known))


class UnknownContractError(Exception):
    """A run was told contracts that the organization does not have: it would bill nothing for them, without a word."""

    def __init__(self, unknown: Sequence[int]) -> None:
        text = _(
            "contract_ids names {numbers}, which the vendor's list of this organization's contracts does not have "
            "and never had since Ciclo reads it: nothing was sent. Start another run"
        )
        super().__init__(text.format(numbers=", ".join(map(str, unknown))))


@dataclass(slots=True)
class Readings:
    """What was read."""

    contract_ids: list[int] = field(default_factory=list)
    """The contracts that were asked about, or whose last reading still counts."""
    rules: int = 0
    unread: dict[int, Reason] = field(default_factory=dict)
    """Contracts that could not be read, and why: nothing may be created, changed or cancelled for them."""
    problems: list[Problem] = field(default_factory=list)
    """What a person has to look at, in words."""

    @property
    def read(self) -> list[int]:
        """The contracts whose terms are known as they are now."""
        return [contract_id for contract_id in self.contract_ids if contract_id not in self.unread]

    def add(self, other: "Readings") -> None:
        """Take in what else was read."""
        self.contract_ids += other.contract_ids
        self.rules += other.rules
        self.unread |= other.unread
        self.problems += other.problems


def of_this_run(ctx: JobContext) -> timedelta:
    """Return how old a reading may be to count as this run's: no older than the run, and than an hour."""
    return CURRENT if ctx.began is None else min(CURRENT, ctx.clock() - ctx.began)


def _is_current(read_at: datetime | None, now: datetime, not_older_than: timedelta) -> bool:
    """Whether something was read so short a time ago; not where the clock was set back since."""
    return read_at is not None and timedelta(0) <= now - read_at < not_older_than


# -- the list of contracts ---------------------------------------------------------------------------------------------


def read_contract_list(ctx: JobContext, *, not_older_than: timedelta = ANEW) -> int:
    """Bring every contract of the organization into the ledger; return how many may be billed. Commits.

    Args:
        ctx: the run.
        not_older_than: a list that was read so short a time ago is not read again.

    Raises:
        DisappearedError: too many of the known contracts are missing from the list.
        ApiError: the list cannot be read.
    """
    organization = ctx.organizations.get()
    read_at = organization.contracts_read_at if organization is not None else None
    if _is_current(read_at, ctx.clock(), not_older_than):
        billable = ctx.contracts.count_billable()
        ctx.session.commit()
        return billable
    active = set(ctx.contracts.billable())
    ctx.session.commit()
    asked_at = ctx.clock()
    listed, odd = _listed(ctx)
    if too_many(active - listed.keys(), active):
        believed = _disappearance_believed(ctx, "organization", ctx.organization_id)
        ctx.session.commit()
        listed, odd = (listed, odd) if believed else _listed(ctx)  # a wrong answer is not given twice
        if not believed and too_many(active - listed.keys(), active):
            _note_disappearance(ctx, active - listed.keys(), active)
            raise DisappearedError(len(active - listed.keys()), len(active))
    # one that is shown in another state all at once is asked for by itself, as if it were missing
    strange = {number for number, each in listed.items() if not _is_known(each)}
    listed = {number: each for number, each in listed.items() if each.is_active or number not in active | strange}
    doubtful = active | strange | {number for number in odd if number is not None}
    found, gone, unread = _alone(ctx, sorted(doubtful - listed.keys()), active=active, strange=strange)
    listed |= found
    _store_contracts(ctx, listed, gone, unread, odd.get(None))
    ctx.organizations.list_read(at=asked_at)
    ctx.session.commit()
    return sum(contract.is_active for contract in listed.values())


def require_known(ctx: JobContext, contract_ids: Collection[int]) -> None:
    """Refuse contracts that no list, the newest one neither, has ever had: somebody mistyped a number.

    One that is not active is known, and said: it may be named for what was billed before.

    Raises:
        UnknownContractError: naming them.
    """
    known = {contract.contract_id: contract.state for contract in ctx.contracts.some(contract_ids)}
    if unknown := sorted(set(contract_ids) - set(known)):
        raise UnknownContractError(unknown)
    for contract_id, state in sorted(known.items()):
        if state != ACTIVE:
            log.warning("contract_ids names contract %d, which is %s: it is billed nothing now", contract_id, state)


def _listed(ctx: JobContext) -> tuple[dict[int, Contract], dict[int | None, OddRecord]]:
    """Return the contracts of the list by id, and those that cannot be read, of which None stands for any without."""
    answer, mine = ctx.api.contracts(), ctx.organization_id
    odd = {
        each.id: each
        for each in answer.odd
        if id_in(each.payload, "supplier_id") in (None, mine)  # what does not say whose it is may be ours
    }
    return {contract.id: contract for contract in answer if _sells(contract, mine)}, odd


def _alone(
    ctx: JobContext, contract_ids: Sequence[int], *, active: Collection[int], strange: Collection[int]
) -> tuple[dict[int, Contract], list[int], dict[int, Fact]]:
    """Ask for contracts by themselves.

    Args:
        ctx: the run.
        contract_ids: those to ask for.
        active: the contracts that are billed until now.
        strange: the contracts that the list shows in a state that nobody knows.

    Returns:
        What was found, which of the active ones the vendor no longer has, and what cannot be read and why.

    Raises:
        ApiError: what concerns more than one contract.
    """
    answers = dict(answers_about(ctx.api, ctx.api.contract, contract_ids))
    answers |= answers_about(ctx.api, ctx.api.contract, _unanswered(answers))
    unanswered = _unanswered(answers)
    if too_many(unanswered, {*active, *contract_ids}):
        raise unanswered[min(unanswered)]
    found: dict[int, Contract] = {}
    gone: list[int] = []
    unread: dict[int, Fact] = {}
    for contract_id, alone in answers.items():
        if isinstance(alone, NotFoundError) and contract_id in active:
            gone.append(contract_id)
        elif isinstance(alone, ApiError):
            unread[contract_id] = alone.stated
        elif not _sells(alone, ctx.organization_id):
            gone += {contract_id} & set(active)
        elif contract_id in strange and not _is_known(alone):
            unread[contract_id] = Text(N_("the state {state} is not known"), state=alone.state).fact
        else:
            found[contract_id] = alone
    return found, gone, unread


def _unanswered(answers: Mapping[int, object]) -> dict[int, TransientApiError]:
    """Return about which contracts the vendor had no answer."""
    return {each: answer for each, answer in answers.items() if isinstance(answer, TransientApiError)}


def _is_known(contract: Contract) -> bool:
    """Whether a contract is in one of the two states that the reference names."""
    return contract.is_active or contract.state == INACTIVE


def _sells(contract: Contract, organization_id: int) -> bool:
    """Whether the organization is the supplier: what it buys is not its to bill."""
    return contract.supplier_id in (None, organization_id)


def _store_contracts(
    ctx: JobContext,
    found: Mapping[int, Contract],
    gone: Sequence[int],
    unread: Mapping[int, Fact],
    without_id: OddRecord | None,
) -> None:
    now = ctx.clock()
    organization = ctx.organizations.get()
    before = organization.contracts_read_at if organization is not None else None
    ctx.organizations.see(at=now)
    rows: list[dict[str, Any]] = [
        {
            "organization_id": ctx.organization_id,
            "contract_id": contract.id,
            "name": contract.name or contract.title or f"contract {contract.id}",
            "customer_id": contract.customer_id,
            "state": ACTIVE if contract.is_active else contract.state,
            "payload": contract.model_dump(mode="json"),
            "first_seen_at": now,
            "seen_at": now,
            "gone_at": None,
        }
        for _, contract in sorted(found.items())
    ]
    for some in in_parts(rows):
        ctx.contracts.store(some)
    ctx.contracts.mark_gone(gone, now)
    states = {row["contract_id"]: str(row["state"]) for row in rows} | dict.fromkeys(gone, GONE)
    last_read = before.astimezone(SAO_PAULO).date() if before is not None else None
    ctx.readings.see_states(states, on=ctx.today, at=now, before=last_read)
    reasons = {
        each: Reason(ReasonKind.UNREAD, {"contract_id": each, "error": error, ITSELF: True})
        for each, error in unread.items()
    }
    about_the_list = [] if without_id is None else [_of_list(ctx, {"error": str(without_id)}, found=str(without_id))]
    ctx.findings.settle(
        [*_unread_findings(ctx, reasons), *about_the_list],
        examined={"contract": {*gone, *_unread_themselves(ctx)}, "organization": {ctx.organization_id}},
        kinds=(FindingKind.UNREAD,),
        at=now,
    )
    ctx.readings.record((), reasons, on=ctx.today, at=now)


# -- rules -------------------------------------------------------------------------------------------------------------


def read_contracts(
    ctx: JobContext, contract_ids: Sequence[int], *, seen_on: date, not_older_than: timedelta = ANEW
) -> Readings:
    """Bring the rules of some contracts into the ledger, as `read_in_batches` does. Commits after each batch."""
    readings = Readings()
    for batch in read_in_batches(ctx, contract_ids, seen_on=seen_on, not_older_than=not_older_than):
        readings.add(batch)
    return readings


def read_in_batches(
    ctx: JobContext, contract_ids: Sequence[int], *, seen_on: date, not_older_than: timedelta = ANEW
) -> Iterator[Readings]:
    """Bring the rules of some contracts into the ledger, with versions, prices and scheduled updates.

    Yields after every few hundred rules, committed. The caller commits what it adds before it goes on.

    Args:
        ctx: the run.
        contract_ids: contracts of the organization.
        seen_on: the day in São Paulo on which the API is asked.
        not_older_than: a contract that was read whole so short a time ago is not asked about again.

    Raises:
        ApiError: what concerns more than one contract: the token is refused, the API does not answer, or asks for a
            pause.
    """
    now, last = ctx.clock(), ctx.readings.of(contract_ids)
    current = [
        each for each in contract_ids
        if each in last and not last[each].unread_since and _is_current(last[each].read_at, now, not_older_than)
    ]  # fmt: skip
    themselves = _unread_themselves(ctx)
    stopped = {each: themselves[each] for each in contract_ids if each in themselves}
    ctx.session.commit()
    if current:
        yield Readings(contract_ids=current)
    if stopped:
        yield Readings(contract_ids=list(stopped), unread=stopped)
    settled = set(current) | stopped.keys()
    wanted = [each for each in contract_ids if each not in settled]
    unanswered: dict[int, TransientApiError] = {}
    for batch in rule_batches(ctx.api, wanted, clock=ctx.clock):
        _ask_again(ctx, batch)
        unanswered |= _unanswered(batch.unread_contracts)
        if is_away(unanswered, wanted):
            raise unanswered[min(unanswered)]
        readings = _store(ctx, batch, seen_on)
        ctx.session.commit()
        yield readings


def _ask_again(ctx: JobContext, batch: RuleBatch) -> None:
    """Ask a second time about what could not be read and about contracts of which known rules are missing."""
    known = _known_rules(ctx, batch.answered)
    ctx.session.commit()
    answered = batch.rules_by_contract()
    doubtful = [each for each, rules in known.items() if rules - answered.get(each, set())]
    for contract_id, rules_again in rules_of(ctx.api, [*batch.unread_contracts, *doubtful]):
        batch.take(contract_id, rules_again)
    missing_ones = [each for each, error in batch.unread_contracts.items() if isinstance(error, NotFoundError)]
    for contract_id, itself in answers_about(ctx.api, ctx.api.contract, missing_ones):
        if isinstance(itself, NotFoundError):  # as its rules are: it is gone
            batch.gone.append(contract_id)
            del batch.unread_contracts[contract_id]
    believed = {each for each in doubtful if _disappearance_believed(ctx, "contract", each)}
    ctx.session.commit()
    for contract_id in doubtful:
        missing = known[contract_id] - batch.rules_by_contract().get(contract_id, set())
        answered_now = contract_id not in batch.unread_contracts and contract_id not in batch.gone
        if answered_now and too_many(missing, known[contract_id]) and contract_id not in believed:
            batch.disbelieved[contract_id] = missing, known[contract_id]


def _known_rules(ctx: JobContext, contract_ids: Sequence[int]) -> dict[int, set[int]]:
    known: dict[int, set[int]] = {}
    for rule in ctx.contracts.rules_of(contract_ids):
        if rule.gone_at is None:
            known.setdefault(rule.contract_id, set()).add(rule.rule_id)
    return known


def _store(ctx: JobContext, batch: RuleBatch, seen_on: date) -> Readings:
    now = ctx.clock()
    unread = {each: _unread(each, error) for each, error in batch.unread_contracts.items()}
    for contract_id, (missing, known) in batch.disbelieved.items():
        text = N_("{missing} of its {known} rules are missing: acknowledge this if they were really deleted")
        error = Text(text, missing=len(missing), known=len(known)).fact
        unread[contract_id] = Reason(
            ReasonKind.UNREAD, {"contract_id": contract_id, "error": error, "missing": sorted(missing)}
        )
    for rule, rule_error in batch.unread_rules:
        facts: dict[str, Any] = {"contract_id": rule.contract_id, "rule_id": rule.id, "error": rule_error.fact}
        unread.setdefault(rule.contract_id, Reason(ReasonKind.UNREAD, facts))
    problems = store_rules(ctx, batch, unread, seen_on)
    ctx.contracts.mark_gone(batch.gone, now)
    ctx.readings.see_states(dict.fromkeys(batch.gone, GONE), on=seen_on, at=now)
    whole = [each for each in batch.contract_ids if each not in unread and each not in batch.gone]
    ctx.readings.record(whole, unread, on=seen_on, at=batch.asked_at)
    examined = {"contract": set(batch.contract_ids)}
    ctx.findings.settle(_unread_findings(ctx, unread), examined=examined, kinds=(FindingKind.UNREAD,), at=now)
    return Readings(batch.contract_ids, len(batch.read), unread, [*_problems(batch), *problems])


def _problems(batch: RuleBatch) -> Iterator[Problem]:
    for contract_id in batch.gone:
        yield Problem(contract_id, None, f"contract {contract_id} is no longer at the vendor")
    for contract_id, error in batch.unread_contracts.items():
        yield Problem(contract_id, None, str(error))
    for contract_id, (missing, known) in batch.disbelieved.items():
        yield Problem(contract_id, None, f"contract {contract_id}: {len(missing)} of {len(known)} rules are missing")
    for rule, rule_error in batch.unread_rules:
        yield Problem(rule.contract_id, rule.id, str(rule_error))


# -- what cannot be read, and what is not believed ---------------------------------------------------------------------


def _unread(contract_id: int, error: ApiError) -> Reason:
    return Reason(ReasonKind.UNREAD, {"contract_id": contract_id, "error": error.stated})


def _unread_themselves(ctx: JobContext) -> dict[int, Reason]:
    """Return the contracts whose own record could not be read when the list was last asked for, and why."""
    return {
        subject_id: Reason(ReasonKind.UNREAD, finding.facts)
        for (subject, subject_id), finding in ctx.findings.open_of_kind(FindingKind.UNREAD).items()
        if subject == "contract" and finding.facts.get(ITSELF)
    }


def _unread_findings(ctx: JobContext, unread: Mapping[int, Reason]) -> list[Disagreement]:
    """Return the findings `unread` of some contracts."""
    return [
        Disagreement(
            kind=FindingKind.UNREAD,
            subject="contract",
            subject_id=contract_id,
            contract_id=contract_id,
            billing_month=first_of_month(ctx.today),
            facts=reason.facts,
            found=str(reason.facts.get("missing") or ""),
        )
        for contract_id, reason in unread.items()
    ]


def _note_disappearance(ctx: JobContext, missing: Collection[int], known: Collection[int]) -> None:
    text = N_("{missing} of {known} known contracts are missing from the vendor's list")
    error = Text(text, missing=len(missing), known=len(known))
    disagreement = _of_list(ctx, {"error": error.fact, "missing": sorted(missing)}, found=str(sorted(missing)))
    ctx.findings.settle([disagreement], examined={}, kinds=(), at=ctx.clock())
    ctx.session.commit()


def _of_list(ctx: JobContext, facts: dict[str, Any], *, found: str) -> Disagreement:
    """Return the finding about the list of contracts itself."""
    return Disagreement(
        kind=FindingKind.UNREAD,
        subject="organization",
        subject_id=ctx.organization_id,
        contract_id=None,
        billing_month=first_of_month(ctx.today),
        facts=facts,
        found=found,
    )


def _disappearance_believed(ctx: JobContext, subject: str, subject_id: int) -> bool:
    """Whether a person has acknowledged that so much is missing."""
    finding = ctx.findings.open_of_kind(FindingKind.UNREAD).get((subject, subject_id))
    return finding is not None and finding.acknowledged_at is not None and bool(finding.facts.get("missing"))
