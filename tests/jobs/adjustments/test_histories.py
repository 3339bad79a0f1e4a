"""Random histories: the invoice is the rule ± its adjustments to the cent, each used once, whatever breaks in between.

Created invoices and those that the vendor made, adjustments of every kind before and after the invoice is there, by
hand and by a file that comes late and twice, rules that wait for quantities or get other lead days, differences
that are billed by themselves, faults of every kind on POST and PATCH, kills between any two steps of the protocol.
"""

import csv
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from ciclo.domain.adjustments import AdjustmentKind, Bill, BilledLine, adjusted, marks_in
from ciclo.domain.recurrence import DateRange
from ciclo.failpoints import POINTS
from ciclo.jobs.adjustments import bill_complements, correct_invoices
from ciclo.jobs.adjustments.files import read_adjustments
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.ahead import follow_ahead, scopes_ahead
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import AdjustmentsRefused, NewAdjustment, add_adjustments, bill_complement, set_rule
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, AdjustmentRepository, Scope
from ciclo.ledger.tables import Adjustment, AdjustmentUse, Base, Invoice, Period
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
    """The company of these tests, with people who adjust its periods. Its day moves from January to March."""

    folder = None

    def __post_init__(self):
        services = [service(1, "100.0"), service(2, "0.05", units="1000.0")]
        timing = {"end_date": "2025-12-31"}
        rules = [rule(1, 10, services=services), rule(2, 11), rule(3, 12, created_at=MADE)]
        for each in rules:
            each["additional_information"].update(timing)
        super().__post_init__()
        self.vendor.shut_down()
        with self._session() as session:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(table.delete())
            session.commit()
        self.vendor = SimulatedVendor(self.clock, company(*rules, invoices=[made_by_the_vendor(m) for m in MONTHS]))
        self.day = date(2025, 1, 31)
        self._run(_expand, ())

    def issue(self, *script):
        window = Scope(DateRange.days(WINDOW.window.start, self.day))

        def job(ctx, owner):
            bill_complements(ctx, window, self.options)
            settle(ctx, window, self.options)
            adopt_existing(ctx, window, self.options, owner=owner)
            scopes = [window, *scopes_ahead(ctx, window, day=self.day), Scope(DateRange.days(TODAY, TODAY))]
            for scope in scopes:
                issue_due_periods(ctx, scope, self.options, owner=owner)
            correct_invoices(ctx, window, self.options)
            follow_ahead(ctx, window, self.options)
            for scope in scopes:
                finish_issuing(ctx, scope, self.options, owner=f"{owner}/finish")
            correct_invoices(ctx, window, self.options)

        self._run(job, script)

    def next_month(self):
        self.day = min(WINDOW.window.last_day, self.day + timedelta(days=30))

    def adjust(self, *wanted, origin="test"):
        with self._session() as session:
            try:
                add_adjustments(session, ORGANIZATION, wanted, origin=origin, person="ana", at=self.clock())
                session.commit()
            except AdjustmentsRefused:
                session.rollback()

    def from_a_file(self, *wanted):
        """Import what a file says, twice."""
        path = self.folder / "late.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["kind", "rule_id", "period", *VALUES, "key"])
            for each in wanted:
                values = [getattr(each, name) if getattr(each, name) is not None else "" for name in VALUES]
                writer.writerow([each.kind.value, each.rule_id, each.period, *values, each.key])
        for _ in range(2):
            with path.open("rb") as file:
                self.adjust(*read_adjustments(file), origin="file")

    def set_rule(self, rule_id, waits, lead_days):
        with self._session() as session:
            set_rule(session, ORGANIZATION, rule_id, person="ana", at=self.clock(), waits_for_quantities=waits,
                     lead_days=lead_days)  # fmt: skip
            session.commit()

    def supply(self):
        """Bring what periods wait for."""
        with self._session() as session:
            waiting = session.scalars(select(Period).where(Period.state == "waiting")).all()
        for period in waiting:
            measured = new(AdjustmentKind.QUANTITY, 0, period.rule_id, period.issue_date.month, 77)
            self.adjust(replace(measured, key=f"measured {period.id}"))

    def find_short(self, rule_id, month):
        """Let an invoice be issued with R$ 30 too little, and a person bill them by themselves."""
        with self._session() as session:
            query = select(Period).where(Period.rule_id == rule_id, Period.issue_date == date(2025, month, 10))
            period = session.scalars(query).one()
            invoice = session.get(Invoice, (ORGANIZATION, period.invoice_id or 0))
            if period.state != "issued" or invoice is None:
                return
            invoice.state, invoice.gross_value = "to_receive", invoice.gross_value - 30
            session.flush()
            bill_complement(session, ORGANIZATION, period.id, person="ana", note="agreed", at=self.clock())
            session.commit()

    def check(self, *, over=False):
        living = [each for each in self.vendor.resources("invoices") if each["state"] != "cancelled"]
        own = [each for each in living if each["description"].startswith("Diferença")]
        living = [each for each in living if each not in own]
        billed = Counter((each["contract_id"], each["estimated_issue_date"]) for each in living)
        assert all(number == 1 for number in billed.values()), f"billed twice: {billed}"
        for invoice in living:
            marks = [mark for line in invoice["services"] for mark in marks_in(line["description"])]
            assert len(marks) == len(set(marks)), f"a line was added twice: {invoice}"
        titles = [each["additional_information"]["title"] for each in self.vendor.resources("invoice_rules")]
        marks = Counter(mark for title in titles for mark in marks_in(title))
        assert all(number == 1 for number in marks.values()), f"a difference has two rules: {marks}"
        with self._session() as session:
            differences = session.scalars(select(Adjustment).where(Adjustment.origin == "complement")).all()
        assert len(own) <= len(differences), "a difference was billed twice"
        if not over:
            return
        assert sorted(Decimal(each["gross_value"]) for each in own) == sorted(row.unit_value for row in differences)
        assert {row.state for row in differences} <= {"used"}
        with self._session() as session:
            periods = session.scalars(select(Period).where(Period.issue_date < WINDOW.window.end)).all()
            ahead = session.scalars(select(Period.invoice_id).where(Period.issue_date >= WINDOW.window.end)).all()
            repository = AdjustmentRepository(session, ORGANIZATION, Actor())
            of_rules = repository.of_rules(RULES)
            uses = Counter((use.adjustment_id, use.state) for use in session.scalars(select(AdjustmentUse)))
        assert len(periods) == 9
        by_id = {each["id"]: Decimal(each["gross_value"]) for each in living if each["id"] not in ahead}
        for period in periods:
            known = [k.adjustment for k in of_rules.get(period.rule_id, ()) if k.is_for(period.issue_date)]
            mine = [each for each in known if each.kind is not AdjustmentKind.SKIP]
            if len(mine) < len(known):
                assert period.state == "cancelled", (period.rule_id, period.state, period.reason)
                assert not any(uses[each.id, "used"] for each in mine)
                continue
            assert period.state == "issued", (period.rule_id, period.state, period.reason)
            wanted = adjusted(RULES[period.rule_id], mine, DateRange.month_of(period.issue_date)).total
            assert by_id.pop(period.invoice_id) == wanted, (period.rule_id, mine)
            assert all(uses[each.id, "used"] == 1 for each in mine)
        assert set(by_id) <= {900 + month for month in MONTHS}, "a skipped period has an invoice that Ciclo made"
        assert {state for _, state in uses} <= {"used"}


