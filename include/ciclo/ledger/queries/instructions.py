"""An invoice with its receivables as a person sees them who lets Ciclo tell the vendor something about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from ciclo.domain.instructions import APPROVAL, FROM, UNDER_WAY, InstructionKind
from ciclo.ledger.queries.periods import ReceivableSeen, receivables_of
from ciclo.ledger.repositories import Actor, InstructionRepository
from ciclo.ledger.tables import Contract, Instruction, Invoice


@dataclass(frozen=True, slots=True)
class InvoiceToInstruct:
    """An invoice, its receivables, and what was asked for about them, newest first. BRL."""

    invoice_id: int
    contract_id: int
    contract_name: str | None
    state: str
    gross_value: Decimal
    issue_date: date
    period_id: int | None
    gone_at: datetime | None
    approval_status: str | None
    """`approved` or `blocked`; None where the vendor has not said."""
    receivables: tuple[ReceivableSeen, ...]
    instructions: Sequence[Instruction]

    @property
    def pending(self) -> bool:
        """Whether something waits for a run."""
        return any(each.state in UNDER_WAY for each in self.instructions)

    def kinds(self) -> list[InstructionKind]:
        """Return what can be asked for about the invoice now."""
        wanted = [kind for kind in InstructionKind if kind.subject == "invoice"]
        lines = [each for each in self.receivables if each.state in FROM[InstructionKind.CREATE_CHARGES]]
        if not lines or any(each.boleto_url for each in lines):
            wanted.remove(InstructionKind.CREATE_CHARGES)
        wanted = [kind for kind in wanted if kind not in APPROVAL or APPROVAL[kind] != self.approval_status]
        return self._possible(wanted, self.state, "invoice", self.invoice_id)

    def kinds_of(self, line: ReceivableSeen) -> list[InstructionKind]:
        """Return what can be asked for about one of its receivables now."""
        wanted = [kind for kind in InstructionKind if kind.subject == "receivable"]
        if line.boleto_url or len(self.receivables) == 1:  # of a single one, the invoice's boletos are asked for
            wanted.remove(InstructionKind.CREATE_CHARGE)
        return self._possible(wanted, line.state, "receivable", line.receivable_id)

    def _possible(
        self, kinds: Sequence[InstructionKind], state: str, subject: str, subject_id: int
    ) -> list[InstructionKind]:
        mine = [each for each in self.instructions if each.state in UNDER_WAY]
        if self.gone_at is not None or any((each.subject, each.subject_id) == (subject, subject_id) for each in mine):
            return []
        return [kind for kind in kinds if state in FROM[kind]]


def invoice_to_instruct(session: Session, organization_id: int, invoice_id: int) -> InvoiceToInstruct | None:
    """Return an invoice with all that can be asked for about it, in three statements; None if there is no such one."""
    columns = (
        Invoice.invoice_id,
        Invoice.contract_id,
        Contract.name,
        Invoice.state,
        Invoice.gross_value,
        Invoice.issue_date,
        Invoice.period_id,
        Invoice.gone_at,
        Invoice.approval_status,
    )
    same = and_(Contract.organization_id == Invoice.organization_id, Contract.contract_id == Invoice.contract_id)
    mine = Invoice.organization_id == organization_id, Invoice.invoice_id == invoice_id
    found = session.execute(select(*columns).outerjoin(Contract, same).where(*mine)).one_or_none()
    if found is None:
        return None
    lines = receivables_of(session, organization_id, invoice_id)
    asked = InstructionRepository(session, organization_id, Actor()).of_invoice(invoice_id)
    return InvoiceToInstruct(*found, lines, asked)
