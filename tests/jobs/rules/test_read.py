"""Reading: what the vendor says is followed, what it says wrongly once is not, and what cannot be read stops alone."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import httpx
import pytest
from sqlalchemy import select

from ciclo.billimatic import BillimaticClient, RetryRules, TransientApiError
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import said
from ciclo.jobs.periods import plan
from ciclo.jobs.periods.plan import plan_periods
from ciclo.jobs.rules import read
from ciclo.jobs.rules.read import DisappearedError, of_this_run, read_contract_list, read_contracts
from ciclo.jobs.rules.snapshot import RuleSnapshots
from ciclo.jobs.rules.store import CURRENT
from ciclo.ledger.repositories.periods import Issued
from ciclo.ledger.tables import Contract
from company import company, contract, rule
from factories import period_row

DAY = date(2025, 6, 5)


def states(ctx):
    return {row.contract_id: (row.state, row.gone_at is not None) for row in ctx.session.scalars(select(Contract))}


def alive(ctx, contract_id=10):
    return {row.rule_id for row in ctx.contracts.rules_of([contract_id]) if row.gone_at is None}


def unread(ctx):
    return {subject_id for _, subject_id in ctx.findings.open_of_kind(FindingKind.UNREAD)}


def empty(path, count=None):
    return {"kind": "empty_list", "method": "GET", "path": path} | ({"count": count} if count else {})


def test_a_contract_that_is_missing_from_the_list_is_asked_for_by_itself(sandbox, job):
    box = sandbox(company(rule(1, 10), rule(2, 11), rule(3, 12)))
    ctx = job(box)
    assert read_contract_list(ctx) == 3
    state = company(rule(1, 10), rule(2, 11), contracts=[contract(10), contract(11, state="inactive")])
    box.put_state(state)
    assert read_contract_list(ctx) == 1
    assert states(ctx) == {10: ("active", False), 11: ("inactive", False), 12: ("active", True)}
    asked = [each["path"] for each in box.requests(path=r"organizations/7/contracts/\d+$")]
    assert sorted(path.rsplit("/", 1)[1] for path in asked) == ["11", "12"]


@pytest.mark.parametrize("seed", range(8))
def test_an_odd_record_in_the_list_of_contracts_ends_nobodys_billing(sandbox, lite_job, seed):
    box = sandbox(company(rule()))
    ctx = lite_job(box)
    read_contract_list(ctx)
    path = "organizations/7/contracts$"
    box.faults([{"kind": "odd_record", "method": "GET", "path": path, "count": 1, "seed": seed}])
    assert read_contract_list(ctx) == 1
    assert states(ctx) == {10: ("active", False)}


def test_an_empty_list_of_contracts_costs_nothing(sandbox, lite_job):
    box = sandbox(company(*[rule(number, 10 + number) for number in range(1, 9)]))
    ctx = lite_job(box)
    read_contract_list(ctx)
    box.faults([empty("organizations/7/contracts$", count=1)])
    assert read_contract_list(ctx) == 8
    assert {state for state, _ in states(ctx).values()} == {"active"}


def test_contracts_that_disappear_in_bulk_are_not_believed_until_a_person_says_so(sandbox, lite_job):
    box = sandbox(company(*[rule(number, 10 + number) for number in range(1, 9)]))
    ctx = lite_job(box)
    read_contract_list(ctx)
    box.put_state(company(rule(1, 11)))
    with pytest.raises(DisappearedError, match="7 of 8 known contracts"):
        read_contract_list(ctx)
    assert len(ctx.contracts.billable()) == 8
    (finding,) = ctx.findings.open_of_kind(FindingKind.UNREAD).values()
    finding.acknowledged_by, finding.acknowledged_at = "Ana", ctx.clock()
    ctx.session.commit()
    assert read_contract_list(ctx) == 1
    assert ctx.findings.open_of_kind(FindingKind.UNREAD) == {}


def test_a_few_contracts_may_end_without_anybody_being_asked(sandbox, lite_job):
    box = sandbox(company(*[rule(number, 10 + number) for number in range(1, 9)]))
    ctx = lite_job(box)
    read_contract_list(ctx)
    box.put_state(company(*[rule(number, 10 + number) for number in range(1, 5)]))
    assert read_contract_list(ctx) == 4


def test_one_empty_answer_about_a_contracts_rules_costs_nothing(sandbox, job):
    box = sandbox(company(rule(1), rule(2)))
    ctx = job(box)
    read_contract_list(ctx)
    read_contracts(ctx, [10], seen_on=DAY)
    box.faults([empty("/invoice_rules$", count=1)])
    assert read_contracts(ctx, [10], seen_on=DAY).unread == {}
    assert alive(ctx) == {1, 2}


def test_a_large_contracts_rules_that_disappear_in_bulk_are_not_believed_until_a_person_says_so(sandbox, lite_job):
    box = sandbox(company(*[rule(number) for number in range(1, 11)]))
    ctx = lite_job(box)
    read_contract_list(ctx)
    read_contracts(ctx, [10], seen_on=DAY)
    box.put_state(company(*[rule(number) for number in range(1, 5)]))
    assert set(read_contracts(ctx, [10], seen_on=DAY).unread) == {10}
    assert len(alive(ctx)) == 10
    (finding,) = ctx.findings.open_of_kind(FindingKind.UNREAD).values()
    assert "6 of its 10 rules are missing" in finding.message
    finding.acknowledged_by, finding.acknowledged_at = "Ana", ctx.clock()
    ctx.session.commit()
    assert read_contracts(ctx, [10], seen_on=DAY).unread == {}
    assert len(alive(ctx)) == 4
    assert unread(ctx) == set()


def test_rules_of_a_large_contract_that_recur_no_more_are_not_believed_either(sandbox, lite_job):
    box = sandbox(company(*[rule(number) for number in range(1, 11)]))
    ctx = lite_job(box)
    read_contract_list(ctx)
    read_contracts(ctx, [10], seen_on=DAY)
    one_off = [rule(number) | {"additional_information": None} for number in range(5, 11)]
    box.put_state(company(*[rule(number) for number in range(1, 5)], *one_off))
    assert set(read_contracts(ctx, [10], seen_on=DAY).unread) == {10}
    assert len(alive(ctx)) == 10


def test_a_rule_that_a_person_made_a_one_off_is_followed(sandbox, lite_job):
    box = sandbox(company(rule(1), rule(2)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    read_contracts(ctx, [10], seen_on=DAY)
    box.put_state(company(rule(1), rule(2) | {"additional_information": None}))
    assert read_contracts(ctx, [10], seen_on=DAY).unread == {}
    assert alive(ctx) == {1}


@pytest.mark.parametrize("kind", ["html_page", "malformed"])
def test_a_contract_that_cannot_be_read_stops_alone_and_is_a_finding_until_it_is_read_again(sandbox, lite_job, kind):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    read_contracts(ctx, [10, 11], seen_on=DAY)
    box.faults([{"kind": kind, "method": "GET", "path": "contracts/10/invoice_rules$"}])
    readings = read_contracts(ctx, [10, 11], seen_on=DAY)
    assert (set(readings.unread), readings.read, unread(ctx)) == ({10}, [11], {10})
    assert [row.contract_id for row in ctx.readings.unread()] == [10]
    box.faults([])
    assert read_contracts(ctx, [10, 11], seen_on=DAY).unread == {}
    assert (unread(ctx), ctx.readings.unread()) == (set(), [])


def test_a_rule_that_cannot_be_billed_by_stops_its_whole_contract(sandbox, lite_job):
    ctx = lite_job(sandbox(company(rule(1), rule(2, timing={"month_quantity": 5}), rule(3, 11))))
    read_contract_list(ctx)
    readings = read_contracts(ctx, [10, 11], seen_on=DAY)
    assert (set(readings.unread), readings.read) == ({10}, [11])
    assert "rule 2, additional_information.month_quantity" in said(readings.unread[10])


def test_a_rule_of_which_nothing_says_when_it_is_due_is_shown_and_not_guessed(sandbox, lite_job):
    box = sandbox(company(rule() | {"receivables_additional_information": None}, rule(2, 11)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    read_contracts(ctx, [10, 11], seen_on=DAY)
    assert unread(ctx) == {10}


def test_a_reading_that_is_current_is_not_made_again(sandbox, lite_job):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)
    read_contract_list(ctx, not_older_than=CURRENT)
    read_contracts(ctx, [10, 11], seen_on=DAY, not_older_than=CURRENT)
    before = len(box.requests(path="^/api/"))
    read_contract_list(ctx, not_older_than=CURRENT)
    assert sorted(read_contracts(ctx, [10, 11], seen_on=DAY, not_older_than=CURRENT).read) == [10, 11]
    assert len(box.requests(path="^/api/")) == before
    ctx.clock.now += timedelta(hours=2)
    read_contracts(ctx, [10, 11], seen_on=DAY, not_older_than=CURRENT)
    assert len(box.requests(path="invoice_rules$")) == 4


def test_what_was_read_before_a_run_began_is_not_its_reading(sandbox, lite_job):
    box = sandbox(company(rule(1, 10)))
    before = lite_job(box)
    read_contract_list(before)
    read_contracts(before, [10], seen_on=DAY)
    before.clock.advance(minutes=5)
    run = replace(before, began=before.clock())
    before.clock.advance(seconds=1)
    for _ in range(2):  # the second time it is the run's own
        read_contract_list(run, not_older_than=of_this_run(run))
        read_contracts(run, [10], seen_on=DAY, not_older_than=of_this_run(run))
    assert len(box.requests(path="organizations/7/contracts$")) == 2
    assert len(box.requests(path="invoice_rules$")) == 2
    before.clock.advance(hours=2)
    assert of_this_run(run) == CURRENT  # nor is what it has read itself, after an hour


def test_what_was_read_by_a_clock_that_was_set_back_since_is_nobodys_reading(sandbox, lite_job):
    box = sandbox(company(rule(1, 10)))
    ahead = lite_job(box)
    read_contract_list(ahead)
    read_contracts(ahead, [10], seen_on=DAY)
    ahead.clock.advance(hours=-3)
    run = replace(ahead, began=ahead.clock())
    read_contract_list(run, not_older_than=of_this_run(run))
    read_contracts(run, [10], seen_on=DAY, not_older_than=of_this_run(run))
    assert len(box.requests(path="organizations/7/contracts$")) == 2
    assert len(box.requests(path="invoice_rules$")) == 2


def test_what_was_asked_before_a_run_began_and_stored_after_it_is_not_its_reading(sandbox, lite_job):
    box = sandbox(company(rule(1, 10)))
    slow = lite_job(box)

    def answered_late(*given, **more):
        slow.clock.advance(seconds=30)
        return BillimaticClient.contracts(slow.api, *given, **more)

    began = slow.clock() + timedelta(seconds=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slow.api, "contracts", answered_late)
        read_contract_list(slow)
    asked = len(box.requests(path="organizations/7/contracts$"))
    run = replace(slow, began=began)
    read_contract_list(run, not_older_than=of_this_run(run))
    assert len(box.requests(path="organizations/7/contracts$")) == asked + 1


def test_contracts_come_in_batches_of_so_many_rules(sandbox, job):
    few = [rule(number, number) for number in range(11, 15)]
    many = [rule(100 + number, 20) for number in range(5)]
    contracts = [contract(number) for number in (11, 12, 13, 14, 20, 21, 22)]
    ctx = job(sandbox(company(*few, *many, contracts=contracts)))
    read_contract_list(ctx)
    read_contracts(ctx, [11, 12, 13, 14, 20, 21, 22], seen_on=DAY)
    batches = list(ctx.contracts.in_batches([22, 21, 20, 20, 14, 13, 12, 11], rules=3))
    assert batches == [[11, 12, 13], [14, 20], [21, 22]]
    assert list(ctx.contracts.in_batches([], rules=3)) == []


@pytest.mark.parametrize("most", [1, 4, 2000])
def test_a_contract_of_many_rules_is_planned_by_itself_to_the_same_end(sandbox, lite_job, monkeypatch, most):
    rules = [rule(10 * contract_id + number, contract_id) for contract_id in (11, 12, 13) for number in range(3)]
    ctx = lite_job(sandbox(company(*rules)))
    read_contract_list(ctx)
    read_contracts(ctx, [11, 12, 13], seen_on=DAY)
    together = []
    monkeypatch.setattr(plan, "RULES_KEPT", most)
    monkeypatch.setattr(
        plan, "RuleSnapshots", lambda *given, kept: together.append(kept) or RuleSnapshots(*given, kept=kept)
    )
    assert plan_periods(ctx, [11, 12, 13], DateRange.month_of(date(2025, 7, 1))).planned == 9
    assert together == {1: [3, 3, 3], 4: [6, 3], 2000: [9]}[most]


def test_terms_are_dated_by_the_readings_on_either_side_of_the_change(sandbox, lite_job):
    box = sandbox(company(rule(1)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    read_contracts(ctx, [10], seen_on=date(2025, 6, 1))
    box.put_state(company(rule(1, description="Mensalidade nova")))
    read_contracts(ctx, [10], seen_on=date(2025, 6, 9))
    first, second = ctx.contracts.versions([1])[1]
    assert (first.effective_from, second.effective_from) == (date(2025, 1, 10), date(2025, 6, 2))


def test_a_change_under_which_nothing_was_billed_is_kept_in_the_trail_alone(sandbox, lite_job):
    box = sandbox(company(rule(1)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    read_contracts(ctx, [10], seen_on=date(2025, 6, 1))
    box.put_state(company(rule(1, init_date="2025-01-20")))
    read_contracts(ctx, [10], seen_on=date(2025, 6, 9))
    (entry,) = ctx.audit.trail("rule", 1)
    assert (entry.from_state, entry.to_state) == ("version 1", "version 2")
    assert "init_date 2025-01-10 became init_date 2025-01-20" in said(entry.reason)
    assert ctx.findings.open_of_kind(FindingKind.TERMS_CHANGED) == {}


def test_what_was_issued_between_two_readings_by_neither_is_a_finding_with_both_terms(sandbox, lite_job):
    box = sandbox(company(rule(1)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    read_contracts(ctx, [10], seen_on=date(2025, 6, 1))
    ctx.periods.plan([period_row(issue_date=date(2025, 6, 10))])
    ctx.clock.now += timedelta(hours=5)
    taken = ctx.periods.claim_these([1], owner="tests", lease_until=ctx.clock(), at=ctx.clock())
    ctx.periods.issued([Issued(1, 900, Decimal("150.00"), taken[0].state)], at=ctx.clock())
    ctx.session.commit()
    ctx.clock.now += timedelta(hours=5)
    box.put_state(company(rule(1, gross_value="90.0")))
    read_contracts(ctx, [10], seen_on=date(2025, 6, 11))
    (finding,) = ctx.findings.open_of_kind(FindingKind.TERMS_CHANGED).values()
    assert "contract 10, rule 1, period 2025-06-10" in finding.message
    assert "150.00 billed became 90.0" in finding.message


def test_the_vendor_is_never_asked_while_a_transaction_is_open(sandbox, lite_job, monkeypatch):
    ctx = lite_job(sandbox(company(rule(1, 10), rule(2, 11))))
    asked = []
    for name in ("contracts", "contract", "service_items"):
        ask = getattr(ctx.api, name)
        monkeypatch.setattr(
            ctx.api, name, lambda *given, ask=ask: (asked.append(ctx.session.in_transaction()), ask(*given))[1]
        )
    for _ in range(2):
        read_contract_list(ctx)
        read_contracts(ctx, [10, 11], seen_on=DAY)
    assert asked == [False] * 4


# -- a contract about which the vendor has no answer -------------------------------------------------------------------


def without_answer(path, count=None, kind="error_before"):
    return {"kind": kind, "method": "GET", "path": path} | ({"count": count} if count else {})


def test_a_contract_about_whose_rules_there_is_no_answer_stops_alone_and_is_shown_until_there_is(sandbox, job):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = job(box)
    read_contract_list(ctx)
    box.faults([without_answer("contracts/10/invoice_rules$")])
    readings = read_contracts(ctx, [10, 11], seen_on=DAY)
    assert (readings.read, set(readings.unread), unread(ctx)) == ([11], {10}, {10})
    assert (alive(ctx), alive(ctx, 11)) == (set(), {2})
    box.faults([])
    assert read_contracts(ctx, [10, 11], seen_on=DAY).read == [10, 11]
    assert (unread(ctx), alive(ctx)) == (set(), {1})


@pytest.mark.parametrize("path", ["contracts/10/invoice_rules$", "organizations/7/contracts/10$"])
def test_a_contract_without_an_answer_is_asked_about_once_more_in_the_end(sandbox, lite_job, path):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    box.put_state(company(rule(1, 10), rule(2, 11), contracts=[contract(10, state="inactive"), contract(11)]))
    box.faults([without_answer(path, count=RetryRules().attempts)])
    assert read_contract_list(ctx) == 1
    assert read_contracts(ctx, [10, 11], seen_on=DAY).unread == {}
    assert states(ctx) == {10: ("inactive", False), 11: ("active", False)}


def test_one_contract_that_alone_is_read_stops_by_itself_too(sandbox, lite_job):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    box.faults([without_answer("contracts/10/invoice_rules$")])
    assert set(read_contracts(ctx, [10], seen_on=DAY).unread) == {10}


def test_where_no_contract_at_all_is_answered_for_the_vendor_is_away(sandbox, lite_job):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    box.faults([without_answer("/invoice_rules$")])
    with pytest.raises(TransientApiError):
        read_contracts(ctx, [10, 11], seen_on=DAY)
    assert unread(ctx) == set()


def test_a_missing_contract_about_which_there_is_no_answer_stops_alone_and_is_shown_until_there_is(sandbox, job):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = job(box)
    read_contract_list(ctx)
    read_contracts(ctx, [10, 11], seen_on=DAY)
    box.put_state(company(rule(1, 10), rule(2, 11), contracts=[contract(10, state="inactive"), contract(11)]))
    box.faults([without_answer("organizations/7/contracts/10$")])
    read_contract_list(ctx)
    assert (states(ctx)[10], unread(ctx)) == (("active", False), {10})
    readings = read_contracts(ctx, [10, 11], seen_on=DAY)
    assert (readings.read, set(readings.unread)) == ([11], {10})
    box.faults([])
    read_contract_list(ctx)
    assert (states(ctx)[10], unread(ctx)) == (("inactive", False), set())


@pytest.mark.parametrize(
    "faults",
    [
        [without_answer("organizations/7/contracts/10$"), without_answer("service_items")],
        [without_answer("organizations/7/contracts/10$", kind="rate_limit")],
    ],
    ids=["away", "throttled"],
)
def test_while_nothing_else_is_answered_a_missing_contract_is_not_judged(sandbox, lite_job, faults):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)
    read_contract_list(ctx)
    box.put_state(company(rule(2, 11)))
    box.faults(faults)
    with pytest.raises(TransientApiError):
        read_contract_list(ctx)
    assert (states(ctx)[10], unread(ctx)) == (("active", False), set())


def test_many_missing_contracts_about_which_there_is_no_answer_are_not_judged(sandbox, lite_job):
    box = sandbox(company(*[rule(number, 10 + number) for number in range(1, 9)]))
    ctx = lite_job(box)
    read_contract_list(ctx)
    box.put_state(company(rule(1, 11)))
    with pytest.raises(DisappearedError):
        read_contract_list(ctx)
    (finding,) = ctx.findings.open_of_kind(FindingKind.UNREAD).values()
    finding.acknowledged_by, finding.acknowledged_at = "Ana", ctx.clock()
    ctx.session.commit()
    box.faults([without_answer(r"organizations/7/contracts/\d+$")])
    with pytest.raises(TransientApiError):
        read_contract_list(ctx)
    assert len(ctx.contracts.billable()) == 8


# -- what believes too much is found -----------------------------------------------------------------------------------


def believe_the_empty_list(patch):
    """Take for gone whatever one answer lacks, however much that is."""
    patch.setattr(read, "too_many", lambda _missing, _known: False)


@pytest.mark.parametrize(
    "killer",
    [
        test_contracts_that_disappear_in_bulk_are_not_believed_until_a_person_says_so,
        test_a_large_contracts_rules_that_disappear_in_bulk_are_not_believed_until_a_person_says_so,
    ],
    ids=["contracts", "rules"],
)
def test_a_reading_that_believes_the_empty_list_is_found(monkeypatch, sandbox, lite_job, killer):
    believe_the_empty_list(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        killer(sandbox, lite_job)


# -- a contract whose own record cannot be read ------------------------------------------------------------------------


def answering(box, job, change):
    """Return a job whose list of contracts, and each contract alone, are changed on their way."""

    class Wire(httpx.HTTPTransport):
        def handle_request(self, request):
            response = super().handle_request(request)
            response.read()
            if "/contracts" not in request.url.path or request.url.path.endswith("invoice_rules"):
                return response
            body = response.json()
            contracts = body.get("contracts", [body.get("contract")])
            return httpx.Response(response.status_code, json=change(body, contracts), request=request)

    api = BillimaticClient(
        base_url=box.url, token=box.token, organization_id=7, requests_per_second=None, transport=Wire()
    )
    return replace(job, api=api)


def without(name, value=None, contract_id=10):
    def change(body, contracts):
        for each in contracts:
            if each["id"] == contract_id:
                each[name] = value
        return body

    return change


@pytest.mark.parametrize(
    ("name", "value", "said_of_it"),
    [
        ("supplier_id", {}, "supplier_id"),
        ("state", None, "state"),
        ("state", "suspensa", "suspensa"),
        ("created_at", "ontem de manhã", "created_at"),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["known", "never seen before"])
def test_a_contract_that_cannot_be_read_is_not_billed_by_its_rules_and_shown_until_it_can(
    sandbox, lite_job, name, value, said_of_it, known
):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)
    if known:
        read_contract_list(ctx)
        read_contracts(ctx, [10, 11], seen_on=DAY)
    with answering(box, ctx, without(name, value)).api as api:
        odd = replace(ctx, api=api)
        read_contract_list(odd)
        readings = read_contracts(odd, [10, 11] if known else [11], seen_on=DAY)
    assert readings.read == [11]
    (finding,) = ctx.findings.open_of_kind(FindingKind.UNREAD).values()
    assert (finding.contract_id, said_of_it in finding.message) == (10, True)
    read_contract_list(ctx)
    assert unread(ctx) == set()
    assert read_contracts(ctx, [10, 11], seen_on=DAY).read == [10, 11]
    assert states(ctx) == {10: ("active", False), 11: ("active", False)}
    assert ctx.readings.pauses([10]) == {}


def test_a_contract_of_the_list_without_an_id_is_shown(sandbox, lite_job):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)
    with answering(box, ctx, without("id")).api as api:
        assert read_contract_list(replace(ctx, api=api)) == 1
    (finding,) = ctx.findings.open_of_kind(FindingKind.UNREAD).values()
    assert "id" in finding.message
    finding.acknowledged_by, finding.acknowledged_at = "Ana", ctx.clock()
    ctx.session.commit()
    assert not read._disappearance_believed(ctx, "organization", 7)
    assert read_contract_list(ctx) == 2
    assert unread(ctx) == set()


def test_records_in_envelopes_of_their_own_are_read(sandbox, lite_job):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)

    def wrapped(body, contracts):
        return {"contracts": [{"contract": each} for each in contracts]} if "contracts" in body else body

    with answering(box, ctx, wrapped).api as api:
        assert read_contract_list(replace(ctx, api=api)) == 2


def test_what_a_contract_buys_is_nobodys_matter_however_odd_it_is(sandbox, lite_job):
    box = sandbox(company(rule(1, 10), rule(2, 11)))
    ctx = lite_job(box)

    def bought(body, _contracts):
        return {**body, "contracts": [*body["contracts"], {"id": 12, "supplier_id": 99}]}

    with answering(box, ctx, bought).api as api:
        assert read_contract_list(replace(ctx, api=api)) == 2
    assert unread(ctx) == set()
