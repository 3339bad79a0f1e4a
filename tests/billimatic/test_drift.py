"""What the models do not know of an answer: where it is, never what a customer is called."""

import pytest

from ciclo.billimatic import Contract, Invoice, InvoiceRule, Receivable
from ciclo.billimatic.drift import Drift, DriftKind, Survey, drifts_of
from ciclo.billimatic.models.reading import read_record

FIELD, VALUE, NULL, FORM = DriftKind.FIELD, DriftKind.VALUE, DriftKind.NULL, DriftKind.FORM


def _of(model, answer):
    return set(drifts_of(model, answer))


def test_an_answer_of_today_holds_nothing_new(invoice, rule):
    receivable = {"id": 3, "due_date": "01/01/2025", "state": "to_emit", "boleto_url": None, "finance_errors": ""}
    assert _of(Invoice, {**invoice(), "receivables": [receivable], "number": "", "comments": "--"}) == set()
    assert _of(InvoiceRule, rule(additional_information=None, issue_date=None, state=0)) == set()


@pytest.mark.parametrize(
    ("model", "answer", "drift"),
    [
        (Contract, {"state": "active", "pix_key": "fulano@example.com"}, Drift(FIELD, "contract.pix_key")),
        (Contract, {"state": "suspended"}, Drift(VALUE, "contract.state", "suspended")),
        (Contract, {"state": None}, Drift(NULL, "contract.state")),
        (Contract, {"kind": "Rua Tiradentes, 1899"}, Drift(VALUE, "contract.kind")),
        (Invoice, {"state": "rceived"}, Drift(VALUE, "invoice.state", "rceived")),
        (Invoice, {"receivables": [{"state": "lost"}]}, Drift(VALUE, "invoice.receivables.state", "lost")),
        (Invoice, {"receivables": [{"due_date": ""}]}, Drift(NULL, "invoice.receivables.due_date")),
        (Invoice, {"payment_information": {"pix": 1}}, Drift(FIELD, "invoice.payment_information.pix")),
        (Receivable, {"invoice": {"mood": "x"}}, Drift(FIELD, "receivable.invoice.mood")),
        (
            InvoiceRule,
            {"scheduled_updates": [{"price_index": "incc"}]},
            Drift(VALUE, "invoice_rule.scheduled_updates.price_index", "incc"),
        ),
    ],
    ids=lambda value: value.path if isinstance(value, Drift) else "",
)
def test_what_is_new_is_named_by_its_path(model, answer, drift):
    assert _of(model, answer) == {drift}
    assert "fulano" not in str(drift)
    assert "Tiradentes" not in str(drift)


def test_a_thing_that_a_thousand_records_show_is_one_drift_and_an_odd_record_is_told_by_its_fields(invoice):
    good = [Invoice.model_validate(invoice(number, mood="x")) for number in range(1000)]
    odd = [
        read_record(Invoice, invoice(1, issue_date="gestern")),
        read_record(Invoice, invoice(2, gross_value=None)),
        read_record(Invoice, invoice(3, receivables=[{"id": 1, "state": "to_emit", "due_date": "hoje"}])),
        read_record(Invoice, "?"),
        read_record(Invoice, invoice(4, state="received" * 20)),
    ]
    survey = Survey()
    survey.take(good, odd)
    assert survey.records == {"invoice": 1005}
    assert survey.drifts == {
        Drift(FIELD, "invoice.mood"),
        Drift(FORM, "invoice.issue_date"),
        Drift(NULL, "invoice.gross_value"),
        Drift(FORM, "invoice.receivables.due_date"),
        Drift(FORM, "invoice.state"),
        Drift(FORM, "invoice"),
    }
