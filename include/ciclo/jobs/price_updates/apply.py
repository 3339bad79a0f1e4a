"""Applying price updates: the due executions of each rule, in order of execution date.

An execution begins only when all before it, of the same rule, are settled: each starts from the price that the one
before left, and one that cannot be settled now holds the rule's later executions and periods back.

The order of the steps is the protocol, as for invoices: claim with the evidence, commit, PUT, bring invoices to the new
price, record, commit. A crash between any two of them leaves an execution that is `submitting` under a lease; `settle`
finds out what became of it. What is PUT is the price in force now: an execution applied late brings no old price back.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from ciclo.billimatic import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    RejectedError,
    TransientApiError,
)
from ciclo.billimatic.models import InvoiceRule
from ciclo.domain.continuity import Basis, Continuity
from ciclo.domain.errors import DomainError, MissingIndexValue
from ciclo.domain.pricing import WHOLE_RULE
from ciclo.domain.states import ExecutionState, Fact, Reason, ReasonKind, update_facts
from ciclo.domain.wording import named, plain_words, said
from ciclo.failpoints import failpoint
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.adopt import Adoption, adoption_evidence, judge_vendor
from ciclo.jobs.price_updates.case import (
    Case,
    Run,
    Step,
    back_to_planned,
    change,
    doubt,
    move_on,
    park,
    stay,
    take_up_again,
    wait,
)
from ciclo.jobs.price_updates.decide import decision_of, question
from ciclo.jobs.price_updates.outcome import UpdateOptions, UpdateOutcome
from ciclo.jobs.price_updates.propose import IndexBook, Proposal, offered_first, propose
from ciclo.jobs.price_updates.reprice import InvoicesPending, to_keep
from ciclo.jobs.price_updates.settle import UNDER_WAY, Completion, complete, hold_periods, periods_from, release_periods
from ciclo.jobs.price_updates.updated_rule import Prices, UpdatedRule, updated_rule, written
from ciclo.jobs.rules.ask import Alone
from ciclo.jobs.rules.prices import current_prices
from ciclo.jobs.rules.read import read_contracts
from ciclo.jobs.rules.schedules import following_execution, is_called_off
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Payload


def apply_price_updates(
    ctx: JobContext, scope: Scope, options: UpdateOptions, *, today: date, owner: str, proposing: bool = False
) -> UpdateOutcome:
    """Apply the scope's updates whose execution date has come, each rule's in order. Commits at every step.

    Args:
        ctx: the run.
        scope: contracts and shard; executions up to the window's last day, and never later than `today`.
        options: policy, waiting, approval, lease and grace.
        today: the day in São Paulo on which the API is asked.
        owner: a name that no other process uses, for the claims.
        proposing: adopt, let wait and park as usual, but write proposals instead of applying.

    Raises:
        AuthenticationError: the token is not accepted.
        ApiError: the API cannot be reached, or fails about one of the rules, then after all the others; what was
            applied so far is recorded.
        LeaseTooShortError: the options and the connection do not fit together.
    """
    options.require_lease(ctx.api)
    last = min(scope.window.last_day, today)
    outcome = UpdateOutcome(cancelled=retire_updates(ctx, scope, due_until=last))
    due = ctx.scheduled_updates.due(last, scope)
    contracts = tuple(sorted({update.contract_id for update in due}))
    rule_ids = list(dict.fromkeys(update.rule_id for update in due))  # told apart before `due` is read anew, one by one
    unread = _read_rules(ctx, contracts, today, outcome)
    run = Run(ctx, options, owner, today, proposing, IndexBook(ctx), unread, outcome)
    alone = Alone(ctx.api, ctx.session, rule_ids)
    for rule_id in rule_ids:
        with alone:
            _work_off(run, rule_id, last)
    if contracts:
        release_periods(ctx, contracts)
    if alone.failures:
        raise alone.failures[-1]
    return outcome


def retire_updates(ctx: JobContext, scope: Scope, *, due_until: date) -> int:
    """Cancel executions of what is gone, inactive or scheduled anew; return how many. Commits.

    What is due is left to its turn: its rule is read once more before it is called off, and it is remembered by name.
    """
    now = ctx.clock()
    for update in ctx.scheduled_updates.without_rule(scope):
        if update.next_execution_date is not None and update.next_execution_date > due_until:
            ctx.scheduled_updates.move(update.scheduled_update_id, expected=update.next_execution_date, to=None)
    strays = ctx.executions.strays(scope)
    for execution in strays:
        ctx.executions.change(execution, ExecutionState.CANCELLED, reason=Reason(ReasonKind.UPDATE_ENDED), at=now)
    ctx.session.commit()
    return len(strays)


def _read_rules(ctx: JobContext, contracts: tuple[int, ...], today: date, outcome: UpdateOutcome) -> dict[int, str]:
    """Read the contracts' rules from the vendor; return those that could not be read, and why."""
    if not contracts:
        return {}
    ctx.session.commit()
    started = ctx.clock()
    synced = read_contracts(ctx, contracts, seen_on=today)
    outcome.problems += synced.problems
    ctx.session.expire_all()
    rules = ctx.contracts.rules_of(contracts)
    why = {problem.rule_id or problem.contract_id: problem.message for problem in synced.problems}
    return {
        rule.rule_id: why.get(rule.rule_id) or why.get(rule.contract_id) or "the vendor did not answer it"
        for rule in rules
        if rule.seen_at < started and rule.gone_at is None
    }


