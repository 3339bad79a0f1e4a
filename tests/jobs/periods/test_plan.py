"""Planning day by day: changes at the vendor are followed, nothing is paid for twice, what nobody bills is shown."""

from datetime import UTC, date, datetime

import pytest

from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState, Reason, ReasonKind
from ciclo.domain.wording import said
from ciclo.jobs.closing.close import prove_running_month
from ciclo.jobs.context import IssueOptions, arm
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules, open_window, read_due, record_expansion, record_sync, sync_contracts
from ciclo.jobs.periods.plan import Backdated
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import release_period
from ciclo.ledger.repositories import Scope
from company import ORGANIZATION, company, contract, rule

JUNE = DateRange.month_of(date(2025, 6, 1))
CLOSED = {"verdict": "closed", "what_keeps_it_open": []}


class Days:
    """A company that is billed from June 2025 on, a day at a time."""

    def __init__(self, box, ctx, state):
        self.box, self.ctx = box, ctx
        self.box.put_state(state)
        self.at(date(2025, 6, 1))
        arm(ctx, date(2025, 6, 1), person="Ana")
        self.expand(JUNE)

    def at(self, day):
        self.ctx.clock.now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)

    def expand(self, window, backdated=Backdated.SHOW):
        read_contract_list(self.ctx)
        outcome = expand_rules(self.ctx, Scope(window), seen_on=self.ctx.today, backdated=backdated)
        record_expansion(self.ctx, Scope(window))
        return outcome

    def sync(self, day, state=None):
        """A day's reading, of another state at the vendor if one is given; its invoices stay."""
        self.at(day)
        if state is not None:
            self.box.put_state({**state, "invoices": self.box.state()["invoices"]})
        if day.day == 1:
            self.expand(DateRange.month_of(day))
        read_contract_list(self.ctx)
        outcome = sync_contracts(self.ctx, today=day)
        record_sync(self.ctx, day)
        return outcome

    def issue(self, day):
        """A day's issuing: what has something due is read, then billed."""
        self.at(day)
        scope = Scope(DateRange.days(date(2025, 6, 1), day))
        read_due(self.ctx, self.ctx.periods.open_contracts(scope), today=day)
        return issue_due_periods(self.ctx, scope, IssueOptions(concurrency=1), owner=f"tests {day}")

    def days(self, *wanted):
        return [f"{p.issue_date:%m-%d}" for p in self.ctx.periods.in_state(*wanted)]

    @property
    def planned(self):
        return self.days(PeriodState.PLANNED)

    @property
    def parked(self):
        return self.days(PeriodState.PARKED)

    def shown(self, kind=FindingKind.GAP):
        return [finding.message for finding in self.ctx.findings.open_of_kind(kind).values()]


@pytest.fixture
def days(sandbox, job):
    return lambda *rules, **given: Days(box := sandbox(company(*rules, **given)), job(box), company(*rules, **given))


@pytest.fixture
def lite_days(sandbox, lite_job):
    return lambda *rules, **given: Days(
        box := sandbox(company(*rules, **given)), lite_job(box), company(*rules, **given)
    )


def test_what_a_machine_cancelled_is_planned_again_when_its_rule_calls_for_it(days):
    place = days(rule())
    place.sync(date(2025, 6, 5), company(rule(), contracts=[contract(10, state="inactive")]))
    assert (place.planned, place.days(PeriodState.CANCELLED)) == ([], ["06-10"])
    place.sync(date(2025, 6, 6), company(rule()))
    assert place.planned == ["06-10"]


def test_what_lies_in_a_pause_is_not_planned_afterwards_either(lite_days):
    place = lite_days(rule())
    inactive = company(rule(), contracts=[contract(10, state="inactive")])
    for day in (date(2025, 6, 5), date(2025, 6, 19)):
        place.sync(day, inactive)
    place.sync(date(2025, 6, 20), company(rule()))
    place.expand(DateRange(date(2025, 6, 1), date(2025, 8, 1)), Backdated.PLAN)
    assert place.planned == ["07-10"]
    assert place.ctx.readings.pauses([10]) == {10: (DateRange(date(2025, 6, 5), date(2025, 6, 20)),)}


