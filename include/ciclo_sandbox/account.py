"""One vendor's account: its documents, its clock in São Paulo, its ids, and the events that its webhooks tell.

Everything runs in one thread and every request is one transaction, committed before it is answered. An id is never
given twice, not even after a restart; a kind reserves ids in blocks, so a restart may skip some.

The date is the sandbox's own: it stands still until it is moved. The time of day is the wall's, unless the clock was
set to one; then it goes on a second with every request that may change something, so that what was made by one
request shares its second and what was made by two does not.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from ciclo_sandbox import storage
from ciclo_sandbox.answers import Json, NotFoundRefusal
from ciclo_sandbox.behaviour import Behaviour
from ciclo_sandbox.storage import Documents, InvoiceDocuments

SAO_PAULO: Final = ZoneInfo("America/Sao_Paulo")
OWN_MACHINERY: Final = time(0, 5)
"""When the vendor's own machinery runs (reminders are on record at 00:00:35)."""
_LAST_SECOND: Final = time(23, 59, 59)
_BRAZILIAN: Final = re.compile(r"(\d\d)/(\d\d)/(\d{4}) ([\d:]{8}) ?([-+]\d\d:\d\d)?\Z", re.ASCII)


class Clock:
    """A date, a time of day (the wall's when None), and the last day on which the vendor's own machinery ran."""

    def __init__(self, today: date | None = None) -> None:
        self.today = today or datetime.now(SAO_PAULO).date()
        self.time: time | None = None
        self.machinery_ran = self.today
        self.stamped_at: datetime | None = None
        """The last moment that was written down: nothing is younger. None if this is not known."""

    def now(self) -> datetime:
        """Return the moment that the clock shows."""
        return datetime.combine(self.today, self.time or datetime.now(SAO_PAULO).time(), SAO_PAULO)

    def tick(self) -> None:
        """Let a second go by on a clock that was set to a time of day; midnight is not passed."""
        if self.time is not None and self.time < _LAST_SECOND:
            self.time = (datetime.combine(self.today, self.time) + timedelta(seconds=1)).time()

    def stamp(self, on: date | None = None) -> str:
        """Return this moment as `20/12/2018 13:45:05 -02:00`; of a day before, the one at which the machinery ran."""
        if on is None or on >= self.today:
            now = self.stamped_at = self.now()
        else:
            now = datetime.combine(on, OWN_MACHINERY, SAO_PAULO)
        offset = f"{now:%z}"
        return f"{now.day:02}/{now.month:02}/{now.year:04} {now:%H:%M:%S} {offset[:3]}:{offset[3:5]}"

    def iso_stamp(self) -> str:
        """Return this moment as `2018-12-20T13:45:05.515-02:00`."""
        self.stamped_at = self.now()
        return self.stamped_at.isoformat(timespec="milliseconds")


def moment(stamp: str | None) -> datetime | None:
    """Read a moment in either form, or return nothing."""
    if not stamp:
        return None
    if match := _BRAZILIAN.match(stamp):
        day, month, year, clock, offset = match.groups("")
        stamp = f"{year}-{month}-{day}T{clock}{offset}"
    try:
        read = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=SAO_PAULO)


BLOCK: Final = 1000
# On record, rules and invoices take their ids from one sequence; so do organizations and companies.
SEQUENCES: Final = {"invoice_rules": "invoices", "organizations": "companies"}


