from datetime import date, timedelta

import pytest

from sandbox.small_state import STATE, invoice_form, rule_form

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


def test_no_invoice_gets_a_second_nfse(sandbox):
    account = account_with(sandbox)
    invoice = create(account, issue_nfse=True)
    account.emit(invoice["id"])
    account._act(f"invoices/{invoice['id']}/undo_emission")
    account.emit(invoice["id"])
    elsewhere = create(account, issue_nfse=True, nfe_issued=True, number=77)
    account.emit(elsewhere["id"])
    answered = {
        "id": 900, "contract_id": 6666, "gross_value": 1, "issue_date": "01/12/2018", "state": "received",
        "issue_nfse": True, "nfe_issued": True, "number": "78", "nfe_verification": "AB", "receivables": [],
        "automatic_nfe_issue_date": "03/12/2018",
    }  # fmt: skip
    state = account.state()
    account.put_state(state | {"invoices": [*state["invoices"], answered]})
    account.set_clock(date(2019, 1, 31))
    assert [each["invoice_id"] for each in account.state()["nfses"]] == [invoice["id"]]
    assert shown(account, answered)["nfe_verification"] == "AB"


def test_a_receipt_that_is_taken_back_and_an_invoice_that_is_cancelled_bring_no_nfse(sandbox):
    account = account_with(sandbox)
    first, second = (create(account, issue_nfse=True, days_until_automatic_nfe_emission=2) for _ in range(2))
    account.set_clock(date(2018, 12, 21))
    for invoice in (first, second):
        account.receive(invoice["receivables"][0]["id"])
    account.undo_receival(first["receivables"][0]["id"])
    account.cancel(second["id"])
    account.set_clock(date(2018, 12, 28))
    assert [shown(account, each)["nfe_issued"] for each in (first, second)] == [False, False]
    account.receive(first["receivables"][0]["id"])
    account.undo_cancellation(second["id"])
    account.set_clock(date(2019, 1, 4))
    assert [shown(account, each)["nfe_issue_date"] for each in (first, second)] == ["02/01/2019", "26/12/2018"]


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


def test_one_leap_of_the_clock_issues_the_tax_documents_that_many_steps_issue(sandbox):
    def played(steps):
        account = account_with(sandbox, payments=[{"share": 0.8, "days_after_due": 2}], nfse_errors=0.4)
        account.set_clock(date(2018, 12, 1))
        management = {"issue_nfse": True, "management_type": "automatic", "automatic_email_template_id": 1}
        for day in range(1, 21):
            waits = management | {"days_until_automatic_nfe_emission": day % 3}
            create(account, issue_date=f"2018-12-{day:02}", **waits)
        for step in steps:
            account.set_clock(step)
        documents = account.state()["nfses"]
        return sorted((each["invoice_id"], each["status"], each["generated_at"] or "") for each in documents)

    leap = played([date(2019, 1, 31)])
    assert leap == played([date(2018, 12, 1) + timedelta(days) for days in range(62)])
    assert {status for _, status, _ in leap} == {"Emitida", "Erro"}


def test_what_is_written_on_a_day_on_which_nothing_came_due_comes_due_that_day(sandbox):
    account = account_with(sandbox)
    for at in ("00:05", "03:00"):
        account.set_clock(date(2018, 12, 15), at)
    invoice = create(account, issue_date="2018-12-15")
    account.set_clock(date(2018, 12, 15), "04:30")
    assert shown(account, invoice)["state"] == "to_receive"


def test_a_day_is_quiet_only_once_what_came_due_has_brought_nothing_more_with_it(sandbox):
    account = account_with(sandbox, wait_while_overdue=True, payments=[{"share": 1.0, "days_after_due": 0}])
    invoice = create(account, issue_date="2018-12-15")
    for at in ("00:05", "03:00", "04:30"):
        account.set_clock(date(2018, 12, 15), at)
        assert shown(account, invoice)["state"] == "to_receive"
    account.set_clock(date(2018, 12, 20), "00:05")
    assert shown(account, invoice)["receivables"][0]["state"] == "received"


def test_money_without_a_charge_does_not_arrive(sandbox):
    account = account_with(sandbox, payments=[{"share": 1.0}], charge_errors=1.0, finance_errors=1.0)
    invoice = create(account)
    account.set_clock(date(2019, 3, 1))
    (receivable,) = shown(account, invoice)["receivables"]
    assert receivable["state"] == "to_receive"
    assert receivable["cobrato_errors"]
    assert receivable["myfinance_errors"]


