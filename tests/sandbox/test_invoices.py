import base64
import urllib.request

import pytest

from sandbox.small_state import STATE, invoice_form, services

INVOICES = "contracts/6666/invoices"
BLANK = "não pode ficar em branco"


@pytest.fixture
def account(sandbox):
    sandbox.put_state(STATE)
    return sandbox


def create(account, **changes):
    status, body = account.call("POST", INVOICES, invoice_form(**changes))
    assert status == 201, body
    return body["invoice"]


def update(account, invoice, **changes):
    status, body = account.call("PATCH", f"{INVOICES}/{invoice['id']}", {"invoice": changes})
    assert status == 200, body
    return body["invoice"]


def refusal(account, **changes):
    status, body = account.call("POST", INVOICES, invoice_form(**changes))
    assert status == 422, body
    return body["errors"]


def test_a_payment_value_that_is_no_number_is_nothing_when_created_and_the_gross_value_when_changed(account):
    invoice = create(account, payment_value="decimal")
    assert invoice["payment_value"] == "0.0"
    changed = update(account, invoice, payment_value="decimal")
    assert (changed["payment_value"], changed["receivables"][0]["payment_value"]) == ("100.0", "100.0")
    assert update(account, invoice, payment_value=93.85)["payment_value"] == "93.85"
    assert update(account, invoice, description="Other")["payment_value"] == "93.85"


def test_services_decide_the_gross_value_whatever_the_request_says(account):
    invoice = create(account, gross_value=1, services=services((31, 2.5, 5.75), (57, 1, 49.9)))
    assert invoice["gross_value"] == "64.28"
    assert [line["value"] for line in invoice["services"]] == ["14.38", "49.9"]
    assert [line["description"] for line in invoice["services"]] == [None, "By phone"]


def test_a_service_without_id_is_added_and_one_with_id_is_changed_or_destroyed(account):
    invoice = create(account, services=services((31, 1, 10)))
    first = invoice["services"][0]["id"]
    grown = update(account, invoice, services=services((57, 2, 20)))
    assert grown["gross_value"] == "50.0"
    changed = update(account, invoice, services=[{"id": first, "units": 3}])
    assert [line["value"] for line in changed["services"]] == ["30.0", "40.0"]
    shrunk = update(account, invoice, services=[{"id": first, "_destroy": True}])
    assert (shrunk["gross_value"], len(shrunk["services"])) == ("40.0", 1)


def test_removing_the_last_service_leaves_the_gross_value(account):
    invoice = create(account, services=services((31, 3, 100)))
    emptied = update(account, invoice, services=[{"id": invoice["services"][0]["id"], "_destroy": True}])
    assert (emptied["services"], emptied["gross_value"]) == ([], "300.0")


def test_receivables_total_the_gross_value_to_the_cent(account):
    thirds = [{"due_date": f"2019-0{month}-10", "value": 33.3333} for month in (1, 2, 3)]
    invoice = create(account, gross_value=100, receivables=thirds)
    assert [line["gross_value"] for line in invoice["receivables"]] == ["33.33", "33.33", "33.34"]
    assert [line["value"] for line in invoice["receivables"]] == ["33.3333"] * 3


