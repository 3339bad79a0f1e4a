"""The report of a month as files: a CSV that a Brazilian spreadsheet opens, and a page that prints.

The one rule: text from outside stays text. The page escapes it, the CSV never lets it become a formula. A file is
there whole or not at all.
"""

import csv
import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, select_autoescape

from ciclo.domain.money import brl
from ciclo.jobs.closing.proof import MonthLine
from ciclo.jobs.closing.report import MonthReport

CALCULATED = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""


class ReportFiles(NamedTuple):
    """Where the files of a month's report are."""

    csv: Path
    html: Path


def write_report(report: MonthReport, folder: Path, names: dict[int, str]) -> ReportFiles:
    """Write the newest report of a month under `folder`, in place of the one before; `names` are the contracts'.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder = folder / str(report.organization_id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"ciclo-{report.month:%Y-%m}"
    files = ReportFiles(folder / f"{name}.csv", folder / f"{name}.html")
    _replace(files.csv, csv_text(report, names))
    _replace(files.html, html_text(report, names))
    return files


def _replace(path: Path, text: str) -> None:
    """Write a file of its owner's alone; whoever reads it meanwhile reads the old one."""
    partial = path.with_suffix(f"{path.suffix}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)


# -- CSV -------------------------------------------------------------------------------------------------------------

COLUMNS: dict[str, Callable[[MonthLine], object]] = {
    "contract_id": lambda line: line.contract_id,
    "rule_id": lambda line: line.rule_id,
    "issue_date": lambda line: line.issue_date,
    "verdict": lambda line: line.verdict.value,
    "period_state": lambda line: line.state,
    "expected": lambda line: line.expected,
    "invoice_id": lambda line: line.invoice_id,
    "invoice_state": lambda line: line.invoice_state,
    "invoiced": lambda line: line.invoiced if line.invoice_id is not None else None,
    "received": lambda line: line.received if line.invoice_id is not None else None,
    "to_receive": lambda line: line.to_receive if line.invoice_id is not None else None,
    "reason": lambda line: line.reason,
}


def csv_text(report: MonthReport, names: dict[int, str]) -> str:
    """Return a row a period and a row an invoice without one; semicolons, decimal commas, UTF-8 with a mark."""
    buffer = StringIO()
    buffer.write("\N{ZERO WIDTH NO-BREAK SPACE}")
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    writer.writerow(["contract", *COLUMNS])
    for line in report.proof.lines:
        name = names.get(line.contract_id, "")
        writer.writerow([cell(name), *(cell(value(line)) for value in COLUMNS.values())])
    return buffer.getvalue()


def cell(value: object) -> str:
    """Write one value; a text that a spreadsheet would calculate gets an apostrophe."""
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:f}".replace(".", ",")
        case date():
            return f"{value:%d/%m/%Y}"
        case int():
            return str(value)
        case _:
            text = str(value)
            return f"'{text}" if text.startswith(CALCULATED) else text


# -- HTML ------------------------------------------------------------------------------------------------------------


def html_text(report: MonthReport, names: dict[int, str]) -> str:
    """Return the report as one page without anything from the network."""
    environment = Environment(loader=PackageLoader("ciclo.jobs.closing"), autoescape=select_autoescape(default=True))
    environment.filters["brl"] = lambda value: brl(Decimal(value))
    context: dict[str, Any] = {
        "report": report,
        "document": report.document(),
        "totals": report.totals(),
        "names": names,
    }
    return environment.get_template("month_report.html").render(context)
