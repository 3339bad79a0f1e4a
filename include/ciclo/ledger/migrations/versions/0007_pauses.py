"""Until when the vendor wants to be left alone, by organization."""

import sqlalchemy as sa
from alembic import op

import ciclo.ledger.types

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organizations", sa.Column("paused_until", ciclo.ledger.types.UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("organizations") as batch:
        batch.drop_column("paused_until")
