"""Single cases of an audit: what is easily taken for a fault, what hides one, and how it goes on after a stop."""

import json
from contextlib import ExitStack
from datetime import date, timedelta
from decimal import Decimal

import httpx
import pytest

from ciclo.billimatic import BillimaticClient
from ciclo.http.retries import RetryRules
from ciclo.jobs.audit.account import audit_account
from ciclo.jobs.audit.findings import AuditRange
from ciclo.sgs.client import SgsClient
from ciclo_sandbox.testing import running_sandbox
from planted_account import LAST, ORGANIZATION, TOKEN, Account, Line, Shape, Update, brazilian

MONTHLY = Shape(date(2023, 8, 10), gross="100.00")
YEARLY_UPDATE = [Update("ipca", date(2024, 8, 10))]


@pytest.fixture
def account():
    return Account()


@pytest.fixture
def audited(ciclo, monkeypatch):
    """Audit an account over HTTP; return its findings, or what the command printed."""
    monkeypatch.setenv("CICLO_TOKEN", TOKEN)
    with ExitStack() as stack:

        def run(account, *more, first="2023-08", faults=(), raw=False):
            box = stack.enter_context(running_sandbox(account.state(), today=LAST))
            box.faults(faults)
            options = ("--url", box.url, "--organization", ORGANIZATION, "--from", first, "--to", "2026-07")
            code, out, err = ciclo("audit", *options, *([] if raw else ["--json"]), *more)
            assert (code, err) == (0, "")
            return out if raw else json.loads(out)["findings"]

        yield run


def kinds(findings):
    return [each["kind"] for each in findings]


def test_an_invoice_moved_across_the_month_is_its_periods_own(account, audited):
    rule = account.rule(Shape(date(2023, 8, 30), gross="100.00"))
    for day, days in ((rule.days[4], 3), (rule.days[9], 4)):
        later = brazilian(day + timedelta(days=days))
        rule.invoices[day] |= {"issue_date": later, "estimated_issue_date": later}
    assert audited(account) == []


def test_an_invoice_billed_after_the_range_is_not_missing(account, audited):
    rule = account.rule(Shape(date(2023, 8, 25), gross="100.00"))
    rule.invoices[date(2026, 7, 25)]["issue_date"] = "12/08/2026"
    assert audited(account) == []


def test_a_rule_of_two_lines_of_one_name_is_judged_by_their_order(account, audited):
    rule = account.rule(Shape(date(2023, 8, 10), [Line("Ponto", "1.0", "50.00"), Line("Porta", "2.0", "20.00")]))
    for line in (*account.documents[rule.id]["services"], *(s for i in rule.invoices.values() for s in i["services"])):
        line["name"] = "Ponto"
    invoice = rule.invoices[rule.days[7]]
    invoice["services"][1] |= {"unit_value": "21.00", "value": "42.00"}
    invoice["gross_value"] = "92.00"
    (finding,) = audited(account)
    assert (finding["kind"], finding["amount"], finding["expected"]) == ("amount", "2.00", "90.00")


def test_a_service_with_another_name_by_then_is_no_wrong_amount(account, audited):
    rule = account.rule(Shape(date(2023, 8, 10), [Line("Internet", "1.0", "50.00")]))
    for day in rule.days[:12]:
        rule.invoices[day]["services"][0]["name"] = "Internet 100 Mb"
    assert audited(account) == []


def test_two_readjustments_missed_are_two_findings_each_from_the_price_it_started_from(account, audited):
    shape = Shape(date(2023, 8, 10), gross="1000.00", updates=YEARLY_UPDATE)
    fates = {date(2024, 8, 10): ("missing", None), date(2025, 8, 10): ("missing", None)}
    rule = account.rule(shape, fates=fates)
    findings = audited(account)
    assert kinds(findings) == ["readjustment_missing"] * 2
    assert {each["found"] for each in findings} == {"1000.00"}
    assert [Decimal(each["amount"]) / 12 for each in findings][1] == Decimal(findings[1]["per_month"])
    assert rule.price(rule.days[-1]) == 1000


def test_a_missed_readjustment_made_up_for_a_year_later_is_late(account, audited):
    shape = Shape(date(2023, 8, 10), gross="1000.00", updates=YEARLY_UPDATE)
    account.rule(shape, fates={date(2024, 8, 10): ("late", date(2025, 8, 10))})
    assert kinds(audited(account)) == ["readjustment_late"]


