"""A ledger as the jobs would leave it, written straight into its tables, row by row.

Only what a view shows is made, and nothing is random: a screenshot and a test see the same.
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
from ciclo.domain.recurrence import AccrualMonth, PeriodUnit, Recurrence
from ciclo.ledger.tables import (
    AuditEntry,
    Base,
    Contract,
    Finding,
    IndexValue,
    Invoice,
    Period,
    Price,
    PriceUpdateExecution,
    Reasoned,
    Receivable,
    Rule,
    RuleVersion,
    ScheduledUpdate,
    reason_columns,
)
from ciclo.ledger.terms import RuleTerms, ServiceLine

ORGANIZATION = 2107
TODAY = date(2025, 11, 21)
NOW = datetime(2025, 11, 21, 12, 30, tzinfo=UTC)
SEEN = datetime(2025, 1, 1, 8, tzinfo=UTC)
INDICES = ("igpm", "ipca", "igpdi", "inpc", "ipcfipe")


class Rows:
    """Rows by table, in the order they were added, written a thousand at a time."""

    def __init__(self) -> None:
        self.made: dict[type[Base], list[dict[str, Any]]] = {}

    def add(self, table: type[Base], **row: Any) -> None:
        """Add one row."""
        if issubclass(table, Reasoned):
            row |= reason_columns(row.pop("reason", None))
        self.made.setdefault(table, []).append({"organization_id": ORGANIZATION, **row})

    def add_plain(self, table: type[Base], **row: Any) -> None:
        """Add one row of a table that knows no organization."""
        self.made.setdefault(table, []).append(row)

    def write(self, engine: Engine) -> None:
        """Write everything in one transaction."""
        with engine.begin() as connection:
            for table, rows in self.made.items():
                for chunk in chunks(rows):
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
        planned_date=issue_date,
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
        issue_date=issue_date,
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
        "facts": {"text": "The invoice's gross value is not the price in force on its issue date."},
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
    for index in INDICES:
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


def chunks(rows: Iterable[dict[str, Any]], size: int = 2000) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, size)):
        yield chunk
