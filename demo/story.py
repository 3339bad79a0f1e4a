"""The acts of the demonstration in their order: bill, say what differs, settle, bill again, collect, close, prove.

An act starts what a person would start, waits until it is done, and prints what came of it. People act at the vendor
through its API and screens, in Ciclo through the console's actions; time passes by the vendor's clock.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import Final

import httpx

from ciclo.domain.findings import FindingKind
from ciclo.domain.receivables import AgeingBucket
from ciclo.domain.states import PeriodState, ReasonKind
from ciclo.ledger.queries.attention import FindingRow
from ciclo.ledger.queries.months import Share
from demo.adjusting import (
    agree,
    bill_cancelled_again,
    cancel_what_is_wrong,
    measured_and_paused,
    write_metering,
)
from demo.company import ORGANIZATION_ID, TODAY, YEAR_END, YEAR_START, company
from demo.ledger_view import LedgerView, Readjustment, Stopped
from demo.people import OPERATOR, Settled, let_time_pass, settle
from demo.processes import Processes
from demo.proof import Difference, Edited, ExpectedPeriod, MadeBy, Proof, Told, expected_periods, prove, removed_periods
from demo.runs import APPROVE, run_dag
from demo.screen import Screen, count, duration, money
from demo.site import Site, StepFailed, fresh_site
from demo.stack import Stack, start

INTERRUPTED: Final = 130
MONTHS: Final = 12
WHOLE_YEAR: Final = {"from_date": YEAR_START.isoformat(), "to_date": YEAR_END.isoformat()}
"""The params of every run."""
FEW: Final = 3
"""Findings of a kind that are told one by one."""
EDITS: Final = {
    FindingKind.VALUE_EDITED: Edited.VALUE,
    FindingKind.DATE_MOVED: Edited.DATE,
    FindingKind.SPLIT: Edited.SPLIT,
}
"""The findings that tell of what people did to the vendor's invoices, in the proof's words."""


@dataclass(frozen=True, slots=True)
class Story:
    """A demonstration that is under way: the running stack, the ledger to look into, the screen to write on."""

    stack: Stack
    ledger: LedgerView
    screen: Screen
    shown: set[Difference] = field(default_factory=set)
    """What Ciclo said of invoices that people had changed."""
    removed: set[ExpectedPeriod] = field(default_factory=set)
    """The periods of which Ciclo said that somebody had removed the vendor's invoice."""
    settled: list[Settled] = field(default_factory=list)

    def progress(self) -> str:
        """Say how far the year's billing is."""
        counts = self.ledger.counts()
        invoiced = f"{counts.issued:,} of {count(counts.periods, 'period')} invoiced"
        return f"{invoiced:<28} {money(counts.amount)}"

    def bill_range(self, run_id: str, reading: Callable[[], None] | None = None) -> set[int]:
        """Run `bill_range` over the year; return the ids of the invoices that the vendor got from it."""
        before = self.stack.vendor.invoice_ids()
        run_dag(
            self.stack, "bill_range", run_id, WHOLE_YEAR, self.screen, self.progress, answer=APPROVE, reading=reading
        )
        return self.stack.vendor.invoice_ids() - before

    def settle(self) -> None:
        """Let a person settle what Ciclo shows; remember what it was, and print what he did."""
        stopped, findings = self.ledger.stopped(), self.ledger.findings()
        self.shown.update(
            Difference(finding.subject_id, EDITS[FindingKind(finding.kind)])
            for finding in findings
            if finding.kind in EDITS
        )
        self.removed.update(
            ExpectedPeriod(period.contract_id, period.rule_id, period.issue_date)
            for period in stopped
            if period.kind is ReasonKind.REMOVED_AT_VENDOR
        )
        done = settle(self.stack.site.ledger_url, self.stack.vendor_url, stopped, findings)
        self.settled.extend(done)
        for each in done:
            self.screen.event(f"{OPERATOR}: {each.matter} ({each.count}): {each.action}: {each.note!r}")


# -- the acts ----------------------------------------------------------------------------------------------------------


