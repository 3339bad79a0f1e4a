"""What commands read and print: the files they are given, tables of a preview, how far a long one is.

Numbers and dates are ISO and plain, so that they can be pasted.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ciclo.domain.calendar import YEARS
from ciclo.domain.money import at_least_cents
from ciclo.domain.pricing import WHOLE_RULE
from ciclo.locale import N_, _, ngettext

if TYPE_CHECKING:
    from ciclo.jobs.audit.read import Progress
    from ciclo.jobs.preview import RulePreview, UpdatePreview


class InputError(Exception):
    """A file or argument cannot be used."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, decimals as strings.

    Raises:
        InputError: there is no such file, or it is no JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"), parse_float=str)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(_("{path} is not JSON: {error}").format(path=path, error=error)) from None
    if not isinstance(document, dict):
        raise InputError(_("{path} is not a JSON object").format(path=path))
    return document


def meant(day: date, option: str) -> date:
    """Return a day that somebody can mean: whatever is counted from it stays within the calendar.

    Raises:
        BadParameter: naming the option.
    """
    if day.year not in YEARS:
        raise typer.BadParameter(_("{day}: years are 1900 to 9000").format(day=day), param_hint=option)
    return day


def preview_lines(preview: "RulePreview") -> list[str]:
    """Return a table of a rule's periods, then the price updates in the window."""
    rows = [(_("issue date"), _("accrual"), _("gross value"), _("due"))]
    rows += [
        (
            period.issue_date.isoformat(),
            f"{period.accrual_month:%Y-%m}",
            f"{period.gross_value:.2f}",
            ", ".join(f"{part.due_date} {part.gross_value:.2f}" for part in period.receivables),
        )
        for period in preview.periods
    ]
    lines = [f"{row[0]:<12}{row[1]:<12}{row[2]:>12}  {row[3]}" for row in rows]
    total = sum(period.gross_value or 0 for period in preview.periods)
    count = len(preview.periods)
    lines.append(ngettext("{count} period", "{count} periods", count).format(count=count) + f", BRL {total:.2f}")
    return lines + [line for update in preview.updates for line in _update_lines(update)]


def _update_lines(update: "UpdatePreview") -> list[str]:
    execution, factor = update.execution, ""
    head = _("price update {day} {index}").format(day=execution.execution_date, index=execution.update.index.label)
    if update.factor is not None:
        factor = _(", factor {factor}").format(factor=f"{update.factor:f}")
    one, whole, note = _("service {number}"), _("gross value"), _("note: {note}")
    changes = [
        f"  {one.format(number=change.service) if change.service != WHOLE_RULE else whole}: "
        f"{at_least_cents(change.old_unit_value):f} -> {at_least_cents(change.new_unit_value):f}"
        for change in update.changes
    ]
    return [head + factor, *changes, *([f"  {note.format(note=update.note)}"] if update.note else [])]


def index_lines(report: dict[str, Any]) -> list[str]:
    """Return the months of an index and what they compound to."""
    months = [f"{month['month']}  {month['value']:>8} %" for month in report["months"]]
    factor, percent = _("factor"), _("per cent")
    return [*months, f"{factor:<10} {report['factor']}", f"{percent:<10} {report['percent']}"]


REQUESTS = N_("{what}: {made} requests made, {left} left, about {minutes} min")
DAYS = N_("{what}: {made} days played, {left} left, about {minutes} min")
BAR = 30
"""Characters of the progress bar."""


def progress_bar(wording: str = REQUESTS) -> "Callable[[Progress], None]":
    """Return what shows on a terminal how far a command is; nothing where nobody looks."""
    started = time.monotonic()

    def show(progress: "Progress") -> None:
        total = progress.made + progress.left
        filled = BAR * progress.made // max(total, 1)
        minutes = progress.left * (time.monotonic() - started) / max(progress.made, 1) / 60
        text = _(wording).format(what=progress.what, made=progress.made, left=progress.left, minutes=round(minutes))
        sys.stderr.write(f"\r[{'#' * filled}{'.' * (BAR - filled)}] {text:<70}" + ("" if progress.left else "\n"))
        sys.stderr.flush()

    return show if sys.stderr.isatty() else lambda _progress: None
