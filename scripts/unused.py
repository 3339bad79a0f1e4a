# ruff: noqa: INP001 - a script, not a module of a package
"""Find code that nothing of the product uses: `python scripts/unused.py`; `make lint` runs it, and so does a test.

Vulture reads the product without its tests, so that what tests alone use is found, too. Fields of models, columns and
members of enums are left out: they are named by the vendor, the ledger's rows or a scenario. `[tool.vulture]` in
pyproject.toml says what frameworks call by its name.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from vulture import Vulture
from vulture.config import make_config
from vulture.core import Item

ROOT = Path(__file__).resolve().parents[1]
FIELDS = {"variable", "attribute"}
CERTAIN = 90
"""Confidence from which a variable counts: an argument that is not read, an import."""

OFFERED = {
    "include/ciclo/billimatic/endpoints/": "every endpoint, for people's own Dags (docs/hook.md)",
    "include/ciclo/tasks/adjustments.py": "the door for people's own Dags (docs/adjustments.md)",
    "include/ciclo_sandbox/testing.py": "the sandbox's control plane, for people's own tests",
}
"""Files, or folders of them, whose public methods and functions are there for others to call, and why."""


def unused() -> Iterator[str]:
    """Yield `file:line: what` for all that is not used."""
    config = make_config([], (ROOT / "pyproject.toml").open("rb"))
    finder = Vulture(ignore_names=config["ignore_names"], ignore_decorators=config["ignore_decorators"])
    paths, left_out = ([str(ROOT / path) for path in config[key]] for key in ("paths", "exclude"))
    finder.scavenge(paths, exclude=left_out)
    shown = _words_of_templates()
    for item in finder.get_unused_code(min_confidence=60):
        file = str(Path(item.filename).relative_to(ROOT))
        is_public = item.typ in ("method", "function") and not item.name.startswith("_")
        offered = is_public and file.startswith(tuple(OFFERED))
        is_field = item.typ in FIELDS and item.confidence < CERTAIN and not _is_constant(item)
        if not (offered or is_field or item.name in shown):
            yield f"{file}:{item.first_lineno}: {item.typ} {item.name} is not used, or by tests alone"


def _is_constant(item: Item) -> bool:
    """Whether it is a constant of a module: a member of an enum stands in a class, indented."""
    line = Path(item.filename).read_text(encoding="utf-8").splitlines()[item.first_lineno - 1]
    return bool(item.name.isupper()) and not line.startswith(" ")


def _words_of_templates() -> set[str]:
    templates = (ROOT / "include").rglob("*.html")
    return {word for path in templates for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    found = list(unused())
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.exit(1 if found else 0)
