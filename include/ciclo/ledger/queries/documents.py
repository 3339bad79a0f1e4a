"""The documents of invoices at the vendor, for a page's rows at once: invoice as PDF, tax document, boletos."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import literal, select, union_all
from sqlalchemy.orm import Session

from ciclo.ledger.tables import Invoice, Nfse, Receivable


class DocumentKind(StrEnum):
    """What a document is, in the order in which they are shown."""

    FATURA = "fatura"
    NFSE = "nfse"
    BOLETO = "boleto"


@dataclass(frozen=True, slots=True)
class Document:
    """A document of an invoice, and its address as the vendor gave it."""

    kind: DocumentKind
    url: str


def documents_of(
    session: Session, organization_id: int, invoice_ids: Iterable[int | None]
) -> Mapping[int, tuple[Document, ...]]:
    """Return the documents of each invoice that has one, in one statement."""
    wanted = sorted({each for each in invoice_ids if each is not None})
    faturas = select(
        Invoice.invoice_id,
        literal(DocumentKind.FATURA.value).label("kind"),
        Invoice.invoice_id.label("number"),
        Invoice.fatura_url.label("url"),
    )
    nfses = select(Nfse.invoice_id, literal(DocumentKind.NFSE.value), Nfse.nfse_id, Nfse.pdf_url)
    boletos = select(
        Receivable.invoice_id, literal(DocumentKind.BOLETO.value), Receivable.receivable_id, Receivable.boleto_url
    )
    every = union_all(
        faturas.where(
            Invoice.organization_id == organization_id,
            Invoice.invoice_id.in_(wanted),
            Invoice.fatura_url.is_not(None),
        ),
        nfses.where(
            Nfse.organization_id == organization_id,
            Nfse.invoice_id.in_(wanted),
            Nfse.state == "issued",
            Nfse.pdf_url.is_not(None),
        ),
        boletos.where(
            Receivable.organization_id == organization_id,
            Receivable.invoice_id.in_(wanted),
            Receivable.gone_at.is_(None),
            Receivable.boleto_url.is_not(None),
        ),
    )
    order = list(DocumentKind)
    rows = sorted(session.execute(every), key=lambda row: (order.index(DocumentKind(row.kind)), row.number))
    found: dict[int, tuple[Document, ...]] = {}
    for row in rows:
        found[row.invoice_id] = (*found.get(row.invoice_id, ()), Document(DocumentKind(row.kind), row.url or ""))
    return found
