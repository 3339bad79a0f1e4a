"""Lenient in reading, exact in writing, as small cases of our own."""

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ciclo.billimatic import (
    Contract,
    Invoice,
    InvoiceChange,
    InvoiceRule,
    InvoiceState,
    InvoiceTemplate,
    NewInvoice,
    NewPaymentInformation,
    NewReceivable,
    NewService,
    PaymentInformation,
    Receivable,
    RuleFromTemplate,
    RuleService,
    RuleTiming,
    RuleUpdate,
)
from ciclo.http.json_bodies import written


@pytest.mark.parametrize("text", ["02/12/2018", "02-12-2018", "2018-12-02", "2018-12-02T00:00:00.000-02:00"])
def test_a_date_is_read_in_every_form_the_api_uses(invoice, text):
    assert Invoice.model_validate(invoice(issue_date=text)).issue_date == date(2018, 12, 2)


@pytest.mark.parametrize("junk", ["31/02/2018", "soon", "", "--", None, 20181202, 1.5, "2/12/2018", "12/2018"])
def test_an_impossible_date_is_refused(invoice, junk):
    with pytest.raises(ValidationError, match="issue_date"):
        Invoice.model_validate(invoice(issue_date=junk))


@pytest.mark.parametrize(
    ("estimated", "planned"), [("20/09/2016", date(2016, 9, 20)), ("", date(2016, 9, 30)), (None, date(2016, 9, 30))]
)
def test_the_planned_date_is_the_estimated_one_where_there_is_one(invoice, estimated, planned):
    read = Invoice.model_validate(invoice(issue_date="30/09/2016", estimated_issue_date=estimated))
    assert read.planned_date == planned


@pytest.mark.parametrize(
    ("text", "month"), [("2016-09-01", date(2016, 9, 1)), ("09/2016", date(2016, 9, 1)), ("", None)]
)
def test_an_accrual_month_is_its_first_day(invoice, text, month):
    assert Invoice.model_validate(invoice(accrual_date=text)).accrual_date == month


@pytest.mark.parametrize("text", ["10/12/2018 10:55:10 -02:00", "2018-12-10T10:55:10.000-02:00"])
def test_a_timestamp_is_read_in_both_forms(invoice, text):
    expected = datetime(2018, 12, 10, 10, 55, 10, tzinfo=timezone(timedelta(hours=-2)))
    assert Invoice.model_validate(invoice(created_at=text)).created_at == expected


@pytest.mark.parametrize(("answered", "exact"), [("700.0", "700.0"), ("14.38", "14.38"), (700, "700"), ("0.1", "0.1")])
def test_money_is_read_exactly(invoice, answered, exact):
    assert Invoice.model_validate(invoice(gross_value=answered)).gross_value == Decimal(exact)


@pytest.mark.parametrize("junk", [700.1, True, "NaN", "Infinity", "1,5", "R$ 10", "", None])
def test_what_is_not_an_exact_amount_is_refused(invoice, junk):
    with pytest.raises(ValidationError, match="gross_value"):
        Invoice.model_validate(invoice(gross_value=junk))


@pytest.mark.parametrize(
    ("answered", "state"), [(0, "to_emit"), ("to_receive", "to_receive"), ("received", "received")]
)
def test_a_state_is_read_by_name_or_by_the_number_of_2016(invoice, answered, state):
    assert Invoice.model_validate(invoice(state=answered)).state == state
    assert InvoiceState(state) == state


def test_a_contract_is_active_by_name_or_by_the_number_of_2016():
    states = ["active", 1, "inactive", 0]
    assert [Contract.model_validate({"id": 1, "state": state}).is_active for state in states] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("nothing", ["--", "", None])
def test_both_ways_of_writing_nothing_are_none(nothing):
    fields = {"cobrato_card_id": nothing, "card_expiration_month": nothing, "installments": nothing}
    information = PaymentInformation.model_validate(fields)
    assert (information.cobrato_card_id, information.card_expiration_month, information.installments) == (None,) * 3


def test_an_answer_of_2016_without_receivables_and_payment_is_read(invoice):
    read = Invoice.model_validate(invoice(state=0, services=None))
    assert (read.receivables, read.services, read.payment_information, read.comments) == ((), (), None, None)


def test_fields_of_the_future_are_ignored(invoice):
    assert Invoice.model_validate(invoice(pix_key="x")).id == 1


@pytest.mark.parametrize("name", ["finance_errors", "myfinance_errors"])
@pytest.mark.parametrize(("answered", "text"), [("Erro", "Erro"), ("", None), (None, None), (["a", "b"], "a; b")])
def test_the_finance_systems_errors_are_read_under_both_names(name, answered, text):
    receivable = Receivable.model_validate({"id": 1, "due_date": "01/10/2016", "state": "to_emit", name: answered})
    assert receivable.myfinance_errors == text


@pytest.mark.parametrize(
    ("numbers", "charge_type"),
    [
        ({"day_number": 1}, "fixed_day"),
        ({"day_number": 1, "month_quantity": 2}, "fixed_day_and_month_quantity"),
        ({"day_quantity": 0}, "day_quantity"),
        ({}, "last_day_of_month"),
        ({"charge_type": "last_day_of_month", "day_number": 5}, "last_day_of_month"),
        ({"day_number": 1, "day_quantity": 3}, None),
    ],
)
def test_the_charge_type_follows_from_the_numbers_that_are_set(rule, numbers, charge_type):
    assert InvoiceRule.model_validate(rule(receivables_additional_information=numbers)).charge_type == charge_type


