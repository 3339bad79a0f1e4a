"""Spans of OpenTelemetry, where tracing is on: steps, their requests, their statements, and no secret in them."""

import json

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from company import ORGANIZATION, TOKEN, company, rule

JANUARY = {"from_date": "2025-01-01", "to_date": "2025-01-31"}
SECRET_NAME = "Padaria Segredo & Filhos"


@pytest.fixture(scope="module")
def provider():
    """A process has one provider, as Airflow sets it where `[traces] otel_on` says so."""
    trace.set_tracer_provider(TracerProvider())
    return trace.get_tracer_provider()


@pytest.fixture
def spans(provider):
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter.get_finished_spans
    exporter.shutdown()


def below(spans, parent):
    """Spans under one, at any depth."""
    children = [span for span in spans if span.parent and span.parent.span_id == parent.context.span_id]
    return [*children, *(each for child in children for each in below(spans, child))]


def test_a_step_s_requests_and_statements_are_spans_below_its_own(sandbox, ledger, run_dag, spans):
    state = company(rule(1))
    state["contracts"][0]["name"] = SECRET_NAME
    sandbox(state)
    assert run_dag("expand_invoice_rules", **JANUARY).state == "success"
    assert run_dag("issue_invoices", **JANUARY).state == "success"

    made = spans()
    steps = [span for span in made if span.name == "issue_invoices.issue"]
    assert {step.attributes["ciclo.shard"] for step in steps} == {"1 of 2", "2 of 2"}
    (post,) = [span for span in made if span.name.startswith("POST ")]
    assert post.name == "POST /api/v1/contracts/{id}/invoices"
    (step,) = [step for step in steps if post in below(made, step)]
    inside = below(made, step)
    assert post.attributes["http.response.status_code"] == 201
    assert step.start_time <= post.start_time <= post.end_time <= step.end_time
    assert step.attributes["ciclo.window.first"] == "2025-01-01"
    changed = [span for span in inside if span.name == "UPDATE periods"]
    assert {span.attributes["db.system.name"] for span in changed} == {"sqlite"}
    assert any("state=?" in span.attributes["db.query.text"] for span in changed)

    everything = "".join(span.to_json() for span in made)
    for secret in (TOKEN, SECRET_NAME, "Authorization", f"ciclo:{ORGANIZATION}:"):
        assert secret not in everything


def test_what_fails_is_said_by_its_kind_alone(sandbox, ledger, run_dag, spans, monkeypatch):
    box = sandbox(company(rule(1)))
    extra = {"organization_id": ORGANIZATION}
    connection = {"conn_type": "billimatic", "host": box.url, "password": "canary-of-spans", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_BILLIMATIC_DEFAULT", json.dumps(connection))
    assert run_dag("sync_contracts").state == "failed"

    failed = {span.name: span for span in spans() if span.status.status_code is trace.StatusCode.ERROR}
    steps = [span for name, span in failed.items() if name.startswith("sync_contracts.")]
    assert {span.status.description for span in steps} == {"AuthenticationError"}
    assert [span.attributes["http.response.status_code"] for name, span in failed.items() if name.startswith("GET ")]
    assert not any(span.events for span in steps)
    assert "canary-of-spans" not in "".join(span.to_json() for span in spans())


def test_airflow_s_own_keys_are_no_params_of_ours(sandbox, ledger, run_dag):
    sandbox(company(rule(1)))
    assert run_dag("expand_invoice_rules", **JANUARY, **{"airflow/task_span_detail_level": 2}).state == "success"
