"""Invoices read from the vendor into the ledger, some hundreds at a time: rows, history, and what disagrees.

The ledger follows the vendor, state by state, each change with its audit entry. A change of state that no
legal events explain is not followed: it is a finding, and the ledger stays where it was until a person accepts it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from ciclo.billimatic.models import Invoice
from ciclo.domain.calendar import first_of_month
from ciclo.domain.errors import IllegalTransition
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import cents
from ciclo.domain.receivables import ReceivableState, observed_events
from ciclo.domain.states import Fact, Reason, ReasonKind
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.look import wanted_invoice
from ciclo.jobs.issuing.record import invoice_row, receivable_row
from ciclo.jobs.reconciliation.compare import Owner, disagreements, is_as_terms_say
from ciclo.jobs.rules.snapshot import RuleSnapshots
from ciclo.ledger import tables
from ciclo.ledger.repositories import Change, Disagreement
from ciclo.ledger.repositories.findings import Subject
from ciclo.ledger.rows import in_parts

INVOICE_FIELDS = (
    "contract_id",
    "issue_date",
    "planned_date",
    "gross_value",
    "state",
    "description",
    "reference",
    "gone_at",
)
LINE_FIELDS = (
    "invoice_id", "due_date", "percentage", "gross_value", "state", "received_value", "received_at", "finance_errors",
    "gone_at",
)  # fmt: skip
_STATES = frozenset(ReceivableState)
DOCUMENTS = ("fatura_url", "approval_status", "nfse_wanted", "nfse_issued", "nfse_due")
"""Kept of an invoice beside `INVOICE_FIELDS`, without an entry in its history; of a receivable its boleto and its
invoice's issue date."""


@dataclass(slots=True)
class InvoicesRead:
    """What a run has seen so far."""

    invoices: set[int] = field(default_factory=set)
    """Everything that is at the vendor."""
    examined: set[int] = field(default_factory=set)
    """Those of it that the run is about."""
    unread: set[int] = field(default_factory=set)
    """Those of it that could not be read: nothing is known of them, so what was found before stands."""
    partly_unread: set[int] = field(default_factory=set)
    """Contracts of which something could not be read that no id is known of."""
    unanswered: set[int] = field(default_factory=set)
    """Those of them at whose search the vendor only failed."""
    receivables: set[int] = field(default_factory=set)
    unmatched: dict[int, Invoice] = field(default_factory=dict)
    """Invoices that belong to no period, by id."""
    disagreements: list[Disagreement] = field(default_factory=list)
    as_terms_say: set[int] = field(default_factory=set)
    """Periods billed while their terms changed, whose invoice is what the new terms call for."""
    changed: int = 0
    """Invoices and receivables of which something is different since they were last read."""