def test_a_charge_type_that_is_given_is_kept(rule):
    assert InvoiceRule.model_validate(rule(charge_type="last_day_of_month")).charge_type == "last_day_of_month"


@pytest.mark.parametrize(
    ("answered", "unit"), [(None, "monthly"), (0, "monthly"), ("monthly", "monthly"), ("weekly", "weekly")]
)
def test_a_period_unit_is_read_in_every_form(rule, answered, unit):
    timing = {"init_date": "2017-04-10", "period_unit": answered}
    assert InvoiceRule.model_validate(rule(additional_information=timing)).additional_information.period_unit == unit


def test_a_rule_keeps_its_answer_word_for_word(rule):
    answer = rule(pix_key="x")
    read = InvoiceRule.model_validate(answer)
    assert read.payload == answer
    assert "pix_key" not in repr(read)


def test_the_single_update_of_2016_is_one_of_a_list(rule):
    update = {"id": 5, "price_index": "igpm", "init_date": "2016-10-02", "month_quantity": 12}
    read = InvoiceRule.model_validate(rule(scheduled_update=update))
    assert [found.price_index for found in read.scheduled_updates] == ["igpm"]


def test_a_rule_that_does_not_say_so_applies_falls_of_its_index(rule):
    assert InvoiceRule.model_validate(rule()).apply_negative_updates is True
    assert InvoiceRule.model_validate(rule(apply_negative_updates=False)).apply_negative_updates is False


def test_a_templates_update_may_have_no_dates():
    template = InvoiceTemplate.model_validate({"id": 6, "scheduled_updates": [{"id": 1, "price_index": "ipca"}]})
    assert template.scheduled_updates[0].init_date is None


def test_a_new_invoice_is_written_exactly():
    invoice = NewInvoice(
        issue_date=date(2025, 1, 31),
        accrual_date=date(2024, 12, 17),
        description="Aluguel",
        nfe_body="$DESCRICAO",
        gross_value=Decimal("700.10"),
        comments="ciclo:564:168132:2025-01-31",
        receivables=[NewReceivable(due_date=date(2025, 2, 1), value=Decimal("100.0000"))],
        services=[NewService(service_item_id=57, units=Decimal(2), unit_value=Decimal("1E+2"))],
        payment_information=NewPaymentInformation(payment_method="billet", installments=None),
        number=None,
    )
    assert json.loads(written(invoice.body()), parse_float=str, parse_int=str) == {
        "gross_value": "700.10",
        "issue_date": "2025-01-31",
        "accrual_date": "12/2024",
        "description": "Aluguel",
        "nfe_body": "$DESCRICAO",
        "comments": "ciclo:564:168132:2025-01-31",
        "receivables": [{"due_date": "2025-02-01", "value": "100.0000"}],
        "services": [{"service_item_id": "57", "units": "2", "unit_value": "100"}],
        "payment_information": {"payment_method": "billet"},
    }


def test_a_change_sends_what_is_given_and_null_where_none_is_given():
    change = InvoiceChange(comments=None, services=[NewService(id=9, destroy=True)])
    assert change.body() == {"comments": None, "services": ({"id": 9, "_destroy": True},)}


def test_a_rule_from_a_template_is_the_seeds_request():
    rule = RuleFromTemplate(
        invoice_template_id=26,
        description="teste",
        additional_information=RuleTiming(title="Regra nova", init_date=date(2018, 12, 20), month_quantity=12),
        scheduled_updates=[
            RuleUpdate(
                invoice_template_scheduled_update_id=490,
                init_date=date(2019, 12, 20),
                month_quantity=12,
                days_until_update=7,
            )
        ],
        services=[RuleService(invoice_template_service_item_id=3, destroy=True)],
        overrides={"notify_customer": False},
    )
    assert rule.body() == {
        "invoice_template_id": 26,
        "description": "teste",
        "additional_information": {"title": "Regra nova", "init_date": date(2018, 12, 20), "month_quantity": 12},
        "scheduled_updates": (
            {
                "invoice_template_scheduled_update_id": 490,
                "init_date": date(2019, 12, 20),
                "month_quantity": 12,
                "days_until_update": 7,
            },
        ),
        "services": ({"invoice_template_service_item_id": 3, "_destroy": True},),
        "notify_customer": False,
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [("gross_value", 700.1), ("grossvalue", Decimal(1)), ("receivables", []), ("approval_status", "maybe")],
)
def test_a_request_that_cannot_be_right_is_not_made(field, value):
    valid = {
        "issue_date": date(2025, 1, 1),
        "description": "x",
        "nfe_body": "y",
        "receivables": [NewReceivable(due_date=date(2025, 2, 1))],
    }
    with pytest.raises(ValidationError, match=field):
        NewInvoice(**{**valid, field: value})


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12))
def test_any_amount_is_written_and_read_back_unchanged(amount):
    sent = InvoiceChange(gross_value=amount)
    assert Decimal(written(sent.body()).decode().removeprefix('{"gross_value":').removesuffix("}")) == amount
