"""An account with faults and edits planted in it: every fault is found to the cent, once, and no edit is reported."""

import json
from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal

import pytest

from ciclo_sandbox.testing import running_sandbox
from planted_account import LAST, ORGANIZATION, TOKEN, Account, Line, Shape, Update, brazilian, factor, money

EDITS = ("append", "move", "bill_late", "split", "copy", "usage", "units")


def shapes():
    """A rule of every kind."""
    return {
        "plain": Shape(date(2023, 8, 10), gross="1250.00", updates=[Update("igpm", date(2024, 8, 10))]),
        "service": Shape(
            date(2023, 8, 5), [Line("Licença", "3.0", "89.90")], updates=[Update("ipca", date(2024, 8, 5))]
        ),
        "services": Shape(
            date(2023, 9, 15),
            [Line("Hospedagem", "1.0", "432.10"), Line("Suporte", "2.5", "75.75")],
            updates=[Update("inpc", date(2024, 9, 15))],
        ),
        "quarterly": Shape(
            date(2023, 8, 20), [Line("Manutenção", "1.0", "2100.00")], months=3, accrual="previous_month",
            updates=[Update("ipcfipe", date(2024, 8, 20))],
        ),
        "half_yearly": Shape(date(2023, 8, 31), gross="5400.00", months=6, updates=[Update("igpdi", date(2024, 8, 1))]),
        "yearly": Shape(
            date(2023, 10, 1), [Line("Domínio", "4.0", "120.00")], months=12,
            updates=[Update("ipca", date(2024, 10, 1))],
        ),
        "weekly": Shape(date(2023, 8, 7), gross="310.00", unit="weekly", updates=[Update("ipca", date(2024, 8, 1))]),
        "parcels": Shape(
            date(2023, 8, 12), gross="3333.33", accrual="previous_month", parcels=3,
            updates=[Update("igpm", date(2024, 2, 12))],
        ),
        "next_month": Shape(
            date(2023, 8, 25), [Line("Locação", "1.0", "980.00")], accrual="next_month",
            updates=[Update("igpm", date(2024, 8, 25))], negative=True,
        ),
        "month_end": Shape(date(2023, 8, 31), [Line("Seguro", "1.0", "77.77")], updates=[]),
        "two_months": Shape(date(2023, 9, 3), gross="640.00", months=2, updates=[Update("ipca", date(2024, 9, 3))]),
        "two_indices": Shape(
            date(2023, 8, 18),
            [Line("Link", "1.0", "1500.00"), Line("Telefonia", "10.0", "29.90")],
            updates=[Update("ipca", date(2024, 8, 18), service="Link"),
                     Update("inpc", date(2025, 2, 18), service="Telefonia")],
        ),
    }  # fmt: skip


def planted():
    account = Account()
    healthy(account)
    missing(account)
    surplus(account)
    wrong(account)
    readjustments(account)
    endings(account)
    documents(account)
    return account


def healthy(account):
    """Contracts of every kind without a fault, with edits of every kind on them."""
    for shape in shapes().values():
        rule = account.rule(shape)
        days = [day for day in rule.days if day <= LAST - timedelta(days=70)]
        for place, how in enumerate(EDITS):
            if how in ("usage", "units") and not shape.lines:
                continue
            if how == "split" and shape.parcels > 1:
                continue
            if len(days) > 8 or place < len(days):
                rule.edit(days[(place * 4 + 1) % len(days)], how)
    for name in ("plain", "services"):
        rule = account.rule(shapes()[name], raised=(date(2025, 3, 1), Decimal("1.1")))
        account.edits += 1
        rule.edit(rule.days[3], "append")
    # an index that fell, and a rule that lets no price fall
    account.rule(Shape(date(2023, 2, 10), gross="900.00", updates=[Update("igpm", date(2024, 2, 10))]))
    # a rule that ended, and one that follows it
    contract = account.contract()
    former = account.rule(Shape(date(2023, 8, 10), gross="500.00", end=date(2025, 2, 28)), contract)
    later = account.rule(Shape(date(2025, 3, 10), gross="550.00"), contract)
    account.documents[later.id]["additional_information"]["title"] = former.title
    # a contract that is inactive since May 2025
    gone = account.contract(state="inactive")
    account.rule(Shape(date(2023, 8, 10), gross="210.00"), gone, until=date(2025, 5, 31))
    # two rules of one contract that bill two customers
    branch = account.contract()
    account.rule(shapes()["plain"], branch)
    other = account.rule(shapes()["plain"], branch)
    other.customer = 77
    other.text = account.rules[-2].text
    account.documents[other.id] |= {"customer_id": 77, "description": other.text}
    for invoice in other.invoices.values():
        invoice |= {"customer_id": 77, "description": other.text}


