"""What the central bank knows beyond the series that ship, for whoever has no ledger to keep it in."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.price_index import PriceIndex, available_from
from ciclo.http.errors import ApiError
from ciclo.sgs.client import SgsClient
from ciclo.sgs.series import Series, shipped_series


class Newest(NamedTuple):
    """Values of the months after the shipped ones, by index; and why the bank could not be asked, None if it could."""

    values: Mapping[PriceIndex, Series]
    problem: str | None


def newest_values(sgs: SgsClient, today: date) -> Newest:
    """Ask the bank for the months of every index that are out on a day and do not ship; one failure ends the asking."""
    values: dict[PriceIndex, Series] = {}
    for index in PriceIndex:
        first, last = add_months(max(shipped_series()[index]), 1), add_months(first_of_month(today), -1)
        if first > last or available_from(index, first) > today:
            continue
        try:
            answered = sgs.values(index, first, last)
        except ApiError as error:
            return Newest(values, str(error))
        values[index] = {each.month: each.value for each in answered}
    return Newest(values, None)
