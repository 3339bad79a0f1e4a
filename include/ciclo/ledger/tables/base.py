"""The declarative base: one naming convention for every constraint, so that migrations can name what they change."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

from ciclo.ledger.types import ExactDecimal, Money, UtcDateTime

Payload = dict[str, Any]
JSON_DOCUMENT = JSON().with_variant(JSONB(), "postgresql")
ROW_ID = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows only in an INTEGER PRIMARY KEY

__all__ = ["JSON_DOCUMENT", "ROW_ID", "Base", "ExactDecimal", "Money", "Payload", "UtcDateTime", "date"]


class Base(DeclarativeBase):
    """Parent of every table of the ledger."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        int: BigInteger,
        str: Text,
        Decimal: ExactDecimal,
        datetime: UtcDateTime,
        Payload: JSON_DOCUMENT,
    }
