import pytest

from sandbox.small_state import STATE, invoice_form

RECEIVABLES = "contracts/6666/receivables"


@pytest.fixture
def account(sandbox):
    sandbox.put_state(STATE)
    return sandbox


def create(account, **changes):
    status, body = account.call("POST", "contracts/6666/invoices", invoice_form(**changes))
    assert status == 201, body
    return body["invoice"]


def shared(*parts):
    return [{"due_date": f"2019-0{month}-10", **part} for month, part in enumerate(parts, start=1)]


def test_a_receivable_is_received_and_its_receipt_undone(account):
    invoice = create(account)
    number = invoice["receivables"][0]["id"]
    account.emit(invoice["id"])
    receipt = {"receivable": {"received_value": 99.5, "received_at": "30/12/2018"}}

    status, body = account.call("PATCH", f"{RECEIVABLES}/{number}/receive", receipt)
    received = body["receivable"]
    assert (status, received["state"]) == (200, "received")
    assert (received["received_value"], received["received_at"]) == ("99.5", "30/12/2018")

    status, body = account.call("PATCH", f"{RECEIVABLES}/{number}/undo_receipt")
    assert (status, body["receivable"]) == (200, received | {"state": "to_receive"})
    assert account.call("GET", f"{RECEIVABLES}/{number}") == (200, body)


def test_what_is_not_issued_cannot_be_received(account):
    number = create(account)["receivables"][0]["id"]
    assert account.call("PATCH", f"{RECEIVABLES}/{number}/receive", {"receivable": {}})[0] == 422


def test_a_receivable_is_found_with_its_invoice_and_shown_without(account):
    invoice = create(account)
    (line,) = invoice["receivables"]
    (found,) = account.call("GET", f"{RECEIVABLES}/search?state=to_emit")[1]["receivables"]
    assert found["invoice"] == {field: value for field, value in invoice.items() if field != "receivables"}
    assert ("boleto_url" in found, "billet_url" in found) == (True, False)
    assert account.call("GET", f"{RECEIVABLES}/{line['id']}") == (200, {"receivable": line})
    assert account.call("GET", f"contracts/8818/receivables/{line['id']}") == (404, None)


def test_boletos_are_asked_for_without_a_body(account):
    invoice = create(account)
    number = invoice["receivables"][0]["id"]
    assert account.call("PATCH", f"contracts/6666/invoices/{invoice['id']}/create_charges") == (204, None)
    first = account.call("GET", f"{RECEIVABLES}/{number}")[1]["receivable"]["cobrato_charge_id"]
    assert account.call("PATCH", f"{RECEIVABLES}/{number}/create_charge") == (204, None)
    assert account.call("GET", f"{RECEIVABLES}/{number}")[1]["receivable"]["cobrato_charge_id"] > first


def test_money_may_stand_for_percentages(account):
    invoice = create(
        account, receivables=shared({"gross_value": 33.34}, {"gross_value": 33.33}, {"gross_value": 33.33})
    )
    assert [line["gross_value"] for line in invoice["receivables"]] == ["33.34", "33.33", "33.33"]
    assert [line["value"] for line in invoice["receivables"]] == ["33.34", "33.33", "33.33"]
    assert [line["payment_value"] for line in invoice["receivables"]] == ["33.34", "33.33", "33.33"]


def test_a_percentage_wins_over_money(account):
    invoice = create(account, receivables=shared({"gross_value": 1, "value": 40}, {"gross_value": 2, "value": 60}))
    assert [line["gross_value"] for line in invoice["receivables"]] == ["40.0", "60.0"]


@pytest.mark.parametrize(
    ("parts", "errors"),
    [
        ([{"gross_value": 50}, {}], {"receivables.gross_value": "não pode ficar em branco"}),
        ([{"gross_value": 50}, {"gross_value": 49.99}], {"receivables": "Os vencimentos não totalizam 100%."}),
        ([{"gross_value": "x"}], {"receivables.gross_value": "deve ser numérico"}),
    ],
)
def test_money_that_does_not_fit_is_refused(account, parts, errors):
    body = invoice_form(receivables=shared(*parts))
    assert account.call("POST", "contracts/6666/invoices", body) == (422, {"errors": errors})


def test_a_receivable_that_is_added_without_a_share_means_all_of_it(account):
    invoice = create(account)
    more = {"invoice": {"receivables": [{"due_date": "2019-01-10"}]}}
    refused = (422, {"errors": {"receivables": "Os vencimentos não totalizam 100%."}})
    assert account.call("PATCH", f"contracts/6666/invoices/{invoice['id']}", more) == refused
    gone = {"id": invoice["receivables"][0]["id"], "_destroy": True}
    status, body = account.call(
        "PATCH",
        f"contracts/6666/invoices/{invoice['id']}",
        {"invoice": {"receivables": [gone, {"due_date": "2019-01-10"}]}},
    )
    assert (status, [line["value"] for line in body["invoice"]["receivables"]]) == (200, ["100.0"])
