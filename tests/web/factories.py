"""A ledger as the jobs would leave it, written straight into its tables: a small year, and a large one for timing.

The one rule: only what a view shows is made, and nothing is random: a screenshot and a test see the same.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import Engine, insert

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.periods import AccrualMonth, PeriodUnit, Recurrence
from ciclo.ledger.tables import (
    AuditEntry,
    Base,
    Contract,
    Finding,
    IndexValue,
    Invoice,
    MonthClosing,
    Organization,
    Period,
    Price,
    PriceUpdateExecution,
    Receivable,
    Rule,
    RuleVersion,
    ScheduledUpdate,
)
from ciclo.ledger.terms import RuleTerms, ServiceLine

ORGANIZATION = 2107
TODAY = date(2025, 11, 21)
NOW = datetime(2025, 11, 21, 12, 30, tzinfo=UTC)
SEEN = datetime(2025, 1, 1, 8, tzinfo=UTC)
HOSTILE_NAME = "<script>alert(1)</script>' OR 1=1 -- =cmd|' /C calc'!A0"

_CUSTOMERS = (
    "Padaria Estrela do Sul Ltda. - Suporte de TI",
    "Supermercados Três Irmãos S.A. - Infraestrutura das lojas",
    "Clínica Bem Viver - Sistema de gestão",
    "Transportadora Rota Norte - Rastreamento",
    "Colégio Horizonte - Rede e telefonia",
    "Metalúrgica Progresso - Segurança da informação",
    "Escritório Moreira & Prado - Backup em nuvem",
    "Farmácias Saúde Já - Monitoramento",
    "Cooperativa Agrícola Vale Verde - Silos",
    HOSTILE_NAME,
)
_TITLES = ("Mensalidade", "Links dedicados", "Locação de equipamentos")
_INDICES = ("igpm", "ipca", "igpdi", "inpc", "ipcfipe")
_MONTHS = 14


class Rows:
    """Rows by table, in the order they were added, written a thousand at a time."""

    def __init__(self) -> None:
        self._rows: dict[type[Base], list[dict[str, Any]]] = {}

    def add(self, table: type[Base], **row: Any) -> None:
        """Add one row."""
        self._rows.setdefault(table, []).append({"organization_id": ORGANIZATION, **row})

    def add_plain(self, table: type[Base], **row: Any) -> None:
        """Add one row of a table that knows no organization."""
        self._rows.setdefault(table, []).append(row)

    def write(self, engine: Engine) -> None:
        """Write everything in one transaction."""
        with engine.begin() as connection:
            for table, rows in self._rows.items():
                for chunk in _chunks(rows):
                    connection.execute(insert(table), chunk)


def rule_terms(rule_id: int, init_date: date, **changes: Any) -> dict[str, Any]:
    """A rule's terms: monthly, due on the next day 10, one service of two units."""
    terms = RuleTerms(
        recurrence=Recurrence(init_date, PeriodUnit.MONTHLY, 1),
        charge=Charge(ChargeType.FIXED_DAY, day_number=10),
        accrual=AccrualMonth.SAME_MONTH,
        services=(ServiceLine(rule_id * 10, Decimal(2), "Suporte de TI remoto", "", 101),),
    )
    return replace(terms, **changes).document()


def a_contract(rows: Rows, contract_id: int, name: str, *, state: str = "active") -> None:
    """Add a contract."""
    rows.add(
        Contract,
        contract_id=contract_id,
        name=name,
        customer_id=contract_id + 7000,
        state=state,
        payload={},
        first_seen_at=SEEN,
        seen_at=NOW,
        gone_at=None,
    )


