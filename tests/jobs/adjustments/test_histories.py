"""Random histories: the invoice is the rule ± its adjustments to the cent, each used once, whatever breaks in between.

Created invoices and those that the vendor made, adjustments before and after the invoice is there, faults of every kind
on POST and PATCH, kills between any two steps of the protocol.
"""

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from ciclo.domain.adjustments import AdjustmentKind, Bill, BilledLine, adjusted, marks_in
from ciclo.domain.recurrence import DateRange
from ciclo.failpoints import POINTS
from ciclo.jobs.adjustments import correct_invoices
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import AdjustmentsRefused, NewAdjustment, add_adjustments
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, AdjustmentRepository, Scope
from ciclo.ledger.tables import AdjustmentUse, Base, Period
from company import ORGANIZATION, TODAY, company, rule, service
from simulated_billing import Billing, Interruption
from simulated_vendor import KINDS, SimulatedVendor

MONTHS = (1, 2, 3)
WINDOW = Scope(DateRange.days(date(2025, 1, 1), date(2025, 3, 31)))
MADE = "01/12/2024 10:15:00 -03:00"
PLAN = Bill(
    lines=(
        BilledLine(key=1, service_item_id=1, name="Serviço 1", units=Decimal(1), unit_value=Decimal("100.00")),
        BilledLine(key=2, service_item_id=2, name="Serviço 2", units=Decimal(1000), unit_value=Decimal("0.05")),
    )
)
FLAT = Bill(flat=Decimal("150.00"))
RULES = {1: PLAN, 2: FLAT, 3: FLAT}
"""A metered rule and a flat one, whose invoices Ciclo makes, and a flat one whose invoices the vendor has made."""


def made_by_the_vendor(month):
    day = f"2025-{month:02}-10"
    return {
        "id": 900 + month, "contract_id": 12, "customer_id": 1012, "customer_type": "Company", "issue_date": day,
        "estimated_issue_date": day, "gross_value": "150.0", "description": "Mensalidade 3", "nfe_body": "$DESCRICAO",
        "state": "to_emit", "comments": None, "created_at": MADE,
        "receivables": [{"id": 9000 + month, "due_date": f"2025-{month + 1:02}-01", "value": "100.0"}],
    }  # fmt: skip


class Adjusting(Billing):
    """The company of these tests, with people who adjust its periods."""

    def __post_init__(self):
        services = [service(1, "100.0"), service(2, "0.05", units="1000.0")]
        rules = [rule(1, 10, services=services), rule(2, 11), rule(3, 12, created_at=MADE)]
        super().__post_init__()
        self.vendor.shut_down()
        with self._session() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(table.delete())
            session.commit()
        self.vendor = SimulatedVendor(self.clock, company(*rules, invoices=[made_by_the_vendor(m) for m in MONTHS]))
        self._run(_expand, ())

    def issue(self, *script):
        def job(ctx, owner):
            settle(ctx, WINDOW, self.options)
            adopt_existing(ctx, WINDOW, self.options, owner=owner)
            issue_due_periods(ctx, WINDOW, self.options, owner=owner)
            correct_invoices(ctx, WINDOW, self.options)
            finish_issuing(ctx, WINDOW, self.options, owner=f"{owner}/finish")
            correct_invoices(ctx, WINDOW, self.options)

        self._run(job, script)

    def adjust(self, wanted):
        with self._session() as session:
            try:
                add_adjustments(session, ORGANIZATION, [wanted], origin="test", person="ana", at=self.clock())
                session.commit()
            except AdjustmentsRefused:
                session.rollback()

    def check(self, *, over=False):
        living = [each for each in self.vendor.resources("invoices") if each["state"] != "cancelled"]
        billed = Counter((each["contract_id"], each["estimated_issue_date"]) for each in living)
        assert all(number == 1 for number in billed.values()), f"billed twice: {billed}"
        for invoice in living:
            marks = [mark for line in invoice["services"] for mark in marks_in(line["description"])]
            assert len(marks) == len(set(marks)), f"a line was added twice: {invoice}"
        if not over:
            return
        with self._session() as session:
            periods = session.scalars(select(Period).where(Period.issue_date < WINDOW.window.end)).all()
            assert [period.state for period in periods] == ["issued"] * 9
            of_rules = AdjustmentRepository(session, ORGANIZATION, Actor()).of_rules(RULES)
            uses = Counter((use.adjustment_id, use.state) for use in session.scalars(select(AdjustmentUse)))
        by_id = {invoice["id"]: Decimal(invoice["gross_value"]) for invoice in living}
        for period in periods:
            mine = [k.adjustment for k in of_rules.get(period.rule_id, ()) if k.is_for(period.issue_date)]
            wanted = adjusted(RULES[period.rule_id], mine, DateRange.month_of(period.issue_date)).total
            assert by_id[period.invoice_id] == wanted == period.gross_value, (period.rule_id, mine)
            assert all(uses[each.id, "used"] == 1 for each in mine)
        assert len(by_id) == 9
        assert {state for _, state in uses} <= {"used"}


