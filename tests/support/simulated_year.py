"""A year of billing in the mixed world, day by day: the vendor's machinery and people, faults, the Dags, a person.

A rehearsal plays the Dags' own steps at their times against the vendor's stand-in over HTTP. Every morning a person
settles what Ciclo has shown, at noon the months that are over and still open are closed anew. The witness sees all.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx
import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.calendar import add_days, first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.states import PeriodState
from ciclo.jobs.rehearsal import play
from ciclo.jobs.rehearsal.attention import closed_on
from ciclo.jobs.rehearsal.scenario import DagRun, Scenario
from ciclo.jobs.stages import STAGES
from ciclo.ledger.tables import Finding, Period
from company import ORGANIZATION, State
from mixed_company import Key, expected_periods, mixed_company
from person import GONE, Person
from witness import Maker, Witness, missing

FAULTS: list[dict[str, Any]] = [
    {"kind": kind, "method": method, "path": path, "probability": share, "seconds": seconds}
    for kind, method, path, share, seconds in [
        ("error_before", None, "/api/", 0.004, None), ("error_after", "POST", "invoices$", 0.03, None),
        ("reset_before", None, "/api/", 0.004, None), ("reset_after", "P", "/api/", 0.02, None),
        ("timeout_before", None, "/api/", 0.002, 0.01), ("timeout_after", "POST", "/api/", 0.02, 0.01),
        ("rate_limit", None, "/api/", 0.002, 1), ("malformed", None, "/api/", 0.004, None),
        ("slow", None, "/api/", 0.001, 0.01), ("late_commit", "POST", "invoices$", 0.02, 0),
        ("truncated_page", "GET", "/api/", 0.004, None), ("stale_search", "GET", "search$", 0.1, 120),
        ("shifted_page", "GET", "search$", 0.03, None),
    ]
]  # fmt: skip
SINGLE = ("empty_list", "html_page", "odd_record")
"""Wrong answers that look right: one of each on one day of three, as they are on record."""
CLOSED_AGAIN_ON = (5, 12, 20, 28)
"""Days on which a person closes the months that are still open."""
SHOWN: dict[str, frozenset[FindingKind]] = {
    "change_value": frozenset({FindingKind.VALUE_EDITED, FindingKind.AMOUNT_DIFFERS}),
    "move_date": frozenset({FindingKind.DATE_MOVED}),
    "split": frozenset({FindingKind.SPLIT}),
    "append_description": frozenset(),
    "bill_late": frozenset(),
    "cancel_and_copy": frozenset(),
}
"""As what a deed is shown: one of these, once. What has none is nobody's matter."""


