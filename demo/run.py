"""`make demo` and `make up`: the acts of the demonstration in their order, and their exit code.

The rule here: a step that fails is named with the tail of its log, and whatever was started is ended, always.
"""

import time
from collections.abc import Callable
from contextlib import suppress

import httpx

from demo import catalogue
from demo.acts.bill import DAG_ID, bill_again, bill_the_year
from demo.acts.close import close_the_months
from demo.acts.collect import collect_the_money
from demo.acts.correct import correct_and_release
from demo.acts.prove import prove_the_year
from demo.acts.scene import Scene
from demo.company import YEAR_END, YEAR_START, demo_state
from demo.errors import StepFailed
from demo.ledger_view import LedgerView
from demo.processes import Processes
from demo.screen import Screen, count, duration
from demo.site import Site, fresh_site
from demo.stack import Stack, start

INTERRUPTED = 130


def run_demo(*, keep: bool = True, screen: Screen | None = None) -> int:
    """Bill the demo company's year on a real Airflow, collect, close the months, and prove it from the vendor's data.

    With `keep` Airflow stays open afterwards until Ctrl-C. Returns the exit code: 0 if the proof holds, 1 if it does
    not or a step failed, 130 if it was interrupted before its end.
    """
    return _play(screen or Screen(), lambda stack, out: _demonstrate(stack, out, keep=keep), by_schedule=False)


def run_up(*, screen: Screen | None = None) -> int:
    """Start the sandbox and Airflow on the demo company, bill nothing, and stay until Ctrl-C. Returns the exit code."""
    return _play(screen or Screen(), _stand_by, by_schedule=True)


Act = Callable[[Stack, Screen], int]


def _play(screen: Screen, act: Act, *, by_schedule: bool) -> int:
    """Start everything, play `act`, end everything."""
    try:
        with fresh_site() as site:
            _introduce(site, screen)
            with Processes(site.logs) as processes:
                return _act(site, processes, screen, act, by_schedule=by_schedule)
    except StepFailed as failure:
        _report(failure, screen)
        return 1


def _act(site: Site, processes: Processes, screen: Screen, act: Act, *, by_schedule: bool) -> int:
    try:
        screen.step("1. Start the vendor's stand-in and Airflow")
        return act(start(site, processes, screen, by_schedule=by_schedule), screen)
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
        good = _tell(Scene(stack, ledger, screen))
    finally:
        ledger.close()
    _conclude(good, screen)
    if keep:
        _stay_open(stack, screen)
    return 0 if good else 1


def _tell(scene: Scene) -> bool:
    """Play the acts in their order; return whether every one of them came out as it should."""
    bill_the_year(scene)
    nothing_twice = bill_again(scene)
    cured = correct_and_release(scene)
    collect_the_money(scene)
    closed = close_the_months(scene)
    proven = prove_the_year(scene)
    return nothing_twice and cured and closed and proven


def _conclude(good: bool, screen: Screen) -> None:  # noqa: FBT001 - the verdict itself
    if good:
        text = "It holds: every period has exactly one invoice at the right price, and twelve months are closed."
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
    screen.fact("Billing", f"{stack.airflow_url}/plugin/billing (the console: months, prices, receivables, reports)")
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
