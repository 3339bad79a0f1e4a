"""The views for BI: the columns that docs/bi.md promises, and the ledger's own figures, on both databases."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from sqlalchemy import func, insert, inspect, select, text, update

from ciclo.domain.states import PeriodState
from ciclo.ledger.tables import Finding, Invoice, Organization, Period, Price, Receivable, Rule, RuleVersion
from console.factories import ORGANIZATION, SEEN
from console.small_year import fill_small_year

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def year(ledger_engine):
    fill_small_year(ledger_engine, hostile=False)
    return ledger_engine


def documented() -> dict[str, list[str]]:
    parts = (DOCS / "bi.md").read_text("utf-8").split("\n## ")
    views = [part for part in parts if part.startswith("v_")]
    return {part.splitlines()[0]: re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) for part in views}


def rows(engine, statement, **given):
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(statement), given).mappings()]


def cents(value) -> Decimal:
    return Decimal(str(value or 0)).quantize(Decimal("0.01"))


def test_every_view_has_exactly_the_columns_that_are_documented(ledger_engine):
    there = inspect(ledger_engine)
    columns = {name: [column["name"] for column in there.get_columns(name)] for name in there.get_view_names()}
    assert columns == documented()


def test_the_example_for_dbt_names_the_same_columns():
    source = yaml.safe_load((DOCS / "dbt" / "ciclo_sources.yml").read_text("utf-8"))["sources"][0]
    described = {each["name"]: [column["name"] for column in each["columns"]] for each in source["tables"]}
    assert described == documented()


def test_a_views_rows_and_sums_are_those_of_its_table(year):
    totals = {
        Invoice: "SELECT COUNT(*) AS number, SUM(gross_value) AS total FROM v_invoices",
        Receivable: "SELECT COUNT(*) AS number, SUM(gross_value) AS total FROM v_receivables",
    }
    for table, statement in totals.items():
        [found] = rows(year, statement)
        with year.connect() as connection:
            number, total = connection.execute(select(func.count(), func.sum(table.gross_value))).one()
        assert (found["number"], cents(found["total"])) == (number, total)
        assert number
    with year.connect() as connection:
        assert rows(year, "SELECT COUNT(*) AS n FROM v_findings") == [
            {"n": connection.scalar(select(func.count()).select_from(Finding))}
        ]


def test_recurring_revenue_of_monthly_rules_is_what_their_periods_amount_to(year):
    with year.connect() as connection:
        live = Period.state != PeriodState.CANCELLED
        expected = connection.scalar(select(func.sum(Period.gross_value)).where(live))
    [found] = rows(year, "SELECT SUM(mrr) AS total FROM v_mrr")
    assert cents(found["total"]) == expected


def test_a_difference_that_is_billed_by_itself_does_not_recur(year):
    with year.connect() as connection:
        number = connection.scalar(select(Period.rule_id).where(Period.gross_value.is_not(None)).limit(1))
    before = rows(year, "SELECT 1 FROM v_mrr WHERE rule_id = :rule", rule=number)
    with year.begin() as connection:
        title = {"title": "Diferença de 01/2026 [ciclo a17]"}
        connection.execute(update(Rule).where(Rule.rule_id == number).values(title))
    assert before
    assert rows(year, "SELECT 1 FROM v_mrr WHERE rule_id = :rule", rule=number) == []


def test_a_quarterly_period_counts_a_third_in_each_of_its_months(year):
    with year.begin() as connection:
        period = connection.execute(
            select(Period.id, Period.rule_id, Period.issue_date, Period.gross_value)
            .where(Period.gross_value.is_not(None), Period.state == PeriodState.ISSUED)
            .order_by(Period.issue_date)
            .limit(1)
        ).one()
        of_the_rule = RuleVersion.rule_id == period.rule_id
        terms = connection.scalars(select(RuleVersion.terms).where(of_the_rule)).first()
        connection.execute(update(RuleVersion).where(of_the_rule).values(terms=terms | {"month_quantity": 3}))
    found = rows(year, "SELECT month, mrr FROM v_mrr WHERE period_id = :period ORDER BY month", period=period.id)
    months = [date.fromisoformat(str(row["month"])) for row in found]
    first = period.issue_date.replace(day=1)
    assert months[0] == first
    assert [(month.year - first.year) * 12 + month.month - first.month for month in months] == [0, 1, 2]
    assert cents(sum(Decimal(str(row["mrr"])) for row in found)) == period.gross_value


def test_a_price_change_says_from_what_to_what_and_a_corrected_one_counts_once(ledger_engine):
    price = {"organization_id": ORGANIZATION, "rule_id": 5, "service_id": 0, "created_at": SEEN}
    prices = [
        (date(2024, 1, 1), 0, "100", "rule"),
        (date(2025, 1, 1), 0, "110", "price update"),
        (date(2025, 1, 1), 1, "105", "person"),
        (date(2026, 1, 1), 0, "105", "rule changed"),
    ]
    with ledger_engine.begin() as connection:
        connection.execute(insert(Organization).values(organization_id=ORGANIZATION, first_seen_at=SEEN))
        for day, revision, value, source in prices:
            row = {"effective_from": day, "revision": revision, "unit_value": Decimal(value), "source": source}
            connection.execute(insert(Price).values(**price, **row))
    [change] = rows(ledger_engine, "SELECT * FROM v_price_changes")
    assert (cents(change["old_unit_value"]), cents(change["new_unit_value"])) == (100, 105)
    assert (cents(change["change_percent"]), change["source"]) == (5, "person")
