"""The errors: their three bodies, their messages, and what they carry."""

import pickle

import pytest

from ciclo.billimatic import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    TransientApiError,
    UnreadableAnswerError,
)
from ciclo.billimatic.transport import complaints
from ciclo.sgs.client import IndexUnavailableError


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (
            {"errors": {"receivables.due_date": "não pode ficar em branco", "gross_value": "deve ser numérico"}},
            {"receivables.due_date": "não pode ficar em branco", "gross_value": "deve ser numérico"},
        ),
        (
            {"errors": {"name": ["não pode ficar em branco", "já está em uso"]}},
            {"name": "não pode ficar em branco; já está em uso"},
        ),
        ({"errors": "O faturamento não pode ser aprovado."}, {"base": "O faturamento não pode ser aprovado."}),
        ({"errors": ["um", "dois"]}, {"base": "um; dois"}),
        ({"errors": {"receivables": {"due_date": ["a", "b"]}}}, {"receivables.due_date": "a; b"}),
        ({"errors": {}}, {}),
        ({"message": "?"}, {}),
        ([], {}),
        (None, {}),
    ],
)
def test_every_shape_of_an_error_body_becomes_messages_by_path(body, fields):
    assert complaints(body) == fields


def test_a_rejection_names_contract_fields_and_request(server, client, act):
    server.play(
        act(
            status=422,
            body={"errors": {"receivables": "Os vencimentos não totalizam 100%.", "description": "não pode"}},
            headers={"X-Request-Id": "9f2c"},
        )
    )
    with pytest.raises(RejectedError) as caught:
        client.create_invoice(6666, {"description": ""})
    error = caught.value
    assert str(error) == (
        "contract 6666: receivables: Os vencimentos não totalizam 100%.; description: não pode"
        " (POST /api/v1/contracts/6666/invoices, status 422, request 9f2c)"
    )
    assert error.fields == {"receivables": "Os vencimentos não totalizam 100%.", "description": "não pode"}
    assert (error.status, error.request_id, error.method, error.contract_id) == (422, "9f2c", "POST", 6666)


def test_an_approval_that_is_refused_gives_the_vendors_sentence(server, client, act):
    server.play(act(status=422, body={"errors": "O faturamento não pode ser aprovado."}))
    with pytest.raises(RejectedError, match=r"^contract 6666: O faturamento não pode ser aprovado\. \(PATCH"):
        client.approve_invoice(6666, 168431)


def test_a_contract_that_vanished_is_named(server, client, act):
    server.play(act(status=404))
    with pytest.raises(NotFoundError) as caught:
        client.invoice_rules(7392)
    assert str(caught.value) == (
        "contract 7392: not found in this account (GET /api/v1/contracts/7392/invoice_rules, status 404)"
    )


def test_a_wrong_token_is_an_error_that_does_not_repeat_it(server, client, act):
    server.play(act(status=401))
    with pytest.raises(AuthenticationError) as caught:
        client.contracts()
    assert str(caught.value) == "the API refused the token (GET /api/v1/organizations/564/contracts, status 401)"


def test_a_wrong_search_parameter_gives_the_vendors_sentence(server, client, act):
    server.play(act(status=400, body={"errors": "Parâmetro(s) inválido(s) para busca: name"}))
    with pytest.raises(BadRequestError, match=r"Parâmetro\(s\) inválido\(s\) para busca: name"):
        client.search_contracts(name="")


def test_an_answer_without_a_needed_field_is_named_by_resource_id_and_field(server, client, act, invoice):
    broken = invoice(168133)
    del broken["gross_value"]
    broken["issue_date"] = "31/02/2017"
    server.play(act(body={"invoice": broken}))
    with pytest.raises(UnreadableAnswerError) as caught:
        client.invoice(8818, 168133)
    message = str(caught.value)
    assert "contract 8818: invoice 168133 cannot be read: " in message
    assert "gross_value is missing" in message
    assert "issue_date is of an unknown form" in message
    assert "31/02/2017" not in message


def test_a_created_invoice_that_cannot_be_read_may_be_there_all_the_same(server, client, act):
    server.play(act(status=201, body={"invoice": {"id": 9, "contract_id": 6666}}))
    with pytest.raises(OutcomeUnknownError, match="invoice 9 cannot be read: issue_date is missing"):
        client.create_invoice(6666, {"description": "x"})


@pytest.mark.parametrize(
    "error",
    [
        RejectedError("refused", method="POST", path="/api/v1/contracts/1/invoices", status=422, fields={"a": "b"}),
        TransientApiError("busy", method="GET", path="/x", status=429, retry_after=3.0),
        OutcomeUnknownError("lost", method="POST", path="/api/v1/contracts/1/invoices", request_id="r"),
        IndexUnavailableError("price index igpm, 2025-01 to 2025-02: down", method="GET", path="/dados"),
    ],
)
def test_an_error_survives_the_way_between_processes(error):
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_every_error_is_an_api_error_and_an_index_that_is_down_is_transient():
    kinds = [TransientApiError, OutcomeUnknownError, UnreadableAnswerError, RejectedError, NotFoundError]
    assert all(issubclass(kind, ApiError) for kind in [*kinds, BadRequestError, AuthenticationError])
    assert issubclass(IndexUnavailableError, TransientApiError)
