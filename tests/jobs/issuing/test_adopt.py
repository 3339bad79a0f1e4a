"""The vendor's own invoices: adopted, parked, found missing, stamped; never made twice."""

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import count

import httpx
import pytest
from sqlalchemy import select

from ciclo.domain.findings import FindingKind
from ciclo.domain.states import PeriodState, ReasonKind
from ciclo.domain.wording import said
from ciclo.jobs.context import Gaps, IssueOptions
from ciclo.jobs.issuing import adopt, match
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import its_own, not_its_own, release_period
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Finding, Invoice, NotItsOwn
from company import ORGANIZATION, TODAY, YEAR, company, rule, service

QUARTER = Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 3, 31)))
OPTIONS = IssueOptions(concurrency=1, batch=200, lease=timedelta(minutes=10), grace=timedelta(minutes=5))
MADE = "01/12/2024 10:15:00 -03:00"


def generated(number, month, day=10, **given):
    """Make an invoice as the vendor makes it of rule 1, in the same second as the rule."""
    due = date(2025, month + 1, 1)
    return {
        "id": number,
        "contract_id": 10,
        "customer_id": 1010,
        "customer_type": "Company",
        "issue_date": f"2025-{month:02}-{day:02}",
        "estimated_issue_date": f"2025-{month:02}-{day:02}",
        "gross_value": "150.0",
        "description": "Mensalidade 1",
        "nfe_body": "$DESCRICAO",
        "state": "to_emit",
        "comments": None,
        "created_at": MADE,
        "receivables": [{"id": number * 10, "due_date": due.isoformat(), "value": "100.0"}],
        **given,
    }


def months(*numbers, **given):
    return [generated(900 + month, month, **given) for month in numbers]


@pytest.fixture
def bill(sandbox, lite_job):
    """Return a function that bills a quarter at a vendor with some invoices; the box and the job are its attributes."""

    def run(*invoices, rules=None, options=OPTIONS, scope=QUARTER, **given):
        run.box = sandbox(company(*(rules or [rule(created_at=MADE)]), invoices=list(invoices), **given))
        run.ctx = lite_job(run.box)
        return again(run, options=options, scope=scope)

    return run


def again(run, *, options=OPTIONS, scope=QUARTER, owner="run"):
    read_contract_list(run.ctx)
    expand_rules(run.ctx, scope, seen_on=TODAY)
    return issue_due_periods(run.ctx, scope, options, owner=owner)


def living(run):
    return [each for each in run.box.state()["invoices"] if each["state"] != "cancelled"]


def reasons(run):
    return [period.reason.kind for period in run.ctx.periods.in_state(PeriodState.PARKED)]


def findings(run):
    return {(row.kind, row.subject_id) for row in run.ctx.session.scalars(select(Finding))}


