"""The ledger's first tables."""

import ciclo.ledger.types
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("dag_id", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("task_id", sa.Text(), nullable=True),
        sa.Column("map_index", sa.BigInteger(), nullable=True),
        sa.Column("person", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_organization_id_at"), ["organization_id", "at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_audit_organization_id_subject_subject_id"),
            ["organization_id", "subject", "subject_id"],
            unique=False,
        )

    op.create_table(
        "billing_plan_periods",
        sa.Column("plan_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("period_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("gross_value", ciclo.ledger.types.Money(), nullable=True),
        sa.Column("left_out", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "period_id", name=op.f("pk_billing_plan_periods")),
    )
    op.create_table(
        "billing_plans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("to_date", sa.Date(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("plan_hash", sa.Text(), nullable=False),
        sa.Column("invoices", sa.BigInteger(), nullable=False),
        sa.Column("total", ciclo.ledger.types.Money(), nullable=False),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("applied_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("created_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_billing_plans")),
        sa.UniqueConstraint(
            "organization_id", "run_id", "plan_hash", name=op.f("uq_billing_plans_organization_id_run_id_plan_hash")
        ),
    )
    op.create_table(
        "closed_invoices",
        sa.Column("closing_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("gross_value", ciclo.ledger.types.Money(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("closing_id", "invoice_id", name=op.f("pk_closed_invoices")),
    )
    op.create_table(
        "contracts",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "payload", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("first_seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("gone_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "contract_id", name=op.f("pk_contracts")),
    )
    with op.batch_alter_table("contracts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_contracts_organization_id_name"), ["organization_id", "name"], unique=False
        )

    op.create_table(
        "findings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=True),
        sa.Column("billing_month", sa.Date(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=True),
        sa.Column("found", sa.Text(), nullable=True),
        sa.Column("amount", ciclo.ledger.types.Money(), nullable=True),
        sa.Column("opened_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("closed_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_findings_organization_id_billing_month"), ["organization_id", "billing_month"], unique=False
        )
        batch_op.create_index(
            "uq_findings_open",
            ["organization_id", "kind", "subject", "subject_id"],
            unique=True,
            postgresql_where=sa.text("closed_at IS NULL"),
            sqlite_where=sa.text("closed_at IS NULL"),
        )

    op.create_table(
        "index_values",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("price_index", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("value", ciclo.ledger.types.ExactDecimal(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fetched_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_index_values")),
        sa.UniqueConstraint(
            "price_index", "month", "revision", name=op.f("uq_index_values_price_index_month_revision")
        ),
    )
    op.create_table(
        "invoices",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("period_id", sa.BigInteger(), nullable=True),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("gross_value", ciclo.ledger.types.Money(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("gone_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "invoice_id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("organization_id", "period_id", name=op.f("uq_invoices_organization_id_period_id")),
    )
    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_invoices_organization_id_contract_id"), ["organization_id", "contract_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_invoices_organization_id_issue_date_state"),
            ["organization_id", "issue_date", "state"],
            unique=False,
        )

    op.create_table(
        "month_closings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("billing_month", sa.Date(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("report", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("created_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_month_closings")),
    )
    with op.batch_alter_table("month_closings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_month_closings_organization_id_billing_month"),
            ["organization_id", "billing_month"],
            unique=False,
        )

    op.create_table(
        "month_expansions",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("billing_month", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("expanded_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "billing_month", name=op.f("pk_month_expansions")),
    )
    op.create_table(
        "organizations",
        sa.Column("organization_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("first_seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_organizations")),
    )
    op.create_table(
        "periods",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_version", sa.BigInteger(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("accrual_month", sa.Date(), nullable=False),
        sa.Column("first_due_date", sa.Date(), nullable=False),
        sa.Column("parcel_number", sa.BigInteger(), nullable=False),
        sa.Column("gross_value", ciclo.ledger.types.Money(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("doubt_until", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("invoice_id", sa.BigInteger(), nullable=True),
        sa.Column("planned_by", sa.Text(), nullable=False),
        sa.Column("created_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("changed_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint("state <> 'issued' OR invoice_id IS NOT NULL", name=op.f("ck_periods_issued_has_invoice")),
        sa.CheckConstraint(
            "state IN ('planned','waiting','submitting','in_doubt','issued','parked','cancelled')",
            name=op.f("ck_periods_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_periods")),
        sa.UniqueConstraint("organization_id", "invoice_id", name=op.f("uq_periods_organization_id_invoice_id")),
        sa.UniqueConstraint(
            "organization_id", "rule_id", "issue_date", name=op.f("uq_periods_organization_id_rule_id_issue_date")
        ),
    )
    with op.batch_alter_table("periods", schema=None) as batch_op:
        batch_op.create_index(
            "ix_periods_open",
            ["organization_id", "state", "issue_date"],
            unique=False,
            postgresql_where=sa.text("state NOT IN ('issued','cancelled')"),
            sqlite_where=sa.text("state NOT IN ('issued','cancelled')"),
        )
        batch_op.create_index(
            batch_op.f("ix_periods_organization_id_contract_id_issue_date"),
            ["organization_id", "contract_id", "issue_date"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_periods_organization_id_issue_date_state"),
            ["organization_id", "issue_date", "state"],
            unique=False,
        )

    op.create_table(
        "price_update_executions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("scheduled_update_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("execution_date", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("price_index", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("factor", ciclo.ledger.types.ExactDecimal(), nullable=True),
        sa.Column(
            "evidence", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True
        ),
        sa.Column("proposal_hash", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("doubt_until", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("waiting_since", sa.Date(), nullable=True),
        sa.Column("reminded_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.Column("created_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("changed_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state IN ('planned','waiting','proposed','submitting','in_doubt','applied','adopted','parked','cancelled')",
            name=op.f("ck_price_update_executions_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_update_executions")),
        sa.UniqueConstraint("organization_id", "scheduled_update_id", "execution_date", name="uq_executions_once"),
    )
    with op.batch_alter_table("price_update_executions", schema=None) as batch_op:
        batch_op.create_index("ix_executions_rule", ["organization_id", "rule_id"], unique=False)
        batch_op.create_index("ix_executions_state", ["organization_id", "state", "execution_date"], unique=False)

    op.create_table(
        "prices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("service_id", sa.BigInteger(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("unit_value", ciclo.ledger.types.ExactDecimal(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prices")),
        sa.UniqueConstraint(
            "organization_id", "rule_id", "service_id", "effective_from", "revision", name="uq_prices_once"
        ),
    )
    op.create_table(
        "receivables",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("receivable_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("percentage", ciclo.ledger.types.ExactDecimal(), nullable=False),
        sa.Column("gross_value", ciclo.ledger.types.Money(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("received_value", ciclo.ledger.types.Money(), nullable=True),
        sa.Column("received_at", sa.Date(), nullable=True),
        sa.Column("finance_errors", sa.Text(), nullable=True),
        sa.Column("first_seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("gone_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "receivable_id", name=op.f("pk_receivables")),
    )
    with op.batch_alter_table("receivables", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_receivables_organization_id_invoice_id"), ["organization_id", "invoice_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_receivables_organization_id_state_due_date"),
            ["organization_id", "state", "due_date"],
            unique=False,
        )

    op.create_table(
        "rule_versions",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("terms", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("terms_hash", sa.Text(), nullable=False),
        sa.Column(
            "payload", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "rule_id", "version", name=op.f("pk_rule_versions")),
    )
    op.create_table(
        "rules",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("init_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=True),
        sa.Column(
            "payload", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("first_seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("gone_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "rule_id", name=op.f("pk_rules")),
    )
    with op.batch_alter_table("rules", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_rules_organization_id_contract_id"), ["organization_id", "contract_id"], unique=False
        )

    op.create_table(
        "scheduled_updates",
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("scheduled_update_id", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("price_index", sa.Text(), nullable=False),
        sa.Column("init_date", sa.Date(), nullable=False),
        sa.Column("month_quantity", sa.BigInteger(), nullable=False),
        sa.Column("days_until_update", sa.BigInteger(), nullable=True),
        sa.Column("service_item_id", sa.BigInteger(), nullable=True),
        sa.Column("next_execution_date", sa.Date(), nullable=True),
        sa.Column("remote_execution_date", sa.Date(), nullable=False),
        sa.Column(
            "payload", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("first_seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("seen_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("gone_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "scheduled_update_id", name=op.f("pk_scheduled_updates")),
    )
    with op.batch_alter_table("scheduled_updates", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_scheduled_updates_organization_id_next_execution_date"),
            ["organization_id", "next_execution_date"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_scheduled_updates_organization_id_rule_id"), ["organization_id", "rule_id"], unique=False
        )

    op.create_table(
        "webhook_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=True),
        sa.Column("contract_id", sa.BigInteger(), nullable=True),
        sa.Column("received_at", ciclo.ledger.types.UtcDateTime(), nullable=False),
        sa.Column("handled_at", ciclo.ledger.types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("request_id", name=op.f("uq_webhook_events_request_id")),
    )
    with op.batch_alter_table("webhook_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_webhook_events_waiting",
            ["id"],
            unique=False,
            postgresql_where=sa.text("handled_at IS NULL"),
            sqlite_where=sa.text("handled_at IS NULL"),
        )



def downgrade() -> None:
    with op.batch_alter_table("webhook_events", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_webhook_events_waiting",
            postgresql_where=sa.text("handled_at IS NULL"),
            sqlite_where=sa.text("handled_at IS NULL"),
        )

    op.drop_table("webhook_events")
    with op.batch_alter_table("scheduled_updates", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_scheduled_updates_organization_id_rule_id"))
        batch_op.drop_index(batch_op.f("ix_scheduled_updates_organization_id_next_execution_date"))

    op.drop_table("scheduled_updates")
    with op.batch_alter_table("rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rules_organization_id_contract_id"))

    op.drop_table("rules")
    op.drop_table("rule_versions")
    with op.batch_alter_table("receivables", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_receivables_organization_id_state_due_date"))
        batch_op.drop_index(batch_op.f("ix_receivables_organization_id_invoice_id"))

    op.drop_table("receivables")
    op.drop_table("prices")
    with op.batch_alter_table("price_update_executions", schema=None) as batch_op:
        batch_op.drop_index("ix_executions_state")
        batch_op.drop_index("ix_executions_rule")

    op.drop_table("price_update_executions")
    with op.batch_alter_table("periods", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_periods_organization_id_issue_date_state"))
        batch_op.drop_index(batch_op.f("ix_periods_organization_id_contract_id_issue_date"))
        batch_op.drop_index(
            "ix_periods_open",
            postgresql_where=sa.text("state NOT IN ('issued','cancelled')"),
            sqlite_where=sa.text("state NOT IN ('issued','cancelled')"),
        )

    op.drop_table("periods")
    op.drop_table("organizations")
    op.drop_table("month_expansions")
    with op.batch_alter_table("month_closings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_month_closings_organization_id_billing_month"))

    op.drop_table("month_closings")
    with op.batch_alter_table("invoices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_invoices_organization_id_issue_date_state"))
        batch_op.drop_index(batch_op.f("ix_invoices_organization_id_contract_id"))

    op.drop_table("invoices")
    op.drop_table("index_values")
    with op.batch_alter_table("findings", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_findings_open", postgresql_where=sa.text("closed_at IS NULL"), sqlite_where=sa.text("closed_at IS NULL")
        )
        batch_op.drop_index(batch_op.f("ix_findings_organization_id_billing_month"))

    op.drop_table("findings")
    with op.batch_alter_table("contracts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contracts_organization_id_name"))

    op.drop_table("contracts")
    op.drop_table("closed_invoices")
    op.drop_table("billing_plans")
    op.drop_table("billing_plan_periods")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_organization_id_subject_subject_id"))
        batch_op.drop_index(batch_op.f("ix_audit_organization_id_at"))

    op.drop_table("audit")
