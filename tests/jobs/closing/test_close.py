"""Closing a month: it closes only when everything expected is at the vendor once, at its price."""

import csv
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.closing.close import MonthNotOverError, NotClosedError, close_month, months_of, require_closed
from ciclo.jobs.closing.proof import MonthProof
from ciclo.jobs.closing.report import MonthReport, month_page
from ciclo.ledger.actions import acknowledge_finding, bill_again, cancel_period
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import MonthClosing, PriceUpdateExecution
from ciclo.locale import speaking
from company import ORGANIZATION, TODAY, YEAR, company, contract, rule

FEBRUARY = date(2025, 2, 1)


def person(place, action, row_id, note="agreed"):
    action(place.ctx.session, ORGANIZATION, row_id, person="Ana", note=note, at=place.ctx.clock())
    place.ctx.session.commit()


def park(place, period, reason):
    place.ctx.periods.claim_these([period.id], owner="x", lease_until=place.ctx.clock(), at=place.ctx.clock())
    place.ctx.periods.park([period], reason=reason, at=place.ctx.clock())
    place.ctx.session.commit()


def acknowledge_all(place, note="agreed"):
    for finding in place.open_findings():
        person(place, acknowledge_finding, finding.id, note)


def test_a_month_that_was_billed_closes_and_says_what_it_came_to(billed, job):
    place = billed(company(rule(1), rule(2, 11, gross_value="99.90")), job=job)
    attempt = place.close()
    assert (attempt.closed, attempt.report.verdict()) == (True, "closed")
    assert attempt.report.totals() == {
        "expected_periods": 2, "expected": "249.90", "billed_periods": 2, "invoiced": "249.90",
        "cancelled_at_the_vendor": 0, "received": "0.00", "to_receive": "249.90", "given_up": 0,
        "invoices_of_no_period": 0,
    }  # fmt: skip
    (row,) = place.ctx.session.query(MonthClosing)
    assert (row.billing_month, row.closed, row.report["verdict"]) == (date(2025, 1, 1), True, "closed")
    assert place.ctx.audit.trail("month", row.id)[0].to_state == "closed"


def test_all_twelve_months_close(billed):
    place = billed(company(rule(1), rule(2, timing={"month_quantity": 3}), rule(3, 11)))
    attempts = [place.close(month) for month in months_of(DateRange(date(2025, 1, 1), date(2026, 1, 1)))]
    assert [attempt.closed for attempt in attempts] == [True] * 12
    require_closed(attempts)


def test_a_deleted_invoice_makes_the_close_fail_and_is_named(billed):
    place = billed(company(rule(1)))
    invoice = place.invoice()
    place.delete(invoice)
    attempt = place.close()
    with pytest.raises(NotClosedError) as error:
        require_closed([attempt])
    assert "01/2025 is not closed: 1 deleted remotely, 1 missing" in str(error.value)
    assert f"invoice {invoice['id']} is no longer at the vendor" in str(error.value)
    assert place.close(FEBRUARY).closed


def test_it_closes_once_the_deleted_invoice_is_there_again(billed):
    place = billed(company(rule(1)))
    invoice = place.invoice()
    place.delete(invoice)
    assert not place.close().closed
    place.duplicate(invoice)
    assert place.close().closed
    assert [row.closed for row in place.ctx.session.query(MonthClosing)] == [False, True]


@pytest.mark.parametrize("comments", ["as they were", "none"])
def test_a_duplicated_invoice_makes_the_close_fail_and_is_named(billed, comments):
    place = billed(company(rule(1)))
    twin = place.duplicate(place.invoice(), **({} if comments == "as they were" else {"comments": None}))
    attempt = place.close()
    assert attempt.report.verdict() == "not closed: 1 duplicated remotely"
    assert f"invoice {twin['id']} of R$ 150,00 is one too many" in attempt.report.lines()[0]
    place.box.cancel(twin["id"])
    assert place.close().closed


def test_a_month_with_two_invoices_of_a_period_closes_with_a_persons_name_beside_it(billed):
    place = billed(company(rule(1)))
    place.duplicate(place.invoice())
    assert not place.close().closed
    acknowledge_all(place, "the second one is for the deposit")
    attempt = place.close()
    assert attempt.closed
    assert attempt.report.document()["accepted"][0]["note"] == "the second one is for the deposit"


