import pytest

from sandbox.small_state import STATE, invoice_form

ORGANIZATION = "organizations/564"


def listed(sandbox, path, kind):
    status, body = sandbox.call("GET", path)
    assert status == 200, body
    return [each["id"] for each in body[kind]]


@pytest.mark.parametrize("kind", ["email_templates", "nfse_templates", "charge_templates", "invoice_templates"])
def test_templates_are_listed_by_name(sandbox, kind):
    owner = {"organization_id": 564, "company_id": 564}
    templates = [{"id": 1, "name": "Zebra"}, {"id": 2, "name": "Água"}, {"id": 3, "name": "azul"}]
    sandbox.put_state(STATE | {kind: [template | owner for template in templates]})
    assert listed(sandbox, f"{ORGANIZATION}/{kind}", kind) == [2, 3, 1]


def test_templates_are_searched_by_what_they_serve(sandbox):
    templates = [
        {"id": 1, "name": "Once", "period_unit": "once", "month_quantity": None},
        {"id": 2, "name": "Monthly"},
        {"id": 3, "name": "Weekly", "period_unit": "weekly", "month_quantity": None},
    ]
    sandbox.put_state(STATE | {"invoice_templates": templates})
    path = f"{ORGANIZATION}/invoice_templates/search"
    assert listed(sandbox, f"{path}?type=invoice", "invoice_templates") == [1]
    assert listed(sandbox, f"{path}?type=invoice_rule", "invoice_templates") == [2, 3]
    assert sandbox.call("GET", f"{path}?type=other") == (400, {"errors": "Parâmetro(s) inválido(s) para busca: type"})


@pytest.mark.parametrize("kind", ["charge_template", "financial_account"])
def test_charge_templates_and_accounts_are_shown(sandbox, kind):
    mine = {"id": 7, "organization_id": 564}
    sandbox.put_state(STATE | {f"{kind}s": [mine, {"id": 8, "organization_id": 9}]})
    path = f"{ORGANIZATION}/{kind}s"
    assert listed(sandbox, path, f"{kind}s") == [7]
    assert sandbox.call("GET", f"{path}/7")[1][kind]["organization_id"] == 564
    assert sandbox.call("GET", f"{path}/8") == (404, None)


def test_charge_templates_are_found_without_an_organization_as_in_march_2021(sandbox):
    sandbox.put_state(STATE | {"charge_templates": [{"id": 7, "organization_id": 564}]})
    assert listed(sandbox, "charge_templates", "charge_templates") == [7]
    assert sandbox.call("GET", "charge_templates/7")[1]["charge_template"]["id"] == 7


NFSES = [
    {"id": 1, "organization_id": 564, "invoice_id": 62, "generated_at": "05/08/2024 01:00:32 -03:00", "value": "10.0"},
    {"id": 2, "organization_id": 564, "status": "Cancelada", "generated_at": "06/08/2024 23:59:00 -03:00", "value": 9},
    {"id": 3, "organization_id": 9},
]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [1, 2]),
        ("q[status_eq]=1", [1]),
        ("q[status_eq]=2", [2]),
        ("q[status_not_eq]=1", [2]),
        ("q[generated_at_gteq]=06/08/2024", [2]),
        ("q[generated_at_lteq]=2024-08-05", [1]),
        ("q[value_gteq]=10", [1]),
        ("q[id_in][]=2&q[id_in][]=77", [2]),
        ("q[id_not_in][]=2", [1]),
        ("q[invoice_id_eq]=62", [1]),
        ("q[invoice_id_not_eq]=62", [2]),
        ("per_page=1&page=2", [2]),
    ],
)
def test_tax_documents_are_found_by_any_field(sandbox, query, ids):
    sandbox.put_state(STATE | {"nfses": NFSES})
    assert listed(sandbox, f"{ORGANIZATION}/nfses/search?{query}", "nfses") == ids


def test_a_field_that_no_tax_document_has_is_named(sandbox):
    sandbox.put_state(STATE)
    expected = (400, {"errors": "Parâmetro(s) inválido(s) para busca: status"})
    assert sandbox.call("GET", f"{ORGANIZATION}/nfses/search?q[status]=1") == expected


def test_the_health_of_the_vendor_needs_no_token(sandbox):
    assert sandbox._send("GET", "/health_check", None, {}) == (200, {"status": "ok"})


def test_a_contract_without_a_name_is_listed(sandbox):
    sandbox.put_state(STATE | {"contracts": [{"id": 9, "supplier_id": 564, "name": None}]})
    assert sandbox.call("GET", "organizations/564/contracts")[1]["contracts"][0]["name"] is None
    assert sandbox.call("PATCH", "contracts/9", {"title": "T"})[0] == 200


@pytest.mark.parametrize("kind", ["email_templates", "charge_templates", "nfses", "contracts", "invoices"])
def test_an_explicit_null_stays_null_and_an_unknown_key_is_passed_over(sandbox, kind):
    nulls = {"contracts": "title", "invoices": "created_at", "nfses": "status"}
    field = nulls.get(kind, "name")
    resource = {"id": 9, "organization_id": 564, "company_id": 564, "contract_id": 6666, field: None, "newer": 1}
    sandbox.put_state(STATE | {kind: [resource] if kind != "contracts" else [*STATE[kind], resource]})
    (found,) = [each for each in sandbox.state()[kind] if each["id"] == 9]
    assert found[field] is None
    assert "newer" not in found


def test_a_rule_that_never_recurs_is_listed_as_it_is(sandbox):
    rule = {
        "id": 1, "contract_id": 6666, "additional_information": None, "payment_information": None,
        "receivables_additional_information": {"id": 4, "only_business_days": None},
    }  # fmt: skip
    sandbox.put_state(STATE | {"invoice_rules": [rule]})
    (found,) = sandbox.call("GET", "contracts/6666/invoice_rules")[1]["invoice_rules"]
    assert (found["additional_information"], found["payment_information"]) == (None, None)
    assert found["receivables_additional_information"]["only_business_days"] is None


def test_an_issued_tax_document_is_found_by_its_invoice(sandbox):
    sandbox.put_state(STATE)
    invoice = sandbox.call("POST", "contracts/6666/invoices", invoice_form(issue_nfse=True))[1]["invoice"]
    issued = sandbox.emit(invoice["id"])
    query = f"q[invoice_id_eq]={invoice['id']}&q[status_eq]=1"
    (found,) = sandbox.call("GET", f"{ORGANIZATION}/nfses/search?{query}")[1]["nfses"]
    assert (found["nfse_number"], found["verification_code"]) == (issued["number"], issued["nfe_verification"])
    assert (found["value"], found["accrual_date"], found["customer_id"]) == ("100.0", "01/12/2018", 574)


@pytest.mark.parametrize("rate", ["5.00", "2,5", "5", "", None, 2.5, 5])
def test_the_rates_of_a_tax_template_are_answered_as_they_stand(sandbox, rate):
    template = {"id": 1, "name": "T", "aliquota_iss": rate, "limite_retencao_pcc": rate}
    sandbox.put_state(STATE | {"nfse_templates": [template]})
    (shown,) = sandbox.call("GET", "organizations/564/nfse_templates")[1]["nfse_templates"]
    assert [shown[field] for field in ("aliquota_iss", "limite_retencao_pcc")] == [rate, rate]
