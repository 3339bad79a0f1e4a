"""A person acts: the rule that the vendor refused gets its description, its periods are released and billed."""

from typing import Final

from ciclo.domain.states import PeriodState
from demo import people
from demo.acts.bill import run_bill_range
from demo.acts.scene import Scene
from demo.catalogue import ORGANIZATION_ID
from demo.ledger_view import Stopped
from demo.screen import count

DESCRIPTION: Final = "Visitas técnicas trimestrais"
NOTE: Final = "The rule has its description now."


def correct_and_release(scene: Scene) -> bool:
    """Cure what was parked and bill once more; return whether exactly that was created."""
    screen = scene.screen
    parked = [period for period in scene.ledger.stopped() if period.state == PeriodState.PARKED]
    screen.step(f"4. A person cures what was parked ({count(len(parked), 'period')}), and the year is billed once more")
    _correct_the_rules(scene, parked)
    released = people.release(scene.stack.site.ledger_url, ORGANIZATION_ID, parked, NOTE)
    screen.event(f"{people.OPERATOR} releases {count(released, 'period')}: {NOTE!r}")
    created = run_bill_range(scene, "demo__corrected")
    exactly = len(created) == released == len(parked)
    screen.fact("Created", f"{len(created)} of {released} released", good=exactly)
    screen.fact("Stopped", len(scene.ledger.stopped()), good=not scene.ledger.stopped())
    return exactly


def _correct_the_rules(scene: Scene, parked: list[Stopped]) -> None:
    for contract_id, rule_id in sorted({(period.contract_id, period.rule_id) for period in parked}):
        people.describe_rule(scene.stack.vendor_url, contract_id, rule_id, DESCRIPTION)
        scene.screen.event(f"{people.OPERATOR} gives rule {rule_id} a description at the vendor: {DESCRIPTION!r}")