def test_a_different_amount_keeps_the_month_open_until_a_person_accepts_it(billed):
    place = billed(company(rule(1)))
    place.patch(place.invoice(), gross_value="140.00")
    attempt = place.close()
    assert attempt.report.verdict() == "not closed: 1 value edited"
    acknowledge_all(place, "discount agreed by telephone")
    attempt = place.close()
    assert attempt.closed
    assert attempt.report.document()["accepted"][0]["by"] == "Ana"
    assert attempt.report.document()["accepted"][0]["note"] == "discount agreed by telephone"


def test_an_unexplained_invoice_keeps_the_month_open_until_a_person_knows_of_it(billed):
    place = billed(company(rule(1)))
    place.duplicate(place.invoice(), gross_value="999.00", description="Visita", comments=None)
    assert place.close().report.verdict() == "not closed: 1 unexplained"
    acknowledge_all(place)
    assert place.close().closed


def test_a_rule_that_is_first_seen_after_its_days_keeps_the_month_open_until_they_are_billed(billed):
    place = billed(company(rule(1)))
    place.box.put_state({**place.box.state(), "invoice_rules": [*place.box.state()["invoice_rules"], rule(2)]})
    attempt = place.close()
    (line,) = attempt.report.lines()
    assert line == (
        "backdated: contract 10, rule 2, period 2025-01-10: R$ 150,00 was due before it was first seen on 2026-01-10, "
        "and nobody has billed it; bill_range for its day bills it, or acknowledge that it is not billed"
    )
    place.bill()
    assert place.close().closed


def test_planned_and_parked_periods_are_missing_with_their_reason(company_of):
    place = company_of(company(rule(1), rule(2)))
    place.expand()
    _, second = place.ctx.periods.of_rules([1, 2], DateRange(date(2025, 1, 1), FEBRUARY))
    park(place, second, "the API refused it: valor inválido")
    lines = place.close().report.lines()
    assert lines == [
        "missing: contract 10, rule 1, period 2025-01-10, R$ 150,00: planned; bill_range for its day bills it",
        (
            "missing: contract 10, rule 2, period 2025-01-10, R$ 150,00: parked (the API refused it: valor inválido); "
            "release it to bill it, or cancel it with a note"
        ),
    ]
    assert place.close().report.stopped[0].named() == lines[1].removeprefix("missing: ")


def test_a_period_given_up_by_a_person_is_not_missing(company_of):
    place = company_of(company(rule(1)))
    place.expand()
    (period,) = place.ctx.periods.of_rules([1], DateRange(date(2025, 1, 1), FEBRUARY))
    park(place, period, "the API refused it")
    person(place, cancel_period, period.id, "the customer left")
    attempt = place.close()
    assert attempt.closed
    assert "the customer left" in attempt.report.given_up[0].named()


def test_a_period_that_was_due_when_its_rule_was_deleted_needs_a_person(company_of):
    place = company_of(company(rule(1), rule(2)))
    place.expand()
    place.box.put_state(company(rule(1)))
    place.bill()
    attempt = place.close()
    assert attempt.report.verdict() == "not closed: 1 not billed"
    assert "rule 2 is no longer at the vendor" in attempt.report.lines()[0]
    acknowledge_all(place, "the customer never owed it")
    assert place.close().closed


def test_an_invoice_cancelled_at_the_vendor_comes_to_nothing_and_is_a_persons_business(billed):
    place = billed(company(rule(1)))
    place.box.cancel(place.invoice()["id"])
    attempt = place.close()
    assert attempt.report.verdict() == "not closed: 1 cancelled remotely"
    acknowledge_all(place, "billed by mistake")
    attempt = place.close()
    assert attempt.closed
    totals = attempt.report.totals()
    assert (totals["cancelled_at_the_vendor"], totals["expected"], totals["invoiced"]) == (1, "150.00", "0.00")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda place, invoice: place.patch(invoice, gross_value="151.00"), "now it is R$ 151,00"),
        (lambda place, invoice: place.box.cancel(invoice["id"]), "now it is R$ 150,00, cancelled"),
        (lambda place, invoice: place.delete(invoice), "now it is deleted"),
        (lambda place, invoice: place.duplicate(invoice), "with it not there, now it is R$ 150,00"),
    ],
)
def test_a_change_in_a_closed_month_is_a_finding(billed, change, said):
    place = billed(company(rule(1)))
    assert place.close().closed
    change(place, place.invoice())
    place.reconcile()
    changed = [finding for finding in place.open_findings() if finding.kind == "changed_after_close"]
    assert len(changed) == 1
    assert said in changed[0].message


