"""Cases from other billing systems' own test suites, by kind; a kind this file does not know fails by its name."""

import json
from collections import Counter
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest

from ciclo.domain.calendar import add_months
from ciclo.domain.due_dates import Charge, ChargeType, due_dates
from ciclo.domain.price_index import accumulate, price_index
from ciclo.domain.pricing import new_unit_value
from ciclo.domain.recurrence import DateRange, PeriodUnit, Recurrence, issue_dates

MONTHS_OF = {"monthly": 1, "bimonthly": 2, "quarterly": 3, "semiannual": 6, "semiannually": 6, "yearly": 12}

INDEX_OF = {"ipc-sp": "ipcfipe"}  # Fipe's consumer price index of São Paulo


def day(text):
    return date.fromisoformat(text)


def first_due(charge, given):
    [first] = due_dates(charge, day(given["invoice_date"]))
    return first.isoformat()


def billing_dates_anniversary(given, expected):
    rule = Recurrence(day(given["anchor"]), PeriodUnit.MONTHLY, MONTHS_OF[given["interval"]])
    billed = {d.isoformat() for d in issue_dates(rule, DateRange.days(day(expected[0]), day(expected[-1])))}
    return [d for d in expected if d in billed]  # the sources list some, not all, of the billing days


def due_fixed_day(given, _expected):
    return first_due(Charge(ChargeType.FIXED_DAY, day_number=given["day"]), given)


def due_first_day(given, _expected):
    return first_due(Charge(ChargeType.FIXED_DAY, day_number=1), given)


def due_last_day(given, _expected):
    return first_due(Charge(ChargeType.LAST_DAY_OF_MONTH), given)


def due_months_after_invoice(given, _expected):
    same_day = day(given["invoice_date"]).day
    terms = Charge(ChargeType.FIXED_DAY_AND_MONTH_QUANTITY, day_number=same_day, month_quantity=given["months"])
    return first_due(terms, given)


def index_chain_12m(given, _expected):
    percents = [Decimal(percent) for percent in given["monthly_percents"]]
    end = day(f"{given['end_month']}-01")
    months = [add_months(end, -back) for back in reversed(range(len(percents)))]
    index = price_index(INDEX_OF.get(given["index"]) or given["index"].replace("-", ""))
    result = accumulate(index, dict(zip(months, percents, strict=True)), months)
    return {
        "accumulated_percent": str(result.percent.quantize(Decimal("0.0001"), ROUND_HALF_UP)),
        "new_amount": str(new_unit_value(Decimal(given["amount"]), result.factor)),
    }


ANSWERS = {
    "billing_dates_anniversary": billing_dates_anniversary,
    "due_first_day": due_first_day,
    "due_fixed_day": due_fixed_day,
    "due_last_day": due_last_day,
    "due_months_after_invoice": due_months_after_invoice,
    "index_chain_12m": index_chain_12m,
}


def test_every_vector_of_other_billing_systems_is_met(shared):
    passed = Counter()
    for line in (shared / "data/vectors.jsonl").read_text().splitlines():
        case = json.loads(line)
        if case["kind"] not in ANSWERS:
            pytest.fail(f"vector {case['id']} is of a kind nobody answers: {case['kind']}")
        assert ANSWERS[case["kind"]](case["input"], case["expected"]) == case["expected"], case
        passed[case["kind"]] += 1
    print(f"{passed.total()} vectors met: {dict(passed)}")  # noqa: T201 - the count is part of the proof
