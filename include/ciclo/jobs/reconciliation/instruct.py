"""Instructions: what people let Ciclo tell the vendor about single invoices and receivables, each sent once.

The order is the protocol: claim, commit, look at the invoice, send, read it back, record, commit. What the vendor shows
already is not sent. What changed since the person asked stops it. What was sent without an answer is looked up once it
cannot arrive any more, and sent again once, if it is not there; boletos are not, because they come later than the
answer. What is refused is a finding.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from ciclo.billimatic import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    TransientApiError,
)
from ciclo.billimatic.models import Invoice, Payment, Receivable
from ciclo.domain.calendar import first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.instructions import APPROVAL, FROM, REACHED, InstructionKind, InstructionState
from ciclo.domain.money import cents
from ciclo.domain.receivables import ReceivableState
from ciclo.domain.states import Fact, Reason, ReasonKind
from ciclo.failpoints import failpoint
from ciclo.jobs.context import ClaimOptions, JobContext
from ciclo.jobs.reconciliation.compare import owed
from ciclo.jobs.reconciliation.ingest import Ingest
from ciclo.jobs.rules.ask import Alone
from ciclo.ledger.repositories import Disagreement
from ciclo.ledger.tables import Instruction

log = logging.getLogger("ciclo")

PATIENCE = timedelta(days=1)
"""How long a boleto that was asked for may take."""

_K, _S = InstructionKind, InstructionState


class Shown(StrEnum):
    """Whether the vendor shows what an instruction is to lead to."""

    THERE = "there"
    NOT_YET = "not_yet"


@dataclass(slots=True)
class InstructionsOutcome:
    """What became of the instructions of a run."""

    done: int = 0
    in_doubt: int = 0
    """Those whose outcome a later run looks up."""
    refused: list[Disagreement] = field(default_factory=list)
    seen: dict[int, Invoice] = field(default_factory=dict)
    """Invoices as they were read last."""

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts, small enough to travel between tasks."""
        return {"done": self.done, "in_doubt": self.in_doubt, "refused": len(self.refused)}


def carry_out(
    ctx: JobContext, options: ClaimOptions, *, owner: str, today: date, contract_ids: Sequence[int] = ()
) -> InstructionsOutcome:
    """Look up what is in doubt, then send what was asked for. Commits at every step.

    Args:
        ctx: the run.
        options: lease and grace.
        owner: a name for claims.
        today: the day in São Paulo.
        contract_ids: of these contracts alone; none means all.

    Raises:
        AuthenticationError, TransientApiError: nothing can be asked now; what was not sent is sent by the next try.
    """
    options.require_lease(ctx.api)
    outcome, ready = InstructionsOutcome(), _ready(ctx, contract_ids)
    alone = Alone(ctx.api, ctx.session, ready)
    if ready:
        _give_up_claims_of_the_dead(ctx, options, ready)
        away: set[int] = set()
        for row in _ready(ctx, contract_ids):
            if row.state != _S.ASKED and row.invoice_id not in away:
                with alone:
                    _look_up(ctx, row, outcome)
                    continue
                away.add(row.invoice_id)
        for row in _ready(ctx, contract_ids):
            if row.state == _S.ASKED and row.invoice_id not in away:
                with alone:
                    _carry_out_one(ctx, row, options, owner, outcome)
                    continue
                away.add(row.invoice_id)
    if outcome.seen:
        Ingest(ctx, today=today).take(outcome.seen.values())
    _cure_findings(ctx)
    for failure in alone.failures:  # the reconciliation after it is not to wait for these either
        log.warning("not carried out yet: %s", failure)
    outcome.in_doubt += len(alone.failures)
    return outcome


def _ready(ctx: JobContext, contract_ids: Sequence[int]) -> list[Instruction]:
    rows = ctx.instructions.to_carry_out(ctx.clock(), contract_ids)
    ctx.session.commit()
    return rows