def test_an_invoice_that_was_moved_into_a_closed_month_is_its_own_months(billed):
    place = billed(company(rule(1)))
    moved = place.invoice()
    place.box.edit(moved["id"], issue_date="2025-02-05")
    place.reconcile()
    assert place.close(date(2025, 2, 1)).closed
    place.reconcile()
    assert [each for each in place.open_findings() if each.kind == "changed_after_close"] == []


def test_what_is_billed_again_in_a_closed_month_is_one_finding_with_both_invoices_and_todays_data(billed):
    place = billed(company(rule(1)))
    assert place.close().closed
    old = place.invoice()
    place.box.cancel(old["id"])
    place.reconcile()
    state = place.box.state()
    state["invoice_rules"][0] |= {"description": "CNPJ 12.345.678/0001-95", "gross_value": "140.0"}
    place.box.put_state(state)
    period = place.ctx.periods.of_rules([1], DateRange.month_of(date(2025, 1, 10)))[0]
    person(place, bill_again, period.id, "wrong CNPJ")
    place.bill(Scope(DateRange.month_of(date(2025, 1, 1))))
    place.reconcile()
    (new,) = [each for each in place.box.state()["invoices"] if "2025-01-10:2" in (each["comments"] or "")]
    assert new["description"] == "CNPJ 12.345.678/0001-95"
    (finding,) = [each for each in place.open_findings() if each.billing_month == date(2025, 1, 1)]
    assert finding.kind == "changed_after_close"
    both = f"in invoice {old['id']}, which is cancelled and billed again as invoice {new['id']} of R$"
    assert both in finding.message
    acknowledge_all(place)
    assert place.close().closed
    place.reconcile()
    assert [each for each in place.open_findings() if each.kind == "changed_after_close"] == []


def test_money_that_comes_in_after_the_close_is_no_change(billed):
    place = billed(company(rule(1)))
    assert place.close().closed
    invoice = place.invoice()
    place.box.emit(invoice["id"])
    place.box.receive(invoice["receivables"][0]["id"], on="2025-02-03")
    place.reconcile()
    assert place.open_findings() == []


def test_a_change_after_the_close_goes_away_when_undone_or_when_the_month_is_closed_anew(billed):
    place = billed(company(rule(1)))
    place.close()
    invoice = place.invoice()
    place.box.cancel(invoice["id"])
    place.reconcile()
    place.box.undo_cancellation(invoice["id"])
    place.reconcile()
    assert place.open_findings() == []
    place.box.cancel(invoice["id"])
    assert place.close().report.verdict() == "not closed: 1 cancelled remotely, 1 changed after close"
    acknowledge_all(place)
    assert place.close().closed
    place.reconcile()
    (finding,) = place.open_findings()
    assert (finding.kind, finding.note) == ("cancelled_remotely", "agreed")


def test_an_invoice_billed_into_a_closed_month_is_a_change(billed):
    place = billed(company(rule(1)))
    place.close()
    place.box.put_state({**place.box.state(), "invoice_rules": [*place.box.state()["invoice_rules"], rule(2)]})
    place.bill()
    place.reconcile()
    (finding,) = [finding for finding in place.open_findings() if finding.billing_month == date(2025, 1, 1)]
    assert finding.kind == "changed_after_close"


def test_a_month_that_is_not_over_is_not_closed(billed):
    place = billed(company(rule(1)))
    with pytest.raises(MonthNotOverError, match="01/2026 is not over on 10/01/2026"):
        close_month(place.ctx, date(2026, 1, 1), today=TODAY, reports=None)


def test_a_look_at_some_contracts_reports_and_closes_nothing(billed):
    place = billed(company(rule(1), rule(2, 11)))
    place.delete(place.invoice())
    attempt = place.close(contract_ids=(11,))
    assert attempt.report.verdict() == "in order, for the contracts that were looked at"
    assert place.ctx.session.query(MonthClosing).count() == 0


