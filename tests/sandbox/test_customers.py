import pytest

from sandbox.small_state import STATE

CNPJ, OTHER_CNPJ, CPF = "38.624.936/0001-66", "57.757.975/0001-86", "10002375834"
BLANK, TAKEN, WRONG = ["não pode ficar em branco"], ["já está em uso"], ["não é válido"]


@pytest.fixture
def account(sandbox):
    sandbox.put_state(STATE)
    return sandbox


@pytest.mark.parametrize(
    ("root", "path", "document", "written"),
    [("organization", "organizations", {"cnpj": "38624936000166"}, CNPJ),
     ("company", "companies", {"cnpj": "38624936000166"}, CNPJ),
     ("person", "people", {"cpf": "100.023.758-34"}, CPF)],
)  # fmt: skip
@pytest.mark.parametrize("is_wrapped", [True, False])
def test_a_customer_is_created_changed_found_and_removed(account, root, path, document, written, is_wrapped):
    def sent(form):
        return {root: form} if is_wrapped else form

    status, body = account.call("POST", path, sent({"name": "Bills", "zipcode": "02460-100"} | document))
    created = body[root]
    (field,) = document
    assert (status, created["name"], created[field]) == (201, "Bills", written)

    status, body = account.call("PATCH", f"{path}/{created['id']}", sent({"city": "São Paulo"}))
    assert (status, body[root]["city"], body[root]["name"]) == (200, "São Paulo", "Bills")

    found = account.call("GET", f"{path}/search?{field}={written.replace('/', '%2F')}")[1]
    assert found in ({path: [body[root]]}, {root: body[root]})
    assert created["id"] in [each["id"] for each in account.call("GET", path)[1][path]]

    assert account.call("DELETE", f"{path}/{created['id']}") == (204, None)
    assert account.call("DELETE", f"{path}/{created['id']}") == (404, None)


@pytest.mark.parametrize(
    ("form", "errors"),
    [
        ({}, {"name": BLANK, "cnpj": BLANK}),
        ({"name": "X", "cnpj": "11.111.111/1111-11"}, {"cnpj": WRONG}),
        ({"name": "X", "cnpj": "38.624.936/0001-67"}, {"cnpj": WRONG}),
        ({"name": "X", "cnpj": OTHER_CNPJ}, {"cnpj": TAKEN}),
        ({"name": "X", "cnpj": CNPJ, "zipcode": "12"}, {"zipcode": WRONG}),
    ],
)
def test_a_customer_that_cannot_be_is_refused(account, form, errors):
    account.call("POST", "companies", {"name": "There", "cnpj": OTHER_CNPJ})
    assert account.call("POST", "companies", {"company": form}) == (422, {"errors": errors})


def test_who_has_contracts_cannot_be_removed(account):
    for path in ("organizations/564", "companies/574"):
        status, body = account.call("DELETE", path)
        assert (status, list(body["errors"])) == (422, ["base"])


def test_a_contract_s_customer_that_the_state_leaves_out_is_there(account):
    assert account.call("GET", "companies/578")[1]["company"]["name"] == "Company 578"
    assert account.call("GET", "organizations/search?cnpj=1") == (404, None)
    assert account.call("GET", "companies/search?cnpj=auth_test") == (200, {"companies": []})


def test_customers_are_listed_by_name_whatever_their_accents(sandbox):
    companies = [{"id": 1, "name": "Zebra"}, {"id": 2, "name": "Água"}, {"id": 3, "name": "azul"}]
    people = [{"id": 1, "name": "Óscar"}, {"id": 2, "name": "Ana"}, {"id": 3, "name": "ovo"}]
    sandbox.put_state({"token": "test-token", "companies": companies, "people": people})
    assert [each["name"] for each in sandbox.call("GET", "companies")[1]["companies"]] == ["Água", "azul", "Zebra"]
    assert [each["name"] for each in sandbox.call("GET", "people")[1]["people"]] == ["Ana", "Óscar", "ovo"]