def _work_off(run: Run, rule_id: int, last: date) -> None:
    """Advance a rule's executions in order, until one cannot be settled now or none is due any more."""
    ctx, policy = run.ctx, run.options.policy.value
    while (rule := updated_rule(ctx, rule_id)) is not None:
        due = rule.head()
        if due is None or due.execution_date > last:
            return
        execution = ctx.executions.ensure(due.scheduled, due.execution_date, policy=policy, at=ctx.clock())
        ctx.session.commit()
        match advance(run, Case(rule, due, execution)):
            case Step.NEXT | Step.AGAIN:
                continue
            case Step.STOP:
                hold_periods(ctx, rule, due, execution)
                return


def advance(run: Run, case: Case) -> Step:  # noqa: C901, PLR0911 - the state machine in one piece
    """Take one execution as far as it goes now."""
    match ExecutionState(case.execution.state):
        case ExecutionState.SUBMITTING | ExecutionState.IN_DOUBT:
            run.outcome.in_doubt += 1
            return Step.STOP
        case ExecutionState.CANCELLED if (
            is_called_off(case.execution) and case.rule.ending(case.due.execution_date) is None
        ):
            return take_up_again(run, case)
        case ExecutionState.APPLIED | ExecutionState.ADOPTED | ExecutionState.CANCELLED:
            return move_on(run, case, following_execution(case.due.scheduled, case.due.execution_date))
        case _ if (ending := case.rule.ending(case.due.execution_date)) is not None:
            run.outcome.cancelled += change(run, case, ExecutionState.CANCELLED, ending)
            return move_on(run, case, None)
        case ExecutionState.PARKED:
            run.outcome.parked += 1
            return Step.STOP
    if (blocker := _blocker(run, case)) is not None:
        return stay(run, case, blocker)
    letter = _propose(run, case)
    match judge_vendor(case.rule, case.due, letter if isinstance(letter, Proposal) else None):
        case Reason() as doubt:
            return park(run, case, doubt)
        case Adoption() as adoption:
            return _vendor_was_first(run, case, adoption, letter)
    match letter:
        case MissingIndexValue():
            return wait(run, case, letter)
        case DomainError():
            return park(run, case, case.reason(ReasonKind.UPDATE_UNUSABLE, error=letter.fact))
        case Proposal():
            figure = _decided(run, case, letter) or _undecided(run, case, letter)
    if figure is None or (run.options.require_approval and not _is_approved(run, case, letter, figure)):
        return Step.STOP
    return _apply(run, case, figure)


