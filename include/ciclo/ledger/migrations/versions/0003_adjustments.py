"""Adjustments, what they were used in, and how single rules are billed."""

import ciclo.ledger.types
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "adjustments",
        sa.Column("id", ROW_ID, autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("to_date", sa.Date(), nullable=True),
        sa.Column("once", sa.Boolean(), nullable=False),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("quantity", ciclo.ledger.types.ExactDecimal(), nullable=True),
        sa.Column("unit_value", ciclo.ledger.types.ExactDecimal(), nullable=True),
        sa.Column("amount", ciclo.ledger.types.Money(), nullable=True),
        sa.Column("percent", ciclo.ledger.types.ExactDecimal(), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("created_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('open','used','withdrawn')", name=op.f("ck_adjustments_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustments")),
        sa.UniqueConstraint("organization_id", "origin", "key", name=op.f("uq_adjustments_organization_id_origin_key")),
    )
    op.create_index(
        op.f("ix_adjustments_organization_id_rule_id_from_date"),
        "adjustments",
        ["organization_id", "rule_id", "from_date"],
    )
    op.create_index(
        op.f("ix_adjustments_organization_id_contract_id"), "adjustments", ["organization_id", "contract_id"]
    )
    op.create_index(
        "ix_adjustments_open",
        "adjustments",
        ["organization_id", "from_date"],
        postgresql_where=sa.text("state = 'open'"),
        sqlite_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "adjustment_uses",
        sa.Column("adjustment_id", sa.BigInteger(), nullable=False),
        sa.Column("period_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=True),
        sa.Column("doubt_until", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('sending','used','unsent')", name=op.f("ck_adjustment_uses_state")),
        sa.PrimaryKeyConstraint("adjustment_id", "period_id", "sequence", name=op.f("pk_adjustment_uses")),
    )
    op.create_index(op.f("ix_adjustment_uses_period_id"), "adjustment_uses", ["period_id"])
    op.create_table(
        "rule_settings",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("waits_for_quantities", sa.Boolean(), nullable=False),
        sa.Column("notice_days", sa.BigInteger(), nullable=False),
        sa.Column("noticed_until", sa.Date(), nullable=True),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("changed_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "rule_id", name=op.f("pk_rule_settings")),
    )


def downgrade() -> None:
    op.drop_table("rule_settings")
    op.drop_table("adjustment_uses")
    op.drop_table("adjustments")
