"""Terms of a contract for its readjustments that the vendor cannot hold."""

import ciclo.ledger.types
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    instant = ciclo.ledger.types.UtcDateTime
    op.create_table(
        "contract_terms",
        sa.Column("id", row_id, autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("percent", ciclo.ledger.types.ExactDecimal(), nullable=True),
        sa.Column("price_index", sa.Text(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("clause", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_to", sa.Date(), nullable=True),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_terms")),
    )
    op.create_index(
        op.f("ix_contract_terms_organization_id_contract_id"), "contract_terms", ["organization_id", "contract_id"]
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_contract_terms_organization_id_contract_id"), table_name="contract_terms")
    op.drop_table("contract_terms")