def _give_up_claims_of_the_dead(ctx: JobContext, options: ClaimOptions, rows: Sequence[Instruction]) -> None:
    """Put in doubt what a run claimed that never came back."""
    now = ctx.clock()
    for row in rows:
        if row.state == _S.SENDING:
            reason = Reason(ReasonKind.CLAIM_EXPIRED, {"owner": row.owner})
            until = (row.lease_until or now) + options.grace
            lost = row.lost_answers + 1
            ctx.instructions.change(row, _S.IN_DOUBT, reason, at=now, owner=None, doubt_until=until, lost_answers=lost)
    ctx.session.commit()


# -- what is in doubt --------------------------------------------------------------------------------------------------


def _look_up(ctx: JobContext, row: Instruction, outcome: InstructionsOutcome) -> None:
    """Settle by what the vendor shows what was sent and not shown yet."""
    kind, now = InstructionKind(row.kind), ctx.clock()
    found = _read(ctx, row, outcome)
    failpoint("instruct.looked")
    if found is None:
        outcome.in_doubt += 1
        return
    shown = found if isinstance(found, Reason) else judge(row, found)
    if shown is Shown.THERE:
        outcome.done += _end(ctx, row, _S.DONE, Reason(ReasonKind.CARRIED_OUT))
    elif isinstance(shown, Reason):
        _refuse(ctx, row, shown, outcome)
    elif kind.charges and "charges" in row.facts and now - row.changed_at < PATIENCE:
        outcome.in_doubt += 1
    elif kind.charges and "charges" in row.facts:
        _refuse(ctx, row, _not_made(row, found, "-"), outcome)
    elif row.lost_answers > 1:
        _refuse(ctx, row, Reason(ReasonKind.LOST_TWICE), outcome)
    else:
        ctx.instructions.change(row, _S.ASKED, Reason(ReasonKind.NOT_THERE_YET), at=now, doubt_until=None)
    ctx.session.commit()


# -- what was asked for ------------------------------------------------------------------------------------------------


def _carry_out_one(
    ctx: JobContext, row: Instruction, options: ClaimOptions, owner: str, outcome: InstructionsOutcome
) -> None:
    now = ctx.clock()
    until = now + options.lease
    claimed = Reason(ReasonKind.CLAIMED, {"owner": owner})
    if not ctx.instructions.change(row, _S.SENDING, claimed, at=now, owner=owner, lease_until=until):
        ctx.session.commit()
        return  # another run has it, or a person took it back
    ctx.session.commit()  # before anything is sent: from here on nobody else sends it
    failpoint("instruct.claimed")
    found = _unless_away(ctx, row, lambda: _read(ctx, row, outcome))
    if found is None:
        _give_back(ctx, row, "the invoice could not be read")
        return
    if isinstance(found, Invoice):
        _fill_in_what_is_owed(ctx, row, found)
    shown = found if isinstance(found, Reason) else judge(row, found)
    if not isinstance(found, Invoice) or isinstance(shown, Reason):
        _refuse(ctx, row, shown, outcome)
    elif shown is Shown.THERE:
        outcome.done += _end(ctx, row, _S.DONE, Reason(ReasonKind.SO_ALREADY))
    else:
        if InstructionKind(row.kind).charges:  # what was said of boletos before says nothing about those to come
            charges = {str(each.id): each.cobrato_errors or None for each in _charged(row, found)}
            ctx.instructions.change(row, _S.SENDING, row.reason, at=ctx.clock(), facts=row.facts | {"charges": charges})
            ctx.session.commit()
        failpoint("instruct.sending")
        time_left = (until - timedelta(seconds=ctx.api.longest_request) - ctx.clock()).total_seconds()
        _send_and_record(ctx, row, options, time_left, outcome)
    failpoint("instruct.recording")
    ctx.session.commit()
    failpoint("instruct.recorded")


