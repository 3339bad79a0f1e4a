"""The organization that bills: whether a person allowed it to, and from which month Ciclo answers for its billing."""

from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ciclo.ledger.database import insert_new
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.tables import Organization

UNARMED, ARMED = "unarmed", "armed"


class OrganizationRepository:
    """One organization's own row."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._audit = AuditRepository(session, organization_id, actor)

    def get(self) -> Organization | None:
        """Return the row as it is now, or None before the organization was ever seen."""
        query = select(Organization).where(Organization.organization_id == self._organization_id)
        return self._session.scalar(query.execution_options(populate_existing=True))

    def see(self, *, at: datetime, name: str | None = None) -> None:
        """Remember the organization."""
        row = {"organization_id": self._organization_id, "name": name, "first_seen_at": at}
        self._session.execute(insert_new(self._session, Organization), [row])

    def list_read(self, *, at: datetime) -> None:
        """Remember that the list of its contracts was read."""
        mine = update(Organization).where(Organization.organization_id == self._organization_id)
        self._session.execute(mine.values(contracts_read_at=at))

    def arm(self, *, responsible_from: date, person: str, at: datetime) -> bool:
        """Let the organization bill from a month on (its first day); False if it was armed already, which stays."""
        self.see(at=at)
        unarmed = update(Organization).where(
            Organization.organization_id == self._organization_id, Organization.armed_at.is_(None)
        )
        values = {"armed_at": at, "armed_by": person, "responsible_from": responsible_from}
        armed = self._session.scalar(unarmed.values(**values).returning(Organization.organization_id)) is not None
        if armed:
            change = Change(
                self._organization_id, UNARMED, ARMED, f"armed by {person} from {responsible_from:%Y-%m} on"
            )
            self._audit.record("organization", [change], at)
        return armed
