"""What periods come to by day, on PostgreSQL: the console's figures read sums, and count anew the days that changed.

A transaction that changes periods of a day leaves a mark, once a day, in a row of its own: nobody waits for anybody. It is
the change itself, however small, that marks: a sum is true of a day without a mark, whatever else is under way.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

MARK = """
        mine := {row}.organization_id || ' ' || {row}.issue_date || ';';
        IF position(mine IN marked) = 0 THEN
            INSERT INTO period_marks (organization_id, issue_date) VALUES ({row}.organization_id, {row}.issue_date);
            marked := set_config('ciclo.marked', marked || mine, true);
        END IF;
"""
FUNCTION = f"""
    CREATE FUNCTION mark_period() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        marked text := coalesce(current_setting('ciclo.marked', true), '');
        mine text;
    BEGIN
        IF TG_OP <> 'DELETE' THEN {MARK.format(row="NEW")} END IF;
        IF TG_OP = 'DELETE' OR OLD.issue_date <> NEW.issue_date OR OLD.organization_id <> NEW.organization_id THEN
            {MARK.format(row="OLD")}
        END IF;
        RETURN NULL;
    END $$
"""
COUNTED = "organization_id, issue_date, state, gross_value"
"""What a period is counted by; whatever else changes of it costs nothing."""


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "period_sums",
        sa.Column("organization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("periods", sa.BigInteger(), nullable=False),
        sa.Column("gross_value", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "issue_date", "state", name=op.f("pk_period_sums")),
    )
    op.create_table(
        "period_marks",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_period_marks")),
    )
    op.execute(FUNCTION)
    old, new = (", ".join(f"{row}.{name}" for name in COUNTED.split(", ")) for row in ("OLD", "NEW"))
    changed = f"UPDATE OF {COUNTED}", f"WHEN (({old}) IS DISTINCT FROM ({new}))"
    for name, (change, when) in {"insert": ("INSERT", ""), "update": changed, "delete": ("DELETE", "")}.items():
        op.execute(
            f"CREATE TRIGGER mark_{name} AFTER {change} ON periods FOR EACH ROW {when} EXECUTE FUNCTION mark_period()"
        )
    op.execute(f"""
        INSERT INTO period_sums ({COUNTED.replace("state", "state, periods")})
        SELECT organization_id, issue_date, state, count(*), coalesce(sum(gross_value), 0)
        FROM periods GROUP BY organization_id, issue_date, state
    """)  # noqa: S608 - names of ours


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for name in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER mark_{name} ON periods")
    op.execute("DROP FUNCTION mark_period")
    op.drop_table("period_marks")
    op.drop_table("period_sums")
