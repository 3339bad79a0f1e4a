"""The organizations a ledger bills for, and the months it knows."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ciclo.ledger.tables import Organization, Period


@dataclass(frozen=True, slots=True)
class OrganizationName:
    """An organization by id; the name is the vendor's, or its id where none is known."""

    organization_id: int
    name: str


def organizations(session: Session) -> tuple[OrganizationName, ...]:
    """Return every organization of the ledger, by id."""
    query = select(Organization.organization_id, Organization.name).order_by(Organization.organization_id)
    return tuple(OrganizationName(key, name or f"Organization {key}") for key, name in session.execute(query))


def newest_issue_date(session: Session, organization_id: int, up_to: date) -> date | None:
    """Return the last issue date on or before a day, else the first after it, or None if nothing was ever planned."""
    mine = Period.organization_id == organization_id
    before = session.scalar(select(func.max(Period.issue_date)).where(mine, Period.issue_date <= up_to))
    return before or session.scalar(select(func.min(Period.issue_date)).where(mine))