class Changing(httpx.HTTPTransport):
    """Answers as the vendor does, but for what a function changes in the documents on their way."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def handle_request(self, request):
        response = super().handle_request(request)
        response.read()
        document = response.json()
        self.change(request, document)
        return httpx.Response(response.status_code, json=document)


class Unreadable(httpx.HTTPTransport):
    """Answers searches that have an invoice of contract 10 with a byte that no text has."""

    def handle_request(self, request):
        response = super().handle_request(request)
        content = response.read()
        is_spoilt = request.url.path.endswith("/invoices/search") and b'"contract_id":10,' in content
        return httpx.Response(response.status_code, content=content + b"\xff" * is_spoilt)


class NotSayingWhose(httpx.HTTPTransport):
    """Answers searches for invoices without the contract of one of them, as long as `number` is its id."""

    number = 0

    def handle_request(self, request):
        response = super().handle_request(request)
        if not request.url.path.endswith("/invoices/search"):
            return response
        document = json.loads(response.read())
        document["invoices"] = [
            {**each, "contract_id": None} if each["id"] == self.number else each for each in document["invoices"]
        ]
        return httpx.Response(response.status_code, json=document)


# -- whose they are ----------------------------------------------------------------------------------------------------


def of_month(number):
    return Scope(YEAR.window.month_of(date(2025, number, 1)))


BY_HAND = {"state": "to_receive", "created_at": "06/01/2025 10:15:00 -03:00"}


def test_what_somebody_billed_months_late_is_adopted_by_a_backfill(bill):
    outcome = bill(generated(901, 1, issue_date="2025-06-20", **BY_HAND), scope=of_month(1))
    assert (outcome.adopted, outcome.created, len(living(bill))) == (1, 0, 1)


@pytest.mark.parametrize("fault", [None, "odd_record"])
def test_what_somebody_billed_months_ahead_is_adopted_on_its_day(bill, fault):
    bill(scope=of_month(1))
    state = bill.box.state()
    state["invoices"].append(generated(906, 6, issue_date="2025-03-03", **BY_HAND))
    bill.box.put_state(state)
    reconcile(bill.ctx, today=date(2025, 3, 4), recheck_days=400)
    if fault is not None:
        bill.box.faults([{"kind": fault, "path": "invoices/906$"}])
        assert again(bill, scope=of_month(6)).counts() == {
            "created": 0, "adopted": 0, "parked": 0, "in_doubt": 0, "waiting": 0, "replanned": 0,
        }  # fmt: skip
        assert findings(bill) == {("unread", 906)}
        bill.box.clear_faults()
    outcome = again(bill, scope=of_month(6))
    assert (outcome.adopted, outcome.created, len(living(bill))) == (1, 0, 2)


def test_what_the_vendor_generated_is_adopted_and_nothing_is_made_beside_it(bill):
    outcome = bill(*months(1, 2, 3))
    assert (outcome.adopted, outcome.created, outcome.parked) == (3, 0, 0)
    assert len(living(bill)) == 3
    assert findings(bill) == set()
    rows = bill.ctx.session.scalars(select(Invoice))
    assert {(row.made_by, row.planned_date.month, row.customer_id) for row in rows} == {
        ("vendor", month, 1010) for month in (1, 2, 3)
    }


@pytest.mark.parametrize(
    ("worked_on", "kinds"),
    [
        ({"description": "Mensalidade 1 - leitura 4711"}, set()),
        ({"gross_value": "180.0"}, {FindingKind.VALUE_EDITED}),
        ({"issue_date": "2025-02-12", "estimated_issue_date": "2025-02-12"}, {FindingKind.DATE_MOVED}),
        ({"accrual_date": "2025-03-01"}, {FindingKind.ACCRUAL_DIFFERS}),
        ({"issue_date": "2025-02-20", "state": "to_receive"}, set()),  # billed late
        (
            {
                "receivables": [
                    {"id": n, "due_date": f"2025-0{n}-01", "value": value}
                    for n, value in ((3, "33.3333"), (4, "33.3333"), (5, "33.3334"))
                ]
            },
            {FindingKind.SPLIT},
        ),
    ],
)
def test_what_people_worked_on_is_still_the_periods_and_what_differs_is_said(bill, worked_on, kinds):
    [january, february, march] = months(1, 2, 3)
    outcome = bill(january, february | worked_on, march)
    assert (outcome.adopted, outcome.created) == (3, 0)
    assert findings(bill) == {(kind.value, 902) for kind in kinds}


def test_an_invoice_that_does_not_say_whose_it_is_stops_its_contract_alone(sandbox, lite_job, bill):
    bill.box = sandbox(company(rule(created_at=MADE), rule(2, 11), invoices=months(1, 2, 3)))
    vendor = NotSayingWhose()
    bill.ctx, vendor.number = lite_job(bill.box, transport=vendor), 902
    outcome = again(bill)
    assert (outcome.adopted, outcome.created) == (0, 3)
    assert {each["contract_id"] for each in living(bill) if each["id"] not in {901, 902, 903}} == {11}
    assert findings(bill) == {(FindingKind.UNREAD, 902)}
    vendor.number = 0
    assert again(bill, owner="run 2").adopted == 3
    assert len(living(bill)) == 6


def test_an_invoice_that_makes_every_page_unreadable_keeps_no_other_contract_from_its_invoices(sandbox, lite_job, bill):
    bill.box = sandbox(company(rule(created_at=MADE), rule(2, 11), invoices=months(1, 2, 3)))
    bill.ctx = lite_job(bill.box, transport=Unreadable())
    assert again(bill).counts() | {"created": 0} == again(bill, owner="run 2").counts()
    assert {each["contract_id"] for each in living(bill) if each["id"] not in {901, 902, 903}} == {11}
    assert findings(bill) == {(FindingKind.UNREAD, 10)}
    assert reconcile(bill.ctx, today=TODAY, recheck_days=400).invoices == 3


def test_each_contract_of_which_an_invoice_has_no_id_is_named_until_it_has_one(sandbox, lite_job, bill):
    def without_ids(_request, document):
        for each in document.get("invoices", []):
            del each["id"]

    second = generated(905, 2, contract_id=11, customer_id=1011, description="Mensalidade 2")
    bill.box = sandbox(company(rule(created_at=MADE), rule(2, 11), invoices=[*months(1), second]))
    vendor = Changing(without_ids)
    bill.ctx = lite_job(bill.box, transport=vendor)
    assert again(bill).counts() | {"adopted": 0, "created": 0} == again(bill, owner="run 2").counts()
    opened = bill.ctx.findings.open_of_kind(FindingKind.UNREAD)
    assert {(each.contract_id, each.facts["error"]) for each in opened.values()} == {
        (10, "invoice: id is missing"),
        (11, "invoice: id is missing"),
    }
    vendor.change = lambda *_: None
    assert again(bill, owner="run 3").adopted == 2
    assert bill.ctx.findings.open_of_kind(FindingKind.UNREAD) == {}


def test_where_the_organizations_pages_do_not_fit_together_each_contract_is_looked_at_by_itself(
    sandbox, lite_job, bill
):
    def moving(request, document):
        if request.url.path.endswith("/invoices/search") and "q[contract_id_eq]" not in request.url.params:
            document["invoices"] = document["invoices"][next(turns) % 2 :][:1]

    turns = count()
    others = [rule(number, 10 + number) for number in range(2, 12)]
    bill.box = sandbox(company(rule(created_at=MADE), *others, invoices=months(1, 2, 3)))
    bill.ctx = lite_job(bill.box, transport=Changing(moving))
    outcome = again(bill)
    assert (outcome.adopted, outcome.created) == (3, 30)
    assert next(turns) > 0


@pytest.mark.parametrize("seconds", ["05/01/2023 10:15:00 -03:00", "2023-01-05t10:15:00z"])
def test_in_whatever_form_a_rule_says_when_it_was_made_it_stops_nobody_else(sandbox, lite_job, bill, seconds):
    def made(request, document):
        for each in document.get("invoice_rules", []) if request.method == "GET" else []:
            each["created_at"] = seconds if each["id"] == 1 else each["created_at"]

    bill.box = sandbox(company(rule(), rule(2, 11)))
    bill.ctx = lite_job(bill.box, transport=Changing(made))
    again(bill)
    assert {each["contract_id"] for each in living(bill)} >= {11}


@pytest.mark.parametrize("other", [{"contract_id": 11}, {"comments": "ciclo:7:2:2025-01-10"}, {"comments": None}])
def test_the_answer_to_another_request_is_no_proof_of_ones_own_invoice(sandbox, lite_job, bill, other):
    def mixed_up(request, document):
        if request.method == "POST" and "invoice" in document and "/contracts/10/" in request.url.path:
            document["invoice"] |= {"id": 77, **other}

    bill.box = sandbox(company(rule(), rule(2, 11)))
    bill.ctx = lite_job(bill.box, transport=Changing(mixed_up))
    outcome = again(bill)
    assert (outcome.created, outcome.in_doubt) == (3, 3)
    settled = settle(bill.ctx, QUARTER, OPTIONS)
    assert settled.adopted == 3
    assert len(living(bill)) == 6


def test_a_service_that_is_listed_twice_is_not_billed_twice(sandbox, lite_job, bill):
    def twice(_request, document):
        for each in document.get("invoice_rules", []):
            each["services"] *= 2

    line = {"id": 5, "name": "Suporte", "unit_value": "5.75", "units": "2.5", "service_item_id": 5}
    bill.box = sandbox(company(rule(services=[line]), rule(2, 11)))
    bill.ctx = lite_job(bill.box, transport=Changing(twice))
    assert again(bill).created == 3
    assert {each["contract_id"] for each in living(bill)} == {11}
    [unread] = bill.ctx.findings.open_of_kind(FindingKind.UNREAD).values()
    assert unread.facts["error"]["field"] == "services"


def test_a_value_that_was_edited_is_said_with_its_amount(bill):
    bill(*months(1, 3), generated(902, 2, gross_value="180.0"))
    [finding] = bill.ctx.session.scalars(select(Finding))
    assert (finding.expected, finding.found, finding.amount) == ("150.00", "180.00", Decimal("30.00"))


def test_an_invoice_of_another_time_is_left_alone(bill):
    over = rule(created_at=MADE, timing={"end_date": "2025-03-31"})
    outcome = bill(generated(904, 4, created_at="05/01/2025 09:00:00 -03:00"), rules=[over])
    assert (outcome.created, outcome.adopted, outcome.parked) == (3, 0, 0)


def test_rules_alike_of_one_contract_are_told_apart_by_their_customers(bill):
    rules = [rule(1, created_at=MADE), rule(2, created_at=MADE, description="Mensalidade 1", customer_id=2020)]
    branch = [each | {"id": each["id"] + 50, "customer_id": 2020} for each in months(1, 2, 3)]
    branch = [each | {"receivables": [each["receivables"][0] | {"id": each["id"] * 10}]} for each in branch]
    outcome = bill(*months(1, 2, 3), *branch, rules=rules)
    assert (outcome.adopted, outcome.created, outcome.parked) == (6, 0, 0)


def test_what_another_rule_made_and_somebody_put_off_is_not_taken_over_for_its_value(bill):
    rules = [rule(created_at=MADE), rule(2)]
    put_off = generated(901, 1) | {"issue_date": "2025-02-04", "estimated_issue_date": "2025-02-04"}

    outcome = bill(put_off, *months(2, 3), rules=rules)

    assert (outcome.adopted, outcome.created) == (2, 3)
    assert reasons(bill) == [ReasonKind.REMOVED_AT_VENDOR]
    assert [period.rule_id for period in bill.ctx.periods.in_state(PeriodState.PARKED)] == [1]


@pytest.mark.parametrize("made_with_the_others", [True, False])
def test_an_extensions_invoice_that_was_put_off_over_the_months_end_is_not_made_anew(bill, made_with_the_others):
    """Who entered it is not sure where it came alone: then a person is shown its number, not that it was removed."""
    extended = "01/01/2025 00:05:00 -03:00"
    days = {"init_date": "2024-01-31"}
    alone = {} if made_with_the_others else {"created_at": "20/01/2025 09:00:00 -03:00"}
    put_off = generated(901, 1, 31, created_at=extended) | alone
    put_off |= {"issue_date": "2025-02-03", "estimated_issue_date": "2025-02-03"}
    others = [generated(902, 2, 28, created_at=extended), generated(903, 3, 31, created_at=extended)]

    outcome = bill(put_off, *others, rules=[rule(**days)])

    assert outcome.created == 0
    assert (outcome.adopted, outcome.parked) == ((3, 0) if made_with_the_others else (2, 1))
    assert len(living(bill)) == 3
    parked = bill.ctx.periods.in_state(PeriodState.PARKED)
    assert [each.reason.facts["invoice_ids"] for each in parked] == ([] if made_with_the_others else [[901]])


def test_what_a_rule_made_is_not_another_ones_while_the_rule_is_believed_to_be_gone(bill):
    january = Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 1, 31)))
    rules = [rule(created_at=MADE), rule(2)]
    bill(*months(1, 2, 3), rules=rules, scope=january)
    state = bill.box.state()
    bill.box.put_state(state | {"invoice_rules": state["invoice_rules"][1:]})

    away = again(bill)
    bill.box.put_state(bill.box.state() | {"invoice_rules": state["invoice_rules"]})
    back = again(bill)

    assert (away.adopted, away.created) == (0, 2)
    assert (back.adopted, back.created) == (2, 0)
    assert len(living(bill)) == 6
    assert reasons(bill) == []


def test_a_copy_with_the_reference_of_another_month_is_adopted_for_what_it_looks_like(bill):
    outcome = bill(generated(902, 2, comments="ciclo:7:1:2025-01-10", created_at="05/01/2025 09:00:00 -03:00"))
    assert (outcome.adopted, outcome.created) == (1, 2)
    assert sorted(each["issue_date"] for each in living(bill)) == ["10/01/2025", "10/02/2025", "10/03/2025"]


def test_two_for_one_period_are_parked_with_their_ids(bill):
    bill(*months(1, 2, 3), generated(950, 2))
    [parked] = bill.ctx.periods.in_state(PeriodState.PARKED)
    assert (parked.reason.kind, parked.reason.facts["invoice_ids"]) == (ReasonKind.SEVERAL_MATCHES, [902, 950])


def test_one_for_two_periods_parks_both(bill):
    rules = [rule(1, created_at=MADE), rule(2, created_at=MADE, description="Mensalidade 1")]
    bill(generated(902, 2), rules=rules)
    assert reasons(bill).count(ReasonKind.ONE_INVOICE_FOR_SEVERAL) == 2


def test_where_two_periods_have_two_alike_nobody_is_told_to_cancel_one(bill):
    rules = [rule(1, created_at=MADE), rule(2, created_at=MADE, description="Mensalidade 1")]
    bill(generated(902, 2), generated(950, 2), rules=rules)
    [parked, _] = bill.ctx.periods.in_state(PeriodState.PARKED)
    assert (parked.reason.kind, parked.reason.facts["invoice_ids"]) == (
        ReasonKind.ONE_INVOICE_FOR_SEVERAL,
        [902, 950],
    )


# -- what is unlike ----------------------------------------------------------------------------------------------------

UNLIKE = {"description": "Multa", "gross_value": "7.0", "created_at": "05/02/2025 09:00:00 -03:00"}


def test_beside_something_unlike_a_rule_that_is_not_generated_is_billed(bill):
    outcome = bill(generated(950, 2, **UNLIKE))
    assert (outcome.created, outcome.parked) == (3, 0)


def test_beside_something_unlike_a_generated_rule_asks_a_person(bill):
    bill(*months(1, 3), generated(950, 2, **UNLIKE))
    [parked] = bill.ctx.periods.in_state(PeriodState.PARKED)
    assert (parked.reason.kind, parked.reason.facts["invoice_ids"]) == (ReasonKind.MAY_BE_ITS_OWN, [950])
    release(bill, parked)
    assert (again(bill).created, reasons(bill)) == (0, [ReasonKind.MAY_BE_ITS_OWN])
    decide(bill, not_its_own, parked)
    assert again(bill).created == 1
    assert len([each for each in living(bill) if each["issue_date"] == "10/02/2025"]) == 2


def test_what_a_person_says_is_its_own_is_taken_over_and_stamped(bill):
    bill(*months(1, 3), generated(950, 2, **UNLIKE), generated(951, 2, **UNLIKE | {"description": "Juros"}))
    [parked] = bill.ctx.periods.in_state(PeriodState.PARKED)
    decide(bill, its_own, parked, invoice_id=951)
    outcome = again(bill)
    assert (outcome.adopted, outcome.created) == (1, 0)
    assert [each["id"] for each in living(bill) if "ciclo:7:1:2025-02-10" in (each["comments"] or "")] == [951]
    kinds = {finding.kind for finding in bill.ctx.session.scalars(select(Finding).where(Finding.subject_id == 951))}
    assert FindingKind.VALUE_EDITED in kinds


def test_what_a_person_said_is_its_own_and_is_cancelled_before_anybody_looked_is_not_made_again(bill):
    bill(*months(1, 3), generated(950, 2, **UNLIKE))
    [parked] = bill.ctx.periods.in_state(PeriodState.PARKED)
    decide(bill, its_own, parked)
    bill.box.cancel(950)
    assert (again(bill).created, reasons(bill)) == (0, [ReasonKind.REMOVED_AT_VENDOR])


def test_what_lies_beside_a_removed_one_after_its_release_is_asked_about(bill):
    bill(*months(1, 3))
    [parked] = bill.ctx.periods.in_state(PeriodState.PARKED)
    release(bill, parked)
    state = bill.box.state()
    bill.box.put_state(state | {"invoices": [*state["invoices"], generated(950, 2, **UNLIKE)]})
    assert (again(bill).created, reasons(bill)) == (0, [ReasonKind.MAY_BE_ITS_OWN])


def decide(run, action, period, **options):
    said = {"person": "Ana", "note": "looked at", "at": run.ctx.clock()}
    action(run.ctx.session, ORGANIZATION, period.id, **said, **options)
    run.ctx.session.commit()


def release(run, period):
    decide(run, release_period, period)


def until(month, day):
    return Scope(YEAR.window.days(date(2025, 1, 1), date(2025, month, day)))


def test_what_a_person_said_is_not_its_own_is_remembered(bill):
    bill(generated(950, 2, created_at="05/02/2025 09:00:00 -03:00"), scope=until(1, 31))
    said = {"organization_id": ORGANIZATION, "invoice_id": 950, "rule_id": 1}
    bill.ctx.session.add(NotItsOwn(**said, person="Ana", note="another deal", at=bill.ctx.clock()))
    bill.ctx.session.commit()
    assert again(bill).created == 2
    assert len([each for each in living(bill) if each["issue_date"] == "10/02/2025"]) == 2


# -- who makes it ------------------------------------------------------------------------------------------------------


def test_a_generated_invoice_that_somebody_removed_is_not_silently_made_again(bill):
    outcome = bill(*months(1, 3))
    assert (outcome.adopted, outcome.created, outcome.parked) == (2, 0, 1)
    assert reasons(bill) == [ReasonKind.REMOVED_AT_VENDOR]


def test_the_first_of_a_rule_is_missed_like_any_other(bill):
    bill(*months(2, 3))
    assert reasons(bill) == [ReasonKind.REMOVED_AT_VENDOR]


def test_a_removed_invoice_is_made_where_the_setting_says_so(bill):
    outcome = bill(*months(1, 3), options=IssueOptions(gaps=Gaps.CREATE))
    assert (outcome.adopted, outcome.created, outcome.parked) == (2, 1, 0)


def test_a_removed_invoice_is_made_once_a_person_released_its_period(bill):
    bill(*months(1, 3))
    [parked] = bill.ctx.periods.in_state(PeriodState.PARKED)
    release(bill, parked)
    assert again(bill).created == 1


def test_beyond_what_the_vendor_generated_ciclo_creates(bill):
    outcome = bill(*months(1, 2))
    assert (outcome.adopted, outcome.created) == (2, 1)


def test_the_last_one_is_missed_too_where_it_was_seen_before_it_was_removed(bill):
    bill(*months(1, 2, 3), scope=until(2, 28))
    bill.ctx.api.delete_invoice(10, 903)
    again(bill)
    assert reasons(bill) == [ReasonKind.REMOVED_AT_VENDOR]


@pytest.mark.parametrize("gaps", [Gaps.ASK, Gaps.CREATE])
def test_one_that_was_moved_out_of_its_period_is_not_made_a_second_time(bill, gaps):
    move_march(bill, date(2025, 4, 20))
    assert again(bill, options=replace(OPTIONS, gaps=gaps)).created == 0
    [parked] = bill.ctx.periods.in_state(PeriodState.PARKED)
    assert (parked.reason.kind, parked.reason.facts["invoice_ids"]) == (ReasonKind.MAY_BE_ITS_OWN, [903])
    not_its_own(bill.ctx.session, ORGANIZATION, parked.id, person="ana", note="of another matter", at=bill.ctx.clock())
    bill.ctx.session.commit()
    assert again(bill).created == 1


def test_one_that_was_moved_out_of_its_period_and_back_is_its_own(bill):
    move_march(bill, date(2025, 4, 20), date(2025, 3, 10))
    assert again(bill).adopted == 1


def test_the_first_day_is_remembered_however_often_one_is_moved(bill):
    move_march(bill, date(2025, 4, 20), date(2025, 4, 25))
    reconcile(bill.ctx, today=date(2025, 3, 1), recheck_days=400)
    again(bill)
    assert reasons(bill) == [ReasonKind.MAY_BE_ITS_OWN]


def move_march(bill, *days):
    """Bill until February, and let a person move March's invoice to some days in turn, each seen before the next."""
    bill(*months(1, 2, 3, 4), scope=until(2, 28))
    for day in days:
        reconcile(bill.ctx, today=date(2025, 3, 1), recheck_days=400)
        bill.box.edit(903, issue_date=day.isoformat(), estimated_issue_date=day.isoformat())