def bill_the_year(story: Story) -> None:
    """Bill the year for the first time, let a person approve the plan, and tell what became of each part of it."""
    screen, ledger, held = story.screen, story.ledger, story.stack.account.state
    due = len(expected_periods(held, YEAR_START, YEAR_END))
    screen.step(f"2. Bill {YEAR_START} to {YEAR_END} with the Dag bill_range: {count(due, 'period')} are due")
    screen.note(
        "The first plan of an organization is approved by a person: until then nothing is sent, no price changed."
    )

    def measure_and_pause() -> None:
        screen.event(f"{OPERATOR} reads the plan: {measured_and_paused(story.stack.site.ledger_url)}")

    created = story.bill_range("demo__first", measure_and_pause)
    counts, stopped, findings = ledger.counts(), ledger.stopped(), ledger.findings()
    there = counts.issued - len(created)
    screen.fact("Rules", len(held["invoice_rules"]))
    screen.fact("Periods", f"{counts.periods:,}")
    screen.fact("Invoices", f"{counts.issued:,} ({there:,} were there and are taken over, {len(created):,} created)")
    screen.fact("Amount", money(counts.amount))
    screen.fact("Held back", f"{count(_held_back(ledger), 'period')}, until price updates that are owed are applied")
    screen.fact("Stopped", f"{count(len(stopped), 'period')}, nothing is lost:" if stopped else "none")
    show_stopped(stopped, screen)
    screen.fact("Findings", f"{len(findings)}, what people did at the vendor:" if findings else "none")
    show_findings(findings, screen)


def say_what_differs(story: Story) -> int:
    """Bring in what was measured and agreed, cancel what was billed wrongly; return how many are made anew."""
    screen, ledger, site = story.screen, story.ledger, story.stack.site
    screen.step("3. What differs in the year: quantities by a file, agreements and part months by a person")
    for line in agree(ledger, site.ledger_url):
        screen.event(f"{OPERATOR}: {line}")
    rows = write_metering(site.metering_file)
    screen.event(f"The metering exports {rows} quantities; the Dag import_adjustments checks the file and adds them")
    run_dag(story.stack, "import_adjustments", "demo__metering", {"path": f"file://{site.metering_file}"}, screen)
    for period in cancel_what_is_wrong(ledger, story.stack.vendor_url):
        screen.event(f"{OPERATOR} cancels invoice {period.invoice_id} at the vendor: it has the wrong CNPJ")
        day = period.issue_date.isoformat()
        run_id = f"demo__cancelled_{period.invoice_id}"
        run_dag(story.stack, "reconcile_receivables", run_id, {"from_date": day, "to_date": day}, screen)
    again = bill_cancelled_again(ledger, site.ledger_url)
    screen.event(f"{OPERATOR}: {count(again, 'period')} to be billed again, with a reference of its own")
    return again


def settle_and_bill(story: Story, again: int) -> bool:
    """Let a person settle what was shown, and bill again; return whether just what was left is created."""
    screen, ledger = story.screen, story.ledger
    parked = [period for period in ledger.stopped() if period.state == PeriodState.PARKED]
    measured = len(ledger.stopped()) - len(parked)
    held_back = _held_back(ledger) - again
    due = len(parked) + measured + held_back + again
    screen.step("4. A person settles what was shown; the year is billed again, with the price updates that are owed")
    story.settle()
    created = story.bill_range("demo__settled")
    show_readjustments(ledger.readjustments(), screen)
    left = ledger.stopped()
    parts = f"{len(parked)} released, {measured} measured, {again} anew, {held_back} that price updates held back"
    text = f"{len(created)} of {due}: {parts}"
    screen.fact("Created", text, good=len(created) == due)
    screen.fact("Stopped", len(left), good=not left)
    show_stopped(left, screen)
    return len(created) == due and not left


def _held_back(ledger: LedgerView) -> int:
    """Return how many periods are neither billed nor stopped with a reason."""
    counts = ledger.counts()
    return counts.periods - counts.issued - len(ledger.stopped())


def bill_again(story: Story) -> bool:
    """Bill the same year once more; return whether nothing was created."""
    story.screen.step("5. Bill the same year once more: nothing may be created")
    created = story.bill_range("demo__again")
    story.screen.fact("Created", len(created), good=not created)
    return not created


def collect_the_money(story: Story) -> None:
    """Let the days since the year's end pass, reconcile, settle what shows, and tell what came in and what is late."""
    screen = story.screen
    screen.step("6. Customers pay; the Dag reconcile_receivables compares the ledger with the vendor")
    let_time_pass(story.stack.vendor_url, TODAY)
    screen.event(f"At the vendor it is {TODAY} now: invoices are issued, most customers have paid")
    run_dag(story.stack, "reconcile_receivables", "demo__reconcile", WHOLE_YEAR, screen)
    story.settle()
    found = story.ledger.money(TODAY)
    late = {bucket: share for bucket, share in found.owed.items() if bucket is not AgeingBucket.NOT_DUE}
    screen.fact("Received", _share(found.received))
    screen.fact("Not due yet", _share(found.owed[AgeingBucket.NOT_DUE]))
    screen.fact("Late", _share(sum(late.values(), Share())))
    for bucket, share in late.items():
        screen.note(f"  {bucket.value + ' days':<13} {_share(share)}")
    screen.fact("Not issued", f"{_share(found.not_issued)}: their approval is blocked at the vendor")


