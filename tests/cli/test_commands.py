"""The command line as a user meets it: what it prints, on which stream, with which exit code."""

import json
from decimal import Decimal

import pytest

from company import rule, scheduled_update


@pytest.fixture
def rule_file(tmp_path):
    def write(document):
        path = tmp_path / "rule.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    return write


def test_preview_prints_periods_in_the_fixed_shape(ciclo, rule_file):
    path = rule_file({"invoice_rule": rule(init_date="2025-01-31", charge={"day_number": 5, "parcel_number": 2})})
    code, out, err = ciclo("preview", path, "--from", "2025-02-01", "--to", "2025-02-28", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == [
        {
            "issue_date": "2025-02-28",
            "accrual_date": "2025-02-01",
            "gross_value": "150.00",
            "receivables": [
                {"due_date": "2025-03-05", "value": "50.0000", "gross_value": "75.00"},
                {"due_date": "2025-04-05", "value": "50.0000", "gross_value": "75.00"},
            ],
        }
    ]


def test_preview_bills_the_price_in_force_and_shows_the_updates(ciclo, rule_file):
    path = rule_file(rule(scheduled_updates=[scheduled_update(init_date="2025-06-10")]))
    window = ("--from", "2025-05-01", "--to", "2025-06-30")
    _, out, _ = ciclo("preview", path, *window, "--json")
    before, after = (Decimal(period["gross_value"]) for period in json.loads(out))
    _, factor_out, _ = ciclo("index", "igpm", "--from", "2024-06", "--to", "2025-05", "--json")
    factor = Decimal(json.loads(factor_out)["factor"])
    assert before == Decimal("150.00")
    assert after == (before * factor).quantize(Decimal("0.01"))
    _, text, _ = ciclo("preview", path, *window)
    assert f"gross value: 150.00 -> {after}" in text


def test_preview_shows_unit_values_whole_that_are_finer_than_cents(ciclo, rule_file):
    fine = {"id": 31, "name": "Mensagem", "units": "1000.0", "unit_value": "0.0375", "value": "37.5"}
    half = {"id": 32, "name": "Hora", "units": "1.0", "unit_value": "8.005", "value": "8.01"}
    path = rule_file(rule(services=[fine, half], scheduled_updates=[scheduled_update(init_date="2025-06-10")]))

    _, text, _ = ciclo("preview", path, "--from", "2025-06-01", "--to", "2025-06-30")

    assert "service 31: 0.0375 -> 0.04\n  service 32: 8.005 -> 8.57\n" in text


def test_preview_counts_the_companys_own_holidays(ciclo, rule_file, tmp_path, monkeypatch):
    path = rule_file(rule(init_date="2025-12-22", charge={"day_quantity": 2, "only_business_days": True}))
    own = tmp_path / "holidays.txt"
    own.write_text("2025-12-24  # closed by agreement\n26/12/2025\n", encoding="utf-8")
    window = ("--from", "2025-12-01", "--to", "2025-12-31", "--json")

    def due(*given):
        code, out, err = ciclo("preview", path, *window, *given)
        assert (code, err) == (0, "")
        return json.loads(out)[0]["receivables"][0]["due_date"]

    assert (due(), due("--holidays", own)) == ("2025-12-24", "2025-12-29")
    monkeypatch.setenv("CICLO_HOLIDAYS_FILE", str(own))
    assert due() == "2025-12-29"
    own.write_text("2025-02-30\n", encoding="utf-8")
    code, out, err = ciclo("preview", path, *window)
    assert (code, out) == (1, "")
    assert err.startswith("error: line 1 of the holidays: '2025-02-30' is no date")


def test_a_rule_as_it_is_sent_is_previewed_before_the_api_has_made_its_ids_and_values(ciclo, rule_file):
    to_be_made = {
        "description": "Suporte",
        "nfe_body": "$DESCRICAO",
        "charge_type": "fixed_day",
        "additional_information": {"title": "Suporte", "init_date": "10-01-2023", "month_quantity": 6},
        "services": [{"service_item_id": 57, "units": 2.5, "unit_value": 5.75}],
        "scheduled_updates": [
            {"price_index": "igpm", "init_date": "10/07/2023", "month_quantity": 12, "days_until_update": 7}
        ],
        "receivables_additional_information": {"day_number": 5, "day_quantity": 1},
    }
    window = ("--from", "2023-01-01", "--to", "2024-12-31", "--json")
    code, out, err = ciclo("preview", rule_file({"invoice_rule": to_be_made}), *window)
    assert (code, err) == (0, "")
    # IGP-M fell in the year to 06/2023, which lowers nothing by default; it rose by 2.44 % in the year to 06/2024
    assert [(each["issue_date"], each["gross_value"]) for each in json.loads(out)] == [
        ("2023-01-10", "14.38"),
        ("2023-07-10", "14.38"),
        ("2024-01-10", "14.38"),
        ("2024-07-10", "14.73"),
    ]


def test_preview_says_which_index_value_is_missing(ciclo, rule_file):
    path = rule_file(rule(scheduled_updates=[scheduled_update(init_date="2031-06-10")]))
    _, out, _ = ciclo("preview", path, "--from", "2031-06-01", "--to", "2031-06-30")
    assert "price index igpm has no value for 2030-06; the price stays until it is out" in out


def test_preview_of_a_rule_that_never_recurs_is_empty(ciclo, rule_file):
    path = rule_file(rule() | {"additional_information": None})

    assert ciclo("preview", path, "--from", "2025-01-01", "--to", "2025-12-31", "--json") == (0, "[]\n", "")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            rule(timing={"month_quantity": 5}),
            (
                "contract 10, rule 1, additional_information.month_quantity: "
                "a monthly rule's period lasts 1, 2, 3, 6, 12 months, not 5"
            ),
        ),
        (
            rule(init_date="2025-02-30"),
            "contract 10, rule 1, additional_information.init_date: ",
        ),
        ({}, "additional_information: is not there: this is no invoice rule"),
        ({"title": "no rule"}, "additional_information: is not there: this is no invoice rule"),
        (rule() | {"additional_information": {}}, "additional_information: is not there: this is no invoice rule"),
        (rule(services=[1]), "services: is no list of objects"),
        (rule(services={"id": 1}), "services: is no list of objects"),
        (rule(scheduled_updates=[1]), "scheduled_updates: is no list of objects"),
        ({key: value for key, value in rule().items() if key != "gross_value"}, "contract 10, rule 1, gross_value: "),
    ],
)
def test_a_rule_that_cannot_be_billed_is_one_line_that_names_the_field(ciclo, rule_file, document, message):
    code, out, err = ciclo("preview", rule_file(document), "--from", "2025-01-01", "--to", "2025-12-31")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("index", "igpm", "--from", "2025-02", "--to", "2025-01"),
            1,
            "error: the window is upside down: it starts on 2025-02-01 and ends on 2025-01-01\n",
        ),
        (
            ("index", "selic", "--from", "2025-01", "--to", "2025-02"),
            1,
            "error: price index 'selic' is unknown; known are igpm, ipca, igpdi, inpc, ipcfipe\n",
        ),
        (
            ("index", "igpm", "--from", "1994-12", "--to", "1995-02"),
            1,
            "error: price index igpm has no value for 1994-12\n",
        ),
        (
            ("preview", "no-such-file.json", "--from", "2025-01-01", "--to", "2025-01-31"),
            1,
            "error: no-such-file.json: No such file or directory\n",
        ),
        (
            ("preview", "rule.json", "--from", "2025-01-01", "--to", "9999-12-31"),
            2,
            "error: Invalid value for --to: 9999-12-31: years are 1900 to 9000 Try --help.\n",
        ),
        (
            ("audit", "--from", "0001-01", "--organization", "7"),
            2,
            "error: Invalid value for --from: 0001-01-01: years are 1900 to 9000 Try --help.\n",
        ),
        (("index", "igpm"), 2, "error: Missing option '--from'. Try --help.\n"),
        (("bill",), 2, "error: No such command 'bill'. Try --help.\n"),
    ],
)
def test_wrong_input_is_one_line_on_standard_error(ciclo, arguments, code, message):
    assert ciclo(*arguments) == (code, "", message)


