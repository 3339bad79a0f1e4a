"""What the vendor makes of a rule by itself: its invoices, as far as it makes them ahead."""

import json
from datetime import date
from pathlib import Path

import pytest

from sandbox.small_state import STATE, rule_form, services

RULES = "contracts/6666/invoice_rules"
SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture
def account(sandbox):
    return with_behaviour(sandbox)


def with_behaviour(sandbox, **behaviour):
    sandbox.put_state(STATE | {"behaviour": behaviour})
    sandbox.set_clock(date(2018, 12, 10), "09:30")
    return sandbox


def schedule(init_date, months=1, **more):
    return {"title": "Regra", "init_date": init_date, "month_quantity": months, **more}


def weekly(init_date, **more):
    return {"title": "Semanal", "init_date": init_date, "period_unit": "weekly", **more}


def create(account, **changes):
    status, body = account.call("POST", RULES, rule_form(**changes))
    assert status == 201, body
    return body["invoice_rule"]


def change(account, rule, **changes):
    status, body = account.call("PATCH", f"{RULES}/{rule['id']}", {"invoice_rule": changes})
    assert status == 200, body


def generated(account):
    found = [invoice for invoice in account.state()["invoices"] if invoice.get("generated")]
    return sorted(found, key=lambda invoice: invoice["id"])


def planned(account):
    return [invoice["estimated_issue_date"] for invoice in generated(account)]


@pytest.mark.parametrize(
    ("additional_information", "count"),
    [
        (schedule("2018-12-10", end_date="2019-12-31"), 13),
        (schedule("2017-06-05", end_date="2022-06-04"), 60),
        (schedule("2016-09-02"), 25),
        (schedule("2016-09-02", 2), 13),
        (schedule("2016-09-02", 3), 9),
        (schedule("2016-09-02", 6), 5),
        (schedule("2016-09-02", 12), 3),
        (schedule("2018-12-10", end_date="2018-12-09"), 0),
        (schedule("2018-12-10", end_date="2018-12-10"), 1),
        (weekly("2018-12-10"), 27),
        (weekly("2019-02-01"), 26),
        (weekly("2018-12-10", end_date="2018-12-31"), 4),
        (schedule("9999-12-01"), 0),
    ],
)
def test_a_rule_generates_as_many_invoices_as_on_record(account, additional_information, count):
    create(account, additional_information=additional_information)
    assert len(generated(account)) == count


def test_ids_after_a_rules_are_its_invoices_in_one_sequence_with_its_moment(account):
    first = create(account, services=services((31, 1, 10), (57, 1, 5)))
    second = create(account)
    invoices = generated(account)
    assert [each["id"] for each in invoices[:25]] == list(range(first["id"] + 1, first["id"] + 26))
    assert second["id"] == first["id"] + 26
    assert {each["created_at"] for each in invoices[:25]} == {first["created_at"]}
    payments = {each["payment_information"]["id"] for each in invoices[:25]}
    assert len(payments) == 25
    assert second["payment_information"]["id"] - first["payment_information"]["id"] == 26
    assert len({line["id"] for each in invoices for line in each["services"]}) == 50


def test_a_refused_rule_takes_no_ids(account):
    first = create(account)
    assert account.call("POST", RULES, rule_form(description=""))[0] == 422
    assert create(account)["id"] == first["id"] + 26


def test_a_generated_invoice_is_what_the_rule_says(account):
    rule = create(
        account,
        gross_value=0,
        services=services((31, 2, "50.25")),
        management_type="automatic",
        automatic_email_template_id=9,
        receivables_additional_information={"day_number": 31, "parcel_number": 3},
        additional_information=schedule("2019-01-31", accrual_month_quantity="previous_month"),
    )
    status, body = account.call("GET", f"contracts/6666/invoices/{rule['id'] + 2}")
    invoice = body["invoice"]
    assert status == 200
    assert (invoice["state"], invoice["approval_status"], invoice["management_type"]) == (
        "to_emit", "approved", "automatic",
    )  # fmt: skip
    assert (invoice["issue_date"], invoice["estimated_issue_date"]) == ("28/02/2019", "28/02/2019")
    assert (invoice["accrual_date"], invoice["description"]) == ("2019-01-01", rule["description"])
    assert (invoice["nfe_body"], invoice["number"], invoice["comments"]) == ("$DESCRICAO", None, None)
    assert (invoice["gross_value"], invoice["payment_value"], invoice["customer_id"]) == ("100.5", "100.5", 574)
    assert [(each["due_date"], each["value"], each["gross_value"]) for each in invoice["receivables"]] == [
        ("31/03/2019", "33.3333", "33.5"), ("30/04/2019", "33.3333", "33.5"), ("31/05/2019", "33.3334", "33.5"),
    ]  # fmt: skip
    assert {each["invoice_id"] for each in invoice["receivables"]} == {invoice["id"]}
    assert not {"rule_id", "invoice_rule_id", "generated", "person"} & invoice.keys()
    listed = account.call("GET", RULES)[1]["invoice_rules"][0]
    assert "generated" not in listed