def _blocker(run: Run, case: Case) -> Reason | None:
    """Say what keeps an execution from being decided now; an invoice has to be found before it can be changed."""
    if case.rule.rule_id in run.unread:
        return case.reason(ReasonKind.UNREAD, error=run.unread[case.rule.rule_id])
    periods = periods_from(run.ctx, case.rule.rule_id, case.due.execution_date)
    sent = next((period for period in periods if period.state in UNDER_WAY), None)
    if sent is None:
        return None
    return case.reason(ReasonKind.PERIOD_UNSETTLED, issue_date=sent.issue_date.isoformat(), state=sent.state)


def _propose(
    run: Run, case: Case, basis: Basis = Basis.LETTER, chosen: tuple[date, ...] = ()
) -> Proposal | DomainError:
    try:
        return propose(case.rule, case.due, run.book, run.options.policy, basis, chosen)
    except DomainError as error:
        return error


def _by_continuity(run: Run, case: Case, letter: Proposal) -> Proposal | None:
    """Return the other figure of an execution that does not follow from the one before; None where it does."""
    other = _propose(run, case, Basis.CONTINUITY) if letter.breaks else None
    return other if isinstance(other, Proposal) else None


def _decided(run: Run, case: Case, letter: Proposal) -> Proposal | None:
    """Return the figure that a person chose; None where nobody did, or where it is another one by now."""
    execution, decision = case.execution, decision_of(case.execution)
    if execution.approved_at is None:
        return None
    if decision is None:
        known = (letter, _by_continuity(run, case, letter))
        return next((each for each in known if each is not None and each.hash == execution.proposal_hash), None)
    if decision.basis is Basis.VENDOR:
        return None
    figure = letter if decision.basis is Basis.LETTER else _propose(run, case, decision.basis, decision.months)
    if not isinstance(figure, Proposal) or figure.new_prices != decision.prices:
        return None
    shown = letter if decision.basis is Basis.WINDOW else figure
    return figure if shown.hash == execution.proposal_hash else None


def _undecided(run: Run, case: Case, letter: Proposal) -> Proposal | None:
    """Return the figure that counts where nobody chose one; None where a person has to, with the execution parked."""
    stale = decision_of(case.execution) is not None
    if not letter.breaks and not stale:
        return letter
    other = _by_continuity(run, case, letter)
    first = offered_first(letter, other)
    if run.options.continuity is Continuity.APPLY and not stale:
        return first
    kind = ReasonKind.CONTINUITY_CHANGED if case.execution.approved_by else ReasonKind.CONTINUITY
    _ask(run, case, kind, letter, question(letter, other, {}, first.basis))
    return None


def _ask(run: Run, case: Case, kind: ReasonKind, letter: Proposal, asked: tuple[dict[str, Fact], Payload]) -> Step:
    """Park an execution with the figures between which a person chooses."""
    facts, evidence = asked
    reason = case.reason(kind, person=case.execution.approved_by, **facts)
    undecided = {"approved_by": None, "approved_at": None}
    return park(run, case, reason, evidence=evidence, **(_columns(letter) | undecided))


def _vendor_was_first(run: Run, case: Case, adoption: Adoption, letter: Proposal | DomainError) -> Step:
    """Adopt the vendor's own readjustment; one in part, or against continuity or the contract, is for a person."""
    if not isinstance(letter, Proposal):
        return _adopt(run, case, adoption, letter)
    chosen, decision = _decided(run, case, letter), decision_of(case.execution)
    if chosen is not None:
        return Step.STOP if run.proposing else _apply(run, case, chosen)
    accepted = (
        decision is not None
        and decision.basis is Basis.VENDOR
        and decision.prices == adoption.prices
        and case.execution.proposal_hash == letter.hash
    )
    other = _by_continuity(run, case, letter)
    figures = [figure for figure in (letter, other) if figure is not None]
    differs = any(figure.new_prices.get(key) != new for figure in figures for key, new in adoption.prices.items())
    stale = decision is not None
    breaks = letter.breaks and run.options.continuity is Continuity.ASK
    asked = adoption.in_part or stale or letter.agreed or breaks
    if accepted or not (differs and asked):
        return _adopt(run, case, adoption, letter)
    kind = ReasonKind.VENDOR_IN_PART if adoption.in_part else ReasonKind.VENDOR_OTHERWISE
    facts = question(letter, other, adoption.prices, offered_first(letter, other).basis)
    return _ask(run, case, kind, letter, facts)


