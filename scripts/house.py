# ruff: noqa: INP001 - a script, not a module of a package
"""Count what the house is made of: `python scripts/house.py [--list] [FOLDER]`, by default `include/ciclo`.

By package: files, lines, the median file. In all: functions with a leading underscore that are named once, how many of
those are four lines or fewer without their docstring, and how many of these stand in no table and have no decorator;
modules that one other imports. Migrations are left out: they stay as they are.
"""

import argparse
import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SHORT = 4
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Private(NamedTuple):
    """A function of a module's own."""

    place: str
    lines: int
    uses: int
    is_called: bool
    """Whether its use is a call that could hold its body: it stands in no table and has no decorator."""


def privates(path: Path) -> Iterator[Private]:
    """Yield a module's functions with a leading underscore."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    uses = Counter(node.id if isinstance(node, ast.Name) else node.attr for node in nodes
                   if isinstance(node, ast.Name | ast.Attribute))  # fmt: skip
    called = {node.func.id if isinstance(node.func, ast.Name) else node.func.attr for node in nodes
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)}  # fmt: skip
    for node in nodes:
        if isinstance(node, Function) and node.name.startswith("_") and not node.name.startswith("__"):
            body = node.body[1:] if ast.get_docstring(node) is not None and len(node.body) > 1 else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1
            is_called = node.name in called and not node.decorator_list
            yield Private(f"{path}:{node.lineno} {node.name}", lines, uses[node.name], is_called)


def imported_once(folder: Path, files: Iterable[Path]) -> Iterator[str]:
    """Yield the modules that one other module imports, with their importer."""
    names = {".".join([folder.name, *path.relative_to(folder).with_suffix("").parts]): path for path in files}
    importers: dict[str, set[Path]] = defaultdict(set)
    for path in names.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for each in node.names:
                    whole = f"{node.module}.{each.name}"
                    importers[whole if whole in names else node.module].add(path)
            elif isinstance(node, ast.Import):
                for each in node.names:
                    importers[each.name].add(path)
    for name, path in names.items():
        by = importers[name] - {path}
        if len(by) == 1 and path.name != "__init__.py":
            yield f"{path} <- {by.pop()}"


def main() -> None:
    """Print the figures; with --list, the single functions and modules behind them."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("folder", nargs="?", type=Path, default=ROOT / "include" / "ciclo")
    asked.add_argument("--list", action="store_true", help="show the single functions and modules")
    given = asked.parse_args()
    files = [path for path in sorted(given.folder.rglob("*.py")) if "versions" not in path.parts]
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    packages: dict[str, list[int]] = defaultdict(list)
    for path in files:
        packages[next(iter(path.relative_to(given.folder).parts[:-1]), ".")].append(lines[path])
    out = [f"{'package':<14}{'files':>6}{'lines':>8}{'median':>8}"]
    for name, some in [*sorted(packages.items()), ("in all", list(lines.values()))]:
        out.append(f"{name:<14}{len(some):>6}{sum(some):>8}{median(some):>8.0f}")
    found = [each for path in files for each in privates(path)]
    once = [each for each in found if each.uses == 1]
    short = [each for each in once if each.lines <= SHORT]
    called = [each for each in short if each.is_called]
    single = list(imported_once(given.folder, files))
    out += [
        f"private functions: {len(found)}, named once {len(once)}",
        f"of those {SHORT} lines or fewer: {len(short)} ({len(short) / len(found):.1%} of all)",
        f"of these called, not handed over: {len(called)} ({len(called) / len(found):.1%} of all)",
        f"modules that one other imports: {len(single)}",
    ]
    if given.list:
        out += [*(f"{each.lines} {each.place}" for each in sorted(called, key=lambda each: each.lines)), *single]
    sys.stdout.writelines(f"{line}\n" for line in out)


if __name__ == "__main__":
    main()
