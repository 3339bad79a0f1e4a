"""Adjustments in files: the whole file or nothing, each error with its line, the same row once."""

import io
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import func, select

from ciclo.jobs.adjustments.files import ORIGIN, UnreadableFile, read_adjustments
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import AdjustmentsRefused, add_adjustments
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Adjustment
from company import ORGANIZATION, TODAY, YEAR, company, rule, service

QUARTER = Scope(YEAR.window.days(YEAR.window.start, YEAR.window.start.replace(month=3, day=31)))
GOOD = b"""kind,contract_id,rule_id,period,service,quantity,unit_value,percent,description,note
quantity,10,1,2025-01,Servi\xc3\xa7o 2,1234.5,,,,metering
discount,10,1,2025-01-10,,,,10,,campaign
line,10,,2025-02,,2,"10.10",,Visita,
"""


@pytest.fixture
def ctx(sandbox, job):
    services = [service(1, "100.0"), service(2, "0.05", units="1000.0")]
    box = sandbox(company(rule(1, services=services, gross_value="150.0"), rule(2, 11), rule(3, 11)))
    made = job(box)
    read_contract_list(made)
    expand_rules(made, QUARTER, seen_on=TODAY)
    return made


def load(ctx, content):
    rows = read_adjustments(io.BytesIO(content))
    added = add_adjustments(ctx.session, ORGANIZATION, rows, origin=ORIGIN, person="ana", at=ctx.clock())
    ctx.session.commit()
    return added.counts()


def known(ctx):
    return ctx.session.scalar(select(func.count()).select_from(Adjustment))


def test_a_file_is_added_once_whatever_it_is_called(ctx):
    assert load(ctx, GOOD) == {"added": 3, "known": 0}
    assert load(ctx, GOOD) == {"added": 0, "known": 3}
    rows = ctx.session.scalars(select(Adjustment).order_by(Adjustment.id)).all()
    assert [(row.kind, row.quantity, row.rule_id, row.note) for row in rows] == [
        ("quantity", Decimal("1234.5"), 1, "metering"),
        ("discount", None, 1, "campaign"),
        ("line", Decimal(2), 1, ""),
    ]


@pytest.mark.parametrize("again", [b"10.10", b"10.1", b"10.100"])
def test_a_row_is_known_again_whatever_a_spreadsheet_makes_of_its_zeros(ctx, again):
    row = b"kind,rule_id,period,unit_value,description\nline,1,2025-02,%s,Visita\n"
    assert load(ctx, row % b"10.10") == {"added": 1, "known": 0}
    assert load(ctx, row % again) == {"added": 0, "known": 1}
    assert load(ctx, row % b"10.11") == {"added": 1, "known": 0}


def test_a_row_that_an_older_ciclo_added_is_known_again(ctx):
    line = b"kind,rule_id,period,unit_value,description\nline,1,2025-02,10.10,Visita\n"
    [row] = read_adjustments(io.BytesIO(line))
    load(ctx, line)
    ctx.session.scalars(select(Adjustment)).one().key = row.spelled()
    ctx.session.commit()
    assert load(ctx, line) == {"added": 0, "known": 1}


def test_a_key_of_any_length_is_known_again(ctx):
    header, first, *_ = GOOD.splitlines()
    keys = [b"a" * 10_000, b"a" * 9_999 + b"b"]
    rows = b"\n".join([header + b",key", *(first + b"," + key for key in keys[:1]), b""])
    other = b"\n".join([header + b",key", b"discount,10,1,2025-01-10,,,,10,,," + keys[1], b""])
    assert [load(ctx, each) for each in (rows, rows, other, other)] == [
        {"added": 1, "known": 0}, {"added": 0, "known": 1}, {"added": 1, "known": 0}, {"added": 0, "known": 1},
    ]  # fmt: skip


def test_a_table_of_a_spreadsheet_in_portuguese_is_read(ctx):
    table = "\ufeffkind;rule_id;period;service;quantity\r\nquantity;1;2025-01;Serviço 2;1234,5\r\n".encode()
    assert load(ctx, table) == {"added": 1, "known": 0}
    assert ctx.session.scalars(select(Adjustment.quantity)).one() == Decimal("1234.5")


@pytest.mark.parametrize(
    ("separator", "number", "read"),
    [
        (";", "1.234", None), (";", "-12.500", None), (";", "1234", "1234"), (";", "1,234", "1.234"),
        (";", "1.25", "1.25"), (";", "0.125", "0.125"), (";", "1.2340", "1.2340"), (";", "1.234,5", "1234.5"),
        (",", "1,234", None), (",", "1.234", "1.234"), (",", "12,5", "12.5"),
    ],
)  # fmt: skip
def test_what_may_be_thousands_or_a_fraction_is_asked_about(separator, number, read):
    table = f'kind{separator}note{separator}unit_value\nline{separator}"two\nlines"{separator}"{number}"\n'
    [row] = read_adjustments(io.BytesIO(table.encode()))
    if read is None:
        assert (row.line, row.field) == (3, "unit_value")
    else:
        assert row.unit_value == Decimal(read)


