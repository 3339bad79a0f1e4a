"""A value as a cell of a CSV file that a Brazilian spreadsheet opens: decimal commas, days first, texts harmless."""

from datetime import date, datetime
from decimal import Decimal

from ciclo.domain.calendar import SAO_PAULO

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
