"""Whether an invoice is approved or blocked at the vendor."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("approval_status", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("invoices", "approval_status")
