"""Over whatever people do to schedules, indices, policies and prices, no month is in a price twice without a name.

Random years, played through the jobs against a vendor: what is to hold is read from the evidence of the executions that
are in the prices, each of which has to say by whose word it counts a month again.
"""

import random
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest

from ciclo.domain.continuity import Continuity
from ciclo.domain.price_index import PriceIndex, WindowPolicy
from ciclo.domain.states import IN_PRICES
from ciclo.jobs.price_updates import UpdateOptions
from ciclo.ledger.actions import apply_update, skip_update
from company import company, rule, scheduled_update

FIRST, LAST = date(2021, 1, 20), date(2026, 6, 28)
STEP = 45
"""Days between two looks: long enough that several executions are due at once, sooner or later."""
INDICES = [PriceIndex.IGPM, PriceIndex.IPCA, PriceIndex.INPC]
SEEDS = range(4)


class History:
    """One rule's life: every so often a person changes something, the jobs run, a person answers what they ask."""

    def __init__(self, run, seed):
        self.run, self.random = run, random.Random(seed)  # noqa: S311 - no secret: what happens when
        self.policy, self.continuity, self.done = WindowPolicy.PUBLISHED, Continuity.ASK, []

    def play(self):
        day = FIRST
        while day <= LAST:
            self.happen(day)
            self.look(day)
            self.answer()
            self.look(day)
            day += timedelta(days=STEP + self.random.randrange(STEP))

    def happen(self, day):
        what = self.random.choice(["schedule", "schedule", "index", "policy", "continuity", "price", "nothing"])
        state = self.run.sandbox.state()
        [of_vendor] = state["invoice_rules"]
        [scheduled] = of_vendor["scheduled_updates"]
        match what:
            case "schedule":
                first = day + timedelta(days=self.random.randrange(5, 120))
                months = self.random.choice([6, 12, 12, 24])
                scheduled |= {"init_date": first.isoformat(), "execution_date": first.isoformat()}
                scheduled |= {"month_quantity": months}
            case "index":
                scheduled["price_index"] = self.random.choice(INDICES).value
            case "policy":
                self.policy = self.random.choice(list(WindowPolicy))
            case "continuity":
                self.continuity = self.random.choice(list(Continuity))
            case "price":
                old = Decimal(of_vendor["gross_value"])
                of_vendor["gross_value"] = str(old + self.random.choice([-10, 25]))
        self.done.append((day.isoformat(), what))
        self.run.sandbox.put_state(state)

    def look(self, day):
        self.run.today = day
        self.run.expand(FIRST, day)
        options = UpdateOptions(policy=self.policy, continuity=self.continuity, max_wait_days=0)
        self.run.apply(day, options, today=day)

    def answer(self):
        """Answer what waits for a person: by one of its figures, by other months, or give it up."""
        for execution in self.run.executions():
            if execution.state != "parked":
                continue
            figures = [figure["basis"] for figure in (execution.evidence or {}).get("figures", ())]
            chosen = self.random.choice([*figures, "skip"])
            given = {"person": "ana", "note": "a random one", "at": self.run.ctx.clock()}
            session, organization_id = self.run.ctx.session, self.run.ctx.organization_id
            if chosen == "skip":
                skip_update(session, organization_id, execution.id, **given)
            else:
                apply_update(session, organization_id, execution.id, basis=chosen, **given)
            session.commit()

    def uses(self):
        """By month, the executions in the prices that have counted it, in their order."""
        found = defaultdict(list)
        for execution in self.run.executions():
            if execution.state in IN_PRICES:
                for used in execution.evidence["months"]:
                    found[used["month"]].append(execution)
        return found


@pytest.mark.parametrize("seed", SEEDS)
def test_no_month_is_in_a_price_twice_without_a_persons_name(billing, seed):
    updates = [scheduled_update(init_date="2022-03-10")]
    given = {"gross_value": "1000.0", "scheduled_updates": updates, "created_at": "05/01/2018 10:15:00 -03:00"}
    run = billing(company(rule(init_date="2019-12-20", timing={"month_quantity": 12}, **given)), today=FIRST)
    history = History(run, seed)
    history.play()

    uses = history.uses()
    assert len(uses) > 12, history.done  # something was readjusted
    for month, executions in uses.items():
        for again in executions[1:]:
            decision = again.evidence.get("decision")
            assert decision is not None, (month, again.execution_date, history.done)
            assert (decision["person"], again.approved_by) == ("ana", "ana")
