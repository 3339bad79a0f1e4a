"""Adjustments: the invoice is the rule ± what differs, to the cent, in whatever order the differences came."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.domain.adjustments import (
    Adjustment,
    AdjustmentKind,
    Bill,
    BilledLine,
    InvalidAdjustment,
    TotalNotPositive,
    adjusted,
    prorated,
)
from ciclo.domain.corrections import ChangedByHand, InvoicedLine, correction
from ciclo.domain.money import cents
from ciclo.domain.recurrence import DateRange

JUNE = DateRange.month_of(date(2025, 6, 1))
_K = AdjustmentKind


def line(key: int, unit_value: str, units: str = "1", name: str | None = None) -> BilledLine:
    return BilledLine(
        key=key,
        service_item_id=key,
        name=name or f"Serviço {key}",
        units=Decimal(units),
        unit_value=Decimal(unit_value),
    )


def adjust(kind: AdjustmentKind, number: int = 1, **given) -> Adjustment:
    values = {name: Decimal(value) if name in _NUMBERS else value for name, value in given.items()}
    return Adjustment(kind=kind, id=number, **values)


_NUMBERS = ("quantity", "unit_value", "amount", "percent")
PLAN = Bill(lines=(line(1, "100.00", name="Plano"), line(2, "0.05", "1000", name="Mensagens")))
FLAT = Bill(flat=Decimal("150.00"))


@pytest.mark.parametrize(
    ("bill", "adjustments", "total"),
    [
        (PLAN, [], "150.00"),
        (PLAN, [adjust(_K.QUANTITY, service="Mensagens", quantity="12345")], "717.25"),
        (PLAN, [adjust(_K.QUANTITY, service="2", quantity="0")], "100.00"),
        (PLAN, [adjust(_K.QUANTITY, service=" mensagens ", quantity="2.5")], "100.13"),
        (PLAN, [adjust(_K.UNIT_VALUE, service="Mensagens", unit_value="0.04")], "140.00"),
        (PLAN, [adjust(_K.LINE, unit_value="80", description="Visita")], "230.00"),
        (PLAN, [adjust(_K.LINE, service="9", quantity="3", unit_value="80", description="Visita")], "390.00"),
        (PLAN, [adjust(_K.LINE, unit_value="-30", description="Crédito")], "120.00"),
        (PLAN, [adjust(_K.DISCOUNT, percent="10")], "135.00"),
        (PLAN, [adjust(_K.DISCOUNT, amount="0.01")], "149.99"),
        (PLAN, [adjust(_K.DISCOUNT, service="Plano", percent="50")], "100.00"),
        (PLAN, [adjust(_K.DISCOUNT, service="Mensagens", amount="50")], "100.00"),
        (PLAN, [adjust(_K.PRORATE, days=DateRange.days(date(2025, 6, 16), date(2025, 6, 30)))], "75.00"),
        (PLAN, [adjust(_K.PRORATE, days=DateRange.days(date(2025, 5, 1), date(2025, 6, 1)))], "5.00"),
        (FLAT, [adjust(_K.REPLACE, amount="99.99")], "99.99"),
        (FLAT, [adjust(_K.DISCOUNT, percent="33.33")], "100.00"),
        (FLAT, [adjust(_K.LINE, quantity="2", unit_value="10.10", description="Visita")], "170.20"),
        (FLAT, [adjust(_K.SKIP)], "150.00"),
    ],
)
def test_the_total_is_the_rule_and_what_differs(bill, adjustments, total):
    assert adjusted(bill, adjustments, JUNE).total == Decimal(total)


def test_a_discount_comes_after_quantities_and_lines_whatever_came_first():
    discount, units = adjust(_K.DISCOUNT, 1, percent="10"), adjust(_K.QUANTITY, 2, service="2", quantity="2000")
    extra = adjust(_K.LINE, 3, unit_value="100", description="Visita")
    assert adjusted(PLAN, [discount, units, extra], JUNE).total == Decimal("270.00")
    assert adjusted(PLAN, [extra, units, discount], JUNE) == adjusted(PLAN, [discount, units, extra], JUNE)


def test_a_line_keeps_its_units_where_cents_can_say_its_value_and_is_one_unit_where_not():
    tenth = adjusted(Bill(lines=(line(1, "50.00", "10"),)), [adjust(_K.DISCOUNT, percent="10")], JUNE)
    assert [(each.units, each.unit_value) for each in tenth.lines] == [(Decimal(10), Decimal("45.00"))]
    odd = adjusted(Bill(lines=(line(1, "50.00", "3"),)), [adjust(_K.DISCOUNT, amount="10")], JUNE)
    assert [(each.units, each.unit_value) for each in odd.lines] == [(Decimal(1), Decimal("140.00"))]


def test_a_line_of_a_price_finer_than_cents_keeps_its_units_where_its_value_stays():
    measured = line(2, "0.0375", "1000", name="Mensagens")
    bill = Bill(lines=(line(1, "100.00", name="Plano"), measured))

    whole = adjusted(bill, [adjust(_K.PRORATE, days=JUNE)], JUNE)
    less = adjusted(bill, [adjust(_K.DISCOUNT, amount="0.01")], JUNE)

    assert whole == bill
    assert (less.lines[0].value, less.lines[1]) == (Decimal("99.99"), measured)


@pytest.mark.parametrize(
    ("bill", "adjustments"),
    [
        (PLAN, [adjust(_K.DISCOUNT, percent="100")]),
        (PLAN, [adjust(_K.DISCOUNT, amount="150")]),
        (PLAN, [adjust(_K.LINE, unit_value="-151", description="Crédito")]),
        (FLAT, [adjust(_K.DISCOUNT, amount="150.01")]),
    ],
)
def test_a_total_of_nothing_or_less_is_refused(bill, adjustments):
    with pytest.raises(TotalNotPositive):
        adjusted(bill, adjustments, JUNE)


@pytest.mark.parametrize(
    ("bill", "adjustment", "field"),
    [
        (PLAN, adjust(_K.QUANTITY, service="Chamadas", quantity="1"), "service"),
        (FLAT, adjust(_K.QUANTITY, service="Plano", quantity="1"), "service"),
        (PLAN, adjust(_K.REPLACE, amount="10"), "kind"),
        (PLAN, adjust(_K.DISCOUNT, service="Plano", amount="100.01"), "amount"),
        (PLAN, adjust(_K.PRORATE, days=DateRange.days(date(2025, 7, 1), date(2025, 7, 2))), "first_day"),
        (Bill(lines=(line(1, "1", name="A"), line(2, "1", name="A"))), adjust(_K.QUANTITY, service="A", quantity="1"),
         "service"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_out_is_refused_with_its_field(bill, adjustment, field):
    with pytest.raises(InvalidAdjustment) as refused:
        adjusted(bill, [adjustment], JUNE)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        (_K.QUANTITY, {"quantity": "1"}, "service"),
        (_K.QUANTITY, {"service": "1", "quantity": "-1"}, "quantity"),
        (_K.QUANTITY, {"service": "1", "quantity": "1", "amount": "1"}, "amount"),
        (_K.LINE, {"unit_value": "1"}, "description"),
        (_K.DISCOUNT, {}, "amount"),
        (_K.DISCOUNT, {"amount": "1", "percent": "1"}, "amount"),
        (_K.DISCOUNT, {"percent": "101"}, "percent"),
        (_K.REPLACE, {"amount": "0"}, "amount"),
        (_K.PRORATE, {}, "days"),
        (_K.SKIP, {"service": "1"}, "service"),
    ],
)
def test_an_adjustment_that_cannot_be_right_is_refused_at_once(kind, given, field):
    with pytest.raises(InvalidAdjustment) as refused:
        adjust(kind, **given)
    assert refused.value.field == field


# -- laws --------------------------------------------------------------------------------------------------------------

MONEY = st.decimals("0.01", "9999.99", places=2)
UNITS = st.decimals("0.5", "500", places=1)
LINES = st.lists(st.tuples(MONEY, UNITS), min_size=1, max_size=4).map(
    lambda pairs: Bill(lines=tuple(line(n, str(price), str(units)) for n, (price, units) in enumerate(pairs, start=1)))
)
BILLS = st.one_of(LINES, MONEY.map(lambda value: Bill(flat=value)))
CHANGES = st.lists(
    st.one_of(
        st.builds(lambda p: adjust(_K.DISCOUNT, percent=str(p)), st.decimals("0.01", "60", places=2)),
        st.builds(lambda v: adjust(_K.LINE, unit_value=str(v), description="Extra"), MONEY),
        st.builds(
            lambda first, n: adjust(_K.PRORATE, days=DateRange.days(date(2025, 6, first), date(2025, 6, first + n))),
            st.integers(1, 15),
            st.integers(0, 15),
        ),
        st.builds(lambda u: adjust(_K.QUANTITY, service="1", quantity=str(u)), UNITS),
    ),
    max_size=4,
)


def numbered(adjustments):
    return [
        Adjustment(**{name: getattr(each, name) for name in each.__slots__ if name != "id"}, id=number)
        for number, each in enumerate(adjustments, start=1)
    ]


def usable(bill: Bill, adjustments):
    if not bill.lines:
        adjustments = [each for each in adjustments if each.kind is not _K.QUANTITY]
    return numbered(adjustments)


@given(BILLS, st.decimals("0.01", "99", places=2))
def test_a_percentage_of_the_whole_is_of_the_whole_to_the_cent(bill, percent):
    off = cents(bill.total * percent / 100)
    if off < bill.total:
        assert adjusted(bill, [adjust(_K.DISCOUNT, percent=str(percent))], JUNE).total == bill.total - off


@given(BILLS, st.integers(1, 30), st.integers(0, 29))
def test_the_days_of_a_month_in_two_parts_are_the_whole_to_a_cent(bill, first, more):
    last = min(first + more, 30)
    inside = DateRange.days(date(2025, 6, first), date(2025, 6, last))
    share, rest = prorated(bill.total, inside, JUNE), prorated(bill.total, DateRange.month_of(inside.start), JUNE)
    assert rest == bill.total
    if share > 0:
        assert adjusted(bill, [adjust(_K.PRORATE, days=inside)], JUNE).total == share


@given(BILLS, CHANGES, st.randoms())
def test_the_order_in_which_adjustments_came_changes_nothing(bill, changes, shuffled):
    some = usable(bill, changes)
    try:
        expected = adjusted(bill, some, JUNE)
    except TotalNotPositive:
        return
    another = list(some)
    shuffled.shuffle(another)
    assert adjusted(bill, another, JUNE) == expected
    assert expected.total == (sum((each.value for each in expected.lines), Decimal(0)) if bill.lines else expected.flat)


def at_the_vendor(bill: Bill, numbers=None):
    return [
        InvoicedLine(
            id=number, units=each.units, unit_value=each.unit_value, name=each.name, description=each.description
        )
        for number, each in enumerate(bill.lines, start=100)
    ]


def carried_out(lines, total, description, change):
    """What the vendor makes of a correction."""
    changed = dict(change.changed)
    after = [
        InvoicedLine(id=each.id, units=changed[each.id].units, unit_value=changed[each.id].unit_value,
                     name=each.name, description=each.description) if each.id in changed else each
        for each in lines
    ]  # fmt: skip
    after += [
        InvoicedLine(
            id=900 + n, units=each.units, unit_value=each.unit_value, name=each.name, description=each.description
        )
        for n, each in enumerate(change.added)
    ]
    total = sum((cents(each.units * each.unit_value) for each in after), Decimal(0)) if after else total
    return after, change.flat if change.flat is not None else total, "\n".join([description, *change.texts])


@given(BILLS, CHANGES, st.integers(0, 4))
def test_a_correction_brings_an_invoice_to_what_it_should_be_and_then_nothing_is_left(bill, changes, used):
    some = usable(bill, changes)
    try:
        made, wanted = adjusted(bill, some[:used], JUNE), adjusted(bill, some, JUNE)
    except TotalNotPositive:
        return
    there = at_the_vendor(made), made.total, "\n".join(["Mensalidade", *made.texts])
    change = correction(*there, [made], wanted)
    after = carried_out(*there, change)
    assert after[1] == wanted.total
    assert not correction(*after, [made], wanted)


def test_what_a_person_changed_is_not_overwritten():
    wanted = adjusted(PLAN, [adjust(_K.QUANTITY, service="Mensagens", quantity="2000")], JUNE)
    lines = at_the_vendor(Bill(lines=(line(1, "90.00", name="Plano"), line(2, "0.05", "1000", name="Mensagens"))))
    with pytest.raises(ChangedByHand):
        correction(lines, Decimal("140.00"), "", [PLAN], wanted)
    with pytest.raises(ChangedByHand):
        correction([], Decimal("140.00"), "", [FLAT], adjusted(FLAT, [adjust(_K.DISCOUNT, percent="10")], JUNE))


def test_an_added_line_that_a_person_removed_does_not_come_back():
    made = adjusted(PLAN, [adjust(_K.LINE, 1, unit_value="80", description="Visita")], JUNE)
    wanted = adjusted(made, [adjust(_K.LINE, 2, unit_value="20", description="Peça")], JUNE)
    with pytest.raises(ChangedByHand):
        correction(at_the_vendor(PLAN), PLAN.total, "", [made], wanted)
