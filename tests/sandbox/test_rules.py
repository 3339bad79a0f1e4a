import copy

import pytest

from sandbox.small_state import STATE, rule_form, services

RULES = "contracts/6666/invoice_rules"

TEMPLATE = {
    "id": 26,
    "name": "Plan",
    "description": "From the template",
    "month_quantity": 3,
    "accrual_month_quantity": "previous_month",
    "management_type": "automatic",
    "automatic_email_template_id": 9,
    "payment_method": "transfer",
    "receivables_additional_information": {"charge_type": "fixed_day", "day_number": 5, "parcel_number": 2},
    "services": [
        {"id": 490, "name": "Online", "units": 2, "unit_value": 10},
        {"id": 491, "name": "Support", "units": 1, "unit_value": 50},
    ],
    "scheduled_updates": [
        {"id": 70, "price_index": "igpm", "month_quantity": 12, "days_until_update": 7, "service_item_id": 31},
        {"id": 71, "price_index": "ipca", "month_quantity": 12, "days_until_update": 7},
    ],
}


@pytest.fixture
def account(sandbox):
    sandbox.put_state(STATE | {"invoice_templates": [copy.deepcopy(TEMPLATE)]})
    return sandbox


def create(account, **changes):
    status, body = account.call("POST", RULES, rule_form(**changes))
    assert status == 201, body
    return body["invoice_rule"]


def from_template(account, **changes):
    title = {"title": "New", "init_date": "20/12/2018"}
    params = {"invoice_template_id": 26, "additional_information": title} | changes
    return account.call("POST", RULES, {"invoice_rule": params})


def update(account, rule, **changes):
    return account.call("PUT", f"{RULES}/{rule['id']}", {"invoice_rule": changes})


def test_a_rule_is_listed_as_it_was_created(account):
    rule = create(account, services=services((31, 1, 30)))
    assert account.call("GET", RULES) == (200, {"invoice_rules": [rule]})
    assert "charge_type" not in rule
    assert rule["receivables_additional_information"]["day_number"] == 23


