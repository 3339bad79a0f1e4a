"""Findings: what is seen is opened, what is no longer seen is closed, each with its audit entry.

A run settles only what it examined. A finding about a thing that the run did not look at stays as it is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Self

from sqlalchemy import ColumnElement, ScalarResult, Select, bindparam, or_, select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.states import Fact, Reason, ReasonKind, period_facts
from ciclo.domain.wording import said_of_finding
from ciclo.ledger.repositories.audit import Actor, AuditRepository, Change
from ciclo.ledger.rows import insert_new
from ciclo.ledger.tables import Finding

Subject = tuple[str, int]
"""What a finding is about: `invoice`, `receivable` or `period`, and its id."""
Key = tuple[str, str, int]

OPEN, CLOSED = "open", "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """What a run saw: a kind of disagreement about one thing, with its facts. `amount` is BRL at risk."""

    kind: FindingKind
    subject: str
    subject_id: int
    contract_id: int | None
    billing_month: date | None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """What the sentence names, by the words of `ciclo.domain.wording`."""
    expected: str | None = None
    found: str | None = None
    amount: Decimal | None = None

    @classmethod
    def of_period(
        cls,
        kind: FindingKind,
        subject: Subject,
        period: tuple[int, int, date],
        *,
        facts: Mapping[str, Fact],
        expected: str | None = None,
        found: str | None = None,
        amount: Decimal | None = None,
    ) -> Self:
        """Return a disagreement about a period, its invoice or a receivable of it, of the month of its planned date.

        Args:
            kind: of the finding.
            subject: what it is about.
            period: contract, rule and planned date; they are among its facts.
            facts: its others.
            expected: what it should be.
            found: what it is.
            amount: at risk, BRL.
        """
        contract_id, _, issue_date = period
        return cls(
            kind=kind,
            subject=subject[0],
            subject_id=subject[1],
            contract_id=contract_id,
            billing_month=first_of_month(issue_date),
            facts={**period_facts(*period), **facts},
            expected=expected,
            found=found,
            amount=amount,
        )

    @property
    def document(self) -> dict[str, Fact]:
        """The facts as the ledger keeps them."""
        return dict(self.facts)

    @property
    def stated(self) -> dict[str, object]:
        """The disagreement as a fact of a reason."""
        return {"finding": self.kind.value, "facts": self.document}

    @property
    def sentence(self) -> str:
        """The disagreement in words."""
        return said_of_finding(self.kind, self.document)

    @property
    def key(self) -> Key:
        """What is open at most once."""
        return self.kind.value, self.subject, self.subject_id


@dataclass(slots=True)
class Settled:
    """What a run did to the findings."""

    opened: list[Disagreement] = field(default_factory=list)
    closed: int = 0
    stayed: int = 0


def bears_on(month: date) -> ColumnElement[bool]:
    """Return the condition of a finding that bears on a billing month: its own, and whatever cannot be read now.

    What cannot be read may hide anything of the month, whenever that began.
    """
    return or_(Finding.billing_month == month, Finding.kind == FindingKind.UNREAD.value)


_OPEN = select(Finding).where(Finding.organization_id == bindparam("organization_id"), Finding.closed_at.is_(None))
_OF_KIND = _OPEN.where(Finding.kind == bindparam("kind"))
"""Asked by most steps of a day: both are spelled out once."""


class FindingRepository:
    """The findings of one organization."""

    def __init__(self, session: Session, organization_id: int, actor: Actor) -> None:
        self._session = session
        self._organization_id = organization_id
        self._audit = AuditRepository(session, organization_id, actor)

    def settle(
        self,
        seen: Iterable[Disagreement],
        *,
        examined: Mapping[str, Collection[int]],
        kinds: Collection[FindingKind],
        at: datetime,
    ) -> Settled:
        """Open what was seen, keep what was seen again, close what the run examined and did not see.

        Args:
            seen: the run's disagreements.
            examined: ids by subject of what the run looked at.
            kinds: the kinds that the run can decide about.
            at: when.
        """
        disagreements = {entry.key: entry for entry in seen}
        outcome = Settled()
        if not disagreements and not any(examined.values()):
            return outcome
        known_open = {(f.kind, f.subject, f.subject_id): f for f in self._open()}
        for key, entry in disagreements.items():
            known = known_open.get(key)
            if known is not None:
                self._refresh(known, entry, at)
                outcome.stayed += 1
        outcome.opened = self._add([entry for key, entry in disagreements.items() if key not in known_open], at)
        names = {kind.value for kind in kinds}
        gone = [
            finding
            for key, finding in known_open.items()
            if key not in disagreements
            and finding.kind in names
            and finding.subject_id in examined.get(finding.subject, ())
        ]
        for finding in gone:
            finding.closed_at = at
        self._session.flush()
        cause = Reason(ReasonKind.CAUSE_GONE)
        self._audit.record("finding", (Change(finding.id, OPEN, CLOSED, cause) for finding in gone), at)
        outcome.closed = len(gone)
        return outcome

    def _refresh(self, finding: Finding, entry: Disagreement, at: datetime) -> None:
        """Say a finding anew; an acknowledgement holds for what was seen then, and not for something else."""
        if finding.acknowledged_at is not None and finding.found != entry.found:
            facts = {"person": finding.acknowledged_by, "was": finding.found, "found": entry.found}
            was = Reason(ReasonKind.SEEN_ANEW, facts)
            self._audit.record("finding", [Change(finding.id, "acknowledged", OPEN, was)], at)
            finding.acknowledged_at = finding.acknowledged_by = finding.note = None
        finding.facts, finding.amount = entry.document, entry.amount
        finding.expected, finding.found = entry.expected, entry.found
        finding.billing_month, finding.seen_at = entry.billing_month, at

    def _add(self, entries: Sequence[Disagreement], at: datetime) -> list[Disagreement]:
        """Add findings; one that another run opened meanwhile is left as it is."""
        added: list[Disagreement] = []
        changes: list[Change] = []
        for entry in entries:
            row = {
                "organization_id": self._organization_id,
                "kind": entry.kind.value,
                "subject": entry.subject,
                "subject_id": entry.subject_id,
                "contract_id": entry.contract_id,
                "billing_month": entry.billing_month,
                "facts": entry.document,
                "expected": entry.expected,
                "found": entry.found,
                "amount": entry.amount,
                "opened_at": at,
                "seen_at": at,
            }
            new_id = self._session.scalar(insert_new(self._session, Finding).values(row).returning(Finding.id))
            if new_id is not None:
                added.append(entry)
                changes.append(Change(new_id, None, OPEN, Reason(ReasonKind.OPENED, {"finding": entry.stated})))
        self._audit.record("finding", changes, at)
        return added

    def bearing_on(self, month: date) -> list[Finding]:
        """Return the open findings that bear on a billing month, oldest first."""
        return list(self._open(_OPEN.where(bears_on(month)).order_by(Finding.id)))

    def open_of_kind(self, kind: FindingKind) -> dict[Subject, Finding]:
        """Return the open findings of a kind by what they are about."""
        return {(finding.subject, finding.subject_id): finding for finding in self._open(_OF_KIND, kind=kind.value)}

    def open_months(self) -> set[date]:
        """Return the billing months that have an open finding."""
        query = select(Finding.billing_month).where(
            Finding.organization_id == self._organization_id,
            Finding.closed_at.is_(None),
            Finding.billing_month.is_not(None),
        )
        return {month for month in self._session.scalars(query.distinct()) if month is not None}

    def _open(self, query: Select[Finding] = _OPEN, **given: str) -> ScalarResult[Finding]:
        return self._session.scalars(query, {"organization_id": self._organization_id, **given})
