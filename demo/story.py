"""The acts of the demonstration in their order: bill, bill again, correct, collect, close, prove.

An act starts what a person would start, waits until it is done, and prints what came of it. People act at the vendor
through its API, in Ciclo through the console's actions; time passes by the vendor's clock.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Final

import httpx
from sqlalchemy.orm import Session

from ciclo.domain.receivables import AgeingBucket
from ciclo.domain.states import PeriodState
from ciclo.ledger.actions import release_period
from ciclo.ledger.database import open_engine
from ciclo.ledger.queries.months import Share
from demo.company import COLLECTED_BY, ORGANIZATION_ID, TOKEN, YEAR_END, YEAR_START, company
from demo.ledger_view import LedgerView, Readjustment, Stopped
from demo.processes import Processes
from demo.proof import expected_periods, prove
from demo.runs import APPROVE, run_dag
from demo.screen import Screen, count, duration, money
from demo.site import Site, StepFailed, fresh_site
from demo.stack import Stack, start

INTERRUPTED: Final = 130
MONTHS: Final = 12
OPERATOR: Final = "Ana (finance)"
DESCRIPTION: Final = "Visitas técnicas trimestrais"
NOTE: Final = "The rule has its description now."
WHOLE_YEAR: Final = {"from_date": YEAR_START.isoformat(), "to_date": YEAR_END.isoformat()}
"""The params of every run."""


@dataclass(frozen=True, slots=True)
class Story:
    """A demonstration that is under way: the running stack, the ledger to look into, the screen to write on."""

    stack: Stack
    ledger: LedgerView
    screen: Screen

    def progress(self) -> str:
        """Say how far the year's billing is."""
        counts = self.ledger.counts()
        invoiced = f"{counts.issued:,} of {count(counts.periods, 'period')} invoiced"
        return f"{invoiced:<28} {money(counts.amount)}"

    def bill_range(self, run_id: str) -> set[int]:
        """Run `bill_range` over the year; return the ids of the invoices that the vendor got from it."""
        before = self.stack.vendor.invoice_ids()
        run_dag(self.stack, "bill_range", run_id, WHOLE_YEAR, self.screen, self.progress, answer=APPROVE)
        return self.stack.vendor.invoice_ids() - before


# -- the acts ----------------------------------------------------------------------------------------------------------


def bill_the_year(story: Story) -> None:
    """Bill the year for the first time and tell what became of each part of it."""
    screen, ledger = story.screen, story.ledger
    rules = company()["invoice_rules"]
    due = len(expected_periods(company(), YEAR_START, YEAR_END))
    screen.step(f"2. Bill {YEAR_START} to {YEAR_END} with the Dag bill_range: {count(due, 'period')} are due")
    created = story.bill_range("demo__first")
    counts, stopped = ledger.counts(), ledger.stopped()
    screen.fact("Rules", len(rules))
    screen.fact("Periods", f"{counts.periods:,}")
    screen.fact("Invoices", f"{counts.issued:,} ({len(created):,} created, the others were there already)")
    screen.fact("Amount", money(counts.amount))
    show_readjustments(ledger.readjustments(), screen)
    screen.fact("Stopped", f"{count(len(stopped), 'period')}, nothing is lost:" if stopped else "none")
    show_stopped(stopped, screen)


def bill_again(story: Story) -> bool:
    """Bill the same year again; return whether nothing was created."""
    story.screen.step("3. Bill the same year again: nothing may be created")
    created = story.bill_range("demo__again")
    story.screen.fact("Created", len(created), good=not created)
    return not created


def correct_and_release(story: Story) -> bool:
    """Cure what was parked and bill once more; return whether exactly that was created.

    The vendor refused a rule without description: a person gives it one at the vendor and releases its periods.
    """
    screen = story.screen
    parked = [period for period in story.ledger.stopped() if period.state == PeriodState.PARKED]
    screen.step(f"4. A person cures what was parked ({count(len(parked), 'period')}), and the year is billed once more")
    for contract_id, rule_id in sorted({(period.contract_id, period.rule_id) for period in parked}):
        describe_rule(story.stack.vendor_url, contract_id, rule_id, DESCRIPTION)
        screen.event(f"{OPERATOR} gives rule {rule_id} a description at the vendor: {DESCRIPTION!r}")
    released = release(story.stack.site.ledger_url, parked)
    screen.event(f"{OPERATOR} releases {count(released, 'period')}: {NOTE!r}")
    created = story.bill_range("demo__corrected")
    exactly = len(created) == released == len(parked)
    screen.fact("Created", f"{len(created)} of {released} released", good=exactly)
    screen.fact("Stopped", len(story.ledger.stopped()), good=not story.ledger.stopped())
    return exactly


