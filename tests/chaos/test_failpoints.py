"""Failpoints: nothing without the variable, exactly what was asked for with it, and a place in the docs for each."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ciclo import failpoints
from ciclo.failpoints import POINTS, FailpointReached, UnknownFailpoint, failpoint, parse

PROJECT = Path(__file__).resolve().parents[2]


def test_without_the_variable_reaching_a_failpoint_does_nothing(monkeypatch):
    assert parse("") is None
    monkeypatch.setattr(failpoints, "_at_failpoint", None)
    failpoint("issue.claimed")


def test_a_failpoint_is_reached_at_the_hit_that_was_asked_for():
    reach = parse("issue.claimed=raise@2; settle.looked=raise")
    reach("issue.claimed")
    with pytest.raises(FailpointReached):
        reach("issue.claimed")
    reach("issue.claimed")
    with pytest.raises(FailpointReached):
        reach("settle.looked")


def test_a_latch_lets_only_the_first_process_be_hit(tmp_path):
    spec = f"issue.posted=raise:{tmp_path / 'once'}"
    with pytest.raises(FailpointReached):
        parse(spec)("issue.posted")
    parse(spec)("issue.posted")


@pytest.mark.parametrize("spec", ["nowhere=kill", "issue.claimed=explode", "issue.claimed", "issue.claimed=kill@x"])
def test_a_misspelt_failpoint_is_refused_when_the_process_starts(spec):
    with pytest.raises(UnknownFailpoint, match="is not NAME=ACTION"):
        parse(spec)


def test_a_kill_is_a_sigkill_of_the_process():
    script = "from ciclo.failpoints import failpoint; failpoint('issue.claimed')"
    environment = {**os.environ, "CICLO_FAILPOINTS": "issue.claimed=kill"}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == -9
    environment.pop("CICLO_FAILPOINTS")
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == 0


def test_every_failpoint_is_in_the_code_once_and_in_the_documentation():
    jobs = "".join(path.read_text() for path in (PROJECT / "include/ciclo/jobs").rglob("*.py"))
    reached = re.findall(r'(?:failpoint\(|reached=)"([a-z_.]+)"', jobs)
    assert sorted(reached) == sorted(POINTS)
    documented = set(re.findall(r"`([a-z]+\.[a-z]+)`", (PROJECT / "docs/reliability.md").read_text()))
    assert set(POINTS) <= documented
