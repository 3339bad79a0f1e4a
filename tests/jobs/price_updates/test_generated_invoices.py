"""What the vendor generated is brought to the new price too, adopted or not; what a person edited is left and shown."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from ciclo.jobs.price_updates import reprice
from ciclo.ledger.tables import Finding
from company import company, rule, scheduled_update, service

JUNE = date(2025, 6, 10)


def generated(number, month, value="1000.0", **given):
    """An invoice that the vendor made of rule 1, of the 10th of a month of 2025."""
    day = f"2025-{month:02}-10"
    due = f"2025-{month + 1:02}-01"
    return {
        "id": number,
        "contract_id": 10,
        "issue_date": day,
        "estimated_issue_date": day,
        "gross_value": value,
        "payment_value": value,
        "description": "Mensalidade 1",
        "nfe_body": "$DESCRICAO",
        "state": "to_emit",
        "accrual_date": f"2025-{month:02}-01",
        "comments": None,
        "customer_id": 1010,
        "customer_type": "Company",
        "receivables": [
            {"id": number * 10, "due_date": due, "value": "100.0", "gross_value": value, "state": "to_emit"}
        ],
        **given,
    }


@pytest.fixture
def run(billing):
    def start(*invoices, rules=None, **given):
        mine = rules or [rule(gross_value="1000.0", scheduled_updates=[scheduled_update()])]
        started = billing(company(*mine, invoices=list(invoices), **given), today=JUNE)
        started.expand(date(2025, 6, 1), date(2025, 6, 30))
        return started

    return start


def values(run):
    return {each["id"]: Decimal(each["gross_value"]) for each in run.sandbox.state()["invoices"]}


def test_every_invoice_from_the_execution_on_is_brought_to_the_new_price_though_nobody_adopted_it(run):
    started = run(*(generated(900 + month, month) for month in range(4, 12)))

    outcome = started.apply(JUNE, today=JUNE)

    old, new = Decimal("1000.00"), Decimal("1070.26")
    assert outcome.invoices == 6
    assert values(started) == {904: old, 905: old} | {900 + month: new for month in range(6, 12)}


def test_it_is_done_once(run):
    started = run(*(generated(900 + month, month) for month in range(6, 9)))
    started.apply(JUNE, today=JUNE)

    started.apply(JUNE, today=JUNE)

    assert len(started.sandbox.requests(method="PATCH", path="invoices")) == 3


def test_services_are_brought_to_price_line_by_line(run):
    lines = [service(31, "100.0", item=1), service(32, "200.0", item=2)]
    one = scheduled_update(service_item_id=2)
    theirs = [dict(line, id=line["id"] + 1000) for line in lines]
    started = run(
        generated(907, 7, "300.0", services=theirs),
        rules=[rule(services=lines, scheduled_updates=[one])],
        service_items=[{"id": 1, "name": "Serviço 1"}, {"id": 2, "name": "Serviço 2"}],
    )

    started.apply(JUNE, today=JUNE)

    assert values(started) == {907: Decimal("314.05")}


def test_what_a_person_edited_is_left_and_shown_with_both_amounts(run):
    started = run(generated(906, 6), generated(907, 7, "1250.0"))

    started.apply(JUNE, today=JUNE)

    [finding] = started.ctx.session.scalars(select(Finding).where(Finding.kind == "value_edited"))
    assert values(started) == {906: Decimal("1070.26"), 907: Decimal("1250.00")}
    assert (finding.subject_id, finding.expected, finding.found) == (907, "1070.26", "1250.00")
    assert finding.amount == Decimal("179.74")


def test_another_rules_invoices_are_not_touched(run):
    rules = [
        rule(gross_value="1000.0", scheduled_updates=[scheduled_update()]),
        rule(2, gross_value="1000.0", description="Outra coisa"),
    ]
    started = run(generated(907, 7), generated(957, 7, description="Outra coisa"), rules=rules)

    started.apply(JUNE, today=JUNE)

    assert values(started) == {907: Decimal("1070.26"), 957: Decimal("1000.00")}


@pytest.mark.parametrize("kind", ["error_after", "error_before"])
def test_what_broke_half_way_is_finished_by_settling(run, clock, kind):
    started = run(*(generated(900 + month, month) for month in range(6, 9)))
    started.sandbox.faults([{"method": "PATCH", "path": "invoices/907", "kind": kind, "count": 1}])
    started.apply(JUNE, today=JUNE)

    settled = started.settle()

    assert settled.applied == 1
    assert set(values(started).values()) == {Decimal("1070.26")}
    assert len(started.puts()) == 1


def test_the_vendors_own_readjustment_is_shown_with_the_difference_to_ours(run):
    executed = scheduled_update(execution_date="2026-06-10")
    started = run(generated(906, 6), generated(907, 7, "1080.0"))
    state = started.sandbox.state()
    state["invoice_rules"][0] |= {"gross_value": "1080.0", "scheduled_updates": [executed]}
    started.sandbox.put_state(state)

    started.apply(JUNE, today=JUNE)

    [finding] = started.ctx.session.scalars(select(Finding).where(Finding.kind == "vendor_factor_differs"))
    assert (finding.expected, finding.found, finding.amount) == ("1070.26", "1080.00", Decimal("9.74"))
    assert finding.facts["execution_date"] == "2025-06-10"
    assert set(values(started).values()) == {Decimal("1080.00")}
    assert started.puts() == []


def test_a_service_item_of_a_name_that_the_catalogue_has_twice_is_not_guessed(run):
    lines = [service(5, "100.0", item=901) | {"name": "Suporte"}, service(6, "50.0", item=902) | {"name": "Suporte"}]
    started = run(
        rules=[rule(services=lines, scheduled_updates=[scheduled_update(service_item_id=902)])],
        service_items=[{"id": 901, "name": "Suporte"}, {"id": 902, "name": "Suporte"}],
    )

    outcome = started.apply(JUNE, today=JUNE)

    assert (outcome.applied, outcome.parked) == (0, 1)
    assert started.puts() == []


def reprice_edited_ones(patch):
    """Bring every invoice to the new price, whoever set the one that it has."""
    patch.setattr(reprice, "_change", lambda owned, prices: ({"gross_value": prices.gross(owned)[1]}, []))


def test_a_readjustment_that_overwrites_what_people_edited_is_found(monkeypatch, run):
    reprice_edited_ones(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        test_what_a_person_edited_is_left_and_shown_with_both_amounts(run)


def generated_here(number, month, value="1000.0", edited=(), **given):
    """An invoice that the stand-in knows to be of rule 1: it carries the rule's changes into it."""
    return generated(number, month, value, generated={"rule_id": 1, "edited": list(edited)}, **given)


