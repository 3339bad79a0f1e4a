# ruff: noqa: INP001 - a script, not a module of a package
"""The catalogues of texts: `make messages` extracts what the code says, brings each `.po` up to date and compiles it.

A text that is new stands in the `.po` with an empty `msgstr`, to be filled in; one that is gone is dropped. Nothing is
guessed from similar texts. What is extracted: arguments of `_`, `N_`, `ngettext`, `pgettext` in Python and templates,
`{% trans %}`, and what the `--help` of commands shows. Entries are sorted and name no places, so that two people who
add texts seldom meet in one line.
"""

import io
import sys
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from ciclo.cli.main import texts_of_help
from ciclo.domain.contract_terms import TermKind
from ciclo.domain.findings import FindingKind
from ciclo.domain.instructions import InstructionState
from ciclo.domain.receivables import BillingEvent, InvoiceState, ReceivableState
from ciclo.domain.states import ExecutionState, PeriodState, ReasonKind
from ciclo.domain.wording import heading

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from setup import CATALOGUES, compile_catalogues  # noqa: E402 - it is on the path only now

PACKAGE = ROOT / "include" / "ciclo"
KEYWORDS: dict[str, Any] = {"_": None, "N_": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
TEMPLATES: dict[str, Any] = {"trimmed": "true", "silent": "false"}
ELSEWHERE = (
    "period",
    "rule",
    "contract",
    "invoice",
    "receivable",
    "price update",
    "finding",
    "letter",
    "instruction",
    "published",
    "previous month",
    "deleted",
    "open",
    "acknowledged",
    "closed",
    "active",
    "inactive",
    "not closed",
    "no invoice",
    "an invoice",
    "not there",
    "missing",
    "used",
    "withdrawn",
    "published",
    "ledger",
    "source",
    "target",
    "each",
    "current only",
    "dry run",
)
"""Words for what a row is about, for states that no enum has and for what a finding's two sides say."""
KEYS = (
    # a month's report
    *("month", "verdict", "closed", "made_at", "totals", "missing", "obstacles", "accepted", "given_up", "by", "note"),
    *("parked_and_in_doubt", "other_findings", "price_updates", "contracts", "files", "what_keeps_it_open", "because"),
    *("expected_periods", "expected", "billed_periods", "invoiced", "cancelled_at_the_vendor", "received", "stated"),
    *("to_receive", "invoices_of_no_period", "amount", "name", "periods", "cancelled", "index", "factor", "prices"),
    *("contract_id", "rule_id", "issue_date", "execution_date", "state", "reason"),
    # what of an invoice or receivable is seen to change
    *("planned_date", "gross_value", "description", "reference", "gone_at", "invoice_id", "due_date", "percentage"),
    *("received_value", "received_at", "finance_errors", "customer_id"),
    # what a person changes of how it is billed
    *("waits_for_quantities", "notice_days", "lead_days", "part_months"),
)
"""Keys of the ledger's documents that the console shows as headings."""
OF_THE_LIBRARY = (
    "Usage:",
    "Options",
    "Arguments",
    "Commands",
    "Error",
    "Aborted.",
    "Missing command.",
    "No such command {name!r}.",
    "default: {default}",
    "env var: {var}",
    "required",
    "[default: {}]",
    "[env var: {}]",
    "[required]",
)
"""What the command line's library says itself, and we translate with our own texts."""


def main() -> None:
    """Extract, update, compile; say what has no translation yet."""
    if sys.argv[1:] != ["compile"]:
        for path in sorted(CATALOGUES.glob("*/LC_MESSAGES/*.po")):
            write_catalogue(path, updated(path))
            missing = [message.id for message in read_catalogue(path) if message.id and not translated(message)]
            sys.stdout.writelines(f"{path.relative_to(ROOT)}: to be translated: {each!r}\n" for each in missing)
    compile_catalogues()


def updated(path: Path) -> Catalog:
    """Return a catalogue with exactly the texts of the code, and the translations that it has."""
    catalogue = read_catalogue(path)
    catalogue.update(extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    return catalogue


def extracted() -> Catalog:
    """Return every text of the package."""
    found = Catalog()
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix == ".py":
            _collect(found, path, "python", {})
        elif path.suffix == ".html":
            _collect(found, path, "jinja2", TEMPLATES)
    for path in sorted((ROOT / "dags").glob("*.py")):
        _collect(found, path, "python", {})
    for kind in (*ReasonKind, *FindingKind):
        found.add(heading(kind))
    for key in KEYS:
        found.add(key.replace("_", " ").capitalize())
    states = (*PeriodState, *ExecutionState, *InvoiceState, *ReceivableState, *BillingEvent, *FindingKind)
    for state in (*states, *InstructionState, *TermKind, *ELSEWHERE):
        found.add(state.replace("_", " "))
    for text in (*OF_THE_LIBRARY, *(text for holder, name in texts_of_help() if (text := getattr(holder, name)))):
        found.add(text)
    return found


def _collect(found: Catalog, path: Path, method: Any, options: dict[str, Any]) -> None:
    for _line, message, _comments, context in extract_from_file(method, path, KEYWORDS, (), options):
        found.add(message, context=context)


def translated(message: Any) -> bool:
    """Whether a message has all its forms in the other language."""
    forms = message.string if isinstance(message.string, list | tuple) else (message.string,)
    return all(forms) and not message.fuzzy


def read_catalogue(path: Path) -> Catalog:
    """Read a `.po`."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3])


def write_catalogue(path: Path, catalogue: Catalog) -> None:
    """Write a `.po`, if anything in it has changed."""
    text = io.BytesIO()
    write_po(text, catalogue, width=120, sort_output=True, no_location=True, omit_header=False)
    lines = [line for line in text.getvalue().splitlines(keepends=True) if not _says_nothing(line)]
    if (new := b"".join(lines)) != path.read_bytes():
        path.write_bytes(new)


def _says_nothing(line: bytes) -> bool:
    return line.startswith((b'"POT-', b'"PO-', b'"Generated-By', b'"Report-Msgid', b'"Last-Tr', b'"Language-Team'))


if __name__ == "__main__":
    main()