def close_the_months(story: Story) -> bool:
    """Close the twelve months, each proved, reported and recorded by itself; return whether all are closed."""
    screen = story.screen

    def closed() -> int:
        return sum(closing.closed for closing in story.ledger.closings())

    screen.step("7. Close the twelve months with the Dag close_billing_month")
    run_dag(
        story.stack,
        "close_billing_month",
        "demo__close",
        WHOLE_YEAR,
        screen,
        lambda: f"{closed()} of {MONTHS} months closed",
    )
    closings = story.ledger.closings()
    for closing in closings:
        totals = closing.report["totals"]
        billed, received = money(Decimal(totals["invoiced"])), money(Decimal(totals["received"]))
        counted = f"{totals['billed_periods']} of {totals['expected_periods']} periods"
        outcome = f"{billed}, received {received}: {closing.report['verdict']}"
        screen.note(f"  {closing.billing_month:%Y-%m}  {counted:<18} {outcome}")
    screen.fact("Closed", f"{closed()} of {MONTHS} months", good=closed() == MONTHS)
    screen.fact("Reports", "a CSV and a page to print for each month; the newest:")
    for path in closings[-1].report["files"]:
        screen.note(f"  {path}")
    return closed() == MONTHS


def prove_the_year(story: Story) -> Proof:
    """Print the proof and return it; what was removed at the vendor, and what the ledger adds up to, are part of it."""
    screen, ledger, held = story.screen, story.ledger, story.stack.account
    screen.step(
        "8. Proof, from the vendor's own data; periods and prices are worked out by code that Ciclo does not use"
    )
    told = Told(
        before_ciclo=frozenset(invoice["id"] for invoice in held.state["invoices"]),
        shown=frozenset(story.shown),
        parked=ledger.reasons(PeriodState.PARKED),
        waiting=ledger.reasons(PeriodState.WAITING),
    )
    proof = prove(story.stack.vendor.state(), held.before, YEAR_START, YEAR_END, told)
    screen.fact("Expected", f"{count(proof.expected, 'period')}")
    screen.fact("At the vendor", f"{count(proof.invoices, 'invoice')}, {money(proof.total)}")
    for name, cases in (
        ("Missing", [str(period) for period in proof.missing]),
        ("Duplicates", [str(period) for period in proof.duplicates]),
        ("Parked", [f"{period}: {reason}" for period, reason in proof.parked.items()]),
        ("Waiting", [f"{period}: {reason}" for period, reason in proof.waiting.items()]),
        ("Not called for", [f"invoice {invoice_id}" for invoice_id in proof.unexpected]),
        ("Not adding up", [f"invoice {invoice_id}" for invoice_id in proof.unbalanced]),
        ("Wrong price", [str(invoice) for invoice in proof.mispriced]),
        ("Not shown", [str(difference) for difference in proof.not_shown]),
        ("Shown wrongly", [str(difference) for difference in proof.shown_wrongly]),
    ):
        screen.fact(name, len(cases), good=not cases)
        screen.some(cases)
    edited = sum(difference.what is Edited.VALUE for difference in proof.edited)
    right = proof.invoices - len(proof.mispriced) - edited
    screen.note(f"{right:,} of {count(proof.invoices, 'invoice')} are at the price in force on their planned date,")
    screen.note(f"recomputed from the first prices and the published index values; people gave {edited} another value.")
    screen.fact("Differing", f"{count(proof.differing, 'period')} by quantity, line, discount or days, to the cent")
    screen.fact("Paused", f"{count(proof.paused, 'period')}, not billed")
    screen.fact("Billed again", f"{count(len(proof.billed_again), 'period')}, once")
    screen.fact("Changed by hand", f"{len(proof.edited)}, just what Ciclo has shown:" if proof.edited else "none")
    screen.some([str(difference) for difference in proof.edited])
    story.stack.site.proof_file.write_text(json.dumps(proof.figures(), indent=2), encoding="utf-8")
    screen.fact("As JSON", story.stack.site.proof_file)
    return proof


