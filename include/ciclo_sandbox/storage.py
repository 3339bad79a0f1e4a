"""The tables: one for each resource, its indexed columns beside the answer that the API gives.

A document goes in as the state file writes it (the answer plus what the API keeps to itself: `service_item_id` of a
service, `charge_type` of a rule) and is split here into the answer (`document`) and the hidden part (`hidden`); nobody
else knows of the split. Invoices have a row for each of their receivables besides, which always says what its invoice's
document says. Everything runs on one connection, from one thread.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import date
from functools import cache
from typing import Any, Final
from unicodedata import combining, normalize

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    StaticPool,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from ciclo_sandbox import parsing
from ciclo_sandbox.answers import Json

METADATA: Final = MetaData()
# Names in the order of a Portuguese reader: case and accents count for nothing.
BY_NAME: Final = "by_name"


def _documents(name: str, *columns: Column[Any] | Index) -> Table:
    return Table(
        name,
        METADATA,
        Column("id", Integer, primary_key=True),
        *columns,
        Column("document", LargeBinary, nullable=False),
        Column("hidden", LargeBinary),
    )


def _of_organization(name: str) -> Table:
    return _documents(name, Column("organization_id", Integer, index=True), _name())


def _name() -> Column[str]:
    return Column("name", String(collation=BY_NAME))


def _registered(name: str) -> Table:
    """Return a table of what has a CNPJ or CPF: its digits are in `registration`."""
    return _documents(name, Column("registration", String, index=True), _name())


ORGANIZATIONS: Final = _registered("organizations")
COMPANIES: Final = _registered("companies")
PEOPLE: Final = _registered("people")
SERVICE_ITEMS: Final = _documents("service_items", Column("name", String, index=True))
EMAIL_TEMPLATES: Final = _of_organization("email_templates")
CHARGE_TEMPLATES: Final = _of_organization("charge_templates")
FINANCIAL_ACCOUNTS: Final = _of_organization("financial_accounts")
NFSE_TEMPLATES: Final = _of_organization("nfse_templates")
NFSES: Final = _of_organization("nfses")
PLANS: Final = _of_organization("plans")
INVOICE_TEMPLATES: Final = _of_organization("invoice_templates")
CONTRACTS: Final = _documents(
    "contracts",
    Column("organization_id", Integer, index=True),
    Column("name", String, index=True),
    Column("customer_id", Integer, index=True),
    Column("kind", String),
    Column("state", String),
    Column("token", String, index=True),
)
INVOICE_RULES: Final = _documents("invoice_rules", Column("contract_id", Integer, index=True))
INVOICES: Final = _documents(
    "invoices",
    Column("organization_id", Integer),
    Column("contract_id", Integer),
    Column("customer_id", Integer),
    Column("customer_type", String),
    Column("issue_date", String),
    Column("state", String),
    Column("nfe_due", String, index=True),
    # Each search reads ids from one of these alone, then the documents of one page by id.
    Index("invoices_of_organization", "organization_id", "issue_date", "state", "id"),
    Index("invoices_of_contract", "contract_id", "issue_date", "id"),
    Index("invoices_by_state", "state", "issue_date", "id"),
    Index("invoices_of_organization_by_state", "organization_id", "state", "issue_date", "id"),
)
RECEIVABLES: Final = Table(
    "receivables",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("invoice_id", Integer, index=True),
    Column("organization_id", Integer),
    Column("contract_id", Integer),
    Column("due_date", String),
    Column("state", String),
    Index("receivables_of_organization", "organization_id", "due_date", "invoice_id", "state"),
    Index("receivables_of_contract", "contract_id", "due_date"),
    Index("receivables_by_state", "state", "due_date"),
)
ATTACHMENTS: Final = Table(
    "attachments",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("filename", String),
    Column("content_type", String),
    Column("content", LargeBinary),
)
SETTINGS: Final = Table(
    "settings",
    METADATA,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary),
)


def open_database(url: str | None) -> Connection:
    """Open the database (in memory unless `url` names one), create what is missing, return its one connection.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The URL names nothing that can be opened.
    """
    place = make_url(url or "sqlite://")
    if place.get_backend_name() != "sqlite":
        message = f"the sandbox keeps its state in SQLite (sqlite:////tmp/state.db), not in {place.get_backend_name()}"
        raise ArgumentError(message)
    engine = create_engine(place, poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    return engine.connect()


@cache  # asking for each table and writing it out takes most of a sandbox's start
def _schema() -> str:
    """Return the statements that create what is missing of the tables and indices."""
    created: list[ExecutableDDLElement] = []
    for table in METADATA.sorted_tables:
        created.append(CreateTable(table, if_not_exists=True))
        created += [CreateIndex(index, if_not_exists=True) for index in table.indexes]
    return ";".join(str(each.compile(dialect=sqlite.dialect())) for each in created)


def close_database(connection: Connection) -> None:
    """Close the connection and its engine."""
    engine: Engine = connection.engine
    connection.close()
    engine.dispose()


def _prepare(dbapi_connection: Any, _record: Any) -> None:
    # A killed process loses nothing that was committed: the pages are the operating system's by then.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-65536"):
        dbapi_connection.execute(f"PRAGMA {pragma}")
    dbapi_connection.create_collation(BY_NAME, _compared)
    dbapi_connection.executescript(_schema())


def _compared(one: str, other: str) -> int:
    first, second = _letters(one), _letters(other)
    return (first > second) - (first < second)


def _letters(name: str) -> str:
    return "".join(letter for letter in normalize("NFKD", name) if not combining(letter)).casefold()


Columns = Callable[[Json], Json]
# What the API keeps to itself: of a rule, of a template, of an invoice that may be brought back, of what was generated
# from what (generation.py), and of who worked on it (people.py).
_KEPT: Final = ("charge_type", "organization_id", "state_before", "generated", "person")


class Documents:
    """One resource's documents: `columns` takes the indexed values out of a document."""

    def __init__(
        self,
        connection: Connection,
        table: Table,
        columns: Columns = lambda _document: {},
        kept: Sequence[str] = _KEPT,
    ) -> None:
        self._connection = connection
        self._kept = kept
        self._columns = columns
        self._cache: dict[int, Json | None] = {}
        self.table = table
        self._one = select(table.c.document, table.c.hidden).where(table.c.id == bindparam("number"))
        self._insert = insert(table)
        settable = [column.name for column in table.c if column.name != "id"]
        self._update = (
            update(table).where(table.c.id == bindparam("number")).values({name: bindparam(name) for name in settable})
        )

    def get(self, number: int | None) -> Json | None:
        """Return a document to read and change, with its hidden part, or nothing."""
        row = self._connection.execute(self._one, {"number": number}).first() if number is not None else None
        return joined(row.document, row.hidden) if row else None

    def peek(self, number: int | None) -> Json | None:
        """Return a document only to look at; it is remembered until it changes."""
        if number is None:
            return None
        if number not in self._cache:
            self._cache[number] = self.get(number)
        return self._cache[number]

    def answer(self, number: int) -> bytes | None:
        """Return a document as the API answers it, or nothing."""
        row = self._connection.execute(self._one, {"number": number}).first()
        return row.document if row else None

    def add(self, document: Json) -> bytes:
        """Insert a new document; return its answer."""
        row = self._row(document)
        self._connection.execute(self._insert, row)
        self.forget()
        written: bytes = row["document"]
        return written

    def load(self, documents: Sequence[Json]) -> None:
        """Insert many documents."""
        if documents:
            self._connection.execute(self._insert, [self._row(document) for document in documents])
            self.forget()

    def change(self, document: Json) -> bytes:
        """Write a changed document; return its answer."""
        row = self._row(document)
        row["number"] = row.pop("id")
        self._connection.execute(self._update, row)
        self.forget()
        written: bytes = row["document"]
        return written

    def remove(self, number: int) -> None:
        """Delete a document."""
        self._connection.execute(delete(self.table).where(self.table.c.id == number))
        self.forget()

    def answers(self, *conditions: ColumnElement[bool], order: Sequence[Any] = ()) -> list[bytes]:
        """Return the answers of the documents that meet `conditions`, by id unless `order` says otherwise."""
        query: Select[tuple[bytes]] = select(self.table.c.document).where(*conditions)
        return list(self._connection.scalars(query.order_by(*order, self.table.c.id)))

    def every(self, *conditions: ColumnElement[bool]) -> Iterator[Json]:
        """Yield the documents that meet `conditions`, hidden parts included, by id."""
        query = select(self.table.c.document, self.table.c.hidden).where(*conditions).order_by(self.table.c.id)
        for row in self._connection.execute(query):
            yield joined(row.document, row.hidden)

    def written(self) -> Iterator[bytes]:
        """Yield every document as the state file writes it, by id."""
        query = select(self.table.c.document, self.table.c.hidden).order_by(self.table.c.id)
        for row in self._connection.execute(query):
            yield row.document if row.hidden is None else orjson.dumps(joined(row.document, row.hidden))

    def forget(self) -> None:
        """Drop what `peek` remembers."""
        self._cache.clear()

    def _row(self, document: Json) -> Json:
        answer, hidden = split(document, self._kept)
        return {"id": document["id"], **self._columns(document), "document": answer, "hidden": hidden}


