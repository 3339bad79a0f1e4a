"""What an ingress, a proxy or a maintenance page answers in the API's place is read or doubted, never believed."""

import json

import pytest

from ciclo.billimatic import BadRequestError, NotFoundError, OutcomeUnknownError, RejectedError, UnreadableAnswerError

PAGE = b"<html><body><h1>404 Not Found</h1><hr>nginx</body></html>"
CONTRACT = {"contract": {"id": 5, "name": "Manuten\u00e7\u00e3o", "title": "Manuten\u00e7\u00e3o", "state": "active"}}


@pytest.mark.parametrize("body", [None, b"", b" ", b"\r\n"])
def test_an_empty_404_is_the_vendors_word_that_there_is_none(client, server, act, body):
    server.play(act(status=404, body=body))
    with pytest.raises(NotFoundError):
        client.invoice_rules(5)


@pytest.mark.parametrize(
    "body", [PAGE, b"default backend - 404", {"error": "Not Found"}, {}, [], b'"gone"', b"\xef\xbb\xbf{}"]
)
@pytest.mark.parametrize("status", [404, 410])
def test_a_404_with_a_body_is_somebody_elses(client, server, act, status, body):
    server.play(act(status=status, body=body))
    with pytest.raises(UnreadableAnswerError, match=r"not the API's own|404 with a body"):
        client.invoice_rules(5)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422, 423, 451, 200, 201, 204])
def test_after_a_page_in_the_place_of_an_answer_nobody_knows_whether_a_write_happened(client, server, act, status):
    server.play(act(status=status, body=PAGE if status != 204 else None, headers={}))
    if status == 204:
        client.delete_invoice(5, 9)
        return
    with pytest.raises(OutcomeUnknownError):
        client.delete_invoice(5, 9)


@pytest.mark.parametrize("status", [400, 405, 409, 422, 423, 451])
def test_a_refusal_that_is_a_page_is_doubted_and_one_in_json_is_believed(client, server, act, status):
    server.play(act(status=status, body=PAGE))
    with pytest.raises(UnreadableAnswerError):
        client.invoice_rules(5)
    server.play(act(status=status, body={"errors": {"base": "no"}}))
    with pytest.raises((BadRequestError, RejectedError)):
        client.invoice_rules(5)


@pytest.mark.parametrize("status", [403, 404, 423])
def test_a_page_that_passes_is_tried_again(client, server, act, status):
    server.play(act(status=status, body=PAGE), act(body={"invoice_rules": []}))
    assert list(client.invoice_rules(5)) == []


@pytest.mark.parametrize("charset", ["iso-8859-1", "latin1", "windows-1252"])
def test_latin_1_is_read_where_the_header_says_so(client, server, act, charset):
    body = json.dumps(CONTRACT, ensure_ascii=False).encode("latin-1")
    server.play(act(body=body, headers={"Content-Type": f"application/json; charset={charset}"}))
    assert client.contract(5).title == "Manuten\u00e7\u00e3o"


@pytest.mark.parametrize("declared", ["application/json", "application/json; charset=utf-8", "x; charset=no-such-set"])
def test_latin_1_that_nobody_declares_is_doubted(client, server, act, declared):
    body = json.dumps(CONTRACT, ensure_ascii=False).encode("latin-1")
    server.play(act(body=body, headers={"Content-Type": declared}))
    with pytest.raises(UnreadableAnswerError, match="not JSON"):
        client.contract(5)


def test_utf_8_is_read_whatever_the_header_says(client, server, act):
    body = b"\xef\xbb\xbf" + json.dumps(CONTRACT, ensure_ascii=False).encode()
    server.play(act(body=body, headers={"Content-Type": "application/json; charset=iso-8859-1"}))
    assert client.contract(5).title == "Manuten\u00e7\u00e3o"


def test_a_503_after_a_write_tells_how_long_to_stay_away(client, server, act):
    server.play(act(status=503, headers={"Retry-After": "1800"}))
    with pytest.raises(OutcomeUnknownError) as refused:
        client.delete_invoice(5, 9)
    assert refused.value.retry_after == 1800


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda api: api.invoice(5, 9), {"invoice": {"id": 9, "contract_id": 6}}),
        (lambda api: api.invoice(5, 9), {"invoice": {"id": 8, "contract_id": 5}}),
        (lambda api: api.invoice_rules(5), {"invoice_rules": [{"id": 1, "contract_id": 6}]}),
        (lambda api: api.contract(5), {"contract": {"id": 6}}),
        (lambda api: api.receivable(5, 9), {"receivable": {"id": 8}}),
        (lambda api: api.create_invoice(5, {}), {"invoice": {"id": 9, "contract_id": 6}}),
        (lambda api: api.approve_invoice(5, 9), {"invoice": {"id": 8, "contract_id": 5}}),
        (lambda api: api.undo_receipt(5, 9), {"receivable": {"id": 8}}),
    ],
)
def test_the_answer_to_another_question_is_not_believed(server, client, act, invoice, rule, ask, answer):
    others = {"gross_value": "1.0", "state": "active", "due_date": "01/01/2025"}
    full = {"invoice": invoice(), "invoice_rules": rule(), "contract": others, "receivable": others}
    [(name, said)] = answer.items()
    one = {**full[name], **(said[0] if isinstance(said, list) else said)}
    server.play(act(body={name: [one] if isinstance(said, list) else one}))
    with pytest.raises((UnreadableAnswerError, OutcomeUnknownError), match=f"something else: .* {one['id']} "):
        ask(client)


def test_what_comes_twice_and_not_alike_is_odd_and_what_comes_twice_alike_is_not(server, client, act, rule):
    twice, alike, single = rule(id=1), rule(id=2), rule(id=3)
    rules = [twice, alike, single, alike, {**twice, "gross_value": "99.0"}]
    server.play(act(body={"invoice_rules": rules}))
    read = client.invoice_rules(8818)
    assert [each.id for each in read] == [2, 2, 3]
    assert [(each.id, each.contract_id) for each in read.odd] == [(1, 8818), (1, 8818)]
    assert "invoice_rule 1 cannot be read: it comes twice, and not alike" in str(read.odd[0])


@pytest.mark.parametrize(
    ("ask", "error"),
    [(lambda api: api.delete_invoice(5, 9), RejectedError), (lambda api: api.contract(5), UnreadableAnswerError)],
)
def test_what_is_forbidden_alone_says_nothing_of_the_token(server, client, act, ask, error):
    server.play(*[act(status=403), act(body={"service_items": []})] * 5)
    with pytest.raises(error, match="the token is accepted, but not for this"):
        ask(client)