@pytest.mark.parametrize("services", [False, True])
def test_what_was_planned_before_the_execution_keeps_its_price_though_the_vendor_takes_it_along(run, services):
    """Invoices that a person has not billed yet: the vendor carries a rule's change into them, whatever their day."""
    lines = [service(31, "1000.0", item=1)] if services else []
    theirs = [[dict(line, id=5000 + month) for line in lines] for month in range(9)]
    started = run(
        *(generated_here(900 + month, month, services=theirs[month]) for month in range(2, 9)),
        rules=[rule(gross_value="1000.0", services=lines, scheduled_updates=[scheduled_update()])],
    )
    started.expand(date(2025, 2, 1), date(2025, 6, 30))
    started.issue(date(2025, 2, 1), date(2025, 4, 30))  # adopted; that of May is not

    started.apply(JUNE, today=JUNE)

    old, new = Decimal("1000.00"), Decimal("1070.26")
    assert values(started) == {900 + month: old if month < 6 else new for month in range(2, 9)}
    assert [entry["invoice_id"] for entry in started.execution().evidence["set_back"]] == [902, 903, 904, 905]


def test_a_second_update_leaves_what_was_planned_before_it_at_the_price_of_the_first(run):
    """Every two months by IGP-M, caught up with in one run: 10 June and 10 August."""
    started = run(
        *(generated_here(900 + month, month) for month in range(5, 11)),
        rules=[
            rule(
                gross_value="1000.0",
                apply_negative_updates=True,
                scheduled_updates=[scheduled_update(month_quantity=2)],
            )
        ],
    )

    outcome = started.apply(date(2025, 9, 1), today=date(2025, 9, 1))

    assert outcome.applied == 2
    first, second = (Decimal(price[2]) for price in started.prices()[1:])
    assert first != second
    assert list(values(started).values()) == [Decimal(1000), first, first, second, second, second]


def test_what_a_person_edited_is_set_back_where_the_vendor_overwrites_it(run):
    started = run(
        generated_here(905, 5, "900.0", edited=["gross_value"]),
        generated_here(906, 6),
        generated_here(907, 7, "1250.0", edited=["gross_value"]),
        behaviour={"emit_on_issue_date": False, "payments": [], "seed": 1, "keep_hand_edits": False},
    )

    started.apply(JUNE, today=JUNE)

    assert values(started) == {905: Decimal(900), 906: Decimal("1070.26"), 907: Decimal(1250)}
    [finding] = started.ctx.session.scalars(select(Finding).where(Finding.kind == "value_edited"))
    assert (finding.subject_id, finding.found) == (907, "1250.00")


def test_a_line_that_the_vendor_drops_with_its_rules_change_is_shown(run):
    lines = [service(31, "1000.0", item=1)]
    usage = [dict(lines[0], id=5007), service(5008, "80.0", item=9)]
    started = run(
        generated_here(907, 7, "1080.0", edited=["services"], services=usage),
        rules=[rule(gross_value="1000.0", services=lines, scheduled_updates=[scheduled_update()])],
        behaviour={"emit_on_issue_date": False, "payments": [], "seed": 1, "keep_hand_edits": False},
    )

    started.apply(JUNE, today=JUNE)

    [finding] = started.ctx.session.scalars(select(Finding).where(Finding.kind == "value_edited"))
    assert (finding.subject_id, finding.expected, finding.found) == (907, "1080.00", "1070.26")


@pytest.mark.parametrize("kind", ["error_after", "error_before"])
def test_what_was_to_be_set_back_is_by_settling(run, kind):
    started = run(generated_here(905, 5), generated_here(906, 6))
    started.sandbox.faults([{"method": "PATCH", "path": "invoices/905", "kind": kind, "count": 1}])
    started.apply(JUNE, today=JUNE)
    assert started.execution().state == "in_doubt"

    assert started.settle().applied == 1

    assert values(started) == {905: Decimal(1000), 906: Decimal("1070.26")}


def test_an_invoice_that_cannot_be_read_keeps_the_rule_from_being_changed(run):
    started = run(generated_here(905, 5), generated_here(906, 6))
    started.sandbox.faults([{"method": "GET", "path": "invoices/search", "kind": "odd_record", "count": 9}])

    started.apply(JUNE, today=JUNE)

    assert (started.execution().state, started.puts()) == ("planned", [])