@pytest.mark.parametrize(
    ("charge_type", "terms", "dues"),
    [
        ("fixed_day", {"day_number": 10}, ["10/01/2019"]),
        ("last_day_of_month", {}, ["31/12/2018"]),
        ("last_day_of_month", {"only_business_days": True, "parcel_number": 4},
         ["31/12/2018", "31/01/2019", "28/02/2019", "29/03/2019"]),
        ("day_quantity", {"day_quantity": 15}, ["25/12/2018"]),
        ("day_quantity", {"day_quantity": 11, "only_business_days": True}, ["26/12/2018"]),
        ("fixed_day_and_month_quantity", {"day_number": 31, "month_quantity": 2}, ["28/02/2019"]),
    ],
)  # fmt: skip
def test_due_dates_follow_the_rule(account, charge_type, terms, dues):
    create(account, charge_type=charge_type, receivables_additional_information=terms)
    assert [each["due_date"] for each in generated(account)[0]["receivables"]] == dues


def test_a_behaviour_may_say_that_nothing_is_generated(sandbox):
    account = with_behaviour(sandbox, generate_invoices=False)
    rule = create(account)
    change(account, rule, additional_information=schedule("2019-01-10"))
    assert account.state()["invoices"] == []


def test_a_states_rules_generate_nothing_and_its_invoices_belong_to_nobody(sandbox):
    rule = {"id": 1, "contract_id": 6666, "gross_value": "100.0", "additional_information": schedule("2018-12-10")}
    invoice = {"id": 2, "contract_id": 6666, "issue_date": "2018-12-10", "gross_value": "100.0"}
    sandbox.put_state(STATE | {"invoice_rules": [rule], "invoices": [invoice]})
    change(sandbox, rule, gross_value=90)
    assert [each["gross_value"] for each in sandbox.state()["invoices"]] == ["100.0"]


def test_a_change_of_the_rule_reaches_what_is_not_issued_in_place(account):
    rule = create(account, additional_information=schedule("2018-12-10", end_date="2019-02-28"))
    ids = [each["id"] for each in generated(account)]
    account.emit(ids[0])
    change(account, rule, gross_value=90, description="Nova", management_type="manual")
    change(account, rule, receivables_additional_information={"day_number": 5}, charge_type="fixed_day")
    first, *rest = generated(account)
    assert (first["gross_value"], first["description"]) == ("100.0", "Mensalidade")
    assert [each["id"] for each in (first, *rest)] == ids
    for invoice in rest:
        assert (invoice["gross_value"], invoice["payment_value"], invoice["description"]) == ("90.0", "90.0", "Nova")
        assert [(each["gross_value"], each["due_date"][:2]) for each in invoice["receivables"]] == [("90.0", "05")]


def test_a_service_added_to_a_rule_is_added_to_each_of_its_invoices(account):
    rule = create(account, services=services((31, 1, 100)))
    before = {each["id"]: each["services"][0]["id"] for each in generated(account)}
    change(account, rule, services=services((57, 2, "5.5"), (57, 1, 1)))
    after = generated(account)
    assert {each["id"]: each["services"][0]["id"] for each in after} == before
    assert len({line["id"] for each in after for line in each["services"][1:]}) == 50
    assert {each["gross_value"] for each in after} == {"112.0"}
    change(account, rule, services=[{"id": rule["services"][0]["id"], "_destroy": True}])
    assert {each["gross_value"] for each in generated(account)} == {"12.0"}


@pytest.mark.parametrize(("keep", "after"), [(True, "77.0"), (False, "90.0")])
def test_what_was_edited_by_hand_stays_unless_the_behaviour_says_otherwise(sandbox, keep, after):
    account = with_behaviour(sandbox, keep_hand_edits=keep)
    rule = create(account)
    by_api, on_screen, untouched = (each["id"] for each in generated(account)[:3])
    account.call("PATCH", f"contracts/6666/invoices/{by_api}", {"invoice": {"gross_value": 77}})
    account.edit(on_screen, gross_value=77)
    account.edit(on_screen, comments="a remark is no field of the rule")
    change(account, rule, gross_value=90, description="Nova")
    found = {each["id"]: each for each in generated(account)}
    assert (found[by_api]["gross_value"], found[on_screen]["gross_value"]) == (after, after)
    assert found[untouched]["gross_value"] == "90.0"
    assert {each["description"] for each in found.values()} == {"Nova"}


def test_invoices_follow_a_new_day_period_by_period(account):
    rule = create(account, additional_information=schedule("2018-12-10", end_date="2019-03-31"))
    ids = [each["id"] for each in generated(account)]
    account.emit(ids[0])
    change(account, rule, additional_information=schedule("2018-12-20", end_date="2019-02-28"))
    assert [(each["id"], each["estimated_issue_date"]) for each in generated(account)] == [
        (ids[0], "10/12/2018"), (ids[1], "20/01/2019"), (ids[2], "20/02/2019"),
    ]  # fmt: skip


