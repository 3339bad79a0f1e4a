"""`ciclo doctor`: what is new in an account's answers, once each, without a customer's values."""

import json

import pytest

from ciclo_sandbox.testing import running_sandbox
from company import ORGANIZATION, TODAY, TOKEN, company, contract, rule


@pytest.fixture
def box():
    with running_sandbox(company(rule(1), contracts=[contract(10, name="Fulano de Tal")]), today=TODAY) as sandbox:
        yield sandbox


@pytest.fixture
def doctor(ciclo, box, monkeypatch):
    monkeypatch.setenv("CICLO_TOKEN", TOKEN)
    return lambda *options: ciclo("doctor", "--url", box.url, "--organization", ORGANIZATION, *options)


def _report(out):
    return json.loads(out[out.index("{") :])


def test_an_account_is_looked_at_without_a_write(doctor, box):
    code, out, err = doctor("--json")
    report = _report(out)
    assert (code in {0, 1}, err) == (True, "")
    assert report["records"]["contract"] == report["records"]["invoice_rule"] == 1
    assert report["new"] == []
    assert {seen["method"] for seen in box.requests()} == {"GET"}
    assert "Fulano" not in out


def test_a_refused_setting_of_the_console_is_named(doctor, monkeypatch):
    monkeypatch.setenv("CICLO_VENDOR_PAGE", "https://ana:s3cret@vendor.example/{invoice}")
    code, out, _ = doctor()
    assert (code, "s3cret" in out) == (1, False)
    assert "CICLO_VENDOR_PAGE is refused: it holds a user's name or password." in out
    assert len(_report(doctor("--json")[1])["settings"]) == 1


def test_what_is_new_is_reported_once(ciclo, tmp_path, monkeypatch):
    monkeypatch.setenv("CICLO_TOKEN", TOKEN)
    odd = contract(10, name="Fulano de Tal", status="suspended")
    with running_sandbox(company(rule(1), contracts=[odd]), today=TODAY) as box:
        options = (
            "doctor",
            "--url",
            box.url,
            "--organization",
            ORGANIZATION,
            "--json",
            "--seen",
            tmp_path / "seen.json",
        )
        first, second = (_report(ciclo(*options)[1])["new"] for _ in range(2))
    assert first == [{"kind": "value", "path": "contract.status", "word": "suspended"}]
    assert second == []


def test_a_wrong_token_is_one_clear_line(ciclo, box, tmp_path):
    file = tmp_path / "token"
    file.write_text("wrong-canary\n")
    code, out, err = ciclo("doctor", "--url", box.url, "--organization", ORGANIZATION, "--token-file", file)
    assert (code, out) == (1, "")
    assert err.startswith("error: the API refused the token (GET /api/v1/organizations/7/contracts, status 401")
    assert "canary" not in err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "--organization: is needed without --conn"),
        (["--organization", 7, "--token-file", "/nowhere"], "--token-file: /nowhere: No such file or directory"),
        (["--organization", 7, "--url", "http://billing.example"], "base_url must be https"),
        (["--conn", "somewhere", "--token-file", "/nowhere"], "--conn: a connection has its own token"),
    ],
)
def test_options_that_name_no_account_are_wrong_use(ciclo, monkeypatch, options, problem):
    monkeypatch.setenv("CICLO_TOKEN", "t")
    code, _, err = ciclo("doctor", *options)
    assert code == 2
    assert problem in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("written", ["no JSON", "{}", "[1]"])
def test_a_file_of_what_was_reported_that_is_something_else_stays_as_it_is(doctor, box, tmp_path, written):
    file = tmp_path / "seen.json"
    file.write_text(written)
    code, out, err = doctor("--seen", file)
    assert (code, out) == (2, "")
    assert err == f"error: Invalid value for --seen: {file} is not what an earlier run has written Try --help.\n"
    assert (file.read_text(), box.requests()) == (written, [])
