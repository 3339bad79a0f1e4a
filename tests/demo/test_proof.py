"""The proof compares the vendor's data with the expected periods, both ways, and cannot be talked into anything."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from demo.proof import ExpectedPeriod, Proof, Reasons, prove

JANUARY = ExpectedPeriod(1, 10, date(2025, 1, 10))
FEBRUARY = ExpectedPeriod(1, 10, date(2025, 2, 10))


def invoice(invoice_id: int, day: str, comments: str | None, **changes: Any) -> dict[str, Any]:
    return {
        "id": invoice_id,
        "contract_id": 1,
        "issue_date": day,
        "gross_value": "100.0",
        "description": "Mensalidade",
        "comments": comments,
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
) -> Proof:
    rule = {
        "id": 10,
        "contract_id": 1,
        "gross_value": "100.00",
        "description": "Mensalidade",
        "services": [],
        "scheduled_updates": updates or [],
        "apply_negative_updates": True,
        "additional_information": {
            "init_date": "2025-01-10",
            "period_unit": "monthly",
            "month_quantity": 1,
            "end_date": None,
        },
    }
    state = {
        "organizations": [{"id": 7}],
        "contracts": [{"id": 1, "state": "active"}],
        "invoice_rules": [rule],
        "invoices": list(invoices),
    }
    return prove(state, state, date(2025, 1, 1), date(2025, 2, 28), parked=parked or {}, waiting=waiting or {})


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


def test_an_invoice_made_by_hand_counts_for_the_period_that_it_looks_like():
    proof = proof_of(invoice(9, "10/01/2025", None), SECOND)

    assert proof.holds
    assert proof.adopted == (9,)


def test_billing_what_was_made_by_hand_already_is_a_duplicate():
    assert proof_of(FIRST, SECOND, invoice(9, "10/01/2025", None)).duplicates == (JANUARY,)


@pytest.mark.parametrize(
    "stray",
    [
        invoice(9, "11/01/2025", "ciclo:7:10:2025-01-11"),
        invoice(9, "11/01/2025", "ciclo:7:10:2025-01-10"),
        invoice(9, "10/01/2025", "ciclo:8:10:2025-01-10"),
        invoice(9, "10/01/2025", "ciclo:7:10:2025-01-10", contract_id=2),
        invoice(9, "10/01/2025", None, gross_value="99.0"),
    ],
    ids=["no such period", "another date", "another organization", "another contract", "another amount"],
)
def test_an_invoice_that_no_period_calls_for_is_unexpected(stray: dict[str, Any]):
    proof = proof_of(FIRST, SECOND, stray)

    assert not proof.holds
    assert proof.unexpected == (9,)


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
