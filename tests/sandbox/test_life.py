from datetime import date

import pytest

from sandbox.small_state import STATE, invoice_form

INVOICES = "contracts/6666/invoices"
EMITTING = {"emit_on_issue_date": True, "seed": 1}


def account_with(sandbox, **behaviour):
    sandbox.put_state(STATE | {"behaviour": EMITTING | behaviour})
    return sandbox


def create(account, **changes):
    status, body = account.call("POST", INVOICES, invoice_form(**changes))
    assert status == 201, body
    return body["invoice"]


def shown(account, invoice):
    return account.call("GET", f"{INVOICES}/{invoice['id']}")[1]["invoice"]


def test_nothing_moves_unless_the_state_says_so(sandbox):
    sandbox.put_state(STATE)
    invoice = create(sandbox)
    sandbox.set_clock(date(2020, 1, 1))
    assert shown(sandbox, invoice) == invoice


def test_an_invoice_is_issued_when_its_date_comes(sandbox):
    account = account_with(sandbox)
    invoice = create(account, issue_date="2018-12-15")
    account.set_clock(date(2018, 12, 14))
    assert shown(account, invoice)["state"] == "to_emit"
    account.set_clock(date(2018, 12, 15))
    issued = shown(account, invoice)
    assert (issued["state"], issued["receivables"][0]["state"]) == ("to_receive", "to_receive")
    assert issued["nfe_issued"] is False


def test_a_blocked_invoice_is_not_issued(sandbox):
    account = account_with(sandbox)
    invoice = create(account, approval_status="blocked")
    account.set_clock(date(2019, 1, 1))
    assert shown(account, invoice)["state"] == "to_emit"


def test_the_nfse_comes_with_the_issue(sandbox):
    account = account_with(sandbox)
    invoice = create(account, issue_nfse=True, issue_date="2018-12-15")
    account.set_clock(date(2018, 12, 20))
    issued = shown(account, invoice)
    assert (issued["nfe_issued"], issued["nfe_issue_date"]) == (True, "15/12/2018")
    assert issued["number"]
    assert issued["nfe_verification"]


def test_the_automatic_nfse_comes_business_days_after_the_receipt(sandbox):
    account = account_with(sandbox)
    invoice = create(account, issue_nfse=True, days_until_automatic_nfe_emission=2)
    account.set_clock(date(2018, 12, 21))
    account.receive(invoice["receivables"][0]["id"])
    # Friday 21st; Monday 24th is the first business day, Christmas is none, Wednesday the second.
    assert shown(account, invoice)["automatic_nfe_issue_date"] == "26/12/2018"
    account.set_clock(date(2018, 12, 25))
    assert shown(account, invoice)["nfe_issued"] is False
    account.set_clock(date(2018, 12, 26))
    assert shown(account, invoice)["nfe_issue_date"] == "26/12/2018"


def test_customers_pay_in_the_shares_of_the_behaviour(sandbox):
    payments = [{"share": 0.5, "days_after_due": 0}, {"share": 0.3, "days_after_due": 10}]
    account = account_with(sandbox, payments=payments)
    for _ in range(200):
        create(account)

    def received(today):
        account.set_clock(today)
        return len(account.call("GET", "contracts/6666/receivables/search?state=received")[1]["receivables"])

    assert received(date(2018, 12, 19)) == 0
    assert 80 <= received(date(2018, 12, 20)) <= 120
    assert 140 <= received(date(2018, 12, 30)) <= 180
    assert received(date(2028, 1, 1)) == received(date(2018, 12, 30))


def test_one_leap_of_the_clock_ends_where_many_steps_end(sandbox):
    def played(steps):
        account = account_with(sandbox, payments=[{"share": 0.6, "days_after_due": 2}], charge_errors=0.2)
        account.set_clock(date(2018, 12, 1))
        for day in range(1, 21):
            create(account, issue_date=f"2018-12-{day:02}", issue_nfse=True)
        for step in steps:
            account.set_clock(step)
        return [
            (
                i["state"],
                i["nfe_issue_date"],
                [(r["state"], r["received_at"], r["cobrato_errors"]) for r in i["receivables"]],
            )
            for i in account.state()["invoices"]
        ]

    assert played([date(2019, 1, 31)]) == played([date(2018, 12, day) for day in range(1, 32)] + [date(2019, 1, 31)])


def test_money_without_a_charge_does_not_arrive(sandbox):
    account = account_with(sandbox, payments=[{"share": 1.0}], charge_errors=1.0, finance_errors=1.0)
    invoice = create(account)
    account.set_clock(date(2019, 3, 1))
    (receivable,) = shown(account, invoice)["receivables"]
    assert receivable["state"] == "to_receive"
    assert receivable["cobrato_errors"]
    assert receivable["myfinance_errors"]