def test_the_report_is_a_csv_and_a_page_and_neither_runs_what_a_name_says(billed):
    name = "=cmd|'/c calc'!A1 <script>alert(1)</script>"
    place = billed(company(rule(1), contracts=[contract(10, name=name)]))
    files = place.close().files
    header, row = csv.reader(files.csv.read_text("utf-8-sig").splitlines(), delimiter=";")
    assert dict(zip(header, row, strict=True)) == {
        "contract": f"'{name}", "contract_id": "10", "rule_id": "1", "issue_date": "10/01/2025",
        "verdict": "billed", "period_state": "issued", "expected": "150,00",
        "invoice_id": str(place.invoice()["id"]), "invoice_state": "to_emit", "invoiced": "150,00",
        "received": "0,00", "to_receive": "150,00", "reason": "",
    }  # fmt: skip
    page = files.html.read_text()
    assert "<script>" not in page
    assert "R$ 150,00" in page
    assert files.html.stat().st_mode & 0o077 == 0
    assert place.ctx.session.query(MonthClosing).one().report["files"] == [str(files.csv), str(files.html)]


def test_the_report_is_in_the_readers_language(billed):
    place = billed(company(rule(1)))
    place.delete(place.invoice())
    with speaking("pt_BR"):
        page = month_page(place.close().report, {})
    assert '<html lang="pt-BR">' in page
    assert "Faturamento de 01/2025: não fechado: " in page
    assert "não está mais na Fintera" in page
    assert not {"Invoiced", "missing", "Organization"} & set(re.findall(r"\w+", page))


def test_the_parts_of_the_report_add_up(billed):
    place = billed(company(rule(1), rule(2, 11, gross_value="10.01"), rule(3, 11, gross_value="20.02")))
    report = place.close().report
    assert sum((each.expected for each in report.contracts), Decimal(0)) == Decimal(report.totals()["expected"])
    assert [each.expected for each in report.contracts] == [Decimal("150.00"), Decimal("30.03")]


def test_months_of_a_window_are_those_it_touches():
    window = DateRange.days(date(2024, 12, 31), date(2025, 2, 1))
    assert months_of(window) == [date(2024, 12, 1), date(2025, 1, 1), FEBRUARY]


def test_periods_that_wait_are_missing(company_of):
    place = company_of(company(rule(1)))
    place.expand()
    (period,) = place.ctx.periods.of_rules([1], DateRange(date(2025, 1, 1), FEBRUARY))
    place.ctx.periods.wait([period], reason="a price update of its rule is not settled", at=place.ctx.clock())
    place.ctx.session.commit()
    assert (
        "waiting (a price update of its rule is not settled); settle the price update"
        in place.close().report.lines()[0]
    )
    assert place.ctx.periods.in_state(PeriodState.WAITING)


def test_a_period_that_was_due_when_its_contract_became_inactive_needs_a_person(company_of):
    place = company_of(company(rule(1), rule(2, 11)))
    place.bill(Scope(YEAR.window, contract_ids=(11,)))
    place.expand()
    place.box.put_state({**place.box.state(), "contracts": [contract(10, state="inactive"), contract(11)]})
    assert place.close().report.verdict() == "not closed: 1 not billed"
    acknowledge_all(place, "the customer never owed it")
    assert place.close().closed


def test_the_page_of_a_month_writes_price_updates_as_brazil_writes_numbers():
    applied = PriceUpdateExecution(
        contract_id=10,
        rule_id=1,
        execution_date=date(2025, 6, 10),
        price_index="igpm",
        state="applied",
        factor=Decimal("1.0702618345"),
        evidence={"prices": [{"old": "1000.00", "new": "1070.26"}, {"old": "0.0375", "new": "0.04"}]},
    )
    proof = MonthProof(DateRange.month_of(date(2025, 6, 1)), (), ())
    report = MonthReport(
        organization_id=ORGANIZATION,
        proof=proof,
        findings=(),
        price_updates=(applied,),
        contracts=(),
        made_at=datetime(2025, 7, 2, tzinfo=UTC),
    )

    page = month_page(report, {10: "Aluguel"})

    assert re.findall(r"<td[^>]*>(.*?)</td>", page)[:7] == [
        "Aluguel",
        "1",
        "10/06/2025",
        "IGP-M",
        "applied",
        "1,0702618345",
        "R$ 1.000,00 → R$ 1.070,26; R$ 0,0375 → R$ 0,04",
    ]
    assert report.document()["price_updates"][0]["prices"] == "1000.00 → 1070.26; 0.0375 → 0.04"