def split(document: Json, kept: Sequence[str] = _KEPT) -> tuple[bytes, bytes | None]:
    """Return a document's answer and its hidden part as JSON."""
    hidden = {key: document[key] for key in kept if document.get(key) is not None}
    items = {str(line["id"]): line.get("service_item_id") for line in document.get("services") or ()}
    if items:
        hidden["service_items"] = items
    answer = {key: value for key, value in document.items() if key not in kept}
    if items:
        answer["services"] = [
            {key: value for key, value in line.items() if key != "service_item_id"} for line in document["services"]
        ]
    return orjson.dumps(answer), orjson.dumps(hidden) if hidden else None


def joined(answer: bytes, hidden: bytes | None) -> Json:
    """Return a document from its answer and its hidden part."""
    document: Json = orjson.loads(answer)
    kept = orjson.loads(hidden) if hidden else {}
    for line in document.get("services") or ():
        line["service_item_id"] = kept.get("service_items", {}).get(str(line["id"]))
    return document | {key: value for key, value in kept.items() if key != "service_items"}


_BY_DATE: Final = (INVOICES.c.issue_date, INVOICES.c.id)


class InvoiceDocuments(Documents):
    """The invoices; `organization_of` tells a contract's organization."""

    def __init__(self, connection: Connection, organization_of: Callable[[int], int | None]) -> None:
        super().__init__(connection, INVOICES, self._invoice_columns)
        self._organization_of = organization_of
        self._totals: dict[Hashable, int] = {}
        self._insert_receivables = insert(RECEIVABLES)
        self._delete_receivables = delete(RECEIVABLES).where(RECEIVABLES.c.invoice_id == bindparam("number"))

    def add(self, document: Json) -> bytes:
        """Insert a new invoice and its receivables; return its answer."""
        self._add_receivables((document,))
        return super().add(document)

    def load(self, documents: Sequence[Json]) -> None:
        """Insert many invoices and their receivables."""
        super().load(documents)
        self._add_receivables(documents)

    def change(self, document: Json) -> bytes:
        """Write a changed invoice and its receivables; return its answer."""
        self._connection.execute(self._delete_receivables, {"number": document["id"]})
        self._add_receivables((document,))
        return super().change(document)

    def remove(self, number: int) -> None:
        """Delete an invoice and its receivables."""
        self._connection.execute(self._delete_receivables, {"number": number})
        super().remove(number)

    def follow(self, contract_id: int) -> None:
        """Let a contract's invoices be searched in the organization that it belongs to by now."""
        owner = {"organization_id": self._organization_of(contract_id)}
        for table in (INVOICES, RECEIVABLES):
            self._connection.execute(update(table).where(table.c.contract_id == contract_id).values(owner))
        self.forget()

    def forget(self) -> None:
        """Drop what `peek` and `page` remember."""
        super().forget()
        self._totals.clear()

    def page(
        self, conditions: Iterable[ColumnElement[bool]], *, search: Hashable, page: int, per_page: int
    ) -> tuple[int, list[bytes]]:
        """Return how many invoices meet the conditions, and the answers of one page of them, by issue date.

        They are counted once a `search`, which is the same for the same conditions alone, until an invoice changes.
        """
        wanted = tuple(conditions)
        total = self._totals.get(search)
        if total is None:
            total = self._connection.scalar(select(func.count()).select_from(INVOICES).where(*wanted)) or 0
            self._totals[search] = total
        offset = (page - 1) * per_page
        if offset >= total:
            return total, []
        ids = select(INVOICES.c.id).where(*wanted).order_by(*_BY_DATE).limit(per_page).offset(offset)
        return total, self.answers(INVOICES.c.id.in_(ids), order=_BY_DATE)

    def ids(self, *conditions: ColumnElement[bool]) -> list[int]:
        """Return the ids of the invoices that meet the conditions, by issue date."""
        query = select(INVOICES.c.id).where(*conditions).order_by(INVOICES.c.issue_date, INVOICES.c.id)
        return list(self._connection.scalars(query))

    def receivable_rows(self, *conditions: ColumnElement[bool]) -> list[tuple[int, int, str]]:
        """Return (receivable id, invoice id, ISO due date) of the receivables that meet the conditions, by due date."""
        columns = (RECEIVABLES.c.id, RECEIVABLES.c.invoice_id, RECEIVABLES.c.due_date)
        query = select(*columns).where(*conditions).order_by(RECEIVABLES.c.due_date, RECEIVABLES.c.id)
        return [(row.id, row.invoice_id, row.due_date) for row in self._connection.execute(query)]

    def unpaid_past(self, day: date, contract_id: int | None = None) -> list[tuple[int, int]]:
        """Return (contract id, receivable id) of what is unpaid past its due date on a day, of one contract or all."""
        of_contract = () if contract_id is None else (RECEIVABLES.c.contract_id == contract_id,)
        query = select(RECEIVABLES.c.contract_id, RECEIVABLES.c.id).where(*past_due(day), *of_contract)
        return [(row.contract_id, row.id) for row in self._connection.execute(query)]

    def _invoice_columns(self, invoice: Json) -> Json:
        # Answers keep the day of a tax document that is there already, or that a cancelled invoice will not have.
        waits_for_nfse = not invoice["nfe_issued"] and invoice["state"] != "cancelled"
        return {
            "organization_id": self._organization_of(invoice["contract_id"]),
            "contract_id": invoice["contract_id"],
            "customer_id": invoice["customer_id"],
            "customer_type": invoice["customer_type"],
            "issue_date": parsing.iso(parsing.day(invoice["issue_date"])),
            "state": invoice["state"],
            "nfe_due": parsing.iso(parsing.day(invoice["automatic_nfe_issue_date"])) if waits_for_nfse else None,
        }

    def _add_receivables(self, invoices: Iterable[Json]) -> None:
        rows = [
            {
                "id": receivable["id"],
                "invoice_id": invoice["id"],
                "organization_id": self._organization_of(invoice["contract_id"]),
                "contract_id": invoice["contract_id"],
                "due_date": parsing.iso(parsing.day(receivable["due_date"])),
                "state": receivable["state"],
            }
            for invoice in invoices
            for receivable in invoice["receivables"]
        ]
        if rows:
            self._connection.execute(self._insert_receivables, rows)


def with_receivable(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that an invoice has one receivable that meets all of `conditions`."""
    return INVOICES.c.id.in_(select(RECEIVABLES.c.invoice_id).where(*conditions))


def past_due(today: date) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of a receivable that is past due and unpaid on `today`."""
    return (RECEIVABLES.c.due_date < today.isoformat(), RECEIVABLES.c.state == "to_receive")
