"""Terms of a contract that the vendor cannot hold bear on its readjustments; the vendor's without them is corrected."""

from datetime import date
from decimal import Decimal

import pytest

from ciclo.domain.contract_terms import ContractTerm, TermKind
from ciclo.domain.price_index import PriceIndex
from ciclo.domain.wording import said
from ciclo.jobs.indices import load_shipped, revised_uses
from ciclo.ledger.actions import agree_term, apply_update, end_term
from ciclo.ledger.queries.what_if import Assumption, what_if
from ciclo.ledger.tables import IndexValue
from company import company, rule, scheduled_update, service

EXECUTION = date(2025, 6, 10)


def yearly(day="2025-06-10"):
    """A yearly rule of 2023 at R$ 1.000,00 with a readjustment by IGP-M on 10 June 2025."""
    updates = [scheduled_update(init_date=day)]
    given = {"gross_value": "1000.0", "scheduled_updates": updates, "created_at": None}
    return rule(init_date="2023-06-20", timing={"month_quantity": 12}, **given)


def agree(run, kind, **given):
    term = ContractTerm(kind=kind, effective_from=date(2025, 1, 1), author="ana", clause="7.2", **given)
    number = agree_term(
        run.ctx.session, run.ctx.organization_id, 10, term, note="signed in January", at=run.ctx.clock()
    )
    run.ctx.session.commit()
    return number


def on(run, day):
    run.today = day
    run.expand(date(2023, 1, 1), day)
    return run.apply(day, today=day)


@pytest.mark.parametrize(
    ("kind", "given", "new"),
    [
        (TermKind.CAP, {"percent": Decimal(5)}, "1050.00"),
        (TermKind.CAP, {"percent": Decimal(9)}, "1070.26"),
        (TermKind.FLOOR, {"percent": Decimal(8)}, "1080.00"),
        (TermKind.SHARE, {"percent": Decimal(80)}, "1056.21"),
        (TermKind.FIXED, {"percent": Decimal(6)}, "1060.00"),
        (TermKind.HIGHER_OF, {"index": PriceIndex.IPCA}, "1070.26"),
        (TermKind.NOT_BEFORE, {"day": date(2026, 1, 1)}, "1000.00"),
    ],
)
def test_a_term_bears_on_the_factor_and_stands_in_the_evidence(billing, kind, given, new):
    run = billing(company(yearly()), today=date(2025, 6, 1))
    run.expand()
    agree(run, kind, **given)

    on(run, EXECUTION)

    execution = run.execution()
    assert (execution.state, run.prices()[-1][2]) == ("applied", new)
    [step] = execution.evidence["terms"]
    assert (step["kind"], step["clause"], step["author"]) == (kind.value, "7.2", "ana")
    assert Decimal(run.remote_rule()["gross_value"]) == Decimal(new)


def test_the_value_of_another_index_that_a_term_needs_is_waited_for_by_its_own_calendar(billing):
    """IGP-M of May counts on 1 June, IPCA of May from 13 June on: it is not late on 11 June, and not called IGP-M."""
    run = billing(company(yearly("2025-06-01")), today=date(2025, 5, 20))
    run.expand()
    agree(run, TermKind.LOWER_OF, index=PriceIndex.IPCA)
    run.forget("ipca", date(2025, 5, 1))

    on(run, date(2025, 6, 1))
    on(run, date(2025, 6, 11))

    assert run.execution().state == "waiting"
    assert said(run.execution().reason).endswith("the value of IPCA for 05/2025 is not out before 2025-06-13")
    load_shipped(run.ctx.session, at=run.ctx.clock())
    on(run, date(2025, 6, 14))
    assert (run.execution().state, run.prices()[-1][2]) == ("applied", "1053.20")


