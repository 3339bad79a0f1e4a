"""`ciclo demo` and `ciclo up`: the acts of the demonstration in their order, and their exit code.

The rule here: a step that fails is named with the tail of its log, and whatever was started is ended, always.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby

import httpx

from ciclo.demo import catalogue
from ciclo.demo.billing_run import DAG_ID, BillingRun, bill
from ciclo.demo.company import YEAR_END, YEAR_START, demo_state
from ciclo.demo.errors import StepFailed
from ciclo.demo.ledger_view import LedgerView, Stopped
from ciclo.demo.oracle import expected_periods
from ciclo.demo.processes import Processes
from ciclo.demo.proof import prove
from ciclo.demo.screen import Screen, count, duration, money
from ciclo.demo.site import Site, fresh_site
from ciclo.demo.stack import Stack, start
from ciclo.domain.period_states import PeriodState

INTERRUPTED = 130
LISTED = 10
"""How many cases or reasons are named; more are only counted."""


def run_demo(*, keep: bool = True, screen: Screen | None = None) -> int:
    """Bill the demo company's year on a real Airflow, twice, and prove the result from the vendor's data.

    With `keep` Airflow stays open afterwards until Ctrl-C. Returns the exit code: 0 if the proof holds, 1 if it does
    not or a step failed, 130 if it was interrupted before its end.
    """
    return _play(screen or Screen(), lambda stack, out: _demonstrate(stack, out, keep=keep))


def run_up(*, screen: Screen | None = None) -> int:
    """Start the sandbox and Airflow on the demo company, bill nothing, and stay until Ctrl-C. Returns the exit code."""
    return _play(screen or Screen(), _stand_by)


def _play(screen: Screen, act: Callable[[Stack, Screen], int]) -> int:
    """Start everything, play `act`, end everything."""
    try:
        with fresh_site() as site:
            _introduce(site, screen)
            with Processes(site.logs) as processes:
                return _act(site, processes, screen, act)
    except StepFailed as failure:
        _report(failure, screen)
        return 1


def _act(site: Site, processes: Processes, screen: Screen, act: Callable[[Stack, Screen], int]) -> int:
    try:
        screen.step("1. Start the vendor's stand-in and Airflow")
        return act(start(site, processes, screen), screen)
    except StepFailed as failure:
        _report(failure, screen)
        return 1
    except httpx.HTTPError as error:
        _report(StepFailed("Airflow", f"does not answer ({error!r})", site.logs / "api-server.log"), screen)
        return 1
    except KeyboardInterrupt:
        screen.note("Interrupted.")
        return INTERRUPTED
    finally:
        screen.note("Ending Airflow and the vendor's stand-in.")


def _introduce(site: Site, screen: Screen) -> None:
    state = demo_state()
    screen.title("Ciclo: recurring billing on Airflow, a demonstration")
    screen.fact("Company", f"{catalogue.ORGANIZATION_NAME} (made up)")
    contracts, rules = len(state["contracts"]), len(state["invoice_rules"])
    screen.fact("Sells", f"{count(contracts, 'contract')} with {count(rules, 'invoice rule')}")
    screen.fact("Folder", f"{site.folder} (made anew by every run)")
    screen.fact("Network", "this machine only, on 127.0.0.1")


def _demonstrate(stack: Stack, screen: Screen, *, keep: bool) -> int:
    ledger = LedgerView(stack.site.ledger_url, catalogue.ORGANIZATION_ID, YEAR_START, YEAR_END)
    try:
        stack.airflow.unpause(DAG_ID)
        _bill_the_year(stack, ledger, screen)
        again = _bill_it_again(stack, ledger, screen)
        proven = _prove(stack, ledger, screen)
    finally:
        ledger.close()
    good = proven and not again.created
    _conclude(good, screen)
    if keep:
        _stay_open(stack, screen)
    return 0 if good else 1


def _bill_the_year(stack: Stack, ledger: LedgerView, screen: Screen) -> None:
    due = len(expected_periods(demo_state(), YEAR_START, YEAR_END))
    screen.step(f"2. Bill {YEAR_START} to {YEAR_END} with the Dag {DAG_ID}: {count(due, 'period')} are due")
    run = bill(stack, ledger, YEAR_START, YEAR_END, screen)
    screen.event(f"Done in {duration(run.seconds)}")
    stopped = ledger.stopped()
    screen.fact("Rules", len(demo_state()["invoice_rules"]))
    screen.fact("Periods", f"{run.counts.periods:,}")
    screen.fact("Invoices", f"{run.counts.issued:,} ({len(run.created):,} created, the others were there already)")
    screen.fact("Amount", money(run.counts.amount))
    screen.fact("Stopped", f"{count(len(stopped), 'period')}, nothing is lost:" if stopped else "none")
    _explain(stopped, screen)


def _explain(stopped: list[Stopped], screen: Screen) -> None:
    """Print the reasons, what waits for a person first; those with the same reason in one line."""

    def kind(period: Stopped) -> tuple[bool, str, str]:
        return period.state != PeriodState.PARKED, period.state, period.reason

    groups = [list(group) for _, group in groupby(sorted(stopped, key=kind), key=kind)]
    for periods in groups[:LISTED]:
        rules = {period.rule_id for period in periods}
        several = f" ({count(len(periods), 'period')} of {count(len(rules), 'rule')})" if len(periods) > 1 else ""
        screen.note(f"  {periods[0].state}: {periods[0].reason}{several}")
    if len(groups) > LISTED:
        screen.note(f"  and {sum(map(len, groups[LISTED:])):,} more")


def _bill_it_again(stack: Stack, ledger: LedgerView, screen: Screen) -> BillingRun:
    screen.step("3. Bill the same year again: nothing may be created")
    run = bill(stack, ledger, YEAR_START, YEAR_END, screen)
    screen.event(f"Done in {duration(run.seconds)}")
    screen.fact("Created", len(run.created), good=not run.created)
    return run


def _prove(stack: Stack, ledger: LedgerView, screen: Screen) -> bool:
    """Print the proof and return whether it holds and the ledger's amount is the vendor's."""
    screen.step("4. Proof, from the vendor's own data and a count of the periods that shares no code with Ciclo")
    parked, waiting = (ledger.reasons(state) for state in (PeriodState.PARKED, PeriodState.WAITING))
    proof = prove(stack.vendor.state(), YEAR_START, YEAR_END, parked=parked, waiting=waiting)
    difference = ledger.counts().amount - proof.total
    adopted = f", {len(proof.adopted)} of them made by hand before Ciclo and taken over" if proof.adopted else ""
    screen.fact("Expected", f"{count(proof.expected, 'period')}")
    screen.fact("At the vendor", f"{count(proof.invoices, 'invoice')}, {money(proof.total)}{adopted}")
    screen.fact("Parked", f"{len(proof.parked):,} for a person, explained above")
    screen.fact("Waiting", f"{len(proof.waiting):,} for a price update")
    _finding(screen, "Missing", [str(period) for period in proof.missing])
    _finding(screen, "Duplicates", [str(period) for period in proof.duplicates])
    _finding(screen, "Not called for", [f"invoice {invoice_id}" for invoice_id in proof.unexpected])
    _finding(screen, "Not adding up", [f"invoice {invoice_id}" for invoice_id in proof.unbalanced])
    screen.fact("Ledger differs", f"by {money(difference)}", good=not difference)
    return proof.holds and not difference


def _finding(screen: Screen, name: str, cases: list[str]) -> None:
    screen.fact(name, len(cases), good=not cases)
    for case in cases[:LISTED]:
        screen.note(f"  {case}")
    if len(cases) > LISTED:
        screen.note(f"  and {len(cases) - LISTED:,} more")


def _conclude(good: bool, screen: Screen) -> None:  # noqa: FBT001 - the verdict itself
    if good:
        text = "It holds: every period has exactly one invoice or a reason to have none; the second run made nothing."
    else:
        text = "It does not hold: see the figures above."
    screen.verdict(f"{text} ({duration(screen.elapsed)} in all)", good=good)


def _stand_by(stack: Stack, screen: Screen) -> int:
    _stay_open(stack, screen)
    return 0


def _stay_open(stack: Stack, screen: Screen) -> None:
    """Wait for Ctrl-C, or for a component to die.

    Raises:
        StepFailed: a component died.
    """
    screen.step("Airflow is open")
    screen.fact("Airflow", f"{stack.airflow_url}/dags/{DAG_ID} (no password, this machine only)")
    screen.fact("Vendor's API", f"{stack.vendor_url}/_sandbox/state")
    screen.fact("In a shell", f"source {stack.site.environment_file}")
    screen.note("Ctrl-C ends everything.")
    with suppress(KeyboardInterrupt):
        while True:
            stack.processes.check()
            time.sleep(1)


def _report(failure: StepFailed, screen: Screen) -> None:
    screen.verdict(f"Failed at: {failure}", good=False)
    for line in failure.tail():
        screen.note(f"  {line}")
    if failure.log:
        screen.note(f"The whole log: {failure.log}")