def collect_the_money(story: Story) -> None:
    """Let a month pass after the year's end, reconcile, and tell what came in and what is late."""
    screen = story.screen
    screen.step("5. Customers pay; the Dag reconcile_receivables compares the ledger with the vendor")
    let_time_pass(story.stack.vendor_url, COLLECTED_BY)
    screen.event(f"At the vendor it is {COLLECTED_BY} now: invoices are issued, most customers have paid")
    run_dag(story.stack, "reconcile_receivables", "demo__reconcile", WHOLE_YEAR, screen)
    found = story.ledger.money(COLLECTED_BY)
    late = {bucket: share for bucket, share in found.owed.items() if bucket is not AgeingBucket.NOT_DUE}
    screen.fact("Received", _share(found.received))
    screen.fact("Not due yet", _share(found.owed[AgeingBucket.NOT_DUE]))
    screen.fact("Late", _share(sum(late.values(), Share())))
    for bucket, share in late.items():
        screen.note(f"  {bucket.value + ' days':<13} {_share(share)}")
    screen.fact("Not issued", f"{_share(found.not_issued)}: their approval is blocked at the vendor")


def close_the_months(story: Story) -> bool:
    """Close January to December, each proved, reported and recorded by itself; return whether all twelve are closed."""
    screen = story.screen

    def closed() -> int:
        return sum(closing.closed for closing in story.ledger.closings())

    screen.step("6. Close the twelve months with the Dag close_billing_month")
    run_dag(
        story.stack,
        "close_billing_month",
        "demo__close",
        WHOLE_YEAR,
        screen,
        lambda: f"{closed()} of {MONTHS} months closed",
    )
    closings = story.ledger.closings()
    for closing in closings:
        totals = closing.report["totals"]
        billed, received = money(Decimal(totals["invoiced"])), money(Decimal(totals["received"]))
        counted = f"{totals['billed_periods']} of {totals['expected_periods']} periods"
        outcome = f"{billed}, received {received}: {closing.report['verdict']}"
        screen.note(f"  {closing.billing_month:%Y-%m}  {counted:<18} {outcome}")
    screen.fact("Closed", f"{closed()} of {MONTHS} months", good=closed() == MONTHS)
    screen.fact("Reports", "a CSV and a page to print for each month; the newest:")
    for path in closings[-1].report["files"]:
        screen.note(f"  {path}")
    return closed() == MONTHS


def prove_the_year(story: Story) -> bool:
    """Print the proof; return whether it holds and the ledger's amount is the vendor's."""
    screen, ledger = story.screen, story.ledger
    screen.step(
        "7. Proof, from the vendor's own data; periods and prices are worked out by code that Ciclo does not use"
    )
    parked, waiting = (ledger.reasons(state) for state in (PeriodState.PARKED, PeriodState.WAITING))
    proof = prove(story.stack.vendor.state(), company(), YEAR_START, YEAR_END, parked=parked, waiting=waiting)
    difference = ledger.counts().amount - proof.total
    adopted = f", {len(proof.adopted)} of them made by hand before Ciclo and taken over" if proof.adopted else ""
    screen.fact("Expected", f"{count(proof.expected, 'period')}")
    screen.fact("At the vendor", f"{count(proof.invoices, 'invoice')}, {money(proof.total)}{adopted}")
    for name, cases in (
        ("Missing", [str(period) for period in proof.missing]),
        ("Duplicates", [str(period) for period in proof.duplicates]),
        ("Parked", [f"{period}: {reason}" for period, reason in proof.parked.items()]),
        ("Waiting", [f"{period}: {reason}" for period, reason in proof.waiting.items()]),
        ("Not called for", [f"invoice {invoice_id}" for invoice_id in proof.unexpected]),
        ("Not adding up", [f"invoice {invoice_id}" for invoice_id in proof.unbalanced]),
        ("Wrong price", [str(invoice) for invoice in proof.mispriced]),
    ):
        screen.fact(name, len(cases), good=not cases)
        screen.some(cases)
    right = proof.invoices - len(proof.mispriced)
    screen.note(f"{right:,} of {count(proof.invoices, 'invoice')} are at the price in force on their issue date,")
    screen.note("recomputed from the first prices and the published index values.")
    screen.fact("Ledger differs", f"by {money(difference)}", good=not difference)
    return proof.holds and not difference


