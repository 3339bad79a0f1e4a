"""Indexes for lists of a very large ledger; one that answered sums goes without amounts, which let it share its keys."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BY_ISSUE_DATE = ("organization_id", "issue_date", "state", "gone_at")
REFUSED = sa.text("finance_errors IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_receivables_by_issue_date", "receivables")
    op.create_index("ix_receivables_by_issue_date", "receivables", [*BY_ISSUE_DATE])
    by_due_date = ["organization_id", "due_date", "receivable_id"]
    of_contract = ["organization_id", "contract_id"]
    op.create_index(op.f("ix_receivables_organization_id_contract_id"), "receivables", of_contract)
    op.create_index(
        "ix_receivables_refused", "receivables", by_due_date, postgresql_where=REFUSED, sqlite_where=REFUSED
    )


def downgrade() -> None:
    op.drop_index("ix_receivables_refused", "receivables")
    op.drop_index(op.f("ix_receivables_organization_id_contract_id"), "receivables")
    op.drop_index("ix_receivables_by_issue_date", "receivables")
    op.create_index("ix_receivables_by_issue_date", "receivables", [*BY_ISSUE_DATE, "gross_value"])
