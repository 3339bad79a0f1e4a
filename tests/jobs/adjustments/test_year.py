"""A year as business has it: quantities, a discount, part months, a pause, an invoice billed again; all is proved."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

from sqlalchemy import select

from ciclo.domain.adjustments import AdjustmentKind, Prorating
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.adjustments import correct_invoices
from ciclo.jobs.closing.close import close_month, months_of, refresh_rules
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.periods.plan import Backdated
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import NewAdjustment, add_adjustments, bill_again, set_policy, set_rule
from ciclo.ledger.tables import AdjustmentUse, Period
from company import ORGANIZATION, TODAY, YEAR, company, contract, rule, service

OPTIONS = IssueOptions(concurrency=1)
_K = AdjustmentKind
MESSAGES = {month: 1000 + 37 * month for month in range(1, 13)}
METERED, PART, PAUSED = 1, 2, 3


def bill(ctx):
    expand_rules(ctx, YEAR, seen_on=TODAY, backdated=Backdated.PLAN)
    issue_due_periods(ctx, YEAR, OPTIONS, owner="run")
    return correct_invoices(ctx, YEAR, OPTIONS)


def billed(box):
    """By rule, month and total of the invoices that are alive: the reference in their remarks names rule and day."""
    found = defaultdict(dict)
    for invoice in box.state()["invoices"]:
        if invoice["state"] != "cancelled":
            _ciclo, _organization, number, day = invoice["comments"].split("\n")[0].split(":")[:4]
            assert int(day[5:7]) not in found[int(number)], f"rule {number} has two invoices of {day}"
            found[int(number)][int(day[5:7])] = Decimal(invoice["gross_value"])
    return found


def test_a_year_of_what_differs_is_billed_to_the_cent_each_once_and_closes(sandbox, lite_job):
    before, lines = "2024-01-10", [service(1, "100.0"), service(2, "0.05", units="1000.0")]
    rules = [
        rule(METERED, services=lines, gross_value="150.0", init_date=before),
        rule(PART, 11, gross_value="310.0"),
        rule(PAUSED, 12, gross_value="200.0", init_date=before),
    ]
    part = {"init_date": "2025-01-16", "end_date": "2025-12-15"}
    box = sandbox(company(*rules, contracts=[contract(10), contract(11, **part), contract(12)]))
    ctx = lite_job(box)
    read_contract_list(ctx)
    set_policy(ctx.session, ORGANIZATION, Prorating.ALWAYS, person="ana", at=ctx.clock())
    ctx.session.commit()
    expand_rules(ctx, YEAR, seen_on=TODAY, backdated=Backdated.PLAN)
    set_rule(ctx.session, ORGANIZATION, METERED, person="ana", at=ctx.clock(), waits_for_quantities=True)
    measured = [
        NewAdjustment(
            kind=_K.QUANTITY, rule_id=METERED, period=date(2025, month, 1), service="2", quantity=Decimal(number)
        )
        for month, number in MESSAGES.items()
    ]
    differing = [
        *measured[:11],
        NewAdjustment(kind=_K.SKIP, contract_id=12, from_date=date(2025, 7, 1), to_date=date(2025, 8, 31), note="obra"),
    ]
    add_adjustments(ctx.session, ORGANIZATION, differing, origin="metering", person="ana", at=ctx.clock())
    ctx.session.commit()
    bill(ctx)
    assert 12 not in billed(box)[METERED], "it waits for its quantities"
    late = [measured[11], NewAdjustment(kind=_K.DISCOUNT, rule_id=PAUSED, period=date(2025, 5, 1), percent=Decimal(10))]
    add_adjustments(ctx.session, ORGANIZATION, late, origin="metering", person="ana", at=ctx.clock())
    ctx.session.commit()
    assert bill(ctx).corrected == 1, "the discount came after its invoice was made"

    october = ctx.session.scalars(
        select(Period).where(Period.rule_id == PAUSED, Period.issue_date == date(2025, 10, 10))
    ).one()
    box.cancel(october.invoice_id)
    reconcile(ctx, today=TODAY, recheck_days=400)
    bill_again(ctx.session, ORGANIZATION, october.id, person="ana", note="wrong CNPJ", at=ctx.clock())
    ctx.session.commit()
    bill(ctx)
    bill(ctx)

    found = billed(box)
    whole = dict.fromkeys(range(1, 13), Decimal(310))
    paused = {month: Decimal(200) for month in range(1, 13) if month not in (7, 8)}
    assert found[METERED] == {month: 100 + Decimal(number) * 5 / 100 for month, number in MESSAGES.items()}
    assert found[PART] == whole | {1: Decimal(160), 12: Decimal(150)}  # 16 and 15 of 31 days
    assert found[PAUSED] == paused | {5: Decimal(180)}
    uses = ctx.session.scalars(select(AdjustmentUse)).all()
    assert {use.state for use in uses} == {"used"}
    assert len(uses) == len({use.adjustment_id for use in uses}) == 12 + 2 + 1
    for month in months_of(DateRange(date(2025, 1, 1), date(2026, 1, 1))):
        refresh_rules(ctx, DateRange.month_of(month), seen_on=TODAY)
        attempt = close_month(ctx, month, today=TODAY, reports=None)
        assert attempt.closed, attempt.report.lines()
