"""Query and path parameters that several views share, each with its bounds: what is out of them is a 422."""

from datetime import date
from typing import Annotated, Literal, Self

from fastapi import Path, Query
from pydantic import BeforeValidator

from ciclo.domain.errors import DomainError
from ciclo.domain.price_index import PriceIndex
from ciclo.domain.states import PeriodState
from ciclo.ledger.queries.nfses import NfseFilter
from ciclo.ledger.queries.search import LARGEST_ID
from ciclo.locale import _

FIRST_YEAR, LAST_YEAR = 1990, 2200


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


def _storable(value: object) -> object:
    """Read NUL, which PostgreSQL takes for no text at all, as what stands for it in the ledger: U+FFFD."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _month(value: object) -> object:
    """`2025-03` is read as its first day; an empty field of a form is none."""
    if value == "" or value is None:
        return None
    text = f"{value}-01" if isinstance(value, str) and len(value) == 7 else value
    day = date.fromisoformat(str(text))
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"the year must be from {FIRST_YEAR} to {LAST_YEAR}")
    return day.replace(day=1)


class UnreadableField(DomainError):
    """A field of a form that is not what it should hold."""

    @classmethod
    def holding(cls, text: str) -> Self:
        """Return the error about what a field holds."""
        return cls(_("{value} cannot be read.").format(value=repr(text)))


RowId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
OptionalId = Annotated[int | None, BeforeValidator(_empty_is_none), Query(ge=1, le=LARGEST_ID)]
MonthParam = Annotated[date | None, BeforeValidator(_month), Query(description="A month: YYYY-MM.")]
DayParam = Annotated[date | None, BeforeValidator(_empty_is_none), Query(ge=date(1990, 1, 1), le=date(2200, 1, 1))]
TextParam = Annotated[str, BeforeValidator(_storable), Query(max_length=100)]
StateParam = Annotated[PeriodState | None, BeforeValidator(_empty_is_none), Query()]
ListedState = Annotated[PeriodState | Literal["not_cancelled"] | None, BeforeValidator(_empty_is_none), Query()]
"""A state of periods, or all but cancelled."""
NfseParam = Annotated[NfseFilter | None, BeforeValidator(_empty_is_none), Query()]
IndexParam = Annotated[PriceIndex | None, BeforeValidator(_empty_is_none), Query()]
NameParam = Annotated[str, BeforeValidator(_storable), Query(min_length=1, max_length=250)]
OptionalName = Annotated[str | None, BeforeValidator(_storable), Query(max_length=250)]
Months = Annotated[Literal[6, 12, 24], BeforeValidator(int), Query()]