class Sequences:
    """Counters by kind (`invoices`, `receivables`, `services`, …), persisted through `persist` a block at a time."""

    def __init__(self, reserved: dict[str, int], persist: Callable[[dict[str, int]], None]) -> None:
        self._next = {kind: top + 1 for kind, top in reserved.items()}
        self._reserved = dict(reserved)
        self._persist = persist

    def next(self, kind: str) -> int:
        """Return the next free id of `kind`."""
        number = self._next.get(kind, 1)
        self._next[kind] = number + 1
        if number > self._reserved.get(kind, 0):
            self._reserved[kind] = number + BLOCK
            self._persist(self._reserved)
        return number

    def continue_after(self, kind: str, ids: Iterable[Any]) -> None:
        """Make the next id of `kind` higher than every one of `ids`, after a restart, too."""
        highest = max((number for number in ids if isinstance(number, int)), default=0)
        self._next[kind] = max(self._next.get(kind, 1), highest + 1)
        if highest > self._reserved.get(kind, 0):
            self._reserved[kind] = highest
            self._persist(self._reserved)

    def last(self) -> dict[str, int]:
        """Return the last id of each kind that was given, whether what it names is still there or not."""
        return {kind: number - 1 for kind, number in sorted(self._next.items()) if number > 1}

    def mark(self) -> dict[str, int]:
        """Return where every counter stands."""
        return dict(self._next)

    def return_to(self, mark: dict[str, int]) -> None:
        """Go back to a mark when what was numbered since then was rolled back, reservations too."""
        self._next = mark
        self._reserved = {kind: number - 1 for kind, number in mark.items()}


DEFAULT_TOKEN: Final = "sandbox-token"  # noqa: S105 - the sandbox's door, not a secret


