"""Indexes for a part of a contract's name or a rule's title: of PostgreSQL, without an extension.

They hold every part of one to three letters, in lower case as the search reads them. Beside them, titles in their order.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

PIECES = """
    CREATE FUNCTION pieces(whole text, shortest integer) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 2000 AS $$
        SELECT ARRAY(
            SELECT substr(lower(whole), place, letters)
            FROM generate_series(shortest, 3) letters, generate_series(1, length(lower(whole)) - letters + 1) place
        )
    $$
"""
"""Parts may be repeated: an index holds each once, and to leave them out takes longer."""
NAMES = {"contracts": "name", "rules": "title"}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(PIECES)
    for table, name in NAMES.items():
        pieces = sa.text(f"pieces({name}, 1)")
        op.create_index(f"ix_{table}_pieces", table, [pieces], postgresql_using="gin")
    op.create_index("ix_rules_by_title", "rules", ["organization_id", sa.text("substr(title, 1, 200)")])
    op.execute("ANALYZE contracts, rules")  # how common each part is: nothing else would ask for it soon


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.drop_index("ix_rules_by_title", "rules")
    for table in NAMES:
        op.drop_index(f"ix_{table}_pieces", table)
    op.execute("DROP FUNCTION pieces(text, integer)")