def test_since_when_a_contract_is_active_again_is_not_known_where_nobody_read_it(days):
    """It is not billed by itself for those days, nor passed over in silence: a person asks for them by name."""
    rules = [rule(1, 10), rule(2, 11, init_date="2025-01-05")]
    place = days(*rules)
    place.sync(date(2025, 6, 5), company(*rules, contracts=[contract(each, state="inactive") for each in (10, 11)]))
    place.sync(date(2025, 6, 20), company(*rules))
    assert (place.planned, sorted(place.days(PeriodState.CANCELLED))) == ([], ["06-05", "06-10"])
    seen, unseen = DateRange(date(2025, 6, 5), date(2025, 6, 6)), DateRange(date(2025, 6, 6), date(2025, 6, 20))
    assert place.ctx.readings.pauses([10]) == {10: (seen, unseen)}
    assert place.ctx.readings.pauses([10], seen=True) == {10: (seen,)}

    prove_running_month(place.ctx, today=date(2025, 6, 20))
    assert len(place.shown(FindingKind.NOT_BILLED)) == 1
    assert "2025-06-10" in place.shown(FindingKind.NOT_BILLED)[0]
    place.expand(JUNE, Backdated.PLAN)
    assert (place.planned, place.shown(FindingKind.NOT_BILLED)) == (["06-10"], [])


def test_what_fell_due_while_nobody_read_an_inactive_contract_is_shown_where_it_was_never_planned(lite_days):
    place = lite_days(rule())
    place.sync(date(2025, 6, 30), company(rule(), contracts=[contract(10, state="inactive")]))
    place.sync(date(2025, 7, 15), company(rule()))
    prove_running_month(place.ctx, today=date(2025, 7, 15))
    assert (place.planned, len(place.shown(FindingKind.NOT_BILLED))) == ([], 1)
    place.sync(date(2025, 7, 16))
    assert place.planned == []


def test_a_rule_that_is_gone_ended_or_moved_is_read_before_it_is_billed(lite_days):
    place = lite_days(rule(1, 10), rule(2, 11), rule(3, 12), rule(4, 13))
    moved = [rule(2, 11, timing={"end_date": "2025-06-05"}), rule(3, 12, init_date="2025-01-20"), rule(4, 13)]
    place.box.put_state(company(*moved, contracts=[contract(each) for each in (10, 11, 12, 13)]))
    assert place.issue(date(2025, 6, 10)).created == 1
    assert place.planned == ["06-20"]
    reasons = {said(p.reason) for p in place.ctx.periods.in_state(PeriodState.CANCELLED)}
    assert {each.split(": ")[-1] for each in reasons} == {
        "rule 1 is no longer at the vendor",
        "rule 2 ended on 2025-06-05",
        "rule 3 no longer issues on this day",
    }


def test_what_was_not_sent_on_its_day_is_not_billed_once_its_rule_is_ended_before_that_day(lite_days):
    """As of a rule that is deleted: that it was called for on its day is a finding, and bills nothing by itself."""
    place = lite_days(rule(1, 10), rule(2, 11))
    place.sync(date(2025, 6, 11))
    ended = [rule(1, 10, timing={"end_date": "2025-05-31"}), rule(2, 11, timing={"end_date": "2025-06-10"})]
    place.sync(date(2025, 6, 12), company(*ended, contracts=[contract(each) for each in (10, 11)]))
    assert place.issue(date(2025, 6, 13)).created == 1
    (cancelled,) = place.ctx.periods.in_state(PeriodState.CANCELLED)
    assert said(cancelled.reason) == "contract 10: rule 1 ended on 2025-05-31"
    place.sync(date(2025, 6, 14), company(rule(1, 10), rule(2, 11)))
    assert place.planned == ["06-10"]


def test_a_period_parked_for_one_that_was_never_billed_is_planned_again_and_pays_for_its_time(lite_days):
    """Sent or not was not known when the rule was deleted and made anew; in the end nothing had been billed."""
    place = lite_days(rule(1))
    place.at(date(2025, 6, 10))
    (period,) = place.ctx.periods.in_state(PeriodState.PLANNED)
    until = place.ctx.clock()
    claimed = place.ctx.periods.claim_these([period.id], owner="tests", lease_until=until, at=until)
    place.ctx.periods.doubt(claimed, reason=Reason(ReasonKind.NOT_SENT), until=until, at=until)
    place.ctx.session.commit()
    anew = rule(2, init_date="2025-06-20", description="Mensalidade 1", created_at="12/06/2025 10:15:00 -03:00")
    place.sync(date(2025, 6, 12), company(anew))
    (parked,) = place.ctx.periods.in_state(PeriodState.PARKED)
    assert parked.reason.kind is ReasonKind.COVERED_BY_ANOTHER
    doubtful = place.ctx.periods.in_state(PeriodState.IN_DOUBT)
    place.ctx.periods.replan(doubtful, reason=Reason(ReasonKind.NOT_AT_VENDOR), at=until)
    place.ctx.session.commit()
    place.sync(date(2025, 6, 13))
    assert (place.days(PeriodState.CANCELLED), place.planned, place.parked) == (["06-10"], ["06-20"], [])
    assert place.issue(date(2025, 6, 20)).created == 1
    assert prove_running_month(place.ctx, today=date(2025, 6, 21)).report.lines() == []