def _expand(ctx, _owner):
    read_contract_list(ctx)
    expand_rules(ctx, WINDOW, seen_on=TODAY)


def new(kind, number, rule_id, month, value):
    given = {
        AdjustmentKind.QUANTITY: {"service": "2", "quantity": Decimal(value)},
        AdjustmentKind.LINE: {"unit_value": Decimal(value), "description": "Visita"},
        AdjustmentKind.DISCOUNT: {"percent": Decimal(value % 40 + 1)},
    }[kind]
    return NewAdjustment(kind=kind, rule_id=rule_id, period=date(2025, month, 10), key=f"{number}", **given)


ADJUSTMENTS = st.tuples(
    st.sampled_from([AdjustmentKind.QUANTITY, AdjustmentKind.LINE, AdjustmentKind.LINE, AdjustmentKind.DISCOUNT]),
    st.integers(1, 10**6),
    st.sampled_from([1, 1, 2, 3]),
    st.sampled_from(MONTHS),
    st.integers(1, 2000),
)
NAMES = sorted(name for name in POINTS if name.startswith(("issue", "adjust", "adopt", "settle", "stamp", "finish")))
CRASHES = st.lists(st.builds(Interruption, st.sampled_from(NAMES), st.sampled_from([1, 1, 2]), st.none()), max_size=2)
STEPS = st.one_of(
    st.tuples(st.just("adjust"), ADJUSTMENTS),
    st.tuples(st.just("adjust"), ADJUSTMENTS),
    st.tuples(st.just("issue"), CRASHES),
    st.tuples(st.just("issue"), CRASHES),
    st.tuples(
        st.just("fault"),
        st.tuples(st.sampled_from(["PATCH", "PATCH", "POST"]), st.sampled_from([*KINDS, "late_commit"])),
    ),
    st.tuples(st.just("wait"), st.sampled_from([1, 6, 16])),
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    from ledgers import migrate

    url = f"sqlite:///{tmp_path_factory.mktemp('histories') / 'ledger.db'}"
    migrate(url)
    engine = open_engine(url)
    yield engine
    engine.dispose()


@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.booleans(), st.lists(STEPS, min_size=6, max_size=16))
def test_every_invoice_is_its_rule_and_its_adjustments_each_once_whatever_breaks(ledger, invoiced, steps):
    play(ledger, steps, invoiced=invoiced)


LINE = ("adjust", (AdjustmentKind.LINE, 1, 1, 1, 50))
OF_CORRECTING = [name for name in NAMES if name.startswith("adjust")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_whose_correction_goes_wrong_is_there_once(ledger, kind):
    steps = [LINE, ("fault", ("PATCH", kind)), ("issue", []), ("issue", []), ("wait", 16)]
    play(ledger, steps, invoiced=True)


@pytest.mark.parametrize("point", OF_CORRECTING)
def test_a_line_whose_correction_is_killed_is_there_once(ledger, point):
    killed = ("issue", [Interruption(point, 1, None)])
    play(ledger, [LINE, killed, ("issue", []), ("wait", 6), ("issue", []), ("wait", 16)], invoiced=True)


def play(ledger, steps, *, invoiced):
    """Play a history to its end, and check it at every step."""
    billing, faults = Adjusting(ledger), []
    if invoiced:
        billing.issue()

    def next_fault(request):
        fault = next((each for each in faults if each[0] == request.method), None)
        if fault is not None:
            faults.remove(fault)
        return fault[1] if fault else None

    billing.vendor.going_wrong = next_fault
    try:
        for what, given_ in steps:
            match what:
                case "adjust":
                    billing.adjust(new(*given_))
                case "issue":
                    billing.issue(*given_)
                case "fault":
                    faults.append(given_)
                case _:
                    billing.pass_time(given_)
            billing.check()
        billing.vendor.going_wrong = lambda _request: None
        for _ in range(5):
            billing.pass_time(20)
            billing.release_parked()
            billing.issue()
        billing.check(over=True)
    finally:
        billing.vendor.shut_down()
