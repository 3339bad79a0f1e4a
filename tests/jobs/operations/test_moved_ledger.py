"""A ledger that moved to another database in the middle of a year: the runs go on there as if nothing had happened."""

import re
from datetime import date
from decimal import Decimal

import pytest

from ciclo.ledger.queries.months import measures
from company import company, rule, scheduled_update, service
from documented_commands import run_documented
from ledgers import contents, empty_ledger

RULES = [
    rule(1, gross_value="1000.0", scheduled_updates=[scheduled_update(init_date="2025-02-10")]),
    rule(2, 11, init_date="2025-01-31", charge={"day_number": 5, "parcel_number": 3}, gross_value="100.0"),
    rule(3, 11, services=[service(5, "5.75", units="2.5"), service(6, "10.0")], description="São João: “Diária” ☕"),
    rule(4, 12, description=""),
]
"""The last one is refused by the vendor: its periods are parked."""


@pytest.mark.parametrize(("old", "new"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_the_next_runs_on_the_copy_bill_what_is_due_and_nothing_twice(company_on, tmp_path, postgres_server, old, new):
    with (
        empty_ledger(old, tmp_path, postgres_server) as source,
        empty_ledger(new, tmp_path, postgres_server) as target,
    ):
        running = company_on(company(*RULES), source)
        running.go_to(date(2025, 3, 2))
        running.bill(date(2025, 1, 1), date(2025, 2, 28))
        changed = next(invoice for invoice in running.invoices() if invoice["comments"].startswith("ciclo:7:2:"))
        path = f"contracts/{changed['contract_id']}/invoices/{changed['id']}"
        running.box.call("PATCH", path, {"invoice": {"gross_value": 99}})
        running.close(1, 2)
        sent = running.references()

        said = run_documented("move", {"CICLO_LEDGER_URL": source, "CICLO_LEDGER_COPY_URL": target})
        running.url = target
        _, again = running.bill(date(2025, 1, 1), date(2025, 2, 28))
        running.go_to(date(2025, 4, 1))
        _, march = running.bill(date(2025, 3, 1), date(2025, 3, 31))

        assert moved(said)["periods"] == 8
        assert min(moved(said)[table] for table in FILLED) > 0
        assert (again.created, again.adopted) == (0, 0)
        assert (march.created, march.adopted, march.parked) == (3, 0, 1)
        assert running.references() == sorted({*sent, *(f"ciclo:7:{rule}:2025-03-{day}" for rule, day in MARCH)})
        assert [len(contents(url)["periods"]) for url in (source, target)] == [8, 12]
        with running.job() as ctx:
            parked = next(each for each in measures(ctx.session, running.today).states if each.state == "parked")
            assert (parked.periods, parked.amount) == (3, Decimal("450.00"))


FILLED = ("prices", "audit", "findings", "month_closings", "index_values")


def moved(said):
    """Rows by table, as the command says them."""
    return {table: int(rows.replace(",", "")) for rows, table in re.findall(r"^ *([\d,]+)  (\w+)$", said, re.MULTILINE)}


MARCH = [(1, "10"), (2, "31"), (3, "10")]