@pytest.mark.parametrize(
    ("kind", "given", "used"),
    [
        (TermKind.LOWER_OF, {"index": PriceIndex.IPCA}, {"igpm": "-0.34", "ipca": "0.56"}),
        (TermKind.SUBSTITUTE, {"index": PriceIndex.IPCA, "day": date(2025, 1, 1)}, {"ipca": "0.56"}),
    ],
)
def test_a_revision_is_shown_where_that_very_index_was_used(billing, kind, given, used):
    run = billing(company(yearly()), today=date(2025, 6, 1))
    run.expand()
    agree(run, kind, **given)
    on(run, EXECUTION)
    march = {"month": date(2025, 3, 1), "revision": 2, "value": Decimal("0.99"), "source": "BCB"}
    for index in PriceIndex:
        run.ctx.session.add(IndexValue(price_index=index.value, fetched_at=run.ctx.clock(), **march))
    run.ctx.session.commit()

    shown = [use for index in PriceIndex for use in revised_uses(run.ctx.session, index)]

    assert {use.index.value: f"{use.used:f}" for use in shown} == used


def test_a_term_that_has_ended_bears_on_nothing(billing):
    run = billing(company(yearly()), today=date(2025, 6, 1))
    run.expand()
    number = agree(run, TermKind.CAP, percent=Decimal(5))
    end_term(
        run.ctx.session,
        run.ctx.organization_id,
        number,
        date(2025, 6, 9),
        person="ana",
        note="amended",
        at=run.ctx.clock(),
    )
    run.ctx.session.commit()

    on(run, EXECUTION)

    assert run.prices()[-1][2] == "1070.26"
    assert "terms" not in run.execution().evidence


@pytest.mark.parametrize(
    ("basis", "state", "new"), [("letter", "applied", "1050.00"), ("vendor", "adopted", "1070.26")]
)
def test_the_vendors_readjustment_without_the_term_waits_and_is_corrected_when_approved(billing, basis, state, new):
    run = billing(company(yearly()), today=date(2025, 6, 1))
    run.expand()
    agree(run, TermKind.CAP, percent=Decimal(5))
    document = run.sandbox.state()
    document["invoice_rules"][0] |= {"gross_value": "1070.26"}
    document["invoice_rules"][0]["scheduled_updates"][0]["execution_date"] = "2026-06-10"
    run.sandbox.put_state(document)

    on(run, EXECUTION)
    waiting = run.execution()
    assert (waiting.state, run.remote_rule()["gross_value"]) == ("parked", "1070.26")
    decided = {"person": "ana", "note": "clause 7.2", "at": run.ctx.clock(), "basis": basis}
    apply_update(run.ctx.session, run.ctx.organization_id, waiting.id, **decided)
    run.ctx.session.commit()
    on(run, date(2025, 6, 11))

    assert (run.executions()[0].state, run.prices()[-1][2]) == (state, new)
    assert Decimal(run.remote_rule()["gross_value"]) == Decimal(new)


def test_what_if_says_what_a_cap_would_take_off_a_years_billing(billing):
    run = billing(company(yearly()), today=date(2025, 6, 1))
    run.expand()

    [line] = what_if(run.ctx.session, run.ctx.organization_id, Assumption(cap=Decimal(5)), today=date(2025, 6, 10))

    assert (line.as_it_is.new, line.assumed.new) == (Decimal("1070.26"), Decimal("1050.00"))
    assert line.a_year == Decimal("-20.26")


def test_what_if_rounds_a_years_billing_as_its_invoices_are_rounded(billing):
    half = service(31, "10.00", units="0.5")
    update = scheduled_update(init_date="2025-06-10")
    state = rule(init_date="2024-01-10", services=[half], scheduled_updates=[update])
    run = billing(company(state), today=date(2025, 6, 1))
    run.expand()

    [line] = what_if(run.ctx.session, run.ctx.organization_id, Assumption(cap=Decimal("6.9")), today=date(2025, 6, 10))

    assert (line.as_it_is.new, line.assumed.new) == (Decimal("10.70"), Decimal("10.69"))
    assert line.a_year == 0  # each month is R$ 5,35 by either price