def _is_approved(run: Run, case: Case, letter: Proposal, proposal: Proposal) -> bool:
    """Whether a person approved exactly this; while proposing, a proposal is written instead."""
    execution = case.execution
    same = execution.proposal_hash in (proposal.hash, letter.hash)
    if same and execution.approved_at is not None and not run.proposing:
        return True
    if execution.state == ExecutionState.PROPOSED and not same:
        kind = ReasonKind.APPROVAL_REFUSED if execution.approved_by else ReasonKind.PROPOSAL_CHANGED
        reason = case.reason(kind, person=execution.approved_by)
        withdrawn = {"approved_by": None, "approved_at": None, "proposal_hash": None}
        change(run, case, ExecutionState.PLANNED, reason, **withdrawn)
        run.note(case, [said(reason)])
    if run.proposing and execution.state == ExecutionState.WAITING:
        back_to_planned(run, case)
    if run.proposing and execution.state == ExecutionState.PLANNED and execution.approved_at is None:
        values = _columns(proposal) | {"evidence": proposal.evidence()}
        change(run, case, ExecutionState.PROPOSED, Reason(ReasonKind.WAITS_FOR_APPROVAL), **values)
    run.outcome.proposed += execution.state == ExecutionState.PROPOSED
    return False


# -- carrying out -----------------------------------------------------------------------------------------------------


def _apply(run: Run, case: Case, proposal: Proposal) -> Step:
    """Claim, PUT, complete."""
    if not back_to_planned(run, case, keep=ExecutionState.PROPOSED):
        return Step.AGAIN
    ctx, options, now = run.ctx, run.options, run.ctx.clock()
    sent = prices_to_send(case.rule, proposal)
    seen = {key: value for key, value in case.rule.remote_prices().items() if key in sent}
    evidence = {**proposal.evidence(), "seen": _written(seen), "sent": _written(sent), **_basis(case, proposal)}
    work = Completion(
        rule=case.rule,
        due=case.due,
        execution=case.execution,
        target=ExecutionState.APPLIED,
        source="price update",
        evidence=evidence,
        reason=Reason(ReasonKind.APPLIED, {"factor": f"{proposal.factor:f}"}),
        values={},
    )
    if sent != seen:
        try:
            kept = to_keep(ctx, case.rule, case.due.execution_date, work.history_seen(), work.history_after())
        except InvoicesPending as error:
            facts: dict[str, Fact] = {"invoice_id": error.invoice_id, "error": error.fact}
            return stay(run, case, case.reason(ReasonKind.INVOICES_PENDING, **facts))
        evidence |= {"kept": kept} if kept else {}
    claimed = ctx.executions.claim(
        case.execution,
        owner=run.owner,
        lease_until=now + options.lease,
        at=now,
        evidence=evidence,
        **_columns(proposal),
    )
    ctx.session.commit()  # before any PUT: from here on nobody else may send this
    failpoint("update.claimed")
    if not claimed:
        return Step.AGAIN
    remote = case.rule.remote if sent == seen else _put(run, case, sent)
    if remote is None:
        return Step.STOP
    work = replace(work, rule=replace(case.rule, remote=remote))
    return _complete(run, case, work)


def prices_to_send(rule: UpdatedRule, proposal: Proposal) -> Prices:
    """Return the unit values that the vendor is to show: those in force by now, which may be later ones."""
    newest, day = rule.newest_prices(), proposal.due.execution_date
    return {
        key: newest[key].unit_value if newest[key].effective_from > day else new
        for key, new in proposal.new_prices.items()
        if key in rule.remote_prices()
    }


