import pytest

VIEWS = [
    "/",
    "/?month=2025-03",
    "/?month=2030-01",
    "/periods",
    "/periods?months=24&state=parked",
    "/periods?index=igpm&q=mensal",
    "/periods/list",
    "/periods/list?month=2025-01&until=2025-04&sort=gross_value&desc=1",
    "/periods/27",
    "/periods/1",
    "/receivables",
    "/receivables?bucket=31-60",
    "/receivables?state=received&sort=received_at",
    "/receivables?refused=1",
    "/price-updates",
    "/price-updates?show=open",
    "/price-updates?show=done",
    "/price-updates?index=ipca",
    "/price-updates/1",
    "/price-updates/2",
    "/price-updates/3",
    "/attention",
    "/attention?show=findings",
    "/attention?show=updates",
    "/attention?show=findings&seen=closed",
    "/findings/1",
    "/findings/3",
    "/contracts",
    "/contracts?q=padaria",
    "/contracts/100",
    "/rules/1000",
    "/rules/1004",
    "/months",
    "/months/2025-10",
    "/search",
    "/search?q=mens",
    "/search?q=100",
    "/runs?dag_id=issue_invoices",
    "/runs?dag_id=nobody",
    "/healthz",
    "/metrics",
]


@pytest.mark.parametrize("path", VIEWS)
def test_every_view_answers(operator, path):
    answer = operator.get(path)
    assert answer.status_code == 200, answer.text[:2000]