@pytest.mark.parametrize(
    ("schedule", "error"),
    [
        ({"month_quantity": 5}, {"month_quantity": "valor deve ser 1, 2, 3, 6 ou 12 (em meses)"}),
        ({"month_quantity": None}, {"month_quantity": "valor deve ser 1, 2, 3, 6 ou 12 (em meses)"}),
        ({"title": ""}, {"title": "não pode ficar em branco"}),
        ({"init_date": "31/02/2018"}, {"init_date": "não pode ficar em branco"}),
        ({"end_date": "11/12/2023"}, {"periodicity": "deve ser no máximo 5 (cinco) anos"}),
        ({"period_unit": "weekly", "end_date": "11/12/2019"}, {"periodicity": "deve ser no máximo 1 (um) ano"}),
        ({"period_unit": "daily"}, {"period_unit": "não está incluído na lista"}),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(account, schedule, error):
    given = {"title": "T", "init_date": "2018-12-10", "month_quantity": 1} | schedule
    status, body = account.call("POST", RULES, rule_form(additional_information=given))
    assert status == 422
    ((field, message),) = error.items()
    assert body["errors"][f"additional_information.{field}"] == message


@pytest.mark.parametrize("end", ["10/12/2023", "09/12/2023"])
def test_a_monthly_rule_may_span_five_years_exactly(account, end):
    rule = create(
        account, additional_information={"title": "T", "init_date": "2018-12-10", "month_quantity": 12, "end_date": end}
    )
    assert rule["additional_information"]["end_date"][:4] == "2023"


def test_a_weekly_rule_has_no_month_quantity(account):
    weekly = {"title": "T", "init_date": "2018-12-10", "period_unit": "weekly", "month_quantity": 6}
    assert create(account, additional_information=weekly)["additional_information"]["month_quantity"] is None


def test_zero_is_another_name_of_monthly(account):
    given = {"title": "T", "init_date": "2018-12-10", "period_unit": 0, "month_quantity": 6}
    assert create(account, additional_information=given)["additional_information"]["period_unit"] == "monthly"


@pytest.mark.parametrize(
    ("charge_type", "due", "kept"),
    [
        ("fixed_day", {"day_number": 31, "day_quantity": 4}, {"day_number": 31, "day_quantity": None}),
        ("last_day_of_month", {"day_number": 3}, {"day_number": None}),
        (
            "day_quantity",
            {"day_quantity": 3, "only_business_days": True},
            {"day_quantity": 3, "only_business_days": True},
        ),
        (
            "fixed_day_and_month_quantity",
            {"day_number": 9, "month_quantity": 2},
            {"day_number": 9, "month_quantity": 2},
        ),
    ],
)
def test_a_charge_type_keeps_the_fields_that_it_needs(account, charge_type, due, kept):
    rule = create(account, charge_type=charge_type, receivables_additional_information=due)
    answered = rule["receivables_additional_information"]
    assert {field: answered[field] for field in kept} == kept


def test_changed_due_dates_keep_to_the_charge_type_that_the_rule_has(account):
    rule = create(account)
    own = {"id": rule["receivables_additional_information"]["id"]}
    form = {"receivables_additional_information": own | {"day_number": 5, "day_quantity": 4}}
    status, body = account.call("PUT", f"{RULES}/{rule['id']}", {"invoice_rule": form})
    changed = body["invoice_rule"]["receivables_additional_information"]
    assert (status, changed["day_number"], changed["day_quantity"]) == (200, 5, None)
    form = {"receivables_additional_information": own | {"day_number": 0}}
    refused = account.call("PUT", f"{RULES}/{rule['id']}", {"invoice_rule": form})
    path = "receivables_additional_information.day_number"
    assert refused == (422, {"errors": {path: "o valor deve ser maior do que zero"}})


@pytest.mark.parametrize(
    ("charge_type", "field"),
    [("fixed_day", "day_number"), ("day_quantity", "day_quantity"), ("fixed_day_and_month_quantity", "month_quantity")],
)
def test_a_charge_type_without_its_field_is_refused(account, charge_type, field):
    status, body = account.call(
        "POST", RULES, rule_form(charge_type=charge_type, receivables_additional_information={})
    )
    assert status == 422
    assert body["errors"][f"receivables_additional_information.{field}"] == "o valor deve ser maior do que zero"


def test_a_scheduled_update_begins_with_its_first_execution_and_reminds_before(account):
    given = {"price_index": "igpm", "init_date": "10/12/2019", "month_quantity": 12, "days_until_update": 7}
    (update_,) = create(account, scheduled_updates=[given])["scheduled_updates"]
    assert (update_["init_date"], update_["execution_date"], update_["remind_at"]) == (
        "2019-12-10", "2019-12-10", "2019-12-03",
    )  # fmt: skip
    assert update_["notified"] is False


def test_nested_objects_with_an_id_change_in_part_and_without_one_are_replaced(account):
    end = {"title": "T", "init_date": "2018-12-10", "month_quantity": 1, "end_date": "2019-12-10"}
    rule = create(account, additional_information=end)
    number = rule["additional_information"]["id"]
    _, changed = update(account, rule, additional_information={"id": number, "title": "U"})
    assert changed["invoice_rule"]["additional_information"] == rule["additional_information"] | {"title": "U"}
    fresh = {"title": "V", "init_date": "2019-01-31", "month_quantity": 6}
    _, replaced = update(account, rule, additional_information=fresh)
    answered = replaced["invoice_rule"]["additional_information"]
    assert (answered["end_date"], answered["id"] != number) == (None, True)


def test_a_rule_takes_everything_from_its_template(account):
    status, body = from_template(account)
    rule = body["invoice_rule"]
    assert status == 201
    assert (rule["description"], rule["gross_value"], rule["management_type"]) == (
        "From the template",
        "70.0",
        "automatic",
    )
    assert rule["payment_information"]["payment_method"] == "transfer"
    assert rule["additional_information"]["month_quantity"] == 3
    assert rule["additional_information"]["accrual_month_quantity"] == "previous_month"
    assert rule["receivables_additional_information"]["parcel_number"] == 2
    assert rule["scheduled_updates"] == []


def test_a_rule_overrides_merges_drops_and_adds_services_of_its_template(account):
    changes = [
        {"invoice_template_service_item_id": 491, "units": 2},
        {"invoice_template_service_item_id": 491, "unit_value": 60},
        {"invoice_template_service_item_id": 490, "_destroy": True},
        {"invoice_template_service_item_id": 999, "service_item_id": 31, "units": 1, "unit_value": 1},
    ]
    _, body = from_template(account, services=changes)
    assert [(line["name"], line["value"]) for line in body["invoice_rule"]["services"]] == [
        ("Support", "120.0"), ("Online", "1.0"),
    ]  # fmt: skip


def test_a_template_s_update_joins_only_with_an_init_date(account):
    changes = [
        {"invoice_template_scheduled_update_id": 70, "init_date": "20/12/2019", "month_quantity": 6},
        {"invoice_template_scheduled_update_id": 71, "month_quantity": 6},
    ]
    _, body = from_template(account, scheduled_updates=changes)
    (joined,) = body["invoice_rule"]["scheduled_updates"]
    assert (joined["price_index"], joined["month_quantity"], joined["days_until_update"]) == ("igpm", 6, 7)
    assert (joined["service_item_id"], joined["invoice_template_id"]) == (31, None)


def test_an_update_of_a_destroyed_service_is_refused(account):
    changes = {
        "services": [{"invoice_template_service_item_id": 490, "_destroy": True}],
        "scheduled_updates": [{"invoice_template_scheduled_update_id": 70, "init_date": "20/12/2019"}],
    }
    status, body = from_template(account, **changes)
    expected = {"scheduled_updates.service_item_id": "deve estar entre os serviços da regra recorrente"}
    assert (status, body) == (422, {"errors": expected})


def test_a_removed_rule_is_gone(account):
    rule = create(account)
    assert account.call("DELETE", f"{RULES}/{rule['id']}") == (204, None)
    assert account.call("GET", RULES) == (200, {"invoice_rules": []})


def test_new_prices_are_taken_by_the_line_s_id(account):
    rule = create(account, services=services((31, 2, 30), (57, 1, 5)))
    _, body = update(account, rule, services=[{"id": rule["services"][0]["id"], "unit_value": 33.33}])
    assert body["invoice_rule"]["gross_value"] == "71.66"


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"period_unit": "weekly"}, True),  # two years and a half of weeks
        ({"end_date": "2023-12-11"}, True),
        ({"init_date": "2015-01-01"}, True),
        ({"title": "New"}, False),
    ],
)
def test_a_span_is_checked_on_the_rule_as_it_would_be(account, changes, refused):
    schedule = {"title": "T", "init_date": "2018-12-10", "month_quantity": 1, "end_date": "2021-06-10"}
    rule = create(account, additional_information=schedule)
    number = rule["additional_information"]["id"]
    status, body = update(account, rule, additional_information={"id": number} | changes)
    assert (status, "additional_information.periodicity" in body.get("errors", {})) == (
        422 if refused else 200,
        refused,
    )