@pytest.mark.parametrize(("method", "is_charged"), [("billet", True), ("transfer", False), ("payment_gateway", False)])
def test_only_what_is_paid_by_boleto_gets_one_when_it_is_issued(sandbox, method, is_charged):
    account = account_with(sandbox, charge_errors=1 if not is_charged else 0, payments=[{"share": 1}])
    invoice = create(account, payment_information={"payment_method": method})
    account.set_clock(date(2018, 12, 31))
    (line,) = shown(account, invoice)["receivables"]
    assert (line["state"], bool(line["billet_url"]), line["cobrato_errors"]) == ("received", is_charged, None)


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


@pytest.mark.parametrize(
    ("index", "value", "answered"),
    [("igpm", "100.0", "110.0"), ("igpm", None, None), ("ivar", "100.0", "100.0"), (None, "100.0", "100.0")],
)
def test_what_cannot_be_readjusted_stays_and_the_clock_goes_on(sandbox, index, value, answered):
    update = {"id": 1, "price_index": index, "init_date": "2019-01-15", "month_quantity": 1}
    rule = {"id": 1, "contract_id": 6666, "gross_value": value, "scheduled_updates": [update]}
    behaviour = {"readjust": True, "price_indices": {"igpm": {"2018-12": "10"}}}
    sandbox.put_state(STATE | {"invoice_rules": [rule], "behaviour": behaviour})
    sandbox.set_clock(date(2019, 1, 16))
    (shown,) = sandbox.call("GET", "contracts/6666/invoice_rules")[1]["invoice_rules"]
    assert shown["gross_value"] == answered


def rule_with_update(sandbox, init_date, **behaviour):
    sandbox.put_state(STATE | {"behaviour": {"readjust": True, "price_indices": INDICES} | behaviour})
    update = {"price_index": "igpm", "init_date": init_date, "month_quantity": 1, "days_until_update": 5}
    schedule = {"title": "Regra", "init_date": "2018-12-10", "end_date": "2019-04-30", "month_quantity": 1}
    form = rule_form(scheduled_updates=[update | {"month_quantity": 12}], additional_information=schedule)
    return sandbox.call("POST", "contracts/6666/invoice_rules", form)[1]["invoice_rule"]


INDICES = {"igpm": {f"{year}-{month:02}": "0" for year in (2017, 2018, 2019) for month in range(1, 13)}
           | {"2018-11": "10", "2018-12": "20"}}  # fmt: skip


def values(account):
    return {each["estimated_issue_date"]: each["gross_value"] for each in account.state()["invoices"]}


def test_an_own_readjustment_reaches_what_is_planned_from_its_day_on(sandbox):
    rule_with_update(sandbox, "2019-02-10")
    edited = sandbox.state()["invoices"][4]["id"]
    sandbox.edit(edited, gross_value=77)
    sandbox.set_clock(date(2019, 2, 9))
    assert set(values(sandbox).values()) == {"100.0", "77.0"}
    sandbox.set_clock(date(2019, 2, 10))
    # Until the 13th the last month counted is December: 1.10 x 1.20.
    assert values(sandbox) == {
        "10/12/2018": "100.0", "10/01/2019": "100.0", "10/02/2019": "132.0", "10/03/2019": "132.0",
        "10/04/2019": "77.0",
    }  # fmt: skip
    (update,) = sandbox.state()["invoice_rules"][0]["scheduled_updates"]
    assert (update["execution_date"], update["remind_at"], update["notified"]) == ("2020-02-10", "2020-02-05", False)


def test_the_vendors_own_window_may_end_before_the_published_one(sandbox):
    def readjusted(**behaviour):
        rule_with_update(sandbox, "2019-01-05", **behaviour)
        sandbox.set_clock(date(2019, 1, 5))
        return sandbox.state()["invoice_rules"][0]["gross_value"]

    assert (readjusted(), readjusted(readjust_window="published")) == ("110.0", "132.0")


def test_an_execution_date_that_was_past_stays_in_the_past(sandbox):
    rule_with_update(sandbox, "2018-06-10")
    sandbox.set_clock(date(2019, 12, 31))
    (rule,) = sandbox.state()["invoice_rules"]
    assert (rule["gross_value"], rule["scheduled_updates"][0]["execution_date"]) == ("100.0", "2018-06-10")