def test_a_rule_that_goes_on_longer_generates_what_it_lacks(account):
    rule = create(account, additional_information=schedule("2018-12-10", end_date="2019-01-31"))
    change(account, rule, additional_information=schedule("2018-12-10", end_date="2019-03-31"))
    assert planned(account) == ["10/12/2018", "10/01/2019", "10/02/2019", "10/03/2019"]


def test_invoices_keep_their_dates_if_the_behaviour_says_so(sandbox):
    account = with_behaviour(sandbox, on_schedule_changed="keep")
    rule = create(account, additional_information=schedule("2018-12-10", end_date="2019-01-31"))
    change(account, rule, additional_information=schedule("2018-12-20", end_date="2018-12-31"))
    assert planned(account) == ["10/12/2018", "10/01/2019"]


@pytest.mark.parametrize(("behaviour", "left"), [("keep", 3), ("delete_to_emit", 1)])
def test_a_deleted_rules_invoices_stay_or_go(sandbox, behaviour, left):
    account = with_behaviour(sandbox, on_rule_deleted=behaviour)
    rule = create(account, additional_information=schedule("2018-12-10", end_date="2019-02-28"))
    account.emit(generated(account)[0]["id"])
    assert account.call("DELETE", f"{RULES}/{rule['id']}")[0] == 204
    assert len(account.state()["invoices"]) == left


@pytest.mark.parametrize(("behaviour", "count"), [({}, 25), ({"generate_when_inactive": False}, 0)])
def test_a_rule_of_an_inactive_contract_generates_unless_the_behaviour_says_otherwise(sandbox, behaviour, count):
    account = with_behaviour(sandbox, **behaviour)
    account.deactivate(6666)
    create(account)
    assert len(generated(account)) == count


def test_an_endless_rule_is_extended_month_by_month_and_what_was_removed_stays_away(sandbox):
    account = with_behaviour(sandbox, extend_generated=True)
    create(account)
    create(account, additional_information=schedule("2018-12-10", end_date="2019-01-31"))
    account.call("DELETE", f"contracts/6666/invoices/{generated(account)[24]['id']}")
    account.set_clock(date(2019, 2, 1))
    assert planned(account)[-1] == "10/01/2021"
    assert "10/12/2020" not in planned(account)
    assert len([each for each in planned(account) if each.endswith("/01/2019")]) == 2


def test_a_states_rule_is_extended_if_its_invoices_are_there(sandbox):
    rules = [
        {"id": 1, "contract_id": 6666, "gross_value": "100.0", "additional_information": schedule("2018-10-10")},
        {"id": 2, "contract_id": 8818, "gross_value": "100.0", "additional_information": schedule("2018-10-11")},
    ]
    invoice = {"id": 3, "contract_id": 6666, "issue_date": "2018-11-10", "gross_value": "100.0"}
    state = STATE | {"invoice_rules": rules, "invoices": [invoice], "behaviour": {"extend_generated": True}}
    sandbox.put_state(state)
    sandbox.set_clock(date(2019, 1, 1))
    assert (planned(sandbox)[0], planned(sandbox)[-1]) == ("10/12/2018", "10/12/2020")
    assert {each["contract_id"] for each in generated(sandbox)} == {6666}


def test_generated_marks_survive_reading_the_state_back(account):
    rule = create(account)
    account.edit(generated(account)[0]["id"], description="à mão")
    account.put_state(account.state())
    change(account, rule, description="Nova")
    assert [each["description"] for each in generated(account)][:2] == ["à mão", "Nova"]


RECORDED = {184521: 13, 178624: 60, 178735: 25, 178729: 5, 168525: 5, 185002: 3, 185237: 3, 185241: 3,
            184572: 0, 184573: 0}  # fmt: skip


def recorded_rules():
    found = {}
    for file in sorted([*SHARED.glob("api/recordings/**/*.json"), *SHARED.glob("api/documented/**/*.json")]):
        for rule in _rules_in(json.loads(file.read_text(encoding="utf-8"))):
            if rule["id"] in RECORDED:
                found.setdefault(rule["id"], rule)
    return found


def _rules_in(thing):
    if isinstance(thing, dict):
        if "additional_information" in thing and isinstance(thing.get("id"), int):
            yield thing
        thing = list(thing.values())
    if isinstance(thing, str) and '"additional_information"' in thing:
        thing = [json.loads(thing)] if thing.lstrip().startswith("{") else []
    if isinstance(thing, list):
        for each in thing:
            yield from _rules_in(each)


@pytest.mark.skipif(not (SHARED / "api").is_dir(), reason="the recordings are not here")
def test_recorded_rules_generate_the_recorded_numbers(account):
    rules = recorded_rules()
    assert rules
    for number, rule in sorted(rules.items()):
        recorded = rule["additional_information"]
        before = len(generated(account))
        if recorded is None:
            assert RECORDED[number] == 0
            continue
        fields = ("title", "init_date", "end_date", "month_quantity", "period_unit")
        form = {field: recorded.get(field) for field in fields if recorded.get(field) is not None}
        create(account, additional_information=form)
        assert len(generated(account)) - before == RECORDED[number], number