def _fill_in_what_is_owed(ctx: JobContext, row: Instruction, invoice: Invoice) -> None:
    """Let a receipt without an amount be of all that the vendor says is owed: without withheld taxes, say. Commits."""
    line = next((each for each in invoice.receivables if each.id == row.subject_id), None)
    if row.kind == _K.RECEIVE and "amount" not in row.facts and line is not None:
        facts = row.facts | {"amount": str(owed(invoice, line))}
        ctx.instructions.change(row, _S.SENDING, row.reason, at=ctx.clock(), facts=facts)
        ctx.session.commit()


def _send_and_record(
    ctx: JobContext, row: Instruction, options: ClaimOptions, time_left: float, outcome: InstructionsOutcome
) -> None:
    try:
        answer = _unless_away(ctx, row, lambda: _send(ctx, row, within=time_left))
    except OutcomeUnknownError as error:
        lost = {"lost_answers": row.lost_answers + 1, "doubt_until": ctx.clock() + options.grace}
        _end(ctx, row, _S.IN_DOUBT, Reason(ReasonKind.NO_ANSWER, {"error": error.fact}), **lost)
        outcome.in_doubt += 1
        return
    except (RejectedError, NotFoundError, BadRequestError) as error:
        _refuse(ctx, row, Reason(ReasonKind.REFUSED, {"error": error.fact}), outcome)
        return
    failpoint("instruct.sent")
    try:
        found = _read(ctx, row, outcome)
    except ApiError:
        found = None  # it was answered: a later run reads it back
    shown = found if found is None or isinstance(found, Reason) else judge(row, found)
    is_silent = isinstance(found, Invoice) and found.approval_status is None  # of its approval, as some answers are
    if shown is Shown.NOT_YET and isinstance(answer, Invoice) and is_silent:
        shown = judge(row, answer)
    if shown is Shown.THERE:
        outcome.done += _end(ctx, row, _S.DONE, Reason(ReasonKind.CARRIED_OUT))
    elif isinstance(shown, Reason):
        _refuse(ctx, row, shown, outcome)
    else:
        tried = row.lost_answers + (not InstructionKind(row.kind).charges)
        _end(ctx, row, _S.ACCEPTED, Reason(ReasonKind.TAKEN), doubt_until=ctx.clock(), lost_answers=tried)
        outcome.in_doubt += 1


def _send(ctx: JobContext, row: Instruction, *, within: float) -> Invoice | Receivable | None:
    place, api = (row.contract_id, row.subject_id), ctx.api
    match InstructionKind(row.kind):
        case InstructionKind.RECEIVE:
            amount, day = Decimal(row.facts["amount"]), date.fromisoformat(row.facts["day"])
            return api.receive(*place, Payment(received_value=amount, received_at=day), within=within)
        case InstructionKind.UNDO_RECEIPT:
            return api.undo_receipt(*place, within=within)
        case InstructionKind.APPROVE:
            return api.approve_invoice(*place, within=within)
        case InstructionKind.BLOCK:
            return api.block_invoice(*place, within=within)
        case InstructionKind.CREATE_CHARGE:
            api.create_charge(*place, within=within)
        case InstructionKind.CREATE_CHARGES:
            api.create_charges(*place, within=within)
    return None


def _unless_away(ctx: JobContext, row: Instruction, ask: Any) -> Any:
    """Ask the vendor; where it certainly did nothing and nobody can be asked now, give the claim back."""
    try:
        return ask()
    except (AuthenticationError, TransientApiError) as error:
        _give_back(ctx, row, str(error))
        raise


def _give_back(ctx: JobContext, row: Instruction, error: str) -> None:
    _end(ctx, row, _S.ASKED, Reason(ReasonKind.NOT_SENT, {"error": error}))
    ctx.session.commit()


