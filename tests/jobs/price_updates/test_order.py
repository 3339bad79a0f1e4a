"""The order of Dags does not matter: updates and issues of a year, in any order, give the same invoices."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ciclo.domain.calendar import add_days, month_end
from ciclo.domain.price_index import accumulate, price_index, window
from ciclo.sgs.series import shipped_series
from ciclo_sandbox.testing import running_sandbox
from company import TODAY, company, rule, scheduled_update, service

NEW_YEAR, LAST = date(2025, 1, 1), date(2025, 12, 31)
MONTHS = [date(2025, month, 1) for month in range(1, 13)]
INDICES = ["igpm", "ipca", "igpdi", "inpc", "ipcfipe"]

prices = st.integers(100, 5_000_000).map(lambda cents: Decimal(cents).scaleb(-2))
units = st.sampled_from(["1.0", "2.5", "3.0", "0.33"])


@st.composite
def rules(draw):
    """A rule that begins in 2024 with up to three services, and up to two updates that execute in 2025."""
    items = draw(st.integers(0, 3))
    lines = [service(30 + n, f"{draw(prices):f}", units=draw(units), item=n) for n in range(1, items + 1)]
    targets = draw(st.lists(st.sampled_from([None, *range(1, items + 1)]), max_size=2, unique=True))
    indices = draw(st.lists(st.sampled_from(INDICES), min_size=2, max_size=2, unique=True))  # no month counts twice
    updates = [
        scheduled_update(
            500 + number,
            init_date=add_days(NEW_YEAR, draw(st.integers(0, 364))).isoformat(),
            price_index=indices[number],
            month_quantity=draw(st.sampled_from([3, 6, 12])),
            service_item_id=target,
        )
        for number, target in enumerate(targets)
    ]
    return rule(
        init_date=add_days(date(2024, 1, 1), draw(st.integers(0, 365))).isoformat(),
        timing={"month_quantity": draw(st.sampled_from([1, 2, 3]))},
        gross_value=f"{draw(prices):f}",
        services=lines,
        scheduled_updates=updates,
        apply_negative_updates=draw(st.booleans()),
    )


steps = st.lists(
    st.one_of(
        st.tuples(st.just("expand"), st.sampled_from(MONTHS)),
        st.tuples(st.just("apply"), st.integers(0, 364).map(lambda days: add_days(NEW_YEAR, days))),
        st.tuples(st.just("issue"), st.sampled_from(MONTHS)),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def box():
    with running_sandbox(today=TODAY) as running:
        yield running


def bill_in_order(run, order):
    for step, day in order:
        getattr(run, step)(*((day,) if step == "apply" else (day, month_end(day))))
    run.expand()
    run.apply()
    run.issue()


def billed_in_full(run):
    invoices = run.sandbox.state()["invoices"]
    return sorted(
        (
            invoice["issue_date"],
            Decimal(invoice["gross_value"]),
            tuple((line["units"], Decimal(line["unit_value"])) for line in invoice["services"]),
        )
        for invoice in invoices
    )


def expected(state):
    """What the rule should bill, computed day by day without any of the jobs."""
    timing = state["additional_information"]
    first, every = date.fromisoformat(timing["init_date"]), timing["month_quantity"]
    now = {line["service_item_id"]: Decimal(line["unit_value"]) for line in state["services"]}
    now = now or {0: Decimal(state["gross_value"])}
    due = sorted(
        (day, update["id"], update)
        for update in state["scheduled_updates"]
        for day in repeated(date.fromisoformat(update["init_date"]), update["month_quantity"])
    )
    bills = []
    for day in repeated(first, every):
        while due and due[0][0] <= day:
            readjust(now, *due.pop(0), state["apply_negative_updates"])
        if day >= NEW_YEAR:
            bills.append((day.strftime("%d/%m/%Y"), *bill(state, now)))
    return sorted(bills)


def repeated(first, months):
    days = (first + relativedelta(months=months * step) for step in range(60))
    return [day for day in days if day <= LAST]


def readjust(now, day, _number, update, apply_negative):
    index = price_index(update["price_index"])
    months = window(index, day, update["month_quantity"])
    result = accumulate(index, shipped_series()[index], months, apply_negative_updates=apply_negative)
    for item in now:
        if update["service_item_id"] in (None, item):
            with localcontext(prec=500):
                now[item] = rounded(now[item] * result.factor)


def bill(state, now):
    if not state["services"]:
        return now[0], ()
    lines = tuple((line["units"], now[line["service_item_id"]]) for line in state["services"])
    return sum((rounded(Decimal(amount) * price) for amount, price in lines), Decimal(0)), lines


def rounded(amount):
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(state=rules(), order=steps)
def test_any_order_of_expanding_updating_and_issuing_bills_the_same(box, billing_on, state, order):
    with billing_on(box, company(state)) as run:
        bill_in_order(run, order)

        assert billed_in_full(run) == expected(state)
        assert {execution.state for execution in run.executions()} <= {"applied"}