VALUES = ("service", "quantity", "unit_value", "amount", "percent", "first_day", "last_day", "description")


def _expand(ctx, _owner):
    read_contract_list(ctx)
    expand_rules(ctx, WINDOW, seen_on=TODAY)


def new(kind, number, rule_id, month, value):
    day = date(2025, month, 10)
    given = {
        _K.QUANTITY: {"service": "2", "quantity": Decimal(value)},
        _K.UNIT_VALUE: {"service": "2", "unit_value": Decimal(value) / 100},
        _K.LINE: {"unit_value": Decimal(value), "description": "Visita"},
        _K.DISCOUNT: {"percent": Decimal(value % 40 + 1)},
        _K.REPLACE: {"amount": Decimal(value + 100)},
        _K.PRORATE: {"first_day": day.replace(day=1 + value % 20), "last_day": day.replace(day=25)},
        _K.SKIP: {},
    }[kind]
    return NewAdjustment(kind=kind, rule_id=rule_id, period=day, key=f"{number}", **given)


_K = AdjustmentKind
KINDS_OF_ADJUSTMENTS = [_K.QUANTITY, _K.LINE, _K.LINE, _K.DISCOUNT, _K.UNIT_VALUE, _K.REPLACE, _K.PRORATE, _K.SKIP]
ADJUSTMENTS = st.tuples(
    st.sampled_from(KINDS_OF_ADJUSTMENTS),
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
    st.tuples(st.just("file"), st.lists(ADJUSTMENTS, min_size=1, max_size=3)),
    st.tuples(st.just("rule"), st.tuples(st.sampled_from([1, 2]), st.booleans(), st.sampled_from([None, 15, 45]))),
    st.tuples(st.just("issue"), CRASHES),
    st.tuples(st.just("issue"), CRASHES),
    st.tuples(st.just("issue"), CRASHES),
    st.tuples(
        st.just("fault"),
        st.tuples(st.sampled_from(["PATCH", "PATCH", "POST"]), st.sampled_from([*KINDS, "late_commit"])),
    ),
    st.tuples(st.just("wait"), st.sampled_from([1, 6, 16])),
    st.tuples(st.just("month"), st.none()),
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    from ledgers import migrate

    url = f"sqlite:///{tmp_path_factory.mktemp('histories') / 'ledger.db'}"
    migrate(url)
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


HISTORIES = st.lists(STEPS, min_size=6, max_size=14)
FEW = settings(max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@FEW
@given(HISTORIES)
def test_every_created_invoice_is_its_rule_and_its_adjustments_each_once_whatever_breaks(ledger, folder, steps):
    play(ledger, steps, invoiced=False, folder=folder)


@FEW
@given(HISTORIES)
def test_every_adopted_invoice_is_its_rule_and_its_adjustments_each_once_whatever_breaks(ledger, folder, steps):
    play(ledger, steps, invoiced=True, folder=folder)


SHORT = ("short", (2, 1))
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_difference_whose_rule_goes_wrong_is_billed_once(ledger, kind):
    steps = [SHORT, ("fault", ("POST", kind)), ("issue", []), ("issue", []), ("wait", 16)]
    play(ledger, steps, invoiced=True)


@pytest.mark.parametrize("point", ["adjust.begun", "adjust.created", *(n for n in NAMES if n.startswith("issue"))])
def test_a_difference_whose_billing_is_killed_is_billed_once(ledger, point):
    killed = ("issue", [Interruption(point, 1, None)])
    play(ledger, [SHORT, killed, ("issue", []), ("wait", 6), killed, ("issue", []), ("wait", 16)], invoiced=True)


def play(ledger, steps, *, invoiced, folder=None):
    """Play a history to its end, and check it at every step."""
    billing, faults = Adjusting(ledger), []
    billing.folder = folder
    if invoiced:
        billing.day = WINDOW.window.last_day
        billing.issue()

    def next_fault(request):
        fault = next((each for each in faults if each[0] == request.method), None)
        if fault is not None:
            faults.remove(fault)
        return fault[1] if fault else None

    acts = {
        "adjust": lambda given: billing.adjust(new(*given)),
        "file": lambda given: billing.from_a_file(*(new(*each) for each in given)),
        "rule": lambda given: billing.set_rule(*given),
        "short": lambda given: billing.find_short(*given),
        "issue": lambda given: billing.issue(*given),
        "month": lambda _given: billing.next_month(),
        "fault": faults.append,
        "wait": billing.pass_time,
    }
    billing.vendor.going_wrong = next_fault
    try:
        for what, given_ in steps:
            acts[what](given_)
            billing.check()
        billing.vendor.going_wrong = lambda _request: None
        billing.day = WINDOW.window.last_day
        for _ in range(5):
            billing.pass_time(20)
            billing.release_parked()
            billing.supply()
            billing.issue()
        billing.check(over=True)
    finally:
        billing.vendor.shut_down()