@pytest.mark.parametrize("cancelled", [1, 2, 3])
def test_a_cancelled_one_is_shown_and_not_made_again_wherever_it_lies(bill, cancelled):
    states = {month: {"state": "cancelled"} if month == cancelled else {} for month in (1, 2, 3)}
    outcome = bill(*(generated(900 + month, month, **given) for month, given in states.items()))
    assert (outcome.adopted, outcome.created, outcome.parked) == (2, 0, 1)
    assert reasons(bill) == [ReasonKind.REMOVED_AT_VENDOR]


def test_the_only_one_cancelled_is_shown_and_made_once_a_person_released_its_period(bill):
    outcome = bill(generated(901, 1, state="cancelled", created_at="05/12/2024 10:00:00 -03:00"), scope=until(1, 31))
    assert (outcome.created, outcome.parked) == (0, 1)
    [parked] = bill.ctx.periods.in_state(PeriodState.PARKED)
    release(bill, parked)
    assert again(bill, scope=until(1, 31)).created == 1


def test_a_cancelled_one_that_a_person_made_anew_is_shown_as_nothing(bill):
    anew = generated(950, 1, created_at="05/01/2025 10:00:00 -03:00")
    outcome = bill(generated(901, 1, state="cancelled"), anew, *months(2, 3))
    assert (outcome.adopted, outcome.created, outcome.parked) == (3, 0, 0)