class Account:
    """Everything the sandbox knows; `is_restored` tells that its database was not empty when it was opened."""

    def __init__(self, connection: Connection, *, today: date | None = None) -> None:
        self.connection = connection
        self.organizations = Documents(connection, storage.ORGANIZATIONS, _registered)
        self.companies = Documents(connection, storage.COMPANIES, _registered)
        self.people = Documents(connection, storage.PEOPLE, _registered)
        self.service_items = Documents(connection, storage.SERVICE_ITEMS, lambda item: {"name": item["name"]})
        self.email_templates = Documents(connection, storage.EMAIL_TEMPLATES, self._of_company)
        self.nfse_templates = Documents(connection, storage.NFSE_TEMPLATES, self._of_company)
        self.charge_templates = Documents(connection, storage.CHARGE_TEMPLATES, _of_organization, kept=())
        self.financial_accounts = Documents(connection, storage.FINANCIAL_ACCOUNTS, _of_organization, kept=())
        self.nfses = Documents(connection, storage.NFSES, _of_organization, kept=())
        self.plans = Documents(connection, storage.PLANS, _of_organization)
        self.invoice_templates = Documents(connection, storage.INVOICE_TEMPLATES, _of_organization)
        self.contracts = Documents(connection, storage.CONTRACTS, self._contract_columns)
        self.rules = Documents(connection, storage.INVOICE_RULES, lambda rule: {"contract_id": rule["contract_id"]})
        self.invoices = InvoiceDocuments(connection, self.organization_of)
        self.token = DEFAULT_TOKEN
        self.behaviour = Behaviour()
        self.clock = Clock(today)
        self.sequences = Sequences({}, self._persist_sequences)
        self.events: list[Json] = []
        self.quiet_since: tuple[date, int] | None = None
        """The day whose machinery has nothing more to do, as long as no more is `written`."""
        self._restore()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block did, or leave no trace of it."""
        mark = self.sequences.mark()
        try:
            yield
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            self.sequences.return_to(mark)
            self._forget()
            raise

    def written(self) -> int:
        """Return how many rows were written since the database was opened."""
        return int(self.connection.connection.total_changes)

    def contract(self, number: int) -> Json:
        """Return a contract to look at.

        Raises:
            NotFoundRefusal: It is not in this account.
        """
        found = self.contracts.peek(number)
        if found is None:
            raise NotFoundRefusal
        return found

    def organization(self, number: int) -> Json:
        """Return an organization to look at.

        Raises:
            NotFoundRefusal: It is not in this account.
        """
        found = self.organizations.peek(number)
        if found is None:
            raise NotFoundRefusal
        return found

    def party(self, kind: str | None, number: int | None) -> Json | None:
        """Return a customer or supplier to look at: a person, or a company or organization; nothing if unknown."""
        if kind == "Person":
            return self.people.peek(number)
        return self.organizations.peek(number) or self.companies.peek(number)

    def organization_of(self, contract_id: int) -> int | None:
        """Return the organization that a contract's invoices belong to."""
        contract = self.contracts.peek(contract_id)
        return None if contract is None else self.owner(contract)

    def owner(self, contract: Json) -> int | None:
        """Return the organization a contract belongs to: its supplier, or the buyer when the supplier is a stranger."""
        supplier: int | None = contract["supplier_id"]
        customer: int | None = contract["customer_id"]
        is_bought = contract["kind"] == "purchase" and self.organizations.peek(supplier) is None
        return customer if is_bought else supplier

    def event(self, name: str, object_type: str, document: Json, **more: Any) -> None:
        """Note an event for the webhooks; it is told after the commit."""
        contract = self.contracts.peek(document["contract_id"]) or {}
        self.events.append(
            {
                "event": name,
                "object_type": object_type,
                "object_id": document["id"],
                "contract_token": contract.get("token"),
                "contract_id": document["contract_id"],
                **more,
            }
        )

    def settle_events(self) -> list[Json]:
        """Return the events noted since the last call."""
        noted, self.events = self.events, []
        return noted

    def remember(self, name: str, value: Any) -> None:
        """Persist a setting."""
        row = {"name": name, "value": orjson.dumps(value)}
        statement = upsert(storage.SETTINGS).values(row)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": row["value"]}))

    def clear(self) -> None:
        """Delete every document; ids start anew, the date stays."""
        for table in storage.METADATA.sorted_tables:
            self.connection.execute(delete(table))
        self.sequences = Sequences({}, self._persist_sequences)
        self._forget()

    def insert(self, table: Any, row: Json) -> None:
        """Insert a row into a table that is not one of documents."""
        self.connection.execute(insert(table), row)

    def _contract_columns(self, contract: Json) -> Json:
        return {
            "organization_id": self.owner(contract),
            "name": contract["name"],
            "customer_id": contract["customer_id"],
            "kind": contract["kind"],
            "state": contract["state"],
            "token": contract["token"],
        }

    def _of_company(self, template: Json) -> Json:
        # Of a company that the account does not have, it is everybody's: the printed e-mail templates are.
        organization = self.organizations.peek(template["company_id"])
        return {"name": template["name"], "organization_id": organization["id"] if organization else None}

    def _restore(self) -> None:
        settings = {row.name: orjson.loads(row.value) for row in self.connection.execute(select(storage.SETTINGS))}
        reserved: dict[str, int] = settings.get("sequences", {})
        # Of these the highest id that is there is known for sure; the others may skip some of what they reserved.
        for table in (storage.INVOICES, storage.RECEIVABLES, storage.CONTRACTS):
            reserved[str(table.name)] = self.connection.scalar(select(func.max(table.c.id))) or 0
        highest_rule = self.connection.scalar(select(func.max(storage.INVOICE_RULES.c.id))) or 0
        reserved["invoices"] = max(reserved["invoices"], highest_rule)
        self.sequences = Sequences(reserved, self._persist_sequences)
        self.token = settings.get("token", self.token)
        self.behaviour = Behaviour.model_validate(settings.get("behaviour", {}))
        self.is_restored = "today" in settings
        if self.is_restored:
            self.clock.today = date.fromisoformat(settings["today"])
            self.clock.machinery_ran = date.fromisoformat(settings.get("machinery_ran", settings["today"]))
        self.connection.rollback()

    def _persist_sequences(self, reserved: dict[str, int]) -> None:
        self.remember("sequences", reserved)

    def _forget(self) -> None:
        self.events, self.quiet_since = [], None
        mine = (self.organizations, self.companies, self.people, self.service_items, self.contracts, self.invoices)
        for documents in mine:
            documents.forget()


def _registered(party: Json) -> Json:
    number = party.get("cnpj") or party.get("cpf") or ""
    return {"name": party["name"], "registration": "".join(filter(str.isdigit, number))}


def _of_organization(document: Json) -> Json:
    return {"name": document.get("name"), "organization_id": document.get("organization_id")}
