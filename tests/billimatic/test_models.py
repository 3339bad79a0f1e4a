"""Lenient in reading, as small cases of our own."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from pydantic import ValidationError

from ciclo.billimatic import (
    Contract,
    Invoice,
    InvoiceRule,
    InvoiceState,
    InvoiceTemplate,
    PaymentInformation,
    Receivable,
)
from ciclo.billimatic.models.reading import OddRecord, read_record


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


@pytest.mark.parametrize(
    "text",
    [
        "10/12/2018 10:55:10 -02:00", "2018-12-10T10:55:10.000-02:00", " 10/12/2018 10:55:10 -02:00 ",
        "10/12/2018 10:55:10-02:00", "10/12/2018 10:55:10.000 -02:00", "2018-12-10T10:55:10-02:00\n",
    ],
)  # fmt: skip
def test_a_timestamp_is_read_in_both_forms(invoice, text):
    expected = datetime(2018, 12, 10, 10, 55, 10, tzinfo=timezone(timedelta(hours=-2)))
    assert Invoice.model_validate(invoice(created_at=text)).created_at == expected


@pytest.mark.parametrize("text", ["10/12/2018 10:55:10", "2018-12-10T10:55:10", "2018-12-10 10:55:10.000"])
def test_a_timestamp_without_an_offset_is_in_brasilias_time(invoice, text):
    expected = datetime(2018, 12, 10, 10, 55, 10, tzinfo=timezone(timedelta(hours=-2)))  # summer time, until 2019
    assert Invoice.model_validate(invoice(created_at=text)).created_at == expected


@pytest.mark.parametrize("text", ["10/12/2018", "2018-12-10", "10-12-2018"])
def test_a_day_alone_says_no_instant(invoice, text):
    assert Invoice.model_validate(invoice(created_at=text)).created_at is None


@pytest.mark.parametrize(
    "junk", ["ontem", "1700000000000", 0, 10**18, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-03:00"]
)
def test_what_is_no_instant_at_which_anything_was_made_is_refused(invoice, junk):
    assert isinstance(read_record(Invoice, invoice() | {"created_at": junk}), OddRecord)


@pytest.mark.parametrize("junk", ["0025-06-10", "10/06/0025", "0001-01-01", "31/12/9999"])
def test_a_day_that_somebody_mistyped_is_refused(invoice, junk):
    assert isinstance(read_record(Invoice, invoice() | {"issue_date": junk}), OddRecord)


@pytest.mark.parametrize("never", ["31/12/9999", "9999-12-31", "", None])
def test_the_last_day_of_all_is_no_end(rule, never):
    timing = {"init_date": "2017-04-10", "end_date": never}
    assert InvoiceRule.model_validate(rule(additional_information=timing)).additional_information.end_date is None


@pytest.mark.parametrize("junk", ["1e400", "1E30", "99999999999999", 10**30, "1e-300", "-1e13", "0." + "0" * 60 + "1"])
def test_an_amount_that_no_ledger_holds_is_refused(invoice, junk):
    read = read_record(Invoice, invoice() | {"gross_value": junk})
    assert isinstance(read, OddRecord)
    assert read.fields == ("gross_value",)


@pytest.mark.parametrize("exact", ["33.3333333333333333333333", "9999999999999.99", "1.5e3", "-150.0"])
def test_an_amount_of_many_digits_is_read_exactly(invoice, exact):
    assert Invoice.model_validate(invoice() | {"gross_value": exact}).gross_value == Decimal(exact)


def test_a_record_in_an_envelope_of_its_own_is_read(invoice):
    assert read_record(Invoice, {"invoice": invoice()}) == read_record(Invoice, invoice())


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


def test_what_no_money_hangs_on_may_be_null(invoice, rule):
    read = read_record(Invoice, invoice(attachments=[{"id": None, "filename": "a.pdf", "url": None}]))
    assert [each.filename for each in read.attachments] == ["a.pdf"]
    assert read_record(InvoiceRule, rule(state=None)).state == "to_emit"
    assert isinstance(read_record(Invoice, invoice(state=None)), OddRecord)


def test_fields_of_the_future_are_ignored(invoice):
    assert Invoice.model_validate(invoice(pix_key="x")).id == 1


@pytest.mark.parametrize("name", ["finance_errors", "myfinance_errors"])
@pytest.mark.parametrize(("answered", "text"), [("Erro", "Erro"), ("", None), (None, None), (["a", "b"], "a; b")])
def test_the_finance_systems_errors_are_read_under_both_names(name, answered, text):
    receivable = Receivable.model_validate({"id": 1, "due_date": "01/10/2016", "state": "to_emit", name: answered})
    assert receivable.myfinance_errors == text


@pytest.mark.parametrize("nothing", [None, "", "--"])
@pytest.mark.parametrize("pair", [("myfinance_errors", "finance_errors"), ("billet_url", "boleto_url")])
def test_of_two_names_in_one_answer_the_one_with_a_value_is_read(pair, nothing):
    for filled, empty in (pair, reversed(pair)):
        answer = {"id": 1, "due_date": "01/10/2016", "state": "to_emit", filled: "said", empty: nothing}
        receivable = Receivable.model_validate(answer)
        assert getattr(receivable, pair[0]) == "said"
        assert receivable.payload == answer


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


@pytest.mark.parametrize("nothing", [None, "", "--"])
def test_a_rule_that_says_nothing_of_falls_keeps_its_price_as_the_vendors_default_does(rule, nothing):
    assert InvoiceRule.model_validate(rule(apply_negative_updates=nothing)).apply_negative_updates is False


@pytest.mark.parametrize("junk", [True, False, 10**20, -(10**20), "9" * 20, [], {}, "1.5"])
@pytest.mark.parametrize("field", ["id", "contract_id", "customer_id"])
def test_what_is_no_whole_number_that_a_ledger_holds_is_refused(invoice, field, junk):
    read = read_record(Invoice, invoice() | {field: junk})
    assert isinstance(read, OddRecord)
    assert read.fields == (field,)
    assert read.id == (None if field == "id" else 1)


@pytest.mark.parametrize("junk", [[], ["monthly"], {}, {"a": 1}, True, False])
def test_a_period_unit_that_is_no_word_makes_the_rule_odd_and_spoils_no_other(rule, junk):
    read = read_record(InvoiceRule, rule(additional_information={"init_date": "2017-04-10", "period_unit": junk}))
    assert isinstance(read, OddRecord)
    assert read.fields == ("additional_information.period_unit",)


@pytest.mark.parametrize("junk", [False, 0, [], ["x"], "soon"])
@pytest.mark.parametrize("field", ["additional_information", "receivables_additional_information"])
def test_what_is_no_object_is_not_taken_for_a_rule_that_never_recurs(rule, field, junk):
    read = read_record(InvoiceRule, rule() | {field: junk})
    assert isinstance(read, OddRecord)
    assert all(path.split(".")[0] == field for path in read.fields)


@pytest.mark.parametrize("junk", [True, False])
def test_a_truth_value_is_no_state(invoice, junk):
    assert isinstance(read_record(Invoice, invoice(state=junk)), OddRecord)


def test_a_templates_update_may_have_no_dates():
    template = InvoiceTemplate.model_validate({"id": 6, "scheduled_updates": [{"id": 1, "price_index": "ipca"}]})
    assert template.scheduled_updates[0].init_date is None
