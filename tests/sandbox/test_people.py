"""People at the vendor's screens, as `behaviour.people` has them."""

from datetime import date, timedelta

import pytest

from sandbox.small_state import STATE, rule_form, services

DAY = timedelta(days=1)
TODAY = date(2018, 12, 10)


def played(sandbox, *people, until=date(2019, 1, 31), step=None, seed=1, lines=None, **behaviour):
    """Return the invoices of a rule issued on 28/12/2018 and 28/01/2019, after the days up to `until`."""
    sandbox.put_state(STATE | {"behaviour": {"seed": seed, "people": list(people)} | behaviour})
    sandbox.set_clock(TODAY, "09:00")
    schedule = {"title": "Regra", "init_date": "2018-12-28", "end_date": "2019-01-28", "month_quantity": 1}
    changes = {"services": lines} if lines else {}
    status, body = sandbox.call(
        "POST", "contracts/6666/invoice_rules", rule_form(additional_information=schedule, **changes)
    )
    assert status == 201, body
    day = TODAY
    while step and day < until:
        day += step
        sandbox.set_clock(min(day, until))
    sandbox.set_clock(until)
    return sandbox.state()["invoices"]


def everybody(deed):
    return {"share": 1.0, "do": deed}


def test_a_description_gets_the_months_usage(sandbox):
    for invoice in played(sandbox, everybody("append_description")):
        assert invoice["description"].startswith("Mensalidade - Consumo ")
        assert invoice["description"].count("Consumo") == 1


@pytest.mark.parametrize("lines", [None, services((31, 2, "50"), (57, 1, "10"))])
def test_a_value_is_changed_with_its_receivables(sandbox, lines):
    invoices = played(sandbox, everybody("change_value"), lines=lines)
    before = "110.0" if lines else "100.0"
    assert any(invoice["gross_value"] != before for invoice in invoices)
    for invoice in invoices:
        assert [line["gross_value"] for line in invoice["receivables"]] == [invoice["gross_value"]]
        assert invoice["generated"]["edited"]


def test_a_date_is_moved_to_a_later_business_day_and_the_due_date_stays(sandbox):
    for invoice, planned in zip(played(sandbox, everybody("move_date")), ("28/12/2018", "28/01/2019"), strict=True):
        assert invoice["issue_date"] == invoice["estimated_issue_date"] != planned
        assert invoice["receivables"][0]["due_date"] in ("23/01/2019", "23/02/2019")


def test_somebody_bills_late_and_the_machinery_leaves_it_to_him(sandbox):
    first, _ = played(sandbox, everybody("bill_late"), emit_on_issue_date=True, until=date(2019, 1, 15))
    assert (first["state"], first["estimated_issue_date"]) == ("to_receive", "28/12/2018")
    late = date(int(first["issue_date"][6:]), int(first["issue_date"][3:5]), int(first["issue_date"][:2]))
    assert 3 <= (late - date(2018, 12, 28)).days <= 10
    assert first["receivables"][0]["due_date"] == "23/01/2019"


def test_an_invoice_is_deleted(sandbox):
    assert played(sandbox, everybody("delete")) == []


def test_an_invoice_is_cancelled_and_made_anew_with_its_remarks(sandbox):
    invoices = played(sandbox, everybody("cancel_and_copy"))
    assert [invoice["state"] for invoice in invoices] == ["cancelled", "cancelled", "to_emit", "to_emit"]
    cancelled, copy = invoices[0], invoices[2]
    same = ("estimated_issue_date", "gross_value", "description", "comments", "accrual_date")
    assert [copy[field] for field in same] == [cancelled[field] for field in same]
    assert copy["receivables"][0]["id"] != cancelled["receivables"][0]["id"]


def test_an_invoice_is_split_into_receivables_a_month_apart(sandbox):
    for invoice in played(sandbox, everybody("split")):
        assert len(invoice["receivables"]) in (2, 3)
        assert sum(float(line["gross_value"]) for line in invoice["receivables"]) == 100.0
        assert len({line["due_date"] for line in invoice["receivables"]}) == len(invoice["receivables"])


def test_each_acts_on_his_share_and_once(sandbox):
    sandbox.put_state(STATE | {"behaviour": {"people": [{"share": 0.3, "do": "delete"}]}})
    sandbox.set_clock(TODAY, "09:00")
    for _ in range(100):
        schedule = {"title": "R", "init_date": "2018-12-20", "end_date": "2018-12-20", "month_quantity": 1}
        sandbox.call("POST", "contracts/6666/invoice_rules", rule_form(additional_information=schedule))
    sandbox.set_clock(date(2018, 12, 25))
    assert 55 <= len(sandbox.state()["invoices"]) <= 85


def test_the_same_seed_plays_the_same_in_a_leap_and_day_by_day(sandbox):
    people = [
        {"share": 0.2, "do": deed} for deed in ("append_description", "change_value", "move_date", "split", "delete")
    ]

    def story(step, seed=3):
        invoices = played(sandbox, *people, step=step, seed=seed, emit_on_issue_date=True)
        unimportant = ("created_at", "payment_information")
        return [{name: value for name, value in each.items() if name not in unimportant} for each in invoices]

    assert story(None) == story(DAY)
    assert any(story(None) != story(None, seed) for seed in (4, 5, 6))


def test_nobody_touches_what_is_issued_or_long_past(sandbox):
    invoices = [
        {"id": 1, "contract_id": 6666, "issue_date": "2018-12-12", "gross_value": "1.0", "state": "to_receive"},
        {"id": 2, "contract_id": 6666, "issue_date": "2018-11-01", "gross_value": "1.0"},
    ]
    sandbox.put_state(STATE | {"invoices": invoices, "behaviour": {"people": [everybody("delete")]}})
    sandbox.set_clock(date(2018, 12, 20))
    assert [invoice["id"] for invoice in sandbox.state()["invoices"]] == [1, 2]