def test_terms_that_changed_before_the_issue_day_are_those_of_the_invoice(lite_days):
    place = lite_days(rule())
    changed = rule(
        gross_value="175.50", description="Mensalidade nova", timing={"accrual_month_quantity": "previous_month"}
    )
    place.box.put_state(company(changed))
    assert place.issue(date(2025, 6, 10)).created == 1
    (invoice,) = place.box.state()["invoices"]
    assert (invoice["gross_value"], invoice["description"], invoice["accrual_date"]) == (
        "175.5", "Mensalidade nova", "2025-05-01",
    )  # fmt: skip


def test_a_month_that_is_billed_is_not_billed_again_when_the_day_moves(days):
    place = days(rule())
    place.issue(date(2025, 6, 10))
    place.sync(date(2025, 6, 12), company(rule(init_date="2025-01-20")))
    assert (place.planned, place.parked) == ([], ["06-20"])
    (parked,) = place.ctx.periods.in_state(PeriodState.PARKED)
    assert "2025-06" in said(parked.reason)
    assert str(place.box.state()["invoices"][0]["id"]) in said(parked.reason)
    place.sync(date(2025, 7, 1))
    assert place.planned == ["07-20"]
    assert place.shown() == []


def test_what_a_person_released_is_not_parked_again(lite_days):
    place = lite_days(rule())
    place.issue(date(2025, 6, 10))
    place.sync(date(2025, 6, 12), company(rule(init_date="2025-01-20")))
    (parked,) = place.ctx.periods.in_state(PeriodState.PARKED)
    now = place.ctx.clock()
    release_period(place.ctx.session, ORGANIZATION, parked.id, person="Ana", note="a second visit", at=now)
    place.ctx.session.commit()
    place.sync(date(2025, 6, 13))
    assert (place.planned, place.parked) == (["06-20"], [])


def test_a_day_that_moved_back_takes_what_was_parked_along(lite_days):
    place = lite_days(rule())
    place.issue(date(2025, 6, 10))
    place.sync(date(2025, 6, 12), company(rule(init_date="2025-01-20")))
    place.sync(date(2025, 6, 13), company(rule()))
    assert (place.planned, place.parked) == ([], [])


def test_a_month_that_falls_between_is_shown_the_day_it_is_known(lite_days):
    place = lite_days(rule(timing={"end_date": "2025-06-30"}))
    place.issue(date(2025, 6, 10))
    place.sync(date(2025, 8, 7))
    place.sync(date(2025, 8, 8), company(rule(timing={"end_date": "2026-06-30"})))
    (shown,) = place.shown()
    assert shown.startswith("contract 10, rule 1, period 2025-07-10: nobody bills 07/2025 (R$ ")
    assert place.planned == ["08-10"]
    place.expand(DateRange.month_of(date(2025, 7, 1)), Backdated.PLAN)
    assert (place.planned, place.shown()) == (["07-10", "08-10"], [])


NO_RULES = company(contracts=[contract(10)])


def test_what_a_rule_called_for_while_it_was_gone_is_shown_the_day_it_is_back(lite_days):
    place = lite_days(rule())
    place.sync(date(2025, 6, 9), NO_RULES)
    place.ctx.closings.record(JUNE.start, closed=True, report=CLOSED, held=(), at=place.ctx.clock())
    place.sync(date(2025, 7, 1))
    assert (place.planned, place.shown()) == ([], [])
    place.sync(date(2025, 7, 4), company(rule()))
    (shown,) = place.shown()
    assert shown.startswith("contract 10, rule 1, period 2025-06-10: nobody bills 06/2025 (R$ ")
    assert place.planned == ["07-10"]
    place.sync(date(2025, 7, 5))
    assert place.shown() == [shown]
    place.expand(JUNE, Backdated.PLAN)
    assert (place.planned, place.shown()) == (["06-10", "07-10"], [])


def test_a_rule_that_was_gone_and_missed_nothing_is_planned_as_before_and_nothing_is_shown(lite_days):
    place = lite_days(rule())
    place.sync(date(2025, 6, 9), NO_RULES)
    place.sync(date(2025, 6, 11), company(rule()))
    assert (place.planned, place.shown()) == (["06-10"], [])
    place.issue(date(2025, 6, 11))
    place.sync(date(2025, 7, 1))
    assert (place.planned, place.parked, place.shown()) == (["07-10"], [], [])
    assert place.ctx.audit.trail("rule", 1) == []
    assert place.shown(FindingKind.TERMS_CHANGED) == []


