"""A simulated year, day by day: customers pay, some late; invoices are cancelled, receipts undone, webhooks lost."""

import threading
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
import uvicorn
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.closing.close import close_month, require_closed
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.reconciliation.reconcile import reconcile, reconcile_touched
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import acknowledge_finding
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import MonthClosing, Receivable, WebhookEvent
from ciclo.webhooks import WebhookSettings, create_webhook_app
from company import ORGANIZATION, company, rule

KEY = "s3cret-of-the-year"
DAY = timedelta(days=1)
FIRST, LAST, PAID_UP = date(2025, 1, 1), date(2025, 12, 31), date(2026, 2, 20)
PAYMENTS = [
    {"share": 0.6, "days_after_due": 0},
    {"share": 0.2, "days_after_due": 9},
    {"share": 0.1, "days_after_due": 45},
]


@pytest.fixture
def receiver(sqlite_url):
    """The webhook receiver on a free port; yields its URL."""
    engine = open_engine(sqlite_url)
    app = create_webhook_app(
        settings=lambda: WebhookSettings(secret=SecretStr(KEY)), open_session=lambda: Session(engine)
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/billimatic"
    server.should_exit = True
    thread.join(10)
    engine.dispose()


class Year:
    """What Airflow would run, by the calendar."""

    def __init__(self, box, ctx, clock, reports):
        self.box, self.ctx, self.clock, self.reports = box, ctx, clock, reports
        self.attempts = []
        self.told = self.healed = 0
        """What webhooks told of, and what only the daily run found."""

    def live(self, day):
        self.clock.now = datetime.combine(day, time(15), UTC)
        self.box.set_clock(day)
        if day <= LAST:
            self._bill(day)
        self._people_act(day)
        self.told += reconcile_touched(self.ctx, today=day, recheck_days=400).changed
        self.healed += reconcile(self.ctx, today=day, recheck_days=400).changed
        self._know_of_cancellations()
        if day.day == 2 and day.year * 12 + day.month <= 2026 * 12 + 1 and day > FIRST + 5 * DAY:
            self.attempts.append(close_month(self.ctx, first_of_month(day - 5 * DAY), today=day, reports=self.reports))

    def _bill(self, day):
        if day.day == 1:
            read_contract_list(self.ctx)
            expand_rules(self.ctx, Scope(DateRange.month_of(day)), seen_on=day)
        scope = Scope(DateRange.days(day - 7 * DAY, day))
        adopt_existing(self.ctx, scope, IssueOptions(), owner=f"run {day}")
        issue_due_periods(self.ctx, scope, IssueOptions(concurrency=1), owner=f"run {day}")

    def _people_act(self, day):
        """Cancel an invoice every third week, bring it back a week later; undo a receipt every month."""
        if day.toordinal() % 21 == 0:
            self._act_on_newest("to_receive", lambda invoice: self.box.cancel(invoice["id"]))
        if day.toordinal() % 42 == 7:
            self._act_on_newest("cancelled", lambda invoice: self.box.undo_cancellation(invoice["id"]))
        if day.day == 20:
            self._act_on_newest("received", lambda invoice: self.box.undo_receival(invoice["receivables"][0]["id"]))

    def _know_of_cancellations(self):
        """A person takes on what was cancelled at the vendor: it is not billed again."""
        for finding in list(self.ctx.findings.open_of_kind(FindingKind.CANCELLED_REMOTELY).values()):
            acknowledge_finding(self.ctx.session, ORGANIZATION, finding.id, person="Ana", note="known", at=self.clock())
        self.ctx.session.commit()

    def _act_on_newest(self, state, act):
        found = [invoice for invoice in self.box.state()["invoices"] if invoice["state"] == state]
        if found:
            act(found[-1])


def ledgers_receivables(session):
    rows = session.scalars(select(Receivable).where(Receivable.gone_at.is_(None)))
    return {
        row.receivable_id: (row.state, row.due_date, row.gross_value, row.received_value, row.received_at)
        for row in rows
    }


def vendors_receivables(box):
    return {
        line["id"]: (
            line["state"],
            _day(line["due_date"]),
            Decimal(line["gross_value"]).quantize(Decimal("0.01")),
            None if line["received_value"] is None else Decimal(line["received_value"]).quantize(Decimal("0.01")),
            _day(line["received_at"]),
        )
        for invoice in box.state()["invoices"]
        for line in invoice["receivables"]
    }


def _day(text):
    return datetime.strptime(text, "%d/%m/%Y").date() if text else None  # noqa: DTZ007 - a calendar day has no zone


def test_after_a_year_ledger_and_vendor_agree_and_twelve_months_are_closed(
    sandbox, lite_job, clock, receiver, tmp_path
):
    rules = [
        rule(1, 10),
        rule(2, 11, init_date="2025-01-31", charge={"day_quantity": 15}, gross_value="99.90"),
        rule(3, 12, timing={"month_quantity": 3}, charge={"day_number": 5, "parcel_number": 3}, gross_value="1000.0"),
        rule(4, 13, timing={"accrual_month_quantity": "previous_month"}, init_date="2025-02-15"),
        rule(5, 14, timing={"end_date": "2025-06-30"}),
    ]
    box = sandbox(company(*rules, behaviour={"emit_on_issue_date": True, "payments": PAYMENTS, "seed": 7}))
    box.set_clock(FIRST)
    box.webhook(url=receiver, secret=KEY, lost=0.2)
    year = Year(box, lite_job(box), clock, tmp_path)

    day = FIRST
    while day <= PAID_UP:
        year.live(day)
        day += DAY
    reconcile(year.ctx, today=PAID_UP, recheck_days=400)

    require_closed(year.attempts)
    closed = year.ctx.session.execute(select(MonthClosing.billing_month, MonthClosing.closed).distinct())
    assert sorted(tuple(row) for row in closed) == [(date(2025, month, 1), True) for month in range(1, 13)]
    assert ledgers_receivables(year.ctx.session) == vendors_receivables(box)
    assert year.told > 0
    assert year.healed > 0
    outcomes = {delivery["outcome"] for delivery in box.deliveries()}
    assert outcomes == {"delivered", "lost"}
    assert year.ctx.session.query(WebhookEvent).count() > 50
