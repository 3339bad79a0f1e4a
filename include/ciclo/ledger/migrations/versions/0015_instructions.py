"""What people let Ciclo tell the vendor about single invoices and receivables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import ciclo.ledger.types

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

UNDER_WAY = sa.text("state IN ('asked','sending','in_doubt','accepted')")


def upgrade() -> None:
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.create_table(
        "instructions",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("facts", document, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("doubt_until", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("lost_answers", sa.BigInteger(), nullable=False),
        sa.Column("created_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("changed_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("reason_kind", sa.Text(), nullable=True),
        sa.Column("reason_facts", document, nullable=True),
        sa.CheckConstraint(
            "state IN ('asked','sending','in_doubt','accepted','done','refused','withdrawn')",
            name=op.f("ck_instructions_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instructions")),
    )
    op.create_index(
        "uq_instructions_under_way",
        "instructions",
        ["organization_id", "subject", "subject_id"],
        unique=True,
        postgresql_where=UNDER_WAY,
        sqlite_where=UNDER_WAY,
    )
    own = ["organization_id", "invoice_id"]
    op.create_index(op.f("ix_instructions_organization_id_invoice_id"), "instructions", own)


def downgrade() -> None:
    op.drop_index(op.f("ix_instructions_organization_id_invoice_id"), table_name="instructions")
    op.drop_index("uq_instructions_under_way", table_name="instructions")
    op.drop_table("instructions")
