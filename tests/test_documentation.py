"""What exists is documented: every command, Dag, table, setting and dependency."""

import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from ciclo.cli.main import app
from ciclo.ledger.tables import Base
from ciclo.tasks.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


def commands():
    named = [command.name or command.callback.__name__ for command in app.registered_commands]
    return named + [
        f"{group.name} {command.name or command.callback.__name__}"
        for group in app.registered_groups
        for command in group.typer_instance.registered_commands
    ]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme(command):
    assert f"ciclo {command}" in README


@pytest.mark.parametrize("dag", sorted(path.stem for path in (ROOT / "dags").glob("*.py")))
def test_every_dag_is_in_the_readme(dag):
    assert f"| `{dag}` |" in README


def test_every_variable_that_a_command_reads_is_in_the_readme():
    read = {name for command in every_command() for parameter in command.params for name in names_of(parameter.envvar)}
    assert read
    assert [name for name in sorted(read) if f"| `{name}` |" not in README] == []


def every_command():
    waiting = [get_command(app)]
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        yield command


def names_of(variable):
    return [variable] if isinstance(variable, str) else variable or []


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
def test_every_table_is_in_the_readme(table):
    assert f"`{table}`" in README


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_in_the_readme_with_its_default(name):
    row = re.search(rf"\| `CICLO_{name.upper()}` \| ([^|]*) \|", README)
    assert row, f"CICLO_{name.upper()} is missing"
    default = Settings.model_fields[name].default
    assert str(default) in row[1] or not isinstance(default, int | str) or default == ""


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    names = [re.match(r"[A-Za-z0-9-]+", requirement)[0] for requirement in wanted]
    assert [name for name in names if not name.startswith("types-") and name not in reasons] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
