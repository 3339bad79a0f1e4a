"""What happened at the vendor before Ciclo came: what it made, readjusted and issued itself, and what people did."""

import json
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ciclo_sandbox.testing import running_sandbox
from demo.company import YEAR_END, YEAR_START, as_written
from demo.history import Account, account
from demo.proof import Difference, Edited, MadeBy, PriceOracle, Told, prove, removed_periods

DEEDS = {"change_value": Edited.VALUE, "move_date": Edited.DATE, "split": Edited.SPLIT}


@pytest.fixture(scope="module")
def held() -> Account:
    return account()


def made_of(held: Account, rule_id: int) -> list[dict[str, Any]]:
    return [each for each in held.state["invoices"] if (each.get("generated") or {}).get("rule_id") == rule_id]


def test_the_vendor_has_made_more_than_half_of_the_year_and_the_rest_is_ciclo_s(held: Account):
    there = frozenset(invoice["id"] for invoice in held.state["invoices"])

    proof = prove(held.state, held.before, YEAR_START, YEAR_END, Told(before_ciclo=there))

    assert proof.expected > 600
    assert proof.made_by[MadeBy.VENDOR] > proof.expected / 2
    assert proof.made_by[MadeBy.PEOPLE] >= 2
    assert len(proof.missing) > 200
    assert (proof.unexpected, proof.unbalanced) == ((), ())


def test_people_have_done_what_the_company_s_file_says_and_the_proof_sees_just_that(held: Account):
    there = frozenset(invoice["id"] for invoice in held.state["invoices"])
    proof = prove(held.state, held.before, YEAR_START, YEAR_END, Told(before_ciclo=there))
    rules = {invoice["id"]: (invoice.get("generated") or {}).get("rule_id") for invoice in held.state["invoices"]}

    assert Counter(deed.do for deed in held.deeds) == Counter(deed["do"] for deed in as_written()["deeds"])
    assert Counter((rules[each.invoice_id], each.what) for each in proof.edited) == Counter(
        (deed.rule_id, DEEDS[deed.do]) for deed in held.deeds if deed.do in DEEDS
    )
    assert [
        (period.rule_id, period.issue_date) for period in removed_periods(held.state, held.before, YEAR_START, YEAR_END)
    ] == [(deed.rule_id, deed.planned_date) for deed in held.deeds if deed.do == "delete"]
    assert len(proof.duplicates) == 1, "what was typed in by hand though the vendor had made it"
    assert all(isinstance(each, Difference) for each in proof.edited)


def test_the_vendor_has_readjusted_its_own_rules_and_none_of_the_older_ones(held: Account):
    prices = PriceOracle(held.before)
    entered = {rule["id"]: rule for rule in held.before["invoice_rules"]}
    readjusted = {
        rule["id"]
        for rule in held.state["invoice_rules"]
        if Decimal(rule["gross_value"]) != Decimal(entered[rule["id"]]["gross_value"])
    }

    assert len(readjusted) >= 3
    for rule_id in readjusted:
        now = next(rule for rule in held.state["invoice_rules"] if rule["id"] == rule_id)
        assert made_of(held, rule_id)
        assert Decimal(now["gross_value"]) == prices.gross_value(rule_id, YEAR_END)


def test_every_id_is_used_once_and_the_stand_in_takes_the_state_as_it_is(held: Account):
    for kind in ("contracts", "invoice_rules", "invoices"):
        ids = [each["id"] for each in held.state[kind]]
        assert len(ids) == len(set(ids)), kind
    updates = [update["id"] for rule in held.state["invoice_rules"] for update in rule["scheduled_updates"]]
    lines = [
        line["id"] for kind in ("invoice_rules", "invoices") for each in held.state[kind] for line in each["services"]
    ]
    parts = [part["id"] for invoice in held.state["invoices"] for part in invoice["receivables"]]
    assert all(len(ids) == len(set(ids)) for ids in (updates, lines, parts))

    with running_sandbox(held.state, today=YEAR_END) as vendor:
        assert json.dumps(vendor.state()["invoices"]) == json.dumps(held.state["invoices"])


def test_nothing_of_the_year_is_left_to_issue_when_it_is_over(held: Account):
    def planned(invoice: dict[str, Any]) -> date:
        day, month, year = map(int, invoice["estimated_issue_date"].split("/"))
        return date(year, month, day)

    left = [each for each in held.state["invoices"] if each["state"] == "to_emit" and planned(each) < YEAR_END]

    assert {each["approval_status"] for each in left} <= {"blocked"}
