import pytest

from sandbox.small_state import STATE, invoice_form

SEARCH = "organizations/564/invoices/search"


def invoice(number, **fields):
    base = {"id": number, "contract_id": 6666, "issue_date": "10/12/2018", "gross_value": "10.0"}
    due = [{"id": number, "due_date": "20/12/2018"}]
    return base | {"receivables": due, "comments": f"ciclo:564:1:{number}"} | fields


@pytest.fixture
def account(sandbox):
    sandbox.put_state(
        STATE
        | {
            "invoices": [
                invoice(1, issue_date="31/01/2018"),
                invoice(2, issue_date="01/02/2018", state="cancelled"),
                invoice(3, issue_date="28/02/2018", contract_id=8818),
                invoice(
                    4,
                    issue_date="01/03/2018",
                    state="to_receive",
                    receivables=[
                        {"id": 41, "due_date": "01/04/2018", "value": 50, "state": "to_receive"},
                        {"id": 42, "due_date": "01/06/2018", "value": 50, "state": "to_receive"},
                    ],
                ),
            ]
        }
    )
    return sandbox


def found(account, path):
    status, body = account.call("GET", path)
    assert status == 200, body
    return [each["id"] for each in body.get("invoices", body.get("receivables"))]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [1, 2, 3, 4]),
        ("q[issue_date_gteq]=01-02-2018", [2, 3, 4]),
        ("q[issue_date_lteq]=2018-02-01", [1, 2]),
        ("q[issue_date_gteq]=01/02/2018&q[issue_date_lteq]=28/02/2018", [2, 3]),
        ("q[state_eq]=cancelled", [2]),
        ("q[state_eq]=to_receive", [4]),
        ("q[state_eq]=late", [4]),
        ("q[contract_id_eq]=8818", [3]),
        ("q[customer_id_eq]=574&q[customer_type_eq]=Company", [1, 2, 4]),
        ("q[customer_type_eq]=Person", []),
        ("q[receivables_due_date_gteq]=01-05-2018&q[receivables_due_date_lteq]=30-06-2018", [4]),
        # Both ends hold for one and the same receivable: 4 has one before and one after, none between.
        ("q[receivables_due_date_gteq]=02-04-2018&q[receivables_due_date_lteq]=31-05-2018", []),
    ],
)
def test_the_organization_s_invoices_are_found_by_every_filter(account, query, ids):
    assert found(account, f"{SEARCH}?{query}") == ids


def test_brackets_may_come_encoded(account):
    assert found(account, f"{SEARCH}?q%5Bstate_eq%5D=cancelled") == [2]


@pytest.mark.parametrize(
    ("query", "page", "per_page", "total_pages", "ids"),
    [
        ("", 1, 50, 1, [1, 2, 3, 4]),
        ("per_page=3", 1, 3, 2, [1, 2, 3]),
        ("per_page=3&page=2", 2, 3, 2, [4]),
        ("per_page=3&page=3", 3, 3, 2, []),
        ("per_page=1000", 1, 100, 1, [1, 2, 3, 4]),
        ("per_page=x&page=-1", 1, 50, 1, [1, 2, 3, 4]),
        ("q[state_eq]=received", 1, 50, 0, []),
    ],
)
def test_a_page_says_where_it_is(account, query, page, per_page, total_pages, ids):
    _, body = account.call("GET", f"{SEARCH}?{query}")
    assert [each["id"] for each in body.pop("invoices")] == ids
    assert body == {"page": page, "per_page": per_page, "total_pages": total_pages}


def test_every_invoice_is_on_exactly_one_page(account):
    for _ in range(120):
        account.call("POST", "contracts/6666/invoices", invoice_form())
    pages = [found(account, f"{SEARCH}?per_page=25&page={page}") for page in range(1, 7)]
    ids = [number for page in pages for number in page]
    assert len(ids) == len(set(ids)) == 124


def test_a_search_brings_the_comments_back(account):
    _, body = account.call("GET", f"{SEARCH}?q[state_eq]=cancelled")
    assert body["invoices"][0]["comments"] == "ciclo:564:1:2"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q[issue_date_gteq]=yesterday", "issue_date_gteq"),
        ("q[state_eq]=lost", "state_eq"),
        ("q[contract_id_eq]=x&q[customer_type_eq]=Dog", "contract_id_eq, customer_type_eq"),
        ("q[issue_date_lteq]=31-02-2018&q[state_eq]=0", "issue_date_lteq, state_eq"),
    ],
)
def test_a_bad_parameter_is_named(account, query, names):
    assert account.call("GET", f"{SEARCH}?{query}") == (
        400, {"errors": f"Parâmetro(s) inválido(s) para busca: {names}"},
    )  # fmt: skip


def test_a_contract_s_invoices_are_found_by_issue_date_both_days_included(account):
    path = "contracts/6666/invoices/search?issue_date_from=31-01-2018&issue_date_to=01-03-2018"
    assert found(account, path) == [1, 2, 4]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [41, 42, 1, 2]),
        ("due_date_from=01-05-2018&due_date_to=31-10-2018", [42]),
        ("state=to_receive", [41, 42]),
        ("state=late", [41, 42]),
        ("due_date_from=2018-12-01&state=to_emit", [1]),
    ],
)
def test_a_contract_s_receivables_are_found_by_due_date_and_state(account, query, ids):
    assert sorted(found(account, f"contracts/6666/receivables/search?{query}")) == sorted(ids)


def test_another_account_s_organization_is_not_found(account):
    assert account.call("GET", "organizations/1/invoices/search") == (404, None)
