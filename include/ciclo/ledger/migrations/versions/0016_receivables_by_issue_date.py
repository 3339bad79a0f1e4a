"""Receivables say themselves when they were billed: what a month brought in is read without their invoices."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BY_STATE = ("organization_id", "state", "due_date", "receivable_id", "gone_at", "gross_value", "received_at")


def upgrade() -> None:
    op.add_column("receivables", sa.Column("issue_date", sa.Date(), nullable=True))
    op.execute(
        "UPDATE receivables SET issue_date = (SELECT i.issue_date FROM invoices AS i "
        "WHERE i.organization_id = receivables.organization_id AND i.invoice_id = receivables.invoice_id)"
    )
    op.drop_index("ix_receivables_by_state", "receivables")
    op.create_index("ix_receivables_by_state", "receivables", [*BY_STATE, "issue_date"])
    of_month = ["organization_id", "issue_date", "state", "gone_at", "gross_value"]
    op.create_index("ix_receivables_by_issue_date", "receivables", of_month)


def downgrade() -> None:
    op.drop_index("ix_receivables_by_issue_date", "receivables")
    op.drop_index("ix_receivables_by_state", "receivables")
    op.create_index("ix_receivables_by_state", "receivables", [*BY_STATE, "invoice_id"])
    op.drop_column("receivables", "issue_date")