def test_a_file_of_a_windows_editor_is_read_and_one_without_bottom_is_no_json(ciclo, tmp_path):
    window = ("--from", "2025-01-01", "--to", "2025-01-31")
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(rule()), encoding="utf-8-sig")
    assert ciclo("preview", path, *window)[0] == 0
    path.write_text("[" * 100_000, encoding="utf-8")
    code, out, err = ciclo("preview", path, *window)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "rule.json is not JSON" in err


def test_the_window_of_a_preview_may_not_be_upside_down(ciclo, rule_file):
    code, _, err = ciclo("preview", rule_file(rule()), "--from", "2025-02-01", "--to", "2025-01-01")
    assert code == 1
    assert err == "error: the window is upside down: it starts on 2025-02-01 and ends on 2025-01-01\n"


def test_index_compounds_exactly(ciclo):
    code, out, _ = ciclo("index", "igpm", "--from", "2018-09", "--to", "2018-10", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["months"] == [{"month": "2018-09", "value": "1.52"}, {"month": "2018-10", "value": "0.89"}]
    assert (report["factor"], report["percent"]) == ("1.02423528", "2.423528")


def test_db_upgrade_makes_a_ledger_that_can_be_opened(ciclo, tmp_path, monkeypatch):
    from ciclo.ledger.database import ledger_session, newest_revision

    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("CICLO_LEDGER_URL", url)
    code, out, _ = ciclo("db", "upgrade")
    assert (code, out) == (0, f"The ledger (sqlite) is at migration {newest_revision()}.\n")
    with ledger_session(url):
        pass


def test_db_upgrade_explains_an_url_that_leads_nowhere(ciclo, monkeypatch):
    monkeypatch.setenv("CICLO_LEDGER_URL", "oracle://scott:tiger@db")
    code, _, err = ciclo("db", "upgrade")
    assert code == 1
    assert err == (
        "error: The ledger cannot be opened: oracle is not supported; use sqlite or postgresql. "
        "Check CICLO_LEDGER_URL.\n"
    )


def test_the_recorded_rule_168132_is_previewed_as_its_recorded_invoices(ciclo, rule_file, shared_folder):
    recordings = shared_folder / "api" / "recordings"
    listed = json.loads((recordings / "invoice_rules/list/success/not_empty_collection.json").read_text())
    found = json.loads((recordings / "invoices/search/success/issue_date_range_matches.json").read_text())
    document = listed["exchanges"][0]["response"]["body"]["invoice_rules"][0]
    invoices = found["exchanges"][0]["response"]["body"]["invoices"]
    _, out, _ = ciclo("preview", rule_file(document), "--from", "2017-01-01", "--to", "2017-12-31", "--json")
    periods = {period["issue_date"]: period for period in json.loads(out)}
    assert min(periods) == "2017-04-10"
    for invoice in invoices:
        period = periods[_iso(invoice["issue_date"])]
        assert period["accrual_date"] == invoice["accrual_date"]
        assert [part["due_date"] for part in period["receivables"]] == [
            _iso(part["due_date"]) for part in invoice["receivables"]
        ]
        assert Decimal(period["gross_value"]) == Decimal(invoice["gross_value"])


def _iso(day: str) -> str:
    return "-".join(reversed(day.split("/")))


@pytest.mark.parametrize("months", [None, 0, -3])
def test_a_preview_says_of_an_update_without_a_periodicity_that_it_is_not_executed(ciclo, rule_file, months):
    path = rule_file(rule(scheduled_updates=[scheduled_update(month_quantity=months)]))
    code, out, _ = ciclo("preview", path, "--from", "2025-06-01", "--to", "2025-06-30")
    assert code == 0
    assert "its periodicity is not known" in out
    assert "150.00" in out
