"""Whose invoice is it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.billimatic.models import Invoice
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.issuing.match import (
    PUT_OFF_AT_MOST,
    PeriodKey,
    Reference,
    RemoteInvoice,
    WantedInvoice,
    assign,
    differences,
    reference,
    reference_in,
    references_in,
)

MADE = datetime(2024, 12, 1, 10, 15, tzinfo=UTC)
LATER = datetime(2025, 2, 20, 9, 0, tzinfo=UTC)
MARCH = DateRange.month_of(date(2025, 3, 1))


def period(rule_id=1, day=10, **given):
    return WantedInvoice(
        **{
            "rule_id": rule_id,
            "contract_id": 10,
            "issue_date": date(2025, 3, day),
            "coverage": MARCH,
            "gross_value": Decimal("150.00"),
            "description": "Mensalidade",
            "customer_id": 1010,
            "rule_created_at": MADE,
            **given,
        }
    )


def invoice(invoice_id=900, **given):
    refs = given.pop("comments", None)
    return RemoteInvoice(
        **{
            "id": invoice_id,
            "contract_id": 10,
            "planned_date": date(2025, 3, 10),
            "gross_value": Decimal("150.00"),
            "description": "Mensalidade",
            "customer_id": 1010,
            "references": references_in(refs),
            "created_at": LATER,
            **given,
        }
    )


def own(periods, invoices):
    return {key.rule_id: found.id for key, found in assign(periods, invoices).own.items()}


# -- references --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comments", "found"),
    [
        ("ciclo:7:1:2025-03-10", [(1, date(2025, 3, 10), 1)]),
        ("ciclo:7:1:2025-03-10\nPagar até o dia 5", [(1, date(2025, 3, 10), 1)]),
        ("obs. ciclo:7:1:2025-03-10.", [(1, date(2025, 3, 10), 1)]),
        ("ciclo:7:1:2025-03-10:2", [(1, date(2025, 3, 10), 2)]),
        ("ciclo:7:1:2025-02-10\nciclo:7:1:2025-03-10", [(1, date(2025, 2, 10), 1), (1, date(2025, 3, 10), 1)]),
        ("ciclo:7:1:2025-3-10", []),
        ("ciclo:7:1:2025-13-40", []),
        ("0", []),
        (None, []),
    ],
)
def test_references_are_found_among_other_words(comments, found):
    assert list(references_in(comments)) == [Reference(*each) for each in found]


def test_the_last_reference_is_the_invoices_own():
    assert reference_in("ciclo:7:1:2025-02-10\nciclo:7:1:2025-03-10") == reference(7, 1, date(2025, 3, 10))
    assert reference(7, 1, date(2025, 3, 10), 2) == "ciclo:7:1:2025-03-10:2"


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ({}, True),
        ({"gross_value": Decimal(1), "is_cancelled": True, "customer_id": 1, "description": "x"}, True),
        ({"planned_date": date(2025, 3, 31), "gross_value": Decimal(1)}, True),
        ({"planned_date": date(2025, 4, 10)}, False),  # copied into the next month
        ({"contract_id": 11}, False),  # copied into another contract
    ],
)
def test_a_reference_counts_in_its_contract_and_coverage_and_nowhere_else(given, counts):
    assert bool(own([period()], [invoice(comments="ciclo:7:1:2025-03-10", **given)])) is counts


@pytest.mark.parametrize(
    ("given", "is_its_own"),
    [
        ({"description": "Suporte 24 h", "created_at": LATER}, False),  # the other rule's text
        ({"description": "Cobrança de fevereiro", "created_at": MADE}, False),  # the other rule's second
        ({"description": "Cobrança de março", "created_at": LATER}, True),  # nobody's: its value tells
        ({"description": "Mensalidade de março", "created_at": MADE}, True),  # its own text
    ],
)
def test_an_invoice_of_another_rule_of_the_contract_is_not_its_own_by_value_or_services(given, is_its_own):
    services = frozenset({"acesso"})
    mine = period(rule_id=2, rule_created_at=None, services=services)
    february = DateRange.month_of(date(2025, 2, 1))
    other = period(issue_date=date(2025, 2, 10), coverage=february, description="Suporte", services=services)
    put_off = invoice(planned_date=date(2025, 3, 4), services=services, **given)

    found = assign([mine, other], [put_off])

    assert (mine.key in found.own) is is_its_own
    assert other.key not in found.own
    assert bool(found.near.get(mine.key)) is not is_its_own


@pytest.mark.parametrize(
    ("given", "is_its_own"),
    [
        ({}, True),
        ({"created_at": LATER}, False),
        ({"planned_date": date(2025, 4, 8)}, False),
        ({"customer_id": 2020}, False),
    ],
)
def test_what_came_with_its_rule_is_its_own_when_it_was_put_off_into_the_next_month(given, is_its_own):
    late, april = period(day=28), DateRange.month_of(date(2025, 4, 1))
    following = period(issue_date=date(2025, 4, 28), coverage=april)
    own_one = invoice(901, planned_date=date(2025, 4, 28), created_at=MADE)
    put_off = invoice(900, **{"planned_date": date(2025, 4, 2), "created_at": MADE, **given})

    found = assign([late, following], [own_one, put_off]).own

    assert found[following.key].id == 901
    assert (late.key in found) is is_its_own


@pytest.mark.parametrize(
    ("given", "is_its_own", "is_near"),
    [
        ({}, True, False),
        ({"created_at": LATER + timedelta(days=9)}, False, True),  # somebody may have entered it
        ({"description": "Outra coisa"}, False, False),
        ({"planned_date": date(2025, 4, 8)}, False, False),
    ],
)
def test_what_was_made_at_once_with_its_neighbours_is_its_own_when_it_was_put_off(given, is_its_own, is_near):
    """The vendor extends a rule long after it was made, all of its months in one second."""
    late, april = period(day=28), DateRange.month_of(date(2025, 4, 1))
    following = period(issue_date=date(2025, 4, 28), coverage=april)
    own_one = invoice(901, planned_date=date(2025, 4, 28), created_at=LATER)
    put_off = invoice(900, **{"planned_date": date(2025, 4, 2), "created_at": LATER, **given})

    found = assign([late, following], [own_one, put_off])

    assert found.own[following.key].id == 901
    assert (late.key in found.own) is is_its_own
    assert bool(found.near.get(late.key)) is is_near


def test_a_reference_wins_over_an_invoice_exactly_alike():
    assert own([period()], [invoice(900), invoice(901, comments="ciclo:7:1:2025-03-10")]) == {1: 901}


def test_a_living_invoice_with_the_reference_wins_over_a_cancelled_one():
    marked = {"comments": "ciclo:7:1:2025-03-10"}
    assert own([period()], [invoice(900, is_cancelled=True, **marked), invoice(901, **marked)]) == {1: 901}


def test_several_living_invoices_with_the_reference_are_for_a_person():
    found = assign([period()], [invoice(number, comments="ciclo:7:1:2025-03-10") for number in (900, 901)])
    assert found.contested[PeriodKey(1, date(2025, 3, 10))].invoice_ids == (900, 901)


def test_a_copy_is_an_invoice_like_any_other():
    copied = invoice(comments="ciclo:7:1:2025-02-10")
    assert own([period()], [copied]) == {1: 900}


def test_an_invoice_of_another_rule_of_the_contract_is_not_taken_for_its_looks():
    assert own([period(1), period(2, 20)], [invoice(comments="ciclo:7:2:2025-03-10")]) == {2: 900}


def test_what_is_billed_again_looks_for_its_own_reference_and_not_for_the_cancelled_first():
    again = period(sequence=2)
    first = invoice(900, comments="ciclo:7:1:2025-03-10", is_cancelled=True)
    assert own([again], [first]) == {}
    assert own([again], [first, invoice(901, comments="ciclo:7:1:2025-03-10:2")]) == {1: 901}


# -- exactly alike, worked on, unlike ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "is_own"),
    [
        ({}, True),
        ({"description": "  mensalidade "}, True),
        ({"description": "Mensalidade - leitura 4711"}, True),
        ({"description": "Mensal"}, True),  # the value is the rule's
        ({"description": "Outra"}, True),
        ({"description": "Outra", "gross_value": Decimal(180)}, False),
        ({"description": "Outra", "gross_value": Decimal(180), "created_at": MADE}, True),
        ({"gross_value": Decimal(180)}, True),
        ({"gross_value": Decimal(180), "description": "Mensalidades"}, False),  # not at the end of a word
        ({"planned_date": date(2025, 3, 28)}, True),
        ({"planned_date": date(2025, 4, 1)}, False),
        ({"planned_date": date(2025, 2, 28)}, False),
        ({"customer_id": 1}, False),
        ({"customer_id": None}, True),
        ({"contract_id": 11}, False),
        ({"is_cancelled": True}, False),
    ],
)
def test_an_invoice_that_was_worked_on_is_still_the_periods(given, is_own):
    assert bool(own([period()], [invoice(**given)])) is is_own


def test_services_tell_by_their_names():
    worked_on = invoice(description="Outra", gross_value=Decimal(1), services=frozenset({"hospedagem", "uso"}))
    assert own([period(services=frozenset({"Hospedagem"}))], [worked_on]) == {1: 900}
    assert own([period(services=frozenset({"Suporte"}))], [worked_on]) == {}


@pytest.mark.parametrize(
    ("given", "is_its_own"),
    [({}, True), ({"created_at": LATER}, False), ({"planned_date": date(2025, 2, 18)}, False)],
)
def test_what_came_with_its_rule_is_its_own_when_it_was_brought_forward_into_the_month_before(given, is_its_own):
    before = period(issue_date=date(2025, 2, 1), coverage=DateRange.month_of(date(2025, 2, 1)))
    early = period(day=1)
    own_one = invoice(901, planned_date=date(2025, 2, 1), created_at=MADE)
    brought = invoice(900, **{"planned_date": date(2025, 2, 27), "created_at": MADE, **given})

    found = assign([before, early], [own_one, brought])

    assert found.own[before.key].id == 901
    assert (early.key in found.own, before.key in found.seconds) == (is_its_own, not is_its_own)


def test_what_was_put_off_stands_in_for_no_lost_invoice():
    late = period(day=31, lost_its_own=True)
    put_off = invoice(900, planned_date=date(2025, 4, 2), created_at=MADE)
    assert own([late], [put_off]) == {}


@pytest.mark.parametrize(
    ("given", "is_its_own"),
    [
        ({"planned_date": date(2025, 3, 12), "accrual_month": date(2025, 3, 1)}, True),
        ({"planned_date": date(2025, 3, 12), "accrual_month": date(2025, 2, 1)}, False),  # made late for February
        ({"planned_date": date(2025, 3, 12), "accrual_month": date(2025, 2, 1), "created_at": MADE}, True),
        ({"planned_date": date(2025, 3, 12), "accrual_month": date(2024, 9, 1)}, True),  # no period's
        ({"planned_date": date(2025, 3, 10), "accrual_month": date(2025, 2, 1)}, True),  # the rule's competence changed
        ({"planned_date": date(2025, 3, 12), "accrual_month": None}, True),
    ],
)
def test_what_is_of_another_periods_competence_is_not_taken_for_its_own(given, is_its_own):
    february = period(
        issue_date=date(2025, 2, 10), coverage=DateRange.month_of(date(2025, 2, 1)), accrual_month=date(2025, 2, 1)
    )
    march = period(accrual_month=date(2025, 3, 1))
    found = assign([february, march], [invoice(**given)])
    assert (march.key in found.own, march.key in found.near) == (is_its_own, not is_its_own)


def test_an_invoice_put_off_to_the_next_business_day_is_still_its_months():
    last_of_august = period(issue_date=date(2025, 8, 31), coverage=DateRange.month_of(date(2025, 8, 1)))  # a Sunday
    assert own([last_of_august], [invoice(planned_date=date(2025, 9, 1))]) == {1: 900}


def test_a_period_without_a_price_is_known_by_its_text():
    assert own([period(gross_value=None)], [invoice()]) == {1: 900}
    assert own([period(gross_value=None)], [invoice(description="Outra")]) == {}


def test_exactly_alike_comes_before_worked_on():
    assert own([period()], [invoice(900, gross_value=Decimal(180)), invoice(901)]) == {1: 901}


def test_several_for_a_period_are_for_a_person():
    found = assign([period()], [invoice(900), invoice(901)])
    assert found.own == {}
    assert found.contested[PeriodKey(1, date(2025, 3, 10))].invoice_ids == (900, 901)


def test_one_for_two_periods_is_for_a_person():
    found = assign([period(1), period(2)], [invoice()])
    keys = PeriodKey(1, date(2025, 3, 10)), PeriodKey(2, date(2025, 3, 10))
    assert {key: contest.periods for key, contest in found.contested.items()} == dict.fromkeys(keys, keys)


def test_rules_alike_are_told_apart_by_the_second_in_which_they_were_made():
    periods = [period(1), period(2, rule_created_at=LATER)]
    assert own(periods, [invoice(900, created_at=LATER), invoice(901, created_at=MADE)]) == {1: 901, 2: 900}


def test_rules_alike_are_told_apart_by_their_customers():
    periods = [period(1), period(2, customer_id=1011)]
    assert own(periods, [invoice(900, customer_id=1011), invoice(901)]) == {1: 901, 2: 900}


def test_each_keeps_its_own_though_both_were_worked_on():
    periods = [period(1, description="Suporte"), period(2, description="Hospedagem", rule_created_at=LATER)]
    worked_on = [invoice(900, description="Suporte - junho"), invoice(901, description="Hospedagem - junho")]
    assert own(periods, worked_on) == {1: 900, 2: 901}


def test_an_invoice_that_the_ledger_knows_is_nobody_elses():
    found = assign([period(1, invoice_id=900), period(2)], [invoice(900)])
    assert {key.rule_id: i.id for key, i in found.own.items()} == {1: 900}


def test_what_lies_near_and_is_unlike_is_said():
    found = assign([period()], [invoice(gross_value=Decimal(7), description="Multa")])
    assert [i.id for i in found.near[PeriodKey(1, date(2025, 3, 10))]] == [900]


def test_what_a_person_said_is_not_its_own_is_not_even_near():
    found = assign([period(not_own=frozenset({900}))], [invoice()])
    assert (found.own, found.near) == ({}, {})


def test_a_second_invoice_of_a_period_that_has_one_is_said():
    found = assign([period(invoice_id=900)], [invoice(900), invoice(901), invoice(902, description="Multa")])
    assert [i.id for i in found.seconds[PeriodKey(1, date(2025, 3, 10))]] == [901]


def test_what_somebody_made_anew_beside_a_cancelled_invoice_is_no_second():
    found = assign([period(invoice_id=900)], [invoice(900, is_cancelled=True), invoice(901)])
    assert found.seconds == {}


# -- what a person may have meant --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ({}, []),
        ({"description": "Mensalidade - leitura 4711"}, []),
        ({"gross_value": Decimal("180.00")}, [FindingKind.VALUE_EDITED]),
        ({"planned_date": date(2025, 3, 11)}, [FindingKind.DATE_MOVED]),
        ({"accrual_month": MARCH.start}, []),
        ({"accrual_month": date(2025, 4, 1)}, [FindingKind.ACCRUAL_DIFFERS]),
        ({"parcels": 3}, [FindingKind.SPLIT]),
        ({"customer_id": 1}, [FindingKind.CUSTOMER_DIFFERS]),
        ({"description": "Outra"}, [FindingKind.DESCRIPTION_DIFFERS]),
    ],
)
def test_differences_are_kept_apart(given, kinds):
    assert [each.kind for each in differences(period(accrual_month=MARCH.start), invoice(**given))] == kinds


def test_a_value_edited_says_by_how_much():
    [found] = differences(period(), invoice(gross_value=Decimal("180.00")))
    assert (found.expected, found.found, found.amount) == ("150.00", "180.00", Decimal("30.00"))


def test_an_invoice_billed_late_is_known_by_the_day_it_was_planned_for():
    answer = {"id": 900, "contract_id": 10, "issue_date": "17/03/2025", "estimated_issue_date": "10/03/2025"}
    answer |= {"gross_value": "150.0", "description": "Mensalidade", "state": "to_receive"}
    late = RemoteInvoice.of(Invoice.model_validate(answer))
    assert own([period()], [late]) == {1: 900}


# -- laws --------------------------------------------------------------------------------------------------------------

DAYS = st.sampled_from([date(2025, 2, 28), date(2025, 3, 10), date(2025, 3, 11), date(2025, 3, 20), date(2025, 4, 10)])
TEXTS = st.sampled_from(["Mensalidade", "Mensalidade - uso", "Suporte", "Suporte 1", "Multa"])
VALUES = st.sampled_from([Decimal("150.00"), Decimal("180.00"), Decimal("7.00")])
BORN = st.sampled_from([MADE, LATER, None])

PERIODS = st.lists(
    st.builds(
        period,
        rule_id=st.integers(1, 4),
        issue_date=st.sampled_from([date(2025, 3, 10), date(2025, 3, 20)]),
        contract_id=st.sampled_from([10, 10, 11]),
        gross_value=VALUES | st.none(),
        description=TEXTS,
        customer_id=st.sampled_from([1010, 1011, None]),
        rule_created_at=BORN,
        invoice_id=st.sampled_from([None, None, None, 900, 901]),
        not_own=st.frozensets(st.integers(900, 902), max_size=1),
    ),
    max_size=5,
    unique_by=lambda each: each.key,
)
INVOICES = st.lists(
    st.builds(
        invoice,
        invoice_id=st.integers(900, 907),
        planned_date=DAYS,
        contract_id=st.sampled_from([10, 10, 11]),
        gross_value=VALUES,
        description=TEXTS,
        customer_id=st.sampled_from([1010, 1011, None]),
        created_at=BORN,
        is_cancelled=st.booleans(),
        comments=st.sampled_from([None, None, *(f"ciclo:7:{r}:2025-03-{d}" for r in (1, 2) for d in (10, 20))]),
    ),
    max_size=6,
    unique_by=lambda each: each.id,
)


def unambiguous(periods):
    """A ledger gives an invoice to one period at most."""
    known = [each.invoice_id for each in periods if each.invoice_id is not None]
    return periods if len(known) == len(set(known)) else [replace(each, invoice_id=None) for each in periods]


@given(PERIODS.map(unambiguous), INVOICES)
def test_each_invoice_is_at_most_one_periods_and_never_one_of_another_contract(periods, invoices):
    found = assign(periods, invoices)
    taken = [each.id for each in found.own.values()]
    assert len(taken) == len(set(taken))
    by_key = {each.key: each for each in periods}
    assert all(by_key[key].contract_id == each.contract_id for key, each in found.own.items())


@given(PERIODS.map(unambiguous), INVOICES, st.randoms(use_true_random=False))
def test_the_order_of_periods_and_invoices_changes_nothing(periods, invoices, random):
    shuffled = random.sample(periods, len(periods)), random.sample(invoices, len(invoices))
    assert assign(periods, invoices) == assign(*shuffled)


@given(PERIODS.map(unambiguous), INVOICES)
def test_a_cancelled_invoice_is_nobodys_but_by_its_reference(periods, invoices):
    by_key = {each.key: each for each in periods}
    for key, each in assign(periods, invoices).own.items():
        named = {PeriodKey(found.rule_id, found.issue_date) for found in each.references}
        assert not each.is_cancelled or key in named or by_key[key].invoice_id == each.id


@given(PERIODS.map(unambiguous), INVOICES)
def test_what_is_found_lies_in_the_coverage_or_near_it_and_a_person_never_said_otherwise(periods, invoices):
    by_key = {each.key: each for each in periods}
    own = assign(periods, invoices).own
    for key, each in own.items():
        if by_key[key].invoice_id != each.id:
            siblings = {
                found.created_at for other, found in own.items() if other.rule_id == key.rule_id and other != key
            }
            at_once = each.created_at in {by_key[key].rule_created_at, *siblings}
            near = at_once and abs(each.planned_date - key.issue_date) <= PUT_OFF_AT_MOST
            assert by_key[key].covers(each.planned_date) or near
            assert each.id not in by_key[key].not_own


@given(PERIODS.map(unambiguous), INVOICES)
def test_a_period_has_an_invoice_or_a_contest_or_neighbours_and_never_two_of_them(periods, invoices):
    found = assign(periods, invoices)
    assert not found.own.keys() & found.contested.keys()
    assert not (found.own.keys() | found.contested.keys()) & found.near.keys()


@given(PERIODS.map(unambiguous), INVOICES)
def test_what_was_assigned_is_assigned_again_once_the_ledger_knows_it(periods, invoices):
    found = assign(periods, invoices).own
    known = [replace(each, invoice_id=found[each.key].id if each.key in found else each.invoice_id) for each in periods]
    assert {key: i.id for key, i in found.items()}.items() <= {
        key: i.id for key, i in assign(known, invoices).own.items()
    }.items()
