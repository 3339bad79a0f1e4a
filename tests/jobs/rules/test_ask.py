"""Reading the rules of many contracts: bounded in memory, whole by contract, and going on where one cannot be read."""

from contextlib import nullcontext
from datetime import timedelta

import pytest

from ciclo.billimatic import AuthenticationError, NotFoundError, TransientApiError
from ciclo.billimatic.models import InvoiceRule
from ciclo.jobs.rules.ask import READ_AHEAD, RuleBatch, rule_batches
from company import company, contract, rule


def rules_of(contracts, *, each=2):
    return [rule(10 * contract_id + number, contract_id) for contract_id in contracts for number in range(each)]


def test_a_batch_ends_with_the_contract_that_fills_it(sandbox, client, clock):
    contracts = range(11, 16)
    api = client(sandbox(company(*rules_of(contracts))))
    batches = list(rule_batches(api, contracts, rows=4, clock=clock))
    assert [batch.contract_ids for batch in batches] == [[11, 12], [13, 14], [15]]
    assert [sorted(entry.rule.id for entry in batch.read) for batch in batches] == [
        [110, 111, 120, 121], [130, 131, 140, 141], [150, 151],
    ]  # fmt: skip


def test_a_large_contract_is_never_split(sandbox, client, clock):
    api = client(sandbox(company(*rules_of([11, 12], each=5))))
    batches = list(rule_batches(api, [11, 12], rows=2, clock=clock))
    assert [len(batch.read) for batch in batches] == [5, 5]


def test_contracts_without_rules_fill_a_batch_too(sandbox, client, clock):
    api = client(sandbox(company(contracts=[contract(number) for number in range(11, 15)])))
    assert [batch.answered for batch in rule_batches(api, range(11, 15), rows=2, clock=clock)] == [[11, 12], [13, 14]]


def test_answers_are_read_ahead_only_so_far(sandbox, client, clock):
    contracts = range(11, 111)
    box = sandbox(company(*rules_of(contracts, each=1)))
    api = client(box)
    batches = rule_batches(api, contracts, rows=4, clock=clock)
    next(batches)
    batches.close()
    assert len(box.requests(path="invoice_rules")) <= 2 + READ_AHEAD * api.at_once


def test_a_batch_says_when_the_first_of_it_was_asked_about_however_late_it_is_stored(sandbox, client, clock):
    began = clock.now

    def ticking():
        clock.advance(seconds=1)
        return clock()

    contracts = range(11, 16)
    batches = rule_batches(client(sandbox(company(*rules_of(contracts)))), contracts, clock=ticking, rows=4)
    assert [(batch.asked_at - began) / timedelta(seconds=1) for batch in batches] == [1, 3, 5]


def test_the_catalogue_of_services_is_read_once(sandbox, client, clock):
    contracts = range(11, 31)
    box = sandbox(company(*rules_of(contracts)))
    list(rule_batches(client(box), contracts, rows=4, clock=clock))
    assert len(box.requests(path="service_items")) == 1


def test_without_contracts_nothing_is_asked(sandbox, client, clock):
    box = sandbox(company(rule()))
    assert list(rule_batches(client(box), [], clock=clock)) == []
    assert box.requests(path="^/api/") == []


def test_a_contract_that_cannot_be_read_is_an_entry_of_its_batch(sandbox, client, clock):
    api = client(sandbox(company(*rules_of([11, 13]))))
    (batch,) = rule_batches(api, [11, 12, 13], clock=clock)
    assert batch.answered == [11, 13]
    ((contract_id, error),) = batch.unread_contracts.items()
    assert (contract_id, type(error)) == (12, NotFoundError)


def away(path, kind="error_before", **given):
    return {"method": "GET", "path": path, "kind": kind} | given


def from_now_on(box, clock, *faults):
    """Return a clock whose first look brings faults: once the catalogue is read."""

    def look():
        box.faults([*faults])
        return clock()

    return look


@pytest.mark.parametrize("fault", [away("contracts/12/", status=503), away("contracts/12/", "reset_before")])
def test_a_contract_that_alone_is_not_answered_for_is_an_entry_of_its_batch(sandbox, client, clock, fault):
    box = sandbox(company(*rules_of([11, 12, 13])))
    (batch,) = rule_batches(client(box), [11, 12, 13], clock=from_now_on(box, clock, fault))
    assert batch.answered == [11, 13]
    assert isinstance(batch.unread_contracts[12], TransientApiError)


@pytest.mark.parametrize(
    "faults",
    [
        [away("contracts/12/"), away("service_items")],
        [away("contracts/12/"), away("service_items", "html_page")],
        [away("contracts/12/", "rate_limit", seconds=1)],
        [away("contracts/12/", "rate_limit", seconds=3600)],
    ],
    ids=["nothing is answered", "nothing is answered rightly", "too many requests", "a long pause"],
)
def test_an_error_about_more_than_one_contract_ends_the_reading(sandbox, client, clock, faults):
    box = sandbox(company(*rules_of([11, 12])))
    with pytest.raises(TransientApiError):
        list(rule_batches(client(box), [11, 12], clock=from_now_on(box, clock, *faults)))


def test_a_token_that_is_refused_ends_the_reading(sandbox, client, clock):
    box = sandbox(company(*rules_of([11, 12])))
    faults = [away("contracts/12/"), away("service_items", status=401)]
    with pytest.raises(AuthenticationError):
        list(rule_batches(client(box), [11, 12], clock=from_now_on(box, clock, *faults)))


@pytest.mark.parametrize(("contracts", "is_away"), [(24, True), (25, False)])
def test_more_than_a_fifth_of_the_contracts_without_an_answer_end_the_reading(
    sandbox, client, clock, contracts, is_away
):
    contract_ids = range(11, 11 + contracts)
    box = sandbox(company(*rules_of(contract_ids, each=1)))
    batches = rule_batches(client(box), contract_ids, clock=from_now_on(box, clock, away("contracts/1[1-5]/")))
    with pytest.raises(TransientApiError) if is_away else nullcontext():
        assert [sorted(batch.unread_contracts) for batch in batches] == [[11, 12, 13, 14, 15]]


@pytest.mark.parametrize("said", [None, "", "--"])
def test_a_rule_that_says_that_it_never_recurs_bills_nothing_and_is_no_obstacle(clock, said):
    batch = RuleBatch(clock())
    batch.take(10, [InvoiceRule.model_validate(rule(1) | {"additional_information": said})])
    assert (batch.read, batch.unread_rules) == ([], [])


@pytest.mark.parametrize("answer", [{"additional_information": {}}, {}], ids=["empty", "left out"])
def test_a_rule_that_says_nothing_of_whether_it_recurs_is_shown(clock, answer):
    batch = RuleBatch(clock())
    left = {name: value for name, value in rule(1).items() if name != "additional_information"}
    batch.take(10, [InvoiceRule.model_validate(left | answer)])
    ((_, error),) = batch.unread_rules
    assert str(error).startswith("contract 10, rule 1, additional_information: is missing")
