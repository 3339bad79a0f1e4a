"""Every number on a tile or in a table of sums opens its rows: as many as it says, and they sum to what it says."""

import csv
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url, select, update
from sqlalchemy.orm import Session

from ciclo.console import create_app
from ciclo.domain.calendar import first_of_month
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.database import open_engine
from ciclo.ledger.queries.receivables import collected
from ciclo.ledger.tables import Invoice, Receivable
from console.conftest import can_act, console, current_user
from console.factories import NOW, ORGANIZATION, Rows, an_invoice

PAGES = (
    "/",
    "/?month=2025-10",
    "/?month=2025-03",
    "/receivables",
    "/receivables?as_of=2025-11-10",
    "/receivables/collected",
    "/receivables/collected?as_of=2025-08-15",
    "/contracts/100",
    "/contracts/108",
    "/price-updates",
    "/price-updates/what-if?index=ipca&cap=5",
    "/attention",
    "/attention?show=findings",
    "/attention?show=updates",
    "/runs?dag_id=issue_invoices",
    "/runs?dag_id=issue_invoices&run_id=scheduled__2025-11-18T09:00:00%2B00:00",
)
SUMS = {
    "What waits for a person",
    "Receivables of the month's invoices by state",
    "Collected by month of the due date",
    "How many price updates are coming, by index and month",
}
"""Captions of the tables that hold sums; the cells of the others are values of one thing."""
AMOUNTS = ("Gross value (BRL)", "At risk (BRL)")
LISTS = ("/periods/list", "/receivables", "/attention", "/price-updates", "/runs")


@dataclass
class Figure:
    """A number as it is written, where it stands, and the link that it is in."""

    text: str
    href: str | None
    place: str


@dataclass
class Figures(HTMLParser):
    """The numbers of a page's tiles, of its tables of sums, of its ageing and of its kinds."""

    found: list[Figure] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[tuple[str, str]] = []
        self._href: str | None = None
        self._caption = self._text = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        names = given.get("class", "")
        if tag == "a":
            self._href = given.get("href")
        if tag == "table":
            self._caption = ""
        if tag not in {"input", "meta", "link", "br"}:
            self._open.append((tag, names))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Pass over what holds nothing: shapes of a picture."""

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass
        if tag == "a":
            self._href = None

    def handle_data(self, data: str) -> None:
        names = [name for _, given in self._open for name in given.split()]
        if self._open and self._open[-1][0] == "caption":
            self._caption = data.strip()
        place = next((name for name in ("tile", "ageing", "kinds", "segments") if name in names), None)
        if place is None and self._caption in SUMS and any(tag == "td" for tag, _ in self._open):
            place = self._caption
        if place and "visually-hidden" not in names and re.search(r"\d", data) and "name" not in names:
            label = re.fullmatch(r"[\d.]+|-?R\$\s?[\d.]+,\d\d|[\d.]+,\d\s%|\d+,\d", data.strip())
            if label:
                self.found.append(Figure(data.strip(), self._href, place))


def figures(page: str) -> list[Figure]:
    parser = Figures()
    parser.feed(page)
    parser.close()
    return parser.found


@dataclass(frozen=True)
class Behind:
    """What stands behind a link: how many rows, and what they sum to."""

    count: int
    amount: Decimal | None


def behind(client: TestClient, href: str) -> Behind:
    """Read the list behind a link as its file."""
    parts = urlsplit(href)
    query = urlencode([*parse_qsl(parts.query), ("format", "csv")])
    answer = client.get(f"{parts.path}?{query}")
    assert answer.status_code == 200, href
    text = answer.text.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
    column = next((name for name in AMOUNTS if rows and name in rows[0]), None)
    amounts = [Decimal(row[column].replace(",", ".")) for row in rows if row[column]] if column else None
    return Behind(len(rows), sum(amounts, Decimal(0)) if amounts is not None else None)


def money(text: str) -> Decimal:
    return Decimal(re.sub(r"[^\d,-]", "", text).replace(",", "."))


def check(client: TestClient, path: str) -> int:
    """Open every number of a page; return how many there were."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    counted = 0
    for one in figures(answer.text):
        assert one.href, (path, one)
        if one.href == "#lines":  # the rows stand below on the same page
            continue
        assert urlsplit(one.href).path in LISTS, (path, one)
        there = behind(client, one.href)
        if "R$" in one.text:
            assert (there.amount or 0) == money(one.text), (path, one)
        elif "%" not in one.text and "," not in one.text:
            assert there.count == int(one.text.replace(".", "")), (path, one)
        counted += 1
    return counted