def agrees(story: Story, proof: Proof) -> bool:
    """Print whether Ciclo's ledger and what it said of removed invoices agree with the proof; return it."""
    held, screen = story.stack.account, story.screen
    removed = set(removed_periods(held.state, held.before, YEAR_START, YEAR_END))
    said_so = removed == story.removed
    screen.fact("Removed", f"{len(removed)}, {'just' if said_so else 'not'} what Ciclo has shown", good=said_so)
    difference = story.ledger.counts().amount - proof.total
    screen.fact("Ledger differs", f"by {money(difference)}", good=not difference)
    return said_so and not difference


def sum_up(story: Story, proof: Proof) -> None:
    """Say who made the invoices, what people corrected, and what still waits for a person."""
    screen = story.screen
    screen.step("9. Who did what")
    screen.fact("The vendor made", f"{count(proof.made_by.get(MadeBy.VENDOR, 0), 'invoice')}, taken over by Ciclo")
    screen.fact("Ciclo made", count(proof.made_by.get(MadeBy.CICLO, 0), "invoice"))
    screen.fact("People made", f"{count(proof.made_by.get(MadeBy.PEOPLE, 0), 'invoice')} by hand, taken over by Ciclo")
    screen.fact("Settled", f"{sum(each.count for each in story.settled)} matters that Ciclo has shown, by {OPERATOR}:")
    for each in story.settled:
        screen.note(f"  {each.count:>2}  {each.matter:<29} {each.action}")
    waiting = story.ledger.findings()
    screen.fact("Waits", f"{count(len(waiting), 'finding')}:" if waiting else "nothing")
    show_findings(waiting, screen)
    if waiting:
        screen.note(
            "  None of them keeps a month open. They close by themselves when what they say is cured, or a person"
        )
        screen.note("  acknowledges them: page Billing, Needs attention.")


# -- in words ----------------------------------------------------------------------------------------------------------


def show_stopped(stopped: list[Stopped], screen: Screen) -> None:
    """Print the reasons, what waits for a person first; those with the same reason in one line."""

    def kind(period: Stopped) -> tuple[bool, str, str]:
        return period.state != PeriodState.PARKED, period.state, period.reason

    lines = []
    for (_, state, reason), group in groupby(sorted(stopped, key=kind), key=kind):
        periods = list(group)
        rules = {period.rule_id for period in periods}
        several = f" ({count(len(periods), 'period')} of {count(len(rules), 'rule')})" if len(periods) > 1 else ""
        lines.append(f"{state}: {reason}{several}")
    screen.some(lines)


def show_findings(findings: list[FindingRow], screen: Screen) -> None:
    """Print findings, those of a kind in one line where they are many."""
    lines = []
    for kind, group in groupby(sorted(findings, key=lambda each: (each.kind, each.id)), key=lambda each: each.kind):
        of_kind = list(group)
        words = kind.replace("_", " ")
        if len(of_kind) > FEW:
            lines.append(f"{words}: {len(of_kind)}")
        else:
            lines += [f"{words}: {each.message}" for each in of_kind]
    screen.some(lines)


def show_readjustments(updates: list[Readjustment], screen: Screen) -> None:
    """Print how many prices moved and why: the year's own updates by name, those still owed from earlier years counted.

    What a person should question (a price that was held, one that fell, terms that the law voids) is said in words.
    """
    of_the_year = [update for update in updates if update.execution_date >= YEAR_START]
    owed = len(updates) - len(of_the_year)
    late = f"; {owed} {'was' if owed == 1 else 'were'} still owed from earlier years" if owed else ""
    rules = {update.rule_id for update in updates}
    screen.fact("Price updates", f"{len(updates)} applied to {count(len(rules), 'rule')}{late}")
    lines = []
    for update in of_the_year:
        percent = (update.factor - 1) * 100
        prices = ", ".join(f"{old:,.2f} -> {new:,.2f}" for old, new in update.prices)
        index = f"{update.index.label:<8} {percent:+6.2f} %"
        lines.append(f"{update.execution_date}  {index}  rule {update.rule_id}: BRL {prices}")
    screen.some(lines, more="; the console shows each with its evidence")
    for update in updates:
        if update.held:
            held = f"held: {update.index.label} fell, rule {update.rule_id} is not lowered ({update.execution_date})"
            screen.note(f"  {held}")
    if fallen := sum(update.factor < Decimal(1) for update in updates):
        screen.note(f"  lowered: {count(fallen, 'price update')} of rules that follow their index down, too")
    warnings = {
        f"warning: rule {update.rule_id}: {warning}"
        for update in updates
        for warning in update.warnings
        if "Law" in warning
    }
    for warning in sorted(warnings):
        screen.note(f"  {warning}")


