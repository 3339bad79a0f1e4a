"""From which day an invoice was moved: what was planned for a period and lies elsewhere is not billed once more."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("moved_from", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("invoices", "moved_from")
