"""What people agree on with a customer and the vendor cannot hold: terms entered, ended; how a rule is billed."""

from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain import contract_terms
from ciclo.domain.contract_terms import said_of_term
from ciclo.domain.states import Fact, Reason, ReasonKind
from ciclo.ledger.actions.act import ActionOutcome, NoSuchRow, usable_note
from ciclo.ledger.database import upsert
from ciclo.ledger.repositories import Actor, AuditRepository, Change, ContractRepository
from ciclo.ledger.repositories.prices import domain_term
from ciclo.ledger.tables import Contract, ContractTerm, RuleSetting
from ciclo.locale import _


def agree_term(
    session: Session,
    organization_id: int,
    contract_id: int,
    term: contract_terms.ContractTerm,
    *,
    note: str,
    at: datetime,
) -> int:
    """Enter a term of a contract in its author's name; return its number.

    Raises:
        UnusableNote: the note is empty or longer than `LONGEST_NOTE`.
        NoSuchRow: the organization has no such contract.
    """
    text = usable_note(note)
    if session.get(Contract, (organization_id, contract_id)) is None:
        raise NoSuchRow("contract", contract_id)
    row = ContractTerm(
        organization_id=organization_id,
        contract_id=contract_id,
        rule_id=term.rule_id,
        kind=term.kind.value,
        percent=term.percent,
        price_index=term.index.value if term.index else None,
        day=term.day,
        clause=term.clause,
        effective_from=term.effective_from,
        effective_to=term.effective_to,
        person=term.author,
        note=text,
        created_at=at,
    )
    session.add(row)
    session.flush()
    reason = Reason(ReasonKind.TERM_AGREED, {"person": term.author, "term": said_of_term(term), "note": text})
    trail = AuditRepository(session, organization_id, Actor(person=term.author))
    trail.record("term", [Change(row.id, None, "agreed", reason)], at)
    return row.id


def end_term(
    session: Session, organization_id: int, term_id: int, last_day: date, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Give a term its last day; executions up to it keep to the term.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        InvalidTerm: it begins after that day.
    """
    text = usable_note(note)
    query = select(ContractTerm).where(ContractTerm.organization_id == organization_id, ContractTerm.id == term_id)
    row = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if row is None:
        raise NoSuchRow("term", term_id)
    if row.effective_to == last_day:
        return ActionOutcome(changed=False, message=_("It ends on that day already."))
    term = replace(domain_term(row), effective_to=last_day)
    row.effective_to = last_day
    session.flush()
    facts: dict[str, Fact] = {"person": person, "term": said_of_term(term), "last_day": last_day.isoformat()}
    reason = Reason(ReasonKind.TERM_ENDED, facts | {"note": text})
    trail = AuditRepository(session, organization_id, Actor(person=person))
    trail.record("term", [Change(term_id, "agreed", "ended", reason)], at)
    return ActionOutcome(changed=True, message=_("Ended: later executions go without it."))


def set_rule(
    session: Session,
    organization_id: int,
    rule_id: int,
    *,
    person: str,
    at: datetime,
    waits_for_quantities: bool = False,
    notice_days: int = 5,
    lead_days: int | None = None,
) -> None:
    """Say how a rule is billed. Flushes.

    Args:
        session: the caller commits.
        organization_id: whose ledger.
        rule_id: which rule.
        person: who says it.
        at: when.
        waits_for_quantities: whether a period is billed only once its quantities have come.
        notice_days: days before the planned date on which missing ones are asked for.
        lead_days: days before its issue date on which its invoice is made; counts where the installation's are fewer.

    Raises:
        NoSuchRow: the ledger has no such rule.
    """
    if not ContractRepository(session, organization_id).rules([rule_id]):
        raise NoSuchRow("rule", rule_id)
    row = {
        "organization_id": organization_id,
        "rule_id": rule_id,
        "waits_for_quantities": waits_for_quantities,
        "notice_days": notice_days,
        "noticed_until": None,
        "lead_days": lead_days,
        "person": person,
        "changed_at": at,
    }
    session.execute(upsert(session, RuleSetting, keep=["noticed_until"]), [row])
