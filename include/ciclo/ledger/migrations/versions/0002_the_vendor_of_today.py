"""The vendor of today: reasons as kinds with facts, one period a rule and date, arming, what is not its own.

One function a subject, with its way back beside it; `SUBJECTS` is their order.
"""

from datetime import UTC, datetime

import ciclo.ledger.types
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WITH_REASON = ("periods", "price_update_executions", "audit")
RENAMED_FINDINGS = {"unknown_invoice": "unexplained", "issue_date_changed": "date_moved"}


def period_checks() -> tuple[sa.CheckConstraint, ...]:
    """The checks of `periods`: SQLite makes a table anew to change a constraint, and does not tell of its checks."""
    return (
        sa.CheckConstraint("state <> 'issued' OR invoice_id IS NOT NULL", name=op.f("ck_periods_issued_has_invoice")),
        sa.CheckConstraint(
            "state IN ('planned','waiting','submitting','in_doubt','issued','parked','cancelled')",
            name=op.f("ck_periods_state"),
        ),
    )


def json_column(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), **options)


def is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


# -- reasons: a kind and its facts; a sentence that is there already stays as it was written ---------------------------


def reasons() -> None:
    as_document = "jsonb_build_object" if is_postgresql() else "json_object"
    for table in WITH_REASON:
        op.add_column(table, sa.Column("reason_kind", sa.Text(), nullable=True))
        op.add_column(table, json_column("reason_facts", nullable=True))
        op.execute(
            f"UPDATE {table} SET reason_kind = 'said', reason_facts = {as_document}('text', reason) "
            "WHERE reason IS NOT NULL"
        )
        op.drop_column(table, "reason")


def reasons_back() -> None:
    text = "reason_facts ->> 'text'" if is_postgresql() else "json_extract(reason_facts, '$.text')"
    for table in WITH_REASON:
        op.add_column(table, sa.Column("reason", sa.Text(), nullable=True))
        op.execute(f"UPDATE {table} SET reason = coalesce({text}, reason_kind) WHERE reason_kind IS NOT NULL")
        op.drop_column(table, "reason_facts")
        op.drop_column(table, "reason_kind")


# -- findings: facts instead of a message; two kinds have the field's name ---------------------------------------------


def findings() -> None:
    as_document = "jsonb_build_object" if is_postgresql() else "json_object"
    op.add_column("findings", json_column("facts", nullable=False, server_default=sa.text("'{}'")))
    op.execute(f"UPDATE findings SET facts = {as_document}('text', message)")
    op.drop_column("findings", "message")
    for before, after in RENAMED_FINDINGS.items():
        op.execute(f"UPDATE findings SET kind = '{after}' WHERE kind = '{before}'")


def findings_back() -> None:
    text = "facts ->> 'text'" if is_postgresql() else "json_extract(facts, '$.text')"
    op.add_column("findings", sa.Column("message", sa.Text(), nullable=False, server_default=""))
    op.execute(f"UPDATE findings SET message = coalesce({text}, kind)")
    op.drop_column("findings", "facts")
    for before, after in RENAMED_FINDINGS.items():
        op.execute(f"UPDATE findings SET kind = '{before}' WHERE kind = '{after}'")


# -- periods: one a rule and date, whatever the organization; who gave it up; how often an answer was lost --------------


