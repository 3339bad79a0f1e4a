"""What people agree on with a customer and the vendor cannot hold: terms entered, ended; how a rule is billed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain import contract_terms
from ciclo.domain.contract_terms import said_of_term
from ciclo.domain.states import Fact, Reason, ReasonKind
from ciclo.ledger.actions.act import ActionOutcome, NoSuchRow, NotPossible, usable_note
from ciclo.ledger.repositories import Actor, AuditRepository, Change, ContractRepository
from ciclo.ledger.repositories.prices import domain_term, rows_of_contract
from ciclo.ledger.rows import insert_new
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
        NotPossible: the contract has no such rule, or the same is agreed already.
    """
    text = usable_note(note)
    if session.get(Contract, (organization_id, contract_id), with_for_update=True) is None:
        raise NoSuchRow("contract", contract_id)
    if term.rule_id is not None:
        rule = ContractRepository(session, organization_id).rules([term.rule_id]).get(term.rule_id)
        if rule is None or rule.contract_id != contract_id:
            none = _("Contract {contract} has no rule {rule}.")
            raise NotPossible(none.format(contract=contract_id, rule=term.rule_id))
    for known in rows_of_contract(session, organization_id, contract_id):
        if replace(domain_term(known), author=term.author) == term:
            same = _("That is agreed already: term {number}, entered by {who}.")
            raise NotPossible(same.format(number=known.id, who=known.person))
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


def setting_changed(subject_id: int, person: str, changed: Mapping[str, Sequence[object]]) -> Change:
    """Return the audit entry of a setting that a person changed; `changed` is what it was and is, by name."""
    changes = {name: ["—" if each is None else str(each) for each in both] for name, both in changed.items()}
    return Change(subject_id, None, "set", Reason(ReasonKind.SETTING_CHANGED, {"person": person, "changes": changes}))


def set_rule(
    session: Session,
    organization_id: int,
    rule_id: int,
    *,
    person: str,
    at: datetime,
    waits_for_quantities: bool | None = None,
    notice_days: int | None = None,
    lead_days: int | None = None,
) -> RuleSetting:
    """Say how a rule is billed; what is None stays as it is. Flushes.

    Args:
        session: the caller commits.
        organization_id: whose ledger.
        rule_id: which rule.
        person: who says it.
        at: when.
        waits_for_quantities: whether a period is billed only once its quantities have come; at first it is not.
        notice_days: days before the planned date on which missing ones are asked for; at first 5.
        lead_days: days before its issue date on which its invoice is made; counts where the installation's are fewer.

    Raises:
        NoSuchRow: the ledger has no such rule.
    """
    if not ContractRepository(session, organization_id).rules([rule_id]):
        raise NoSuchRow("rule", rule_id)
    key = {"organization_id": organization_id, "rule_id": rule_id}
    begun = {"waits_for_quantities": False, "notice_days": 5, "person": person, "changed_at": at}
    session.execute(insert_new(session, RuleSetting).values(**key, **begun))
    setting = session.get_one(RuleSetting, tuple(key.values()), with_for_update=True, populate_existing=True)
    given = {"waits_for_quantities": waits_for_quantities, "notice_days": notice_days, "lead_days": lead_days}
    changed = {
        name: [getattr(setting, name), value]
        for name, value in given.items()
        if value is not None and value != getattr(setting, name)
    }
    for name, (_before, value) in changed.items():
        setattr(setting, name, value)
    setting.person, setting.changed_at = person, at
    session.flush()
    if changed:
        trail = AuditRepository(session, organization_id, Actor(person=person))
        trail.record("rule", [setting_changed(rule_id, person, changed)], at)
    return setting