# -- what people do ----------------------------------------------------------------------------------------------------


def describe_rule(vendor_url: str, contract_id: int, rule_id: int, description: str) -> None:
    """Give a rule a description, by the vendor's API, as its screens would.

    Raises:
        httpx.HTTPError: the vendor refused it.
    """
    httpx.put(
        f"{vendor_url}/api/v1/contracts/{contract_id}/invoice_rules/{rule_id}",
        json={"invoice_rule": {"description": description}},
        headers={"Authorization": f"Token token={TOKEN}"},
        timeout=30,
        trust_env=False,
    ).raise_for_status()


def release(ledger_url: str, periods: list[Stopped]) -> int:
    """Release parked periods with a note, in the operator's name; return how many were still parked."""
    engine = open_engine(ledger_url)
    try:
        with Session(engine) as session:
            outcomes = [
                release_period(
                    session, ORGANIZATION_ID, period.period_id, person=OPERATOR, note=NOTE, at=datetime.now(UTC)
                )
                for period in periods
            ]
            session.commit()
    finally:
        engine.dispose()
    return sum(outcome.changed for outcome in outcomes)


def let_time_pass(vendor_url: str, today: date) -> None:
    """Move the vendor's clock: invoices whose issue date has come are issued, customers pay as they are wont to.

    Raises:
        httpx.HTTPError: the sandbox does not answer.
    """
    clock = httpx.put(f"{vendor_url}/_sandbox/clock", json={"today": today.isoformat()}, timeout=120, trust_env=False)
    clock.raise_for_status()


# -- in words ----------------------------------------------------------------------------------------------------------


def show_stopped(stopped: list[Stopped], screen: Screen) -> None:
    """Print the reasons, what waits for a person first; those with the same reason in one line."""

    def kind(period: Stopped) -> tuple[bool, str, str]:
        return period.state != PeriodState.PARKED, period.state, period.reason

    lines = []
    for (_, state, reason), group in groupby(sorted(stopped, key=kind), key=kind):
        periods = list(group)
        rules = {period.rule_id for period in periods}
        several = f" ({count(len(periods), 'period')} of {count(len(rules), 'rule')})" if len(periods) > 1 else ""
        lines.append(f"{state}: {reason}{several}")
    screen.some(lines)


def show_readjustments(updates: list[Readjustment], screen: Screen) -> None:
    """Print how many prices moved and why: the year's own updates by name, those still owed from earlier years counted.

    What a person should question (a price that was held, one that fell, terms that the law voids) is said in words.
    """
    of_the_year = [update for update in updates if update.execution_date >= YEAR_START]
    owed = len(updates) - len(of_the_year)
    late = f"; {owed} {'was' if owed == 1 else 'were'} still owed from earlier years" if owed else ""
    rules = {update.rule_id for update in updates}
    screen.fact("Price updates", f"{len(updates)} applied to {count(len(rules), 'rule')}{late}")
    lines = []
    for update in of_the_year:
        percent = (update.factor - 1) * 100
        prices = ", ".join(f"{old:,.2f} -> {new:,.2f}" for old, new in update.prices)
        index = f"{update.index.label:<8} {percent:+6.2f} %"
        lines.append(f"{update.execution_date}  {index}  rule {update.rule_id}: BRL {prices}")
    screen.some(lines, more="; the console shows each with its evidence")
    for update in updates:
        if update.held:
            held = f"held: {update.index.label} fell, rule {update.rule_id} is not lowered ({update.execution_date})"
            screen.note(f"  {held}")
    if fallen := sum(update.factor < Decimal(1) for update in updates):
        screen.note(f"  lowered: {count(fallen, 'price update')} of rules that follow their index down, too")
    warnings = {
        f"warning: rule {update.rule_id}: {warning}"
        for update in updates
        for warning in update.warnings
        if "Law" in warning
    }
    for warning in sorted(warnings):
        screen.note(f"  {warning}")