@pytest.mark.parametrize("path", PAGES)
def test_the_rows_behind_a_number_are_as_many_and_sum_to_it(operator, path):
    assert check(operator, path) or "what-if" in path


def test_overdue_price_updates_are_as_many_as_their_column_says(small_year):
    later = create_app(
        current_user=current_user,
        can_act=can_act,
        ledger_url=small_year,
        clock=lambda: NOW + timedelta(days=400),
    )
    with TestClient(later, headers={"x-user": "operator"}) as client:
        assert check(client, "/price-updates") == 6  # all of them: five indices and their sum


@pytest.fixture
def odd_year(own_year) -> Iterator[TestClient]:
    """A year with what the sums leave out: gone, cancelled and late-billed invoices, some that no period expects."""
    engine = open_engine(own_year)
    rows = Rows()
    day = NOW.date().replace(day=5)
    for number, state in enumerate(("to_emit", "cancelled", "received", "to_receive")):
        an_invoice(rows, 99_000 + number, None, 100, day, state=state)
    rows.write(engine)
    with engine.begin() as connection:
        gone = update(Receivable).where(Receivable.invoice_id == 80_013).values(gone_at=NOW)
        connection.execute(gone)
        connection.execute(update(Invoice).where(Invoice.invoice_id == 80_014).values(gone_at=NOW))
        moved = update(Invoice).where(Invoice.invoice_id == 80_012)
        connection.execute(moved.values(issue_date=day))
        its_own = update(Receivable).where(Receivable.invoice_id == 80_012)
        connection.execute(its_own.values(issue_date=day))
        on_the_day = update(Receivable).where(Receivable.state == "received", Receivable.receivable_id % 3 == 0)
        connection.execute(on_the_day.values(received_at=Receivable.due_date))
    engine.dispose()
    with TestClient(console(own_year), headers={"x-user": "operator"}) as client:
        yield client


def test_what_is_gone_cancelled_moved_or_nobodys_counts_in_the_number_and_in_its_rows_alike(odd_year):
    pages = ("/", "/?month=2025-11", "/?month=2025-10", "/receivables", "/receivables/collected")
    assert sum(check(odd_year, path) for path in pages) > 60


def test_what_came_in_on_a_day_that_nobody_knows_counts_in_no_mean(small_year, tmp_path):
    shutil.copy(make_url(small_year).database, tmp_path / "ledger.db")
    window = DateRange(date(2025, 1, 1), date(2026, 1, 1))
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with Session(engine) as session:
        paid = select(Receivable).where(Receivable.state == "received").order_by(Receivable.receivable_id)
        for number, each in enumerate(session.scalars(paid)):
            each.received_at = None if number % 7 == 0 else each.received_at
        session.commit()
        known = [each for each in session.scalars(paid) if each.received_at and each.gone_at is None]
        months = collected(session, ORGANIZATION, window)
    engine.dispose()

    assert sum(one.received.count for one in months) > sum(each.due_date in window for each in known) > 0
    for one in months:
        days = [
            (each.received_at - each.issue_date).days for each in known if first_of_month(each.due_date) == one.month
        ]
        mean = (Decimal(sum(days)) / len(days)).quantize(Decimal("0.1"), ROUND_HALF_UP) if days else None
        assert one.days_to_receive == mean


def test_the_months_money_and_what_was_collected_open_their_receivables(operator):
    month = operator.get("/?month=2025-10").text
    assert 'href="/receivables?issued=2025-10&amp;state=received"' in month
    collected = operator.get("/receivables/collected").text
    for query in ("state=not_cancelled", "state=received", "state=received&amp;on_time=1"):
        assert f'href="/receivables?due=2025-10&amp;{query}"' in collected

    shown = operator.get("/receivables?due=2025-10&state=received&on_time=1&size=25").text
    assert '<input type="month" name="due" value="2025-10">' in shown
    assert "due=2025-10&amp;on_time=1&amp;sort=" in shown or "on_time=1" in shown


def test_the_tile_of_a_run_shows_its_changes_and_is_left_by_a_second_click(operator):
    page = operator.get("/runs?dag_id=issue_invoices&subject=period&to_state=issued").text
    assert 'aria-current="true"' in page
    assert 'href="/runs?dag_id=issue_invoices"' in page
