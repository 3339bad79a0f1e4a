"""Every recorded answer of the vendor, and every answer of the seeds, goes through the models and back.

The recordings are shared material that is not part of the repository: without it these tests are skipped, and the small
cases in the other files of this folder stand for them.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ciclo.billimatic import (
    ApiError,
    BadRequestError,
    Contract,
    EmailTemplate,
    Invoice,
    InvoiceRule,
    InvoiceTemplate,
    NotFoundError,
    RejectedError,
    ServiceItem,
)
from ciclo.billimatic.transport.answers import Reply, complaints, error_for

SHARED = Path(__file__).resolve().parents[3] / "shared" / "api"
RECORDINGS = sorted((SHARED / "recordings").rglob("*.json"))
SEEDS = sorted((SHARED / "seeds").glob("*.txt"))
MODELS = {
    model.resource: model for model in (Contract, EmailTemplate, Invoice, InvoiceRule, InvoiceTemplate, ServiceItem)
}
REFUSALS = {400: BadRequestError, 404: NotFoundError, 422: RejectedError}

pytestmark = pytest.mark.skipif(not RECORDINGS, reason=f"the vendor's recordings are not there: {SHARED}")


def _exchanges() -> list[Any]:
    return [
        pytest.param(
            exchange["request"], exchange["response"], id=f"{path.relative_to(SHARED / 'recordings')}-{number}"
        )
        for path in RECORDINGS
        for number, exchange in enumerate(json.loads(path.read_text())["exchanges"])
    ]


def _resources(body: Any) -> list[tuple[Any, dict[str, Any]]]:
    found = []
    for key, value in (body or {}).items():
        model = MODELS.get(key) or MODELS.get(key.removesuffix("s"))
        if model:
            found += [(model, item) for item in (value if isinstance(value, list) else [value])]
    return found


def _assert_goes_through(model, answer):
    read = model.model_validate(answer)
    again = model.model_validate(json.loads(read.model_dump_json()))
    assert again.model_dump() == read.model_dump()
    assert read.id == answer["id"]
    assert all(getattr(read, name) is not None for name in ("gross_value", "state") if answer.get(name) is not None)


@pytest.mark.parametrize(("request_", "response"), _exchanges())
def test_a_recorded_answer_is_a_model_or_the_error_for_its_status(request_, response):
    path = request_["path"].partition("?")[0]
    reply = Reply(request_["method"], path, response["status"], response["body"])
    error = error_for(reply)
    if response["status"] < 300:
        assert error is None
        for model, answer in _resources(response["body"]):
            _assert_goes_through(model, answer)
    else:
        assert type(error) is REFUSALS[response["status"]]
        _assert_names_what_is_wrong(error, path, response["body"])


def _assert_names_what_is_wrong(error: ApiError, path: str, body: Any) -> None:
    contract = re.search(r"contracts/(\d+)", path)
    assert error.contract_id == (int(contract[1]) if contract else None)
    for field, message in complaints(body).items():
        assert message in str(error)
        assert field == "base" or field in str(error)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.name)
def test_a_seeds_printed_answer_goes_through(seed):
    blocks = re.findall(r"```json\s*(.*?)```", seed.read_text(), re.DOTALL)
    for block in blocks[1:]:
        for model, answer in _resources(json.loads(block)):
            _assert_goes_through(model, answer)
