"""Everything a rule holds reaches its invoices, or it is said why not: each field of a rule is listed."""

from datetime import date

import pytest

from ciclo.billimatic.models import InvoiceRule, PaymentInformation
from ciclo.domain.states import PeriodState
from ciclo.jobs.issuing.invoice_request import InvoiceRequests
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.repositories import Scope
from company import TODAY, YEAR, company, rule

JANUARY = Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 1, 31)))

CARRIED = {
    "nfe_body": "Ref. $DESCRICAO",
    "description": "Plano anual",
    "issue_nfse": True,
    "nfse_template_id": 31,
    "management_type": "automatic",
    "automatic_email_template_id": 32,
    "days_until_automatic_nfe_emission": 2,
    "notification_ruler_id": 33,
    "approval_status": "blocked",
    "finance_category_id": 34,
    "finance_revenue_center_id": 35,
    "myfinance_sale_account_id": 36,
    "myfinance_sale_account_name": "Conta",
    "cobrato_charge_config_id": 37,
    "cobrato_charge_config_name": "Config",
    "cobrato_charge_template_id": 38,
    "cobrato_charge_template_name": "Modelo",
}
"""Carried as it stands."""

INSTEAD = {"finance_category": "finance_category_id", "finance_revenue_center": "finance_revenue_center_id"}
"""Carried where the rule has no id: which of the two wins is not documented, so one is sent."""

DERIVED = {
    "contract_id": "the path of the request",
    "gross_value": "the price in force on the planned date",
    "comments": "behind the reference",
    "receivables": "due dates by the rule's terms of payment",
    "receivables_additional_information": "the due dates",
    "charge_type": "the due dates",
    "services": "units of the rule, price in force on the planned date",
    "additional_information": "planned date and accrual month",
    "payment_information": "method, installments and the ids of accounts and templates",
    "scheduled_updates": "the price in force",
    "apply_negative_updates": "the price in force",
    "customer_id": "the contract's: the API has no such field; a rule with a customer of its own is parked",
    "customer_type": "the contract's, as its id",
}

NOT_APPLICABLE = {
    "id": "the rule's own",
    "payload": "the answer itself",
    "state": "an invoice begins as to_emit",
    "created_at": "the rule's own",
    "payment_value": "net of taxes that are known when the tax document is issued; the API takes the gross value",
    "number": "of a tax document",
    "cancelled_automatically": "what became of an invoice",
    "nfe_service": "of an issued tax document",
    "nfe_verification": "of an issued tax document",
    "nfe_issue_date": "of an issued tax document",
    "nfe_issued": "of an issued tax document",
    "automatic_nfe_issue_date": "what the vendor has planned for one invoice",
    "automatic_management_on_business_days": "answered, and in no request of the documentation",
    "emites_service_values_id": "replaced by nfse_template_id",
    "emites_service_value_name": "replaced by nfse_template_id",
    "notify_customer": "e-mails about readjustments",
    "attachments": "a rule has none",
}

PAYMENT_CARRIED = {
    "payment_method": "payment_gateway",
    "installments": 3,
    "financial_charge_template_id": 41,
    "financial_account_id": 42,
    "charging_account_id": "c0ffee00-0000-4000-8000-000000000001",
}
PAYMENT_NOT_APPLICABLE = {
    "id": "the rule's own record",
    "created_at": "the rule's own record",
    "cobrato_card_id": "a card that the customer stored; in no request of the documentation",
    "card_expiration_month": "of that card",
    "card_expiration_year": "of that card",
}


def test_each_field_of_a_rule_is_carried_derived_or_not_applicable():
    assert set(InvoiceRule.model_fields) == {*CARRIED, *INSTEAD, *DERIVED, *NOT_APPLICABLE}
    assert set(PaymentInformation.model_fields) == {*PAYMENT_CARRIED, *PAYMENT_NOT_APPLICABLE}


@pytest.fixture
def written(sandbox, lite_job):
    """Return the body with which January of a rule is sent."""

    def write(**given):
        ctx = lite_job(sandbox(company(rule(**given))))
        read_contract_list(ctx)
        expand_rules(ctx, JANUARY, seen_on=TODAY)
        [period] = ctx.periods.in_state(PeriodState.PLANNED)
        return InvoiceRequests(ctx, [period]).write(period).body

    return write


def test_what_is_carried_arrives_as_it_stands(written):
    body = written(**CARRIED, payment_information=PAYMENT_CARRIED)
    assert {name: body.get(name) for name in CARRIED} == CARRIED
    assert body["payment_information"] == PAYMENT_CARRIED


def test_a_finance_category_without_an_id_is_sent_by_its_name(written):
    body = written(finance_category="Receitas", finance_revenue_center="Matriz")
    assert (body["finance_category"], body["finance_revenue_center"]) == ("Receitas", "Matriz")


def test_the_remarks_of_a_rule_stand_behind_the_reference(written):
    assert written(comments="Pagar até o dia 5")["comments"] == "ciclo:7:1:2025-01-10\nPagar até o dia 5"
