"""What is wrong with an invoice's tax documents: one judgement for the daily run and for an audit."""

from dataclasses import dataclass
from datetime import date

import pytest

from ciclo.domain.nfse import NfseFault, NfseState, nfse_fault

DUE = date(2026, 5, 10)
DAY_AFTER = date(2026, 5, 11)


@dataclass(frozen=True)
class Document:
    number: int
    state: NfseState


def documents(*states):
    return [Document(number, state) for number, state in enumerate(states, start=1)]


@pytest.mark.parametrize(
    ("states", "due", "said_issued", "today", "expected"),
    [
        ((), DUE, False, DAY_AFTER, (NfseFault.MISSING, None)),
        ((), DUE, False, DUE, None),
        ((), None, False, DAY_AFTER, None),
        ((), DUE, True, DAY_AFTER, None),
        ((NfseState.PENDING,), DUE, False, DAY_AFTER, (NfseFault.MISSING, None)),
        ((NfseState.REFUSED, NfseState.ISSUED), DUE, False, DAY_AFTER, None),
        ((NfseState.REFUSED, NfseState.REFUSED), None, False, DUE, (NfseFault.REFUSED, 2)),
        ((NfseState.REFUSED, NfseState.CANCELLED), DUE, False, DAY_AFTER, (NfseFault.REFUSED, 1)),
        ((NfseState.CANCELLED, NfseState.PENDING), DUE, True, DAY_AFTER, (NfseFault.CANCELLED, 1)),
    ],
)
def test_what_is_wrong_with_tax_documents_and_which_of_them_says_so(states, due, said_issued, today, expected):
    found = nfse_fault(documents(*states), due=due, said_issued=said_issued, today=today)
    assert (found and (found[0], found[1] and found[1].number)) == expected
