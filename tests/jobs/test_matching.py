"""Which remote invoice is a period's."""

from datetime import date
from decimal import Decimal

import pytest

from ciclo.billimatic.models import Invoice
from ciclo.jobs.issuing.match import Places, RemoteInvoices, Wanted, reference, reference_in
from ciclo.ledger.repositories.periods import Seen

REFERENCE = "ciclo:7:1:2025-03-10"
WANTED = Wanted(REFERENCE, 10, date(2025, 3, 10), Decimal("150.00"), "Mensalidade")
PLACE = Seen(period_id=1, attempts=0, issue_date=date(2025, 3, 10), contract_id=10, rule_id=1)


def invoice(invoice_id=900, **given):
    return Invoice.model_validate(
        {
            "id": invoice_id,
            "contract_id": 10,
            "issue_date": "10/03/2025",
            "gross_value": "150.0",
            "description": "Mensalidade",
            "state": "to_emit",
            "comments": None,
            **given,
        }
    )


def ids(remote, wanted=WANTED):
    return [found.id for found in remote.candidates(wanted)]


def test_a_reference_names_organization_rule_and_issue_date():
    assert reference(7, 1, date(2025, 3, 10)) == REFERENCE


@pytest.mark.parametrize(
    ("comments", "found"),
    [
        (REFERENCE, REFERENCE),
        (f"{REFERENCE}\nPagar até o dia 5", REFERENCE),
        (f"obs. {REFERENCE}.", REFERENCE),
        ("ciclo:7:1:2025-3-10", None),
        ("0", None),
        (None, None),
    ],
)
def test_a_reference_is_found_among_other_words(comments, found):
    assert reference_in(comments) == found


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        ({"comments": REFERENCE}, True),
        ({"comments": REFERENCE, "gross_value": "1.0", "state": "cancelled"}, True),
        ({"comments": "ciclo:7:2:2025-03-10"}, False),  # another rule's own
        ({}, True),  # nobody's, and just alike
        ({"state": "cancelled"}, False),
        ({"gross_value": "150.01"}, False),
        ({"description": "Outra"}, False),
        ({"contract_id": 11}, False),
        ({"issue_date": "11/03/2025"}, False),
    ],
)
def test_a_period_is_found_by_reference_else_by_likeness(given, matches):
    assert bool(ids(RemoteInvoices([invoice(**given)]))) is matches


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ({"comments": REFERENCE}, True),
        ({"comments": REFERENCE, "contract_id": 11, "issue_date": "11/03/2025", "state": "cancelled"}, True),
        ({"gross_value": "1.0", "description": "Outra"}, True),  # nobody's: what it looks like is compared then
        ({"comments": "ciclo:7:2:2025-03-10"}, False),
        ({"state": "cancelled"}, False),
        ({"contract_id": 11}, False),
        ({"issue_date": "11/03/2025"}, False),
    ],
)
def test_a_period_is_looked_at_where_an_invoice_may_be_its_own(given, near):
    kept = [found for found in [invoice(**given)] if found in Places(7, [PLACE])]
    assert RemoteInvoices(kept).near(PLACE, 7) is near


def test_a_period_is_not_looked_at_for_an_invoice_of_another():
    assert not RemoteInvoices([invoice(900), invoice(901, comments=REFERENCE)], taken=[900, 901]).near(PLACE, 7)


def test_a_reference_wins_over_a_likeness():
    assert ids(RemoteInvoices([invoice(900), invoice(901, comments=REFERENCE)])) == [901]


def test_every_invoice_with_the_reference_is_a_candidate():
    assert ids(RemoteInvoices([invoice(number, comments=REFERENCE) for number in (900, 901)])) == [900, 901]


def test_an_invoice_is_given_to_one_period_only():
    remote = RemoteInvoices([invoice(900), invoice(901)], taken=[900])
    assert ids(remote) == [901]
    remote.take(invoice(901))
    assert ids(remote) == []


def test_a_period_without_a_price_is_matched_by_reference_alone():
    unpriced = Wanted(REFERENCE, 10, date(2025, 3, 10), None, "Mensalidade")
    assert ids(RemoteInvoices([invoice()]), unpriced) == []
    assert ids(RemoteInvoices([invoice(comments=REFERENCE)]), unpriced) == [900]
