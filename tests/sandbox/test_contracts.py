import pytest

from sandbox.small_state import STATE, invoice_form, services

BLANK = ["não pode ficar em branco"]
SALE = {
    "name": "New", "title": "New", "kind": "sale", "supplier_id": 564, "supplier_type": "Company",
    "customer_id": 9, "customer_type": "Person",
}  # fmt: skip


@pytest.fixture
def account(sandbox):
    sandbox.put_state(STATE)
    return sandbox


def test_a_new_contract_of_2018_gets_its_token_and_status_after_the_answer(sandbox):
    sandbox.put_state(STATE | {"behaviour": {"shape": 2018}})
    account = sandbox
    status, body = account.call("POST", "contracts", SALE)
    assert status == 201
    assert (body["contract"]["token"], body["contract"]["status"]) == (None, None)
    _, shown = account.call("GET", f"organizations/564/contracts/{body['contract']['id']}")
    assert (shown["contract"]["state"], shown["contract"]["status"]) == ("active", "established")
    assert len(shown["contract"]["token"]) == 32


def test_a_contract_may_be_sent_under_its_root(account):
    assert account.call("POST", "contracts", {"contract": SALE})[0] == 201


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"name": ""}, {"name": BLANK}),
        ({"kind": "rent"}, {"kind": ["não está incluído na lista"]}),
        ({"name": "One"}, {"name": ["Já existe um contrato com este nome nesta conta."]}),
        ({"supplier_id": 574}, {"supplier_id": ["O fornecedor deve ser uma organização."]}),
        ({"kind": "purchase"}, {"customer_id": ["O cliente deve ser uma organização."]}),
        ({"customer_type": ""}, {"customer_type": BLANK}),
        ({"supplier_type": "Firm"}, {"supplier_type": ["não está incluído na lista"]}),
    ],
)
def test_a_contract_that_cannot_be_is_refused_with_lists_of_messages(account, changes, errors):
    assert account.call("POST", "contracts", SALE | changes) == (422, {"errors": errors})


@pytest.mark.parametrize("field", sorted(SALE))
def test_a_new_contract_says_all_that_the_documents_require(account, field):
    without = {name: value for name, value in SALE.items() if name != field}
    assert account.call("POST", "contracts", without) == (422, {"errors": {field: BLANK}})


def test_a_sale_becomes_a_purchase_only_of_an_organization(account):
    refused = account.call("PUT", "contracts/6666", {"kind": "purchase"})
    assert refused == (422, {"errors": {"customer_id": ["O cliente deve ser uma organização."]}})
    taken = account.call("PUT", "contracts/6666", {"kind": "purchase", "customer_id": 564, "supplier_id": 574})
    assert (taken[0], taken[1]["contract"]["kind"]) == (200, "purchase")


def test_a_person_with_the_id_of_an_organization_is_none(account):
    # The ids of companies and people are separate sequences.
    purchase = SALE | {"kind": "purchase", "customer_id": 564, "customer_type": "Person", "supplier_id": 574}
    refused = account.call("POST", "contracts", purchase)
    assert refused == (422, {"errors": {"customer_id": ["O cliente deve ser uma organização."]}})


def test_a_changed_contract_keeps_the_rest(account):
    status, body = account.call("PUT", "contracts/6666", {"title": "Changed"})
    assert (status, body["contract"]["title"], body["contract"]["name"]) == (200, "Changed", "One")


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"name": ""}, {"name": BLANK}),
        ({"name": "Two"}, {"name": ["Já existe um contrato com este nome nesta conta."]}),
        ({"supplier_id": 574}, {"supplier_id": ["O fornecedor deve ser uma organização."]}),
        ({"customer_type": "Firm"}, {"customer_type": ["não está incluído na lista"]}),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_the_fields_that_it_names(account, changes, errors):
    assert account.call("PUT", "contracts/6666", changes) == (422, {"errors": errors})


def test_a_removed_contract_takes_its_invoices_with_it(account):
    account.call("POST", "contracts/6666/invoices", invoice_form())
    search = "organizations/564/invoices/search"
    assert account.call("GET", search)[1]["total_pages"] == 1
    assert account.call("DELETE", "contracts/6666") == (204, None)
    assert account.call("GET", search)[1] == {"page": 1, "per_page": 50, "total_pages": 0, "invoices": []}
    assert account.call("POST", "contracts/6666/invoices", invoice_form()) == (404, None)
    assert account.state()["invoices"] == []


def test_a_purchase_is_listed_for_the_organization_that_buys(account):
    account.call(
        "POST",
        "contracts",
        SALE | {"kind": "purchase", "supplier_id": 574, "customer_id": 564, "customer_type": "Company"},
    )
    _, body = account.call("GET", "organizations/564/contracts")
    assert [contract["name"] for contract in body["contracts"]] == ["One", "Two", "New"]


@pytest.mark.parametrize(
    ("query", "names"),
    [("name=ne", ["One"]), ("name=O", ["One"]), ("name=o", ["Two"]), ("customer_id=578", ["Two"]), ("name=*", [])],
)
def test_contracts_are_found_by_a_part_of_their_name_and_case_matters(account, query, names):
    status, body = account.call("GET", f"contracts/search?{query}")
    assert (status, [contract["name"] for contract in body["contracts"]]) == (200, names)