def a_rule(rows: Rows, rule_id: int, contract_id: int, title: str, init_date: date, **changes: Any) -> None:
    """Add a rule with its first version and its first price."""
    common = {"rule_id": rule_id, "payload": {}, "seen_at": NOW}
    rows.add(
        Rule,
        **common,
        contract_id=contract_id,
        title=title,
        version=1,
        init_date=init_date,
        end_date=None,
        first_seen_at=SEEN,
        gone_at=None,
    )
    rows.add(
        RuleVersion,
        **common,
        version=1,
        effective_from=init_date,
        terms=rule_terms(rule_id, init_date, **changes),
        terms_hash="0",
    )
    rows.add(
        Price,
        rule_id=rule_id,
        service_id=rule_id * 10,
        effective_from=init_date,
        unit_value=Decimal("150.00"),
        source="rule",
        execution_id=None,
        created_at=SEEN,
    )


def a_period(rows: Rows, period_id: int, rule_id: int, contract_id: int, issue_date: date, **changes: Any) -> None:
    """Add a period; planned, unless told otherwise."""
    row = {
        "id": period_id,
        "contract_id": contract_id,
        "rule_id": rule_id,
        "rule_version": 1,
        "issue_date": issue_date,
        "accrual_month": first_of_month(issue_date),
        "first_due_date": add_months(issue_date, 1),
        "parcel_number": 1,
        "gross_value": Decimal("300.00"),
        "state": "planned",
        "reason": None,
        "attempts": 0,
        "owner": None,
        "lease_until": None,
        "doubt_until": None,
        "invoice_id": None,
        "planned_by": "expand_invoice_rules/scheduled__2025-01-01",
        "created_at": SEEN,
        "changed_at": datetime.combine(issue_date, datetime.min.time(), UTC) + timedelta(hours=9),
    }
    rows.add(Period, **(row | changes))


def an_invoice(
    rows: Rows, invoice_id: int, period_id: int | None, contract_id: int, issue_date: date, **changes: Any
) -> None:
    """Add an invoice with its one receivable, paid if it is due before today."""
    amount = changes.get("gross_value", Decimal("300.00"))
    due_date = add_months(issue_date, 1)
    state = changes.pop("state", None) or ("received" if due_date < TODAY - timedelta(20) else "to_receive")
    rows.add(
        Invoice,
        invoice_id=invoice_id,
        contract_id=contract_id,
        period_id=period_id,
        issue_date=issue_date,
        gross_value=amount,
        state=state,
        description="Mensalidade de suporte",
        reference=f"ciclo:{ORGANIZATION}:{period_id}:{issue_date}",
        adopted=False,
        first_seen_at=SEEN,
        seen_at=NOW,
        gone_at=None,
    )
    rows.add(
        Receivable,
        receivable_id=invoice_id + 500_000,
        invoice_id=invoice_id,
        contract_id=contract_id,
        due_date=due_date,
        percentage=Decimal(100),
        gross_value=amount,
        state=state,
        received_value=amount if state == "received" else None,
        received_at=due_date + timedelta(invoice_id % 9 - 2) if state == "received" else None,
        finance_errors="Cliente sem e-mail" if invoice_id % 37 == 0 else None,
        first_seen_at=SEEN,
        seen_at=NOW,
        gone_at=None,
    )


def an_audit(
    rows: Rows, subject: str, subject_id: int, change: tuple[str | None, str], at: datetime, **by: Any
) -> None:
    """Add an audit entry; by a task of issue_invoices, unless told otherwise."""
    actor = {
        "reason": None,
        "dag_id": "issue_invoices",
        "run_id": f"scheduled__{at:%Y-%m-%d}T09:00:00+00:00",
        "task_id": "issue",
        "map_index": 0,
        "person": None,
    }
    row = {"subject": subject, "subject_id": subject_id, "from_state": change[0], "to_state": change[1], "at": at}
    rows.add(AuditEntry, **(actor | row | by))


def a_finding(rows: Rows, finding_id: int, **changes: Any) -> None:
    """Add an open finding."""
    row: dict[str, Any] = {
        "id": finding_id,
        "kind": "amount_differs",
        "subject": "invoice",
        "subject_id": 90_000 + finding_id,
        "contract_id": 100,
        "billing_month": date(2025, 10, 1),
        "message": "The invoice's gross value is not the price in force on its issue date.",
        "expected": "R$ 300,00",
        "found": "R$ 310,00",
        "amount": Decimal("10.00"),
        "opened_at": NOW - timedelta(days=finding_id),
        "seen_at": NOW,
        "closed_at": None,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "note": None,
    }
    rows.add(Finding, **(row | changes))


