"""Every answer of the vendor, recorded or documented, goes through the models and back, every field compared.

The answers are shared material that is not part of the repository: without it these tests are skipped, and the small
cases in the other files of this folder stand for them.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ciclo.billimatic import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ChargeTemplate,
    Company,
    Contract,
    EmailTemplate,
    FinancialAccount,
    Invoice,
    InvoiceRule,
    InvoiceTemplate,
    Nfse,
    NfseTemplate,
    NotFoundError,
    Organization,
    Person,
    Receivable,
    RejectedError,
    ServiceItem,
    Subscription,
)
from ciclo.billimatic.transport import Reply, complaints, error_for, read_one, read_several
from compared_answers import differences, unnamed

SHARED = Path(__file__).resolve().parents[3] / "shared" / "api"
RECORDINGS = sorted((SHARED / "recordings").rglob("*.json"))
DOCUMENTED = sorted((SHARED / "documented").rglob("*.json"))
SEEDS = sorted((SHARED / "seeds").glob("*.txt"))
RESOURCES = (
    ChargeTemplate,
    Company,
    Contract,
    EmailTemplate,
    FinancialAccount,
    Invoice,
    InvoiceRule,
    InvoiceTemplate,
    Nfse,
    NfseTemplate,
    Organization,
    Person,
    Receivable,
    ServiceItem,
    Subscription,
)
ONE = {model.resource: model for model in RESOURCES}
SEVERAL = {model.plural: model for model in RESOURCES}
REFUSALS = {400: BadRequestError, 401: AuthenticationError, 404: NotFoundError, 422: RejectedError}

pytestmark = pytest.mark.skipif(not RECORDINGS, reason=f"the vendor's answers are not there: {SHARED}")


def _exchanges(files: list[Path]) -> list[Any]:
    return [
        pytest.param(exchange["request"], exchange["response"], id=f"{path.relative_to(SHARED)}-{number}")
        for path in files
        for number, exchange in enumerate(json.loads(path.read_text())["exchanges"])
    ]


def _assert_read_in_full(reply: Reply) -> None:
    """Nothing of an answer is odd, read as something else, or lost on the way through JSON."""
    for key, value in (reply.body or {}).items():
        if key in ONE:
            pairs = [(read_one(ONE[key], reply), value)]
        elif key in SEVERAL:
            listing = read_several(SEVERAL[key], reply)
            assert listing.odd == ()
            pairs = list(zip(listing, value, strict=True))
        else:
            continue
        for read, answer in pairs:
            assert differences(read, answer) == []
            assert read.payload == answer
            again = type(read).model_validate(json.loads(read.model_dump_json()))
            assert again.model_dump() == read.model_dump()


@pytest.mark.parametrize(("request_", "response"), [*_exchanges(RECORDINGS), *_exchanges(DOCUMENTED)])
def test_an_answer_is_read_in_full_or_is_the_error_for_its_status(request_, response):
    path = request_["path"].partition("?")[0]
    reply = Reply(request_["method"], path, response["status"], response["body"])
    error = error_for(reply)
    if response["status"] < 300:
        assert error is None
        _assert_read_in_full(reply)
    else:
        assert type(error) is REFUSALS[response["status"]]
        _assert_names_what_is_wrong(error, path, response["body"])


KNOWN_ONLY_IN_THE_PAYLOAD = {
    "invoice_rule": {"issue_date", "estimated_issue_date", "accrual_date", "scheduled_update"},
    "nfse": {
        "carga_tributaria_value",
        "fonte_carga_tributaria",
        "iss_retido_fonte",
        "percentual_carga_tributaria",
        "request_sent",
        "service_provided_city",
        "service_provided_city_code",
        "service_provided_state",
        "servico_prestado_municipio_cliente",
        "servico_prestado_municipio_codigo",
        "servico_prestado_municipio_prestador",
    },
}


def test_the_models_name_every_documented_field():
    missing: dict[str, set[str]] = {}
    for path in DOCUMENTED:
        for exchange in json.loads(path.read_text())["exchanges"]:
            for key, value in (exchange["response"]["body"] or {}).items():
                model = ONE.get(key) or SEVERAL.get(key)
                for answer in [value] if key in ONE else value if key in SEVERAL else []:
                    missing.setdefault(model.resource, set()).update(unnamed(model.model_validate(answer), answer))
    copies = re.compile("customer_|organization_")  # a tax document repeats names and addresses
    for resource, names in missing.items():
        assert {n for n in names if not (resource == "nfse" and copies.match(n))} <= KNOWN_ONLY_IN_THE_PAYLOAD.get(
            resource, set()
        )


def _assert_names_what_is_wrong(error: ApiError, path: str, body: Any) -> None:
    contract = re.search(r"contracts/(\d+)", path)
    assert error.contract_id == (int(contract[1]) if contract else None)
    for field, message in complaints(body).items():
        assert message in str(error)
        assert field == "base" or field in str(error)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.name)
def test_a_seeds_printed_answer_is_read_in_full(seed):
    blocks = re.findall(r"```json\s*(.*?)```", seed.read_text(), re.DOTALL)
    for block in blocks[1:]:
        _assert_read_in_full(Reply("GET", "/", 200, json.loads(block)))