def periods() -> None:
    op.add_column("periods", sa.Column("lost_answers", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("periods", sa.Column("reference_sequence", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("periods", sa.Column("cancelled_by", sa.Text(), nullable=True))
    op.execute(
        "UPDATE periods SET cancelled_by = (SELECT 'run ' || max(p.run_id) FROM billing_plan_periods AS e "
        "JOIN billing_plans AS p ON p.id = e.plan_id WHERE e.period_id = periods.id AND e.left_out "
        "AND p.applied_at IS NOT NULL) WHERE state = 'cancelled'"
    )
    op.execute(
        "UPDATE periods SET cancelled_by = coalesce((SELECT max(a.person) FROM audit AS a WHERE a.subject = 'period' "
        "AND a.subject_id = periods.id AND a.to_state = 'cancelled'), cancelled_by) WHERE state = 'cancelled'"
    )
    set_aside_the_same_rule_and_date()
    with op.batch_alter_table("periods", table_args=period_checks()) as batch_op:
        batch_op.drop_constraint(op.f("uq_periods_organization_id_rule_id_issue_date"), type_="unique")
        batch_op.create_unique_constraint(op.f("uq_periods_rule_id_issue_date"), ["rule_id", "issue_date"])


def set_aside_the_same_rule_and_date() -> None:
    """Keep of two periods of a rule and date the one that came furthest; the other stays in the audit trail."""
    rank = (
        "CASE state WHEN 'issued' THEN 0 WHEN 'submitting' THEN 1 WHEN 'in_doubt' THEN 1 WHEN 'parked' THEN 2 "
        "WHEN 'cancelled' THEN 4 ELSE 3 END"
    )
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT id, organization_id, contract_id, rule_id, CAST(issue_date AS TEXT) AS issue_date, state, "
            "CAST(gross_value AS TEXT) AS gross_value, invoice_id FROM periods WHERE (rule_id, issue_date) IN "
            "(SELECT rule_id, issue_date FROM periods GROUP BY rule_id, issue_date HAVING count(*) > 1) "
            f"ORDER BY rule_id, issue_date, {rank}, id"
        )
    ).all()
    now = datetime.now(UTC)
    audit = sa.table(
        "audit",
        *(sa.column(name) for name in ("organization_id", "subject", "subject_id", "from_state", "to_state")),
        sa.column("at", ciclo.ledger.types.UtcDateTime()),
        sa.column("reason_kind"),
        json_column("reason_facts"),
    )
    kept = None
    for row in rows:
        if kept is None or (kept.rule_id, kept.issue_date) != (row.rule_id, row.issue_date):
            kept = row
            continue
        facts = {
            "organization_id": kept.organization_id,
            "period_id": kept.id,
            "contract_id": row.contract_id,
            "rule_id": row.rule_id,
            "issue_date": row.issue_date,
            "gross_value": row.gross_value,
            "invoice_id": row.invoice_id,
        }
        connection.execute(
            audit.insert().values(
                organization_id=row.organization_id,
                at=now,
                subject="period",
                subject_id=row.id,
                from_state=row.state,
                to_state="superseded",
                reason_kind="superseded",
                reason_facts=facts,
            )
        )
        gone = {"id": row.id}
        connection.execute(sa.text("UPDATE invoices SET period_id = NULL WHERE period_id = :id"), gone)
        closed = sa.text("UPDATE findings SET closed_at = :at WHERE subject = 'period' AND subject_id = :id AND closed_at IS NULL")
        closed = closed.bindparams(sa.bindparam("at", type_=ciclo.ledger.types.UtcDateTime()))
        connection.execute(closed, {"at": now, **gone})
        connection.execute(sa.text("DELETE FROM periods WHERE id = :id"), gone)


def periods_back() -> None:
    with op.batch_alter_table("periods", table_args=period_checks()) as batch_op:
        batch_op.drop_constraint(op.f("uq_periods_rule_id_issue_date"), type_="unique")
        batch_op.create_unique_constraint(
            op.f("uq_periods_organization_id_rule_id_issue_date"), ["organization_id", "rule_id", "issue_date"]
        )
    for column in ("cancelled_by", "reference_sequence", "lost_answers"):
        op.drop_column("periods", column)


# -- arming: a person allows an organization to bill -------------------------------------------------------------------


def arming() -> None:
    """An organization that has billed before this version was allowed to: it stays so, from its first month on."""
    op.add_column("organizations", sa.Column("armed_at", ciclo.ledger.types.UtcDateTime(), nullable=True))
    op.add_column("organizations", sa.Column("armed_by", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("responsible_from", sa.Date(), nullable=True))
    first_month = (
        "date_trunc('month', min(p.issue_date))::date" if is_postgresql() else "date(min(p.issue_date), 'start of month')"
    )
    for column, value in (("armed_at", "min(p.created_at)"), ("responsible_from", first_month)):
        op.execute(
            f"UPDATE organizations SET {column} = (SELECT {value} FROM periods AS p "
            "WHERE p.organization_id = organizations.organization_id AND p.state = 'issued')"
        )
    op.execute("UPDATE organizations SET armed_by = 'an earlier version' WHERE armed_at IS NOT NULL")


def arming_back() -> None:
    for column in ("responsible_from", "armed_by", "armed_at"):
        op.drop_column("organizations", column)


# -- what a person said of an invoice ----------------------------------------------------------------------------------


def not_its_own() -> None:
    op.create_table(
        "not_its_own",
        sa.Column("organization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "invoice_id", "rule_id", name=op.f("pk_not_its_own")),
    )


def not_its_own_back() -> None:
    op.drop_table("not_its_own")


# -- forms of the vendor's answers that were reported ------------------------------------------------------------------


def seen_shapes() -> None:
    op.create_table(
        "seen_shapes",
        sa.Column("organization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("first_seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "kind", "path", "word", name=op.f("pk_seen_shapes")),
    )


def seen_shapes_back() -> None:
    op.drop_table("seen_shapes")


# -- invoices: the planned date, whose they are, who made them; what the vendor has generated --------------------------


def invoices() -> None:
    """What a run created was made by Ciclo; of what was found nobody noted who made it, unless it has a reference."""
    op.add_column("invoices", sa.Column("planned_date", sa.Date(), nullable=True))
    op.execute("UPDATE invoices SET planned_date = issue_date")
    with op.batch_alter_table("invoices") as batch_op:
        batch_op.alter_column("planned_date", existing_type=sa.Date(), nullable=False)
    op.add_column("invoices", sa.Column("customer_id", sa.BigInteger(), nullable=True))
    op.add_column("invoices", sa.Column("created_at_vendor", ciclo.ledger.types.UtcDateTime(), nullable=True))
    op.add_column("invoices", sa.Column("made_by", sa.Text(), nullable=True))
    op.execute(
        "UPDATE invoices SET made_by = CASE WHEN adopted AND reference IS NULL THEN 'vendor' ELSE 'ciclo' END "
        "WHERE period_id IS NOT NULL"
    )


def invoices_back() -> None:
    with op.batch_alter_table("invoices") as batch_op:
        for column in ("made_by", "created_at_vendor", "customer_id", "planned_date"):
            batch_op.drop_column(column)


def generated_ranges() -> None:
    op.create_table(
        "generated_ranges",
        sa.Column("organization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_date", sa.Date(), nullable=False),
        sa.Column("last_date", sa.Date(), nullable=False),
        sa.Column("seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "rule_id", name=op.f("pk_generated_ranges")),
    )


def generated_ranges_back() -> None:
    op.drop_table("generated_ranges")


# -- readings: when a contract was read, its states, terms dated by readings -------------------------------------------


def readings() -> None:
    instant = ciclo.ledger.types.UtcDateTime
    op.add_column("organizations", sa.Column("contracts_read_at", instant(), nullable=True))
    op.add_column("rules", sa.Column("new_since", sa.Date(), nullable=True))
    op.add_column("rules", sa.Column("seen_on", sa.Date(), nullable=True))
    op.add_column("rule_versions", sa.Column("last_seen_at", instant(), nullable=True))
    op.add_column("month_expansions", sa.Column("unread", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "contract_states",
        sa.Column("id", row_id(), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("to_date", sa.Date(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("first_seen_at", instant(), nullable=False),
        sa.Column("last_seen_at", instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_states")),
    )
    op.create_index(
        op.f("ix_contract_states_organization_id_contract_id"), "contract_states", ["organization_id", "contract_id"]
    )
    op.create_table(
        "readings",
        sa.Column("organization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contract_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("read_at", instant(), nullable=True),
        sa.Column("read_on", sa.Date(), nullable=True),
        sa.Column("unread_since", instant(), nullable=True),
        sa.Column("reason_kind", sa.Text(), nullable=True),
        json_column("reason_facts", nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "contract_id", name=op.f("pk_readings")),
    )
    op.create_index(op.f("ix_readings_organization_id_read_at"), "readings", ["organization_id", "read_at"])


def readings_back() -> None:
    op.drop_table("readings")
    op.drop_table("contract_states")
    op.drop_column("month_expansions", "unread")
    op.drop_column("rule_versions", "last_seen_at")
    op.drop_column("rules", "seen_on")
    op.drop_column("rules", "new_since")
    op.drop_column("organizations", "contracts_read_at")


# -- how far a running month is proved ---------------------------------------------------------------------------------


def month_progress() -> None:
    op.create_table(
        "month_progress",
        sa.Column("organization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("billing_month", sa.Date(), nullable=False),
        sa.Column("complete_until", sa.Date(), nullable=True),
        json_column("report", nullable=False),
        sa.Column("proved_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "billing_month", name=op.f("pk_month_progress")),
    )


def month_progress_back() -> None:
    op.drop_table("month_progress")


def row_id() -> sa.types.TypeEngine:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


SUBJECTS = (
    (reasons, reasons_back),
    (findings, findings_back),
    (periods, periods_back),
    (arming, arming_back),
    (not_its_own, not_its_own_back),
    (seen_shapes, seen_shapes_back),
    (invoices, invoices_back),
    (generated_ranges, generated_ranges_back),
    (readings, readings_back),
    (month_progress, month_progress_back),
)
"""In order; each leaves the others' tables alone."""


def upgrade() -> None:
    for forth, _ in SUBJECTS:
        forth()


def downgrade() -> None:
    for _, back in reversed(SUBJECTS):
        back()
