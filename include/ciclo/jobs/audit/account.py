"""A whole account audited: read, judged contract by contract, and added up."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from ciclo.billimatic import BillimaticClient
from ciclo.billimatic.models import OddRecord
from ciclo.billimatic.models.reading import read_date
from ciclo.domain.findings import AuditKind, Unjudged
from ciclo.domain.price_index import PriceIndex
from ciclo.domain.states import Fact
from ciclo.jobs.audit.findings import Audit, AuditFinding, AuditRange, Endless, Note, running_out
from ciclo.jobs.audit.judge import Account, ReadContract, judge_contract
from ciclo.jobs.audit.read import PARTLY_READ, Progress, read_account, read_since
from ciclo.jobs.audit.store import AuditStore, opened_store
from ciclo.sgs.client import SgsClient
from ciclo.sgs.series import Series, shipped_series


def audit_account(
    api: BillimaticClient,
    audited: AuditRange,
    *,
    sgs: SgsClient,
    cache: Path | None = None,
    tell: Callable[[Progress], None],
) -> Audit:
    """Read an account and judge it; nothing is written but the cache.

    Args:
        api: a client that only reads.
        audited: the months.
        sgs: asked for the months of the indices that do not ship.
        cache: a file from which a stopped audit goes on; None: a temporary one.
        tell: told how far it is.

    Raises:
        ApiError: the account cannot be read.
        OtherAuditError: the cache is that of another audit.
    """
    about = {"organization": str(api.organization_id), **audited.document(), "read on": audited.today.isoformat()}
    with opened_store(cache, about) as store:
        read_account(api, store, audited, tell)
        newest = sgs.newest_values(audited.as_of)
        result = judge_account(store, audited, api.organization_id, newest.values)
    if newest.problem and any(each.kind is Unjudged.INDEX_NOT_OUT for each in result.unjudged):
        facts: dict[str, Fact] = {"error": newest.problem}
        result.unjudged.insert(0, Note(kind=Unjudged.INDEX_NOT_FETCHED, contract_id=None, facts=facts))
    return result


def judge_account(
    store: AuditStore, audited: AuditRange, organization_id: int, newest: Mapping[PriceIndex, Series]
) -> Audit:
    """Judge what was read of an account by the indices that ship and those months that do not."""
    result = Audit()
    series = {index: {**known, **newest.get(PriceIndex(index), {})} for index, known in shipped_series().items()}
    account = Account(range=audited, series=series, service_items=store.kept("service_items") or {})
    unread = _unread(store, result, audited)
    odd_rules = {each.contract_id for each in store.odd("invoice_rule")}
    odd_days = _odd_days(store)
    endless: list[Endless] = []
    for contract, listed in store.contracts():
        if contract.id in unread or contract.kind == "purchase" or contract.supplier_id not in (None, organization_id):
            continue
        found = judge_contract(
            ReadContract(
                contract=contract,
                rules=store.rules(contract.id),
                invoices=store.invoices(contract.id),
                since=read_since(store, audited, contract.id),
                is_active=listed or contract.is_active,
                odd_rules=contract.id in odd_rules,
                odd_days=odd_days.get(contract.id, ()),
            ),
            replace(account, nfses=store.nfses(contract.id)),
        )
        result.add(found.audit)
        endless += found.endless
    result.findings += running_out(endless, audited)
    result.sort()
    return result


def _unread(store: AuditStore, result: Audit, audited: AuditRange) -> set[int]:
    """Find what cannot be read; return the contracts that cannot be judged for it."""
    contracts = set()
    for record in store.odd("contract"):
        result.findings.append(_odd(record, record.id))
        contracts.add(record.id or 0)
    for record in (*store.odd("invoice_rules"), *store.odd("invoices")):
        contracts.add(record.contract_id or 0)
        result.findings.append(_odd(record, record.contract_id))
    for record in store.odd("invoice_rule"):
        result.findings.append(_odd(record, record.contract_id, rule_id=record.id))
    for record in store.odd("invoice"):
        day = _planned(record)
        if day is None or day in audited.judged:
            result.findings.append(_odd(record, record.contract_id, invoice_id=record.id, day=day))
    for first, last, why in store.kept(PARTLY_READ) or ():
        facts = {"from_date": first, "to_date": last, "error": why}
        result.unjudged.append(Note(kind=Unjudged.INVOICES_PARTLY_READ, contract_id=None, facts=facts))
    if store.kept("nfses_unread"):
        facts = {"error": store.kept("nfses_unread")}
        result.unjudged.append(Note(kind=Unjudged.NFSE_UNREAD, contract_id=None, facts=facts))
    return contracts


def _odd(
    record: OddRecord,
    contract_id: int | None,
    *,
    rule_id: int | None = None,
    invoice_id: int | None = None,
    day: date | None = None,
) -> AuditFinding:
    return AuditFinding(
        kind=AuditKind.UNREAD,
        contract_id=contract_id,
        rule_id=rule_id,
        invoice_ids=(invoice_id,) if invoice_id is not None else (),
        planned_date=day,
        facts={"resource": record.resource, "error": record.problem},
    )


def _odd_days(store: AuditStore) -> Mapping[int, list[date | None]]:
    found: dict[int, list[date | None]] = {}
    for record in store.odd("invoice"):
        if record.contract_id is not None:
            found.setdefault(record.contract_id, []).append(_planned(record))
    return found


def _planned(record: OddRecord) -> date | None:
    """Return the planned date of an invoice that cannot be read, if it tells that at least."""
    payload = record.payload if isinstance(record.payload, Mapping) else {}
    for field in ("estimated_issue_date", "issue_date"):
        try:
            day = read_date(payload.get(field))
        except ValueError:
            continue
        if isinstance(day, date):
            return day
    return None
