"""The demo company covers every way of recurring that the vendor knows, and is the same every time."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from demo.company import ORGANIZATION_ID, TODAY, WRITTEN_FOR, as_written, company, moved
from demo.company import YEAR_END as LAST_FULL_MONTH
from demo.proof import expected_periods

STATE = as_written()
YEAR_START, YEAR_END = date(2025, 1, 1), WRITTEN_FOR
RULES: list[dict[str, Any]] = STATE["invoice_rules"]
UPDATES: list[dict[str, Any]] = [update for rule in RULES for update in rule["scheduled_updates"]]


def recurrence(rule: dict[str, Any]) -> dict[str, Any]:
    return rule["additional_information"]


def due(rule: dict[str, Any]) -> dict[str, Any]:
    return rule["receivables_additional_information"]


def executes_in_the_year(update: dict[str, Any]) -> bool:
    return YEAR_START <= date.fromisoformat(update["execution_date"]) <= YEAR_END


def test_the_company_has_dozens_of_contracts_and_rules():
    assert len(STATE["contracts"]) >= 40
    assert len(RULES) >= 60


@pytest.mark.parametrize("months", [1, 2, 3, 6, 12])
def test_every_periodicity_in_months_is_there(months: int):
    assert [rule for rule in RULES if recurrence(rule)["month_quantity"] == months]


@pytest.mark.parametrize(
    ("kind", "is_of_kind"),
    [
        ("weekly", lambda rule: recurrence(rule)["period_unit"] == "weekly"),
        ("weekly without end", lambda rule: _weekly(rule) and recurrence(rule)["end_date"] is None),
        ("issued on a 29th", lambda rule: recurrence(rule)["init_date"].endswith("-29")),
        ("issued on a 30th", lambda rule: recurrence(rule)["init_date"].endswith("-30")),
        ("issued on a 31st", lambda rule: recurrence(rule)["init_date"].endswith("-31")),
        ("begun on a leap day", lambda rule: recurrence(rule)["init_date"].endswith("-02-29")),
        ("fixed day", lambda rule: rule["charge_type"] == "fixed_day"),
        ("fixed day 31", lambda rule: due(rule)["day_number"] == 31),
        ("last day of the month", lambda rule: rule["charge_type"] == "last_day_of_month"),
        ("last business day", lambda rule: _business(rule, "last_day_of_month")),
        ("calendar days later", lambda rule: rule["charge_type"] == "day_quantity" and not _business(rule)),
        ("business days later", lambda rule: _business(rule, "day_quantity")),
        ("day of a later month", lambda rule: rule["charge_type"] == "fixed_day_and_month_quantity"),
        ("three instalments", lambda rule: due(rule)["parcel_number"] == 3),
        ("six instalments", lambda rule: due(rule)["parcel_number"] == 6),
        ("twelve instalments", lambda rule: due(rule)["parcel_number"] == 12),
        ("services", lambda rule: len(rule["services"]) > 1),
        ("a plain amount", lambda rule: not rule["services"]),
        ("ended before the year", lambda rule: (recurrence(rule)["end_date"] or "9") < "2025-01-01"),
        ("ending within the year", lambda rule: "2025-01-01" <= (recurrence(rule)["end_date"] or "9") < "2025-12-01"),
        ("beginning within the year", lambda rule: "2025-01-01" < recurrence(rule)["init_date"] < "2026-01-01"),
        ("still to come", lambda rule: recurrence(rule)["init_date"] > "2025-12-31"),
        ("blocked until approved", lambda rule: rule["approval_status"] == "blocked"),
        ("managed automatically", lambda rule: rule["management_type"] == "automatic"),
        ("accrued to the month before", lambda rule: recurrence(rule)["accrual_month_quantity"] == "previous_month"),
        ("readjusted upwards only", lambda rule: rule["scheduled_updates"] and not rule["apply_negative_updates"]),
        ("paid by card", lambda rule: rule["payment_information"]["payment_method"] == "payment_gateway"),
        ("paid by transfer", lambda rule: rule["payment_information"]["payment_method"] == "transfer"),
        ("refused by the vendor", lambda rule: rule["description"] == ""),
    ],
)
def test_every_kind_of_rule_is_there(kind: str, is_of_kind: Callable[[dict[str, Any]], bool]):
    assert [rule["id"] for rule in RULES if is_of_kind(rule)], kind


def _weekly(rule: dict[str, Any]) -> bool:
    return recurrence(rule)["period_unit"] == "weekly"


def _business(rule: dict[str, Any], charge_type: str | None = None) -> bool:
    return due(rule)["only_business_days"] and charge_type in {None, rule["charge_type"]}


@pytest.mark.parametrize("index", ["igpm", "ipca", "igpdi", "inpc", "ipcfipe"])
def test_every_price_index_readjusts_a_rule_within_the_year(index: str):
    assert [update for update in UPDATES if update["price_index"] == index and executes_in_the_year(update)]


@pytest.mark.parametrize(
    ("kind", "is_of_kind"),
    [
        ("one service only", lambda update: update["service_item_id"] is not None),
        ("the whole rule", lambda update: update["service_item_id"] is None),
        ("half-yearly, against the law", lambda update: update["month_quantity"] == 6),
        ("owed for several years", lambda update: update["execution_date"] < "2024-01-01"),
        ("continuing a chain", lambda update: update["init_date"] < update["execution_date"]),
    ],
)
def test_every_kind_of_price_update_is_there(kind: str, is_of_kind: Callable[[dict[str, Any]], bool]):
    assert [update for update in UPDATES if is_of_kind(update)], kind


def test_the_documented_contract_and_rule_are_there_as_the_vendor_shows_them():
    rule = next(rule for rule in RULES if rule["id"] == 6955)

    assert 11986 in {contract["id"] for contract in STATE["contracts"]}
    assert (rule["contract_id"], rule["gross_value"], rule["description"]) == (255, "95.0", "teste")
    assert [(service["service_item_id"], service["unit_value"]) for service in rule["services"]] == [
        (1, "45.0"),
        (7, "50.0"),
    ]
    assert [(u["price_index"], u["service_item_id"], u["execution_date"]) for u in rule["scheduled_updates"]] == [
        ("igpdi", 1, "2019-12-20"),
        ("ipcfipe", 7, "2019-12-20"),
    ]


def test_one_contract_is_inactive_and_one_has_no_rules():
    billed = {rule["contract_id"] for rule in RULES}

    assert Counter(contract["state"] for contract in STATE["contracts"])["inactive"] == 1
    assert [contract for contract in STATE["contracts"] if contract["id"] not in billed]


def test_ids_are_unique_and_every_reference_leads_somewhere():
    contract_ids = [contract["id"] for contract in STATE["contracts"]]
    names = [contract["name"] for contract in STATE["contracts"]]
    items = {item["id"] for item in STATE["service_items"]}

    assert len(set(contract_ids)) == len(contract_ids) == len(set(names))
    assert len({rule["id"] for rule in RULES}) == len(RULES)
    assert len({update["id"] for update in UPDATES}) == len(UPDATES)
    assert {rule["contract_id"] for rule in RULES} <= set(contract_ids)
    assert {service["service_item_id"] for rule in RULES for service in rule["services"]} <= items
    assert {contract["supplier_id"] for contract in STATE["contracts"]} == {ORGANIZATION_ID}


def test_a_service_update_names_a_service_of_its_rule():
    for rule in RULES:
        services = {service["service_item_id"] for service in rule["services"]}
        updated = {update["service_item_id"] for update in rule["scheduled_updates"]} - {None}
        assert updated <= services, rule["id"]


def test_a_reminder_is_due_as_many_days_before_the_update_as_it_says():
    for update in UPDATES:
        execution = date.fromisoformat(update["execution_date"])
        assert update["remind_at"] == (execution - timedelta(days=update["days_until_update"])).isoformat()


def test_the_gross_value_is_the_sum_of_the_services_each_rounded_half_up():
    cents = Decimal("0.01")
    for rule in (rule for rule in RULES if rule["services"]):
        values = [
            (Decimal(service["units"]) * Decimal(service["unit_value"])).quantize(cents, ROUND_HALF_UP)
            for service in rule["services"]
        ]
        assert [Decimal(service["value"]) for service in rule["services"]] == values
        assert Decimal(rule["gross_value"]) == sum(values)


def test_most_customers_pay_and_some_never_do():
    shares = [Decimal(str(payment["share"])) for payment in STATE["behaviour"]["payments"]]

    assert Decimal("0.9") < sum(shares) < 1


def test_the_invoices_made_by_hand_fall_on_periods_of_the_year():
    periods = {(p.contract_id, f"{p.issue_date:%d/%m/%Y}") for p in expected_periods(STATE, YEAR_START, YEAR_END)}

    assert len(STATE["invoices"]) == 2
    assert {(invoice["contract_id"], invoice["issue_date"]) for invoice in STATE["invoices"]} <= periods


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2024, 1, 15), 10, date(2024, 11, 15)),
        (date(2024, 1, 31), 10, date(2024, 10, 31)),
        (date(2024, 4, 30), 10, date(2025, 1, 30)),
        (date(2020, 2, 29), 10, date(2020, 2, 29)),
        (date(2020, 2, 29), 48, date(2024, 2, 29)),
        (date(2024, 2, 29), 0, date(2024, 2, 29)),
    ],
)
def test_a_day_moves_to_the_same_day_of_an_earlier_month_where_its_own_is_too_short(day, months, expected):
    assert moved(day, months) == expected


@pytest.mark.parametrize("months_on", [1, 7, 12, 30])
def test_in_every_year_the_company_has_the_same_kinds_of_days(months_on: int):
    number = WRITTEN_FOR.year * 12 + WRITTEN_FOR.month + months_on
    end = date(number // 12, number % 12 + 1, 1) - timedelta(days=1)
    rules = company(end)["invoice_rules"]

    for rule, written in zip(rules, RULES, strict=True):
        first, before = (date.fromisoformat(recurrence(each)["init_date"]) for each in (rule, written))
        if _weekly(written):
            assert first.weekday() == before.weekday()
        else:
            assert first.day == before.day
        for update in rule["scheduled_updates"]:
            assert date.fromisoformat(update["execution_date"]) >= date.fromisoformat(update["init_date"])
    assert len(expected_periods(company(end), end.replace(day=1) - timedelta(days=340), end)) > 500


def test_the_year_ends_with_the_last_full_month_before_today():
    assert TODAY.replace(day=1) - timedelta(days=1) == LAST_FULL_MONTH
