"""Views for BI tools: the columns of docs/bi.md, the same on both databases.

A later migration that changes a table under a view drops the views first and creates them again: neither database
alters a table that a view reads.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

VIEWS = {
    "v_invoices": """
        SELECT i.organization_id, i.invoice_id, i.contract_id, c.name AS contract_name, i.customer_id,
               i.period_id, p.rule_id, r.title AS rule_title, i.issue_date, i.planned_date, p.accrual_month,
               p.first_due_date, {i.gross_value} AS gross_value, i.state, i.reference, i.made_by, i.adopted,
               i.first_seen_at, i.seen_at, i.gone_at
        FROM invoices i
        LEFT JOIN contracts c ON c.organization_id = i.organization_id AND c.contract_id = i.contract_id
        LEFT JOIN periods p ON p.id = i.period_id
        LEFT JOIN rules r ON r.organization_id = p.organization_id AND r.rule_id = p.rule_id
    """,
    "v_receivables": """
        SELECT v.organization_id, v.receivable_id, v.invoice_id, v.contract_id, c.name AS contract_name, i.period_id,
               i.customer_id, i.issue_date, v.due_date, v.percentage, {v.gross_value} AS gross_value, v.state,
               {v.received_value} AS received_value, v.received_at,
               CASE WHEN v.state = 'received' THEN {days} END AS days_after_due, v.finance_errors,
               v.first_seen_at, v.seen_at, v.gone_at
        FROM receivables v
        LEFT JOIN invoices i ON i.organization_id = v.organization_id AND i.invoice_id = v.invoice_id
        LEFT JOIN contracts c ON c.organization_id = v.organization_id AND c.contract_id = v.contract_id
    """,
    "v_price_changes": """
        SELECT n.organization_id, n.id AS price_id, r.contract_id, n.rule_id, r.title AS rule_title, n.service_id,
               n.effective_from, n.old_unit_value, n.unit_value AS new_unit_value,
               CASE WHEN n.old_unit_value <> 0
                    THEN (n.unit_value - n.old_unit_value) * 100.0 / n.old_unit_value END AS change_percent,
               n.source, n.execution_id, e.price_index, {e.factor} AS factor, e.approved_by, n.created_at
        FROM (
            SELECT m.*, LAG(m.unit_value) OVER (
                       PARTITION BY m.organization_id, m.rule_id, m.service_id ORDER BY m.effective_from
                   ) AS old_unit_value
            FROM (
                SELECT q.id, q.organization_id, q.rule_id, q.service_id, q.effective_from, q.source, q.execution_id,
                       q.created_at, {q.unit_value} AS unit_value,
                       ROW_NUMBER() OVER (
                           PARTITION BY q.organization_id, q.rule_id, q.service_id, q.effective_from
                           ORDER BY q.revision DESC
                       ) AS place
                FROM prices q
            ) m
            WHERE m.place = 1
        ) n
        LEFT JOIN rules r ON r.organization_id = n.organization_id AND r.rule_id = n.rule_id
        LEFT JOIN price_update_executions e ON e.id = n.execution_id
        WHERE n.old_unit_value IS NOT NULL AND n.old_unit_value <> n.unit_value
    """,
    "v_mrr": """
        SELECT b.organization_id, {month} AS month, b.contract_id, c.name AS contract_name, b.rule_id,
               b.id AS period_id, b.issue_date, b.state, {b.gross_value} AS gross_value, b.months,
               {b.gross_value} / b.months AS mrr
        FROM (
            SELECT p.id, p.organization_id, p.contract_id, p.rule_id, p.issue_date, p.gross_value, p.state,
                   CASE WHEN {v.period_unit} = 'weekly' THEN 1 ELSE {v.month_quantity} END AS months
            FROM periods p
            JOIN rule_versions v ON v.organization_id = p.organization_id AND v.rule_id = p.rule_id
                                AND v.version = p.rule_version
            WHERE p.state <> 'cancelled' AND p.gross_value IS NOT NULL
        ) b
        CROSS JOIN {later}
        LEFT JOIN contracts c ON c.organization_id = b.organization_id AND c.contract_id = b.contract_id
        WHERE l.value < b.months
    """,
    "v_findings": """
        SELECT f.organization_id, f.id AS finding_id, f.kind, f.subject, f.subject_id, f.contract_id,
               c.name AS contract_name, f.billing_month, {f.amount} AS amount, f.expected, f.found,
               CASE WHEN f.closed_at IS NOT NULL THEN 'closed'
                    WHEN f.acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE 'open' END AS status,
               f.opened_at, f.seen_at, f.closed_at, f.acknowledged_by, f.acknowledged_at, f.note
        FROM findings f
        LEFT JOIN contracts c ON c.organization_id = f.organization_id AND c.contract_id = f.contract_id
    """,
}
MONEY = ("i.gross_value", "v.gross_value", "v.received_value", "b.gross_value", "f.amount")
"""Whole cents in the tables of SQLite."""
DECIMALS = ("q.unit_value", "e.factor")
"""Texts in the tables of SQLite."""
ON_SQLITE = {
    **{column: f"({column} / 100.0)" for column in MONEY},
    **{column: f"CAST({column} AS REAL)" for column in DECIMALS},
    "days": "CAST(julianday(v.received_at) - julianday(v.due_date) AS INTEGER)",
    "month": "date(b.issue_date, 'start of month', '+' || l.value || ' months')",
    "later": f"json_each(CASE b.months WHEN 1 THEN '[0]' ELSE '[{','.join(map(str, range(120)))}]' END) l",
    "v.period_unit": "json_extract(v.terms, '$.period_unit')",
    "v.month_quantity": "json_extract(v.terms, '$.month_quantity')",
}
ON_POSTGRESQL = {
    **{column: column for column in (*MONEY, *DECIMALS)},
    "days": "(v.received_at - v.due_date)",
    "month": "CAST(date_trunc('month', b.issue_date) + l.value * interval '1 month' AS date)",
    "later": "LATERAL generate_series(0, b.months - 1) AS l(value)",
    "v.period_unit": "(v.terms ->> 'period_unit')",
    "v.month_quantity": "CAST(v.terms ->> 'month_quantity' AS integer)",
}


def upgrade() -> None:
    written = ON_POSTGRESQL if op.get_bind().dialect.name == "postgresql" else ON_SQLITE
    for name, query in VIEWS.items():
        for place, expression in written.items():
            query = query.replace(f"{{{place}}}", expression)  # noqa: PLW2901 - filled in piece by piece
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