def test_the_first_of_what_the_vendor_extended_is_missed_where_the_reconciliation_saw_it_before_it_was_removed(bill):
    bill(scope=until(1, 31))  # January is created: nothing was generated by then
    extended = [extend(bill, month) for month in (2, 3)]
    reconcile(bill.ctx, today=date(2025, 2, 1), recheck_days=400)
    bill.ctx.api.delete_invoice(10, extended[0].id)
    again(bill)
    assert reasons(bill) == [ReasonKind.REMOVED_AT_VENDOR]


def extend(bill, month):
    """Let the vendor make an invoice of rule 1 long after it made the rule."""
    made = {name: value for name, value in generated(0, month).items() if name not in ("id", "created_at", "state")}
    receivables = [{"due_date": date(2025, month + 1, 1), "value": Decimal(100)}]
    return bill.ctx.api.create_invoice(10, made | {"gross_value": Decimal(150), "receivables": receivables})


def test_what_the_vendor_makes_beside_ciclos_own_is_shown_the_same_day(bill):
    bill(scope=until(2, 28))
    extended = {name: value for name, value in generated(0, 2).items() if name not in ("id", "created_at", "state")}
    receivables = [{"due_date": "2025-03-01", "value": Decimal(100)}]
    values = {"gross_value": Decimal(150), "comments": "x", "receivables": receivables}
    made = bill.ctx.api.create_invoice(10, extended | values)
    again(bill)
    assert (FindingKind.DUPLICATED_REMOTELY.value, made.id) in findings(bill)


