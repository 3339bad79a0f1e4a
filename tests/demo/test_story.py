"""What the acts say of the ledger reads as a finance person would put it."""

import io
from datetime import date
from decimal import Decimal
from typing import Any

from ciclo.domain.price_index import PriceIndex, law_warning
from demo.company import YEAR_START
from demo.ledger_view import Readjustment
from demo.screen import Screen
from demo.story import show_readjustments


def readjustment(day: str, factor: str, *prices: str, **given: Any) -> Readjustment:
    pairs = tuple((Decimal(old), Decimal(new)) for old, new in (pair.split() for pair in prices))
    defaults: dict[str, Any] = {"rule_id": 70004, "index": PriceIndex.IGPM, "held": False, "warnings": ()}
    values = {"execution_date": date.fromisoformat(day), "factor": Decimal(factor), "prices": pairs}
    return Readjustment(**defaults | values | given)


def shown(*updates: Readjustment) -> list[str]:
    stream = io.StringIO()
    show_readjustments(list(updates), Screen(stream))
    return stream.getvalue().splitlines()


def test_an_update_is_shown_with_its_index_its_percentage_and_each_price():
    day = YEAR_START.isoformat()

    assert shown(readjustment(day, "1.0702612", "742.80 794.99", "315.00 337.13")) == [
        "  Price updates   1 applied to 1 rule",
        f"    {day}  IGP-M     +7.03 %  rule 70004: BRL 742.80 -> 794.99, 315.00 -> 337.13",
    ]


def test_updates_from_before_the_year_are_counted_only():
    assert shown(readjustment("2024-06-01", "1.01", "10.00 10.10")) == [
        "  Price updates   1 applied to 1 rule; 1 was still owed from earlier years",
    ]


def test_a_price_that_is_held_one_that_falls_and_terms_against_the_law_are_named():
    held = readjustment("2024-07-01", "1", "10.00 10.00", held=True)
    fallen = readjustment("2024-07-01", "0.99", "10.00 9.90", rule_id=2, warnings=(str(law_warning(6)),))

    assert shown(held, fallen)[1:] == [
        "    held: IGP-M fell, rule 70004 is not lowered (2024-07-01)",
        "    lowered: 1 price update of rules that follow their index down, too",
        f"    warning: rule 2: {law_warning(6)}",
    ]


def test_more_than_ten_are_counted():
    updates = [readjustment(YEAR_START.isoformat(), "1.01", "10.00 10.10") for _ in range(12)]

    assert len(shown(*updates)) == 12
    assert shown(*updates)[-1] == "    and 2 more; the console shows each with its evidence"
