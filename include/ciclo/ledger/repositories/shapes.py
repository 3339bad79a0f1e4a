"""Forms of the vendor's answers that have been reported, so that each is reported once."""

from datetime import datetime

from sqlalchemy.orm import Session

from ciclo.ledger.database import insert_new
from ciclo.ledger.tables import SeenShape


class ShapeRepository:
    """The forms seen in an organization's answers."""

    def __init__(self, session: Session, organization_id: int) -> None:
        self._session = session
        self._organization_id = organization_id

    def see(self, kind: str, path: str, word: str, *, at: datetime) -> bool:
        """Remember a form; return whether it was never seen before."""
        row = {
            "organization_id": self._organization_id,
            "kind": kind,
            "path": path,
            "word": word,
            "first_seen_at": at,
        }
        statement = insert_new(self._session, SeenShape).values(row).returning(SeenShape.path)
        return self._session.scalar(statement) is not None