@pytest.mark.parametrize("percentages", [[120], [99.98], [50, 49], [100, 1], [None, 50]])
def test_percentages_that_do_not_total_100_are_refused(account, percentages):
    receivables = [{"due_date": "2019-01-10", "value": value} for value in percentages]
    assert refusal(account, receivables=receivables) == {"receivables": "Os vencimentos não totalizam 100%."}


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"description": ""}, {"description": BLANK}),
        ({"nfe_body": "  "}, {"nfe_body": BLANK}),
        ({"issue_date": "2018-02-30"}, {"issue_date": BLANK}),
        ({"issue_date": None}, {"issue_date": BLANK}),
        ({"gross_value": "abc"}, {"gross_value": "deve ser numérico"}),
        ({"gross_value": {}}, {"gross_value": "deve ser numérico"}),
        ({"receivables": []}, {"receivables.due_date": BLANK}),
        ({"receivables": [{"due_date": "2019-13-01"}]}, {"receivables.due_date": BLANK}),
        ({"receivables": [{"due_date": "2019-01-01", "value": "x"}]}, {"receivables.value": "deve ser numérico"}),
        (
            {"services": [{"service_item_id": 31, "units": "two", "unit_value": None}]},
            {"services.units": "deve ser numérico", "services.unit_value": "deve ser numérico"},
        ),
        (
            {"services": [{"service_item_id": 999, "units": 1, "unit_value": 1}]},
            {"services.service_item": f"{BLANK}."},
        ),
        ({"approval_status": "perhaps"}, {"approval_status": "não está incluído na lista"}),
        ({"management_type": "magic"}, {"management_type": "não está incluído na lista"}),
        ({"management_type": "automatic"}, {"automatic_email_template_id": BLANK}),
        ({"description": 1, "nfe_body": []}, {"nfe_body": BLANK}),
        (
            {"payment_information": {"payment_method": "payment_gateway", "installments": 0}},
            {"payment_information.installments": "deve ser maior ou igual a 1"},
        ),
        (
            {"attachments": [{"filename": "a", "content": "€", "content_type": "text/plain"}]},
            {"attachments.content": "não é válido"},
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(account, changes, errors):
    assert refusal(account, **changes) == errors
    assert account.state()["invoices"] == []


@pytest.mark.parametrize(
    ("written", "answered"), [("02-12-2018", "02/12/2018"), ("02/12/2018", "02/12/2018"), ("2018-12-02", "02/12/2018")]
)
def test_dates_are_taken_in_three_forms_and_answered_in_one(account, written, answered):
    invoice = create(account, issue_date=written, receivables=[{"due_date": written}])
    assert (invoice["issue_date"], invoice["estimated_issue_date"]) == (answered, answered)
    assert invoice["receivables"][0]["due_date"] == answered


@pytest.mark.parametrize(
    ("written", "answered"),
    [("11/2018", "2018-11-01"), ("13/2018", "2018-12-01"), ("", "2018-12-01"), ("2018-10-31", "2018-10-01")],
)
def test_the_accrual_month_is_answered_as_its_first_day(account, written, answered):
    assert create(account, accrual_date=written)["accrual_date"] == answered


@pytest.mark.parametrize(
    ("payment", "installments"),
    [
        ({"payment_method": "payment_gateway"}, 1),
        ({"payment_method": "payment_gateway", "installments": 3}, 3),
        ({"payment_method": "billet", "installments": 3}, None),
        ({"payment_method": "transfer"}, None),
    ],
)
def test_only_a_card_has_installments(account, payment, installments):
    assert create(account, payment_information=payment)["payment_information"]["installments"] == installments


def test_an_attachment_is_served_where_the_answer_says(account):
    content = bytes(range(256))
    file = {
        "filename": "tabela é.bin",
        "content": base64.b64encode(content).decode(),
        "content_type": "application/pdf",
    }
    url = create(account, attachments=[file])["attachments"][0]["url"]
    with urllib.request.urlopen(account.url + url) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (content, "application/pdf")


def test_an_attachment_can_be_destroyed(account):
    file = {"filename": "a", "content": "aGk=", "content_type": "text/plain"}
    invoice = create(account, attachments=[file, file])
    gone = [{"id": invoice["attachments"][0]["id"], "_destroy": True}]
    assert len(update(account, invoice, attachments=gone)["attachments"]) == 1


def test_approval_is_taken_when_created_and_ignored_by_an_update(account):
    invoice = create(account, approval_status="blocked")
    assert invoice["approval_status"] == "blocked"
    assert update(account, invoice, approval_status="approved")["approval_status"] == "blocked"
    status, body = account.call("PATCH", f"{INVOICES}/{invoice['id']}/approve")
    assert (status, body["invoice"]["approval_status"]) == (200, "approved")
    status, body = account.call("PATCH", f"{INVOICES}/{invoice['id']}/approve")
    assert (status, body) == (422, {"errors": "O faturamento não pode ser aprovado."})


def test_an_invoice_belongs_to_its_contract_alone(account):
    invoice = create(account)
    assert account.call("GET", f"contracts/8818/invoices/{invoice['id']}") == (404, None)
    assert account.call("DELETE", f"contracts/8818/invoices/{invoice['id']}") == (404, None)
    assert account.call("DELETE", f"{INVOICES}/{invoice['id']}") == (204, None)
    assert account.call("GET", f"{INVOICES}/{invoice['id']}") == (404, None)


def test_an_update_that_names_an_unknown_line_is_not_found(account):
    invoice = create(account)
    body = {"invoice": {"receivables": [{"id": 12345, "value": 100}]}}
    assert account.call("PUT", f"{INVOICES}/{invoice['id']}", body) == (404, None)


def test_a_refused_invoice_uses_up_no_id(account):
    refusal(account, description="")
    assert create(account)["id"] == 1


def test_a_boleto_is_charged_right_away_only_where_that_is_possible(account):
    automatic = {"management_type": "automatic", "automatic_email_template_id": 1, "charge_now": True}
    invoice = create(account, **automatic)
    shown = account.call("GET", f"{INVOICES}/{invoice['id']}")[1]["invoice"]
    assert (invoice["receivables"][0]["cobrato_charge_id"], shown["receivables"][0]["cobrato_charge_id"]) == (None, 1)
    assert refusal(account, charge_now=True) == {"charge_now": "não é válido"}


def test_a_new_invoice_is_planned_for_its_date_and_keeps_that_day_when_it_is_moved(account):
    invoice = create(account)
    assert invoice["estimated_issue_date"] == invoice["issue_date"] == "10/12/2018"
    moved = update(account, invoice, issue_date="2018-12-15")
    assert (moved["issue_date"], moved["estimated_issue_date"]) == ("15/12/2018", "10/12/2018")
    planned = update(account, invoice, estimated_issue_date="2018-12-15")
    assert planned["estimated_issue_date"] == "15/12/2018"


@pytest.mark.parametrize(("shape", "answered"), [(2018, None), (2026, "manual")])
@pytest.mark.parametrize("blank", ["", None])
def test_a_blank_management_is_answered_as_its_year_does(account, shape, answered, blank):
    account.put_state(STATE | {"behaviour": {"shape": shape}})
    invoice = create(account, management_type=blank)
    assert invoice["management_type"] == answered
    assert update(account, invoice, management_type=blank)["management_type"] == answered


def test_an_accrual_month_that_is_taken_away_is_null(account):
    invoice = create(account, accrual_date="11/2018")
    assert update(account, invoice, accrual_date="")["accrual_date"] is None


@pytest.mark.parametrize(("shape", "answered"), [(2018, ""), (2026, None)])
def test_a_blank_name_is_answered_as_its_year_does(account, shape, answered):
    account.put_state(STATE | {"behaviour": {"shape": shape}})
    assert create(account, finance_category="")["finance_category"] == answered


def test_the_shape_of_2018_leaves_out_what_came_later(account):
    account.put_state(STATE | {"behaviour": {"shape": 2018}})
    file = {"filename": "a", "content": "aGk=", "content_type": "text/plain"}
    invoice = create(account, accrual_date="", attachments=[file])
    later = {"issue_nfse", "nfse_template_id", "finance_category_id", "nfse_url", "fatura_url"}
    assert not later & invoice.keys()
    assert not {"billet_url", "myfinance_receivable_account_id"} & invoice["receivables"][0].keys()
    assert "charging_account_id" not in invoice["payment_information"]
    assert invoice["accrual_date"] is None
    assert invoice["attachments"][0]["url"].startswith(account.url)
