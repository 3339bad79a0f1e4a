"""Why an invoice is different: the amounts of the differences total what is between two invoices."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.adjustments import Adjustment, AdjustmentKind, Bill, BilledLine
from ciclo.domain.comparison import FLAT, ComparedInvoice, DifferenceKind, PriceStep, compare
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import said_of_comparison, said_of_difference
from ciclo.locale import PORTUGUESE, speaking

JANUARY, FEBRUARY = date(2025, 1, 10), date(2025, 2, 10)
_K = DifferenceKind


def line(key=1, units="1", unit_value="100.00", name="Suporte"):
    return BilledLine(key=key, units=Decimal(units), unit_value=Decimal(unit_value), name=name)


def invoice(day=FEBRUARY, gross_value="100.00", lines=(), flat="0", adjustments=(), **given):
    bill = Bill(lines=tuple(lines)) if lines else Bill(flat=Decimal(flat))
    first = day.replace(day=1)
    usual = {
        "invoice_id": day.month,
        "issue_date": day,
        "planned_date": day,
        "gross_value": Decimal(gross_value),
        "due_dates": (day.replace(day=20),),
        "planned_due_date": day.replace(day=20),
        "rule_id": 7,
        "accrual_month": first,
        "bill": bill,
        "adjustments": tuple(adjustments),
        "covered": DateRange.month_of(first),
    }
    return ComparedInvoice(**usual | given)


def kinds(found):
    return [(each.kind, each.amount) for each in found.differences]


def test_a_readjustment_is_told_with_its_index_its_months_and_what_it_adds():
    before = invoice(JANUARY, "200.00", [line(units="2")])
    now = invoice(FEBRUARY, "209.00", [line(units="2", unit_value="104.50")])
    step = PriceStep(
        effective_from=date(2025, 2, 1), unit_value=Decimal("104.50"), execution_id=3, index="ipca",
        months=("2024-01", "2024-12"),
    )  # fmt: skip
    found = compare(before, now, {1: [step]})
    assert kinds(found) == [(_K.READJUSTED, Decimal("9.00"))]
    assert found.differences[0].facts["execution_id"] == 3
    assert said_of_comparison(found) == (
        "The invoice of 2025-02-10 is R$ 209,00, R$ 9,00 more than the one of 2025-01-10 (R$ 200,00): "
        "Suporte readjusted by IPCA from 01/2024 to 12/2024, 4,50 % (+ R$ 9,00)."
    )
    with speaking(PORTUGUESE):
        assert said_of_comparison(found) == (
            "A fatura de 10/02/2025 é de R$ 209,00, R$ 9,00 a mais que a de 10/01/2025 (R$ 200,00): "
            "Suporte reajustado pelo IPCA de 01/2024 a 12/2024, 4,50 % (+ R$ 9,00)."
        )


def test_a_unit_value_finer_than_cents_is_told_whole_and_its_percentage_is_rounded_half_up():
    before = invoice(JANUARY, "37.50", [line(units="1000", unit_value="0.0375")])
    now = invoice(FEBRUARY, "38.40", [line(units="1000", unit_value="0.0384")])
    [changed] = compare(before, now, {}).differences
    assert said_of_difference(changed) == "price of Suporte changed from R$ 0,0375 to R$ 0,0384"

    step = PriceStep(effective_from=date(2025, 2, 1), unit_value=Decimal("208.25"), index="igpm")
    before = invoice(JANUARY, "200.00", [line(unit_value="200.00")])
    now = invoice(FEBRUARY, "208.25", [line(unit_value="208.25")])
    [readjusted] = compare(before, now, {1: [step]}).differences
    assert readjusted.facts["percent"] == "4.13"  # 4.125


def test_units_and_services_and_an_edit_are_told_apart():
    before = invoice(JANUARY, "150.00", [line(), line(2, name="Backup", unit_value="50.00")])
    now = invoice(FEBRUARY, "330.00", [line(units="3"), line(3, name="Links", unit_value="20.00")])
    assert kinds(compare(before, now, {})) == [
        (_K.UNITS_CHANGED, Decimal("200.00")),
        (_K.SERVICE_ADDED, Decimal("20.00")),
        (_K.SERVICE_REMOVED, Decimal("-50.00")),
        (_K.EDITED, Decimal("10.00")),
    ]


def test_an_adjustment_of_one_month_is_told_in_it_and_in_the_next():
    discount = Adjustment(id=5, kind=AdjustmentKind.DISCOUNT, percent=Decimal(10))
    plain = invoice(JANUARY, "100.00", [line()])
    lower = invoice(FEBRUARY, "90.00", [line()], adjustments=[discount])
    march = invoice(date(2025, 3, 10), "100.00", [line()])
    assert kinds(compare(plain, lower, {})) == [(_K.ADJUSTED, Decimal("-10.00"))]
    assert kinds(compare(lower, march, {})) == [(_K.ADJUSTED_BEFORE, Decimal("10.00"))]
    assert kinds(compare(lower, invoice(date(2025, 3, 10), "90.00", [line()], adjustments=[discount]), {})) == []


def test_dates_parcels_and_competence_are_told_without_an_amount():
    before = invoice(JANUARY, flat="100.00")
    now = invoice(
        FEBRUARY, flat="100.00", accrual_month=date(2025, 1, 1), due_dates=(date(2025, 2, 25), date(2025, 3, 25))
    )
    found = compare(before, now, {})
    assert kinds(found) == [(kind, 0) for kind in (_K.COMPETENCE, _K.PARCELS, _K.DUE_DATE)]
    assert said_of_comparison(found).endswith(
        "for the month 01/2025; paid in 2 instead of 1 instalments; due on 2025-02-25 instead of 2025-02-20."
    )


def test_the_services_of_a_rule_made_anew_are_found_by_their_names():
    before = invoice(JANUARY, "100.00", [line(1)], rule_id=6)
    now = invoice(FEBRUARY, "110.00", [line(9, unit_value="110.00")])
    assert kinds(compare(before, now, {})) == [(_K.PRICE_CHANGED, Decimal("10.00")), (_K.OTHER_RULE, 0)]


def test_where_a_rule_tells_nothing_the_amount_is_said_to_be_unexplained():
    found = compare(invoice(JANUARY, flat="100.00"), invoice(FEBRUARY, "140.00", bill=None, rule_id=None), {})
    assert kinds(found) == [(_K.UNEXPLAINED, Decimal("40.00"))]


def test_the_first_invoice_is_said_to_have_none_before_it():
    assert "none before it" in said_of_comparison(compare(None, invoice(), {}))


def test_the_same_again_needs_no_reason():
    text = said_of_comparison(compare(invoice(JANUARY, flat="100.00"), invoice(flat="100.00"), {}))
    assert text == "The invoice of 2025-02-10 is R$ 100,00, as the one of 2025-01-10 was."


@pytest.mark.parametrize("language", ["en", PORTUGUESE])
def test_every_kind_of_adjustment_has_words(language):
    given = {
        AdjustmentKind.QUANTITY: {"service": "Suporte", "quantity": Decimal(3)},
        AdjustmentKind.UNIT_VALUE: {"service": "Suporte", "unit_value": Decimal("80.00")},
        AdjustmentKind.LINE: {"unit_value": Decimal("5.00"), "description": "Visita"},
        AdjustmentKind.DISCOUNT: {"amount": Decimal("7.00")},
        AdjustmentKind.PRORATE: {"days": DateRange.days(date(2025, 2, 10), date(2025, 2, 28))},
    }
    with speaking(language):
        for number, (kind, fields) in enumerate(given.items(), start=1):
            now = invoice(lines=[line()], adjustments=[Adjustment(id=number, kind=kind, **fields)])
            [difference, _edit] = compare(invoice(JANUARY, lines=[line()]), now, {}).differences
            assert "?" not in said_of_difference(difference)


amounts = st.decimals(min_value=1, max_value=10_000, places=2)
lines = st.dictionaries(st.integers(1, 4), st.tuples(st.integers(1, 50), amounts), max_size=4)
discounts = st.lists(st.integers(1, 30), max_size=3)


@given(was=lines, are=lines, values=st.tuples(amounts, amounts), off=st.tuples(discounts, discounts), moved=amounts)
def test_the_amounts_total_what_is_between_the_two_invoices(was, are, values, off, moved):
    def made(day, given_lines, value, percents, start):
        some = [
            Adjustment(id=start + number, kind=AdjustmentKind.DISCOUNT, percent=Decimal(percent))
            for number, percent in enumerate(percents)
        ]
        known = [line(key, str(units), str(price), f"S{key}") for key, (units, price) in given_lines.items()]
        return invoice(day, str(value), known, flat="50.00", adjustments=some)

    before, now = made(JANUARY, was, values[0], off[0], 10), made(FEBRUARY, are, values[1], off[1], 11)
    steps = {key: [PriceStep(effective_from=FEBRUARY, unit_value=moved)] for key in (FLAT, 1, 2)}
    found = compare(before, now, steps)
    assert sum(each.amount for each in found.differences) == values[1] - values[0] == found.difference
