"""Documents of invoices, and their pages at the vendor, one click away from wherever the console lists them."""

import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from ciclo.console import create_app
from ciclo.console.vendor_page import VendorPage, VendorPageError, vendor_page
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import Invoice, Nfse, Receivable
from console.conftest import can_act, current_user
from console.factories import NOW, ORGANIZATION, Rows, a_finding

FATURA, NFSE, BOLETO = (f"https://files.example/{name}.pdf" for name in ("fatura", "nfse", "boleto"))
ADDRESS = "https://vendor.example/c/{contract}/i/{invoice}?tab=1&from=<ciclo>"


def console(url: str, template: str | None) -> TestClient:
    app = create_app(
        current_user=current_user, can_act=can_act, ledger_url=url, clock=lambda: NOW, vendor_page=template
    )
    return TestClient(app, headers={"x-user": "operator"})


@pytest.fixture
def invoice(own_year: str) -> Invoice:
    """An invoice of a period with every document, and a finding about it."""
    engine = open_engine(own_year)
    with Session(engine, expire_on_commit=False) as session:
        one = session.scalars(
            select(Invoice).where(Invoice.period_id.is_not(None)).order_by(Invoice.invoice_id)
        ).first()
        mine = {"organization_id": ORGANIZATION, "invoice_id": one.invoice_id}
        document = {"state": "issued", "number": "3200", "status": "Emitida", "pdf_url": NFSE, "seen_at": NOW}
        refused = {"state": "refused", "number": None, "status": "Erro", "pdf_url": f"{NFSE}?refused", "seen_at": NOW}
        session.execute(insert(Nfse), [mine | {"nfse_id": 1} | document, mine | {"nfse_id": 2} | refused])
        session.execute(update(Invoice).where(Invoice.invoice_id == one.invoice_id).values(fatura_url=FATURA))
        lines = update(Receivable).where(Receivable.invoice_id == one.invoice_id)
        session.execute(lines.values(boleto_url=BOLETO, state="to_receive"))
        session.commit()
    rows = Rows()
    a_finding(rows, 900, subject="invoice", subject_id=one.invoice_id, contract_id=one.contract_id)
    rows.write(engine)
    engine.dispose()
    return one


def tables(one: Invoice) -> dict[str, set[str]]:
    """Where an invoice is listed, and which of its documents are to stand there."""
    every = {FATURA, NFSE, BOLETO}
    return {
        f"/periods/list?contract={one.contract_id}&size=200": every,
        f"/contracts/{one.contract_id}?size=200": every,
        f"/receivables?state=to_receive&contract={one.contract_id}&size=200": every,
        f"/search?q={one.invoice_id}": every,
        "/attention?show=findings&size=200": every,
        "/findings/900": every,
        f"/periods/{one.period_id}": every,
        f"/invoices/{one.invoice_id}/instructions": every,
        f"/invoices/{one.invoice_id}/why": set(),  # the sentence alone, where there is none before
    }


def links(page: str) -> dict[str, str]:
    """The links that leave the console: address as it is written, and their tags."""
    return {found[1]: found[0] for found in re.findall(r'(<a href="(https?://[^"]*)"[^>]*>)', page)}


def test_every_table_that_lists_invoices_leads_to_their_documents_and_their_pages_at_the_vendor(own_year, invoice):
    here = f"https://vendor.example/c/{invoice.contract_id}/i/{invoice.invoice_id}?tab=1&amp;from=&lt;ciclo&gt;"
    with console(own_year, ADDRESS) as client:
        for path, documents in tables(invoice).items():
            found = links(client.get(path).text)
            assert documents <= found.keys(), path
            assert f"{NFSE}?refused" not in found or path.startswith("/periods/"), path
            if documents:
                assert here in found, path
            assert all('target="_blank" rel="noopener noreferrer"' in tag for tag in found.values()), path


def test_an_invoice_beside_the_one_before_it_leads_to_both(own_year, invoice):
    with console(own_year, "http://vendor.example/{invoice}") as client:
        found = links(client.get("/invoices/80009/why").text)
    assert "http://vendor.example/80009" in found
    assert len([address for address in found if address.startswith("http://vendor.example/")]) == 2


def test_without_the_setting_no_page_of_the_vendor_is_linked_to(own_year, invoice):
    for setting in (None, "", "  "):
        with console(own_year, setting) as client:
            for path, documents in tables(invoice).items():
                page = client.get(path).text
                assert "At the vendor</a>" not in page, path
                assert documents <= links(page).keys(), path


def test_the_link_is_in_the_readers_language(own_year, invoice):
    with console(own_year, ADDRESS) as client:
        headers = {"cookie": "ciclo_language=pt_BR"}
        page = client.get(f"/periods/list?contract={invoice.contract_id}", headers=headers).text
    assert ">Na Fintera</a>" in page


def test_an_invoice_whose_contract_is_not_known_has_a_page_only_if_its_address_needs_none():
    assert VendorPage("https://vendor.example/{contract}/{invoice}").of(None, 7) is None
    assert VendorPage("https://vendor.example/{invoice}").of(None, 7) == "https://vendor.example/7"


@pytest.mark.parametrize(
    "template",
    [
        "javascript:alert({invoice})",
        "JavaScript://x/%0aalert({invoice})",
        "data:text/html,{invoice}",
        "//vendor.example/{invoice}",
        "/invoices/{invoice}",
        "ftp://vendor.example/{invoice}",
        "https:///{invoice}",
        "https://",
        "https://vendor.example/invoices",
        "https://vendor.example/{invoice_id}",
        "https://vendor.example/{invoice}/{organization}",
        "https://vendor.example/{invoice.__class__}/{invoice}",
        "https://vendor.example/{{invoice}}",
        "https://{invoice}.example/",
        "https://ana:s3cret@vendor.example/{invoice}",
        "https://vendor.example:port/{invoice}",
        "https://[vendor/{invoice}",
        "https://vendor.example/{invoice}\nx",
        "https://vendor.example/a b/{invoice}",
    ],
)
def test_what_is_no_address_of_an_invoices_page_is_refused_by_the_settings_name(template, caplog):
    with pytest.raises(VendorPageError, match=r"CICLO_VENDOR_PAGE is refused: .+ or leave it empty") as refused:
        vendor_page(template)
    assert "s3cret" not in str(refused.value)
    create_app(current_user=current_user, can_act=can_act, ledger_url="sqlite://", vendor_page=template)
    assert "CICLO_VENDOR_PAGE is refused" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_refused_address_costs_its_links_alone_and_is_said_to_whoever_may_act(own_year, invoice):
    with console(own_year, "https://ana:s3cret@vendor.example/{invoice}") as client:
        for path, documents in tables(invoice).items():
            page = client.get(path)
            assert page.status_code == 200
            assert "At the vendor</a>" not in page.text
            assert "CICLO_VENDOR_PAGE is refused: it holds a user&#39;s name or password." in page.text
            assert "s3cret" not in page.text
            assert documents <= links(page.text).keys(), path
        spoken = client.get("/", headers={"cookie": "ciclo_language=pt_BR"}).text
        assert "CICLO_VENDOR_PAGE foi recusado: " in spoken
        assert "CICLO_VENDOR_PAGE" not in client.get("/", headers={"x-user": "viewer"}).text