def test_a_price_put_right_at_the_next_readjustment_is_one_finding(account, audited):
    shape = Shape(date(2023, 8, 10), gross="1000.00", updates=YEARLY_UPDATE)
    rule = account.rule(shape)
    for day in rule.days:
        if date(2024, 8, 10) <= day < date(2025, 8, 10):
            rule.invoices[day]["gross_value"] = "1100.00"
    (finding,) = audited(account)
    right = rule.price(date(2024, 8, 10))
    assert (finding["kind"], Decimal(finding["amount"])) == ("readjustment_factor", 12 * (1100 - right))
    assert Decimal(finding["lost_so_far"]) == 12 * (right - 1100)
    assert finding["per_month"] == "0.00"


def test_a_fall_that_the_rule_forbids_is_another_factor(account, audited):
    shape = Shape(date(2023, 2, 10), gross="1000.00", updates=[Update("igpm", date(2024, 2, 10))])
    account.rule(shape, fates={date(2024, 2, 10): ("factor", Decimal("0.9668"))})
    (finding,) = audited(account)
    assert (finding["kind"], finding["expected"], finding["found"]) == ("readjustment_factor", "1000.00", "966.80")
    assert Decimal(finding["lost_so_far"]) > 0


def test_a_month_of_the_index_that_is_not_out_is_said_to_be_so(account, audited, tmp_path):
    shape = Shape(date(2023, 8, 10), gross="1000.00")
    rule = account.rule(shape)
    account.documents[rule.id]["scheduled_updates"] = [
        {"id": 1, "price_index": "igpm", "init_date": "1995-02-10", "execution_date": "1995-02-10",
         "month_quantity": 500, "days_until_update": 1}
    ]  # fmt: skip
    account.documents[rule.id]["scheduled_updates"][0] |= {"init_date": "2025-02-10", "execution_date": "2025-02-10"}
    assert audited(account, "--report", tmp_path) == []
    report = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert kinds(report["not_judged"]) == ["index_not_out"]


YEARLY = Shape(date(2022, 10, 10), gross="900.00", months=12, updates=[Update("ipca", date(2023, 10, 10))])


def test_an_update_without_an_invoice_before_it_is_not_guessed(account, audited, tmp_path):
    del account.rule(YEARLY).invoices[date(2022, 10, 10)]
    assert audited(account, "--report", tmp_path) == []
    report = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert kinds(report["not_judged"]) == ["no_history"]
    assert "no invoice since 2022-07-01" in report["not_judged"][0]["message"]


def test_the_year_before_the_range_tells_what_a_yearly_price_started_from(account, audited, tmp_path):
    account.rule(YEARLY, fates={date(2023, 10, 10): ("missing", None)})
    (finding,) = audited(account, "--report", tmp_path)
    assert (finding["kind"], finding["planned_date"]) == ("readjustment_missing", "2023-10-10")
    assert json.loads(next(tmp_path.glob("*.json")).read_text())["not_judged"] == []


NEXT_YEAR = date(2027, 1, 15)
"""A day on which the shipped series have ended."""


@pytest.mark.parametrize(
    ("bank", "told"), [("answers", ["readjustment_missing"]), ("away", ["index_not_fetched", "index_not_out"])]
)
def test_months_of_an_index_that_do_not_ship_are_asked_of_the_bank(account, bank, told):
    rule = account.rule(Shape(date(2023, 1, 5), gross="1000.00"))
    account.documents[rule.id]["scheduled_updates"] = [
        {"id": 1, "price_index": "igpm", "init_date": "2027-01-05", "execution_date": "2027-01-05",
         "month_quantity": 12, "days_until_update": 1}
    ]  # fmt: skip
    state = account.state()
    state["behaviour"] = {**state.get("behaviour", {}), "continue_series": True}
    audited = AuditRange(date(2026, 12, 1), date(2027, 1, 31), NEXT_YEAR)
    with (
        running_sandbox(state, today=NEXT_YEAR) as box,
        BillimaticClient(base_url=box.url, token=TOKEN, organization_id=ORGANIZATION, read_only=True) as api,
        SgsClient(
            base_url=box.url if bank == "answers" else "http://127.0.0.1:9", retries=RetryRules(attempts=1)
        ) as sgs,
    ):
        found = audit_account(api, audited, sgs=sgs, tell=lambda _progress: None)
    kinds_ = [each.kind.value for each in (*found.findings, *found.unjudged)]
    assert [each for each in kinds_ if each.startswith(("readjustment", "index"))] == told


def test_an_ended_contract_is_not_expected_to_go_on(account, audited):
    account.rule(MONTHLY, account.contract(end_date="31/12/2025"), until=date(2025, 12, 31))
    assert audited(account) == []