@pytest.mark.parametrize(
    ("row", "field", "why"),
    [
        (b"quantity,10,1,2025-01,Chamadas,1,,,,", "service", "the rule has no service “Chamadas”"),
        (b"quantity,10,99,2025-01,1,1,,,,", "rule_id", "knows no rule 99"),
        (b"quantity,11,1,2025-01,1,1,,,,", "contract_id", "rule 1 is of contract 10"),
        (b"discount,11,,2025-01,,,,10,,", "rule_id", "contract 11 has rules 2, 3"),
        (b"discount,10,1,2024-01,,,,10,,", "period", "issues no invoice"),
        (b"discount,10,1,,,,,10,,", "period", "is missing"),
        (b"discount,10,1,2025-01,,,,abc,,", "percent", "'abc' is not a decimal number"),
        (b"skip,10,99999999999999999999,2025-01,,,,,,", "rule_id", "is no number of the vendor's"),
        (b"skip,-10,1,2025-01,,,,,,", "contract_id", "is no number of the vendor's"),
        (b"skip,10,1,9999-12,,,,,,", "period", "9999-12-01: years are 1900 to 9000"),
        (b"quantity,10,1,2025-01,{x},77,,,,", "service", "has no service \u201c{x}\u201d"),
        (b"discount,10,1,2025-13,,,,10,,", "period", "cannot be read"),
        (b"rebate,10,1,2025-01,,,,10,,", "kind", "cannot be read"),
        (b"quantity,10,1,2025-01,2,77,,,,", "kind", "line 2 says another quantity"),
        (b"discount,10,1,2025-01-10,,,,10,,campaign", "key", "another row says the same"),
    ],
)
def test_a_file_with_one_wrong_row_changes_nothing_and_its_line_is_named(ctx, row, field, why):
    first = GOOD.replace("Serviço 2".encode(), b"2")
    with pytest.raises(AdjustmentsRefused) as refused:
        load(ctx, first + row + b"\n")
    ctx.session.rollback()
    [error] = refused.value.errors
    assert (error.line, error.field) == (5, field)
    assert why in str(error.reason)
    assert known(ctx) == 0


@pytest.mark.parametrize(
    ("separator", "written", "meant"),
    [
        (";", "1.234,50", "1234.50"),
        (";", "1.234", None),
        (";", "1.5", "1.5"),
        (",", "1.234", "1.234"),
        (",", '"1,5"', "1.5"),
        (",", '"1,234"', None),
        (",", '"1.234,50"', None),
    ],
)
def test_a_number_that_may_be_a_thousand_times_as_much_is_not_taken(separator, written, meant):
    table = "\n".join(separator.join(row) for row in (("kind", "rule_id", "unit_value"), ("line", "1", written)))
    [row] = read_adjustments(io.BytesIO(table.encode()))
    assert getattr(row, "unit_value", None) == (Decimal(meant) if meant else None)
    assert getattr(row, "field", None) == (None if meant else "unit_value")


def test_every_wrong_row_is_told_at_once(ctx):
    with pytest.raises(AdjustmentsRefused) as refused:
        load(ctx, GOOD + b"discount,10,99,2025-01,,,,10,,\nskip,10,1,2025-40,,,,,,\n")
    ctx.session.rollback()
    assert [error.line for error in refused.value.errors] in ([5, 6], [6, 5])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the column kind is missing"),
        (b"kind,rule\n", "columns 'rule' are not known"),
        (b"kind,rule_id\nskip,1,2,3\n", "line 2 has more values"),
        (b"kind,rule_id,quantity,note\nquantity,1,1234,x\nquantity,1,12", "line 3 has fewer values"),
        (b"kind,amount,amount\ndiscount,1,2\n", "the column amount is there twice"),
        (b"\xff\xfe\x00\x00", "neither a CSV in UTF-8 nor Parquet"),
    ],
)
def test_a_file_that_is_no_table_of_adjustments_is_refused(content, why):
    with pytest.raises(UnreadableFile, match=why):
        list(read_adjustments(io.BytesIO(content)))


def test_a_parquet_file_that_was_cut_off_is_refused():
    with pytest.raises(UnreadableFile, match="neither a CSV in UTF-8 nor Parquet"):
        list(read_adjustments(io.BytesIO(b"PAR1 and no more")))


def test_parquet_is_read(ctx):
    table = pa.table({"kind": ["discount"], "rule_id": [1], "period": ["2025-01"], "percent": [Decimal("10.00")]})
    stream = io.BytesIO()
    parquet.write_table(table, stream)
    assert load(ctx, stream.getvalue()) == {"added": 1, "known": 0}
