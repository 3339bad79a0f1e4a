"""Exact in writing: what is sent, and what is refused before it is sent, with the path of its field."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ciclo.billimatic import (
    InvoiceChange,
    InvoiceRuleChange,
    NewAttachment,
    NewCompany,
    NewContract,
    NewInvoice,
    NewInvoiceRule,
    NewPaymentInformation,
    NewReceivable,
    NewService,
    RuleDueDates,
    RuleFromTemplate,
    RuleService,
    RuleTiming,
    RuleUpdate,
)
from ciclo.http.json_bodies import written

DUE = date(2025, 2, 1)
SERVICE = NewService(service_item_id=57, units=Decimal("2.5"), unit_value=Decimal("5.75"))
VALID: dict[str, Any] = {
    "issue_date": date(2025, 1, 1),
    "description": "x",
    "nfe_body": "y",
    "gross_value": Decimal(100),
    "receivables": (NewReceivable(due_date=DUE),),
}
RULE: dict[str, Any] = {
    "description": "x",
    "nfe_body": "y",
    "gross_value": Decimal(100),
    "charge_type": "last_day_of_month",
    "additional_information": RuleTiming(title="R", init_date=DUE, month_quantity=1),
}
AUTOMATIC = {"management_type": "automatic", "automatic_email_template_id": 1}
CARD = NewPaymentInformation(payment_method="payment_gateway", installments=3)


def _shares(**each: list[Any]) -> tuple[NewReceivable, ...]:
    [(name, values)] = each.items()
    return tuple(NewReceivable(due_date=DUE, **({name: Decimal(value)} if value else {})) for value in values)


def _update(**given: Any) -> RuleUpdate:
    return RuleUpdate(
        **{"price_index": "igpm", "init_date": DUE, "month_quantity": 12, "days_until_update": 7, **given}
    )


def _refused_at(make: Any) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        make()
    return {".".join(map(str, error["loc"])) for error in caught.value.errors()}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"gross_value": 700.1}, "gross_value"),
        ({"grossvalue": Decimal(1)}, "grossvalue"),
        ({"description": "  "}, "description"),
        ({"nfe_body": ""}, "nfe_body"),
        ({"approval_status": "maybe"}, "approval_status"),
        ({"receivables": ()}, "receivables"),
        ({"receivables": _shares(value=[50, 49])}, "receivables"),
        ({"receivables": _shares(value=[50, None])}, "receivables"),
        ({"receivables": _shares(value=[99])}, "receivables"),
        ({"receivables": _shares(gross_value=[60, 41])}, "receivables"),
        ({"receivables": _shares(gross_value=[60, None])}, "receivables.1.gross_value"),
        ({"receivables": (*_shares(gross_value=[50]), *_shares(value=[50]))}, "receivables.1.gross_value"),
        ({"receivables": _shares(gross_value=["14.37"]), "services": (SERVICE,)}, "receivables"),
        ({"receivables": (NewReceivable(id=5),)}, "receivables.0.id"),
        ({"services": (NewService(id=5, destroy=True),)}, "services.0.destroy"),
        ({"management_type": "automatic"}, "automatic_email_template_id"),
        ({"days_until_automatic_nfe_emission": 3}, "days_until_automatic_nfe_emission"),
        ({"charge_now": True}, "charge_now"),
        ({**AUTOMATIC, "charge_now": True, "payment_information": CARD}, "charge_now"),
        ({"finance_category": "A", "finance_category_id": 1}, "finance_category_id"),
        ({"finance_revenue_center": "A", "finance_revenue_center_id": 1}, "finance_revenue_center_id"),
    ],
)
def test_an_invoice_that_cannot_be_right_is_not_made(given, path):
    assert path in _refused_at(lambda: NewInvoice(**{**VALID, **given}))


@pytest.mark.parametrize(
    "given",
    [
        {"receivables": _shares(value=["33.3333", "33.3333", "33.3333"])},
        {"receivables": _shares(value=["33.3333", "33.3333", "33.3334"])},
        {"receivables": _shares(gross_value=["99.99", "0.01"])},
        {"receivables": _shares(gross_value=["14.38"]), "services": (SERVICE,)},
        {"receivables": _shares(gross_value=[7]), "services": (SERVICE,), "invoice_template_id": 1},
        {**AUTOMATIC, "charge_now": True, "days_until_automatic_nfe_emission": 3},
        {**AUTOMATIC, "charge_now": True, "payment_information": NewPaymentInformation(payment_method="billet")},
        {"management_type": "automatic", "invoice_template_id": 1, "automatic_email_template_id": 4},
        {"payment_information": CARD, "days_until_automatic_nfe_emission": 0},
    ],
)
def test_an_invoice_that_can_be_right_is_made(given):
    assert NewInvoice(**{**VALID, **given}).body()["receivables"]


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: NewReceivable(value=Decimal(100)), "due_date"),
        (lambda: NewReceivable(due_date=DUE, value=Decimal(1), gross_value=Decimal(1)), "gross_value"),
        (lambda: NewService(service_item_id=1, units=Decimal(1)), "unit_value"),
        (lambda: NewAttachment(filename="a", content="b"), "content_type"),
        (lambda: NewPaymentInformation(payment_method="billet", installments=1), "installments"),
        (lambda: NewPaymentInformation(installments=2), "installments"),
        (lambda: NewPaymentInformation(payment_method="payment_gateway", installments=0), "installments"),
        (lambda: InvoiceChange(receivables=[{"due_date": DUE}]), "receivables.0.gross_value"),
        (lambda: InvoiceChange(services=[{"units": Decimal(1)}]), "services.0.service_item_id"),
        (lambda: InvoiceChange(payment_information={"payment_method": "transfer", "installments": 2}),
         "payment_information.installments"),
        (lambda: InvoiceChange(approval_status="blocked"), "approval_status"),
        (lambda: InvoiceChange(management_type="automatic", automatic_email_template_id=None),
         "automatic_email_template_id"),
        (lambda: RuleTiming(init_date=date(2025, 1, 1), end_date=date(2030, 1, 2)), "end_date"),
        (lambda: RuleTiming(period_unit="weekly", init_date=date(2025, 1, 1), end_date=date(2026, 1, 2)), "end_date"),
        (lambda: RuleTiming(month_quantity=5), "month_quantity"),
        (lambda: _update(init_date=date(1999, 12, 31)), "init_date"),
        (lambda: RuleUpdate(price_index="ipca"), "days_until_update"),
        (lambda: RuleUpdate(price_index="incc"), "price_index"),
        (lambda: RuleDueDates(month_quantity=0), "month_quantity"),
        (lambda: RuleService(units=Decimal(1)), "service_item_id"),
        (lambda: NewCompany(name="A"), "cnpj"),
        (lambda: NewContract(kind="gift"), "kind"),
        (lambda: RuleFromTemplate(invoice_template_id=1, additional_information=RuleTiming()),
         "additional_information.title"),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_right_is_refused_at_its_field(make, path):
    assert path in _refused_at(make)


@pytest.mark.parametrize(
    "make",
    [
        lambda: NewReceivable(id=5, destroy=True),
        lambda: NewService(id=5, unit_value=Decimal(1)),
        lambda: NewAttachment(id=5, destroy=True),
        lambda: NewPaymentInformation(id=5, installments=2),
        lambda: InvoiceChange(management_type="automatic"),
        lambda: RuleTiming(init_date=date(2025, 1, 1), end_date=date(2030, 1, 1)),
        lambda: RuleTiming(init_date=date(2025, 1, 1), end_date=date(2024, 1, 1)),
        lambda: RuleUpdate(invoice_template_scheduled_update_id=490, destroy=True),
    ],
)
def test_a_part_that_can_be_right_is_made(make):
    assert make() is not None


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"charge_type": "fixed_day"}, "receivables_additional_information.day_number"),
        ({"charge_type": "day_quantity"}, "receivables_additional_information.day_quantity"),
        (
            {
                "charge_type": "fixed_day_and_month_quantity",
                "receivables_additional_information": RuleDueDates(day_number=5),
            },
            "receivables_additional_information.month_quantity",
        ),
        ({"additional_information": RuleTiming(title="R", init_date=DUE)}, "additional_information.month_quantity"),
        ({"additional_information": RuleTiming(init_date=DUE, month_quantity=1)}, "additional_information.title"),
        ({"gross_value": None}, "gross_value"),
        ({"management_type": "automatic"}, "automatic_email_template_id"),
        ({"scheduled_updates": (_update(service_item_id=9),)}, "scheduled_updates.0.service_item_id"),
        ({"scheduled_updates": (_update(), _update(price_index="ipca"))}, "scheduled_updates"),
        ({"charge_type": "whenever"}, "charge_type"),
    ],
)
def test_a_whole_rule_that_cannot_be_right_is_not_made(given, path):
    assert path in _refused_at(lambda: NewInvoiceRule(**{**RULE, **given}))


def test_a_weekly_rule_needs_no_length_of_its_period_and_sends_what_was_given():
    weekly = RuleTiming(title="R", init_date=DUE, period_unit="weekly")
    body = NewInvoiceRule(**{**RULE, "additional_information": weekly}).body()
    assert body["additional_information"] == {"title": "R", "init_date": DUE, "period_unit": "weekly"}
    assert InvoiceRuleChange(comments=None).body() == {"comments": None}


def test_a_refusal_repeats_no_value():
    with pytest.raises(ValidationError) as caught:
        NewInvoice(**{**VALID, "description": {"name": "Fulano de Tal"}, "management_type": "Fulano"})
    assert "Fulano" not in str(caught.value)


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


def test_a_change_of_a_rules_terms_names_them_and_says_no_more():
    change = InvoiceRuleChange(
        additional_information=RuleTiming(id=5365, month_quantity=1),
        receivables_additional_information=RuleDueDates(id=5356, day_number=25),
    )
    assert change.body() == {
        "additional_information": {"id": 5365, "month_quantity": 1},
        "receivables_additional_information": {"id": 5356, "day_number": 25},
    }


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


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12))
def test_any_amount_is_written_and_read_back_unchanged(amount):
    sent = InvoiceChange(gross_value=amount)
    assert Decimal(written(sent.body()).decode().removeprefix('{"gross_value":').removesuffix("}")) == amount
