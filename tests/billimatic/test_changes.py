"""What the vendor changed from 2016 to 2026, a case a line: fed the old and the new form, the client does the same.

The lines are those of the record of changes, which is shared material and not part of the repository; where it is
there, a test says that none is left out. What a client can do nothing about is said in the case.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ciclo.billimatic import (
    BillimaticClient,
    ChargeTemplate,
    Company,
    Contract,
    EmailTemplate,
    FinancialAccount,
    Invoice,
    InvoiceChange,
    InvoiceRule,
    InvoiceRuleChange,
    InvoiceTemplate,
    NewInvoice,
    NewPaymentInformation,
    NewReceivable,
    Nfse,
    NfseTemplate,
    Organization,
    PaymentInformation,
    Receivable,
    Record,
    RuleFromTemplate,
    RuleService,
    RuleTiming,
    RuleUpdate,
    ServiceItem,
    UnreadableAnswerError,
)

CHANGES = Path(__file__).resolve().parents[3] / "shared" / "api" / "changes.md"

INVOICE = {
    "id": 1,
    "contract_id": 7,
    "issue_date": "10/04/2017",
    "gross_value": "150.0",
    "state": "to_emit",
    "description": "A",
}
TIMING = {"title": "R", "init_date": "2017-04-10", "month_quantity": 1}
RULE = {"id": 2, "contract_id": 7, "gross_value": "150.0", "additional_information": TIMING}
RECEIVABLE = {"id": 3, "invoice_id": 1, "due_date": "20/04/2017", "value": "100.0", "state": "to_emit"}
UPDATE = {"id": 5, "price_index": "igpm", "init_date": "2016-10-02", "month_quantity": 12}
TEMPLATE = {"id": 6, "name": "Modelo"}
UUID = "52aaaaaa-51ee-41dd-af55-cd0000000000"


def _read(field: str) -> Callable[[Any], Any]:
    def of(record: Any) -> Any:
        for name in field.split("."):
            record = record[int(name)] if name.isdecimal() else getattr(record, name)
        return record

    return of


def _added(model: type[Record], answer: dict[str, Any], **field: Any) -> tuple[Any, ...]:
    [(name, value)] = field.items()
    return model, answer, None, {**answer, name: value}, value, name


# the line of the record · model · old form and what is read · new form and what is read · the field
READ = [
    ("2016-09-19 shape", Invoice, {**INVOICE, "state": 0}, "to_emit", INVOICE, "to_emit", "state"),
    (
        "2016-09-19 shape",
        InvoiceRule,
        {**RULE, "state": 0},
        "to_emit",
        {**RULE, "state": "to_emit"},
        "to_emit",
        "state",
    ),
    ("2016-09-19 shape", Invoice, INVOICE, (), {**INVOICE, "receivables": []}, (), "receivables"),
    ("2017-03 add", *_added(Invoice, INVOICE, management_type="automatic")),
    ("2017-03 add", *_added(Invoice, INVOICE, days_until_automatic_nfe_emission=0)),
    ("2017-03 add", *_added(Invoice, INVOICE, automatic_nfe_issue_date="10/05/2017")),
    ("2017-03 add", *_added(Invoice, INVOICE, automatic_email_template_id=9)),
    ("2017-05 add", Invoice, INVOICE, None, {**INVOICE, "approval_status": "approved"}, "approved", "approval_status"),
    (
        "2017-06 add",
        Invoice,
        INVOICE,
        None,
        {**INVOICE, "cancelled_automatically": False},
        False,
        "cancelled_automatically",
    ),
    (
        "2017-06 add",
        InvoiceRule,
        RULE,
        "monthly",
        {**RULE, "additional_information": {**TIMING, "period_unit": "monthly"}},
        "monthly",
        "additional_information.period_unit",
    ),
    (
        "2017-07 add",
        InvoiceRule,
        RULE,
        None,
        {**RULE, "payment_information": {"id": 1}},
        PaymentInformation(id=1),
        "payment_information",
    ),
    (
        "2017-06 shape errors",
        Receivable,
        {**RECEIVABLE, "finance_errors": "Erro"},
        "Erro",
        {**RECEIVABLE, "myfinance_errors": "Erro"},
        "Erro",
        "myfinance_errors",
    ),
    (
        "2017-06 add dates",
        Invoice,
        INVOICE,
        date(2017, 4, 10),
        {**INVOICE, "issue_date": "17/04/2017", "estimated_issue_date": "10/04/2017"},
        date(2017, 4, 10),
        "planned_date",
    ),
    (
        "2017-06 shape updates",
        InvoiceRule,
        {**RULE, "scheduled_update": UPDATE},
        "igpm",
        {**RULE, "scheduled_updates": [{**UPDATE, "service_item_id": None}]},
        "igpm",
        "scheduled_updates.0.price_index",
    ),
    ("2018-12 add", InvoiceRule, RULE, None, {**RULE, "notification_ruler_id": 57}, 57, "notification_ruler_id"),
    ("2018-12 add", InvoiceRule, RULE, False, {**RULE, "notify_customer": False}, False, "notify_customer"),
    ("2018-12 add", InvoiceRule, RULE, True, {**RULE, "apply_negative_updates": True}, True, "apply_negative_updates"),
    (
        "2018-12-11 bc3cc07",
        InvoiceRule,
        {**RULE, "payment_value": "150.0"},
        Decimal(150),
        {**RULE, "payment_value": None},
        None,
        "payment_value",
    ),
    ("2018-12-10 705552f", InvoiceRule, RULE, True, {**RULE, "additional_information": None}, False, "recurs"),
    (
        "2019-04-29 228a646",
        *_added(Contract, {"id": 7, "state": "active"}, overdue_automatic_management=True),
    ),
    (
        "2019-05-13 8607301 shape",
        PaymentInformation,
        {"payment_method": "billet", "installments": 1},
        1,
        {"payment_method": "billet", "installments": None},
        None,  # what is carried over leaves installments out for billet anyway
        "installments",
    ),
    ("2019-05-13 8607301 request", *_added(InvoiceTemplate, TEMPLATE, card_installments=12)),
    (
        "2019-06-05 3c578a0 shape",
        Invoice,
        {**INVOICE, "estimated_issue_date": None, "management_type": None, "approval_status": None},
        date(2017, 4, 10),
        {**INVOICE, "estimated_issue_date": "10/04/2017", "management_type": "manual", "approval_status": "approved"},
        date(2017, 4, 10),
        "planned_date",
    ),
    (
        "2020-12-22 7584383 request",
        Invoice,
        {**INVOICE, "emites_service_values_id": 65, "emites_service_value_name": ""},
        None,
        {**INVOICE, "nfse_template_id": 1},
        1,
        "nfse_template_id",
    ),
    (
        "2021-03-26 8606f16",
        Invoice,
        {**INVOICE, "payment_information": {"id": 1, "payment_method": "billet"}},
        None,
        {**INVOICE, "payment_information": {"id": 1, "financial_account_id": 51, "financial_charge_template_id": 2}},
        51,
        "payment_information.financial_account_id",
    ),
    ("2021-04-30 769cfeb", *_added(Company, {"id": 1}, nfse_email="a@example.com")),
    ("2021-08-16 8d470a6", *_added(Invoice, INVOICE, issue_nfse=True)),
    ("2021-08-16 8d470a6", *_added(InvoiceRule, RULE, issue_nfse=False)),
    ("2021-08-16 8d470a6", *_added(InvoiceTemplate, TEMPLATE, issue_nfse=True)),
    (
        "2021-11-18 bc0b63f",
        ChargeTemplate,
        {"id": 1, "financial_account_id": 1},
        None,
        {"id": 1, "financial_account_id": None, "charging_account_id": UUID},
        UUID,
        "charging_account_id",
    ),
    (
        "2021-11-18 2f39af2",
        Invoice,
        {**INVOICE, "payment_information": {"id": 1}},
        None,
        {**INVOICE, "payment_information": {"id": 1, "charging_account_id": UUID}},
        UUID,
        "payment_information.charging_account_id",
    ),
    ("2021-11-19 34c870f", *_added(InvoiceTemplate, TEMPLATE, financial_account_id=1)),
    ("2021-11-19 34c870f", *_added(InvoiceTemplate, TEMPLATE, financial_charge_template_id=2)),
    ("2021-11-19 34c870f", *_added(InvoiceTemplate, TEMPLATE, charging_account_id=UUID)),
    (
        "2021-11-19 34c870f",
        InvoiceTemplate,
        {**TEMPLATE, "payment_method": "billet"},
        "billet",
        {**TEMPLATE, "payment_method": "pjbank"},
        "pjbank",
        "payment_method",
    ),
    (
        "2022-08-18 8fb1a3f",
        InvoiceRule,
        RULE,
        "same_month",
        {**RULE, "additional_information": {**TIMING, "accrual_month_quantity": "next_month"}},
        "next_month",
        "additional_information.accrual_month_quantity",
    ),
    (
        "2023-01-10 cb31cfb",
        Receivable,
        {**RECEIVABLE, "boleto_url": "b", "invoice_url": "f", "nfse_url": "n", "invoice": {"invoice": INVOICE}},
        "f",
        {**RECEIVABLE, "boleto_url": "b", "invoice": {**INVOICE, "fatura_url": "f", "nfse_url": "n"}},
        "f",
        "invoice.fatura_url",
    ),
    (
        "2023-01-11 6b8f5df",
        Receivable,
        {**RECEIVABLE, "invoice": {"invoice": {**INVOICE, "receivables": [RECEIVABLE]}}},
        1,
        {**RECEIVABLE, "invoice": {"invoice": INVOICE}},
        1,
        "invoice.id",
    ),
    (
        "2023-01-12 7ce615e",
        Receivable,
        {**RECEIVABLE, "invoice": {"invoice": INVOICE}},
        1,
        {**RECEIVABLE, "invoice": INVOICE},
        1,
        "invoice.id",
    ),
    ("2023-12-22 451e9fa", *_added(Invoice, INVOICE, finance_category_id=4)),
    ("2023-12-22 451e9fa", *_added(InvoiceRule, RULE, finance_revenue_center_id=5)),
    (
        "2024-01-19 cf0d35a",
        Company,
        {"id": 1},
        None,
        {"id": 1, "updated_at": "28/04/2018 11:41:53 -03:00"},
        "2018-04-28 11:41:53-03:00",
        "updated_at",
    ),
    ("2024-03-27 6a05e63", *_added(Receivable, RECEIVABLE, myfinance_receivable_account_id="8")),
    ("2024-08-29 7f7bc27", *_added(InvoiceRule, RULE, nfse_template_id=2275)),
    ("2025-01-06 ae68f54 add", *_added(Invoice, INVOICE, nfse_url="n")),
    ("2025-01-06 ae68f54 add", *_added(Invoice, INVOICE, fatura_url="f")),
    (
        "2025-05-06 046a09e shape addresses",
        Receivable,
        {**RECEIVABLE, "boleto_url": "b"},
        "b",
        {**RECEIVABLE, "billet_url": "b"},
        "b",
        "billet_url",
    ),
    (
        "2025-05-06 046a09e shape addresses",
        *_added(Invoice, INVOICE, automatic_management_on_business_days=False),
    ),
    (
        "2025-05-06 046a09e behave",  # the vendor's own default; whoever needs another month sends one
        Invoice,
        {**INVOICE, "accrual_date": None},
        None,
        {**INVOICE, "accrual_date": "2025-06-01"},
        date(2025, 6, 1),
        "accrual_date",
    ),
    (
        "2025-05-06 046a09e shape nothing",
        Invoice,
        {**INVOICE, "finance_category": ""},
        None,
        {**INVOICE, "finance_category": None},
        None,
        "finance_category",
    ),
    (
        "2025-05-06 046a09e shape nothing",
        Invoice,
        {**INVOICE, "attachments": [{"id": 1, "url": "http://elsewhere.example/a"}]},
        "http://elsewhere.example/a",
        {**INVOICE, "attachments": [{"id": 1, "url": "/system/a?1"}]},
        "/system/a?1",
        "attachments.0.url",
    ),
    (
        "by 2020-11 behave",
        Invoice,
        {**INVOICE, "issue_date": "01/07/2020", "estimated_issue_date": "01/07/2020"},
        date(2020, 7, 1),
        {**INVOICE, "issue_date": "17/07/2020", "estimated_issue_date": "01/07/2020", "state": "to_receive"},
        date(2020, 7, 1),
        "planned_date",
    ),
    (
        "help 417 behave",
        Invoice,
        {**INVOICE, "issue_date": "01/11/2025", "estimated_issue_date": "01/11/2025"},
        date(2025, 11, 1),
        {**INVOICE, "issue_date": "03/11/2025", "estimated_issue_date": "01/11/2025"},
        date(2025, 11, 1),
        "planned_date",
    ),
    (
        "help 652 behave",
        Receivable,
        RECEIVABLE,
        date(2017, 4, 20),
        {**RECEIVABLE, "due_date": "25/04/2017", "cobrato_charge_id": 77},
        date(2017, 4, 25),
        "due_date",
    ),
]


@pytest.mark.parametrize(
    ("line", "model", "old", "from_old", "new", "from_new", "field"),
    READ,
    ids=[f"{row[0]} {row[1].__name__}.{row[6]}" for row in READ],
)
def test_the_old_and_the_new_form_of_an_answer_are_read(line, model, old, from_old, new, from_new, field):
    for answer, expected in [(old, from_old), (new, from_new)]:
        found = _read(field)(model.model_validate(answer))
        assert (str(found) if isinstance(expected, str) else found) == expected
    assert line


SHARE = NewReceivable(due_date=date(2025, 6, 10), gross_value=Decimal(700))
NEW = {
    "issue_date": date(2025, 6, 2),
    "description": "A",
    "nfe_body": "B",
    "gross_value": Decimal(700),
    "receivables": (SHARE,),
}
RULE_TIMING = RuleTiming(title="R", init_date=date(2025, 6, 2))

# the line of the record · a request · what of it is sent
SENT = [
    (
        "2018-12-21 3b94ef7",
        RuleFromTemplate(
            invoice_template_id=26,
            additional_information=RULE_TIMING,
            services=(RuleService(invoice_template_service_item_id=3, destroy=True),),
            scheduled_updates=(RuleUpdate(invoice_template_scheduled_update_id=490, init_date=date(2019, 12, 20)),),
        ),
        {
            "services": ({"invoice_template_service_item_id": 3, "_destroy": True},),
            "scheduled_updates": ({"invoice_template_scheduled_update_id": 490, "init_date": date(2019, 12, 20)},),
        },
    ),
    (
        "2019-05-13 8607301 request",
        InvoiceChange(payment_information=NewPaymentInformation(payment_method="payment_gateway", installments=3)),
        {"payment_information": {"payment_method": "payment_gateway", "installments": 3}},
    ),
    ("2020-12-22 7584383 request", NewInvoice(**NEW, nfse_template_id=1), {"nfse_template_id": 1}),
    (
        "2021-11-18 2f39af2",
        InvoiceChange(payment_information=NewPaymentInformation(charging_account_id=UUID)),
        {"payment_information": {"charging_account_id": UUID}},
    ),
    ("2022-03-22 d3540ec request", NewInvoice(**NEW, invoice_template_id=1), {"invoice_template_id": 1}),
    (
        "2022-08-18 8fb1a3f",
        InvoiceRuleChange(additional_information=RuleTiming(accrual_month_quantity="next_month")),
        {"additional_information": {"accrual_month_quantity": "next_month"}},
    ),
    ("2023-12-22 451e9fa", InvoiceChange(finance_category_id=4), {"finance_category_id": 4}),
    ("2024-08-29 7f7bc27", InvoiceRuleChange(nfse_template_id=2275), {"nfse_template_id": 2275}),
    (
        "2025-05-06 046a09e request",
        NewInvoice(**NEW),
        {"receivables": ({"due_date": date(2025, 6, 10), "gross_value": Decimal(700)},)},
    ),
    (
        "2025-05-06 046a09e request",
        NewInvoice(**{**NEW, "receivables": (NewReceivable(due_date=date(2025, 6, 10), value=Decimal(100)),)}),
        {"receivables": ({"due_date": date(2025, 6, 10), "value": Decimal(100)},)},
    ),
    (
        "2026-02-05 bf04403",
        NewInvoice(**NEW, management_type="automatic", automatic_email_template_id=1, charge_now=True),
        {"charge_now": True},
    ),
]


@pytest.mark.parametrize(("line", "request_", "sent"), SENT, ids=[row[0] for row in SENT])
def test_a_request_is_sent_in_the_form_of_today(line, request_, sent):
    body = request_.body()
    assert {name: body[name] for name in sent} == sent
    assert line


ONE, SOME = {"id": 9, "state": "active"}, {"page": 1, "per_page": 100, "total_pages": 0}

# the line of the record · a call · its method and path · an answer
CALLED: list[tuple[str, Callable[[BillimaticClient], Any], str, dict[str, Any]]] = [
    ("2018-12-20 6b36248", lambda api: api.invoice_templates(), "GET organizations/564/invoice_templates", {}),
    ("2019-03-11 85ce663", lambda api: api.service_items(), "GET service_items", {}),
    ("2019-04-08 843fc27", lambda api: api.email_templates(), "GET organizations/564/email_templates", {}),
    ("2019-06-05 3c578a0 request", lambda api: api.block_invoice(7, 1), "PATCH contracts/7/invoices/1/block", {}),
    ("2020-12-22 7584383 add", lambda api: api.nfse_templates(), "GET organizations/564/nfse_templates", {}),
    ("2021-03-25 5df9bb3", lambda api: api.charge_templates(), "GET organizations/564/charge_templates", {}),
    ("2021-04-07 217ebe9", lambda api: api.charge_template(9), "GET organizations/564/charge_templates/9", {}),
    ("2021-04-08 5692f55", lambda api: api.financial_accounts(), "GET organizations/564/financial_accounts", {}),
    ("2022-03-22 d3540ec method", lambda api: api.approve_invoice(7, 1), "PATCH contracts/7/invoices/1/approve", {}),
    (
        "2022-05-25 85e529b",
        lambda api: api.search_invoice_templates("invoice"),
        "GET organizations/564/invoice_templates/search",
        {"type": ["invoice"]},
    ),
    (
        "2023-01-10 cb31cfb",
        lambda api: api.search_receivables(7, date(2022, 1, 1), date(2022, 12, 31)),
        "GET contracts/7/receivables/search",
        {"due_date_from": ["01-01-2022"], "due_date_to": ["31-12-2022"]},
    ),
    (
        "2024-01-19 3033982",
        lambda api: api.search_contracts(customer_id=3),
        "GET contracts/search",
        {"customer_id": ["3"]},
    ),
    (
        "2024-04-18 e1f5feb",
        lambda api: list(api.search_invoices(state="late")),
        "GET organizations/564/invoices/search",
        {"q[state_eq]": ["late"], "page": ["1"], "per_page": ["100"]},
    ),
    (
        "2024-08-14 0b10664",
        lambda api: list(api.search_nfses({"status_eq": 1})),
        "GET organizations/564/nfses/search",
        {"q[status_eq]": ["1"], "page": ["1"], "per_page": ["100"]},
    ),
    (
        "2025-01-06 ae68f54 remove",  # the path in a contract is not asked any more
        lambda api: list(api.search_invoices(contract_id=7)),
        "GET organizations/564/invoices/search",
        {"q[contract_id_eq]": ["7"], "page": ["1"], "per_page": ["100"]},
    ),
    ("2024-10-31 077b472", lambda api: api.undo_receipt(7, 3), "PATCH contracts/7/receivables/3/undo_receipt", {}),
    ("2026-06-05 013d300", lambda api: api.organizations(), "GET organizations", {}),
    ("2026-06+ 209375c", lambda api: api.create_charges(7, 1), "PATCH contracts/7/invoices/1/create_charges", {}),
    ("2026-06+ b6f6e1f", lambda api: api.receivable(7, 3), "GET contracts/7/receivables/3", {}),
    ("2026-06+ b6f6e1f", lambda api: api.create_charge(7, 3), "PATCH contracts/7/receivables/3/create_charge", {}),
    (
        "2023-12-22 bf4c644",  # of plans and subscriptions only this is left, and only this is offered
        lambda api: api.change_plan("0666", 1),
        "PATCH subscriptions/0666/change_plan",
        {},
    ),
]


LISTED = (
    ChargeTemplate, Contract, EmailTemplate, FinancialAccount, Invoice, InvoiceTemplate, Nfse, NfseTemplate,
    Organization, Receivable, ServiceItem,
)  # fmt: skip


@pytest.mark.parametrize(("line", "call", "request_", "query"), CALLED, ids=[f"{row[0]} {row[2]}" for row in CALLED])
def test_a_call_goes_where_the_documentation_of_today_says(server, client, act, line, call, request_, query):
    lists = {model.plural: [] for model in LISTED}
    ones = {"invoice": INVOICE, "charge_template": ONE, "subscription": ONE, "receivable": RECEIVABLE}
    server.play(act(body={**SOME, **lists, **ones}))
    call(client)
    seen = server.seen[0]
    assert (f"{seen.method} {seen.path.removeprefix('/api/v1/')}", seen.query) == (request_, query)
    assert line


def test_a_payment_that_was_taken_back_is_told_by_the_state_alone():
    """2024-10-31 077b472: `undo_receipt` leaves value and date set."""
    read = Receivable.model_validate(
        {**RECEIVABLE, "state": "to_receive", "received_value": "50.0", "received_at": "30/10/2024"}
    )
    assert read.state == "to_receive"


@pytest.mark.parametrize(
    ("call", "old"),
    [
        (lambda api: api.charge_template(16), {"id": 16, "name": "without an envelope"}),
        (lambda api: api.financial_account(1), {"payout_account": {"id": 1}}),
        (lambda api: api.financial_accounts(), {"payout_accounts": [{"id": 1}]}),
    ],
    ids=["2021-03-29 12e25ae", "2021-04-08 5692f55 one", "2021-04-08 5692f55 list"],
)
def test_a_form_of_some_days_in_2021_is_named_as_unreadable(server, client, act, call, old):
    server.play(act(body=old))
    with pytest.raises(UnreadableAnswerError, match=r"holds no (list of )?(charge_template|financial_account)"):
        call(client)
    assert ChargeTemplate.model_validate({"id": 16}).id == FinancialAccount.model_validate({"id": 16}).id


@pytest.mark.parametrize("answer", [b"OK", {"status": "ok"}], ids=["2023-05-09 as text", "2023-05-09 a50e9ad as JSON"])
def test_health_is_read_in_both_forms(server, client, act, answer):
    server.play(act(body=answer))
    assert client.health_check()


@pytest.mark.parametrize("host", ["https://app.billimatic.com.br", "https://faturamento.fintera.com.br"])
def test_the_host_is_whatever_the_connection_says(host):
    """2022-02-01 8610a51, 2022-02-09 d33c8a2: the host changed, and is https."""
    with BillimaticClient(base_url=host, token="t", organization_id=1) as client:
        assert host in repr(client)


ELSEWHERE = {
    "2019-05-13 62d3a21": "checkout and the event payment_gateway_status: never offered, the event is refused",
    "2019-07-02 93aa8c6": "tests/webhooks: an event with and without contract_id",
    "2018-12-10 5393bc7": "the first edition: tests/billimatic/test_answers.py",
    "2023-10-13 ef61cc4": "a page renamed, bodies unchanged",
    "2026-03-02 f95f439": "tests/webhooks: answers 200, and a repeated request changes nothing",
}


@pytest.mark.skipif(not CHANGES.exists(), reason=f"the record of changes is not there: {CHANGES}")
def test_every_line_of_the_record_of_changes_has_its_case():
    said = Path(__file__).read_text(encoding="utf-8")
    lines = re.findall(r"^\| \**([\d+-]{7,10})\** \| ([0-9a-f]{7})", CHANGES.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) > 50
    assert [line for line in lines if " ".join(line) not in said] == []
