"""What the command line prints, as lines of text; numbers and dates are ISO and plain, so that they can be pasted."""

from typing import Any

from ciclo.domain.pricing import WHOLE_RULE
from ciclo.jobs.preview import RulePreview, UpdatePreview
from ciclo.locale import _, ngettext


def preview_lines(preview: RulePreview) -> list[str]:
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
    total = sum(period.gross_value for period in preview.periods)
    count = len(preview.periods)
    lines.append(ngettext("{count} period", "{count} periods", count).format(count=count) + f", BRL {total:.2f}")
    return lines + [line for update in preview.updates for line in _update_lines(update)]


def _update_lines(update: UpdatePreview) -> list[str]:
    execution = update.execution
    head = f"{_('price update')} {execution.execution_date} {execution.update.index.label}"
    factor = f", {_('factor')} {update.factor:f}" if update.factor is not None else ""
    changes = [
        f"  {_('service') + f' {change.service}' if change.service != WHOLE_RULE else _('gross value')}: "
        f"{change.old_unit_value:.2f} -> {change.new_unit_value:.2f}"
        for change in update.changes
    ]
    return [head + factor, *changes, *([f"  {_('note')}: {update.note}"] if update.note else [])]


def index_lines(report: dict[str, Any]) -> list[str]:
    """Return the months of an index and what they compound to."""
    months = [f"{month['month']}  {month['value']:>8} %" for month in report["months"]]
    return [*months, f"{_('factor'):<10} {report['factor']}", f"{_('percent'):<10} {report['percent']}"]
