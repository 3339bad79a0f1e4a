"""What the real server made of its rules, as recorded: issue dates, due dates, accrual months."""

import json
from datetime import date, datetime
from decimal import Decimal

import pytest

from ciclo.domain.due_dates import Charge, charge_type_of
from ciclo.domain.pricing import WHOLE_RULE, Price, priced_period
from ciclo.domain.recurrence import AccrualMonth, DateRange, PeriodUnit, Recurrence, expand, periods

YEAR_2017 = DateRange.days(date(2017, 1, 1), date(2017, 12, 31))


def recorded(shared, name):
    return json.loads((shared / "api/recordings" / f"{name}.json").read_text())["exchanges"][0]["response"]["body"]


def terms_of(rule):
    when, charged = rule["additional_information"], rule["receivables_additional_information"]
    end_date = when["end_date"] and date.fromisoformat(when["end_date"])
    unit = PeriodUnit(when.get("period_unit", "monthly"))
    recurrence = Recurrence(date.fromisoformat(when["init_date"]), unit, when["month_quantity"], end_date)
    numbers = {name: charged[name] for name in ("day_number", "day_quantity", "month_quantity")}
    flags = {"only_business_days": charged.get("only_business_days"), "parcel_number": charged["parcel_number"]}
    return (
        recurrence,
        Charge(charge_type_of(**numbers), **numbers, **flags),
        AccrualMonth(when["accrual_month_quantity"]),
    )


def brazilian(text):
    return datetime.strptime(text, "%d/%m/%Y").date()  # noqa: DTZ007 - a date, no time of day


@pytest.fixture
def rule_168132(shared):
    [rule] = recorded(shared, "invoice_rules/list/success/not_empty_collection")["invoice_rules"]
    return rule


def test_rule_168132_expands_into_the_invoices_the_server_made(shared, rule_168132):
    expanded = {issued: (accrued, due) for issued, accrued, due in expand(*terms_of(rule_168132), YEAR_2017)}
    invoices = recorded(shared, "invoices/search/success/issue_date_range_matches")["invoices"]
    for invoice in invoices:
        due = tuple(brazilian(part["due_date"]) for part in invoice["receivables"])
        accrued = date.fromisoformat(invoice["accrual_date"])
        assert expanded[brazilian(invoice["issue_date"])] == (accrued, due)
    assert len(invoices) == 4
    assert len(expanded) == 9


def test_rule_168132_is_priced_like_the_invoices_the_server_made(shared, rule_168132):
    recurrence, charge, accrual = terms_of(rule_168132)
    history = [Price(WHOLE_RULE, recurrence.init_date, Decimal(rule_168132["gross_value"]))]
    priced = {p.issue_date: priced_period(p, charge, [], history) for p in periods(recurrence, accrual, YEAR_2017)}
    for invoice in recorded(shared, "invoices/search/success/issue_date_range_matches")["invoices"]:
        [ours], [theirs] = priced[brazilian(invoice["issue_date"])].receivables, invoice["receivables"]
        assert (ours.percentage, ours.gross_value) == (Decimal(theirs["value"]), Decimal(theirs["gross_value"]))


def test_every_recorded_rule_can_be_read_and_expanded(shared):
    rules = {
        rule["id"]: rule
        for path in sorted((shared / "api/recordings").rglob("*.json"))
        for rule in rules_in(json.loads(path.read_text()))
    }
    for rule in rules.values():
        recurrence, charge, accrual = terms_of(rule)
        first_years = DateRange(recurrence.init_date, recurrence.init_date.replace(year=recurrence.init_date.year + 3))
        for issued, _, due in expand(recurrence, charge, accrual, first_years):
            assert len(due) == charge.parcels
            assert all(day > issued for day in due)
    print(f"{len(rules)} recorded rules expanded")  # noqa: T201 - the count is part of the proof
    assert len(rules) > 20


def rules_in(node):
    if isinstance(node, list):
        for child in node:
            yield from rules_in(child)
    elif isinstance(node, dict):
        charged = node.get("receivables_additional_information")
        if charged and "id" in charged and node.get("additional_information", {}).get("id"):
            yield node
        for child in node.values():
            yield from rules_in(child)
