"""Issuing: each period becomes exactly one invoice, whatever the network and the server do."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.billimatic import AuthenticationError, BillimaticClient
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import said
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import NothingBilledError, StillInDoubtError, require_billing, settle, summarize_window
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import release_period
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, Scope
from ciclo.ledger.tables import Receivable
from company import ORGANIZATION, TODAY, YEAR, company, contract, rule, scheduled_update, service
from ledgers import migrate

QUARTER = Scope(YEAR.window.days(date(2025, 1, 1), date(2025, 3, 31)))
OPTIONS = IssueOptions(concurrency=4, batch=5, lease=timedelta(minutes=10), grace=timedelta(minutes=5))


def prepare(ctx, scope=QUARTER):
    read_contract_list(ctx)
    expand_rules(ctx, scope, seen_on=TODAY)


def issue(ctx, scope=QUARTER, owner="run 1"):
    return issue_due_periods(ctx, scope, OPTIONS, owner=owner)


def invoices(box):
    return box.state()["invoices"]


def test_a_quarter_is_three_invoices_with_their_reference(sandbox, job):
    box = sandbox(company(rule()))
    ctx = job(box)
    prepare(ctx)
    assert issue(ctx).created == 3
    sent = sorted(invoices(box), key=lambda invoice: invoice["comments"])
    assert [i["comments"] for i in sent] == [f"ciclo:7:1:2025-{month:02}-10" for month in (1, 2, 3)]
    first = sent[0]
    assert (first["issue_date"], first["accrual_date"], first["gross_value"]) == ("10/01/2025", "2025-01-01", "150.0")
    assert [(r["due_date"], r["value"]) for r in first["receivables"]] == [("01/02/2025", "100.0")]


def test_where_nothing_is_due_the_vendor_is_asked_nothing(sandbox, lite_job, clock):
    box = sandbox(company(rule()))
    ctx = lite_job(box)
    prepare(ctx)
    issue(ctx)
    clock.advance(days=1)
    box.clear_requests()
    assert set(issue(ctx).counts().values()) == {0}
    assert box.requests() == []


def test_a_contract_that_an_earlier_run_has_just_read_is_read_again(sandbox, job, clock):
    box = sandbox(company(rule()))
    ctx = job(box)
    prepare(ctx)
    clock.advance(minutes=5)
    run = replace(ctx, began=clock())
    box.deactivate(10)
    clock.advance(seconds=1)
    assert set(issue(run).counts().values()) == {0}
    assert invoices(box) == []


def test_issuing_again_creates_nothing(sandbox, job):
    box = sandbox(company(rule(1), rule(2, 11)))
    ctx = job(box)
    prepare(ctx)
    issue(ctx)
    prepare(ctx)
    assert issue(ctx, owner="run 2").created == 0
    assert len(invoices(box)) == 6


def test_what_is_issued_is_in_the_ledger_with_its_receivables(sandbox, job):
    ctx = job(sandbox(company(rule(charge={"day_number": 1, "parcel_number": 3}))))
    prepare(ctx)
    issue(ctx)
    january = min(ctx.invoices.within(QUARTER.window), key=lambda invoice: invoice.issue_date).invoice_id
    wanted = select(Receivable).where(Receivable.invoice_id == january).order_by(Receivable.due_date)
    parts = list(ctx.session.scalars(wanted))
    assert [part.due_date for part in parts] == [date(2025, 2, 1), date(2025, 3, 1), date(2025, 4, 1)]
    assert [part.percentage for part in parts] == [Decimal("33.3333"), Decimal("33.3333"), Decimal("33.3334")]
    assert sum(part.gross_value for part in parts) == Decimal("150.00")


def test_services_are_billed_by_units_and_unit_value(sandbox, lite_job):
    box = sandbox(company(rule(services=[service(5, "5.75", units="2.5"), service(6, "10.0")])))
    ctx = lite_job(box)
    prepare(ctx)
    issue(ctx)
    assert {invoice["gross_value"] for invoice in invoices(box)} == {"24.38"}


def test_a_lost_answer_leaves_the_period_in_doubt_and_is_never_sent_again_on_a_guess(sandbox, job, clock):
    box = sandbox(company(rule()))
    ctx = job(box)
    prepare(ctx)
    box.faults([{"method": "POST", "path": "/invoices$", "kind": "error_after", "status": 500, "count": 1}])
    outcome = issue(ctx)
    assert (outcome.created, outcome.in_doubt) == (2, 1)
    assert settle(ctx, QUARTER, OPTIONS).counts() | {"created": 0} == settle_counts(adopted=1)
    assert len(invoices(box)) == 3


def settle_counts(**given):
    return {"created": 0, "adopted": 0, "parked": 0, "in_doubt": 0, "waiting": 0, "replanned": 0} | given


def test_what_never_arrived_is_planned_again_only_after_the_grace_period(sandbox, job, clock):
    box = sandbox(company(rule()))
    ctx = job(box)
    prepare(ctx)
    box.faults([{"method": "POST", "path": "/invoices$", "kind": "error_before", "status": 502, "count": 1}])
    issue(ctx)
    assert settle(ctx, QUARTER, OPTIONS).in_doubt == 1
    with pytest.raises(StillInDoubtError, match="1 periods are in doubt and 0 are being submitted"):
        finish_issuing(ctx, QUARTER, OPTIONS, owner="run 2")
    clock.advance(minutes=6)
    finish_issuing(ctx, QUARTER, OPTIONS, owner="run 3")
    assert len(invoices(box)) == 3


def test_a_refused_invoice_is_parked_with_the_vendors_words_and_the_others_go_on(sandbox, lite_job):
    box = sandbox(company(rule(1, nfe_body=""), rule(2, 11)))
    ctx = lite_job(box)
    prepare(ctx)
    outcome = issue(ctx)
    assert (outcome.created, outcome.parked) == (3, 3)
    reason = summarize_window(ctx, QUARTER).parked[0]
    assert reason.startswith("contract 10, rule 1, period 2025-01-10: the API refused it: nfe_body: ")


def test_a_contract_that_vanished_parks_its_periods(sandbox, lite_job):
    box = sandbox(company(rule()))
    ctx = lite_job(box)
    prepare(ctx)
    box.put_state(company(contracts=[contract(11)]))
    issue(ctx)
    assert summarize_window(ctx, QUARTER).parked[0] == (
        "rule 1, period 2025-01-10: contract 10 is no longer at the vendor"
    )
    with pytest.raises(NothingBilledError, match="nothing was billed: 3 periods are parked"):
        require_billing(summarize_window(ctx, QUARTER))


def test_a_refused_token_stops_the_run_and_nothing_is_lost(sandbox, client, lite_job, clock):
    box = sandbox(company(rule()))
    good = lite_job(box)
    prepare(good)
    bad = JobContext(client(box, token="wrong"), good.session, good.actor, clock)
    with pytest.raises(AuthenticationError):
        issue(bad)
    finish_issuing(good, QUARTER, OPTIONS, owner="run 2")
    assert len(invoices(box)) == 3


def test_an_invoice_made_by_hand_is_adopted_instead_of_made_twice(sandbox, job):
    by_hand = {
        "id": 900,
        "contract_id": 10,
        "issue_date": "10/02/2025",
        "gross_value": "150.0",
        "description": "Mensalidade 1",
        "receivables": [{"id": 1, "due_date": "01/03/2025", "value": "100.0"}],
    }
    box = sandbox(company(rule(), invoices=[by_hand]))
    ctx = job(box)
    prepare(ctx)
    assert adopt_existing(ctx, QUARTER, OPTIONS, owner="run 1").adopted == 1
    assert issue(ctx).created == 2
    assert len(invoices(box)) == 3


def test_two_invoices_that_may_be_the_periods_stop_for_a_person(sandbox, lite_job):
    twin = {"contract_id": 10, "issue_date": "10/02/2025", "gross_value": "150.0", "description": "Mensalidade 1"}
    receivables = [{"due_date": "01/03/2025", "value": "100.0"}]
    twins = [{"id": number, **twin, "receivables": receivables} for number in (900, 901)]
    ctx = lite_job(sandbox(company(rule(), invoices=twins)))
    prepare(ctx)
    assert adopt_existing(ctx, QUARTER, OPTIONS, owner="run 1").parked == 1
    assert summarize_window(ctx, QUARTER).parked == [
        "contract 10, rule 1, period 2025-02-10: several invoices may be this period's: 900, 901"
    ]


def test_a_lost_ledger_is_rebuilt_from_the_references(sandbox, client, job, sqlite_url, clock):
    box = sandbox(company(rule(1), rule(2, 11)))
    first = job(box)
    prepare(first)
    issue(first)
    second_url = sqlite_url.replace("ledger.db", "second.db")
    migrate(second_url)
    engine = open_engine(second_url)
    with Session(engine, expire_on_commit=False) as session:
        second = JobContext(client(box), session, Actor(), clock)
        prepare(second)
        assert adopt_existing(second, QUARTER, OPTIONS, owner="new").adopted == 6
        assert issue(second).created == 0
    engine.dispose()


def test_a_dead_runs_claims_are_settled_once_its_lease_is_over(sandbox, job, clock):
    box = sandbox(company(rule()))
    ctx = job(box)
    prepare(ctx)
    claimed = ctx.periods.claim_planned(
        ctx.periods.planned(QUARTER)[:2], owner="dead", lease_until=clock() + OPTIONS.lease, at=clock()
    )
    ctx.session.commit()
    ctx.api.create_invoice(10, _body_of(claimed[0]))  # the run died after its first POST
    assert issue(ctx).created == 1
    with pytest.raises(StillInDoubtError):
        finish_issuing(ctx, QUARTER, OPTIONS, owner="run 2")
    clock.advance(minutes=16)
    finish_issuing(ctx, QUARTER, OPTIONS, owner="run 3")
    assert sorted(i["comments"][-10:] for i in invoices(box)) == ["2025-01-10", "2025-02-10", "2025-03-10"]


def _body_of(period):
    return {
        "issue_date": period.issue_date,
        "gross_value": period.gross_value,
        "description": "Mensalidade 1",
        "nfe_body": "$DESCRICAO",
        "comments": f"ciclo:{ORGANIZATION}:1:{period.issue_date}",
        "receivables": [{"due_date": period.first_due_date, "value": Decimal(100)}],
    }


def test_two_runs_at_once_make_one_invoice_a_period(sandbox, ledger_url, clock):
    box = sandbox(company(*[rule(number, 10 + number % 5) for number in range(1, 21)]))

    def run(owner: str) -> int:
        engine = open_engine(ledger_url)
        with (
            BillimaticClient(
                base_url=box.url, token=box.token, organization_id=ORGANIZATION, requests_per_second=None
            ) as api,
            Session(engine, expire_on_commit=False) as own,
        ):
            ctx = JobContext(api, own, Actor(run_id=owner), clock)
            prepare(ctx)
            adopt_existing(ctx, QUARTER, OPTIONS, owner=owner)
            created = issue(ctx, owner=owner).created
        engine.dispose()
        return created

    with ThreadPoolExecutor(3) as pool:
        created = list(pool.map(run, ["A", "B", "C"]))
    references = [invoice["comments"] for invoice in invoices(box)]
    assert sum(created) == len(references) == len(set(references)) == 60


def test_a_period_waits_while_a_price_update_of_its_rule_is_unsettled(sandbox, lite_job):
    box = sandbox(company(rule(scheduled_updates=[scheduled_update(init_date="2025-02-01")])))
    ctx = lite_job(box)
    prepare(ctx)
    outcome = issue(ctx)
    assert (outcome.created, outcome.waiting) == (1, 2)
    waiting = ctx.periods.in_state(PeriodState.WAITING)
    assert {said(period.reason) for period in waiting} == {"the price update of 2025-02-01 by IGP-M is not settled"}


def test_a_changed_text_reaches_the_invoices_from_the_day_after_it_was_last_seen_as_it_was(sandbox, lite_job):
    box = sandbox(company(rule()))
    ctx = lite_job(box)
    read_contract_list(ctx)
    expand_rules(ctx, QUARTER, seen_on=date(2025, 1, 31))
    box.put_state(company(rule(description="Mensalidade nova")))
    expand_rules(ctx, QUARTER, seen_on=date(2025, 2, 1))
    issue(ctx)
    texts = [i["description"] for i in sorted(invoices(box), key=lambda each: each["comments"])]
    assert texts == ["Mensalidade 1", "Mensalidade nova", "Mensalidade nova"]


def test_a_text_that_the_api_refused_is_corrected_released_and_billed(sandbox, lite_job):
    box = sandbox(company(rule(description="")))
    ctx = lite_job(box)
    prepare(ctx)
    assert issue(ctx).parked == 3
    box.put_state(company(rule(description="Mensalidade corrigida")))
    prepare(ctx)
    for period in ctx.periods.in_state(PeriodState.PARKED):
        release_period(ctx.session, ORGANIZATION, period.id, person="Ana", note="description added", at=ctx.clock())
    assert issue(ctx, owner="run 2").created == 3
    assert {i["description"] for i in invoices(box)} == {"Mensalidade corrigida"}


def test_a_service_line_that_the_api_refused_is_corrected_released_and_billed(sandbox, lite_job):
    unlisted = rule(services=[service(501, "50.00", units="3.0")])
    box = sandbox(company(unlisted, service_items=[{"id": 501, "name": "Outro"}]))  # items are told by their names
    ctx = lite_job(box)
    prepare(ctx)
    assert issue(ctx).parked == 3
    listed = rule(services=[service(501, "50.00", units="4.0", item=7)])
    box.put_state(company(listed, service_items=[{"id": 7, "name": "Serviço 7"}]))
    prepare(ctx)
    for period in ctx.periods.in_state(PeriodState.PARKED):
        release_period(ctx.session, ORGANIZATION, period.id, person="Ana", note="item chosen", at=ctx.clock())
    assert issue(ctx, owner="run 2").created == 3
    lines = [line for found in invoices(box) for line in found["services"]]
    assert [(line["units"], line["value"]) for line in lines] == [("3.0", "150.0")] * 3  # of the day, not of now


def test_a_price_from_before_the_first_known_one_is_not_guessed(sandbox, lite_job):
    applied = scheduled_update(init_date="2025-02-01", execution_date="2026-02-01")
    ctx = lite_job(sandbox(company(rule(scheduled_updates=[applied]))))
    prepare(ctx)
    outcome = issue(ctx)
    assert (outcome.created, outcome.parked) == (2, 1)
    assert summarize_window(ctx, QUARTER).parked == [
        "contract 10, rule 1, period 2025-01-10: its price is not known: the rule has no price in force on 2025-01-10"
    ]
