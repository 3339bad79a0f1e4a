"""Forecasts: what a rehearsal of the account said of its coming months."""

import ciclo.ledger.types
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "forecasts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("document", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecasts")),
    )
    op.create_index(op.f("ix_forecasts_organization_id_id"), "forecasts", ["organization_id", "id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_forecasts_organization_id_id"), table_name="forecasts")
    op.drop_table("forecasts")
