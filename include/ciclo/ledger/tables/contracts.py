"""What the vendor knows and the ledger remembers: organizations, contracts, rules. The API's full payload is kept.

A rule that changes gets a new version, dated by the readings on either side of the change; older versions stay.
"""

from datetime import date, datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from ciclo.ledger.tables.base import ROW_ID, Base, Payload, Reasoned


class Organization(Base):
    """A company that bills."""

    __tablename__ = "organizations"

    organization_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None]
    first_seen_at: Mapped[datetime]
    armed_at: Mapped[datetime | None]
    """When a person allowed it to bill; until then nothing is sent for it."""
    armed_by: Mapped[str | None]
    responsible_from: Mapped[date | None]
    """First day of the month from which Ciclo answers for what is billed."""
    contracts_read_at: Mapped[datetime | None]
    """When the list of its contracts was last read."""
    paused_until: Mapped[datetime | None]
    """Until when the vendor wants to be left alone: every task respects what one of them was told."""
    reconciled_on: Mapped[date | None]
    """The last day whose whole reconciliation ended well: as of when the ledger knows what was received."""
    prorate: Mapped[str | None]
    """What becomes of a first or last part month: `ask`, `always` or `never`; null is `ask`."""


class Contract(Base):
    """A contract of an organization, as last seen."""

    __tablename__ = "contracts"
    __table_args__ = (  # the console's search box
        Index("ix_contracts_by_name", "organization_id", text("substr(name, 1, 200)")).ddl_if("postgresql"),
        Index(None, "organization_id", "name").ddl_if("sqlite"),
        Index("ix_contracts_pieces", text("pieces(name, 1)"), postgresql_using="gin").ddl_if("postgresql"),
    )

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    contract_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    customer_id: Mapped[int | None]
    state: Mapped[str]
    """`active`, or whatever else the vendor calls a contract that is not to be billed."""
    payload: Mapped[Payload]
    first_seen_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]
    """When the contract was no longer among the vendor's; null while it is there."""


class ContractState(Base):
    """A stretch of days in which a contract was seen in one state: `active`, or another in which it is not billed."""

    __tablename__ = "contract_states"
    __table_args__ = (Index(None, "organization_id", "contract_id"),)  # a contract's stretches

    id: Mapped[int] = mapped_column(ROW_ID, primary_key=True, autoincrement=True)
    organization_id: Mapped[int]
    contract_id: Mapped[int]
    from_date: Mapped[date]
    """The day in São Paulo on which it was first seen so."""
    to_date: Mapped[date | None]
    """The day on which it was first seen in another state, no longer part of the stretch; null while it lasts."""
    state: Mapped[str]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


class Reading(Reasoned, Base):
    """When a contract was last read with all its rules, and whether it can be read. One row a contract.

    What its readings found is in the stretches of its states and in the versions of its rules.
    """

    __tablename__ = "readings"
    __table_args__ = (Index(None, "organization_id", "read_at"),)  # those not read for longest come first

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    contract_id: Mapped[int] = mapped_column(primary_key=True)
    read_at: Mapped[datetime | None]
    """When all of it was last read; null if it never was."""
    read_on: Mapped[date | None]
    """The same, as a day in São Paulo."""
    unread_since: Mapped[datetime | None]
    """Since when it cannot be read, with the reason; null where the last reading was whole."""


class Rule(Base):
    """An invoice rule, as last seen."""

    __tablename__ = "rules"
    __table_args__ = (
        Index(None, "organization_id", "contract_id"),  # the rules of a contract
        Index("ix_rules_by_title", "organization_id", text("substr(title, 1, 200)")).ddl_if("postgresql"),
        Index("ix_rules_pieces", text("pieces(title, 1)"), postgresql_using="gin").ddl_if("postgresql"),
    )

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(primary_key=True)
    contract_id: Mapped[int]
    title: Mapped[str]
    version: Mapped[int]
    """The newest of its versions."""
    init_date: Mapped[date]
    end_date: Mapped[date | None]
    payload: Mapped[Payload]
    new_since: Mapped[date | None]
    """The day on which it was first seen, where its contract had been read before without it: what it calls for before
    that day was never planned. Null for a rule that was there when Ciclo first looked."""
    seen_on: Mapped[date | None]
    """The day in São Paulo on which it was last seen."""
    first_seen_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]


class RuleVersion(Base):
    """The terms of a rule from a day on. Version 1 holds for every day before the second."""

    __tablename__ = "rule_versions"

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    effective_from: Mapped[date]
    """First issue date that follows these terms: the day after the one on which the terms before were last seen.

    Of a rule that was gone, the day on which it was back, be its terms the same.
    """
    terms: Mapped[Payload]
    """What shapes an invoice, as `ciclo.ledger.terms.RuleTerms` writes it: recurrence, charge, services, texts.

    Prices are not in it: they have their own dates.
    """
    terms_hash: Mapped[str]
    payload: Mapped[Payload]
    seen_at: Mapped[datetime]
    """When they were first seen."""
    last_seen_at: Mapped[datetime | None]
    """When they were last seen."""


class MonthExpansion(Base):
    """That a month was expanded for every contract, and when last: without it, nothing planned proves nothing."""

    __tablename__ = "month_expansions"

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    billing_month: Mapped[date] = mapped_column(primary_key=True)
    """First day of the month."""
    run_id: Mapped[str | None]
    expanded_at: Mapped[datetime]
    unread: Mapped[int] = mapped_column(server_default="0", default=0)
    """Contracts that could not be read: while there are any, the month does not count as expanded for its close."""