def missing(account):
    for name in ("plain", "services", "quarterly", "half_yearly", "weekly", "parcels", "month_end", "two_indices"):
        rule = account.rule(shapes()[name])
        day = rule.days[len([day for day in rule.days if day <= LAST]) * 2 // 3]
        del rule.invoices[day]
        rule.edit(rule.days[1], "append")
        account.expect("missing", rule, rule.price(day), planned_date=day)
    for name in ("service", "next_month", "two_months"):  # only a cancelled one
        rule = account.rule(shapes()[name])
        day = rule.days[9]
        invoice = rule.invoices.pop(day)
        account.cancel(invoice)
        account.others.append(invoice)
        account.expect("missing", rule, rule.price(day), planned_date=day, invoice_ids=[invoice["id"]])


def copied(account, invoice, **changes):
    copy = deepcopy(invoice) | {"id": account.number()} | changes
    for line in (*copy["services"], *copy["receivables"]):
        line["id"] = account.number()
    account.others.append(copy)
    return copy


def surplus(account):
    for name, place in (("plain", 14), ("service", 5), ("quarterly", 7), ("weekly", 60), ("parcels", 12)):
        rule = account.rule(shapes()[name])
        copy = copied(account, rule.invoices[rule.days[place]])
        account.expect("duplicate", rule, Decimal(copy["gross_value"]), invoice_ids=[copy["id"]])
    rule = account.rule(shapes()["services"])  # in its coverage, on another day
    day = brazilian(rule.days[20] + timedelta(days=5))
    copy = copied(account, rule.invoices[rule.days[20]], issue_date=day, estimated_issue_date=day)
    account.expect("duplicate", rule, Decimal(copy["gross_value"]), invoice_ids=[copy["id"]])
    rule = account.rule(shapes()["plain"])  # made by the vendor once more, at the price before
    copy = copied(account, rule.invoices[rule.days[25]], gross_value="1250.00")
    account.expect("duplicate", rule, 1250, invoice_ids=[copy["id"]])
    for name, text in (("plain", "Instalação avulsa"), ("month_end", "Multa"), ("weekly", "Frete de março")):
        rule = account.rule(shapes()[name])
        like = rule.invoices[rule.days[10]]
        copy = copied(account, like, description=text, gross_value="432.15", services=[])
        account.expect(
            "unexplained", None, Decimal("432.15"), contract_id=rule.contract["id"], invoice_ids=[copy["id"]]
        )
    rule = account.rule(Shape(date(2023, 8, 10), gross="70.00", end=date(2025, 1, 31)))  # after the rule's end
    day = brazilian(date(2025, 5, 10))
    copy = copied(account, rule.invoices[rule.days[3]], issue_date=day, estimated_issue_date=day)
    account.expect("unexplained", None, 70, contract_id=rule.contract["id"], invoice_ids=[copy["id"]])


def wrong(account):
    for name, off in (("plain", "0.01"), ("quarterly", "-250.00"), ("weekly", "31.00"), ("month_end", "9.99"),
                      ("two_months", "-64.00"), ("yearly", "120.00")):  # fmt: skip
        rule = account.rule(shapes()[name])
        day = rule.days[1] if name == "yearly" else rule.days[min(8, len(rule.days) - 6)]
        invoice = rule.invoices[day]
        if invoice["services"]:
            line = invoice["services"][0]
            units = Decimal(line["units"])
            line["unit_value"] = str(Decimal(line["unit_value"]) + Decimal(off) / units)
            line["value"] = str(Decimal(line["value"]) + Decimal(off))
        invoice["gross_value"] = str(Decimal(invoice["gross_value"]) + Decimal(off))
        account.expect("amount", rule, abs(Decimal(off)), invoice_ids=[invoice["id"]], planned_date=day)
    rule = account.rule(shapes()["services"])  # the lines do not total up
    invoice = rule.invoices[rule.days[15]]
    invoice["gross_value"] = str(Decimal(invoice["gross_value"]) - 5)
    account.expect("amount", rule, 5, invoice_ids=[invoice["id"]], planned_date=rule.days[15])
    for name in ("plain", "service", "quarterly", "weekly"):
        rule = account.rule(shapes()[name])
        invoice = rule.invoices[rule.days[5]]
        invoice["customer_id"] = 4711
        account.expect("customer", rule, Decimal(invoice["gross_value"]), invoice_ids=[invoice["id"]])


def readjustments(account):
    cases = [
        ("missing", "plain", date(2025, 8, 10), None),
        ("missing", "services", date(2024, 9, 15), None),  # the one after it starts from the price before
        ("missing", "weekly", date(2025, 8, 1), None),
        ("missing", "parcels", date(2025, 2, 12), None),
        ("missing", "two_indices", date(2025, 2, 18), None),
        ("missing", "half_yearly", date(2025, 8, 1), None),
        ("missing", "two_months", date(2024, 9, 3), None),
        ("late", "plain", date(2024, 8, 10), date(2024, 9, 10)),
        ("late", "service", date(2024, 8, 5), date(2024, 12, 5)),
        ("late", "quarterly", date(2024, 8, 20), date(2024, 11, 20)),
        ("late", "two_indices", date(2025, 8, 18), date(2025, 10, 18)),
        ("factor", "plain", date(2025, 8, 10), factor("igpm", date(2025, 8, 10), 12, back=1)),
        ("factor", "services", date(2024, 9, 15), factor("inpc", date(2024, 9, 15), 12, back=1)),
        ("factor", "service", date(2025, 8, 5), Decimal("1.10")),
        ("factor", "weekly", date(2025, 8, 1), Decimal("1.01")),
        ("factor", "yearly", date(2025, 10, 1), Decimal("1.03")),
        ("twice", "plain", date(2025, 8, 10), None),
        ("twice", "services", date(2024, 9, 15), None),
        ("twice_later", "service", date(2025, 8, 5), date(2025, 11, 5)),
    ]
    for how, name, day, what in cases:
        rule = account.rule(shapes()[name], fates={day: (how, what)})
        counted = [each for each in rule.days if day <= each <= LAST]
        lost = sum((money(rule.total(rule.right[each])) - rule.price(each) for each in counted), Decimal(0))
        last = money(rule.total(rule.right[counted[-1]])) - rule.price(counted[-1])
        per_month = last * 52 / 12 if name == "weekly" else last / rule.shape.months
        kind = f"readjustment_{how.removesuffix('_later')}"
        ids = [rule.invoices[each]["id"] for each in counted if rule.right[each] != rule.was[each]]
        account.expect(kind, rule, abs(lost), planned_date=day, lost_so_far=f"{lost:.2f}",
                       per_month=f"{abs(money(per_month)):.2f}", invoice_ids=ids)  # fmt: skip
    for months in (6, 3):
        shape = Shape(date(2023, 8, 10), gross="800.00", updates=[Update("ipca", date(2024, 8, 10), months)])
        account.expect("law_10192", account.rule(shape), 0)


def endings(account):
    rule = account.rule(Shape(date(2023, 8, 10), gross="610.00", end=date(2026, 9, 30)))
    account.expect("rule_ends", rule, 610)
    rule = account.rule(Shape(date(2023, 8, 10), gross="600.00", months=3, end=date(2026, 10, 20)))
    account.expect("rule_ends", rule, 200)
    rule = account.rule(shapes()["month_end"], until=date(2026, 9, 10))  # without end, and generated no further
    account.expect("rule_ends", rule, Decimal("77.77"))
    for last, first, months in (("2025-01-31", "2025-04-10", 2), ("2025-05-31", "2025-07-10", 1)):
        contract = account.contract()
        former = account.rule(Shape(date(2023, 8, 10), gross="333.00", end=date.fromisoformat(last)), contract)
        later = account.rule(Shape(date.fromisoformat(first), gross="360.00"), contract)
        account.documents[later.id]["additional_information"]["title"] = former.title
        account.expect("gap", later, 333 * months)


def documents(account):
    for name in ("plain", "services", "quarterly"):
        rule = account.rule(shapes()[name])
        for day in rule.days:
            invoice = rule.invoices[day]
            invoice["issue_nfse"] = True
            if day <= LAST:
                number = account.number()
                stamp = f"{brazilian(day)} 10:00:00 -03:00"
                account.nfses.append({"id": number, "invoice_id": invoice["id"], "organization_id": ORGANIZATION,
                                      "status": "Emitida", "generated_at": stamp})  # fmt: skip
        without = rule.invoices[rule.days[6]]
        account.nfses = [each for each in account.nfses if each["invoice_id"] != without["id"]]
        account.expect("nfse_missing", rule, Decimal(without["gross_value"]), invoice_ids=[without["id"]])
        refused = rule.invoices[rule.days[8]]
        account.expect("nfse_refused", rule, Decimal(refused["gross_value"]), invoice_ids=[refused["id"]])
        nfse = next(each for each in account.nfses if each["invoice_id"] == refused["id"])
        nfse |= {"status": "Erro", "integration_errors": "E160: inscrição municipal inválida"}
    for name in ("plain", "services", "parcels"):
        rule = account.rule(shapes()[name])
        day = max(day for day in rule.days if day <= LAST - timedelta(days=20))
        line = rule.invoices[day]["receivables"][0]
        line |= {"myfinance_errors": "A entidade não foi encontrada", "state": "to_receive"}
        part = money(rule.price(day) * Decimal(line["value"]) / 100)
        account.expect("receivable_error", rule, part, invoice_ids=[rule.invoices[day]["id"]])
    for name in ("plain", "service", "weekly"):
        rule = account.rule(shapes()[name])
        invoice = rule.invoices[rule.days[12]]
        invoice["state"] = invoice["receivables"][0]["state"] = "to_receive"
        account.expect("late", rule, Decimal(invoice["gross_value"]), invoice_ids=[invoice["id"]])
    rule = account.rule(shapes()["parcels"])  # two of three
    invoice = rule.invoices[rule.days[12]]
    invoice["state"] = "to_receive"
    for line in invoice["receivables"][1:]:
        line["state"] = "to_receive"
    first = money(rule.price(rule.days[12]) * Decimal(invoice["receivables"][0]["value"]) / 100)
    account.expect("late", rule, Decimal(invoice["gross_value"]) - first, invoice_ids=[invoice["id"]])
    odd = account.rule(shapes()["month_end"])
    account.documents[odd.id]["additional_information"]["month_quantity"] = 5
    account.expect("unread", odd, 0)
    odd = account.rule(shapes()["plain"])
    account.documents[odd.id]["scheduled_updates"][0]["price_index"] = "cub"
    account.expect("unread", odd, 0)


@pytest.fixture(scope="module")
def account():
    return planted()


@pytest.fixture(scope="module")
def box(account):
    with running_sandbox(account.state(), today=LAST) as sandbox:
        yield sandbox


@pytest.fixture
def audit(box, ciclo, monkeypatch):
    monkeypatch.setenv("CICLO_TOKEN", TOKEN)
    options = ("--url", box.url, "--organization", ORGANIZATION, "--from", "2023-08", "--to", "2026-07")
    return lambda *more: ciclo("audit", *options, *more)


def entry(finding, expected):
    """Of what was found, what the planting says about its like."""
    return {name: finding[name] for name in expected}


def test_every_planted_fault_is_found_to_the_cent_and_no_edit_is_reported(account, audit, box):
    assert (len(account.expected) >= 60, account.edits >= 60) == (True, True)
    box.clear_requests()
    code, out, err = audit("--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    left, unexpected = list(account.expected), []
    for finding in document["findings"]:
        same = next((each for each in left if entry(finding, each) == each), None)
        if same is None:
            unexpected.append(finding)
        else:
            left.remove(same)
    assert (left, unexpected) == ([], [])
    assert {seen["method"] for seen in box.requests()} == {"GET"}
    invoices = len(account.state()["invoices"])
    assert len(box.requests()) <= len(account.contracts) + invoices / 100 * 1.05 + 50
