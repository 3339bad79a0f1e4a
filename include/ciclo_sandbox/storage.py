"""The tables: one for each resource, its indexed columns beside the answer that the API gives.

A row's `document` is the very JSON that is answered; what the API keeps to itself (`service_item_id` of a
service, `charge_type` of a rule) is in `hidden`. Everything runs on one connection, from one thread.
"""

from typing import Any, Final
from unicodedata import combining, normalize

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    StaticPool,
    String,
    Table,
    create_engine,
    event,
)
from sqlalchemy.engine import make_url

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
    engine = create_engine(
        make_url(url or "sqlite://"), poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    event.listen(engine, "connect", _tune)
    METADATA.create_all(engine)
    return engine.connect()


def close_database(connection: Connection) -> None:
    """Close the connection and its engine."""
    engine: Engine = connection.engine
    connection.close()
    engine.dispose()


def _tune(dbapi_connection: Any, _record: Any) -> None:
    # A killed process loses nothing that was committed: the pages are the operating system's by then.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "cache_size=-65536"):
        dbapi_connection.execute(f"PRAGMA {pragma}")
    dbapi_connection.create_collation(BY_NAME, _compared)


def _compared(one: str, other: str) -> int:
    first, second = _letters(one), _letters(other)
    return (first > second) - (first < second)


def _letters(name: str) -> str:
    return "".join(letter for letter in normalize("NFKD", name) if not combining(letter)).casefold()