def test_billed_on_business_days_the_issue_date_moves_and_the_rest_stays(sandbox):
    account = account_with(sandbox, bill_on_business_days=True)
    invoice = create(account, issue_date="2018-12-15")
    account.set_clock(date(2018, 12, 16))
    assert shown(account, invoice)["state"] == "to_emit"
    account.set_clock(date(2018, 12, 20))
    issued = shown(account, invoice)
    assert (issued["state"], issued["issue_date"]) == ("to_receive", "17/12/2018")
    assert issued["estimated_issue_date"] == "15/12/2018"
    assert issued["receivables"][0]["due_date"] == "20/12/2018"


def test_carnival_is_no_national_holiday_for_billing(sandbox):
    account = account_with(sandbox, bill_on_business_days=True)
    monday, holiday = create(account, issue_date="2019-03-04"), create(account, issue_date="2018-12-25")
    account.set_clock(date(2019, 3, 4))
    assert shown(account, monday)["issue_date"] == "04/03/2019"
    assert shown(account, holiday)["issue_date"] == "26/12/2018"


def test_automatic_billing_waits_for_an_overdue_customer(sandbox):
    account = account_with(sandbox, wait_while_overdue=True)
    automatic = {"management_type": "automatic", "automatic_email_template_id": 1}
    first = create(account)
    later = create(account, issue_date="2019-01-10", **automatic)
    by_hand = create(account, issue_date="2019-01-10", receivables=[{"due_date": "2019-02-20"}])
    account.set_clock(date(2019, 1, 15))
    assert (shown(account, later)["state"], shown(account, by_hand)["state"]) == ("to_emit", "to_receive")
    account.receive(first["receivables"][0]["id"])
    account.set_clock(date(2019, 1, 16))
    billed = shown(account, later)
    assert (billed["state"], billed["issue_date"], billed["estimated_issue_date"]) == (
        "to_receive", "16/01/2019", "10/01/2019",
    )  # fmt: skip


def test_a_receipt_that_is_taken_back_leaves_its_value_and_day(sandbox):
    account = account_with(sandbox)
    invoice = create(account)
    account.emit(invoice["id"])
    number = invoice["receivables"][0]["id"]
    account.receive(number, on="2018-12-19")
    (line,) = account.undo_receival(number)["receivables"]
    assert (line["state"], line["received_value"], line["received_at"]) == ("to_receive", "100.0", "19/12/2018")


@pytest.mark.parametrize(
    ("code", "day", "last"),
    [
        (189, date(2025, 6, 1), "01/05/2025"),
        (193, date(2025, 6, 7), "01/04/2025"),
        (190, date(2025, 6, 9), "01/05/2025"),
        (433, date(2025, 6, 12), "01/04/2025"),
        (188, date(2025, 6, 13), "01/05/2025"),
    ],
)
def test_sgs_answers_a_month_from_the_day_on_which_it_is_published(sandbox, code, day, last):
    sandbox.set_clock(day)
    status, found = sandbox._send("GET", f"/dados/serie/bcdata.sgs.{code}/dados/ultimos/1", None, {})
    assert (status, found[0]["data"]) == (200, last)


def test_a_contract_is_overdue_while_a_receivable_is_unpaid_past_its_due_date(sandbox):
    account = account_with(sandbox)
    invoice = create(account)

    def overdue():
        return account.call("GET", "organizations/564/contracts/6666")[1]["contract"]["overdue"]

    account.set_clock(date(2018, 12, 20))
    assert overdue() is False
    account.set_clock(date(2018, 12, 21))
    assert overdue() is True
    account.receive(invoice["receivables"][0]["id"])
    assert overdue() is False


def test_sgs_goes_on_after_the_last_shipped_month_if_it_is_told_to(sandbox):
    def last_year(**behaviour):
        account_with(sandbox, **behaviour).set_clock(date(2028, 4, 20))
        return sandbox._send("GET", "/dados/serie/bcdata.sgs.189/dados/ultimos/13", None, {})[1]

    shipped, continued = last_year(), last_year(continue_series=True)

    assert shipped[-1]["data"] != "01/03/2028"
    assert continued[-1]["data"] == "01/03/2028"
    assert continued[-1]["valor"] == continued[0]["valor"]
