"""The proof compares the vendor's data with the expected periods, both ways, and cannot be talked into anything."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from demo.proof import Difference, Edited, ExpectedPeriod, MadeBy, Proof, Reasons, Told, prove, removed_periods

JANUARY = ExpectedPeriod(1, 10, date(2025, 1, 10))
FEBRUARY = ExpectedPeriod(1, 10, date(2025, 2, 10))


def invoice(invoice_id: int, day: str, comments: str | None, **changes: Any) -> dict[str, Any]:
    return {
        "id": invoice_id,
        "contract_id": 1,
        "customer_id": 5,
        "state": "to_emit",
        "issue_date": day,
        "estimated_issue_date": day,
        "gross_value": "100.0",
        "description": "Mensalidade",
        "comments": comments,
        "services": [],
        "receivables": [{"gross_value": "33.33"}, {"gross_value": "33.33"}, {"gross_value": "33.34"}],
        **changes,
    }


FIRST = invoice(1, "10/01/2025", "ciclo:7:10:2025-01-10")
SECOND = invoice(2, "10/02/2025", "Pedido 12. ciclo:7:10:2025-02-10")


def proof_of(
    *invoices: dict[str, Any],
    parked: Reasons | None = None,
    waiting: Reasons | None = None,
    updates: list[dict[str, Any]] | None = None,
    before_ciclo: frozenset[int] = frozenset(),
    shown: frozenset[Difference] = frozenset(),
) -> Proof:
    state = state_of(*invoices, updates=updates or [])
    seen = Told(before_ciclo=before_ciclo, shown=shown, parked=parked or {}, waiting=waiting or {})
    return prove(state, state, date(2025, 1, 1), date(2025, 2, 28), seen)


def state_of(*invoices: dict[str, Any], updates: list[dict[str, Any]]) -> dict[str, Any]:
    rule = {
        "id": 10,
        "contract_id": 1,
        "gross_value": "100.00",
        "description": "Mensalidade",
        "services": [],
        "customer_id": 5,
        "receivables_additional_information": {"parcel_number": 3},
        "scheduled_updates": updates,
        "apply_negative_updates": True,
        "additional_information": {
            "init_date": "2025-01-10",
            "period_unit": "monthly",
            "month_quantity": 1,
            "end_date": None,
        },
    }
    return {
        "organizations": [{"id": 7}],
        "contracts": [{"id": 1, "state": "active"}],
        "invoice_rules": [rule],
        "invoices": list(invoices),
    }


def test_one_invoice_for_each_period_holds():
    proof = proof_of(FIRST, SECOND)

    assert proof.holds
    assert (proof.expected, proof.invoices, proof.total) == (2, 2, Decimal(200))


def test_a_period_without_invoice_is_missing():
    proof = proof_of(FIRST)

    assert not proof.holds
    assert proof.missing == (FEBRUARY,)
    assert str(FEBRUARY) == "contract 1, rule 10, 2025-02-10"


def test_a_parked_period_is_explained_and_not_missing():
    proof = proof_of(FIRST, parked={(10, date(2025, 2, 10)): "description não pode ficar em branco"})

    assert proof.holds
    assert proof.parked == {FEBRUARY: "description não pode ficar em branco"}


def test_a_parked_period_without_reason_is_missing():
    assert proof_of(FIRST, parked={(10, date(2025, 2, 10)): ""}).missing == (FEBRUARY,)


def test_a_period_that_waits_for_a_price_update_is_explained_but_the_proof_does_not_hold():
    proof = proof_of(FIRST, waiting={(10, date(2025, 2, 10)): "a price update of its rule is not settled"})

    assert not proof.holds
    assert (list(proof.waiting), list(proof.parked), proof.missing) == ([FEBRUARY], [], ())


def test_two_invoices_for_a_period_are_a_duplicate():
    proof = proof_of(FIRST, SECOND, {**FIRST, "id": 3})

    assert not proof.holds
    assert proof.duplicates == (JANUARY,)


def test_who_made_an_invoice_is_told_by_whether_it_was_there_and_by_the_vendor_s_own_mark():
    generated = {**SECOND, "generated": {"rule_id": 10, "edited": []}}
    by_ciclo, by_vendor, by_hand = (
        proof_of(FIRST),
        proof_of(generated, before_ciclo=frozenset({2})),
        proof_of(invoice(9, "10/01/2025", None), before_ciclo=frozenset({9})),
    )

    assert [proof.made_by for proof in (by_ciclo, by_vendor, by_hand)] == [
        {MadeBy.CICLO: 1},
        {MadeBy.VENDOR: 1},
        {MadeBy.PEOPLE: 1},
    ]


@pytest.mark.parametrize(
    "second",
    [
        invoice(9, "10/01/2025", None),
        invoice(9, "11/01/2025", "ciclo:7:10:2025-01-10"),
        invoice(9, "10/01/2025", "ciclo:8:10:2025-01-10"),
        invoice(9, "10/01/2025", None, gross_value="99.0"),
        invoice(9, "20/01/2025", None, description="Mensalidade - Pedido 4711"),
    ],
    ids=["by hand", "a copy, a day later", "another organization's reference", "another amount", "worked on"],
)
def test_a_further_invoice_that_would_be_a_period_s_is_its_second(second: dict[str, Any]):
    proof = proof_of(FIRST, SECOND, second)

    assert not proof.holds
    assert proof.duplicates == (JANUARY,)


@pytest.mark.parametrize(
    "stray",
    [
        invoice(9, "10/01/2025", "ciclo:7:10:2025-01-10", contract_id=2),
        invoice(9, "10/01/2025", "ciclo:7:10:2025-01-10", customer_id=6),
        invoice(9, "10/01/2025", None, description="Visita", gross_value="99.0"),
    ],
    ids=["another contract", "another customer", "unlike it"],
)
def test_an_invoice_that_no_period_calls_for_is_unexpected(stray: dict[str, Any]):
    proof = proof_of(FIRST, SECOND, stray)

    assert not proof.holds
    assert proof.unexpected == (9,)


def test_a_cancelled_invoice_counts_for_nothing():
    assert proof_of({**FIRST, "state": "cancelled"}, SECOND).missing == (JANUARY,)


WORKED_ON = invoice(
    1, "13/01/2025", None, gross_value="125.0", receivables=[{"gross_value": "25.0"}, {"gross_value": "100.0"}]
)
CHANGES = frozenset(Difference(1, what) for what in Edited)


def test_what_people_changed_before_ciclo_came_is_listed_and_holds_if_ciclo_has_shown_just_that():
    proof = proof_of(WORKED_ON, SECOND, before_ciclo=frozenset({1}), shown=CHANGES)

    assert proof.holds
    assert set(proof.edited) == CHANGES


def test_a_change_that_ciclo_has_not_shown_is_found():
    proof = proof_of(WORKED_ON, SECOND, before_ciclo=frozenset({1}), shown=CHANGES - {Difference(1, Edited.VALUE)})

    assert not proof.holds
    assert proof.not_shown == (Difference(1, Edited.VALUE),)


def test_a_change_that_nobody_made_is_shown_wrongly():
    proof = proof_of(FIRST, SECOND, before_ciclo=frozenset({1}), shown=frozenset({Difference(1, Edited.SPLIT)}))

    assert not proof.holds
    assert proof.shown_wrongly == (Difference(1, Edited.SPLIT),)


def test_what_the_vendor_made_before_and_after_it_was_removed_from_between():
    made = {"generated": {"rule_id": 10, "edited": []}}
    state = state_of(FIRST | made, invoice(3, "10/03/2025", None) | made, updates=[])

    assert removed_periods(state, state, date(2025, 1, 1), date(2025, 4, 30)) == [FEBRUARY]


def test_an_invoice_outside_the_window_is_none_of_its_business():
    assert proof_of(FIRST, SECOND, invoice(9, "10/03/2025", "ciclo:7:10:2025-03-10")).holds


def test_receivables_that_do_not_total_the_invoice_are_found():
    short = {**SECOND, "receivables": [{"gross_value": "99.99"}]}

    proof = proof_of(FIRST, short)

    assert not proof.holds
    assert proof.unbalanced == (2,)


IGPM_IN_FEBRUARY = {
    "id": 1,
    "price_index": "igpm",
    "init_date": "2025-02-01",
    "execution_date": "2025-02-01",
    "month_quantity": 12,
    "service_item_id": None,
}
"""IGP-M of February 2024 to January 2025: 6.75 % on 100.00 BRL."""


def test_an_invoice_at_the_price_of_its_issue_date_is_right():
    share = {"receivables": [{"gross_value": "106.75"}], "gross_value": "106.75"}

    assert proof_of(FIRST, {**SECOND, **share}, updates=[IGPM_IN_FEBRUARY]).holds


def test_an_invoice_at_the_price_from_before_a_readjustment_is_mispriced():
    proof = proof_of(FIRST, SECOND, updates=[IGPM_IN_FEBRUARY])

    assert not proof.holds
    assert [str(wrong) for wrong in proof.mispriced] == [
        "invoice 2 (contract 1, rule 10, 2025-02-10): 100.00 instead of 106.75"
    ]


def test_a_readjustment_that_came_too_early_is_found_as_well():
    early = {**FIRST, "receivables": [{"gross_value": "106.75"}], "gross_value": "106.75"}

    assert [wrong.invoice_id for wrong in proof_of(early, updates=[IGPM_IN_FEBRUARY]).mispriced] == [1]


# -- what differs in the year ------------------------------------------------------------------------------------------

WORKED = {"id": 31, "service_item_id": 9, "name": "Horas", "units": "10.0", "unit_value": "10.0"}


def proof_with(*differing: dict[str, Any], first: str, second: str = "100.0", services: Any = ()) -> Proof:
    """The proof of a year in which something differs, from two invoices of Ciclo at these values."""
    made = [
        {**one, "gross_value": value, "receivables": [{"gross_value": value}]}
        for one, value in ((FIRST, first), (SECOND, second))
    ]
    state = state_of(*made, updates=[])
    state["invoice_rules"][0]["services"] = list(services)
    return prove(state, state | {"adjustments": list(differing)}, date(2025, 1, 1), date(2025, 2, 28), Told())


@pytest.mark.parametrize(
    ("differing", "value"),
    [
        ({"kind": "line", "quantity": "2", "unit_value": "15.00"}, "130.00"),
        ({"kind": "discount", "percent": "10"}, "90.00"),
        ({"kind": "prorate", "first_day": "2025-01-10"}, "70.97"),  # 22 of 31 days
        ({"kind": "prorate", "last_day": "2025-01-20"}, "64.52"),  # 20 of 31 days
    ],
)
def test_what_differs_for_a_month_is_part_of_what_it_costs(differing: dict[str, Any], value: str):
    differing |= {"rule_id": 10, "period": "2025-01-01"}
    right, at_its_rule_s_price = proof_with(differing, first=value), proof_with(differing, first="100.0")

    assert right.holds
    assert (right.differing, right.paused) == (1, 0)
    assert [str(wrong) for wrong in at_its_rule_s_price.mispriced] == [
        f"invoice 1 ({JANUARY}): 100.00 instead of {value}"
    ]


def test_what_was_measured_counts_instead_of_the_rule_s_units():
    measured = {"kind": "quantity", "rule_id": 10, "period": "2025-01-01", "service": "Horas", "quantity": "12.5"}

    assert proof_with(measured, first="125.00", services=[WORKED]).holds
    assert not proof_with(measured, first="100.00", services=[WORKED]).holds


def test_what_is_paused_is_not_expected_and_an_invoice_of_it_not_called_for():
    pause = {"kind": "skip", "contract_id": 1, "from": "2025-02-01", "to": "2025-02-28"}
    state = state_of(FIRST, updates=[])
    paused = prove(state, state | {"adjustments": [pause]}, date(2025, 1, 1), date(2025, 2, 28), Told())

    assert paused.holds
    assert (paused.expected, paused.paused) == (1, 1)
    assert proof_with(pause, first="100.0").unexpected == (2,)


def test_a_cancelled_invoice_of_ciclo_with_another_one_was_billed_again():
    again = {**FIRST, "id": 3, "comments": "ciclo:7:10:2025-01-10:2"}

    proof = proof_of({**FIRST, "state": "cancelled"}, SECOND, again)

    assert proof.holds
    assert proof.billed_again == (JANUARY,)
    assert proof.figures()["billed_again"] == 1
