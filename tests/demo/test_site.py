"""A demonstration keeps to its own folder, its own Airflow and its own screen."""

import configparser
import io
import json
import stat
from decimal import Decimal
from pathlib import Path

import pytest

from demo import site as demo_site
from demo.screen import Screen, count, duration, money
from demo.site import StepFailed, fresh_site, project_folder


def test_every_run_begins_with_an_empty_folder(tmp_path):
    (tmp_path / ".demo" / "airflow").mkdir(parents=True)
    (tmp_path / ".demo" / "airflow" / "airflow.db").write_text("of the last run")

    with fresh_site(tmp_path) as site:
        assert list(site.airflow_home.iterdir()) == []


def test_a_second_run_in_the_same_folder_is_refused_and_deletes_nothing(tmp_path):
    with fresh_site(tmp_path) as site:
        site.environment_file.write_text("kept")

        with pytest.raises(StepFailed, match="another demonstration is running"), fresh_site(tmp_path):
            pass

        assert site.environment_file.exists()


def test_a_folder_without_dags_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ciclo.__file__", str(tmp_path / "include" / "ciclo" / "__init__.py"))

    with pytest.raises(StepFailed, match=r"dags/bill_range\.py is not here"):
        project_folder()


def test_the_files_with_keys_are_readable_by_their_owner_only(tmp_path):
    with fresh_site(tmp_path) as site:
        demo_site.write_configuration(site, 8080)
        demo_site.write_environment_file(site, "http://127.0.0.1:8400")

        modes = [stat.S_IMODE(p.stat().st_mode) for p in (site.airflow_home / "airflow.cfg", site.environment_file)]

    assert modes == [0o600, 0o600]


def test_the_person_s_own_airflow_and_ledger_stay_out_of_it(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://production")
    monkeypatch.setenv("CICLO_LEDGER_URL", "postgresql://production")
    with fresh_site(tmp_path) as site:
        environment = demo_site.airflow_environment(site, "http://127.0.0.1:8400")

    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in environment
    assert environment["CICLO_LEDGER_URL"] == f"sqlite:///{tmp_path}/.demo/ledger.db"
    assert json.loads(environment["AIRFLOW_CONN_BILLIMATIC_DEFAULT"])["host"] == "http://127.0.0.1:8400"


def test_nothing_asks_the_internet_and_reports_stay_in_the_folder(tmp_path):
    with fresh_site(tmp_path) as site:
        environment = demo_site.airflow_environment(site, "http://127.0.0.1:8400")

    assert environment["CICLO_SGS_URL"] == "http://127.0.0.1:8400"
    assert environment["CICLO_REPORTS_DIR"] == f"{tmp_path}/.demo/reports"


@pytest.mark.parametrize("by_schedule", [True, False])
def test_a_schedule_runs_nothing_unless_it_is_wanted(tmp_path, by_schedule):
    configuration = configparser.ConfigParser(interpolation=None)
    with fresh_site(tmp_path) as site:
        demo_site.write_configuration(site, 8080, by_schedule=by_schedule)
        configuration.read(site.airflow_home / "airflow.cfg")

    assert configuration.getboolean("scheduler", "use_job_schedule") is by_schedule


def test_people_with_roles_log_in_and_without_roles_everybody_is_let_in(tmp_path):
    open_to_all, by_login = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    with fresh_site(tmp_path) as site:
        demo_site.write_configuration(site, 8080)
        open_to_all.read(site.airflow_home / "airflow.cfg")
        demo_site.write_configuration(site, 8080, roles={"ana": "admin", "vera": "viewer"})
        by_login.read(site.airflow_home / "airflow.cfg")

    passwords = Path(by_login["core"]["simple_auth_manager_passwords_file"])
    assert open_to_all.getboolean("core", "simple_auth_manager_all_admins")
    assert not by_login.getboolean("core", "simple_auth_manager_all_admins")
    assert by_login["core"]["simple_auth_manager_users"] == "ana:admin,vera:viewer"
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600


def test_a_task_s_log_is_shown_as_text(tmp_path):
    log = tmp_path / "attempt=1.log"
    error = {"exc_type": "RejectedError", "exc_value": "contract 3001, rule 70001: description"}
    entry = {"level": "error", "event": "Task failed with exception", "error_detail": [error]}
    log.write_text(f"plain line\n{json.dumps(entry)}\n")

    assert StepFailed("bill_range", "failed in issue", log).tail() == [
        "plain line",
        "error Task failed with exception",
        "  RejectedError: contract 3001, rule 70001: description",
    ]


def test_a_file_gets_no_colours():
    stream = io.StringIO()
    screen = Screen(stream)

    screen.step("1. Start")
    screen.fact("Missing", 0, good=True)

    assert stream.getvalue() == "\n1. Start\n  Missing         0\n"


def test_figures_read_as_people_write_them():
    assert money(Decimal("1750563.01")) == "BRL 1,750,563.01"
    assert duration(65.4) == "1:05"
    assert [count(n, "period") for n in (0, 1, 1200)] == ["0 periods", "1 period", "1,200 periods"]
