"""The state file, the control plane, and what survives."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy.exc import ArgumentError

from ciclo_sandbox.account import Sequences
from ciclo_sandbox.storage import open_database
from ciclo_sandbox.testing import ControlError, running_sandbox
from load_generator import request_bytes, run
from sandbox.small_state import STATE, invoice_form, rule_form, services

FULL = STATE | {
    "invoice_templates": [
        {"id": 5, "organization_id": 564, "services": [{"id": 1, "name": "Online", "unit_value": 3}]}
    ],
    "email_templates": [{"id": 9, "company_id": 564, "name": "Mail"}],
    "behaviour": {"emit_on_issue_date": True, "payments": [{"share": 0.9, "days_after_due": 0}], "seed": 1},
}


def one_invoice(**fields):
    return STATE | {"invoices": [{"contract_id": 6666} | fields]}


def test_a_state_put_back_is_the_same_state(sandbox):
    sandbox.put_state(FULL)
    sandbox.call("POST", "contracts/6666/invoices", invoice_form(services=services((57, 1, 3))))
    sandbox.call("POST", "contracts/8818/invoice_rules", rule_form())
    state = sandbox.state()
    assert state["invoice_rules"][0]["charge_type"] == "fixed_day"
    assert state["invoices"][0]["services"][0]["service_item_id"] == 57
    sandbox.put_state(state)
    assert sandbox.state() == state


def test_what_a_state_leaves_out_gets_a_default(sandbox):
    contract = {"id": 7, "name": "C", "customer_id": 2, "supplier_id": 1}
    sandbox.put_state(
        {"contracts": [contract], "invoices": [{"contract_id": 7, "gross_value": 3, "receivables": [{}]}]}
    )
    (invoice,) = sandbox.state()["invoices"]
    assert (invoice["id"], invoice["state"], invoice["customer_id"], invoice["payment_value"]) == (
        1,
        "to_emit",
        2,
        "3.0",
    )
    assert (invoice["receivables"][0]["value"], invoice["receivables"][0]["gross_value"]) == ("100.0", "3.0")
    assert [(each["id"], each["name"]) for each in sandbox.state()["organizations"]] == [(1, "Organization 1")]
    assert sandbox.state()["token"] == "test-token"


def test_ids_go_on_after_the_highest(sandbox):
    sandbox.put_state(
        STATE
        | {
            "invoices": [
                {
                    "id": 184535,
                    "contract_id": 6666,
                    "gross_value": 1,
                    "receivables": [{"id": 900, "due_date": "01/01/2018"}],
                }
            ]
        }
    )
    created = sandbox.call("POST", "contracts/6666/invoices", invoice_form())[1]["invoice"]
    assert (created["id"], created["receivables"][0]["id"]) == (184536, 901)


def test_old_shapes_are_read(sandbox):
    invoice = {"id": 1, "contract_id": 6666, "state": 0, "gross_value": "5.0", "finance_receive_via": None}
    sandbox.put_state(STATE | {"invoices": [invoice]})
    assert sandbox.state()["invoices"][0]["state"] == "to_emit"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"contracts": [{"id": "x"}]}, "contracts[0].id: Input should be a valid integer"),
        ({"contracts": 3}, "contracts: Input should be a valid list"),
        ({"invoices": [{"contract_id": 3}]}, "invoices[0].contract_id: there is no contract 3"),
        ({"invoices": [{}]}, "invoices[0].contract_id: Field required"),
        ({"contracts": [{"id": 1}, {"id": 1}]}, "contracts: id 1 is there twice"),
        (one_invoice(issue_date="31/02/2018"), "invoices[0].issue_date: '31/02/2018' is"),
        (one_invoice(gross_value="ten"), "invoices[0].gross_value: 'ten' is"),
        ({"behaviour": {"payment": []}}, "behaviour.payment: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_state_that_makes_no_sense_is_refused_and_changes_nothing(sandbox, state, message):
    sandbox.put_state(STATE)
    before = sandbox.state()
    with pytest.raises(ControlError, match="422") as refused:
        sandbox.put_state(state)
    assert message in json.loads(refused.value.body)["errors"]
    assert sandbox.state() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n "contracts": [,]}', "state.json: line 2: "),
        (b"[]", "state.json: line 1: the state must be a JSON object"),
        (
            b'{"invoices": [{"contract_id": []}]}',
            "state.json: invoices[0].contract_id: Input should be a valid integer",
        ),
        (b'{"invoices": [{"contract_id": 1}]}', "state.json: invoices[0].contract_id: there is no contract 1"),
        (None, "state.json: No such file or directory"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong_with_its_state_file(ciclo, tmp_path, content, message):
    path = tmp_path / "state.json"
    if content is not None:
        path.write_bytes(content)
    code, _, err = ciclo("sandbox", "--port", 0, "--state", path)
    assert code == 1
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_sandbox_does_not_begin_at_the_end_of_the_calendar(ciclo, day):
    code, _, err = ciclo("sandbox", "--port", 0, "--today", day)
    assert (code, len(err.splitlines())) == (1, 1)
    assert "--today: Input should be" in err


def test_a_process_that_cannot_start_says_why_in_one_line_and_ends(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "ciclo.cli", "sandbox", "--port", "0", "--state", str(tmp_path / "state.json")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "state.json: No such file or directory" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_its_url_and_ends_cleanly(tmp_path, number):
    path = tmp_path / "state.json"
    path.write_text(json.dumps(STATE))
    command = [
        sys.executable,
        "-m",
        "ciclo.cli",
        "sandbox",
        "--port",
        "0",
        "--state",
        str(path),
        "--today",
        "2025-01-31",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=20)
    assert line.startswith("ciclo sandbox: http://127.0.0.1:")
    assert "2025-01-31" in line
    assert (process.returncode, errors) == (0, "")


def test_a_killed_sandbox_has_everything_that_it_answered(tmp_path):
    database = f"sqlite:///{tmp_path}/sandbox.db"
    path = tmp_path / "state.json"
    path.write_text(json.dumps(STATE))
    command = [
        sys.executable,
        "-m",
        "ciclo.cli",
        "sandbox",
        "--port",
        "0",
        "--state",
        str(path),
        "--database",
        database,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[2]
        requests = [request_bytes(url, "test-token", "POST", "/api/v1/contracts/6666/invoices", invoice_form())] * 50
        run(url, requests)
        process.kill()
    with running_sandbox(database=database, today=date(1999, 1, 1)) as revived:
        assert revived.clock() != date(1999, 1, 1)
        revived.token = "test-token"
        assert len(revived.state()["invoices"]) == 50
        created = revived.call("POST", "contracts/6666/invoices", invoice_form(services=services((31, 1, 1))))[1][
            "invoice"
        ]
        assert (created["id"], created["receivables"][0]["id"]) == (51, 51)


def test_a_database_that_is_not_sqlite_is_refused_by_its_name():
    with pytest.raises(ArgumentError, match=r"keeps its state in SQLite .*, not in postgresql"):
        open_database("postgresql://somebody@127.0.0.1/ciclo")


def test_a_sandbox_that_comes_back_gives_no_number_twice(tmp_path):
    database, form = f"sqlite:///{tmp_path}/sandbox.db", invoice_form(services=services((31, 1, 1)))
    with running_sandbox(database=database) as first:
        first.put_state(STATE)
        first.token = "test-token"
        first.call("POST", "contracts/6666/invoices", form)
        first.put_state(first.state())
    with running_sandbox(database=database) as revived:
        revived.token = "test-token"
        status, _ = revived.call("POST", "contracts/6666/invoices", form)
        revived.put_state(revived.state())  # it refuses numbers that are there twice
        assert (status, len(revived.state()["invoices"])) == (201, 2)


def test_a_state_that_is_put_elsewhere_is_the_same_vendor(sandbox):
    people = [{"share": 0.3, "do": "delete"}, {"share": 0.3, "do": "cancel_and_copy"}]
    behaviour = {"emit_on_issue_date": True, "payments": [{"share": 1}], "people": people, "extend_generated": True}
    sandbox.put_state(STATE | {"today": "2018-12-01", "behaviour": behaviour})
    sandbox.call("POST", "contracts/6666/invoice_rules", rule_form())
    last = sandbox.call("POST", "contracts/8818/invoices", invoice_form())[1]["invoice"]["id"]
    sandbox.call("DELETE", f"contracts/8818/invoices/{last}")
    sandbox.set_clock(date(2019, 3, 31), "10:00")
    with running_sandbox(today=date(2030, 1, 1)) as other:
        other.put_state(sandbox.state())
        assert other.clock() == date(2019, 3, 31)
        for each in (sandbox, other):
            each.token = "test-token"
            each.set_clock(date(2019, 7, 31), "10:00")
            each.call("POST", "contracts/8818/invoices", invoice_form())
        assert other.state() == sandbox.state()
    charges = [line["cobrato_charge_id"] for each in sandbox.state()["invoices"] for line in each["receivables"]]
    given = [charge for charge in charges if charge]
    assert len(given) == len(set(given)) > 3


def test_charges_of_a_state_are_not_numbered_again(sandbox):
    line = {"due_date": "10/01/2019", "state": "to_receive", "cobrato_charge_id": 1, "finance_receivable_id": "1"}
    invoice = {"id": 1, "contract_id": 6666, "gross_value": 1, "issue_date": "01/12/2018", "receivables": [line]}
    sandbox.put_state(STATE | {"invoices": [invoice]})
    created = sandbox.call("POST", "contracts/8818/invoices", invoice_form())[1]["invoice"]
    (issued,) = sandbox.emit(created["id"])["receivables"]
    assert (issued["cobrato_charge_id"], issued["finance_receivable_id"]) == (2, 2)


def test_what_a_search_or_an_old_answer_calls_otherwise_is_read_by_a_state(sandbox):
    line = {"id": 7, "due_date": "10/01/2019", "boleto_url": "https://a", "finance_errors": "refused"}
    invoice = {"id": 1, "contract_id": 6666, "gross_value": 1, "issue_date": "01/12/2018", "receivables": [line]}
    sandbox.put_state(STATE | {"invoices": [invoice]})
    shown = sandbox.call("GET", "contracts/6666/receivables/7")[1]["receivable"]
    assert (shown["billet_url"], shown["myfinance_errors"]) == ("https://a", "refused")
    (found,) = sandbox.call("GET", "contracts/6666/receivables/search")[1]["receivables"]
    assert found["boleto_url"] == "https://a"


def test_two_at_once_get_ids_of_their_own(sandbox):
    sandbox.put_state(STATE)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sandbox.call("POST", "contracts/6666/invoices", invoice_form()), range(80)))
    assert sorted(body["invoice"]["id"] for _, body in answers) == list(range(1, 81))


def test_the_log_says_what_was_asked_and_can_be_narrowed_and_emptied(sandbox):
    sandbox.put_state(STATE)
    sandbox.clear_requests()
    sandbox.call("POST", "contracts/6666/invoices", invoice_form())
    sandbox.call("GET", "service_items/search?name=Online")
    sandbox.call("GET", "contracts/1/invoice_rules")
    assert [entry["status"] for entry in sandbox.requests()] == [201, 200, 404]
    (post,) = sandbox.requests(method="post")
    assert (post["path"], post["number"]) == ("/api/v1/contracts/6666/invoices", 1)
    assert [entry["query"] for entry in sandbox.requests(path="service_items", since=1)] == ["name=Online"]
    assert sandbox.requests(status=404)[0]["duration_ms"] >= 0
    assert sandbox.request_count()["total"] == 3
    sandbox.clear_requests()
    assert sandbox.requests() == []


def test_the_clock_is_read_and_moved(sandbox):
    sandbox.put_state(STATE)
    sandbox.set_clock(date(2019, 2, 28))
    assert sandbox.clock() == date(2019, 2, 28)
    created = sandbox.call("POST", "contracts/6666/invoices", invoice_form())[1]["invoice"]
    assert created["created_at"].startswith("28/02/2019 ")
    assert created["created_at"].endswith(" -03:00")


def test_an_emptied_sandbox_keeps_its_token_and_date(sandbox):
    sandbox.put_state(STATE)
    sandbox._call("DELETE", "/_sandbox/state")
    assert sandbox.state()["contracts"] == []
    assert sandbox.call("GET", "service_items") == (200, {"service_items": []})


def test_no_id_is_given_twice_by_a_sandbox_that_rolled_back_and_was_killed_afterwards():
    on_disk = {}
    numbers = Sequences({}, on_disk.update)
    given = [numbers.next("invoices") for _ in range(3)]
    on_disk_before, mark = dict(on_disk), numbers.mark()
    numbers.next("contracts")
    numbers.return_to(mark)
    on_disk.clear()
    on_disk.update(on_disk_before)
    numbers.next("receivables")

    assert Sequences(dict(on_disk), on_disk.update).next("invoices") not in given


@pytest.mark.parametrize(
    ("names", "updates", "items"),
    [
        (["Rent"], [383], [383]),
        (["Rent", "Rent"], [383], [383, 383]),
        (["Rent", "Online"], [31, 383], [383, 31]),
        (["Rent", "Cleaning"], [383, 384], [383, 384]),
        (["Rent", "Cleaning"], [383], [58, 59]),
        (["Online"], [383], [31]),
    ],
)
def test_a_rule_as_it_is_answered_can_be_changed_though_its_services_tell_no_items(sandbox, names, updates, items):
    rule = {
        "id": 1, "contract_id": 6666,
        "services": [{"id": number, "name": name, "value": "10.0"} for number, name in enumerate(names, start=1)],
        "scheduled_updates": [
            {"id": number, "price_index": "ipca", "init_date": "2018-12-12", "month_quantity": 12,
             "days_until_update": 7, "service_item_id": number} for number in updates
        ],
    }  # fmt: skip
    sandbox.put_state(STATE | {"invoice_rules": [rule]})
    assert [line["service_item_id"] for line in sandbox.state()["invoice_rules"][0]["services"]] == items
    change = {"description": "New", "services": [{"id": 1, "unit_value": 11}]}
    assert sandbox.call("PATCH", "contracts/6666/invoice_rules/1", {"invoice_rule": change})[0] == 200
    added = {"price_index": "igpm", "init_date": "2018-12-12", "month_quantity": 12, "days_until_update": 7}
    change = {"scheduled_updates": [added | {"service_item_id": 57}]}
    assert sandbox.call("PATCH", "contracts/6666/invoice_rules/1", {"invoice_rule": change})[0] == 422


def test_moments_that_a_state_leaves_out_are_written_as_each_kind_writes_them(sandbox):
    kinds = ("charge_templates", "financial_accounts", "nfse_templates", "companies", "email_templates")
    sandbox.put_state(STATE | {kind: [{"id": 1, "name": "A"}] for kind in kinds})
    state = sandbox.state()
    assert ["T" in state[kind][0]["created_at"] for kind in kinds] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("terms", "change", "kept"),
    [
        ({"day_number": 23}, {"day_number": 25, "day_quantity": 3}, (25, None, None)),
        ({"day_quantity": 3}, {"day_number": 25, "day_quantity": 5}, (None, 5, None)),
        ({"day_number": 5, "month_quantity": 2}, {"month_quantity": 3}, (5, None, 3)),
        ({"day_number": None}, {"day_number": 25}, (25, None, None)),
    ],
)
def test_the_charge_type_of_a_rule_as_it_is_answered_follows_from_its_numbers(sandbox, terms, change, kept):
    rule = {"id": 1, "contract_id": 6666, "gross_value": 1, "receivables_additional_information": terms | {"id": 4}}
    sandbox.put_state(STATE | {"invoice_rules": [rule]})
    body = {"invoice_rule": {"receivables_additional_information": change | {"id": 4}}}
    _, answered = sandbox.call("PATCH", "contracts/6666/invoice_rules/1", body)
    due = answered["invoice_rule"]["receivables_additional_information"]
    assert (due["day_number"], due["day_quantity"], due["month_quantity"]) == kept


@pytest.mark.parametrize("nothing", ["", "--", None])
def test_nothing_is_null_however_the_api_writes_it(sandbox, nothing):
    line = {"id": 1, "due_date": "10/01/2019", "received_at": nothing, "received_value": nothing}
    invoice = {
        "id": 1, "contract_id": 6666, "issue_date": "10/12/2018", "gross_value": 1, "receivables": [line],
        "automatic_email_template_id": nothing, "issue_nfse": nothing, "nfe_issue_date": nothing,
        "payment_value": nothing, "services": nothing, "payment_information": nothing, "comments": nothing,
    }  # fmt: skip
    sandbox.put_state(STATE | {"invoices": [invoice]})
    shown = sandbox.call("GET", "contracts/6666/invoices/1")[1]["invoice"]
    fields = ("automatic_email_template_id", "issue_nfse", "nfe_issue_date", "payment_value", "payment_information")
    assert [shown[field] for field in fields] == [None] * 5
    assert (shown["services"], shown["comments"]) == ([], nothing)
    assert (shown["receivables"][0]["received_at"], shown["receivables"][0]["received_value"]) == (None, None)


def test_what_another_system_says_is_answered_as_it_stands(sandbox):
    said = {"cobrato_charge_id": "52aaaaaa-51ee", "finance_receivable_id": 7, "myfinance_errors": ["one", "two"]}
    invoice = {"id": 1, "contract_id": 6666, "gross_value": 1, "receivables": [{"due_date": "10/01/2019"} | said]}
    sandbox.put_state(STATE | {"invoices": [invoice]})
    (line,) = sandbox.call("GET", "contracts/6666/invoices/1")[1]["invoice"]["receivables"]
    assert {field: line[field] for field in said} == said
