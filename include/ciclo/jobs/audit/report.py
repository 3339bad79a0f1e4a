"""The report of an audit, in the reader's language: lines for a console, JSON, a CSV, and a page that prints."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ciclo.domain.findings import AuditKind, Normality
from ciclo.domain.money import brl, total
from ciclo.domain.wording.audit import AUDIT_KINDS, AUDIT_METHODS
from ciclo.jobs.audit.findings import Audit, AuditFinding, AuditRange, NewPrice
from ciclo.jobs.reports import ReportsPath, csv_lines, page, write_files, write_whole
from ciclo.locale import _, ngettext

LARGEST = 10
"""Findings on the cover."""
NAME = "ciclo-audit"


def document(found: Audit, audited: AuditRange) -> dict[str, Any]:
    """Return the audit as JSON values, in the form that others build on."""
    return {
        "range": audited.document(),
        "findings": [each.document() for each in found.findings],
        "totals": found.totals(),
    }


def console_lines(found: Audit, audited: AuditRange, largest: int) -> list[str]:
    """Return a table of the totals, the largest findings, and how much was in order or could not be judged."""
    lines = [_("{first} to {last}, as of {as_of}").format(
        first=f"{audited.first:%d/%m/%Y}", last=f"{audited.last:%d/%m/%Y}", as_of=f"{audited.as_of:%d/%m/%Y}"
    ), ""]  # fmt: skip
    for kind, (count, amount) in _totals(found).items():
        lines.append(f"{count:>6}  {brl(amount):>18}  {_(AUDIT_KINDS[kind])}")
    if not found.findings:
        lines.append(_("Nothing is wrong."))
    if found.findings:
        lines += ["", _("The largest:")]
        lines += [f"  {brl(each.amount):>18}  {_place(each)}: {each.message}" for each in found.largest(largest)]
    normal, unjudged = len(found.normal), len(found.unjudged)
    lines += ["", ngettext("{count} edit of people's that is in order", "{count} edits of people's that are in order",
                           normal).format(count=normal)]  # fmt: skip
    lines += [ngettext("{count} thing could not be judged", "{count} things could not be judged", unjudged).format(
        count=unjudged
    )]  # fmt: skip
    return [*lines, *(f"  {_place(each)}: {each.message}" for each in found.unjudged[:largest])]


def write_report(found: Audit, audited: AuditRange, folder: ReportsPath, organization_id: int) -> list[ReportsPath]:
    """Write page, CSV and JSON under a folder, in place of those before; return where they are.

    Raises:
        OSError: the folder cannot be written to.
    """
    name = f"{NAME}-{organization_id}-{audited.first:%Y-%m}-{audited.as_of:%Y-%m}"
    whole = {
        **document(found, audited),
        "normal": [each.document() for each in found.normal],
        "not_judged": [each.document() for each in found.unjudged],
    }
    texts = {
        ".html": [audit_page(found, audited, organization_id)],
        ".csv": csv_lines(COLUMNS, found.findings),
        ".json": [json.dumps(whole, indent=2, ensure_ascii=False)],
    }
    return write_files(folder, name, texts)


# -- CSV ---------------------------------------------------------------------------------------------------------------

COLUMNS: dict[str, Callable[[AuditFinding], object]] = {
    "kind": lambda each: each.kind.value,
    "contract_id": lambda each: each.contract_id,
    "rule_id": lambda each: each.rule_id,
    "invoice_ids": lambda each: " ".join(map(str, each.invoice_ids)),
    "planned_date": lambda each: each.planned_date,
    "expected": lambda each: _amount(each.expected),
    "found": lambda each: _amount(each.found),
    "amount": lambda each: each.amount,
    "per_month": lambda each: each.per_month,
    "lost_so_far": lambda each: each.lost_so_far,
    "message": lambda each: each.message,
}

PRICE_COLUMNS: dict[str, Callable[[NewPrice], object]] = {
    "contract_id": lambda each: each.contract_id,
    "rule_id": lambda each: each.rule_id,
    "service_id": lambda each: each.service_id or None,
    "service": lambda each: each.service,
    "unit_value": lambda each: each.unit_value,
    "new_unit_value": lambda each: each.new_unit_value,
    "since": lambda each: each.since,
}


def write_prices(found: Audit, path: ReportsPath) -> None:
    """Write the unit values as they would be, had every readjustment been made: a person applies them, or not.

    Raises:
        OSError: the file cannot be written.
    """
    write_whole(path, csv_lines(PRICE_COLUMNS, found.prices))


def _amount(text: str | None) -> object:
    """Return an amount as one, and any other text as it is."""
    is_money = text is not None and text.replace(".", "", 1).lstrip("-").isdecimal()
    return Decimal(text) if is_money and text is not None else text


# -- HTML --------------------------------------------------------------------------------------------------------------


def audit_page(found: Audit, audited: AuditRange, organization_id: int) -> str:
    """Return the report as one page."""
    edits = Counter(each.kind for each in found.normal)
    by_kind = {kind: [each for each in found.findings if each.kind is kind] for kind in AuditKind}
    return page(
        "ciclo.jobs.audit",
        "audit.html",
        audited=audited,
        organization_id=organization_id,
        totals=_totals(found),
        names={kind: _(text) for kind, text in AUDIT_KINDS.items()},
        methods={kind: _(text) for kind, text in AUDIT_METHODS.items()},
        largest=found.largest(LARGEST),
        by_kind={kind: each for kind, each in by_kind.items() if each},
        edits={kind: edits[kind] for kind in Normality if edits[kind]},
        unjudged=found.unjudged,
    )


def _totals(found: Audit) -> dict[AuditKind, tuple[int, Decimal]]:
    counts = Counter(each.kind for each in found.findings)
    return {
        kind: (counts[kind], total(each.amount for each in found.findings if each.kind is kind))
        for kind in AuditKind
        if counts[kind]
    }


def _place(each: Any) -> str:
    contract = _("contract {contract_id}").format(contract_id=each.contract_id) if each.contract_id else _("account")
    rule = _(", rule {rule_id}").format(rule_id=each.rule_id) if each.rule_id else ""
    return f"{contract}{rule}"
