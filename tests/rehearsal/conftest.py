"""Rehearsals over the command line, as a user plays them."""

import importlib.util
import json
from pathlib import Path

import pytest

from ciclo.cli.main import main
from ciclo.jobs.rehearsal import play
from ledgers import migrate

SCENARIOS = Path(__file__).parent / "scenarios"


@pytest.fixture(autouse=True)
def migrated_once(monkeypatch):
    """Begin each rehearsal with a copy of one migrated ledger: migrating takes as long as a rehearsed day."""
    monkeypatch.setattr(play, "upgrade", lambda engine: migrate(str(engine.url)))


@pytest.fixture
def rehearse(tmp_path, capsys):
    """Play a scenario (a file, or a document); return exit code, output document or text, standard error."""

    def play(scenario, *, as_json=True):
        path = scenario
        if isinstance(scenario, dict):
            path = tmp_path / "scenario.json"
            path.write_text(json.dumps(scenario), encoding="utf-8")
        with pytest.raises(SystemExit) as stop:
            main(["rehearse", str(path), *(["--json"] if as_json else [])])
        out, err = capsys.readouterr()
        return stop.value.code, json.loads(out) if as_json and out else out, err

    return play


@pytest.fixture
def scenario():
    """Return one of our scenarios as a document."""
    return lambda name: json.loads((SCENARIOS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def unmet(shared_folder):
    """The judge of the scenarios that come with the shared folder: what of an expectation an output does not meet."""
    specification = importlib.util.spec_from_file_location("scenario_check", shared_folder / "scenarios" / "check.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.unmet
