"""What the vendor knows and the ledger remembers: organizations, contracts, rules. The API's full payload is kept.

A rule that changes gets a new version with the day on which the change was seen; older versions stay.
"""

from datetime import date, datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from ciclo.ledger.tables.base import Base, Payload


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


class Contract(Base):
    """A contract of an organization, as last seen."""

    __tablename__ = "contracts"
    __table_args__ = (Index(None, "organization_id", "name"),)  # the console's search box

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


class Rule(Base):
    """An invoice rule, as last seen."""

    __tablename__ = "rules"
    __table_args__ = (Index(None, "organization_id", "contract_id"),)  # the rules of a contract

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(primary_key=True)
    contract_id: Mapped[int]
    title: Mapped[str]
    version: Mapped[int]
    """The newest of its versions."""
    init_date: Mapped[date]
    end_date: Mapped[date | None]
    payload: Mapped[Payload]
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
    """First issue date that follows these terms: the day on which the change was seen."""
    terms: Mapped[Payload]
    """What shapes an invoice, as `ciclo.ledger.terms.RuleTerms` writes it: recurrence, charge, services, texts.

    Prices are not in it: they have their own dates.
    """
    terms_hash: Mapped[str]
    payload: Mapped[Payload]
    seen_at: Mapped[datetime]


class MonthExpansion(Base):
    """That a month was expanded for every contract, and when last: without it, nothing planned proves nothing."""

    __tablename__ = "month_expansions"

    organization_id: Mapped[int] = mapped_column(primary_key=True)
    billing_month: Mapped[date] = mapped_column(primary_key=True)
    """First day of the month."""
    run_id: Mapped[str | None]
    expanded_at: Mapped[datetime]
