"""Billing the year with `bill_range`, as often as it is asked for: what was created, at which prices, what stopped."""

from itertools import groupby
from typing import Final

from ciclo.domain.states import PeriodState
from demo.acts.readjustments import show_readjustments
from demo.acts.scene import WHOLE_YEAR, Scene
from demo.company import YEAR_END, YEAR_START, demo_state
from demo.dag_runs import run_dag
from demo.ledger_view import Stopped
from demo.oracle import expected_periods
from demo.screen import LISTED, Screen, count, money

DAG_ID: Final = "bill_range"


def bill_the_year(scene: Scene) -> None:
    """Bill the year for the first time and tell what became of each part of it."""
    due = len(expected_periods(demo_state(), YEAR_START, YEAR_END))
    scene.screen.step(f"2. Bill {YEAR_START} to {YEAR_END} with the Dag {DAG_ID}: {count(due, 'period')} are due")
    created = run_bill_range(scene, "demo__first")
    counts = scene.ledger.counts()
    stopped = scene.ledger.stopped()
    screen = scene.screen
    screen.fact("Rules", len(demo_state()["invoice_rules"]))
    screen.fact("Periods", f"{counts.periods:,}")
    screen.fact("Invoices", f"{counts.issued:,} ({len(created):,} created, the others were there already)")
    screen.fact("Amount", money(counts.amount))
    show_readjustments(scene.ledger.readjustments(), screen)
    screen.fact("Stopped", f"{count(len(stopped), 'period')}, nothing is lost:" if stopped else "none")
    _explain(stopped, screen)


def bill_again(scene: Scene) -> bool:
    """Bill the same year again; return whether nothing was created."""
    scene.screen.step("3. Bill the same year again: nothing may be created")
    created = run_bill_range(scene, "demo__again")
    scene.screen.fact("Created", len(created), good=not created)
    return not created


def run_bill_range(scene: Scene, run_id: str) -> set[int]:
    """Run `bill_range` over the year; return the ids of the invoices that the vendor got from it."""
    before = scene.stack.vendor.invoice_ids()
    run_dag(scene.stack, DAG_ID, run_id, WHOLE_YEAR, scene.screen, scene.progress)
    return scene.stack.vendor.invoice_ids() - before


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