def test_a_rule_that_is_back_with_another_day_lost_nothing_unseen(lite_days):
    place = lite_days(rule())
    place.sync(date(2025, 6, 9), NO_RULES)
    place.ctx.closings.record(JUNE.start, closed=True, report=CLOSED, held=(), at=place.ctx.clock())
    place.sync(date(2025, 7, 1))
    place.sync(date(2025, 7, 4), company(rule(init_date="2025-01-20")))
    (shown,) = place.shown()
    assert shown.startswith("contract 10, rule 1, period 2025-06-20: nobody bills 06/2025 (R$ ")
    assert place.planned == ["07-20"]


def test_a_competence_month_that_falls_between_is_shown(lite_days):
    place = lite_days(rule(timing={"accrual_month_quantity": "previous_month"}))
    place.issue(date(2025, 6, 10))
    place.sync(date(2025, 6, 15), company(rule()))
    (shown,) = place.shown()
    assert shown.startswith("contract 10, rule 1: nobody bills 06/2025; ")


def test_months_before_a_new_rule_was_seen_are_shown_and_not_planned(lite_days):
    place = lite_days(rule())
    place.sync(date(2025, 8, 1))
    place.sync(date(2025, 8, 5), company(rule(), rule(2, init_date="2025-06-10", description="Visita")))
    assert place.planned == ["06-10", "07-10", "08-10", "08-10"]
    shown = place.shown(FindingKind.BACKDATED)
    assert [message.split(":")[0] for message in shown] == [
        "contract 10, rule 2, period 2025-06-10", "contract 10, rule 2, period 2025-07-10",
    ]  # fmt: skip


def test_a_rule_made_anew_continues_the_one_that_is_gone(lite_days):
    place = lite_days(rule(1))
    place.issue(date(2025, 6, 10))
    anew = rule(2, init_date="2025-06-20", description="Mensalidade 1")
    place.sync(date(2025, 6, 15), company(anew))
    assert (place.planned, place.parked) == ([], ["06-20"])
    place.sync(date(2025, 7, 1))
    assert place.planned == ["07-20"]


def test_a_rule_made_anew_within_the_last_month_of_the_one_before_does_not_bill_that_month_again(lite_days):
    ending = rule(timing={"end_date": "2025-06-30"})
    place = lite_days(ending)
    place.issue(date(2025, 6, 10))
    anew = rule(2, init_date="2025-06-15", gross_value="180.0", description="Mensalidade 1")
    place.sync(date(2025, 6, 12), company(ending, anew))
    assert (place.planned, place.parked) == ([], ["06-15"])


def test_two_rules_side_by_side_do_not_follow_one_another(lite_days):
    place = lite_days(rule(1), rule(2, init_date="2025-01-20", description="Mensalidade 1"))
    place.issue(date(2025, 6, 20))
    place.sync(date(2025, 7, 1), company(rule(2, init_date="2025-01-20", description="Mensalidade 1")))
    assert (place.planned, place.parked) == (["07-20"], [])


@pytest.mark.parametrize("kind", ["html_page", "error_before"])
def test_a_contract_that_cannot_be_read_is_left_as_it_is_and_nothing_of_it_is_claimed(lite_days, kind):
    place = lite_days(rule(1, 10), rule(2, 11))
    place.box.faults([{"kind": kind, "method": "GET", "path": "contracts/10/invoice_rules$"}])
    assert place.issue(date(2025, 6, 10)).created == 1
    assert [p.contract_id for p in place.ctx.periods.in_state(PeriodState.PLANNED)] == [10]
    place.box.faults([])
    assert place.issue(date(2025, 6, 11)).created == 1


def test_reading_before_issuing_costs_one_request_a_contract_due(lite_days):
    place = lite_days(*[rule(number, 10 + number) for number in range(1, 21)], rule(21, 99, init_date="2025-01-25"))
    place.at(date(2025, 6, 10))
    before = len(place.box.requests(path="invoice_rules$"))
    assert place.issue(date(2025, 6, 10)).created == 20
    assert len(place.box.requests(path="invoice_rules$")) - before == 20


def test_a_budget_reads_those_that_were_not_read_for_longest(lite_days):
    place = lite_days(*[rule(number, 10 + number) for number in range(1, 10)])
    read = []
    for day in (5, 6, 7):
        place.at(date(2025, 6, day))
        before = len(place.box.requests(path="invoice_rules$"))
        sync_contracts(place.ctx, today=date(2025, 6, day), read_within_days=3)
        asked = place.box.requests(path="invoice_rules$")[before:]
        read.append(sorted(int(each["path"].split("/")[4]) for each in asked))
    assert sorted(contract_id for each in read for contract_id in each) == list(range(11, 20))


def test_the_open_months_end_with_the_one_that_was_expanded(lite_days):
    place = lite_days(rule())
    assert open_window(place.ctx, date(2025, 7, 1)) == JUNE
    assert open_window(place.ctx, date(2025, 7, 2)) == DateRange(date(2025, 6, 1), date(2025, 8, 1))
