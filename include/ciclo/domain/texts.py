"""Texts: when two are the same to whoever reads them, and a value as a cell of a spreadsheet's CSV file.

The spreadsheet is a Brazilian one: decimal commas, days first, and no text is calculated.
"""

import unicodedata
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from ciclo.domain.calendar import SAO_PAULO


@lru_cache(maxsize=8192)
def plain(text: str | None) -> str:
    """Return a text without what nobody sees: case, kinds of blanks and how many."""
    return " ".join(unicodedata.normalize("NFKC", text or "").split()).casefold()


def begins_alike(one: str, other: str) -> bool:
    """Whether one text begins with the other, at the end of a word: `Plano 1` is not the beginning of `Plano 10`."""
    shorter, longer = sorted((one, other), key=len)
    if not shorter or not longer.startswith(shorter):
        return False
    return not (longer[len(shorter) :][:1].isalnum() and shorter[-1].isalnum())


_CALCULATED = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: object) -> str:
    """Write one value: money and decimals with a comma, dates day first, moments in São Paulo, texts harmless.

    A text that a spreadsheet would calculate, behind leading blanks or not, gets an apostrophe.
    """
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:f}".replace(".", ",")
        case datetime():
            return f"{value.astimezone(SAO_PAULO):%d/%m/%Y %H:%M:%S}"
        case date():
            return f"{value:%d/%m/%Y}"
        case int():
            return str(value).lower()
        case _:
            text = str(value)
            return f"'{text}" if text.lstrip(" ").startswith(_CALCULATED) else text
