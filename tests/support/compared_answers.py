"""Comparing what a model read with the answer it was read from, field by field, by rules of our own."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ciclo.billimatic.models import Answer

NOTHING = (None, "", "--")
RENAMED = {  # what the API called a field at other times or in other places → the model's name
    "finance_errors": "myfinance_errors",
    "boleto_url": "billet_url",
    "invoice_url": "fatura_url",
    "from": "from_",
    "scheduled_update": "scheduled_updates",
}


def differences(read: Answer, answer: dict[str, Any], path: str = "") -> list[str]:
    """Say which fields of an answer a model read as something else; what it does not name is not compared."""
    found = []
    for name, value in answer.items():
        field = RENAMED.get(name, name)
        if field in type(read).model_fields and not _same(getattr(read, field), value, name, f"{path}{name}", found):
            found.append(f"{path}{name}: {value!r} was read as {getattr(read, field)!r}")
    return found


def unnamed(read: Answer, answer: dict[str, Any]) -> set[str]:
    """Names of an answer that the model does not know."""
    return {name for name in answer if RENAMED.get(name, name) not in type(read).model_fields}


def _same(read: Any, value: Any, name: str, path: str, found: list[str]) -> bool:  # noqa: C901, PLR0911 - a table
    if isinstance(read, Answer):
        inner = value["invoice"] if set(value) == {"invoice"} else value
        found += differences(read, inner, f"{path}.")
        return True
    if isinstance(read, tuple):
        values = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
        return len(read) == len(values) and all(
            _same(one, other, name, f"{path}.{number}", found)
            for number, (one, other) in enumerate(zip(read, values, strict=True))
        )
    if name in {"state", "period_unit"} and isinstance(value, int):
        return {"to_emit": 0, "active": 1, "monthly": 0}.get(read) == value
    if name == "period_unit" and value is None:
        return read == "monthly"
    if name == "accrual_month_quantity" and value is None:
        return read in {None, "same_month"}
    if value in NOTHING and not isinstance(value, bool):
        return read is None or read is False or read in {"", ()}
    if isinstance(read, bool) or isinstance(value, bool):
        return read is value
    if isinstance(read, Decimal):
        return read == Decimal(value)
    if isinstance(read, datetime):
        return read == _instant(value)
    if isinstance(read, date):
        return read == _day(value)
    return read == value if isinstance(read, type(value)) else str(read) == str(value)


def _day(text: str) -> date:
    day = text[:10]
    return datetime.strptime(day, "%d/%m/%Y" if "/" in day else "%Y-%m-%d").date()  # noqa: DTZ007 - a bare date


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M:%S %z") if "/" in text else datetime.fromisoformat(text)
