"""What a person may do with a finding: say that it is known, and why it may stay; take that back."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.states import Reason, ReasonKind
from ciclo.ledger.actions.act import ActionOutcome, NoSuchRow, NotPossible, usable_note
from ciclo.ledger.repositories import Actor, AuditRepository, Change
from ciclo.ledger.tables import Finding
from ciclo.locale import _


def acknowledge_finding(
    session: Session, organization_id: int, finding_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Say that a person has seen a finding and what is done about it; it closes when the disagreement is gone.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
    """
    text = usable_note(note)
    finding = _locked_finding(session, organization_id, finding_id)
    if finding.acknowledged_at is not None:
        text = _("Already acknowledged by {who}: {note}")
        who = finding.acknowledged_by or _("somebody")
        return ActionOutcome(changed=False, message=text.format(who=who, note=finding.note))
    if finding.closed_at is not None:
        return ActionOutcome(changed=False, message=_("It is closed: what it was about is gone."))
    finding.acknowledged_by, finding.acknowledged_at, finding.note = person, at, text
    session.flush()
    reason = Reason(ReasonKind.ACKNOWLEDGED, {"person": person, "note": text})
    change = Change(finding.id, "open", "acknowledged", reason)
    AuditRepository(session, organization_id, Actor(person=person)).record("finding", [change], at)
    return ActionOutcome(changed=True, message=_("Acknowledged."))


def open_finding_again(
    session: Session, organization_id: int, finding_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Take an acknowledgement back: the finding waits for a person again, and a late readjustment for its decision.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        NotPossible: the finding is closed; there is nothing left to wait for.
    """
    text = usable_note(note)
    finding = _locked_finding(session, organization_id, finding_id)
    if finding.acknowledged_at is None:
        return ActionOutcome(changed=False, message=_("It is not acknowledged."))
    if finding.closed_at is not None:
        raise NotPossible(_("It is closed: what it was about is gone."))
    finding.acknowledged_by = finding.acknowledged_at = finding.note = None
    session.flush()
    change = Change(finding.id, "acknowledged", "open", Reason(ReasonKind.OPEN_AGAIN, {"person": person, "note": text}))
    AuditRepository(session, organization_id, Actor(person=person)).record("finding", [change], at)
    return ActionOutcome(changed=True, message=_("It waits for a person again."))


def _locked_finding(session: Session, organization_id: int, finding_id: int) -> Finding:
    query = select(Finding).where(Finding.organization_id == organization_id, Finding.id == finding_id)
    finding = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if finding is None:
        raise NoSuchRow("finding", finding_id)
    return finding
