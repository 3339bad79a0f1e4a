"""What an audit has read, in a SQLite file: it keeps memory small, and an audit that was stopped goes on from it.

The file holds customers' data, trimmed to what is judged; it is its owner's alone. One file is one account, one range
and one day: what was read on another day is not mixed with what is read today.
"""

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ciclo.billimatic.models import Contract, Invoice, InvoiceRule, Nfse, OddRecord
from ciclo.jobs.audit.findings import ALIVE_AND_BILLED
from ciclo.locale import _

_TABLES = """
CREATE TABLE IF NOT EXISTS audited (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS steps (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS contracts (id INTEGER PRIMARY KEY, listed INTEGER NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rules (contract_id INTEGER PRIMARY KEY, documents TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS invoices (
    id INTEGER PRIMARY KEY, contract_id INTEGER NOT NULL, wants_nfse INTEGER NOT NULL, document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS invoices_of_contract ON invoices (contract_id);
CREATE TABLE IF NOT EXISTS nfses (id INTEGER PRIMARY KEY, invoice_id INTEGER, document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS nfses_of_invoice ON nfses (invoice_id);
CREATE TABLE IF NOT EXISTS odd (
    resource TEXT NOT NULL, id INTEGER, contract_id INTEGER, problem TEXT NOT NULL, document TEXT NOT NULL,
    UNIQUE (resource, id, contract_id, document));
"""

_NOT_JUDGED = frozenset({"attachments", "payment_information", "nfe_body", "payload", "fatura_url", "nfse_url"})
"""Of an invoice, what no finding needs."""


class OtherAuditError(Exception):
    """The cache file is that of another account, range or day."""

    def __init__(self, path: Path, was: Mapping[str, str]) -> None:
        about = ", ".join(f"{name} {value}" for name, value in was.items())
        text = _("{path} was read for {about}: delete it, or name another file")
        super().__init__(text.format(path=path, about=about))