def test_a_nested_object_is_laid_over_its_template_s_field_by_field(account):
    _, body = from_template(
        account,
        receivables_additional_information={"day_number": 20},
        payment_information={"financial_account_id": 7},
    )
    rule = body["invoice_rule"]
    due = rule["receivables_additional_information"]
    assert (due["day_number"], due["parcel_number"]) == (20, 2)
    assert rule["payment_information"]["payment_method"] == "transfer"
    assert rule["payment_information"]["financial_account_id"] == 7


def test_what_names_no_entry_of_the_template_is_new_and_all_that_is_wrong_is_told_at_once(account):
    status, body = from_template(
        account,
        services=[{"invoice_template_service_item_id": 999, "units": "two"}, {"unit_value": "one"}],
        scheduled_updates=[
            {"invoice_template_scheduled_update_id": 999, "init_date": "20/12/2019", "price_index": "x"},
            {"price_index": "igpm", "month_quantity": 12, "service_item_id": 777},
        ],
    )
    assert status == 422
    assert body["errors"] == {
        "services.units": "deve ser numérico",
        "services.unit_value": "deve ser numérico",
        "services.service_item": "não pode ficar em branco.",
        "scheduled_updates.month_quantity": "deve ser numérico",
        "scheduled_updates.days_until_update": "deve ser numérico",
        "scheduled_updates.init_date": "deve ser a partir de 01/01/2000",
        "scheduled_updates.price_index": "não está incluído na lista",
        "scheduled_updates.service_item_id": "deve estar entre os serviços da regra recorrente",
    }