def test_a_rule_that_nobody_bills_any_more_is_one_finding(account, audited):
    account.rule(MONTHLY)
    account.rule(MONTHLY, until=date(2026, 3, 31))
    (finding,) = audited(account)
    assert (finding["kind"], finding["amount"]) == ("rule_ends", "100.00")
    assert "4 periods since then come to R$ 400,00" in finding["message"]


def test_where_no_invoice_is_made_ahead_no_rule_runs_out(account, audited):
    for _ in range(3):
        account.rule(MONTHLY, until=LAST)
    late = account.rule(MONTHLY, until=date(2026, 6, 30))
    (finding,) = audited(account)
    assert (finding["kind"], finding["rule_id"], finding["planned_date"]) == ("missing", late.id, "2026-07-10")


def test_invoices_of_before_a_rules_new_first_day_are_explained(account, audited):
    rule = account.rule(MONTHLY)
    account.documents[rule.id]["additional_information"]["init_date"] = "2024-05-20"
    assert audited(account) == []


def test_a_rule_that_bills_a_month_again_after_another_is_a_duplicate(account, audited):
    contract = account.contract()
    former = account.rule(Shape(date(2023, 9, 10), gross="300.00", months=3, end=date(2025, 6, 30)), contract)
    later = account.rule(Shape(date(2025, 7, 10), gross="100.00"), contract)
    account.documents[later.id]["additional_information"]["title"] = former.title
    findings = audited(account)
    found = [(each["kind"], each["amount"], each["rule_id"]) for each in findings]
    assert found == [("duplicate", "100.00", later.id)] * 2


def test_an_odd_invoice_is_unread_and_its_period_not_missing(account, audited):
    account.rule(MONTHLY)
    faults = [{"method": "GET", "path": "/invoices/search", "kind": "odd_record", "count": 40, "probability": 1}]
    findings = audited(account, faults=faults)
    assert set(kinds(findings)) == {"unread"}


def test_one_page_of_html_is_asked_for_again(account, audited):
    account.rule(MONTHLY)
    faults = [{"method": "GET", "path": "/invoice_rules", "kind": "html_page", "count": 1, "probability": 1}]
    assert audited(account, faults=faults) == []


def test_contracts_whose_rules_cannot_be_read_are_unread_and_nothing_else(account, audited):
    rule = account.rule(MONTHLY)
    faults = [{"method": "GET", "path": "/invoice_rules", "kind": "html_page", "count": 9, "probability": 1}]
    (finding,) = audited(account, faults=faults)
    assert (finding["kind"], finding["contract_id"]) == ("unread", rule.contract["id"])


def test_a_contract_about_which_the_vendor_only_fails_is_unread_and_the_others_are_audited(
    account, audited, monkeypatch
):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    failing, other = account.rule(MONTHLY).contract["id"], account.rule(MONTHLY)
    del other.invoices[date(2025, 3, 10)]
    path = f"/contracts/{failing}/invoice_rules"
    findings = audited(account, faults=[{"method": "GET", "path": path, "kind": "error_before", "probability": 1}])
    assert [(each["kind"], each["contract_id"]) for each in findings] == [
        ("missing", other.contract["id"]),
        ("unread", failing),
    ]


class Failing(httpx.HTTPTransport):
    """Fails at searches for invoices that have one of a contract, and at all for tax documents."""

    def __init__(self, contract_id, status):
        super().__init__()
        self.contract_id = contract_id
        self.status = status

    def handle_request(self, request):
        response = super().handle_request(request)
        content, path = response.read(), request.url.path
        has_one = path.endswith("/invoices/search") and b'"contract_id":%d,' % self.contract_id in content
        if has_one or path.endswith("/nfses/search"):
            return httpx.Response(self.status, content=b"<html>")
        return httpx.Response(response.status_code, content=content)


