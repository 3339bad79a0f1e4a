"""The house stays as it is meant to be: nothing unused, nothing exported twice, docstrings that say something."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("include", "dags", "plugins", "demo", "bench", "scripts")
MODULES = [
    path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")) if "versions" not in path.parts
]
DAGS = sorted((ROOT / "dags").glob("*.py"))
PLACEHOLDER = re.compile(r"^(todo|tbd|fixme|xxx|see (the )?(class|code|above|below|name))\b", re.IGNORECASE)
FORMULA = re.compile(r"(?:^|[.:]\s+)The (?:one )?rule(?: here)?:", re.MULTILINE)


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path):
    return str(path.relative_to(ROOT))


def docstrings(path):
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree(path)):
        if isinstance(node, documented) and (text := ast.get_docstring(node)) is not None:
            yield getattr(node, "name", path.stem), text


def test_nothing_of_the_product_is_unused_or_used_by_tests_alone():
    script = ROOT / "scripts" / "unused.py"
    found = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("", "")


def test_no_docstring_is_a_placeholder():
    empty = [
        f"{name_of(path)}: {name}: {text!r}"
        for path in MODULES
        for name, text in docstrings(path)
        if PLACEHOLDER.search(text) or says_nothing(text)
    ]
    assert empty == []


def says_nothing(text):
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", text)} - {"the", "a", "an", "return", "returns"}
    return len(words) < 2 and "`" not in text  # an example, as in `12.345`, is worth a word


def test_every_module_says_what_lives_there_without_a_formula():
    opening = {name_of(path): ast.get_docstring(tree(path)) for path in MODULES}
    assert [name for name, text in opening.items() if text is None] == []
    assert [name for name, text in opening.items() if FORMULA.search(text)] == []


def test_nothing_refers_to_a_document_that_is_not_part_of_the_project():
    elsewhere = re.compile(r"\b(DESIGN|STYLE)\b(\.md|,? \d|,? section)|\(REFERENCE, |\bseeds? 0\d\d\b")
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert [name_of(path) for path in [*MODULES, *pages] if elsewhere.search(path.read_text(encoding="utf-8"))] == []


def test_only_packages_export_what_others_define():
    """A module that lists in `__all__`, or imports under its own name again, what it does not define."""
    again = [
        f"{name_of(path)}: {name}"
        for path in MODULES
        if path.name != "__init__.py"
        for name in sorted(exported(tree(path)))
    ]
    assert again == []


def exported(module):
    defined = {
        node.name for node in module.body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    listed, renamed = set(), set()
    for node in module.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        defined |= names
        if "__all__" in names:
            listed |= {element.value for element in node.value.elts}
        if isinstance(node, ast.ImportFrom | ast.Import):
            renamed |= {alias.name for alias in node.names if alias.asname == alias.name}
    return renamed | (listed - defined)


def test_what_an_error_or_a_text_says_is_in_the_catalogues_with_its_values_apart():
    errors = {"DomainError", "NotPossible", "Text", "N_", "_", "wrong"}
    scopes = [node for path in MODULES for node in ast.walk(tree(path)) if isinstance(node, ast.Module | ast.ClassDef)]
    classes = [scope for scope in scopes if isinstance(scope, ast.ClassDef)]
    while (
        more := {each.name for each in classes if errors & {getattr(base, "id", None) for base in each.bases}} - errors
    ):
        errors |= more
    calls = [(scope, node) for scope in scopes for node in ast.walk(scope) if isinstance(node, ast.Call) and node.args]
    said = [call.args[0] for scope, call in calls if called(call, within=getattr(scope, "name", "")) in errors]
    assert [ast.unparse(text) for text in said if isinstance(text, ast.JoinedStr) and " " in ast.unparse(text)] == []


def called(call, within):
    """Return what is called; of an `__init__` within a class that class."""
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
    return within if name == "__init__" else name


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_a_dag_file_is_thin(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80
