"""The proof at the end: the vendor's data against counts and prices that share no code with Ciclo."""

from ciclo.domain.states import PeriodState
from demo.acts.scene import Scene
from demo.company import YEAR_END, YEAR_START, demo_state
from demo.proof import Proof, prove
from demo.screen import LISTED, Screen, count, money


def prove_the_year(scene: Scene) -> bool:
    """Print the proof; return whether it holds and the ledger's amount is the vendor's."""
    screen, ledger = scene.screen, scene.ledger
    screen.step(
        "7. Proof, from the vendor's own data; periods and prices are worked out by code that Ciclo does not use"
    )
    parked, waiting = (ledger.reasons(state) for state in (PeriodState.PARKED, PeriodState.WAITING))
    state = scene.stack.vendor.state()
    proof = prove(state, demo_state(), YEAR_START, YEAR_END, parked=parked, waiting=waiting)
    difference = ledger.counts().amount - proof.total
    _show(proof, screen)
    screen.fact("Ledger differs", f"by {money(difference)}", good=not difference)
    return proof.holds and not difference


def _show(proof: Proof, screen: Screen) -> None:
    adopted = f", {len(proof.adopted)} of them made by hand before Ciclo and taken over" if proof.adopted else ""
    screen.fact("Expected", f"{count(proof.expected, 'period')}")
    screen.fact("At the vendor", f"{count(proof.invoices, 'invoice')}, {money(proof.total)}{adopted}")
    _finding(screen, "Missing", [str(period) for period in proof.missing])
    _finding(screen, "Duplicates", [str(period) for period in proof.duplicates])
    _finding(screen, "Parked", [f"{period}: {reason}" for period, reason in proof.parked.items()])
    _finding(screen, "Waiting", [f"{period}: {reason}" for period, reason in proof.waiting.items()])
    _finding(screen, "Not called for", [f"invoice {invoice_id}" for invoice_id in proof.unexpected])
    _finding(screen, "Not adding up", [f"invoice {invoice_id}" for invoice_id in proof.unbalanced])
    _finding(screen, "Wrong price", [str(invoice) for invoice in proof.mispriced])
    right = proof.invoices - len(proof.mispriced)
    screen.note(f"{right:,} of {count(proof.invoices, 'invoice')} are at the price in force on their issue date,")
    screen.note("recomputed from the first prices and the published index values.")


def _finding(screen: Screen, name: str, cases: list[str]) -> None:
    screen.fact(name, len(cases), good=not cases)
    for case in cases[:LISTED]:
        screen.note(f"  {case}")
    if len(cases) > LISTED:
        screen.note(f"  and {len(cases) - LISTED:,} more")