def _put(run: Run, case: Case, sent: Prices) -> InvoiceRule | None:
    """Send the new unit values; None where that did not end well, with the execution changed accordingly.

    Other fields of the rule, its scheduled updates above all, are not in the request and stay as they are.
    """
    rule, options = case.rule, run.options
    within = options.lease.total_seconds() - run.ctx.api.longest_request
    body: dict[str, Any] = {"services": [{"id": key, "unit_value": value} for key, value in sent.items()]}
    if WHOLE_RULE in sent:
        body = {"gross_value": sent[WHOLE_RULE]}
    try:
        answer = run.ctx.api.update_invoice_rule(rule.contract_id, rule.rule_id, body, within=within)
        failpoint("update.put")
    except (RejectedError, BadRequestError) as error:
        park(run, case, case.reason(ReasonKind.REFUSED, error=error.stated))
        return None
    except NotFoundError:
        park(run, case, case.reason(ReasonKind.RULE_GONE))
        return None
    except (AuthenticationError, TransientApiError) as error:
        doubt(run, case, case.reason(ReasonKind.NOT_SENT, error=error.fact), timedelta(0))
        raise
    except ApiError as error:
        doubt(run, case, case.reason(ReasonKind.NO_ANSWER, error=error.fact), options.grace)
        return None
    shown = {key: value for key, value in current_prices(answer).items() if key in sent}
    if shown != sent:
        given, there = ([str(value) for value in prices.values()] for prices in (sent, shown))
        park(run, case, case.reason(ReasonKind.PRICE_NOT_TAKEN, sent=given, shown=there))
        return None
    return answer


def _adopt(run: Run, case: Case, adoption: Adoption, proposal: Proposal | DomainError) -> Step:
    """Take over the vendor's own readjustment; nothing is PUT."""
    if not back_to_planned(run, case):
        return Step.AGAIN
    ours, why_not = (proposal, None) if isinstance(proposal, Proposal) else (None, str(proposal))
    work = Completion(
        rule=case.rule,
        due=case.due,
        execution=case.execution,
        target=ExecutionState.ADOPTED,
        source="vendor",
        evidence=adoption_evidence(adoption, case.due, ours, why_not) | (_basis(case, ours) if ours else {}),
        reason=case.reason(ReasonKind.VENDOR_READJUSTED),
        values=_columns(ours) if ours else {},
    )
    return _complete(run, case, work)


def _complete(run: Run, case: Case, work: Completion) -> Step:
    """Bring everything else in line with an execution whose prices the vendor shows."""
    try:
        brought = complete(run.ctx, work)
    except (InvoicesPending, AuthenticationError) as error:
        invoice_id = error.invoice_id if isinstance(error, InvoicesPending) else None
        reason = case.reason(ReasonKind.INVOICES_PENDING, invoice_id=invoice_id, error=error.fact)
        sent = case.execution.state == ExecutionState.SUBMITTING
        step = doubt(run, case, reason, timedelta(0)) if sent else stay(run, case, reason)
        if isinstance(error, AuthenticationError):
            raise
        return step
    if brought is None:
        return Step.AGAIN
    run.outcome.applied += work.target is ExecutionState.APPLIED
    run.outcome.adopted += work.target is ExecutionState.ADOPTED
    run.outcome.invoices += len(brought.entries)
    place = named(update_facts(case.rule.contract_id, case.rule.rule_id, case.due.execution_date))
    warnings = (*work.evidence.get("warnings", ()), *(each.fact for each in brought.warnings))
    run.note(case, (f"{place}: {plain_words(warning)}" for warning in warnings))
    return Step.NEXT


# -- stopping short: each says why, in the execution's reason and in the run's summary ---------------------------------


def _basis(case: Case, proposal: Proposal) -> Payload:
    """Return what the evidence says of how a figure was chosen: what did not follow, by what it goes, who chose it."""
    decision = decision_of(case.execution)
    basis = decision.basis if decision is not None else proposal.basis
    found: Payload = {"breaks": [each.value for each in proposal.breaks]} if proposal.breaks else {}
    if found or decision is not None:
        found |= {"basis": basis.value}
    return found | ({"decision": decision.document} if decision is not None else {})


def _columns(proposal: Proposal) -> dict[str, Any]:
    """Return the columns of an execution that a proposal fills, its evidence aside."""
    return {
        "price_index": proposal.index.value,
        "policy": proposal.policy.value,
        "factor": proposal.factor,
        "proposal_hash": proposal.hash,
        "waiting_since": None,
    }


def _written(prices: Prices) -> dict[str, str]:
    return {str(key): written(value) for key, value in prices.items()}
