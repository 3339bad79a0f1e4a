"""Rows for tests that begin in the middle: a planned period without the API that would have brought it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

ORGANIZATION = 7
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


def period_row(**given: Any) -> dict[str, Any]:
    """A planned period of rule 1 in contract 10, issued on 2025-03-10, of R$ 150,00."""
    row = {
        "organization_id": ORGANIZATION,
        "contract_id": 10,
        "rule_id": 1,
        "rule_version": 1,
        "issue_date": date(2025, 3, 10),
        "accrual_month": date(2025, 3, 1),
        "first_due_date": date(2025, 4, 1),
        "parcel_number": 1,
        "gross_value": Decimal("150.00"),
        "state": "planned",
        "reason": None,
        "attempts": 0,
        "planned_by": "tests",
        "created_at": NOON,
        "changed_at": NOON,
    }
    return row | given


def scheduled_update_row(**given: Any) -> dict[str, Any]:
    """A yearly update of rule 1 by IGP-M whose next execution is 2025-03-01."""
    row = {
        "organization_id": ORGANIZATION,
        "scheduled_update_id": 5,
        "contract_id": 10,
        "rule_id": 1,
        "price_index": "igpm",
        "init_date": date(2025, 3, 1),
        "month_quantity": 12,
        "days_until_update": 7,
        "service_item_id": None,
        "next_execution_date": date(2025, 3, 1),
        "remote_execution_date": date(2025, 3, 1),
        "payload": {},
        "first_seen_at": NOON,
        "seen_at": NOON,
        "gone_at": None,
    }
    return row | given
