"""What a person decides about: a batch of proposals to approve, the figures of one that breaks continuity.

What was approved is what is applied. The approval of a batch holds for the proposals with exactly the
hashes that were shown; applying computes each anew and refuses one that differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from ciclo.domain.continuity import Basis, months_from
from ciclo.domain.money import brl, number
from ciclo.domain.price_index import index_label
from ciclo.domain.states import ExecutionState, Fact, Reason, ReasonKind
from ciclo.domain.wording import plain_words
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.propose import Proposal, batch_hash
from ciclo.jobs.price_updates.updated_rule import Prices, written
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Payload, PriceUpdateExecution
from ciclo.locale import N_, _

HEADINGS = (
    *(N_("Contract"), N_("Rule"), N_("Service"), N_("On"), N_("Index"), N_("Months"), N_("Factor"), N_("Old price")),
    *(N_("New price"), N_("Note")),
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Proposals that a person is asked about together."""

    execution_ids: tuple[int, ...]
    hash: str

    def __bool__(self) -> bool:
        return bool(self.execution_ids)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer did, by number."""

    approved: int = 0
    rejected: int = 0
    refused: int = 0


def batch_of(ctx: JobContext, scope: Scope) -> Batch:
    """Return the scope's proposals that nobody has decided about."""
    rows = [row for row in ctx.executions.in_state(ExecutionState.PROPOSED, scope=scope) if row.approved_at is None]
    return Batch(tuple(row.id for row in rows), _hash(rows))


def batch_table(ctx: JobContext, batch: Batch) -> str:
    """Return the proposals as a Markdown table, a line a price."""
    rows = ctx.executions.some(batch.execution_ids)
    names = ctx.contracts.names()
    lines = [line for row in rows for line in _lines(row, names.get(row.contract_id, ""))]
    head = ["| " + " | ".join(map(_, HEADINGS)) + " |", "|" + "---|" * len(HEADINGS)]
    return "\n".join([*head, *lines, "", _("Hash of these proposals: {hash}").format(hash=f"`{batch.hash}`")])


def _lines(row: PriceUpdateExecution, name: str) -> list[str]:
    evidence = row.evidence or {}
    used = [entry["month"] for entry in evidence.get("months", ())]
    lines = []
    for price in evidence.get("prices", ()):
        months, factor = price.get("months", used), price.get("factor", row.factor)  # a price's own, where they differ
        line = (
            f"{row.contract_id} {name}",
            str(row.rule_id),
            str(price["service_id"] or _("whole rule")),
            plain_words(row.execution_date),
            index_label(price.get("index", row.price_index)),
            _("{first} to {last}").format(first=plain_words(months[0]), last=plain_words(months[-1])) if months else "",
            number(Decimal(factor)) if factor is not None else "",
            brl(Decimal(price["old"])),
            brl(Decimal(price["new"])),
            "; ".join(map(plain_words, evidence.get("warnings", ()))),
        )
        lines.append("| " + " | ".join(map(_cell, line)) + " |")
    return lines


def _cell(text: str) -> str:
    """Keep a customer's name from being read as Markdown or HTML."""
    flat = " ".join(text.split())
    escaped = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for sign in "\\|`*_[]!":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped


def answer_batch(ctx: JobContext, batch: Batch, *, approved: bool, person: str, at: datetime) -> Verdict:
    """Record a person's answer about the proposals that were shown. Commits.

    Approved, and still what was shown: each carries the approval and will be applied. Changed since: each that is still
    a proposal goes back to `planned` and has to be proposed again. Rejected: each is parked for a person.
    """
    rows = ctx.executions.some(batch.execution_ids)
    open_rows = [row for row in rows if row.state == ExecutionState.PROPOSED and row.approved_at is None]
    if not approved:
        reason = Reason(ReasonKind.REJECTED, {"person": person})
        rejected = sum(ctx.executions.change(r, ExecutionState.PARKED, reason=reason, at=at) for r in open_rows)
        ctx.session.commit()
        return Verdict(rejected=rejected)
    if len(open_rows) != len(batch.execution_ids) or _hash(open_rows) != batch.hash:
        reason = Reason(ReasonKind.APPROVAL_REFUSED, {"person": person})
        refused = sum(ctx.executions.change(r, ExecutionState.PLANNED, reason=reason, at=at) for r in open_rows)
        ctx.session.commit()
        return Verdict(refused=refused)
    for row in open_rows:
        ctx.executions.approve(row, person=person, at=at)
    ctx.session.commit()
    return Verdict(approved=len(open_rows))


def _hash(rows: Sequence[PriceUpdateExecution]) -> str:
    return batch_hash([f"{row.id}:{row.proposal_hash}" for row in rows])


@dataclass(frozen=True, slots=True)
class Decision:
    """The figure that a person chose, with the prices that were shown."""

    basis: Basis
    months: tuple[date, ...]
    """The months of a window that the person gave."""
    prices: Prices
    document: Payload
    """As it stands in the evidence, with the person's name and note."""


def decision_of(execution: PriceUpdateExecution) -> Decision | None:
    """Return what a person chose for an execution that is not carried out yet; None if nobody did."""
    document = (execution.evidence or {}).get("decision")
    if document is None or execution.approved_at is None:
        return None
    ends = [date.fromisoformat(f"{month}-01") for month in document.get("months", ())]
    return Decision(
        basis=Basis(document["basis"]),
        months=months_from(ends[0], ends[-1]) if ends else (),
        prices={int(key): Decimal(value) for key, value in document["prices"].items()},
        document=document,
    )


def question(
    letter: Proposal, other: Proposal | None, vendor: Mapping[int, Decimal], offered_first: Basis
) -> tuple[dict[str, Fact], Payload]:
    """Return what a person is asked about an execution: the facts of the reason, and the evidence with the figures.

    Args:
        letter: by the letter of the rule, with the contract's terms.
        other: by continuity, where that is another figure.
        vendor: the prices that the vendor has made by itself, if it has.
        offered_first: the figure that a plain "apply" means.
    """
    figures = [figure for figure in (letter, other) if figure is not None]
    facts: dict[str, Fact] = {
        "breaks": [each.value for each in letter.breaks],
        "old": [str(change.old_unit_value) for change in letter.changes],
    }
    for figure in figures:
        windows = [line.evidence()["months"] for line in figure.lines]
        months = [" to ".join(window) if window else "-" for window in windows]
        facts[figure.basis.value] = [str(change.new_unit_value) for change in figure.changes]
        facts[f"{figure.basis.value}_months"] = list(dict.fromkeys(months))
    shown = [figure.figure() for figure in figures]
    if vendor:
        facts["vendor"] = [str(value) for value in vendor.values()]
        old = {change.service: change.old_unit_value for change in letter.changes}
        prices = [
            {"service_id": key, "old": written(old.get(key, value)), "new": written(value)}
            for key, value in vendor.items()
        ]
        shown.append({"basis": Basis.VENDOR.value, "hash": letter.hash, "prices": prices})
    evidence = letter.evidence() | {
        "breaks": [each.value for each in letter.breaks],
        "figures": shown,
        "offered_first": offered_first.value,
    }
    return facts, evidence