def test_late_follows_from_the_dates(sandbox):
    account = account_with(sandbox)
    invoice = create(
        account, receivables=[{"due_date": "2018-12-20", "value": 50}, {"due_date": "2019-01-20", "value": 50}]
    )
    account.set_clock(date(2018, 12, 20))
    assert account.call("GET", f"{INVOICES}/late")[1] == {"invoices": []}
    account.set_clock(date(2018, 12, 21))
    assert [each["id"] for each in account.call("GET", f"{INVOICES}/late")[1]["invoices"]] == [invoice["id"]]
    account.receive(invoice["receivables"][0]["id"])
    assert account.call("GET", f"{INVOICES}/late")[1] == {"invoices": []}


def test_receiving_the_last_receivable_makes_the_invoice_received_and_can_be_undone(sandbox):
    account = account_with(sandbox)
    invoice = create(
        account, receivables=[{"due_date": "2018-12-20", "value": 50}, {"due_date": "2019-01-20", "value": 50}]
    )
    account.set_clock(date(2018, 12, 20))
    first, second = (each["id"] for each in invoice["receivables"])
    assert account.receive(first, on="2018-12-19", value="49.99")["state"] == "to_receive"
    received = account.receive(second)
    assert received["state"] == "received"
    assert [(r["received_value"], r["received_at"]) for r in received["receivables"]] == [
        ("49.99", "19/12/2018"), ("50.0", "20/12/2018"),
    ]  # fmt: skip
    assert account.undo_receival(second)["state"] == "to_receive"


def test_a_cancelled_invoice_comes_back_as_it_was(sandbox):
    account = account_with(sandbox)
    invoice = create(account)
    account.emit(invoice["id"])
    cancelled = account.cancel(invoice["id"])
    assert (cancelled["state"], cancelled["receivables"][0]["state"]) == ("cancelled", "cancelled")
    back = account.undo_cancellation(invoice["id"])
    assert (back["state"], back["receivables"][0]["state"]) == ("to_receive", "to_receive")
    assert "state_before" not in shown(account, invoice)


@pytest.mark.parametrize(("action", "message"), [("undo_cancellation", "desfeito"), ("undo_emission", "desfeito")])
def test_what_did_not_happen_cannot_be_undone(sandbox, action, message):
    account = account_with(sandbox)
    invoice = create(account)
    status, body = account._send("POST", f"/_sandbox/invoices/{invoice['id']}/{action}", None, {})
    assert (status, body) == (422, {"errors": f"O faturamento não pode ser {message}."})


def test_a_reminder_goes_out_on_its_day(sandbox):
    update = {"id": 1, "price_index": "igpm", "init_date": "2019-01-10", "month_quantity": 12, "days_until_update": 5,
              "remind_at": "2019-01-05"}  # fmt: skip
    rule = {"id": 1, "contract_id": 6666, "scheduled_updates": [update]}
    sandbox.put_state(STATE | {"invoice_rules": [rule]})

    def notified():
        return sandbox.call("GET", "contracts/6666/invoice_rules")[1]["invoice_rules"][0]["scheduled_updates"][0][
            "notified"
        ]

    sandbox.set_clock(date(2019, 1, 4))
    assert notified() is False
    sandbox.set_clock(date(2019, 1, 5))
    assert notified() is True


def test_the_vendor_readjusts_by_itself_when_the_behaviour_says_so(sandbox):
    update = {"id": 1, "price_index": "igpm", "init_date": "2019-01-15", "month_quantity": 2, "days_until_update": 5}
    line = {"id": 1, "name": "Online", "units": 2, "unit_value": 100}
    rule = {
        "id": 1,
        "contract_id": 6666,
        "services": [line],
        "scheduled_updates": [update],
        "apply_negative_updates": True,
    }
    indices = {"igpm": {"2018-11": "10", "2018-12": "-5"}}
    behaviour = {"readjust": True, "price_indices": indices}
    sandbox.put_state(STATE | {"invoice_rules": [rule], "behaviour": behaviour})
    sandbox.set_clock(date(2019, 1, 15))
    (answered,) = sandbox.call("GET", "contracts/6666/invoice_rules")[1]["invoice_rules"]
    assert (answered["services"][0]["unit_value"], answered["gross_value"]) == ("104.5", "209.0")
    assert answered["scheduled_updates"][0]["execution_date"] == "2019-03-15"
