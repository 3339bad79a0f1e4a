"""Letters to customers about readjustments: what was sent to whom, and what became of it."""

import sqlalchemy as sa
from alembic import op

import ciclo.ledger.types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "letters",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("execution_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("changed_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('asked','no_address','failed','sending','sent','in_doubt')", name=op.f("ck_letters_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
        sa.UniqueConstraint("execution_id", "kind", "sequence", name=op.f("uq_letters_execution_id_kind_sequence")),
    )
    op.create_index(op.f("ix_letters_organization_id_state"), "letters", ["organization_id", "state"])


def downgrade() -> None:
    op.drop_index(op.f("ix_letters_organization_id_state"), table_name="letters")
    op.drop_table("letters")