@pytest.mark.parametrize("status", [200, 500])
def test_where_the_vendor_fails_at_the_invoices_of_all_each_contract_is_asked_about(account, status):
    failing, other = account.rule(MONTHLY).contract["id"], account.rule(MONTHLY)
    del other.invoices[date(2025, 3, 10)]
    audited, patient = AuditRange(date(2025, 1, 1), date(2025, 6, 30), LAST), RetryRules(sleep=lambda _seconds: None)
    settings = {"organization_id": ORGANIZATION, "token": TOKEN, "requests_per_second": None, "retries": patient}
    with (
        running_sandbox(account.state(), today=LAST) as box,
        BillimaticClient(base_url=box.url, transport=Failing(failing, status), **settings) as api,
        SgsClient(base_url=box.url) as sgs,
    ):
        found = audit_account(api, audited, sgs=sgs, tell=lambda _progress: None)
    assert [(each.kind, each.contract_id) for each in found.findings] == [
        ("missing", other.contract["id"]),
        ("unread", failing),
    ]
    parts = [each.message for each in found.unjudged if each.kind == "invoices_partly_read"]
    assert len(parts) == 4
    assert parts[0].startswith("invoices from 2024-12-01 to 2025-02-28 could be read contract by contract only (")
    assert "nfse_unread" in {each.kind for each in found.unjudged}


def test_the_json_has_its_fixed_form(account, audited):
    rule = account.rule(MONTHLY)
    del rule.invoices[date(2025, 3, 10)]
    out = json.loads(audited(account, "--json", raw=True))
    assert list(out) == ["range", "findings", "totals"]
    assert list(out["findings"][0]) == [
        "kind", "contract_id", "rule_id", "invoice_ids", "planned_date", "expected", "found", "amount", "per_month",
        "lost_so_far", "message",
    ]  # fmt: skip
    assert out["totals"] == {"missing": {"count": 1, "amount": "100.00"}}


def test_the_report_is_a_page_a_csv_and_json_and_speaks_portuguese(account, audited, tmp_path):
    rule = account.rule(MONTHLY)
    del rule.invoices[date(2025, 3, 10)]
    account.others.append(rule.invoices[date(2025, 5, 10)] | {
        "id": 1, "description": "=HYPERLINK(\"x\")<script>", "services": [], "receivables": []
    })  # fmt: skip
    text = audited(account, "--report", tmp_path / "audit", "--lang", "pt_BR", raw=True)
    assert "Períodos sem faturamento" in text
    page, table = (next((tmp_path / "audit").glob(f"*{suffix}")).read_text() for suffix in (".html", ".csv"))
    assert '<html lang="pt-BR">' in page
    assert "o preço vigente nesse dia é R$ 100,00" in page
    assert "<script>" not in page
    assert "missing;" in table
    assert "100,00" in table


def test_new_unit_values_are_proposed_to_a_person(account, audited, tmp_path):
    shape = Shape(date(2023, 8, 10), [Line("Link", "2.0", "50.00")], updates=YEARLY_UPDATE)
    rule = account.rule(shape, fates={date(2025, 8, 10): ("missing", None)})
    audited(account, "--propose", tmp_path / "prices.csv")
    header, row = (tmp_path / "prices.csv").read_text("utf-8-sig").splitlines()
    assert header == "contract_id;rule_id;service_id;service;unit_value;new_unit_value;since"
    right = str(rule.right[LAST.replace(day=10)]["Link"]).replace(".", ",")
    assert row.split(";")[3:] == [
        "Link",
        str(rule.was[date(2026, 7, 10)]["Link"]).replace(".", ","),
        right,
        "10/08/2025",
    ]


def test_an_audit_that_was_stopped_goes_on_from_its_cache(account, ciclo, monkeypatch, tmp_path):
    monkeypatch.setenv("CICLO_TOKEN", TOKEN)
    for _ in range(5):
        account.rule(MONTHLY)
    with running_sandbox(account.state(), today=LAST) as box:
        options = ("--url", box.url, "--organization", ORGANIZATION, "--to", "2026-07", "--cache", tmp_path / "cache")
        box.faults([{"method": "GET", "path": "/invoice_rules", "kind": "error_before", "probability": 1}])
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        code, _, err = ciclo("audit", *options, "--from", "2023-08")
        assert (code, err.count("\n")) == (1, 1)
        box.clear_faults()
        box.clear_requests()
        code, out, _ = ciclo("audit", *options, "--from", "2023-08", "--json")
        assert (code, json.loads(out)["findings"]) == (0, [])
        assert not box.requests(path="/invoices/search")
        code, _, err = ciclo("audit", *options, "--from", "2024-08")
        assert code == 1
        assert "delete it, or name another file" in err


def test_a_range_that_cannot_be_is_refused_in_one_line(ciclo, monkeypatch):
    monkeypatch.setenv("CICLO_TOKEN", TOKEN)
    for first, last in (("2025-05", "2025-04"), ("2025-13", "2026-01"), ("2999-01", "2999-02")):
        code, _, err = ciclo("audit", "--organization", 7, "--from", first, "--to", last)
        assert (code, err.count("\n")) == (2, 1)
