"""Customers pay as the vendor's clock moves, and `reconcile_receivables` finds out who has and who has not."""

from typing import Final

from ciclo.domain.receivables import AgeingBucket
from ciclo.ledger.queries.month import Share
from demo import people
from demo.acts.scene import WHOLE_YEAR, Scene
from demo.company import COLLECTED_BY
from demo.dag_runs import run_dag
from demo.ledger_view import Money
from demo.screen import Screen, count, money

DAG_ID: Final = "reconcile_receivables"


def collect_the_money(scene: Scene) -> None:
    """Let a month pass after the year's end, reconcile, and tell what came in and what is late."""
    screen = scene.screen
    screen.step(f"5. Customers pay; the Dag {DAG_ID} compares the ledger with the vendor")
    people.let_time_pass(scene.stack.vendor_url, COLLECTED_BY)
    screen.event(f"At the vendor it is {COLLECTED_BY} now: invoices are issued, most customers have paid")
    run_dag(scene.stack, DAG_ID, "demo__reconcile", WHOLE_YEAR, screen)
    _show(scene.ledger.money(COLLECTED_BY), screen)


def _show(found: Money, screen: Screen) -> None:
    late = {bucket: share for bucket, share in found.owed.items() if bucket is not AgeingBucket.NOT_DUE}
    screen.fact("Received", _share(found.received))
    screen.fact("Not due yet", _share(found.owed[AgeingBucket.NOT_DUE]))
    screen.fact("Late", _share(sum(late.values(), Share())))
    for bucket, share in late.items():
        screen.note(f"  {bucket.value + ' days':<13} {_share(share)}")
    screen.fact("Not issued", f"{_share(found.not_issued)}: their approval is blocked at the vendor")


def _share(share: Share) -> str:
    return f"{money(share.amount)} ({count(share.count, 'receivable')})"
