"""Fourteen months of ten contracts: what the tests and the screenshots look at.

Nothing is random: a screenshot and a test see the same.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from ciclo.domain.calendar import add_months
from ciclo.domain.states import Reason, ReasonKind
from ciclo.ledger.tables import Forecast, MonthClosing, Organization, Price
from console.factories import (
    INDICES,
    NOW,
    SEEN,
    TODAY,
    Rows,
    a_contract,
    a_finding,
    a_period,
    a_rule,
    a_scheduled_update,
    an_audit,
    an_execution,
    an_invoice,
    index_values,
)

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
_MONTHS = 14


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
                rows, rule_id + 30_000, rule_id, contract_id, INDICES[rule_id % 5], on, 6 if kind else 12
            )
            for step in range(_MONTHS):
                period_id += 1
                _one_period(rows, period_id, rule_id, contract_id, add_months(init_date, step))
    _updates(rows)
    _findings(rows)
    _closings(rows)
    _forecast(rows)
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
        an_audit(
            rows,
            "period",
            period_id,
            ("planned", "submitting"),
            at,
            reason=Reason(ReasonKind.CLAIMED, {"owner": "issue/0"}),
        )
        an_audit(rows, "period", period_id, ("submitting", "issued"), at + timedelta(seconds=2))


def _special(period_id: int) -> dict[str, Any] | None:
    parked = Reason(ReasonKind.REFUSED, {"error": "description: não pode ficar em branco"})
    doubt = Reason(ReasonKind.NO_ANSWER, {"error": "POST: timeout, 30 s"})
    waits = Reason(ReasonKind.UPDATE_UNSETTLED, {"execution_date": "2025-12-01", "price_index": "igpm"})
    inactive = Reason(ReasonKind.CONTRACT_INACTIVE, {"contract_id": 105})
    owner = {"owner": "issue_invoices/manual/issue/0", "lease_until": NOW + timedelta(minutes=5)}
    return {
        PARKED: {"state": "parked", "reason": parked, "attempts": 1},
        IN_DOUBT: {"state": "in_doubt", "reason": doubt, "attempts": 1, "doubt_until": NOW + timedelta(minutes=20)},
        WAITING: {"state": "waiting", "reason": waits},
        SUBMITTING: {"state": "submitting", "attempts": 1, **owner},
        CANCELLED: {"state": "cancelled", "reason": inactive},
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
    late = {"price_index": "igpm", "month": "2025-10", "out_from": "2025-11-01", "until": "2025-12-01"}
    waits = Reason(ReasonKind.VALUE_LATE, late)
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
        facts={"text": "No invoice at the vendor for this period."},
        expected="one invoice",
        found="none",
    )
    seen = {"acknowledged_by": "ana", "acknowledged_at": NOW, "note": "asked the vendor"}
    a_finding(rows, 3, kind="finance_system_error", subject_id=500, **seen)


def _forecast(rows: Rows) -> None:
    months = [f"{add_months(date(2025, 11, 1), number):%Y-%m}" for number in range(13)]
    revenue = [{"month": month, "billed": "8950.00", "stopped": "550.00", "what_if": "9100.00"} for month in months]
    prices = [{"old": "100.00", "new": "104.50"}]
    update = {"contract_id": 100, "rule_id": 1000, "execution_date": "2025-12-01", "state": "applied", "prices": prices}
    stop = {"shown_on": "2025-12-08", "cleared_on": None, "kind": "parked", "message": f"Refused: {HOSTILE_NAME}"}
    document = {
        "months": revenue,
        "revenue": [{"contract_id": 100, "contract": HOSTILE_NAME, **each} for each in revenue],
        "what_if": {"igpm": "0.4"},
        "readjustments": [update],
        "stops": [stop],
        "confusable": [
            {"contract_id": 101, "rule_ids": [1003, 1004], "planned_dates": ["2025-12-08"], "alike": "value"}
        ],
        "ending": [
            {
                "contract_id": 101,
                "rule_id": 1003,
                "title": "Links",
                "last_planned_date": "2026-05-08",
                "per_month": "550.00",
            }
        ],
        "left_out": ["rule 7 cannot be read"],
    }
    rows.add(Forecast, id=1, made_at=NOW, document=document)


def _closings(rows: Rows) -> None:
    for number, month in enumerate((date(2025, 9, 1), date(2025, 10, 1), date(2025, 10, 1)), start=1):
        rows.add(
            MonthClosing,
            id=number,
            billing_month=month,
            closed=number != 2,
            report=_report(month, closed=number != 2),
            run_id=f"scheduled__{add_months(month, 1):%Y-%m}-02T12:00:00+00:00",
            created_at=datetime.combine(add_months(month, 1), datetime.min.time(), UTC) + timedelta(days=1, hours=12),
        )


def _report(month: date, *, closed: bool) -> dict[str, Any]:
    """A month's report in the shape that closing a month leaves."""
    place = {"contract_id": 101, "rule_id": 1003, "issue_date": "2025-10-08"}
    stopped = Reason(ReasonKind.NOT_ISSUED, {"state": "parked", "why": Reason(ReasonKind.LOST_TWICE).fact})
    missing = place | {"amount": "550.00", "because": stopped.fact}
    edited = {"contract_id": 100, "invoice_id": 80013, "found": "660.00", "expected": "650.00"}
    return {
        "month": f"{month:%Y-%m}",
        "verdict": "closed" if closed else "not closed",
        "what_keeps_it_open": {} if closed else {"missing": 1},
        "closed": closed,
        "made_at": "2025-11-02T12:00:00+00:00",
        "totals": {"expected_periods": 19, "expected": "8950.00", "billed_periods": 19, "invoiced": "8950.00"},
        "missing": [] if closed else [missing],
        "accepted": [{"stated": {"finding": "value_edited", "facts": edited}, "by": "ana", "note": "agreed by mail"}],
        "contracts": [
            {"contract_id": 100 + number, "name": name, "periods": 1 + number % 3, "expected": "895.00"}
            for number, name in enumerate(_CUSTOMERS[:5])
        ],
    }
