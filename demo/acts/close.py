"""The twelve months are closed by `close_billing_month`: each is proved, reported and recorded by itself."""

from decimal import Decimal
from typing import Final

from ciclo.ledger.queries.closings import ClosingRow
from demo.acts.scene import WHOLE_YEAR, Scene
from demo.dag_runs import run_dag
from demo.screen import money

DAG_ID: Final = "close_billing_month"
MONTHS: Final = 12


def close_the_months(scene: Scene) -> bool:
    """Close January to December; return whether all twelve are closed."""
    screen = scene.screen
    screen.step(f"6. Close the twelve months with the Dag {DAG_ID}")
    run_dag(scene.stack, DAG_ID, "demo__close", WHOLE_YEAR, screen, lambda: _progress(scene))
    closings = scene.ledger.closings()
    for closing in closings:
        screen.note(f"  {_line(closing)}")
    closed = _closed(closings)
    screen.fact("Closed", f"{closed} of {MONTHS} months", good=closed == MONTHS)
    screen.fact("Reports", "a CSV and a page to print for each month; the newest:")
    for path in closings[-1].report["files"]:
        screen.note(f"  {path}")
    return closed == MONTHS


def _progress(scene: Scene) -> str:
    return f"{_closed(scene.ledger.closings())} of {MONTHS} months closed"


def _closed(closings: list[ClosingRow]) -> int:
    return sum(closing.closed for closing in closings)


def _line(closing: ClosingRow) -> str:
    totals = closing.report["totals"]
    billed, received = money(Decimal(totals["invoiced"])), money(Decimal(totals["received"]))
    counted = f"{totals['billed_periods']} of {totals['expected_periods']} periods"
    return f"{closing.billing_month:%Y-%m}  {counted:<18} {billed}, received {received}: {closing.report['verdict']}"
