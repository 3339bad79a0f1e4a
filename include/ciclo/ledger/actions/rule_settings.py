"""How single rules are billed, by a person's word."""

from datetime import datetime

from sqlalchemy.orm import Session

from ciclo.ledger.actions.act import NoSuchRow
from ciclo.ledger.database import upsert
from ciclo.ledger.repositories import ContractRepository
from ciclo.ledger.tables import RuleSetting


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
