"""Carrying out one execution: claim, PUT, invoices, record; or adopt what the vendor has done itself.

The order is the protocol, as for invoices: claim with the evidence, commit, PUT, bring invoices to the new price,
record, commit. A crash between any two steps leaves an execution that is `submitting` under a lease; `settling` finds
out what became of it. What is PUT is the price in force now: an execution applied late brings no old price back.
"""

from datetime import timedelta
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
from ciclo.domain.errors import DomainError
from ciclo.domain.money import brl
from ciclo.failpoints import failpoint
from ciclo.jobs.price_updates.completion import Completion, complete
from ciclo.jobs.price_updates.invoices import InvoicesPending
from ciclo.jobs.price_updates.proposal import Proposal
from ciclo.jobs.price_updates.standing import Prices, Standing, written
from ciclo.jobs.price_updates.vendor import Adoption, adoption_evidence
from ciclo.jobs.price_updates.work import Case, Run, back_to_planned, doubt, park, proposal_columns, stay
from ciclo.jobs.rules.prices import WHOLE_RULE, current_prices
from ciclo.ledger.repositories import ExecutionState


def apply_proposal(run: Run, case: Case, proposal: Proposal) -> bool:
    """Claim, PUT, complete."""
    ctx, options, now = run.ctx, run.options, run.ctx.clock()
    sent = prices_to_send(case.standing, proposal)
    seen = {key: value for key, value in case.standing.remote_prices().items() if key in sent}
    evidence = {**proposal.evidence(), "seen": _written(seen), "sent": _written(sent)}
    claimed = ctx.executions.claim(
        case.execution,
        owner=run.owner,
        lease_until=now + options.lease,
        at=now,
        evidence=evidence,
        **proposal_columns(proposal),
    )
    ctx.session.commit()  # before any PUT: from here on nobody else may send this
    failpoint("update.claimed")
    if not claimed:
        return True  # look again what the other run makes of it
    remote = case.standing.remote if sent == seen else _put(run, case, sent)
    if remote is None:
        return False
    case.standing.remote = remote
    work = Completion(
        standing=case.standing,
        due=case.due,
        execution=case.execution,
        target=ExecutionState.APPLIED,
        source="price update",
        evidence=evidence,
        reason=f"applied: factor {proposal.factor:f}",
        values={},
    )
    return _complete(run, case, work)


def prices_to_send(standing: Standing, proposal: Proposal) -> Prices:
    """Return the unit values that the vendor is to show: those in force by now, which may be later ones."""
    newest = {key: price.effective_from for key, price in standing.newest_prices().items()}
    latest = {key: price.unit_value for key, price in standing.newest_prices().items()}
    day = proposal.due.execution_date
    return {
        key: latest[key] if newest[key] > day else new
        for key, new in proposal.new_prices.items()
        if key in standing.remote_prices()
    }


def _put(run: Run, case: Case, sent: Prices) -> InvoiceRule | None:
    """Send the new unit values; None where that did not end well, with the execution changed accordingly.

    Other fields of the rule, its scheduled updates above all, are not in the request and stay as they are.
    """
    rule, options = case.standing.rule, run.options
    within = options.lease.total_seconds() - run.ctx.api.longest_request
    try:
        answer = run.ctx.api.update_invoice_rule(rule.contract_id, rule.rule_id, _body(sent), within=within)
        failpoint("update.put")
    except (RejectedError, BadRequestError) as error:
        park(run, case, f"{case.name}: the API refused the new price: {error.reason}")
        return None
    except NotFoundError:
        park(run, case, f"{case.name}: the rule is no longer at the vendor")
        return None
    except (AuthenticationError, TransientApiError) as error:
        doubt(run, case, f"not sent: {error}", timedelta(0))
        raise
    except ApiError as error:
        doubt(run, case, f"sent, answer unknown: {error}", options.grace)
        return None
    shown = {key: value for key, value in current_prices(answer).items() if key in sent}
    if shown != sent:
        park(run, case, f"{case.name}: the vendor was sent {_listed(sent)} and shows {_listed(shown)}")
        return None
    return answer


def _body(sent: Prices) -> dict[str, Any]:
    if WHOLE_RULE in sent:
        return {"gross_value": sent[WHOLE_RULE]}
    return {"services": [{"id": key, "unit_value": value} for key, value in sent.items()]}


def _complete(run: Run, case: Case, work: Completion) -> bool:
    try:
        brought = complete(run.ctx, work)
    except InvoicesPending as error:
        return _unfinished(run, case, str(error))
    except AuthenticationError as error:
        _unfinished(run, case, str(error))
        raise
    if brought is None:
        return True  # another run was faster: look again
    if work.target is ExecutionState.APPLIED:
        run.outcome.applied += 1
    else:
        run.outcome.adopted += 1
    run.outcome.invoices += len(brought.entries)
    run.note(case.standing, (f"{case.name}: {w}" for w in (*work.evidence.get("warnings", ()), *brought.warnings)))
    return True


def _unfinished(run: Run, case: Case, reason: str) -> bool:
    """Leave an execution to be finished later: in doubt if it was sent, else as it is."""
    if case.execution.state == ExecutionState.SUBMITTING:
        return doubt(run, case, reason, timedelta(0))
    return stay(run, case, reason)


def adopt(run: Run, case: Case, adoption: Adoption, proposal: Proposal | None, problem: DomainError | None) -> bool:
    """Take over the vendor's own readjustment; nothing is PUT."""
    if not back_to_planned(run, case):
        return True
    why_not = str(problem) if problem else None
    work = Completion(
        standing=case.standing,
        due=case.due,
        execution=case.execution,
        target=ExecutionState.ADOPTED,
        source="vendor",
        evidence=adoption_evidence(adoption, case.due, proposal, why_not),
        reason="the vendor has readjusted the price itself: its price counts",
        values=proposal_columns(proposal) if proposal else {},
    )
    return _complete(run, case, work)


def _written(prices: Prices) -> dict[str, str]:
    return {str(key): written(value) for key, value in prices.items()}


def _listed(prices: Prices) -> str:
    return ", ".join(brl(value) for value in prices.values())