@pytest.mark.parametrize("name", ["name", "customer_id"])
def test_a_search_for_nothing_is_refused(account, name):
    expected = {"errors": f"Parâmetro(s) inválido(s) para busca: {name}"}
    assert account.call("GET", f"contracts/search?{name}=") == (400, expected)


def test_service_items_are_created_changed_found_and_removed(account):
    _, created = account.call("POST", "service_items", {"name": "Rent", "value": 10.5})
    number = created["service_item"]["id"]
    assert created["service_item"] == {
        "id": number, "account_id": 1, "name": "Rent", "description": None, "value": "10.5", "unit": "item",
    }  # fmt: skip
    assert account.call("PUT", f"service_items/{number}", {"value": 11})[1]["service_item"]["value"] == "11.0"
    assert account.call("GET", "service_items/search?name=Rent")[1]["service_item"]["id"] == number
    assert account.call("GET", "service_items/search?name=Ren") == (404, None)
    assert account.call("DELETE", f"service_items/{number}") == (204, None)


def test_a_service_item_in_use_cannot_be_removed(account):
    account.call("POST", "contracts/6666/invoices", invoice_form(services=services((57, 1, 1))))
    status, body = account.call("DELETE", "service_items/57")
    assert (status, list(body["errors"])) == (422, ["base"])


def test_templates_without_an_organization_are_everybody_s(sandbox):
    templates = [
        {"id": 1, "name": "Ours"},
        {"id": 2, "name": "Theirs", "organization_id": 7},
        {"id": 3, "organization_id": 564},
    ]
    sandbox.put_state(STATE | {"invoice_templates": templates})
    _, body = sandbox.call("GET", "organizations/564/invoice_templates")
    assert sorted(template["id"] for template in body["invoice_templates"]) == [1, 3]
    assert sandbox.call("GET", "organizations/564/invoice_templates/2") == (404, None)
    assert "organization_id" not in body["invoice_templates"][0]


@pytest.mark.parametrize("side", ["customer_id", "supplier_id"])
def test_a_contract_with_somebody_who_is_not_in_the_account_is_not_found(account, side):
    sale = SALE | {"customer_id": 574, "customer_type": "Company", side: 50000}
    assert account.call("POST", "contracts", sale) == (404, None)
    assert account.call("PUT", "contracts/6666", {side: 50000}) == (404, None)


def test_a_list_has_active_contracts_alone(account):
    account.put_state(
        STATE | {"contracts": [*STATE["contracts"], {"id": 9, "name": "Off", "supplier_id": 564, "state": "inactive"}]}
    )
    listed = account.call("GET", "organizations/564/contracts")[1]["contracts"]
    assert [contract["id"] for contract in listed] == [6666, 8818]
    assert account.call("GET", "organizations/564/contracts/9")[1]["contract"]["state"] == "inactive"
    assert account.call("GET", "contracts/search?name=Off")[1]["contracts"][0]["id"] == 9


def test_name_and_customer_narrow_a_search_together(account):
    def found(query):
        return [contract["name"] for contract in account.call("GET", f"contracts/search?{query}")[1]["contracts"]]

    assert found("name=O&customer_id=574") == ["One"]
    assert found("name=Tw&customer_id=574") == []


def test_service_items_are_listed_from_the_last_name_to_the_first(account):
    items = account.call("GET", "service_items")[1]["service_items"]
    assert [item["name"] for item in items] == ["Support", "Online"]


def test_overdue_management_is_never_on_for_a_subscription(sandbox):
    contracts = [{"id": 1, "name": "S", "supplier_id": 564, "registration_method": "subscription", "token": "t"}]
    sandbox.put_state(STATE | {"contracts": [*STATE["contracts"], *contracts], "plans": [{"id": 792, "name": "P"}]})
    for number, answered in ((6666, True), (1, False)):
        _, body = sandbox.call("PATCH", f"contracts/{number}", {"overdue_automatic_management": True})
        assert body["contract"]["overdue_automatic_management"] is answered
    status, body = sandbox.call("PATCH", "subscriptions/t/change_plan", {"subscription": {"new_plan_id": 792}})
    assert (status, body["subscription"]["plan"]["id"]) == (200, 792)
    assert sandbox.call("PATCH", "subscriptions/x/change_plan", {"subscription": {"new_plan_id": 792}}) == (404, None)
    assert [sandbox.call("DELETE", "organizations/564/plans/792")[0] for _ in range(2)] == [204, 404]


def test_a_contract_that_changes_organizations_takes_its_invoices_along(account):
    account.put_state(account.state() | {"organizations": [{"id": 564, "name": "A"}, {"id": 565, "name": "B"}]})
    created = account.call("POST", "contracts/6666/invoices", invoice_form())[1]["invoice"]
    searches = [f"organizations/{number}/invoices/search?{{}}" for number in (564, 565)]
    queries = ("", "q[receivables_due_date_gteq]=01-01-2018")

    def found():
        answers = [account.call("GET", search.format(query))[1] for search in searches for query in queries]
        return [[each["id"] for each in answer["invoices"]] for answer in answers]

    assert found() == [[created["id"]]] * 2 + [[]] * 2
    account.call("PATCH", "contracts/6666", {"contract": {"supplier_id": 565}})
    assert found() == [[]] * 2 + [[created["id"]]] * 2
