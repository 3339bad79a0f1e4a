"""Tax documents for reading: what a month's invoices have, and which invoices are in a state of it."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.tables import Finding, Nfse, Period


class NfseFilter(StrEnum):
    """Which invoices, by their tax documents: those with an issued one, or with an open finding about it."""

    ISSUED = "issued"
    MISSING = "missing"
    REFUSED = "refused"
    CANCELLED = "cancelled"

    @property
    def finding(self) -> FindingKind | None:
        """The finding that says so; None where nothing is wrong."""
        return None if self is NfseFilter.ISSUED else FindingKind(f"nfse_{self.value}")


@dataclass(frozen=True, slots=True)
class NfseSeen:
    """A tax document as last seen at the vendor."""

    nfse_id: int
    number: str | None
    state: str
    status: str | None
    errors: str | None
    pdf_url: str | None
    xml_url: str | None


def nfses_of(session: Session, organization_id: int, invoice_id: int | None) -> tuple[NfseSeen, ...]:
    """Return the tax documents of an invoice, newest first."""
    if invoice_id is None:
        return ()
    columns = Nfse.nfse_id, Nfse.number, Nfse.state, Nfse.status, Nfse.errors, Nfse.pdf_url, Nfse.xml_url
    mine = Nfse.organization_id == organization_id, Nfse.invoice_id == invoice_id
    return tuple(NfseSeen(*row) for row in session.execute(select(*columns).where(*mine).order_by(Nfse.nfse_id.desc())))


def nfse_counts(session: Session, organization_id: int, month: DateRange) -> dict[NfseFilter, int]:
    """Count a month's periods by the tax documents of their invoices, in two statements; what is nothing is not there.

    These are the periods that a list of the month's shows for each.
    """
    of_month = (
        Period.organization_id == organization_id,
        Period.issue_date >= month.start,
        Period.issue_date < month.end,
    )
    issued = (
        select(func.count(Period.id.distinct()))
        .join(Nfse, and_(Nfse.organization_id == Period.organization_id, Nfse.invoice_id == Period.invoice_id))
        .where(*of_month, Nfse.state == NfseFilter.ISSUED.value)
    )
    of_invoice = and_(Finding.organization_id == Period.organization_id, Finding.subject_id == Period.invoice_id)
    kinds = {each.finding.value: each for each in NfseFilter if each.finding is not None}
    wrong = (
        select(Finding.kind, func.count(Period.id.distinct()))
        .join(Period, of_invoice)
        .where(*of_month, Finding.kind.in_(kinds), Finding.subject == "invoice", Finding.closed_at.is_(None))
        .group_by(Finding.kind)
    )
    found = {NfseFilter.ISSUED: session.scalar(issued) or 0}
    found |= {kinds[kind]: count for kind, count in session.execute(wrong)}
    return {each: found[each] for each in NfseFilter if found.get(each)}


def invoices_with_nfse(organization_id: int, wanted: NfseFilter) -> Select[int]:
    """Select the invoices that have their tax document in a state."""
    if wanted.finding is None:
        return select(Nfse.invoice_id).where(Nfse.organization_id == organization_id, Nfse.state == wanted.value)
    return select(Finding.subject_id).where(
        Finding.organization_id == organization_id,
        Finding.kind == wanted.finding.value,
        Finding.subject == "invoice",
        Finding.closed_at.is_(None),
    )
