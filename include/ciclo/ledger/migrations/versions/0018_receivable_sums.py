"""What receivables come to by day, kept by the database itself: pages over a large ledger read sums, not receivables.

Triggers keep them in the transaction that changes a receivable. On PostgreSQL no transaction waits for another one there:
each counts in rows of its own, those of the first `writer` that nobody else is just now.
A later migration that lets SQLite make `receivables` anew drops its triggers with it, and creates them again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KEY = "organization_id, state, due_date, issue_date, writer"
SUMS = ("receivables", "gross_value", "on_time", "timed", "days")
SEEN = ("organization_id", "state", "due_date", "issue_date", "gross_value", "received_at", "gone_at")
"""What a receivable is counted by; whatever else changes of it costs nothing."""
ADDED_UP = ", ".join(f"{name} = receivable_sums.{name} + excluded.{name}" for name in SUMS)
COUNTED = """
    SELECT {r}.organization_id, {r}.state, {r}.due_date, COALESCE({r}.issue_date, '0001-01-01') AS issue_date,
           {writer} AS writer, {sign}1 AS receivables, {sign}{r}.gross_value AS gross_value,
           {sign}COALESCE(CAST({r}.received_at <= {r}.due_date AS integer), 0) AS on_time,
           {sign}CAST({days} IS NOT NULL AS integer) AS timed, {sign}COALESCE({days}, 0) AS days
"""
COUNT = f"""
    INSERT INTO receivable_sums ({KEY}, {", ".join(SUMS)})
    {COUNTED} WHERE {{r}}.gone_at IS NULL
    ON CONFLICT ({KEY}) DO UPDATE SET {ADDED_UP}
"""
COUNT_ALL = f"""
    INSERT INTO receivable_sums ({KEY}, {", ".join(SUMS)})
    SELECT {KEY}, {", ".join(f"SUM({name})" for name in SUMS)}
    FROM ({COUNTED} FROM receivables r WHERE r.gone_at IS NULL) c
    GROUP BY {KEY}
"""  # noqa: S608 - names of ours

FUNCTION = """
    CREATE FUNCTION count_receivable() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        mine bigint := 0;
    BEGIN
        WHILE NOT pg_try_advisory_xact_lock((TG_RELID::bigint << 31) + mine) LOOP
            mine := mine + 1;
        END LOOP;
        IF TG_OP <> 'INSERT' THEN
            {taken_away};
        END IF;
        IF TG_OP <> 'DELETE' THEN
            {added};
        END IF;
        RETURN NULL;
    END $$
"""


def upgrade() -> None:
    op.create_table(
        "receivable_sums",
        sa.Column("organization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("writer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("receivables", sa.BigInteger(), nullable=False),
        sa.Column("gross_value", sa.Numeric().with_variant(sa.BigInteger(), "sqlite"), nullable=False),
        sa.Column("on_time", sa.BigInteger(), nullable=False),
        sa.Column("timed", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*KEY.split(", "), name=op.f("pk_receivable_sums")),
    )
    if op.get_bind().dialect.name == "postgresql":
        taken_away, added = _written(COUNT, "OLD", "-", writer="mine"), _written(COUNT, "NEW", writer="mine")
        op.execute(FUNCTION.format(taken_away=taken_away, added=added))
        count = dict.fromkeys(("INSERT", "UPDATE", "DELETE"), "EXECUTE FUNCTION count_receivable()")
        changed = "IS DISTINCT FROM"
    else:
        taken_away, added = _written(COUNT, "OLD", "-"), _written(COUNT, "NEW")
        count = {
            "INSERT": f"BEGIN {added}; END",
            "UPDATE": f"BEGIN {taken_away}; {added}; END",
            "DELETE": f"BEGIN {taken_away}; END",
        }
        changed = "IS NOT"
    old, new = (", ".join(f"{row}.{name}" for name in SEEN) for row in ("OLD", "NEW"))
    for change, act in count.items():
        when = f"WHEN (({old}) {changed} ({new}))" if change == "UPDATE" else ""
        op.execute(f"CREATE TRIGGER count_{change.lower()} AFTER {change} ON receivables FOR EACH ROW {when} {act}")
    op.execute(_written(COUNT_ALL, "r"))


def _written(statement: str, row: str, sign: str = "", writer: str = "0") -> str:
    days = f"({row}.received_at - {row}.issue_date)"
    if op.get_bind().dialect.name == "sqlite":
        days = f"CAST(julianday({row}.received_at) - julianday({row}.issue_date) AS integer)"
    return statement.format(r=row, sign=sign, writer=writer, days=days)


def downgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for change in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER count_{change}" + (" ON receivables" if on_postgresql else ""))
    if on_postgresql:
        op.execute("DROP FUNCTION count_receivable")
    op.drop_table("receivable_sums")
