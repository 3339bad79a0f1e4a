"""Applying: the right factor on the right day, from the right price, once, with the evidence."""

from datetime import date
from decimal import Decimal

import pytest

from ciclo.ledger.repositories import ExecutionState
from company import company, rule, scheduled_update, service

JUNE = "2025-06-10"


def yearly(**given):
    return rule(init_date="2025-01-10", gross_value="1000.0", scheduled_updates=[scheduled_update(**given)])


def test_a_rule_is_readjusted_on_its_execution_date(billing_anywhere):
    run = billing_anywhere(company(yearly()))
    run.expand()

    outcome = run.apply()

    assert outcome.applied == 1
    assert run.prices() == [
        (0, "2025-01-10", "1000.00", "rule"),
        (0, JUNE, "1070.26", "price update"),
    ]
    assert run.remote_rule()["gross_value"] == "1070.26"
    assert run.next_execution() == date(2026, 6, 10)
