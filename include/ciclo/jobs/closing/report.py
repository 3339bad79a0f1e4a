"""The report of a month: what was expected, billed and received, by contract, and all that a person should know.

It says what the proof found and decides one thing only: whether the month is closed.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from ciclo.domain.findings import FindingKind, stops_closing
from ciclo.domain.money import total
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.wording import kind_words, said, verdict_words
from ciclo.jobs.closing.proof import MonthLine, MonthProof, Verdict
from ciclo.jobs.reports import ReportsPath, csv_lines, page, write_files
from ciclo.ledger.tables import Finding, PriceUpdateExecution
from ciclo.locale import _

UNSETTLED = ("parked", "in_doubt")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTotal:
    """What a contract came to in the month. BRL."""

    contract_id: int
    name: str
    periods: int
    expected: Decimal
    invoiced: Decimal
    cancelled: Decimal
    received: Decimal
    to_receive: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthReport:
    """An attempt to close a month."""

    organization_id: int
    proof: MonthProof
    findings: Sequence[Finding]
    """Open ones, of the month."""
    price_updates: Sequence[PriceUpdateExecution]
    contracts: Sequence[ContractTotal]
    made_at: datetime
    complete: bool = True
    """Whether every contract was looked at; a part of a month is never closed."""

    @property
    def month(self) -> date:
        """First day of the month."""
        return self.proof.month.start

    @property
    def closed(self) -> bool:
        """Whether nothing is missing and nothing stands against it."""
        return not self.missing and not self.obstacles

    @property
    def missing(self) -> list[MonthLine]:
        """Expected periods that are not at the vendor."""
        return self.proof.of(Verdict.MISSING)

    @property
    def obstacles(self) -> list[Finding]:
        """Findings that keep the month open."""
        return [each for each in self.findings if _stops(each)]

    @property
    def accepted(self) -> list[Finding]:
        """Findings that would keep the month open, had not a person taken them on."""
        return [each for each in self.findings if not _stops(each) and stops_closing(_kind(each), acknowledged=False)]

    @property
    def other_findings(self) -> list[Finding]:
        """Open findings that say nothing against the proof, such as late payments."""
        named = {each.id for each in (*self.obstacles, *self.accepted)}
        return [each for each in self.findings if each.id not in named]

    @property
    def given_up(self) -> list[MonthLine]:
        """Periods that a person gave up."""
        return self.proof.of(Verdict.GIVEN_UP)

    @property
    def stopped(self) -> list[MonthLine]:
        """Periods that are parked or in doubt."""
        return [line for line in self.missing if line.state in UNSETTLED]

    def verdict(self) -> str:
        """Say how it ended, in a line."""
        return verdict_words(self.outcome())

    def outcome(self) -> dict[str, Any]:
        """Return how it ended, and how many of each kind keep the month open."""
        if self.closed:
            return {"verdict": "closed" if self.complete else "in order", "what_keeps_it_open": {}}
        counts = Counter(each.kind for each in self.obstacles)
        if self.missing:
            counts["missing"] = len(self.missing)
        return {"verdict": "not closed", "what_keeps_it_open": dict(counts)}

    def lines(self) -> list[str]:
        """Say exactly what is missing, one line a thing."""
        is_missing = _("missing")
        missing = [f"{is_missing}: {line.named()}" for line in self.missing]
        return [*missing, *(f"{kind_words(each.kind).lower()}: {each.message}" for each in self.obstacles)]

    def facts(self) -> list[dict[str, Any]]:
        """Return what is missing as the ledger keeps it, one entry a thing."""
        return [*(line.fact for line in self.missing), *(_stated(each)["stated"] for each in self.obstacles)]

    def document(self) -> dict[str, Any]:
        """Return the report as JSON values, money as decimal strings, for the ledger."""
        return {
            "month": f"{self.month:%Y-%m}",
            **self.outcome(),
            "closed": self.closed,
            "made_at": self.made_at.isoformat(),
            "totals": self.totals(),
            "missing": [line.fact for line in self.missing],
            "obstacles": [_stated(each) for each in self.obstacles],
            "accepted": [_stated(each) | {"by": each.acknowledged_by, "note": each.note} for each in self.accepted],
            "given_up": [line.fact for line in self.given_up],
            "parked_and_in_doubt": [line.fact for line in self.stopped],
            "other_findings": [_stated(each) for each in self.other_findings],
            "price_updates": [update_line(each) for each in self.price_updates],
            "contracts": [
                {name: str(value) if isinstance(value, Decimal) else value for name, value in asdict(each).items()}
                for each in self.contracts
            ],
        }

    def totals(self) -> dict[str, Any]:
        """Return the month's figures."""
        billed = self.proof.of(Verdict.BILLED)
        counted = [*billed, *self.missing]
        return {
            "expected_periods": len(counted),
            "expected": str(total(line.expected for line in counted)),
            "billed_periods": len(billed),
            "invoiced": str(total(line.invoiced for line in billed if line.invoice_state != InvoiceState.CANCELLED)),
            "cancelled_at_the_vendor": sum(line.invoice_state == InvoiceState.CANCELLED for line in billed),
            "received": str(total(line.received for line in billed)),
            "to_receive": str(total(line.to_receive for line in billed)),
            "given_up": len(self.given_up),
            "invoices_of_no_period": len(self.proof.of(Verdict.WITHOUT_PERIOD)),
        }


