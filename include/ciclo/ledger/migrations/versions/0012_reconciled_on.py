"""As of when the ledger knows what was received, and what a person took back of what is not a rule's own."""

import sqlalchemy as sa
from alembic import op

import ciclo.ledger.types

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organizations", sa.Column("reconciled_on", sa.Date(), nullable=True))
    op.add_column("not_its_own", sa.Column("withdrawn_at", ciclo.ledger.types.UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("not_its_own") as batch:
        batch.drop_column("withdrawn_at")
    with op.batch_alter_table("organizations") as batch:
        batch.drop_column("reconciled_on")