def an_execution(rows: Rows, execution_id: int, rule_id: int, contract_id: int, on: date, **changes: Any) -> None:
    """Add an applied execution with a year of evidence."""
    months = [add_months(first_of_month(on), -back) for back in range(12, 0, -1)]
    row: dict[str, Any] = {
        "id": execution_id,
        "scheduled_update_id": rule_id + 30_000,
        "contract_id": contract_id,
        "rule_id": rule_id,
        "execution_date": on,
        "state": "applied",
        "reason": None,
        "price_index": "igpm",
        "policy": "published",
        "factor": Decimal("1.0496363012"),
        "evidence": {
            "months": [
                {
                    "month": month.isoformat(),
                    "value": str(index_value(month)),
                    "revision": 0,
                    "source": "SGS 189",
                    "fetched_at": "2025-06-01T10:00:00+00:00",
                }
                for month in months
            ],
            "accumulated": "1.0496363012",
            "floored": False,
            "prices": [{"service_id": rule_id * 10, "old": "150.00", "new": "157.45"}],
            "warnings": [],
        },
        "proposal_hash": "0",
        "approved_by": "ana",
        "approved_at": NOW - timedelta(days=100),
        "owner": None,
        "lease_until": None,
        "doubt_until": None,
        "waiting_since": None,
        "reminded_at": NOW - timedelta(days=107),
        "created_at": NOW - timedelta(days=107),
        "changed_at": NOW - timedelta(days=100),
    }
    rows.add(PriceUpdateExecution, **(row | changes))


def index_value(month: date) -> Decimal:
    """A made-up monthly variation: some months fall."""
    return Decimal((month.month * 7 + month.year) % 13 - 4) / 10


def index_values(rows: Rows) -> None:
    """Add three years of every index."""
    for index in _INDICES:
        for back in range(36):
            month = add_months(date(2025, 10, 1), -back)
            rows.add_plain(
                IndexValue,
                price_index=index,
                month=month,
                revision=0,
                value=index_value(month),
                source="SGS",
                fetched_at=NOW,
            )


def a_scheduled_update(
    rows: Rows, update_id: int, rule_id: int, contract_id: int, index: str, on: date, every: int = 12
) -> None:
    """Add a scheduled update with its next execution."""
    rows.add(
        ScheduledUpdate,
        scheduled_update_id=update_id,
        contract_id=contract_id,
        rule_id=rule_id,
        price_index=index,
        init_date=on,
        month_quantity=every,
        days_until_update=7,
        service_item_id=None,
        next_execution_date=on,
        remote_execution_date=on,
        payload={},
        first_seen_at=SEEN,
        seen_at=NOW,
        gone_at=None,
    )


def fill_small_year(engine: Engine, *, hostile: bool = True) -> None:
    """Fourteen months of ten contracts: every state, an update of every kind, findings, closed months.

    One contract has a name that tries to be markup, SQL and a formula, unless `hostile` is false.
    """
    rows = Rows()
    rows.add(Organization, name="Vértice Serviços Gerenciados Ltda.", first_seen_at=SEEN)
    index_values(rows)
    period_id = 0
    names = _CUSTOMERS if hostile else (*_CUSTOMERS[:-1], "Hotel Serra Azul - Suporte de TI")
    for number, name in enumerate(names):
        contract_id = 100 + number
        a_contract(rows, contract_id, name, state="inactive" if number == 8 else "active")
        for kind, title in enumerate(_TITLES[: 1 + number % 3]):
            rule_id = 1000 + number * 3 + kind
            init_date = date(2024, 10, 3 + (number * 5 + kind * 11) % 25)
            a_rule(rows, rule_id, contract_id, title, init_date)
            on = add_months(date(2025, 12, 1), (number + kind) % 12)
            a_scheduled_update(
                rows, rule_id + 30_000, rule_id, contract_id, _INDICES[rule_id % 5], on, 6 if kind else 12
            )
            for step in range(_MONTHS):
                period_id += 1
                _one_period(rows, period_id, rule_id, contract_id, add_months(init_date, step))
    _updates(rows)
    _findings(rows)
    _closings(rows)
    rows.write(engine)


