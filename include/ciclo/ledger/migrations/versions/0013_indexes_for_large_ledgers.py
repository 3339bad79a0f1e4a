"""Indexes that answer for a large ledger by themselves: what a Dag run did, a month's periods, what is owed."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OF_RECEIVABLES = (
    "organization_id",
    "state",
    "due_date",
    "receivable_id",
    "gone_at",
    "gross_value",
    "received_at",
    "invoice_id",
)


def upgrade() -> None:
    op.create_index(op.f("ix_audit_run_id_dag_id"), "audit", ["run_id", "dag_id"])
    op.drop_index(op.f("ix_periods_organization_id_issue_date_state"), "periods")
    op.create_index("ix_periods_by_day", "periods", ["organization_id", "issue_date", "id", "state", "gross_value"])
    op.drop_index(op.f("ix_receivables_organization_id_state_due_date"), "receivables")
    op.create_index("ix_receivables_by_state", "receivables", [*OF_RECEIVABLES])


def downgrade() -> None:
    op.drop_index("ix_receivables_by_state", "receivables")
    op.create_index(
        op.f("ix_receivables_organization_id_state_due_date"), "receivables", ["organization_id", "state", "due_date"]
    )
    op.drop_index("ix_periods_by_day", "periods")
    op.create_index(
        op.f("ix_periods_organization_id_issue_date_state"), "periods", ["organization_id", "issue_date", "state"]
    )
    op.drop_index(op.f("ix_audit_run_id_dag_id"), "audit")
