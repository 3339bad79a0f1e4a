"""Tax documents as last seen, and where the documents of invoices and receivables are."""

import sqlalchemy as sa
from alembic import op

import ciclo.ledger.types

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "nfses",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("nfse_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("errors", sa.Text(), nullable=True),
        sa.Column("pdf_url", sa.Text(), nullable=True),
        sa.Column("xml_url", sa.Text(), nullable=True),
        sa.Column("generated_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("changed_at_vendor", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('issued','pending','refused','cancelled')", name=op.f("ck_nfses_state")),
        sa.PrimaryKeyConstraint("organization_id", "nfse_id", name=op.f("pk_nfses")),
    )
    op.create_index(op.f("ix_nfses_organization_id_invoice_id"), "nfses", ["organization_id", "invoice_id"])
    op.add_column("invoices", sa.Column("fatura_url", sa.Text(), nullable=True))
    op.add_column("invoices", sa.Column("nfse_wanted", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("invoices", sa.Column("nfse_issued", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("invoices", sa.Column("nfse_due", sa.Date(), nullable=True))
    op.add_column("receivables", sa.Column("boleto_url", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("receivables", "boleto_url")
    for name in ("nfse_due", "nfse_issued", "nfse_wanted", "fatura_url"):
        op.drop_column("invoices", name)
    op.drop_table("nfses")
