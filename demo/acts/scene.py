"""What every act has at hand: the running stack, the ledger to look into, the screen to write on."""

from dataclasses import dataclass
from typing import Final

from demo.company import YEAR_END, YEAR_START
from demo.ledger_view import LedgerView
from demo.screen import Screen, count, money
from demo.stack import Stack

WHOLE_YEAR: Final = {"from_date": YEAR_START.isoformat(), "to_date": YEAR_END.isoformat()}
"""The params of every run."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A demonstration that is under way."""

    stack: Stack
    ledger: LedgerView
    screen: Screen

    def progress(self) -> str:
        """Say how far the year's billing is."""
        counts = self.ledger.counts()
        invoiced = f"{counts.issued:,} of {count(counts.periods, 'period')} invoiced"
        return f"{invoiced:<28} {money(counts.amount)}"
