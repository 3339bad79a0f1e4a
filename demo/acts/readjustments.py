"""The price updates that a year's billing applied, as a finance person would put them.

The rule here: the year's own updates are named, those of earlier years counted; whatever a person should question (a
price that was held, one that fell, terms that the law voids) is said in words.
"""

from decimal import Decimal

from demo.company import YEAR_START
from demo.ledger_view import Readjustment
from demo.screen import LISTED, Screen, count


def show_readjustments(updates: list[Readjustment], screen: Screen) -> None:
    """Print how many prices moved and why; of the year's own updates the first few by name."""
    rules = {update.rule_id for update in updates}
    of_the_year = [update for update in updates if update.execution_date >= YEAR_START]
    owed = len(updates) - len(of_the_year)
    late = f"; {owed} {'was' if owed == 1 else 'were'} still owed from earlier years" if owed else ""
    screen.fact("Price updates", f"{len(updates)} applied to {count(len(rules), 'rule')}{late}")
    for update in of_the_year[:LISTED]:
        screen.note(f"  {_line(update)}")
    if len(of_the_year) > LISTED:
        screen.note(f"  and {len(of_the_year) - LISTED} more; the console shows each with its evidence")
    for remark in _remarks(updates):
        screen.note(f"  {remark}")


def _line(update: Readjustment) -> str:
    percent = (update.factor - 1) * 100
    prices = ", ".join(f"{old:,.2f} -> {new:,.2f}" for old, new in update.prices)
    return f"{update.execution_date}  {update.index.label:<8} {percent:+6.2f} %  rule {update.rule_id}: BRL {prices}"


def _remarks(updates: list[Readjustment]) -> list[str]:
    held = [
        f"held: {update.index.label} fell, rule {update.rule_id} is not lowered ({update.execution_date})"
        for update in updates
        if update.held
    ]
    fallen = sum(update.factor < Decimal(1) for update in updates)
    lowered = [f"lowered: {count(fallen, 'price update')} of rules that follow their index down, too"] if fallen else []
    against_the_law = {
        f"warning: rule {update.rule_id}: {warning}"
        for update in updates
        for warning in update.warnings
        if "Law" in warning
    }
    return [*held, *lowered, *sorted(against_the_law)]
