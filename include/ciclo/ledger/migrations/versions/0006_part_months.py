"""What becomes of part months, by organization, and how far ahead single rules are billed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organizations", sa.Column("prorate", sa.Text(), nullable=True))
    op.add_column("rule_settings", sa.Column("lead_days", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("rule_settings") as batch:
        batch.drop_column("lead_days")
    with op.batch_alter_table("organizations") as batch:
        batch.drop_column("prorate")