@dataclass(slots=True)
class Year:
    """A year under way."""

    rehearsal: play.Rehearsal
    http: httpx.Client
    """To the vendor's control plane; one for all, as each takes a while to make."""
    state: State
    until: date
    random: random.Random
    witness: Witness = field(default_factory=Witness)
    person: Person = field(init=False)
    faults: Counter[str] = field(default_factory=Counter)
    faulty: bool = True
    """Whether the vendor's answers go wrong, but for the last ten days."""
    late: list[str] = field(default_factory=list)
    """Seconds of the vendor's that were not shown on their day."""

    def __post_init__(self) -> None:
        self.person = Person(self.witness)
        self._look(self.rehearsal.scenario.today, Maker.VENDOR)

    def play(self) -> Iterator[date]:
        """Play every day; yield each once it is over."""
        self.rehearsal.begin()
        day = self.rehearsal.scenario.today
        while day <= self.until:
            self._play_day(day)
            yield day
            day = add_days(day, 1)

    def _play_day(self, day: date) -> None:
        rehearsal = self.rehearsal
        self._look(day, Maker.CICLO)
        rehearsal.move(day, play.MACHINERY)
        self._look(day, Maker.VENDOR)
        rehearsal.move(day, play.PEOPLE)
        self._settle(day)
        if self.faulty and day < self.until - timedelta(days=10):
            self._let_things_go_wrong()
        rehearsal.run_dags(day)
        self._clear_faults()
        self._by_hand(day)
        self._see_what_is_shown(day)

    def _settle(self, day: date) -> None:
        with Session(self.rehearsal.engine) as session:
            seconds = self.person.settle(session, at=self.rehearsal.clock.now())
        for number in seconds:
            self._control("POST", f"/_sandbox/invoices/{number}/cancel")
        if seconds:
            self._look(day, Maker.PERSON)

    def _by_hand(self, day: date) -> None:
        """Bill what is overdue, and close what is over and still open."""
        with Session(self.rehearsal.engine) as session:
            overdue = sorted(set(session.scalars(select(Period.issue_date).where(
                Period.state.in_((PeriodState.PLANNED.value, PeriodState.WAITING.value)),
                Period.issue_date < day - timedelta(days=7),
            ))))  # fmt: skip
            closed = closed_on(session, ORGANIZATION)
        runs = [DagRun(dag_id="bill_range", params=_days(on, on), approve=True) for on in overdue]
        month = first_of_month(self.rehearsal.scenario.today)
        while day.day in CLOSED_AGAIN_ON and month < first_of_month(day):
            last = add_days(first_of_month(add_days(month, 31)), -1)
            if month not in closed:
                runs.append(DagRun(dag_id="close_billing_month", params=_days(month, last), approve=True))
            month = add_days(last, 1)
        if runs:
            self.rehearsal.move(day, play.BY_HAND)
        for run in runs:
            self.rehearsal.run(STAGES[run.dag_id], run, scheduled_at=None)
        self.rehearsal.watch(day)

    def _see_what_is_shown(self, day: date) -> None:
        """Whatever the vendor or a person made twice today must be shown by tonight."""
        today = [deed for deed in self.witness.seconds if deed.on == day]
        if not today:
            return
        with Session(self.rehearsal.engine) as session:
            shown = session.scalars(select(Finding.facts)).all()
            parked = session.scalars(select(Period).where(Period.state == PeriodState.PARKED.value)).all()
        numbers = {facts.get("invoice_id") for facts in shown}
        for period in parked:
            numbers |= set((period.reason.facts if period.reason else {}).get("invoice_ids", ()))
        self.late += [
            f"invoice {deed.invoice_id} of {deed.key} is a second, and was not shown on {day}"
            for deed in today
            if deed.invoice_id not in numbers and self.witness.traced[deed.invoice_id].alive
        ]

    # -- at the vendor -----------------------------------------------------------------------------------------------

    def _let_things_go_wrong(self) -> None:
        rarely = min(1, 60 / len(self.state["invoice_rules"]))  # a search of many pages is not read anew all day
        faults = []
        for fault in FAULTS:
            share = fault["probability"] * (rarely if fault["path"] == "search$" else 1)
            faults.append(fault | {"seed": self.random.randrange(10**6), "probability": share})
        faults += [
            {"kind": kind, "method": "GET", "path": "/api/", "probability": 0.05, "count": 1,
             "seed": self.random.randrange(10**6)}
            for kind in SINGLE if self.random.random() < 1 / 3
        ]  # fmt: skip
        self._control("PUT", "/_sandbox/faults", faults)

    def _clear_faults(self) -> None:
        struck = [entry["fault"] for entry in self._control("GET", "/_sandbox/requests") if entry["fault"]]
        self.faults.update(struck)
        self._control("DELETE", "/_sandbox/requests")
        self._control("DELETE", "/_sandbox/faults")

    def _look(self, day: date, acted: Maker) -> None:
        self.witness.look(self._control("GET", "/_sandbox/state"), day, acted=acted)

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else orjson.dumps(body)
        answer = self.http.request(method, self.rehearsal.vendor.url + path, content=content)
        answer.raise_for_status()
        return orjson.loads(answer.content) if answer.content else None

    # -- what must hold ----------------------------------------------------------------------------------------------

    def reckon(self) -> "Reckoning":
        """Return what came of the year."""
        self._look(self.until, Maker.CICLO)
        rehearsal, witness = self.rehearsal, self.witness
        first = rehearsal.scenario.today
        last_month = first_of_month(self.until)
        expected = expected_periods(self.state, first, add_days(last_month, -1))
        living = {key: numbers for key, numbers in witness.living().items() if key in expected}
        with Session(rehearsal.engine) as session:
            closed = closed_on(session, ORGANIZATION)
            periods = {(each.rule_id, each.issue_date): each for each in session.scalars(select(Period))}
            findings = list(session.scalars(select(Finding)))
        wrong = [*witness.wrong(), *self.person.shown_wrongly, *self.late]
        wrong += [f"missing: {key}" for key in missing(witness, expected)]
        wrong += [f"twice: {key}: {numbers}" for key, numbers in living.items() if len(numbers) > 1]
        wrong += self._mispriced(expected, findings)
        wrong += list(_removed_unseen(witness, expected, periods, findings))
        shown, told = _told(witness, expected, findings)
        wrong += told
        month = first
        while month < last_month:
            if month not in closed:
                wrong.append(f"not closed: {month:%Y-%m}")
            month = first_of_month(add_days(month, 31))
        return Reckoning(
            periods=len(expected),
            invoices=sum(map(len, living.values())),
            made_by=Counter(witness.traced[number].made_by.value for some in living.values() for number in some),
            deeds=Counter(deed.what for deed in witness.deeds if deed.key in expected),
            removed=len(witness.removed.keys() & expected.keys()),
            seconds=len(witness.seconds),
            faults=self.faults,
            shown=shown,
            closed=len(closed),
            runs=Counter("green" if run.green else "red" for run in rehearsal.runs),
            wrong=wrong,
        )

    def _mispriced(self, expected: dict[Key, Decimal], findings: list[Finding]) -> Iterator[str]:
        """Yield the invoices that nobody gave another value and that are not at their rule's price.

        A copy that a person made before its rule's readjustment, and that the vendor issued on the very day before any
        Dag ran, is at the old price; it only has to be shown.
        """
        late = [each.facts["invoice_ids"] for each in findings if each.kind == FindingKind.READJUSTED_LATE.value]
        shown = {number for numbers in late for number in numbers}
        values = {each["id"]: each for each in self._control("GET", "/_sandbox/state")["invoices"]}
        by_hand = {deed.key for deed in self.witness.deeds if deed.what == "change_value"}
        for key, numbers in self.witness.living().items():
            for number in numbers:
                value = Decimal(values[number]["gross_value"])
                too_late = number in shown and self.witness.traced[number].made_by is Maker.PERSON
                if key in expected and key not in by_hand and value != expected[key] and not too_late:
                    yield f"invoice {number} of {key} costs {value} instead of {expected[key]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """The figures of a year, and what is wrong, in words."""

    periods: int
    invoices: int
    made_by: Counter[str]
    deeds: Counter[str]
    removed: int
    seconds: int
    faults: Counter[str]
    shown: Counter[str]
    closed: int
    runs: Counter[str]
    wrong: list[str]

    def lines(self, title: str) -> list[str]:
        """Return the figures, a line a matter."""
        return [
            f"{title}: {self.periods} periods, {self.invoices} living invoices ({_listed(self.made_by)})",
            f"  people at the vendor   {_listed(self.deeds)}",
            f"  shown                  {_listed(self.shown)}",
            f"  not billed by a person's word {self.removed}, made twice by the vendor and shown {self.seconds}",
            f"  faults {sum(self.faults.values())}: {_listed(self.faults)}",
            f"  Dag runs {_listed(self.runs)}, months closed {self.closed}",
            f"  wrong {len(self.wrong)}",
            *(f"    {line}" for line in self.wrong[:40]),
        ]


def _told(witness: Witness, expected: dict[Key, Decimal], findings: list[Finding]) -> tuple[Counter[str], list[str]]:
    """Hold what people did against what was shown of it: each deed as one kind, once; what is no matter, not at all."""
    shown: Counter[str] = Counter()
    wrong = []
    by_invoice: dict[int, list[FindingKind]] = defaultdict(list)
    for finding in findings:
        if finding.subject == "invoice":
            by_invoice[finding.subject_id].append(FindingKind(finding.kind))
    for deed in witness.deeds:
        if deed.what not in SHOWN or deed.key not in expected:
            continue
        kinds = [kind for kind in by_invoice[deed.invoice_id] if any(kind in some for some in SHOWN.values())]
        wanted = SHOWN[deed.what]
        shown.update(kind.value for kind in kinds)
        if bool(wanted) != (len(kinds) == 1) or not wanted.issuperset(kinds) or (not wanted and kinds):
            said = ", ".join(kinds) or "nothing"
            wrong.append(f"{deed.what} of invoice {deed.invoice_id}, {deed.key}, on {deed.on}: shown is {said}")
    return shown, wrong


def _removed_unseen(
    witness: Witness, expected: dict[Key, Decimal], periods: dict[Key, Period], findings: list[Finding]
) -> Iterator[str]:
    """Yield what people removed and Ciclo has not shown."""
    told = {finding.subject_id for finding in findings if FindingKind(finding.kind) in GONE}
    for key, number in witness.removed.items():
        period = periods.get(key)
        given_up = period is not None and period.state == PeriodState.CANCELLED
        if key in expected and number not in told and not given_up:
            state = period.state if period else "not known"
            yield f"invoice {number} of {key} was removed and that was not shown; its period is {state}"


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counter.items())) or "none"


def _days(first: date, last: date) -> dict[str, str]:
    return {"from_date": first.isoformat(), "to_date": last.isoformat()}


@contextmanager
def year(
    size: int, *, start: date, until: date, seed: int = 1, faulty: bool = True, **behaviour: Any
) -> Iterator[Year]:
    """Start a year: `size` rules, half of them generated, from the first day of a month until a day of another."""
    readjusted = [day for number in range(12) if (day := _month(start, number)) < first_of_month(until)][1:]
    state = mixed_company(size, start=start, readjusted=readjusted)
    state["behaviour"] |= behaviour
    scenario = Scenario(state=state, today=start, until=until)
    with play.rehearsing(scenario) as rehearsal, httpx.Client(timeout=120, trust_env=False) as http:
        chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
        yield Year(rehearsal, http, state, until, chance, faulty=faulty)


def _month(start: date, number: int) -> date:
    year_, month = divmod(start.year * 12 + start.month - 1 + number, 12)
    return date(year_, month + 1, 1)
