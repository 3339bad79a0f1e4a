"""The declarative base: one naming convention for every constraint, so that migrations can name what they change."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, composite, declared_attr

from ciclo.domain.states import Reason, ReasonKind, as_reason
from ciclo.ledger.types import ExactDecimal, UtcDateTime

Payload = dict[str, Any]
JSON_DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
ROW_ID = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows only in an INTEGER PRIMARY KEY


_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
_TYPES: dict[Any, Any] = {
    int: BigInteger,
    str: Text,
    Decimal: ExactDecimal,
    datetime: UtcDateTime,
    Payload: JSON_DOCUMENT,
}


class Base(DeclarativeBase):
    """Parent of every table of the ledger."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = _TYPES


class Kept(DeclarativeBase):
    """Parent of what is kept of the ledger's tables by their triggers, to be read sooner: nobody copies it."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = _TYPES


class Reasoned:
    """A row that says why it is as it is: a kind to filter and count by, and facts for the sentence."""

    reason_kind: Mapped[str | None]
    reason_facts: Mapped[Payload | None]

    @declared_attr
    def reason(cls) -> Mapped[Reason | None]:  # noqa: N805 - SQLAlchemy calls it with the class
        """The reason, to be put into words by `ciclo.domain.wording`."""
        return composite(_read_reason, "reason_kind", "reason_facts")


def _read_reason(kind: str | None, facts: Payload | None) -> Reason | None:
    return None if kind is None else Reason(ReasonKind(kind), facts or {})


def reason_columns(reason: Reason | str | None) -> dict[str, Any]:
    """Return a reason as columns of a `Reasoned` row; a sentence becomes one of kind `said`."""
    if not reason:
        return {"reason_kind": None, "reason_facts": None}
    given = as_reason(reason)
    return {"reason_kind": given.kind.value, "reason_facts": dict(given.facts)}