PARKED, IN_DOUBT, WAITING, SUBMITTING, CANCELLED = 27, 41, 55, 69, 83
"""Ids of the periods of the small year that are not simply issued or planned."""


def _one_period(rows: Rows, period_id: int, rule_id: int, contract_id: int, issue_date: date) -> None:
    amount = Decimal(period_id % 9 * 100 + 250).quantize(Decimal("0.01"))
    at = datetime.combine(issue_date, datetime.min.time(), UTC) + timedelta(hours=9)
    special = _special(period_id)
    an_audit(rows, "period", period_id, (None, "planned"), SEEN, dag_id="expand_invoice_rules", task_id="expand")
    if special:
        a_period(rows, period_id, rule_id, contract_id, issue_date, gross_value=amount, **special)
        change = ("submitting", special["state"])
        an_audit(rows, "period", period_id, change, at, reason=special.get("reason"))
    elif issue_date > TODAY:
        a_period(rows, period_id, rule_id, contract_id, issue_date, gross_value=amount)
    else:
        invoice_id = 80_000 + period_id
        state = {"state": "issued", "invoice_id": invoice_id, "attempts": 1}
        a_period(rows, period_id, rule_id, contract_id, issue_date, gross_value=amount, **state)
        an_invoice(rows, invoice_id, period_id, contract_id, issue_date, gross_value=amount)
        an_audit(rows, "period", period_id, ("planned", "submitting"), at, reason="claimed by issue/0")
        an_audit(rows, "period", period_id, ("submitting", "issued"), at + timedelta(seconds=2))


def _special(period_id: int) -> dict[str, Any] | None:
    parked = "The API refused it: description: não pode ficar em branco"
    doubt = "POST timed out after 30 s; it may have been created"
    owner = {"owner": "issue_invoices/manual/issue/0", "lease_until": NOW + timedelta(minutes=5)}
    return {
        PARKED: {"state": "parked", "reason": parked, "attempts": 1},
        IN_DOUBT: {"state": "in_doubt", "reason": doubt, "attempts": 1, "doubt_until": NOW + timedelta(minutes=20)},
        WAITING: {"state": "waiting", "reason": "Waits for the price update of 01/12/2025"},
        SUBMITTING: {"state": "submitting", "attempts": 1, **owner},
        CANCELLED: {"state": "cancelled", "reason": "The contract is inactive"},
    }.get(period_id)


def _updates(rows: Rows) -> None:
    an_execution(rows, 1, 1000, 100, date(2025, 6, 1))
    rows.add(
        Price,
        rule_id=1000,
        service_id=10_000,
        effective_from=date(2025, 6, 1),
        unit_value=Decimal("157.45"),
        source="price update",
        execution_id=1,
        created_at=NOW,
    )
    waits = "IGP-M of 10/2025 should be out and is not"
    an_execution(rows, 2, 1003, 101, date(2025, 11, 1), state="waiting", factor=None, evidence=None, reason=waits)
    an_execution(rows, 3, 1004, 101, date(2025, 11, 15), state="proposed", approved_by=None, approved_at=None)
    an_audit(rows, "execution", 1, ("proposed", "applied"), NOW - timedelta(days=100), dag_id="apply_price_updates")


