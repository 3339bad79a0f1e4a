"""Tax documents and the other documents of an invoice in the console: counted, found by their state, one click away."""

from datetime import date

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, update

from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Invoice, Nfse, Period, Receivable
from console.conftest import console
from console.factories import NOW, ORGANIZATION, Rows, a_finding

PDF = "https://faturamento.fintera.com.br/docs/abc/nfse-01.pdf"


@pytest.fixture
def taxed(own_year):
    """Give an invoice of a period a document, and another one a finding; return the client and both periods."""
    engine = open_engine(own_year)
    with engine.begin() as connection:
        periods = connection.execute(
            Period.__table__.select().where(Period.invoice_id.is_not(None)).order_by(Period.issue_date).limit(2)
        ).all()
        issued, refused = periods
        document = {
            "organization_id": ORGANIZATION, "nfse_id": 1, "invoice_id": issued.invoice_id, "number": "3200",
            "state": "issued", "status": "Emitida", "pdf_url": PDF, "xml_url": "javascript:alert(1)", "seen_at": NOW,
        }  # fmt: skip
        connection.execute(insert(Nfse), [document])
        fatura = "https://faturamento.fintera.com.br/docs/abc/fatura.pdf"
        connection.execute(update(Invoice).where(Invoice.invoice_id == issued.invoice_id).values(fatura_url=fatura))
        boleto = "https://boleto.example.com/1"
        lines = update(Receivable).where(Receivable.invoice_id == issued.invoice_id)
        connection.execute(lines.values(boleto_url=boleto, state="to_receive"))
    rows = Rows()
    a_finding(
        rows, 900, kind="nfse_refused", subject_id=refused.invoice_id,
        billing_month=refused.issue_date.replace(day=1), facts={"invoice_id": refused.invoice_id, "error": "E160"},
    )  # fmt: skip
    rows.write(engine)
    engine.dispose()
    with TestClient(console(own_year), headers={"x-user": "operator"}) as client:
        yield client, issued, refused


def test_a_periods_page_leads_to_its_documents_and_to_no_script(taxed):
    client, issued, _ = taxed
    page = client.get(f"/periods/{issued.id}").text
    assert f'href="{PDF}"' in page
    assert "NFS-e 3200" in page
    assert "Emitida" in page
    assert 'href="https://faturamento.fintera.com.br/docs/abc/fatura.pdf"' in page
    assert 'href="https://boleto.example.com/1"' in page
    assert "javascript:alert" not in page


def test_the_table_of_receivables_leads_to_the_boleto(taxed):
    client, issued, _ = taxed
    page = client.get(f"/receivables?state=to_receive&contract={issued.contract_id}&sort=due_date&size=200").text
    assert 'href="https://boleto.example.com/1"' in page


def test_a_month_counts_its_documents_and_each_count_opens_its_periods(taxed):
    client, issued, refused = taxed
    for period, state, words in ((issued, "issued", "NFS-e issued"), (refused, "refused", "NFS-e refused")):
        month = f"{date.fromisoformat(str(period.issue_date)):%Y-%m}"
        page = client.get(f"/?month={month}").text
        assert f"{words}: 1" in page
        listed = client.get(f"/periods/list?month={month}&nfse={state}").text
        assert f"/periods/{period.id}" in listed
        assert "1 period" in listed