# -- stamping ----------------------------------------------------------------------------------------------------------


def test_an_adopted_invoice_gets_the_reference_behind_what_stands_there(bill):
    bill(generated(901, 1, comments="Pedido 12"), *months(2, 3))
    comments = {each["id"]: each["comments"] for each in living(bill)}
    assert comments == {
        901: "Pedido 12\nciclo:7:1:2025-01-10",
        902: "ciclo:7:1:2025-02-10",
        903: "ciclo:7:1:2025-03-10",
    }


def test_what_was_not_stamped_is_stamped_by_a_later_look_and_once(bill):
    bill(*months(1, 2, 3), options=IssueOptions(stamp=False))
    assert {each["comments"] for each in living(bill)} == {None}
    for month in (4, 5):
        again(bill, scope=until(month, 30))
    march = next(each for each in living(bill) if each["id"] == 903)
    assert march["comments"] == "ciclo:7:1:2025-03-10"


def test_a_stamp_whose_answer_was_lost_is_not_written_again(bill):
    bill(*months(1, 2, 3, 4), scope=until(1, 31), options=IssueOptions(stamp=False))
    bill.box.faults([{"method": "PATCH", "path": "/invoices/", "kind": "reset_after", "count": 2}])
    again(bill, scope=until(2, 28))
    again(bill, scope=until(3, 31))
    assert {each["comments"] for each in living(bill) if each["id"] < 904} == {
        f"ciclo:7:1:2025-0{month}-10" for month in (1, 2, 3)
    }


