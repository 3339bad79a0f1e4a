"""A person's approval: bound to what was shown, refused if anything changed since."""

from datetime import date

import pytest

from ciclo.domain.price_index import PriceIndex
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import ExecutionState
from ciclo.domain.wording import said
from ciclo.jobs.price_updates import UpdateOptions, answer_batch, batch_of, batch_table
from ciclo.ledger.repositories import IndexValueRepository, Scope
from company import company, contract, rule, scheduled_update

ASKING = UpdateOptions(require_approval=True)
SCOPE = Scope(DateRange.days(date(2025, 1, 1), date(2025, 12, 31)))


@pytest.fixture
def run(billing):
    started = billing(company(rule(gross_value="1000.0", scheduled_updates=[scheduled_update()])))
    started.expand()
    return started


def propose(run):
    run.apply(options=ASKING, proposing=True)
    return batch_of(run.ctx, SCOPE)


def answer(run, batch, *, approved=True):
    return answer_batch(run.ctx, batch, approved=approved, person="Marina", at=run.ctx.clock())


def test_nothing_is_applied_before_a_person_approves(run):
    batch = propose(run)

    run.apply(options=ASKING)

    assert len(batch.execution_ids) == 1
    assert run.execution().state == ExecutionState.PROPOSED
    assert run.puts() == []
    assert any("is not settled" in said(period.reason) for period in run.periods())


def test_an_approved_proposal_is_applied_and_names_who_approved(run):
    verdict = answer(run, propose(run))

    outcome = run.apply(options=ASKING)

    assert (verdict.approved, outcome.applied) == (1, 1)
    execution = run.execution()
    assert (execution.state, execution.approved_by, execution.approved_at) == ("applied", "Marina", run.ctx.clock())


def test_the_table_shows_old_price_factor_and_new_price(run):
    batch = propose(run)

    table = batch_table(run.ctx, batch)

    assert table.splitlines()[2] == (
        "| 10 Contrato 10 | 1 | whole rule | 2025-06-10 | IGP-M | 06/2024 to 05/2025 | "
        "1,070261834540718076887176519575820398366608783360 | R$ 1.000,00 | R$ 1.070,26 |  |"
    )
    assert batch.hash in table


def test_a_contracts_name_cannot_write_into_the_table(billing):
    name = "<script>|alert`1`[x](http://evil)"
    state = company(rule(scheduled_updates=[scheduled_update()]), contracts=[contract(10, name=name)])
    run = billing(state)
    run.expand()

    row = batch_table(run.ctx, propose(run)).splitlines()[2]

    assert "&lt;script&gt;\\|alert\\`1\\`\\[x\\]" in row


def change_of_price(run):
    state = run.sandbox.state()
    state["invoice_rules"][0]["gross_value"] = "1100.0"
    run.sandbox.put_state(state)
    run.ctx.prices.add(
        [
            {
                "organization_id": 7,
                "rule_id": 1,
                "service_id": 0,
                "effective_from": date(2025, 5, 1),
                "revision": 0,
                "unit_value": run.ctx.prices.histories([1])[1][0].unit_value + 100,
                "source": "person",
                "execution_id": None,
                "created_at": run.ctx.clock(),
            }
        ]
    )
    run.ctx.session.commit()


def change_of_an_index_value(run):
    known = IndexValueRepository(run.ctx.session).newest(PriceIndex.IGPM)[date(2025, 5, 1)]
    row = {
        "price_index": "igpm",
        "month": known.month,
        "revision": 2,
        "value": known.value + 1,
        "source": "BCB SGS 189",
        "fetched_at": run.ctx.clock(),
    }
    IndexValueRepository(run.ctx.session).add([row])
    run.ctx.session.commit()


def change_of_the_rule(run):
    state = run.sandbox.state()
    state["invoice_rules"][0]["description"] = "Outra coisa"
    run.sandbox.put_state(state)


@pytest.mark.parametrize("change", [change_of_an_index_value, change_of_the_rule])
def test_an_approval_is_refused_if_anything_changed_since(run, change):
    answer(run, propose(run))
    change(run)

    outcome = run.apply(options=ASKING)

    execution = run.execution()
    assert outcome.applied == 0
    assert (execution.state, execution.approved_by) == (ExecutionState.PLANNED, None)
    assert said(execution.reason) == (
        "contract 10, rule 1, update of 2025-06-10: the approval by Marina is refused: "
        "rule, prices or index values changed since it was proposed"
    )
    assert run.puts() == []


def test_an_approval_is_withdrawn_if_a_person_changes_the_price_meanwhile(run):
    answer(run, propose(run))
    change_of_price(run)

    outcome = run.apply(options=ASKING)

    execution = run.execution()
    assert outcome.applied == 0
    assert (execution.state, execution.approved_by) == (ExecutionState.PARKED, None)
    assert "a person changed the price within these months" in said(execution.reason)
    assert "what Marina decided was about other figures" in said(execution.reason)
    assert run.puts() == []


def test_an_answer_about_a_batch_that_changed_is_refused(run):
    batch = propose(run)
    change_of_the_rule(run)
    propose(run)

    verdict = answer(run, batch)

    assert verdict.refused == 1
    assert run.execution().state == ExecutionState.PLANNED


def test_a_rejected_proposal_is_parked_and_says_by_whom(run):
    verdict = answer(run, propose(run), approved=False)
    run.apply(options=ASKING)

    assert verdict.rejected == 1
    assert (run.execution().state, said(run.execution().reason)) == (ExecutionState.PARKED, "rejected by Marina")


def test_proposing_again_keeps_a_proposal_and_its_approval(run):
    first = propose(run)
    assert propose(run) == first
    answer(run, first)

    assert not propose(run)
    assert run.apply(options=ASKING).applied == 1


def test_the_vendors_own_update_is_adopted_without_asking(run):
    state = run.sandbox.state()
    state["invoice_rules"][0]["gross_value"] = "1080.0"
    state["invoice_rules"][0]["scheduled_updates"][0]["execution_date"] = "2026-06-10"
    run.sandbox.put_state(state)

    propose(run)

    assert run.execution().state == ExecutionState.ADOPTED
