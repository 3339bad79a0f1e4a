"""No text of any length in an index that keeps it whole: PostgreSQL refuses a row with more than a third of a page.

Contracts go by the first letters of their names; a longer key of an adjustment is known by its hash.
"""

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

LONGEST_KEY = 200
ADJUSTMENTS = sa.table("adjustments", sa.column("id", sa.BigInteger()), sa.column("key", sa.Text()))


def upgrade() -> None:
    ledger = op.get_bind()
    if ledger.dialect.name == "postgresql":
        op.drop_index(op.f("ix_contracts_organization_id_name"), "contracts")
        op.create_index("ix_contracts_by_name", "contracts", ["organization_id", sa.text("substr(name, 1, 200)")])
    long = sa.select(ADJUSTMENTS.c.id, ADJUSTMENTS.c.key).where(sa.func.length(ADJUSTMENTS.c.key) > LONGEST_KEY)
    for number, key in ledger.execute(long).all():
        known_by = sha256(key.encode()).hexdigest()
        ledger.execute(sa.update(ADJUSTMENTS).where(ADJUSTMENTS.c.id == number).values(key=known_by))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_contracts_by_name", "contracts")
        op.create_index(op.f("ix_contracts_organization_id_name"), "contracts", ["organization_id", "name"])
