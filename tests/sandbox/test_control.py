"""The control plane: clock, screens, contracts."""

from datetime import date

import pytest

from sandbox.small_state import STATE, invoice_form, rule_form

INVOICES = "contracts/6666/invoices"


@pytest.fixture
def account(sandbox):
    sandbox.put_state(STATE)
    return sandbox


def create(account, **changes):
    return account.call("POST", INVOICES, invoice_form(**changes))[1]["invoice"]


def test_the_clock_shows_the_time_that_it_was_set_to_and_a_second_more_after_each_change(account):
    account.set_clock(date(2018, 12, 11), "03:00")
    assert account._call("GET", "/_sandbox/clock") == {"today": "2018-12-11", "time": "03:00:00"}
    assert [create(account)["created_at"] for _ in range(2)] == [
        "11/12/2018 03:00:00 -02:00", "11/12/2018 03:00:01 -02:00",
    ]  # fmt: skip
    assert account._call("GET", "/_sandbox/clock")["time"] == "03:00:02"


@pytest.mark.parametrize("day", ["9999-12-31", "1899-12-31"])
def test_a_clock_is_not_set_to_the_end_of_the_calendar(account, day):
    status, body = account._send("PUT", "/_sandbox/clock", {"today": day}, {})
    assert (status, body["errors"].partition(":")[0]) == (422, "today")


BEYOND_WRITING = "\ud800"  # half a character, which JSON can say


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "receivables/{line}/receive", {"on": "9999-12-31"}, "on"),
        ("POST", "receivables/{line}/receive", {"value": 1e30}, "value"),
        ("POST", "receivables/{line}/receivement_error", {"message": BEYOND_WRITING}, "message"),
        ("POST", "invoices/{invoice}/emit", {"on": "0001-01-01"}, "on"),
        ("POST", "invoices/{invoice}/edit", {"customer_id": []}, "customer_id"),
        ("POST", "invoices/{invoice}/edit", {"customer_type": BEYOND_WRITING}, "customer_type"),
        ("POST", f"invoices/{10**20}/emit", {}, "path.number"),
        ("POST", f"contracts/{10**20}/activate", {}, "path.number"),
        ("PUT", "faults", {"kind": "slow", "path": BEYOND_WRITING}, "path"),
        ("PUT", "webhook", {"url": "http://127.0.0.1:9/", "secret": BEYOND_WRITING}, "secret"),
        ("PUT", "webhook", {"url": "http://127.0.0.1:9/", "signature_header": "two\r\nlines"}, "signature_header"),
        ("PUT", "webhook", {"url": "http://["}, "url"),
        ("PUT", "webhook", {"url": "http:///nowhere"}, "url"),
        ("PUT", "webhook", {"url": "http://127.0.0.1:99999/"}, "url"),
        ("PUT", "state", {"today": "0001-01-01"}, "state"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(account, method, path, body, field):
    invoice = create(account)
    path = path.format(invoice=invoice["id"], line=invoice["receivables"][0]["id"])
    status, answer = account._send(method, f"/_sandbox/{path}", body, {})
    assert (status, field in answer["errors"].partition(": ")[0]) == (422, True)


@pytest.mark.parametrize(
    "changes", [{"invoice": None}, {"invoice": 1}, {"comments": BEYOND_WRITING}, {"number": 10**30}]
)
def test_an_edit_takes_what_the_api_takes(account, changes):
    invoice = create(account)
    assert account._send("POST", f"/_sandbox/invoices/{invoice['id']}/edit", changes, {})[0] == 200


def test_requests_are_not_looked_for_by_what_is_no_regular_expression(account):
    status, body = account._send("GET", "/_sandbox/requests?path=(", None, {})
    assert (status, body["errors"].partition(":")[0]) == (422, "path")


def test_billed_on_a_later_day_an_invoice_keeps_its_planned_date_and_due_dates(account):
    invoice = create(account)
    issued = account.emit(invoice["id"], date(2018, 12, 17))
    assert (issued["state"], issued["issue_date"], issued["estimated_issue_date"]) == (
        "to_receive", "17/12/2018", "10/12/2018",
    )  # fmt: skip
    assert issued["receivables"][0]["due_date"] == "20/12/2018"
    taken_back = account._act(f"invoices/{invoice['id']}/undo_emission")
    assert (taken_back["state"], taken_back["issue_date"]) == ("to_emit", "10/12/2018")


def test_an_issue_date_that_is_moved_keeps_the_planned_date(account):
    invoice = create(account)
    body = {"invoice": {"issue_date": "2018-12-17"}}
    moved = account.call("PATCH", f"{INVOICES}/{invoice['id']}", body)[1]["invoice"]
    assert (moved["issue_date"], moved["estimated_issue_date"]) == ("17/12/2018", "10/12/2018")


def test_billed_without_a_day_it_is_billed_today(account):
    invoice = create(account)
    account.set_clock(date(2018, 12, 12))
    assert account.emit(invoice["id"])["issue_date"] == "12/12/2018"


@pytest.mark.parametrize("wrapped", [True, False])
def test_an_invoice_is_edited_as_on_its_screen(account, wrapped):
    invoice = create(account)
    changes = {"description": "Outra", "gross_value": "120.5", "customer_id": 600, "customer_type": "Person"}
    edited = account.edit(invoice["id"], **({"invoice": changes} if wrapped else changes))
    assert (edited["description"], edited["gross_value"]) == ("Outra", "120.5")
    assert (edited["customer_id"], edited["customer_type"]) == (600, "Person")
    assert edited["receivables"][0]["gross_value"] == "120.5"


def test_an_edit_that_the_vendor_refuses_says_why_and_changes_nothing(account):
    invoice = create(account)
    body = {"description": "", "customer_id": 600}
    status, answer = account._send("POST", f"/_sandbox/invoices/{invoice['id']}/edit", body, {})
    assert (status, list(answer["errors"])) == (422, ["description"])
    assert account.call("GET", f"{INVOICES}/{invoice['id']}")[1]["invoice"] == invoice
    assert account._send("POST", "/_sandbox/invoices/99/edit", {}, {})[0] == 404


def test_a_contract_is_made_inactive_and_active_again(account):
    def state():
        return account.call("GET", "organizations/564/contracts/6666")[1]["contract"]["state"]

    account.deactivate(6666)
    assert state() == "inactive"
    account.activate(6666)
    assert state() == "active"
    assert account._send("POST", "/_sandbox/contracts/1/deactivate", None, {})[0] == 404


def test_screens_are_neither_struck_by_faults_nor_noted(account):
    invoice = create(account)
    account.clear_requests()
    account.faults([{"kind": "error_before"}])
    assert account.edit(invoice["id"], description="Outra")["description"] == "Outra"
    account.clear_faults()
    assert account.requests() == []


def test_the_machinery_of_the_very_day_runs_when_the_clock_is_set_to_it(account):
    update = {"price_index": "igpm", "init_date": "2018-12-10", "month_quantity": 12, "days_until_update": 0}
    status, _ = account.call("POST", "contracts/6666/invoice_rules", rule_form(scheduled_updates=[update]))
    assert status == 201
    state = account.state()
    account.put_state(state | {"today": "2018-12-10", "behaviour": {"readjust": True}})
    account.set_clock(date(2018, 12, 10), "00:05")
    account.set_clock(date(2018, 12, 10), "03:00")
    (rule,) = account.state()["invoice_rules"]
    assert rule["scheduled_updates"][0]["execution_date"] == "2019-12-10"