def contract_totals(proof: MonthProof, names: Mapping[int, str]) -> list[ContractTotal]:
    """Add a month up by contract, in order of their names."""
    by_contract: dict[int, list[MonthLine]] = {}
    for line in proof.lines:
        if line.verdict is not Verdict.WITHOUT_PERIOD:
            by_contract.setdefault(line.contract_id, []).append(line)
    totals = [_contract_total(number, names.get(number, str(number)), by_contract[number]) for number in by_contract]
    return sorted(totals, key=lambda each: (each.name.casefold(), each.contract_id))


def _contract_total(contract_id: int, name: str, lines: Sequence[MonthLine]) -> ContractTotal:
    alive = [line for line in lines if line.invoice_state != InvoiceState.CANCELLED]
    cancelled = [line for line in lines if line.invoice_state == InvoiceState.CANCELLED]
    due = (Verdict.BILLED, Verdict.MISSING)
    return ContractTotal(
        contract_id=contract_id,
        name=name,
        periods=sum(line.verdict in due for line in lines),
        expected=total(line.expected for line in lines if line.verdict in due),
        invoiced=total(line.invoiced for line in alive),
        cancelled=total(line.invoiced for line in cancelled),
        received=total(line.received for line in lines),
        to_receive=total(line.to_receive for line in lines),
    )


def update_line(update: PriceUpdateExecution) -> dict[str, Any]:
    """Say what a price update did, or why it did not."""
    prices = (update.evidence or {}).get("prices", [])
    return {
        "contract_id": update.contract_id,
        "rule_id": update.rule_id,
        "execution_date": update.execution_date.isoformat(),
        "index": update.price_index,
        "state": update.state,
        "factor": f"{update.factor:f}" if update.factor is not None else None,
        "prices": "; ".join(f"{each.get('old')} → {each.get('new')}" for each in prices),
        "reason": update.reason.fact if update.reason is not None and not prices else None,
    }


def _stated(finding: Finding) -> dict[str, Any]:
    return {"stated": {"finding": finding.kind, "facts": finding.facts}}


def _kind(finding: Finding) -> FindingKind:
    return FindingKind(finding.kind)


def _stops(finding: Finding) -> bool:
    return stops_closing(_kind(finding), acknowledged=finding.acknowledged_at is not None)


# -- as files ----------------------------------------------------------------------------------------------------------


class ReportFiles(NamedTuple):
    """Where the files of a month's report are."""

    csv: ReportsPath
    html: ReportsPath


def write_report(report: MonthReport, folder: ReportsPath, names: dict[int, str]) -> ReportFiles:
    """Write the newest report of a month under `folder`, in place of the one before; `names` are the contracts'.

    Raises:
        OSError: the folder cannot be written to.
    """
    files = write_files(
        folder / str(report.organization_id),
        f"ciclo-{report.month:%Y-%m}",
        {".csv": month_csv(report, names), ".html": [month_page(report, names)]},
    )
    return ReportFiles(*files)


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
    "reason": lambda line: said(line.reason),
}


def month_csv(report: MonthReport, names: dict[int, str]) -> Iterator[str]:
    """Yield a heading, a row a period and a row an invoice without one."""
    name: dict[str, Callable[[MonthLine], object]] = {"contract": lambda line: names.get(line.contract_id, "")}
    return csv_lines(name | COLUMNS, report.proof.lines)


# -- HTML ------------------------------------------------------------------------------------------------------------


def month_page(report: MonthReport, names: dict[int, str]) -> str:
    """Return the report as one page."""
    return page(
        "ciclo.jobs.closing",
        "month_report.html",
        report=report,
        verdict=report.verdict(),
        price_updates=[(each, (each.evidence or {}).get("prices", ())) for each in report.price_updates],
        totals=report.totals(),
        names=names,
    )