def test_a_rule_that_bills_another_customer_is_parked_with_both_names(bill):
    names = [{"id": 1010, "name": "Matriz Ltda."}, {"id": 2020, "name": "Filial Ltda."}]
    bill(rules=[rule(created_at=MADE, customer_id=2020, customer_type="Company")], companies=names)
    parked = bill.ctx.periods.in_state(PeriodState.PARKED)
    assert [period.reason.kind for period in parked] == [ReasonKind.OTHER_CUSTOMER] * 3
    assert "Filial Ltda. (2020)" in said(parked[0].reason)
    assert "Matriz Ltda. (1010)" in said(parked[0].reason)
    assert living(bill) == []


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_total_that_is_not_positive_is_not_sent(bill):
    bill(rules=[rule(services=[service(5, "100.0"), service(6, "-150.0")])])
    assert reasons(bill) == [ReasonKind.TOTAL_NOT_POSITIVE] * 3
    assert living(bill) == []


# -- broken on purpose -------------------------------------------------------------------------------------------------


def match_without_customer(patch: pytest.MonkeyPatch) -> None:
    """Take an invoice for a period's own whomever it bills."""
    patch.setattr(match, "_same_customer", lambda _period, _invoice: True)


def match_without_coverage(patch: pytest.MonkeyPatch) -> None:
    """Take an invoice for a period's own whenever it is planned for."""
    patch.setattr(match.WantedInvoice, "covers", lambda _self, _day: True)