def _read(ctx: JobContext, row: Instruction, outcome: InstructionsOutcome) -> Invoice | Reason | None:
    """Return the invoice as it is, a reason where it is gone, None where it cannot be read."""
    try:
        invoice = ctx.api.invoice(row.contract_id, row.invoice_id)
    except NotFoundError:
        return Reason(ReasonKind.SEEN_GONE)
    except (AuthenticationError, TransientApiError):
        raise
    except ApiError as error:
        log.warning("contract %d, invoice %d: cannot be read: %s", row.contract_id, row.invoice_id, error)
        return None
    outcome.seen[invoice.id] = invoice
    return invoice


# -- what the vendor shows ---------------------------------------------------------------------------------------------


def judge(row: Instruction, invoice: Invoice) -> Shown | Reason:
    """Say whether an invoice shows what an instruction is to lead to, or why it cannot be carried out."""
    kind = InstructionKind(row.kind)
    line = next((each for each in invoice.receivables if each.id == row.subject_id), None)
    if kind.subject == "receivable" and line is None:
        return Reason(ReasonKind.SEEN_GONE)
    state = str(line.state if kind.subject == "receivable" and line is not None else invoice.state)
    if kind.charges:
        shown = _judge_charges(row, invoice)
        if shown is not Shown.NOT_YET or "charges" in row.facts:
            return shown if state in FROM[kind] or shown is Shown.THERE else _not_in(state)
    elif kind in REACHED and state == REACHED[kind]:
        return _judge_receipt(row, line) if kind is _K.RECEIVE and line is not None else Shown.THERE
    elif kind in APPROVAL and invoice.approval_status == APPROVAL[kind]:
        return Shown.THERE
    if state not in FROM[kind]:
        return _not_in(state)
    value = line.gross_value if kind.subject == "receivable" and line is not None else invoice.gross_value
    now: dict[str, Any] = {"gross_value": value, "customer_id": invoice.customer_id}
    if kind is _K.UNDO_RECEIPT and line is not None:  # somebody may have corrected the receipt meanwhile
        now |= {"received_value": line.received_value, "received_at": line.received_at}
    changed = _changed(row, now)
    return Reason(ReasonKind.CHANGED_SINCE_ASKED, {"changes": changed}) if changed else Shown.NOT_YET


def _judge_receipt(row: Instruction, line: Receivable) -> Shown | Reason:
    """Tell the receipt that was asked for from another one."""
    asked = {"received_value": row.facts["amount"], "received_at": row.facts["day"]}
    value = str(cents(line.received_value)) if line.received_value is not None else "-"
    found = {"received_value": value, "received_at": line.received_at.isoformat() if line.received_at else "-"}
    changes = {name: [asked[name], found[name]] for name in asked if asked[name] != found[name]}
    return Reason(ReasonKind.CHANGED_SINCE_ASKED, {"changes": changes}) if changes else Shown.THERE


def _judge_charges(row: Instruction, invoice: Invoice) -> Shown | Reason:
    lines = _charged(row, invoice)
    lacking = [each for each in lines if not _has_boleto(each)]
    if lines and not lacking:
        return Shown.THERE
    if "charges" not in row.facts:  # nothing was sent
        there = [each.id for each in lines if _has_boleto(each)]
        return Reason(ReasonKind.BOLETOS_THERE, {"receivable_ids": there}) if there else Shown.NOT_YET
    before = row.facts["charges"]
    fresh = [each for each in lacking if (each.cobrato_errors or None) not in (None, before.get(str(each.id)))]
    return _not_made(row, invoice, fresh[0].cobrato_errors or "-") if fresh else Shown.NOT_YET


def _charged(row: Instruction, invoice: Invoice) -> list[Receivable]:
    """Return the receivables whose boletos are asked for."""
    if row.kind == _K.CREATE_CHARGE:
        return [each for each in invoice.receivables if each.id == row.subject_id]
    open_ones = FROM[_K.CREATE_CHARGES]
    return [each for each in invoice.receivables if each.state in open_ones]


def _has_boleto(line: Receivable) -> bool:
    return bool(line.cobrato_charge_id or line.billet_url)


