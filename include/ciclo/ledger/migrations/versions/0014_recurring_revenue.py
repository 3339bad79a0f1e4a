"""Recurring revenue without differences: the rule of a single day that bills one (`[ciclo a17]` in its title) recurs not.

The view's columns stay as they were.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

RECURRING = """
    AND NOT EXISTS (SELECT 1 FROM rules r WHERE r.organization_id = p.organization_id AND r.rule_id = p.rule_id
                                            AND r.title LIKE '%[ciclo a%]%')
"""
VIEW = """
    CREATE VIEW v_mrr AS
    SELECT b.organization_id, {month} AS month, b.contract_id, c.name AS contract_name, b.rule_id,
           b.id AS period_id, b.issue_date, b.state, {gross_value} AS gross_value, b.months,
           {gross_value} / b.months AS mrr
    FROM (
        SELECT p.id, p.organization_id, p.contract_id, p.rule_id, p.issue_date, p.gross_value, p.state,
               CASE WHEN {period_unit} = 'weekly' THEN 1 ELSE {month_quantity} END AS months
        FROM periods p
        JOIN rule_versions v ON v.organization_id = p.organization_id AND v.rule_id = p.rule_id
                            AND v.version = p.rule_version
        WHERE p.state <> 'cancelled' AND p.gross_value IS NOT NULL {recurring}
    ) b
    CROSS JOIN {later}
    LEFT JOIN contracts c ON c.organization_id = b.organization_id AND c.contract_id = b.contract_id
    WHERE l.value < b.months
"""
ON_SQLITE = {
    "gross_value": "(b.gross_value / 100.0)",
    "month": "date(b.issue_date, 'start of month', '+' || l.value || ' months')",
    "later": f"json_each(CASE b.months WHEN 1 THEN '[0]' ELSE '[{','.join(map(str, range(120)))}]' END) l",
    "period_unit": "json_extract(v.terms, '$.period_unit')",
    "month_quantity": "json_extract(v.terms, '$.month_quantity')",
}
ON_POSTGRESQL = {
    "gross_value": "b.gross_value",
    "month": "CAST(date_trunc('month', b.issue_date) + l.value * interval '1 month' AS date)",
    "later": "LATERAL generate_series(0, b.months - 1) AS l(value)",
    "period_unit": "(v.terms ->> 'period_unit')",
    "month_quantity": "CAST(v.terms ->> 'month_quantity' AS integer)",
}


def upgrade() -> None:
    _replace(RECURRING)


def downgrade() -> None:
    _replace("")


def _replace(recurring: str) -> None:
    written = ON_POSTGRESQL if op.get_bind().dialect.name == "postgresql" else ON_SQLITE
    op.execute("DROP VIEW v_mrr")
    op.execute(VIEW.format(recurring=recurring, **written))
