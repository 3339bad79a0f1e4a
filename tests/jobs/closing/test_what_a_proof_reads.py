"""A month is proved by those contracts and rules alone of which something may be in it, and says what all would say."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from itertools import count
from operator import itemgetter
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import add_days
from ciclo.domain.due_dates import Charge, ChargeType
from ciclo.domain.recurrence import AccrualMonth, DateRange, PeriodUnit, Recurrence
from ciclo.jobs.closing.proof import Verdict, prove_month
from ciclo.jobs.context import JobContext
from ciclo.ledger.repositories import Actor
from ciclo.ledger.repositories.closings import ClosingRepository
from ciclo.ledger.tables import Contract, ContractState, Invoice, Period, Receivable, Rule, RuleVersion
from ciclo.ledger.terms import RuleTerms
from factories import NOON, ORGANIZATION, period_row

MARCH = DateRange.month_of(date(2025, 3, 1))
SO_FAR = DateRange(MARCH.start, date(2025, 3, 20))
LONG_AGO = date(2024, 1, 1)
DAYS = [date(2024, 12, 31), date(2025, 2, 28), *(date(2025, 3, day) for day in (1, 2, 10, 19, 20, 31)),
        date(2025, 4, 1), date(2025, 4, 2)]  # fmt: skip
"""A month's and a running month's first and last days, and those beside them."""
INSTANTS = [datetime(day.year, day.month, day.day, *at, tzinfo=UTC) for day in DAYS for at in ((2, 59), (3,))]
"""Just before and at the beginning of each day in São Paulo."""


class WholeLedger(ClosingRepository):
    """What a month was proved from before it was chosen: every rule of every contract."""

    def rules_by_contract(self, window, contract_ids=(), *, inactive):  # noqa: ARG002
        mine = self._session.scalars(select(Rule).where(Rule.organization_id == self._organization_id)).all()
        found = {each.contract_id: [] for each in self._planned(window)}
        for rule in mine:
            found.setdefault(rule.contract_id, []).append(rule.rule_id)
        yield from ((each, found[each]) for each in sorted(found) if not contract_ids or each in contract_ids)

    def invoices_of_no_period(self, window, contract_ids):
        planned = [each for each in self._planned(window) if each.contract_id in contract_ids]
        return [each for each in planned if each.gone_at is None and each.period_id is None]

    def _planned(self, window):
        query = select(Invoice).where(Invoice.organization_id == self._organization_id)
        return [each for each in self._session.scalars(query) if each.planned_date in window]


class WholeContext(JobContext):
    @cached_property
    def closings(self):
        return WholeLedger(self.session, self.organization_id, self.actor)


def context(session, kind=JobContext):
    return kind(SimpleNamespace(organization_id=ORGANIZATION), session, Actor(person="tests"), lambda: NOON)


# -- ledgers -----------------------------------------------------------------------------------------------------------

SEEN = {"first_seen_at": NOON, "seen_at": NOON}


def terms(init_date, end_date, *, weekly=False):
    unit = PeriodUnit.WEEKLY if weekly else PeriodUnit.MONTHLY
    recurrence = Recurrence(init_date, unit, None if weekly else 1, end_date)
    charge = Charge(ChargeType.FIXED_DAY, day_number=1)
    return RuleTerms(recurrence, charge, AccrualMonth.SAME_MONTH, (), apply_negative_updates=False, invoice={})


def add(session, table, **row):
    session.execute(insert(table), [{"organization_id": ORGANIZATION, **row}])


def add_contract(session, contract_id, *, states=(), is_gone=False):
    """Add a contract with stretches: from which day on it was seen in which state."""
    state = states[-1][1] if states else "active"
    add(session, Contract, contract_id=contract_id, name=f"Contrato {contract_id}", state=state, payload={},
        gone_at=NOON if is_gone else None, **SEEN)  # fmt: skip
    ends = [day for day, _ in states[1:]] + [None]
    for (day, seen), end in zip(states, ends, strict=False):
        add(session, ContractState, contract_id=contract_id, from_date=day, to_date=end, state=seen,
            first_seen_at=NOON, last_seen_at=NOON)  # fmt: skip


def add_rule(session, rule_id, contract_id, *, versions=((LONG_AGO, None, False),), gone_at=None, new_since=None):
    """Add a rule that issues on the 1st or on Mondays. Versions of its terms: from when on, until when, if weekly."""
    numbered = list(enumerate(versions, 1))
    for number, (day, end_date, weekly) in numbered:
        document = terms(LONG_AGO, end_date, weekly=weekly).document()
        add(session, RuleVersion, rule_id=rule_id, version=number, effective_from=day, terms=document,
            terms_hash=f"{number}", payload={}, seen_at=NOON, last_seen_at=NOON)  # fmt: skip
    add(session, Rule, rule_id=rule_id, contract_id=contract_id, title=f"Regra {rule_id}", version=len(numbered),
        init_date=LONG_AGO, end_date=versions[-1][1], payload={}, new_since=new_since, seen_on=DAYS[0],
        gone_at=gone_at, **SEEN)  # fmt: skip


def add_invoice(session, number, contract_id, planned, *, period_id=None, gone_at=None):
    common = {"invoice_id": number, "contract_id": contract_id, "gross_value": Decimal("150.00"), **SEEN}
    add(session, Invoice, **common, period_id=period_id, issue_date=planned, planned_date=planned, state="to_receive",
        adopted=False, gone_at=gone_at)  # fmt: skip
    add(session, Receivable, **common, receivable_id=number, issue_date=planned, due_date=add_days(planned, 9),
        percentage=Decimal(100), state="received")  # fmt: skip


def add_period(session, rule_id, contract_id, day, state, numbers):
    number = next(numbers) if state == "issued" else None
    identity = {"rule_id": rule_id, "contract_id": contract_id, "issue_date": day}
    changed_at = datetime(2025, 3, 12, 12, tzinfo=UTC)
    period = Period(**period_row(**identity, state=state, invoice_id=number, changed_at=changed_at))
    session.add(period)
    session.flush()
    if number is not None:
        add_invoice(session, number, contract_id, day, period_id=period.id)


def proofs(session, window, **chosen):
    """Return what a month comes to by what is chosen, and by all there is."""
    return [prove_month(context(session, kind), window, **chosen).lines for kind in (JobContext, WholeContext)]


MAYBE_ENDED = st.none() | st.sampled_from(DAYS)
STRETCHES = st.one_of(
    st.just({}),
    st.builds(lambda day: {LONG_AGO: "active", day: "inactive"}, st.sampled_from(DAYS)),
    st.builds(lambda day: {LONG_AGO: "inactive", day: "active"}, st.sampled_from(DAYS)),
    st.dictionaries(st.sampled_from(DAYS), st.sampled_from(["active", "inactive", "gone"]), max_size=3),
)
VERSIONS = st.tuples(st.sampled_from(DAYS), MAYBE_ENDED, st.booleans())
RULES = st.fixed_dictionaries(
    {
        "versions": st.lists(VERSIONS, min_size=1, max_size=3),
        "gone_at": st.none() | st.sampled_from(INSTANTS),
        "new_since": st.just(None) | MAYBE_ENDED,
    }
)
PERIODS = st.tuples(st.sampled_from(DAYS), st.sampled_from(["issued", "planned", "cancelled"]))
CONTRACTS = st.fixed_dictionaries(
    {
        "states": STRETCHES,
        "is_gone": st.booleans(),
        "rules": st.lists(
            st.tuples(RULES, st.just([]) | st.lists(PERIODS, max_size=2, unique_by=itemgetter(0))), max_size=2
        ),
        "invoices": st.lists(st.tuples(st.sampled_from(DAYS), st.none() | st.just(NOON)), max_size=1),
    }
)


@settings(
    max_examples=100, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(contracts=st.lists(CONTRACTS, min_size=1, max_size=4), window=st.sampled_from([MARCH, SO_FAR]))
def test_the_proof_says_what_it_says_of_all_rules(ledger_engine, contracts, window):
    numbers = count(1)
    with Session(ledger_engine) as session:
        for contract_id, contract in enumerate(contracts, 1):
            add_contract(session, contract_id, states=sorted(contract["states"].items()), is_gone=contract["is_gone"])
            for rule, periods in contract["rules"]:
                rule_id = next(numbers)
                add_rule(session, rule_id, contract_id, **rule)
                for day, state in periods:
                    add_period(session, rule_id, contract_id, day, state, numbers)
            for day, gone_at in contract["invoices"]:
                add_invoice(session, next(numbers), contract_id, day, gone_at=gone_at)
        for some in ((), (1, 3)):
            ours, whole = proofs(session, window, contract_ids=some)
            assert ours == whole
            ours, _ = proofs(session, window, contract_ids=some, with_pauses=False)
            assert list(ours) == [line for line in whole if line.verdict is not Verdict.PAUSED]
        session.rollback()


INACTIVE = {"states": [(LONG_AGO, "active"), (DAYS[1], "inactive")]}
ALL, NO_RULE, NOTHING = {1: [1]}, {1: []}, {}


@pytest.mark.parametrize(
    ("contract", "rule", "besides", "of_month", "of_running_month"),
    [
        pytest.param({}, {}, None, ALL, ALL, id="a rule that goes on"),
        pytest.param(INACTIVE, {}, None, ALL, NOTHING, id="a contract that ended before"),
        pytest.param({"states": [(MARCH.start, "gone")]}, {}, None, ALL, NOTHING, id="a contract gone on the first"),
        pytest.param({"states": [(DAYS[3], "inactive")]}, {}, None, ALL, ALL, id="a contract that ended in the month"),
        pytest.param({"states": [(DAYS[1], "inactive"), (DAYS[7], "active")]}, {}, None, ALL, ALL,
                     id="a contract that came alive on the last day"),
        pytest.param(INACTIVE, {}, "period", ALL, ALL, id="a period of a contract that ended"),
        pytest.param(INACTIVE, {}, "invoice", ALL, ALL, id="an invoice of a contract that ended"),
        pytest.param({}, {"gone_at": INSTANTS[4]}, None, NO_RULE, NO_RULE, id="a rule gone on the last day before"),
        pytest.param({}, {"gone_at": INSTANTS[6]}, None, ALL, ALL, id="a rule gone on the first"),
        pytest.param({}, {"versions": [(LONG_AGO, DAYS[1], False)]}, None, NO_RULE, NO_RULE,
                     id="a rule until the last day before"),
        pytest.param({}, {"versions": [(LONG_AGO, MARCH.start, False)]}, None, ALL, ALL, id="a rule until the first"),
        pytest.param({}, {"versions": [(LONG_AGO, None, False), (DAYS[3], DAYS[1], False)]}, None, ALL, ALL,
                     id="a rule whose end was read afterwards"),
        pytest.param({}, {"versions": [(LONG_AGO, None, False), (MARCH.start, DAYS[1], False)]}, None, NO_RULE, NO_RULE,
                     id="a rule whose end was read before"),
    ],
)  # fmt: skip
def test_what_calls_for_nothing_in_the_month_is_not_read(
    sqlite_session, contract, rule, besides, of_month, of_running_month
):
    add_contract(sqlite_session, 1, **contract)
    add_rule(sqlite_session, 1, 1, **rule)
    match besides:
        case "period":
            add_period(sqlite_session, 1, 1, DAYS[4], "cancelled", count(1))
        case "invoice":
            add_invoice(sqlite_session, 1, 1, DAYS[4])
    closings = context(sqlite_session).closings
    read = [dict(closings.rules_by_contract(MARCH, inactive=inactive)) for inactive in (True, False)]
    assert read == [of_month, of_running_month]


def test_a_line_holds_an_amount_once_and_a_day_is_one_of_all_lines(sqlite_session):
    """What is kept of a month is its lines: at 100,000 of them each object that they share is several megabytes."""
    add_contract(sqlite_session, 1)
    numbers = count(1)
    for rule_id in (1, 2):
        add_rule(sqlite_session, rule_id, 1)
        add_period(sqlite_session, rule_id, 1, MARCH.start, "issued", numbers)
    lines = prove_month(context(sqlite_session), MARCH).lines
    assert [(line.verdict, line.invoiced, line.received) for line in lines] == [
        (Verdict.BILLED, Decimal("150.00"), Decimal("150.00"))
    ] * 2
    names = ("issue_date", "state", "invoice_state", "invoiced", "received", "to_receive")
    assert [len({id(getattr(line, name)) for line in lines}) for name in names] == [1] * len(names)
    assert all(line.invoiced is line.received for line in lines)