def _share(share: Share) -> str:
    return f"{money(share.amount)} ({count(share.count, 'receivable')})"


# -- from the first step to the exit code ------------------------------------------------------------------------------


def run_demo(*, keep: bool = True, screen: Screen | None = None) -> int:
    """Bill the demo company's year on a real Airflow, collect, close the months, and prove it from the vendor's data.

    With `keep` Airflow stays open afterwards until Ctrl-C. Returns the exit code: 0 if the proof holds, 1 if it does
    not or a step failed, 130 if it was interrupted before its end.
    """
    return _play(screen or Screen(), lambda stack, out: _tell(stack, out, keep=keep), by_schedule=False)


def run_up(*, screen: Screen | None = None) -> int:
    """Start the sandbox and Airflow on the demo company, bill nothing, and stay until Ctrl-C. Returns the exit code."""
    return _play(screen or Screen(), _stay_open, by_schedule=True)


def _play(screen: Screen, act: Callable[[Stack, Screen], int], *, by_schedule: bool) -> int:
    """Start everything, play `act`, end everything; a step that fails is named with the tail of its log."""
    try:
        with fresh_site() as site:
            _introduce(site, screen)
            with Processes(site.logs) as processes:
                try:
                    screen.step("1. Start the vendor's stand-in and Airflow")
                    return act(start(site, processes, screen, by_schedule=by_schedule), screen)
                except httpx.HTTPError as error:
                    log = site.logs / "api-server.log"
                    raise StepFailed("Airflow", f"does not answer ({error!r})", log) from error
                except KeyboardInterrupt:
                    screen.note("Interrupted.")
                    return INTERRUPTED
                finally:
                    screen.note("Ending Airflow and the vendor's stand-in.")
    except StepFailed as failure:
        screen.verdict(f"Failed at: {failure}", good=False)
        for line in failure.tail():
            screen.note(f"  {line}")
        if failure.log:
            screen.note(f"The whole log: {failure.log}")
        return 1


def _introduce(site: Site, screen: Screen) -> None:
    state = company()
    screen.title("Ciclo: recurring billing on Airflow, a demonstration")
    screen.fact("Company", f"{state['organizations'][0]['name']} (made up)")
    contracts, rules = len(state["contracts"]), len(state["invoice_rules"])
    screen.fact("Year", f"{YEAR_START} to {YEAR_END}; today is {TODAY}")
    screen.fact("Sells", f"{count(contracts, 'contract')} with {count(rules, 'invoice rule')}")
    screen.fact("Folder", f"{site.folder} (made anew by every run)")
    screen.fact("Network", "this machine only, on 127.0.0.1")


def _tell(stack: Stack, screen: Screen, *, keep: bool) -> int:
    ledger = LedgerView(stack.site.ledger_url, ORGANIZATION_ID, YEAR_START, YEAR_END)
    try:
        story = Story(stack, ledger, screen)
        bill_the_year(story)
        again = say_what_differs(story)
        settled = settle_and_bill(story, again)
        nothing_twice = bill_again(story)
        collect_the_money(story)
        closed = close_the_months(story)
        proof = prove_the_year(story)
        good = agrees(story, proof) and proof.holds and nothing_twice and settled and closed
        good = good and len(proof.billed_again) == again
        sum_up(story, proof)
    finally:
        ledger.close()
    if good:
        text = "It holds: every period has exactly one invoice at the right price, and twelve months are closed."
    else:
        text = "It does not hold: see the figures above."
    screen.verdict(f"{text} ({duration(screen.elapsed)} in all)", good=good)
    if keep:
        _stay_open(stack, screen)
    return 0 if good else 1


def _stay_open(stack: Stack, screen: Screen) -> int:
    """Wait for Ctrl-C, or for a component to die.

    Raises:
        StepFailed: a component died.
    """
    screen.step("Airflow is open")
    screen.fact("Airflow", f"{stack.airflow_url}/dags/bill_range (no password, this machine only)")
    screen.fact("Billing", f"{stack.airflow_url}/plugin/billing (the console: months, prices, receivables, reports)")
    screen.fact("Vendor's API", f"{stack.vendor_url}/_sandbox/state")
    screen.fact("In a shell", f"source {stack.site.environment_file}")
    screen.note("Ctrl-C ends everything.")
    with suppress(KeyboardInterrupt):
        while True:
            stack.processes.check()
            time.sleep(1)
    return 0