def _findings(rows: Rows) -> None:
    a_finding(rows, 1)
    a_finding(
        rows,
        2,
        kind="deleted_remotely",
        subject="period",
        subject_id=3,
        contract_id=101,
        amount=Decimal("550.00"),
        message="No invoice at the vendor for this period.",
        expected="one invoice",
        found="none",
    )
    seen = {"acknowledged_by": "ana", "acknowledged_at": NOW, "note": "asked the vendor"}
    a_finding(rows, 3, kind="finance_system_error", subject_id=500, **seen)


def _closings(rows: Rows) -> None:
    for number, month in enumerate((date(2025, 9, 1), date(2025, 10, 1), date(2025, 10, 1)), start=1):
        rows.add(
            MonthClosing,
            id=number,
            billing_month=month,
            closed=number != 2,
            report={
                "expected": 19,
                "issued": 19,
                "missing": [] if number != 2 else [{"period_id": 3, "contract_id": 101, "gross_value": "550.00"}],
                "duplicate": [],
                "totals": {"expected": "R$ 8.950,00", "issued": "R$ 8.950,00"},
            },
            run_id=f"scheduled__{add_months(month, 1):%Y-%m}-02T12:00:00+00:00",
            created_at=datetime.combine(add_months(month, 1), datetime.min.time(), UTC) + timedelta(days=1, hours=12),
        )


def fill_large_ledger(engine: Engine, *, periods: int = 100_000, parcels: int = 2) -> None:
    """Write `periods` periods, most of them issued, each invoice with `parcels` receivables, and their audit trail."""
    months = 24
    rules = periods // months
    rows = Rows()
    rows.add(Organization, name="Large", first_seen_at=SEEN)
    index_values(rows)
    for number in range(rules):
        contract_id, rule_id = 1 + number // 2, 1 + number
        if number % 2 == 0:
            a_contract(rows, contract_id, f"Cliente {number * 7919 % rules:06d} Ltda.")
        a_rule(rows, rule_id, contract_id, f"Regra {number}", date(2024, 1, 1 + number % 28))
        if number % 3 == 0:
            on = add_months(date(2025, 12, 1), number % 12)
            a_scheduled_update(rows, rule_id, rule_id, contract_id, _INDICES[number % 5], on)
    rows.write(engine)
    with engine.begin() as connection:
        for table, chunk in _large_chunks(rules, months, parcels):
            connection.execute(insert(table), chunk)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def _large_chunks(rules: int, months: int, parcels: int) -> Iterator[tuple[type[Base], list[dict[str, Any]]]]:
    for step in range(months):
        rows = Rows()
        for number in range(rules):
            period_id = step * rules + number + 1
            issue_date = add_months(date(2024, 1, 1 + number % 28), step)
            _large_period(rows, period_id, number, issue_date, parcels)
        for table, made in rows._rows.items():
            for chunk in _chunks(made):
                yield table, chunk


def _large_period(rows: Rows, period_id: int, number: int, issue_date: date, parcels: int) -> None:
    contract_id, rule_id = 1 + number // 2, 1 + number
    if issue_date > TODAY:
        a_period(rows, period_id, rule_id, contract_id, issue_date)
        return
    if period_id % 500 == 0:
        state = "parked" if period_id % 1000 else "in_doubt"
        a_period(rows, period_id, rule_id, contract_id, issue_date, state=state, reason="refused")
        return
    a_period(rows, period_id, rule_id, contract_id, issue_date, state="issued", invoice_id=period_id)
    an_invoice(rows, period_id, period_id, contract_id, issue_date)
    for parcel in range(1, parcels):
        copy = dict(rows._rows[Receivable][-1])
        copy |= {"receivable_id": copy["receivable_id"] + parcel * 10_000_000, "due_date": add_months(issue_date, 2)}
        rows._rows[Receivable].append(copy)
    at = datetime.combine(issue_date, datetime.min.time(), UTC)
    an_audit(rows, "period", period_id, ("planned", "submitting"), at)
    an_audit(rows, "period", period_id, ("submitting", "issued"), at)


def _chunks(rows: Iterable[dict[str, Any]], size: int = 2000) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, size)):
        yield chunk
