"""What can be told of the dependencies offline: the audit finds what it should, and in this project nothing."""

import importlib.util
from email.message import Message
from pathlib import Path

import pytest
from packaging.requirements import Requirement

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "audit.py"


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("dependency_audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def found(audit):
    """What the audit finds in this project."""
    return audit.audit()


def metadata(**fields):
    message = Message()
    message["Name"] = "some-package"
    for name, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            message[name.replace("_", "-")] = value
    return message


def test_this_projects_dependencies_have_no_problem(found):
    assert len(found.licences) > 200
    assert found.problems == []


@pytest.mark.parametrize(
    "line",
    [
        "httpx>=0.28", "httpx", "httpx==0.28.*", "httpx==0.28.1,!=0.28.2", "httpx===0.28.1", "-e .", "--pre",
        "--index-url https://elsewhere", "git+https://somewhere/x.git", "httpx @ https://somewhere/x.whl", "./x.whl",
    ],
)  # fmt: skip
def test_a_line_that_pins_nothing_is_a_problem(audit, line):
    assert audit.read_pins([line]) == ([], [f"not pinned with == to a version of a registry: {line}"])


def test_pins_are_read_with_their_extras_and_markers(audit):
    lines = ["# made by uv", "uvicorn[standard]==0.54.0", "    # via x", "Old_Name==1 ; python_version < '3'", ""]
    pins, problems = audit.read_pins(lines)
    assert problems == []
    assert [(pin.name, pin.version, pin.applies) for pin in pins] == [
        ("uvicorn", "0.54.0", True),
        ("old-name", "1", False),
    ]


def test_what_production_installs_is_known_by_its_content(audit):
    digest = "0123456789abcdef" * 4
    lines = ["a==1 \\", f"    --hash=sha256:{digest} \\", f"    --hash=sha256:{digest[::-1]}", "    # via x", "b==2"]
    pins, problems = audit.read_pins(lines)
    assert problems == []
    assert [(pin.name, pin.version, pin.hashes) for pin in pins] == [("a", "1", 2), ("b", "2", 0)]
    assert audit.unhashed(pins) == ["b 2 has no hash: make lock"]


def test_a_pre_release_is_a_problem_unless_it_has_a_reason(audit):
    pins, _ = audit.read_pins(["a==1.0", "b==2.0rc1", "c==1.dev3", "opentelemetry-proto==0.66b2"])
    assert audit.pre_releases(pins) == ["b 2.0rc1 is a pre-release", "c 1.dev3 is a pre-release"]


def test_what_is_installed_is_what_is_pinned(audit):
    pins, _ = audit.read_pins(["a==1", "b==2", "c==3", "d==4 ; python_version < '3'"])
    installed = {"a": "1", "b": "2.1", "e": "5", "ciclo": "0.1.0"}
    assert audit.differences(pins, installed) == [
        "b 2 is pinned, 2.1 is installed",
        "c 3 is pinned, nothing is installed",
    ]
    assert audit.unpinned(pins, installed) == ["e"]


def test_development_has_the_versions_of_production(audit):
    base, _ = audit.read_pins(["a==1", "b==2"])
    dev, _ = audit.read_pins(["a==1", "b==2.1", "c==3"])
    assert audit.missing_pins(base, dev) == ["b 2 differs in development"]


@pytest.mark.parametrize(
    ("fields", "licences"),
    [
        ({"License_Expression": "MPL-2.0 AND (Apache-2.0 OR MIT)"}, ["MPL-2.0", "Apache-2.0", "MIT"]),
        ({"License_Expression": "MIT", "License": "GPL"}, ["MIT"]),
        ({"Classifier": ["License :: OSI Approved :: MIT License", "Framework :: X"]}, ["MIT"]),
        ({"Classifier": "License :: OSI Approved :: GNU Affero", "License": "MIT"}, ["GNU Affero"]),
        ({"License": "MIT License"}, ["MIT"]),
        ({"License": "UNKNOWN"}, []),
        ({"License": "A very long text, by which nothing can be told. " * 3}, []),
        ({}, []),
    ],
)
def test_licences_are_read_from_the_metadata(audit, fields, licences):
    assert audit.licences_of(metadata(**fields)) == licences


def test_a_licence_off_the_list_or_none_is_a_problem_unless_the_package_has_a_reason(audit):
    licences = {"a": ["MIT"], "b": ["MIT", "AGPL-3.0"], "c": [], "psycopg": ["LGPL-3.0-only"]}
    assert audit.licence_problems(licences) == [
        "b: MIT, AGPL-3.0 is not on the list",
        "c: no licence stated is not on the list",
    ]


def test_a_direct_dependency_needs_a_registry_a_reason_and_a_use(audit):
    direct = [Requirement("httpx>=0.28"), Requirement("uv"), Requirement("holidays @ https://somewhere/x.whl")]
    assert audit.direct_problems(direct, "| httpx | the client |\n| uv | installs |\n", {"httpx"}) == [
        "holidays comes from https://somewhere/x.whl",
        "holidays has no reason in docs/dependencies.md",
        "holidays is imported nowhere",
    ]


def test_every_exception_is_still_needed(audit, found):
    direct = {requirement.name.lower() for requirement in audit.direct_dependencies()}
    assert audit.NOT_IMPORTED.keys() <= direct
    assert audit.ALLOWED_PACKAGES.keys() | audit.STATED_ELSEWHERE.keys() <= found.licences.keys()