class AuditStore:
    """What was read of one account."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def done(self, step: str) -> bool:
        """Whether a step of the reading is complete."""
        return self._connection.execute("SELECT 1 FROM steps WHERE name = ?", (step,)).fetchone() is not None

    def finish(self, step: str) -> None:
        """Keep what a step has read, and that it is complete."""
        self._connection.execute("INSERT OR IGNORE INTO steps VALUES (?)", (step,))
        self._connection.commit()

    def add_contracts(self, contracts: Iterable[Contract], *, listed: bool) -> None:
        """Keep contracts; `listed` are those of the list of active ones."""
        rows = [(each.id, int(listed), _written(each.payload)) for each in contracts]
        self._connection.executemany("INSERT OR REPLACE INTO contracts VALUES (?, ?, ?)", rows)

    def add_rules(self, contract_id: int, rules: Iterable[InvoiceRule]) -> None:
        """Keep the rules of a contract."""
        documents = _written([each.payload for each in rules])
        self._connection.execute("INSERT OR REPLACE INTO rules VALUES (?, ?)", (contract_id, documents))

    def add_invoices(self, invoices: Iterable[Invoice]) -> int:
        """Keep invoices; return how many."""
        rows = [
            (
                each.id,
                each.contract_id,
                int(bool(each.issue_nfse) and not each.nfe_issued and each.state in ALIVE_AND_BILLED),
                _written({name: value for name, value in each.payload.items() if name not in _NOT_JUDGED}),
            )
            for each in invoices
        ]
        self._connection.executemany("INSERT OR REPLACE INTO invoices VALUES (?, ?, ?, ?)", rows)
        return len(rows)

    def add_nfses(self, nfses: Iterable[Nfse]) -> None:
        """Keep tax documents."""
        rows = [(each.id, each.invoice_id, _written(each.payload)) for each in nfses]
        self._connection.executemany("INSERT OR REPLACE INTO nfses VALUES (?, ?, ?)", rows)

    def add_odd(self, records: Iterable[OddRecord], contract_id: int | None = None) -> None:
        """Keep records that cannot be read."""
        rows = [
            (each.resource, each.id, each.contract_id or contract_id, each.problem, _written(each.payload))
            for each in records
        ]
        self._connection.executemany("INSERT OR IGNORE INTO odd VALUES (?, ?, ?, ?, ?)", rows)

    def add_unread(self, contract_id: int, problem: str) -> None:
        """Keep that the rules of a contract cannot be read."""
        self.add_odd([OddRecord("invoice_rules", None, contract_id, problem)])

    def odd(self, resource: str) -> list[OddRecord]:
        """Return the records of a kind that cannot be read."""
        query = """SELECT resource, id, contract_id, problem, document FROM odd WHERE resource = ?
                   AND NOT (resource = 'invoice' AND id IS NOT NULL AND id IN (SELECT id FROM invoices))
                   AND NOT (resource = 'contract' AND id IS NOT NULL AND id IN (SELECT id FROM contracts))
                   ORDER BY rowid"""
        rows = self._connection.execute(query, (resource,))
        return [OddRecord(kind, number, contract, problem, (), json.loads(document))
                for kind, number, contract, problem, document in rows]  # fmt: skip

    def contract_ids(self) -> list[int]:
        """Return the contracts that were read."""
        return [row[0] for row in self._connection.execute("SELECT id FROM contracts ORDER BY id")]

    def contracts(self) -> Iterator[tuple[Contract, bool]]:
        """Yield the contracts in order of their ids, and whether each is in the list of active ones."""
        for document, listed in self._connection.execute("SELECT document, listed FROM contracts ORDER BY id"):
            yield Contract.model_validate_json(document), bool(listed)

    def contracts_without_rules(self) -> list[int]:
        """Return the contracts whose rules were not asked for yet."""
        query = """SELECT id FROM contracts WHERE id NOT IN (SELECT contract_id FROM rules) AND id NOT IN
                   (SELECT contract_id FROM odd WHERE resource = 'invoice_rules') ORDER BY id"""
        return [row[0] for row in self._connection.execute(query)]

    def contracts_not_listed(self) -> list[int]:
        """Return the contracts that have invoices, and are neither in the list nor asked for yet."""
        query = """SELECT DISTINCT contract_id FROM invoices WHERE contract_id NOT IN (SELECT id FROM contracts)
                   AND contract_id NOT IN (SELECT id FROM odd WHERE resource = 'contract' AND id IS NOT NULL)
                   ORDER BY contract_id"""
        return [row[0] for row in self._connection.execute(query)]

    def rules(self, contract_id: int) -> list[InvoiceRule]:
        """Return the rules of a contract."""
        row = self._connection.execute("SELECT documents FROM rules WHERE contract_id = ?", (contract_id,)).fetchone()
        return [InvoiceRule.model_validate(each) for each in json.loads(row[0])] if row else []

    def bills(self, contract_id: int) -> bool:
        """Whether a contract has invoices."""
        query = "SELECT 1 FROM invoices WHERE contract_id = ? LIMIT 1"
        return self._connection.execute(query, (contract_id,)).fetchone() is not None

    def invoices(self, contract_id: int) -> list[Invoice]:
        """Return the invoices of a contract."""
        query = "SELECT document FROM invoices WHERE contract_id = ? ORDER BY id"
        return [Invoice.model_validate_json(row[0]) for row in self._connection.execute(query, (contract_id,))]

    def without_nfse(self) -> list[int]:
        """Return the invoices that were issued, should have a tax document, and do not say that they have one."""
        return [row[0] for row in self._connection.execute("SELECT id FROM invoices WHERE wants_nfse ORDER BY id")]

    def has_invoices(self, invoice_ids: Iterable[int]) -> list[int]:
        """Return those of some invoices that were read."""
        find = "SELECT id FROM invoices WHERE id = ?"
        return [each for each in invoice_ids if self._connection.execute(find, (each,)).fetchone()]

    def nfses(self, contract_id: int) -> dict[int, list[Nfse]]:
        """Return the tax documents of a contract's invoices that were looked at, by invoice."""
        query = """SELECT nfses.invoice_id, nfses.document FROM invoices JOIN nfses ON nfses.invoice_id = invoices.id
                   WHERE invoices.contract_id = ? ORDER BY nfses.id"""
        found: dict[int, list[Nfse]] = {}
        for number, document in self._connection.execute(query, (contract_id,)):
            found.setdefault(number, []).append(Nfse.model_validate_json(document))
        return found

    def keep(self, name: str, value: Any) -> None:
        """Keep something by its name."""
        self._connection.execute("INSERT OR REPLACE INTO audited VALUES (?, ?)", (name, json.dumps(value)))

    def kept(self, name: str) -> Any:
        """Return what was kept by a name, None if nothing was."""
        row = self._connection.execute("SELECT value FROM audited WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None


@contextmanager
def opened_store(path: Path | None, about: Mapping[str, str]) -> Iterator[AuditStore]:
    """Open a cache file, or one that is gone afterwards.

    Args:
        path: the file; None for a temporary one.
        about: what the audit is about, by name.

    Raises:
        OtherAuditError: the file is that of another audit.
    """
    with tempfile.TemporaryDirectory(prefix="ciclo-audit-") as folder:
        place = path or Path(folder) / "account.db"
        os.close(os.open(place, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(place)
        try:
            try:
                connection.executescript(_TABLES)
            except sqlite3.DatabaseError:
                raise OtherAuditError(place, {"something": "else"}) from None
            connection.execute("PRAGMA synchronous = NORMAL")
            store = AuditStore(connection)
            was = store.kept("about")
            if was is not None and was != dict(about):
                raise OtherAuditError(place, was)
            store.keep("about", dict(about))
            connection.commit()
            yield store
            connection.commit()
        finally:
            connection.close()


def _written(document: Mapping[str, Any] | Sequence[Any] | Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
