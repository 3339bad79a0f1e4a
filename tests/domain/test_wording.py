"""Reasons and findings in words: each kind has some, and what is missing never stops a page."""

import json

import pytest

from ciclo.billimatic.errors import OutcomeUnknownError
from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.errors import InvalidRule
from ciclo.domain.findings import FindingKind
from ciclo.domain.states import Reason, ReasonKind, as_reason
from ciclo.domain.wording import said, said_of_finding
from ciclo.locale import Text, speaking


@pytest.mark.parametrize("kind", list(ReasonKind))
def test_every_kind_of_reason_has_words_and_survives_without_its_facts(kind):
    assert said(Reason(kind))


@pytest.mark.parametrize("kind", list(FindingKind))
def test_every_kind_of_finding_has_words_and_survives_without_its_facts(kind):
    assert said_of_finding(kind, {})


def test_a_sentence_names_what_it_is_about_then_ids_and_money_the_brazilian_way():
    facts = {
        "contract_id": 10,
        "rule_id": 1,
        "issue_date": "2025-06-10",
        "invoice_ids": [900, 901],
        "amount": "1091.28",
    }
    assert said(Reason(ReasonKind.MAY_BE_ITS_OWN, facts)) == (
        "contract 10, rule 1, period 2025-06-10: invoice 900, 901 of R$ 1.091,28 may be its own"
    )


def test_what_a_sentence_names_itself_is_not_named_in_front_of_it():
    assert said(Reason(ReasonKind.CONTRACT_INACTIVE, {"contract_id": 10})) == "contract 10 is inactive"


def test_months_read_as_people_write_them():
    facts = {"price_index": "IPCA", "month": "2025-05", "out_from": "2025-06-13"}
    assert said(Reason(ReasonKind.VALUE_NOT_OUT, facts)) == "the value of IPCA for 05/2025 is not out before 2025-06-13"


def test_a_readjustment_of_the_vendors_that_could_not_be_computed_says_so():
    facts = {"contract_id": 10, "found": ["1100.00"], "expected": []}
    assert said_of_finding(FindingKind.VENDOR_FACTOR_DIFFERS, facts) == (
        "contract 10: the vendor readjusted to R$ 1.100,00; by the index it could not be computed. The vendor's price "
        "counts"
    )


def test_an_older_sentence_stays_as_it_was_written():
    assert said(as_reason("não {pode}")) == "não {pode}"
    assert said_of_finding("a kind of another version", {"text": "as it was {said}"}) == "as it was {said}"


def test_nothing_is_said_as_the_caller_wants():
    assert said(None) == ""
    assert said(None, "no reason given") == "no reason given"


def test_a_reason_is_read_in_either_language_whenever_it_was_written():
    facts = {"contract_id": 10, "rule_id": 1, "issue_date": "2025-06-10", "invoice_ids": [900], "amount": "1091.28"}
    reason = Reason(ReasonKind.MAY_BE_ITS_OWN, facts)
    with speaking("pt_BR"):
        assert said(reason) == (
            "contrato 10, regra 1, período de 10/06/2025: o faturamento 900 de R$ 1.091,28 pode ser o dele"
        )
    assert said(reason).endswith("invoice 900 of R$ 1.091,28 may be its own")


def test_an_error_among_the_facts_is_put_into_words_where_it_is_shown():
    with pytest.raises(InvalidRule) as caught:
        Charge(charge_type=ChargeType.FIXED_DAY, day_number=40)
    stored = json.loads(json.dumps(caught.value.at(contract=10, rule=1).fact))
    reason = Reason(ReasonKind.TERMS_UNUSABLE, {"error": stored})
    field = "contract 10, rule 1, receivables_additional_information.day_number"
    assert said(reason) == f"its rule cannot be billed by: {field}: must be a whole number from 1 to 31, not 40"
    with speaking("pt_BR"):
        assert "contrato 10, regra 1, " in said(reason)
        assert said(reason).endswith("deve ser um número inteiro de 1 a 31, não 40")


def test_a_state_among_the_facts_is_said_as_people_call_it():
    reason = Reason(ReasonKind.PERIOD_UNSETTLED, {"issue_date": "2025-06-10", "state": "in_doubt"})
    assert said(reason) == "the period of 2025-06-10 is in doubt and has to be settled first"
    with speaking("pt_BR"):
        assert said(reason) == "o período de 10/06/2025 está em dúvida e precisa ser resolvido antes"


def test_an_error_stored_as_a_sentence_by_an_older_version_reads_beside_one_stored_as_a_text():
    as_written = "the server failed; it may have acted before (POST /api/v1/invoices, status 500)"
    of_this_version = OutcomeUnknownError(
        Text("the server failed; it may have acted before"), method="POST", path="/api/v1/invoices", status=500
    )
    old = Reason(ReasonKind.NO_ANSWER, {"error": as_written})
    new = Reason(ReasonKind.NO_ANSWER, {"error": json.loads(json.dumps(of_this_version.fact))})
    assert said(old) == said(new) == f"no answer: {as_written}"
    with speaking("pt_BR"):
        assert said(old) == f"sem resposta: {as_written}"
        assert said(new) == "sem resposta: o servidor falhou; pode ter agido antes (POST /api/v1/invoices, status 500)"
