"""Reports as files: a CSV that a Brazilian spreadsheet opens, a page that prints; on a disk or in an object store.

The page escapes text from outside and needs nothing from the network, the CSV never lets a text become a formula, and a
file is there whole or not at all.
"""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from jinja2 import Environment, PackageLoader, select_autoescape

from ciclo.domain.money import brl, number
from ciclo.domain.price_index import index_label
from ciclo.domain.texts import cell
from ciclo.domain.wording import plain_words, state_words
from ciclo.locale import _, language, ngettext

Row = TypeVar("Row")


class ReportsPath(Protocol):
    """A folder or a file on a disk or in an object store, as `pathlib.Path` and Airflow's `ObjectStoragePath` are."""

    def __truediv__(self, name: str, /) -> Self:
        """Return what is called so in this folder."""
        ...

    def mkdir(self, mode: int = ..., parents: bool = ..., exist_ok: bool = ...) -> None:  # noqa: FBT001 - pathlib's
        """Make the folder; in an object store there is nothing to make."""
        ...

    def write_bytes(self, data: bytes, /) -> int:
        """Write the file."""
        ...


def write_files(folder: ReportsPath, name: str, texts: Mapping[str, Iterable[str]]) -> list[ReportsPath]:
    """Write a text a suffix under a folder, each in parts, in place of those before; return where they are.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = [folder / f"{name}{suffix}" for suffix in texts]
    for file, parts in zip(files, texts.values(), strict=True):
        write_whole(file, parts)
    return files


def write_whole(path: ReportsPath, parts: Iterable[str]) -> None:
    """Write a file of its owner's alone from the parts of its text; whoever reads it meanwhile reads the old one."""
    if not isinstance(path, Path):  # an object store sees to that itself
        path.write_bytes("".join(parts).encode())
        return
    partial = path.with_suffix(f"{path.suffix}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.writelines(parts)
    partial.replace(path)


def csv_lines(columns: Mapping[str, Callable[[Row], object]], rows: Iterable[Row]) -> Iterator[str]:
    """Yield a heading and a line a row; semicolons, decimal commas, UTF-8 with a mark."""
    writer = csv.writer(_Echo(), delimiter=";", lineterminator="\r\n")
    yield "\N{ZERO WIDTH NO-BREAK SPACE}"
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([cell(value(row)) for value in columns.values()])


class _Echo:
    """A file that a `csv.writer` writes a line to, which then comes back to whoever wrote the row."""

    def write(self, line: str) -> str:
        return line


def page(package: str, template: str, **context: Any) -> str:
    """Return a template of a package as one page, in the reader's language."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(default=True),
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
    )
    environment.install_gettext_callables(_, ngettext, newstyle=True)  # type: ignore[attr-defined]  # of the extension
    environment.filters |= {
        "brl": lambda value: brl(Decimal(value)),
        "index_label": index_label,
        "number": lambda value: number(Decimal(value)),
        "plain_words": plain_words,
        "state_words": state_words,
    }
    return environment.get_template(template).render(language=language().replace("_", "-"), **context)