def _not_made(row: Instruction, invoice: Invoice | Reason, error: str) -> Reason:
    lines = _charged(row, invoice) if isinstance(invoice, Invoice) else []
    lacking = [each for each in lines if not _has_boleto(each)]
    words = next((each.cobrato_errors for each in lacking if each.cobrato_errors), error)
    return Reason(ReasonKind.BOLETO_NOT_MADE, {"receivable_ids": [each.id for each in lacking], "error": words})


def _not_in(state: str) -> Reason:
    return Reason(ReasonKind.NOT_IN_STATE, {"state": state})


def _changed(row: Instruction, found: dict[str, Any]) -> dict[str, list[str]]:
    """Return what of a thing is not as it was when the person asked, where both sides are known."""
    seen = row.facts["seen"]
    now = {name: str(cents(value) if isinstance(value, Decimal) else value) for name, value in found.items() if value}
    both = (name for name in now if seen.get(name) is not None)
    return {name: [str(seen[name]), now[name]] for name in both if str(seen[name]) != now[name]}


# -- recording ---------------------------------------------------------------------------------------------------------


def _end(ctx: JobContext, row: Instruction, state: InstructionState, reason: Reason, **values: Any) -> bool:
    released: dict[str, datetime | None] = {"owner": None, "lease_until": None, "doubt_until": None}
    return ctx.instructions.change(row, state, reason, at=ctx.clock(), **{**released, **values})


def _refuse(ctx: JobContext, row: Instruction, why: Shown | Reason, outcome: InstructionsOutcome) -> None:
    reason = why if isinstance(why, Reason) else Reason(ReasonKind.TAKEN)
    if not _end(ctx, row, _S.REFUSED, reason):
        return
    invoice = ctx.reconciliation.invoices([row.invoice_id]).get(row.invoice_id)
    facts: dict[str, Fact] = {
        "contract_id": row.contract_id,
        "invoice_id": row.invoice_id,
        "receivable_id": row.subject_id if row.subject == "receivable" else None,
        "instruction": row.kind,
        "person": row.person,
        "why": reason.fact,
    }
    found = Disagreement(
        kind=FindingKind.INSTRUCTION_REFUSED,
        subject="instruction",
        subject_id=row.id,
        contract_id=row.contract_id,
        billing_month=first_of_month(invoice.planned_date) if invoice is not None else None,
        facts=facts,
        amount=Decimal(row.facts["seen"]["gross_value"]),
    )
    ctx.findings.settle([found], examined={}, kinds=(), at=ctx.clock())
    outcome.refused.append(found)


def _cure_findings(ctx: JobContext) -> None:
    """Close what was said of instructions that something later has overtaken. Commits."""
    kind, cured = FindingKind.INSTRUCTION_REFUSED, []
    for _, number in ctx.findings.open_of_kind(kind):
        row = ctx.instructions.get(number)
        newest = ctx.instructions.newest(row.subject, row.subject_id) if row is not None else None
        if row is None or newest is None or newest.id != row.id or _is_as_wished(ctx, row):
            cured.append(number)
    if cured:
        ctx.findings.settle([], examined={"instruction": cured}, kinds=(kind,), at=ctx.clock())
    ctx.session.commit()


def _is_as_wished(ctx: JobContext, row: Instruction) -> bool:
    kind = InstructionKind(row.kind)
    known = ctx.reconciliation.receivables([row.invoice_id]).get(row.invoice_id, [])
    lines = [each for each in known if each.gone_at is None]
    mine = [each for each in lines if each.receivable_id == row.subject_id]
    if kind is _K.CREATE_CHARGES:
        mine = [each for each in lines if each.state in FROM[kind]]
    if kind.charges:
        return bool(mine) and all(each.boleto_url or each.state == ReceivableState.RECEIVED for each in mine)
    return kind is _K.UNDO_RECEIPT and bool(mine) and mine[0].state == REACHED[kind]