@dataclass(slots=True)
class _Chunk:
    """Rows and audit entries of some invoices, to be written together."""

    invoices: list[dict[str, Any]] = field(default_factory=list)
    receivables: list[dict[str, Any]] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    invoice_changes: list[Change] = field(default_factory=list)
    line_changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger knows of the invoices of a chunk."""

    invoices: dict[int, tables.Invoice]
    lines: dict[int, list[tables.Receivable]]
    periods: dict[int, tables.Period]
    customers: dict[int, int | None]
    """By contract."""


class Ingest:
    """Takes in what a run reads; `seen` is what it has come to."""

    def __init__(self, ctx: JobContext, *, today: date, contract_ids: Sequence[int] = ()) -> None:
        self._ctx = ctx
        self._today = today
        sold = ctx.reconciliation.sellers()
        self.contracts = sold & set(contract_ids) if contract_ids else sold
        """Those whose invoices are taken in."""
        self._accepted = {
            subject: finding
            for subject, finding in ctx.findings.open_of_kind(FindingKind.ILLEGAL_TRANSITION).items()
            if finding.acknowledged_at is not None
        }
        self._terms_changed = {number for _, number in ctx.findings.open_of_kind(FindingKind.TERMS_CHANGED)}
        self.rules = RuleSnapshots(ctx)
        self.seen = InvoicesRead()
        ctx.session.commit()

    def take(self, invoices: Iterable[Invoice]) -> None:
        """Bring invoices into the ledger as they are read; no transaction is open while the vendor is asked. Commits.

        An invoice seen before in this run, or of a contract that the organization does not sell, is passed over.
        """
        for chunk in in_parts(invoices):
            new = {invoice.id: invoice for invoice in chunk if invoice.id not in self.seen.invoices}
            mine = [invoice for invoice in new.values() if invoice.contract_id in self.contracts]
            self.seen.invoices |= set(new)
            self.seen.examined |= {invoice.id for invoice in mine}
            self._take_in(mine)
            self._ctx.session.commit()
            self._ctx.session.expunge_all()

    def _take_in(self, invoices: Sequence[Invoice]) -> None:
        now = self._ctx.clock()
        known = self._known(invoices)
        chunk = _Chunk()
        for invoice in invoices:
            self.seen.receivables |= {line.id for line in invoice.receivables}
            row = known.invoices.get(invoice.id)
            period = known.periods.get(row.period_id) if row is not None and row.period_id is not None else None
            month = first_of_month(period.issue_date if period is not None else invoice.planned_date)
            followed = self._follow(chunk, invoice, known, month, now)
            if period is None or row is None:
                self.seen.unmatched[invoice.id] = invoice
                continue
            owner = self.owner(invoice, period, known.customers.get(invoice.contract_id), adopted=row.adopted)
            if period.id in self._terms_changed and is_as_terms_say(invoice, period, self.rules[period.rule_id]):
                self.seen.as_terms_say.add(period.id)
            wrong = disagreements(invoice, owner, self._today, self._ctx.own_holidays)
            if followed:
                self.seen.disagreements += wrong
            else:  # that its state cannot be explained is said already
                self.seen.disagreements += (each for each in wrong if each.kind is not FindingKind.CANCELLED_REMOTELY)
        self._write(chunk, now)

    def _known(self, invoices: Sequence[Invoice]) -> _Known:
        ids = [invoice.id for invoice in invoices]
        rows = self._ctx.reconciliation.invoices(ids)
        periods = self._ctx.reconciliation.periods(row.period_id for row in rows.values() if row.period_id is not None)
        self.rules.load(period.rule_id for period in periods.values())
        contracts = self._ctx.contracts.some({invoice.contract_id for invoice in invoices})
        customers = {contract.contract_id: contract.customer_id for contract in contracts}
        return _Known(rows, self._ctx.reconciliation.receivables(ids), periods, customers)

    def owner(self, invoice: Invoice, period: tables.Period, customer_id: int | None, *, adopted: bool) -> Owner:
        """Return what an invoice should be by the rule of its period.

        A price that a person changed after the invoice was recorded does not count for it, unless the vendor has
        carried it into the invoice. The text of an invoice that Ciclo made is nobody else's business.
        """
        snapshot = self.rules[period.rule_id]
        expected = snapshot.invoice(period)
        if expected.gross_value != cents(invoice.gross_value):
            expected = snapshot.invoice(period, created=period.changed_at)
        wanted = wanted_invoice(snapshot, period.issue_date, customer_id, period)
        description = expected.description if adopted else ""
        parcels = len(expected.due_dates)
        wanted = replace(wanted, gross_value=expected.gross_value, description=description, parcels=parcels)
        return Owner(period, wanted, expected)

    def forget(self, invoice_id: int | None) -> None:
        """Drop what was wrong about an invoice: another one has taken its place."""
        row = self._ctx.reconciliation.receivables([invoice_id]) if invoice_id is not None else {}
        lines = {line.receivable_id for line in row.get(invoice_id or 0, [])}
        self.seen.disagreements = [
            each
            for each in self.seen.disagreements
            if (each.subject, each.subject_id) != ("invoice", invoice_id)
            and not (each.subject == "receivable" and each.subject_id in lines)
        ]

    # -- following the vendor ----------------------------------------------------------------------------------------

    def _follow(self, chunk: _Chunk, invoice: Invoice, known: _Known, month: date, now: datetime) -> bool:
        """Add to the chunk what is different about an invoice and its receivables since the last reading.

        Returns whether the ledger has the invoice's state.
        """
        row = known.invoices.get(invoice.id)
        fresh = invoice_row(self._ctx.organization_id, invoice, None, now)
        self._keep_state(fresh, ("invoice", invoice.id), row, invoice, month)
        self._note(chunk.invoice_changes, fresh, row, INVOICE_FIELDS, invoice.id)
        lines = {line.receivable_id: line for line in known.lines.get(invoice.id, [])}
        fresh_lines = []
        for part in invoice.receivables:
            line = receivable_row(self._ctx.organization_id, invoice, part, now)
            self._keep_state(line, ("receivable", part.id), lines.get(part.id), invoice, month)
            self._note(chunk.line_changes, line, lines.get(part.id), LINE_FIELDS, part.id)
            fresh_lines.append(line)
        there = {part.id for part in invoice.receivables}
        removed = [line for line in lines.values() if line.gone_at is None and line.receivable_id not in there]
        for line_row in removed:
            line_row.gone_at = now
            chunk.line_changes.append(
                Change(line_row.receivable_id, line_row.state, "deleted", Reason(ReasonKind.SEEN_GONE))
            )
        if _differs(fresh, row, (*INVOICE_FIELDS, *DOCUMENTS)):
            chunk.invoices.append(fresh)
        changed = [line for line in fresh_lines if _differs(line, lines.get(line["receivable_id"]), LINE_FIELDS)]
        kept = (*LINE_FIELDS, "boleto_url", "issue_date")
        chunk.receivables += [line for line in fresh_lines if _differs(line, lines.get(line["receivable_id"]), kept)]
        chunk.read.append(invoice.id)
        self.seen.changed += len(changed) + len(removed) + _differs(fresh, row, INVOICE_FIELDS)
        return bool(fresh["state"] == invoice.state)

    def _keep_state(
        self,
        fresh: dict[str, Any],
        subject: Subject,
        row: tables.Invoice | tables.Receivable | None,
        invoice: Invoice,
        month: date,
    ) -> None:
        """Keep the ledger's state in a fresh row where nothing explains the vendor's, and note the finding.

        A word that is none of the API's is explained by nothing, also when it is all that was ever seen.
        """
        found = fresh["state"]
        was = row.state if row is not None else found
        unknown = found not in _STATES
        if not unknown and (was == found or was not in _STATES):
            return  # from a word that nobody knows anything may follow
        finding = self._accepted.get(subject)
        accepted = finding is not None and finding.found == found
        if accepted and not unknown:
            return
        try:
            observed_events(ReceivableState(was), ReceivableState(found))
        except (IllegalTransition, ValueError):
            before = was if was != found else ReceivableState.TO_EMIT.value
            self.seen.disagreements.append(_illegal(*subject, before, found, invoice, month))
            if not accepted:
                fresh["state"] = was

    def _note(
        self,
        changes: list[Change],
        fresh: dict[str, Any],
        row: tables.Invoice | tables.Receivable | None,
        fields: Sequence[str],
        subject_id: int,
    ) -> None:
        """Note what changed, for the audit trail; an invoice seen for the first time is a change too."""
        if row is None:
            changes.append(Change(subject_id, None, fresh["state"], Reason(ReasonKind.SEEN_FIRST)))
        elif row.state != fresh["state"]:
            changes.append(Change(subject_id, row.state, fresh["state"], self._why(fresh, row, subject_id)))
        elif _differs(fresh, row, fields):
            changes.append(Change(subject_id, row.state, fresh["state"], _difference(fresh, row, fields)))

    def _why(self, fresh: dict[str, Any], row: tables.Invoice | tables.Receivable, subject_id: int) -> Reason:
        subject = "invoice" if isinstance(row, tables.Invoice) else "receivable"
        finding = self._accepted.get((subject, subject_id))
        if finding is not None and finding.found == fresh["state"]:
            return Reason(ReasonKind.STATE_ACCEPTED, {"person": finding.acknowledged_by, "note": finding.note})
        if row.state not in _STATES:
            return Reason(ReasonKind.SEEN_CHANGED, {"changes": {"state": [row.state, fresh["state"]]}})
        events = observed_events(ReceivableState(row.state), ReceivableState(fresh["state"]))
        facts: dict[str, Fact] = {"events": [event.value for event in events]}
        if (
            subject == "receivable"
            and fresh["state"] == ReceivableState.RECEIVED
            and fresh["received_value"] is not None
        ):
            facts["paid"] = {"amount": str(fresh["received_value"]), "day": str(fresh["received_at"])}
        return Reason(ReasonKind.SEEN_EVENTS, facts)

    def _write(self, chunk: _Chunk, now: datetime) -> None:
        self._ctx.session.flush()
        self._ctx.invoices.store(chunk.invoices, chunk.receivables)
        self._ctx.reconciliation.touch(chunk.read, now)
        self._ctx.audit.record("invoice", chunk.invoice_changes, now)
        self._ctx.audit.record("receivable", chunk.line_changes, now)


def _differs(fresh: dict[str, Any], row: object | None, fields: Sequence[str]) -> bool:
    return row is None or any(fresh[name] != getattr(row, name) for name in fields)


def _difference(fresh: dict[str, Any], row: object, fields: Sequence[str]) -> Reason:
    changed = [name for name in fields if fresh[name] != getattr(row, name)]
    if changed == ["gone_at"]:
        return Reason(ReasonKind.SEEN_BACK)
    values = {name: [str(getattr(row, name)), str(fresh[name])] for name in changed}
    return Reason(ReasonKind.SEEN_CHANGED, {"changes": values})


def _illegal(subject: str, subject_id: int, known: str, found: str, invoice: Invoice, month: date) -> Disagreement:
    return Disagreement(
        kind=FindingKind.ILLEGAL_TRANSITION,
        subject=subject,
        subject_id=subject_id,
        contract_id=invoice.contract_id,
        billing_month=month,
        facts={
            "contract_id": invoice.contract_id,
            "invoice_id": invoice.id,
            "receivable_id": subject_id if subject == "receivable" else None,
            "was": known,
            "found": found,
        },
        expected=known,
        found=found,
        amount=cents(invoice.gross_value),
    )