def believe_a_reference_anywhere(patch: pytest.MonkeyPatch) -> None:
    """Believe Ciclo's reference on a copy in another month."""
    real = match._bound_to

    def bound(invoice, periods, bearers):
        anywhere = {
            key: replace(period, coverage=match.DateRange(match.date.min, match.date.max))
            for key, period in periods.items()
        }
        return real(invoice, anywhere, bearers)

    patch.setattr(match, "_bound_to", bound)


def create_inside_the_generated_range(patch: pytest.MonkeyPatch) -> None:
    """Make again what somebody removed."""
    patch.setattr(adopt, "why_parked", lambda *_given: None)


def take_a_release_for_a_word_on_other_invoices(patch: pytest.MonkeyPatch) -> None:
    """Bill what was released beside whatever lies there."""
    patch.setattr(adopt, "TO_BE_BILLED", adopt.DECIDED_BY_A_PERSON)


@pytest.mark.parametrize(
    ("mutate", "killer"),
    [
        (match_without_customer, test_rules_alike_of_one_contract_are_told_apart_by_their_customers),
        (match_without_coverage, test_an_invoice_of_another_time_is_left_alone),
        (
            believe_a_reference_anywhere,
            test_a_copy_with_the_reference_of_another_month_is_adopted_for_what_it_looks_like,
        ),
        (take_a_release_for_a_word_on_other_invoices, test_beside_something_unlike_a_generated_rule_asks_a_person),
        (create_inside_the_generated_range, test_a_generated_invoice_that_somebody_removed_is_not_silently_made_again),
    ],
    ids=lambda given: given.__name__,
)
def test_adoption_that_is_broken_on_purpose_is_found(monkeypatch, bill, mutate, killer):
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        killer(bill)
