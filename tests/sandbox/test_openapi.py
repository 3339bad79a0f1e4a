"""The sandbox against its own OpenAPI: generated requests, no server error, no undocumented status or shape."""

import contextlib
import copy
import json
import urllib.request
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ciclo_sandbox.app import openapi
from ciclo_sandbox.testing import SandboxControl, running_sandbox

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 15
"""Requests for each operation and mode: about 2,500 in all."""

STATE = {
    "token": "fuzz",
    "organizations": [{"id": 1, "name": "Seller"}],
    "contracts": [{"id": 1, "name": "One", "title": "One", "customer_id": 9, "supplier_id": 1}],
    "service_items": [{"id": 1, "name": "Rent"}],
    "email_templates": [{"id": 1, "company_id": 1, "name": "Mail"}],
    "invoice_templates": [
        {
            "id": 1,
            "description": "Template",
            "services": [{"id": 1, "name": "Rent", "units": 1, "unit_value": 10}],
            "scheduled_updates": [{"id": 1, "price_index": "igpm", "month_quantity": 12, "days_until_update": 3}],
        }
    ],
    "invoice_rules": [
        {
            "id": 1,
            "contract_id": 1,
            "description": "Rule",
            "services": [{"id": 2, "name": "Rent", "units": 1, "unit_value": 10}],
            "additional_information": {"id": 1, "init_date": "2025-01-31", "title": "Rule", "month_quantity": 1},
        }
    ],
    "invoices": [
        {
            "id": 1,
            "contract_id": 1,
            "issue_date": "31/01/2025",
            "gross_value": 100,
            "receivables": [{"id": 1, "due_date": "10/02/2025"}],
        }
    ],
}


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[SandboxControl]:
    with running_sandbox(STATE, today=date(2025, 3, 1)) as control:
        yield control
        print(f"\ngenerated requests: {control.request_count()}")  # noqa: T201


def described() -> dict[str, Any]:
    document = copy.deepcopy(openapi())
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    # Ids that are there, mostly: what is behind them is what we want to shake.
                    parameter["schema"] = {"enum": [1, 2, 3, 2**63 - 1]}
    return document


OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(described()).get_all_operations()]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_generated_request_gets_an_undocumented_answer(operation, mode, fuzzed):
    fuzzed.put_state(STATE)

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case):
        answer = case.call(base_url=fuzzed.url, headers={"Authorization": "Token token=fuzz"})
        case.validate_response(answer, checks=CHECKS)

    send()


def test_the_served_description_is_the_one_that_was_checked(fuzzed):
    with urllib.request.urlopen(f"{fuzzed.url}/api/openapi.json") as answer:
        assert json.loads(answer.read()) == openapi()
    with urllib.request.urlopen(f"{fuzzed.url}/api/docs") as answer:
        assert b"accrual_month_quantity" in answer.read()


def test_every_field_has_a_sentence():
    for name, model in openapi()["components"]["schemas"].items():
        for field, described in model.get("properties", {}).items():
            assert described.get("description") or name == "Errors", f"{name}.{field}"


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.just([]), st.just({}),
    st.just([None, 1, {}]), st.just({"a": {"id": 1}}),
    st.sampled_from([10**30, -0.0, 1e-300, "99/9999", "31/02/2025", "9999-12-31", "0001-01-01", "-1", "1e400"]),
    st.sampled_from(["\uff11\uff12", "\ud800"]),
)  # fmt: skip
INVOICE = {
    "gross_value": 100, "issue_date": "2025-01-31", "accrual_date": "01/2025", "description": "D", "nfe_body": "B",
    "number": 1, "comments": "C", "management_type": "manual", "days_until_automatic_nfe_emission": 0,
    "payment_value": 10, "estimated_issue_date": "2025-01-31", "approval_status": "approved", "issue_nfse": True,
    "services": [
        {"id": None, "service_item_id": 1, "units": 1, "unit_value": 2.5, "description": "S", "_destroy": False},
    ],
    "receivables": [{"id": None, "due_date": "2025-02-01", "value": 100, "_destroy": False}],
    "attachments": [{"filename": "f", "content": "aGk=", "content_type": "text/plain"}],
    "payment_information": {"payment_method": "payment_gateway", "installments": 2, "financial_account_id": 1},
}  # fmt: skip
RULE = {
    "invoice_template_id": 1, "description": "D", "nfe_body": "B", "gross_value": 10, "charge_type": "fixed_day",
    "notify_customer": True,
    "additional_information": {
        "id": 1, "title": "T", "init_date": "2025-01-31", "end_date": "2026-01-30", "period_unit": "monthly",
        "month_quantity": 1, "accrual_month_quantity": "same_month",
    },
    "receivables_additional_information": {"id": 1, "day_number": 5, "parcel_number": 2, "only_business_days": False},
    "services": [{"invoice_template_service_item_id": 1, "units": 2, "_destroy": False}],
    "scheduled_updates": [
        {"invoice_template_scheduled_update_id": 1, "init_date": "2026-01-31", "month_quantity": 12,
         "days_until_update": 5, "price_index": "igpm", "service_item_id": 1},
    ],
}  # fmt: skip


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from leaves(each, (*path, key))


def with_junk(body: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    changed = copy.copy(body)
    changed[path[0]] = with_junk(body[path[0]], path[1:], junk)
    return changed


@pytest.mark.parametrize(
    ("method", "path", "root", "body"),
    [
        ("POST", "contracts/1/invoices", "invoice", INVOICE),
        ("PATCH", "contracts/1/invoices/1", "invoice", INVOICE | {"receivables": [{"id": 1, "value": 100}]}),
        ("POST", "contracts/1/invoice_rules", "invoice_rule", RULE),
        ("POST", "contracts/1/invoice_rules", "invoice_rule", RULE | {"invoice_template_id": None}),
        ("PUT", "contracts/1/invoice_rules/1", "invoice_rule", RULE),
    ],
)
def test_a_good_body_with_any_part_of_it_spoilt_is_never_an_error_of_ours(fuzzed, method, path, root, body):
    fuzzed.put_state(STATE)
    places = list(leaves(body))

    @settings(max_examples=400, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(spoilt=st.lists(st.tuples(st.sampled_from(places), JUNK), min_size=1, max_size=3))
    def send(spoilt):
        sent = body
        for place, junk in spoilt:
            with contextlib.suppress(KeyError, IndexError, TypeError):
                sent = with_junk(sent, place, junk)
        assert fuzzed.call(method, path, {root: sent})[0] in (200, 201, 400, 404, 422)

    send()
    assert fuzzed.call("GET", "contracts/1/invoice_rules")[0] == 200
    fuzzed.set_clock(date(2025, 3, 1))
