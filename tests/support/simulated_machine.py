"""The protocol under fire, in one thread: crashes between any two steps, runs within runs, every fault, people, time.

The machine drives the real jobs against the sandbox's own operations and a real ledger. `CICLO_CHAOS=full` (`make
chaos`) lets it try other histories at every run, and more of them.
"""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from ciclo.failpoints import POINTS
from ciclo.ledger.tables import Base, IndexValue
from simulated_billing import Billing, Interruption
from simulated_vendor import KINDS

FULL = os.environ.get("CICLO_CHAOS") == "full"
EXAMPLES = 1000 if FULL else 40
DEEPEST = 2
"""Runs within runs."""


def overtaken(minutes: float):
    """Another run comes, time passes, another run comes: more than a lease or a grace period, or less."""

    def act(billing: Billing) -> None:
        if billing.depth <= DEEPEST:
            billing.issue()
            billing.pass_time(minutes)
            billing.issue()

    return act


def run_other(name: str):
    def act(billing: Billing) -> None:
        if billing.depth <= DEEPEST:
            getattr(billing, name)()

    return act


ACTIONS = st.sampled_from(
    [
        None,
        None,
        *[overtaken(minutes) for minutes in (1, 6, 6, 16)],
        *[run_other(name) for name in ("issue", "settle", "expand", "update_prices", "release_parked")],
        *[lambda billing, minutes=minutes: billing.pass_time(minutes) for minutes in (1, 6, 16, 60)],
    ]
)


OVERTAKING = st.sampled_from([None, run_other("issue"), *[overtaken(minutes) for minutes in (1, 6, 6, 16)]])
"""What is most dangerous while a request is under way: a crash, or somebody who believes that there was one."""


def scripts(*families: str, actions: st.SearchStrategy[Any] = ACTIONS) -> st.SearchStrategy[tuple[Interruption, ...]]:
    """Return what may come between the steps of a run: mostly between its own, early ones."""
    own = [name for name in sorted(POINTS) if name.startswith(families)]
    entry = st.builds(Interruption, st.sampled_from(own), st.sampled_from([1, 1, 2, 3]), actions)
    return st.lists(entry, min_size=1, max_size=4).map(tuple)


FAULTS = st.lists(
    st.sampled_from(
        [("POST", kind) for kind in (*KINDS, "late_commit", "late_commit")]
        + [(method, kind) for method in ("PUT", "GET") for kind in KINDS[::2]]
        + [("PATCH", "error_after"), ("PATCH", "timeout_before")]
    ),
    min_size=1,
    max_size=5,
)


class BillingUnderFire(RuleBasedStateMachine):
    """Anything may happen at any time, except that a request outlives the grace period."""

    engine: Engine
    make: Any = Billing

    def __init__(self) -> None:
        super().__init__()
        self.billing: Billing | None = None

    @initialize()
    def begin(self) -> None:
        self.billing = self.make(self.engine)
        self.faults: list[tuple[str, str]] = []
        self.billing.vendor.going_wrong = self._next_fault

    def _next_fault(self, request: Any) -> str | None:
        for fault in self.faults:
            method, kind = fault
            if method == request.method and (method != "GET" or "search" in request.url.path):
                self.faults.remove(fault)
                return kind
        return None

    @rule(faults=FAULTS)
    def something_will_go_wrong(self, faults: list[tuple[str, str]]) -> None:
        self.faults += faults

    @rule(script=scripts("issue", "settle", "adopt", "finish"))
    def issue(self, script: tuple[Interruption, ...]) -> None:
        self.billing.issue(*script)

    @rule(script=scripts("issue.claimed", "issue.post", actions=OVERTAKING))
    def issue_with_trouble_while_sending(self, script: tuple[Interruption, ...]) -> None:
        self.billing.issue(*script)

    @rule(script=scripts("update"))
    def update_prices(self, script: tuple[Interruption, ...]) -> None:
        self.billing.update_prices(*script)

    @rule(script=scripts("settle"))
    def settle(self, script: tuple[Interruption, ...]) -> None:
        self.billing.settle(*script)

    @rule(minutes=st.sampled_from([1, 6, 11, 16]), late=st.sampled_from([1, 60, 290]))
    def time_passes(self, minutes: int, late: int) -> None:
        self.billing.vendor.late_seconds = late  # never later than the grace period of five minutes
        self.billing.pass_time(minutes)

    @rule(act=st.sampled_from(["expand", "release_parked", "cancel_parked", "bill_by_hand"]))
    def somebody_acts(self, act: str) -> None:
        getattr(self.billing, act)()

    @precondition(lambda self: self.billing is not None)
    @invariant()
    def nothing_is_billed_twice_or_lost(self) -> None:
        self.billing.check()

    def teardown(self) -> None:
        if self.billing is None:
            return
        try:
            self.billing.calm_down()
            self.billing.check_the_end()
        finally:
            self.billing.vendor.shut_down()


def under_fire(
    engine: Engine, *, examples: int = EXAMPLES, make: Any = Billing, beginning_with: int | None = None
) -> None:
    """Run the machine on a ledger; each of its histories begins with an empty one.

    Args:
        engine: of the ledger.
        examples: histories, at most.
        make: makes the company of a history.
        beginning_with: a number that says which histories come first; in a full campaign they are others each time.
    """

    def fresh(on: Engine) -> Billing:
        with on.begin() as connection:
            for table in Base.metadata.sorted_tables:
                if table is not IndexValue.__table__:  # the published values are the same in every history
                    connection.execute(table.delete())
        return make(on)

    machine = type("BillingUnderFire", (BillingUnderFire,), {"engine": engine, "make": staticmethod(fresh)})
    if beginning_with is not None and not FULL:
        machine = seed(beginning_with)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=14,
            derandomize=not FULL,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
