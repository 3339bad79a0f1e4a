"""No page says anything that the catalogues do not know."""

import re
from typing import Any

from babel.dates import get_month_names
from fastapi.testclient import TestClient
from sqlalchemy import MetaData, select

from ciclo.domain.price_index import PriceIndex
from ciclo.ledger.database import open_engine
from console.conftest import console
from console.views import VIEWS
from untranslated import WORD, plain_texts, wide_letters

NAMES = {
    "Ciclo", "Fintera", "English", "BRL", "NFS", "CSV", "Dag", "Dags", "Lei", "art", "SHA", "UTC", "Airflow", "min",
    "Esc",
    "FGV", "IBGE", "SGS", "mil",
    *PriceIndex, *(word for index in PriceIndex for word in WORD.findall(index.label)),
    *(word for width in ("wide", "abbreviated") for month in get_month_names(width, locale="pt_BR").values()
      for word in WORD.findall(month)), "de",
}  # fmt: skip
"""What no language changes."""
DATA = {
    "name", "description", "note", "person", "run_id", "dag_id", "task_id", "acknowledged_by", "approved_by",
    "armed_by", "customer_name", "reference", "contract", "finance_errors", "title", "left_out", "message",
    "law", "text", "error", "hash", "proposal_hash",
}  # fmt: skip
"""Columns and facts that hold what people and other machines wrote."""

_HASH = re.compile(r"\b[0-9a-f]{64}\b")


def test_no_page_says_anything_that_is_not_in_the_catalogue(small_year, tmp_path, monkeypatch):
    known = NAMES | _data(small_year)
    found: dict[str, list[str]] = {}
    headers = {"x-user": "operator", "cookie": "ciclo_language=pt_BR"}
    with wide_letters(tmp_path, monkeypatch), TestClient(console(small_year), headers=headers) as client:
        for view in VIEWS:
            page = client.get(view)
            assert page.status_code in (200, 404), view
            if left := plain_texts(_HASH.sub("", page.text), known | set(WORD.findall(view))):
                found[view] = left
    assert found == {}


def _data(url: str) -> set[str]:
    """Return the words that people and other machines wrote into the ledger."""
    engine = open_engine(url)
    tables = MetaData()
    tables.reflect(engine)
    words: set[str] = set()
    with engine.connect() as connection:
        for table in tables.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                for name, value in row.items():
                    words |= _words(name, value)
    engine.dispose()
    return words


def _words(name: str, value: Any) -> set[str]:
    if isinstance(value, dict):
        return {word for key, each in value.items() for word in _words(key, each)}
    if isinstance(value, list):
        return {word for each in value for word in _words(name, each)}
    return set(WORD.findall(value)) if name in DATA and isinstance(value, str) else set()
