"""A year of billing in the mixed world, day by day: nothing made twice by Ciclo, nothing missing, every deed shown.

`make year` plays 600 rules for a year under faults and prints the figures; otherwise it is a dozen for five weeks,
undisturbed: the vendor extends and readjusts on the first of the second month, its people work on a third of all.
"""

import os
from datetime import date

import pytest

from simulated_year import year

FULL = os.environ.get("CICLO_CHAOS") == "year"
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(36_000 if FULL else 1800)]

SIZE, UNTIL = 12, date(2025, 2, 5)
if FULL:
    SIZE = int(os.environ.get("CICLO_YEAR_RULES", "600"))
    UNTIL = date.fromisoformat(os.environ.get("CICLO_YEAR_UNTIL", "2026-01-12"))


def test_a_year_of_billing_in_the_mixed_world_ends_with_every_month_closed(capsys):
    beginning = date(2025, 1, 1)
    with year(SIZE, start=beginning, until=UNTIL, faulty=FULL, readjust=True, extend_generated=True) as under_way:
        for day in under_way.play():
            if FULL and day.day == 1:  # what hours of it look like
                with capsys.disabled():
                    os.write(1, f"{day}: {under_way.faults.total()} faults so far\n".encode())
        found = under_way.reckon()

    with capsys.disabled():
        os.write(1, ("\n" + "\n".join(found.lines(f"{SIZE} rules until {UNTIL}")) + "\n").encode())
    assert not found.wrong
    assert found.periods == found.invoices + found.removed
    assert found.deeds