def _share(share: Share) -> str:
    return f"{money(share.amount)} ({count(share.count, 'receivable')})"


# -- from the first step to the exit code ------------------------------------------------------------------------------


def run_demo(*, keep: bool = True, screen: Screen | None = None) -> int:
    """Bill the demo company's year on a real Airflow, collect, close the months, and prove it from the vendor's data.

    With `keep` Airflow stays open afterwards until Ctrl-C. Returns the exit code: 0 if the proof holds, 1 if it does
    not or a step failed, 130 if it was interrupted before its end.
    """
    return _play(screen or Screen(), lambda stack, out: _tell(stack, out, keep=keep), by_schedule=False)


def run_up(*, screen: Screen | None = None) -> int:
    """Start the sandbox and Airflow on the demo company, bill nothing, and stay until Ctrl-C. Returns the exit code."""
    return _play(screen or Screen(), _stay_open, by_schedule=True)


def _play(screen: Screen, act: Callable[[Stack, Screen], int], *, by_schedule: bool) -> int:
    """Start everything, play `act`, end everything; a step that fails is named with the tail of its log."""
    try:
        with fresh_site() as site:
            _introduce(site, screen)
            with Processes(site.logs) as processes:
                try:
                    screen.step("1. Start the vendor's stand-in and Airflow")
                    return act(start(site, processes, screen, by_schedule=by_schedule), screen)
                except httpx.HTTPError as error:
                    log = site.logs / "api-server.log"
                    raise StepFailed("Airflow", f"does not answer ({error!r})", log) from error
                except KeyboardInterrupt:
                    screen.note("Interrupted.")
                    return INTERRUPTED
                finally:
                    screen.note("Ending Airflow and the vendor's stand-in.")
    except StepFailed as failure:
        screen.verdict(f"Failed at: {failure}", good=False)
        for line in failure.tail():
            screen.note(f"  {line}")
        if failure.log:
            screen.note(f"The whole log: {failure.log}")
        return 1


def _introduce(site: Site, screen: Screen) -> None:
    state = company()
    screen.title("Ciclo: recurring billing on Airflow, a demonstration")
    screen.fact("Company", f"{state['organizations'][0]['name']} (made up)")
    contracts, rules = len(state["contracts"]), len(state["invoice_rules"])
    screen.fact("Sells", f"{count(contracts, 'contract')} with {count(rules, 'invoice rule')}")
    screen.fact("Folder", f"{site.folder} (made anew by every run)")
    screen.fact("Network", "this machine only, on 127.0.0.1")


def _tell(stack: Stack, screen: Screen, *, keep: bool) -> int:
    ledger = LedgerView(stack.site.ledger_url, ORGANIZATION_ID, YEAR_START, YEAR_END)
    try:
        story = Story(stack, ledger, screen)
        bill_the_year(story)
        nothing_twice = bill_again(story)
        cured = correct_and_release(story)
        collect_the_money(story)
        closed = close_the_months(story)
        good = prove_the_year(story) and nothing_twice and cured and closed
    finally:
        ledger.close()
    if good:
        text = "It holds: every period has exactly one invoice at the right price, and twelve months are closed."
    else:
        text = "It does not hold: see the figures above."
    screen.verdict(f"{text} ({duration(screen.elapsed)} in all)", good=good)
    if keep:
        _stay_open(stack, screen)
    return 0 if good else 1


def _stay_open(stack: Stack, screen: Screen) -> int:
    """Wait for Ctrl-C, or for a component to die.

    Raises:
        StepFailed: a component died.
    """
    screen.step("Airflow is open")
    screen.fact("Airflow", f"{stack.airflow_url}/dags/bill_range (no password, this machine only)")
    screen.fact("Billing", f"{stack.airflow_url}/plugin/billing (the console: months, prices, receivables, reports)")
    screen.fact("Vendor's API", f"{stack.vendor_url}/_sandbox/state")
    screen.fact("In a shell", f"source {stack.site.environment_file}")
    screen.note("Ctrl-C ends everything.")
    with suppress(KeyboardInterrupt):
        while True:
            stack.processes.check()
            time.sleep(1)
    return 0