def test_an_unknown_e_mail_template_is_not_found_where_the_account_has_any(account):
    automatic = {"management_type": "automatic", "automatic_email_template_id": 9}
    create(account, **automatic)
    account.put_state(STATE | {"email_templates": [{"id": 10}]})
    assert account.call("POST", RULES, rule_form(**automatic)) == (404, None)
    create(account, **(automatic | {"automatic_email_template_id": 10}))


def test_a_template_for_invoices_makes_no_rule_and_one_for_rules_no_invoice(account):
    once = {"id": 30, "name": "Once", "period_unit": "once", "description": "Setup", "gross_value": 80}
    account.put_state(STATE | {"invoice_templates": [copy.deepcopy(TEMPLATE), once]})
    body = {
        "invoice": {"invoice_template_id": 30, "issue_date": "2018-12-10", "receivables": [{"due_date": "2018-12-20"}]}
    }
    status, answered = account.call("POST", "contracts/6666/invoices", body)
    assert (status, answered["invoice"]["description"], answered["invoice"]["gross_value"]) == (201, "Setup", "80.0")
    rule = {
        "invoice_rule": {"invoice_template_id": 30, "additional_information": {"title": "T", "init_date": "2018-12-10"}}
    }
    assert list(account.call("POST", RULES, rule)[1]["errors"]) == ["invoice_template_id"]
    body["invoice"]["invoice_template_id"] = 26
    assert list(account.call("POST", "contracts/6666/invoices", body)[1]["errors"]) == ["invoice_template_id"]
    body["invoice"]["invoice_template_id"] = 404
    assert account.call("POST", "contracts/6666/invoices", body) == (404, None)


def test_rules_are_listed_from_the_newest_to_the_oldest(account):
    numbers = [create(account)["id"] for _ in range(3)]
    listed = account.call("GET", RULES)[1]["invoice_rules"]
    assert [rule["id"] for rule in listed] == numbers[::-1]


def test_next_month_is_an_accrual_month(account):
    schedule = {"title": "T", "init_date": "2018-12-10", "month_quantity": 1, "accrual_month_quantity": "next_month"}
    assert (
        create(account, additional_information=schedule)["additional_information"]["accrual_month_quantity"]
        == "next_month"
    )


def test_rules_and_invoices_take_their_ids_from_one_sequence(account):
    account.put_state(STATE | {"behaviour": {"generate_invoices": False}})
    first = create(account)["id"]
    form = {"invoice": {"gross_value": 1, "issue_date": "2018-12-10", "description": "D", "nfe_body": "B",
                        "receivables": [{"due_date": "2018-12-20"}]}}  # fmt: skip
    assert account.call("POST", "contracts/6666/invoices", form)[1]["invoice"]["id"] == first + 1
    assert create(account)["id"] == first + 2
