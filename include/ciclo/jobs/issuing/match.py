"""Whose invoice is it: the periods of contracts and the invoices at the vendor, assigned together.

An invoice belongs to at most one period, and no field of the vendor names its rule. Each way to tell is tried in turn,
on what the ways before it left over; a way that finds one candidate for one period assigns it:

1. a person's word, or the reference that Ciclo wrote, on an invoice of the same contract whose planned date lies in the
   period's coverage; anywhere else it is a copy and counts for nothing, but for the only one with the reference of a
   period whose answer was lost: somebody moved what was sent;
2. exactly alike: customer, planned date, value and description;
3. its own, but worked on: same customer, planned date in the coverage, and the description begins with the rule's (or
   the other way round), or services of the same names, or the value, or created in the same second as the rule. What
   begins as another rule of the contract does, or came with that one, is not this one's for its services or value; nor
   is on another day what is of the competence of another period of the rule, unless it came with it.
4. put off by some days out of its period's coverage, into the next month, or brought forward into the one before, and
   left over there: it came with the rule, or begins as the rule's description does and was made in the same second as
   others that are the rule's own. Not of a period that had an invoice, which is deleted or cancelled now: what is put
   off is another period's then.

Several candidates for a period, or one for several periods, are for a person. Only what is created in the same second
as the rule, or begins as its description does, tells apart what would otherwise be several. A cancelled invoice is
nobody's but by its reference. The order in which periods and invoices come changes nothing.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import NamedTuple

from ciclo.billimatic.models import Invoice, InvoiceState
from ciclo.domain.calendar import next_business_day
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import cents
from ciclo.domain.receivables import MadeBy
from ciclo.domain.recurrence import DateRange
from ciclo.domain.texts import begins_alike, plain

PUT_OFF_AT_MOST = timedelta(days=10)
"""How far somebody may have moved an invoice out of its period's coverage: a weekend and some days."""

REFERENCE = re.compile(r"\bciclo:\d+:(?P<rule>\d+):(?P<date>\d{4}-\d{2}-\d{2})(?::(?P<sequence>\d+))?\b")


class PeriodKey(NamedTuple):
    """What a period is known by."""

    rule_id: int
    issue_date: date


class Reference(NamedTuple):
    """What Ciclo wrote into an invoice's comments; `sequence` is 2 where a period was billed again."""

    rule_id: int
    issue_date: date
    sequence: int = 1


def reference(organization_id: int, rule_id: int, issue_date: date, sequence: int = 1) -> str:
    """Return the reference that an invoice carries in `comments`."""
    again = f":{sequence}" if sequence > 1 else ""
    return f"ciclo:{organization_id}:{rule_id}:{issue_date.isoformat()}{again}"


def reference_in(comments: str | None) -> str | None:
    """Return the last of Ciclo's references in an invoice's comments, if there is one: the others were copied."""
    found = list(REFERENCE.finditer(comments or ""))
    return found[-1][0] if found else None


def references_in(comments: str | None) -> tuple[Reference, ...]:
    """Return all of Ciclo's references in an invoice's comments; one with a day that does not exist is none."""
    found = []
    for match in REFERENCE.finditer(comments or ""):
        try:
            day = date.fromisoformat(match["date"])
        except ValueError:
            continue
        found.append(Reference(int(match["rule"]), day, int(match["sequence"] or 1)))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedInvoice:
    """A period, and what its invoice would look like by its rule. BRL; `gross_value` None: the price is not known."""

    rule_id: int
    contract_id: int
    issue_date: date
    coverage: DateRange
    """The days whose invoices may be its own: the months that it bills, or the week."""
    gross_value: Decimal | None
    description: str
    may_be_worth: frozenset[Decimal] = frozenset()
    """What it may be as well while its adjustments are on their way: the rule's own value, or theirs."""
    customer_id: int | None = None
    services: frozenset[str] = frozenset()
    """Names of the rule's services."""
    parcels: int = 1
    rule_created_at: datetime | None = None
    sequence: int = 1
    invoice_id: int | None = None
    """The invoice that it has already, by the ledger."""
    not_own: frozenset[int] = frozenset()
    """Invoices of which a person said that they are not its rule's."""
    said_own: frozenset[int] = frozenset()
    """The invoice of which a person said that it is its own."""
    lost_its_own: bool = False
    """Whether it had an invoice, which is deleted or cancelled now."""
    accrual_month: date | None = None
    """Its competence: the month's first day."""
    answer_lost: bool = False
    """Whether its invoice was sent once and nobody knows what became of it."""

    @property
    def key(self) -> PeriodKey:
        """What the period is known by."""
        return PeriodKey(self.rule_id, self.issue_date)

    def covers(self, day: date) -> bool:
        """Whether an invoice planned for `day` may be its own: in the coverage, or put off to the next business day."""
        return day in self.coverage or day == next_business_day(self.issue_date)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteInvoice:
    """An invoice at the vendor, as far as it matters whose it is. BRL."""

    id: int
    contract_id: int
    planned_date: date
    gross_value: Decimal
    description: str
    customer_id: int | None = None
    services: frozenset[str] = frozenset()
    parcels: int = 1
    is_cancelled: bool = False
    references: tuple[Reference, ...] = ()
    created_at: datetime | None = None
    accrual_month: date | None = None

    @classmethod
    def of(cls, invoice: Invoice) -> "RemoteInvoice":
        """Return what matters of an invoice as the API answers it."""
        return cls(
            id=invoice.id,
            contract_id=invoice.contract_id,
            planned_date=invoice.planned_date,
            gross_value=cents(invoice.gross_value),
            description=invoice.description,
            customer_id=invoice.customer_id,
            services=frozenset(plain(line.name) for line in invoice.services if line.name),
            parcels=len(invoice.receivables),
            is_cancelled=invoice.state == InvoiceState.CANCELLED,
            references=references_in(invoice.comments),
            created_at=invoice.created_at,
            accrual_month=invoice.accrual_date,
        )


@dataclass(frozen=True, slots=True)
class Contest:
    """Why a period got none of the invoices that may be its own."""

    invoice_ids: tuple[int, ...]
    periods: tuple[PeriodKey, ...]
    """The periods that they may belong to."""


@dataclass(slots=True)
class Assignment:
    """Which invoice is which period's."""

    own: dict[PeriodKey, RemoteInvoice] = field(default_factory=dict)
    contested: dict[PeriodKey, Contest] = field(default_factory=dict)
    near: dict[PeriodKey, tuple[RemoteInvoice, ...]] = field(default_factory=dict)
    """Of the periods without an invoice: what lies in their coverage, unlike them, or like them and shortly before or
    after it, and is nobody's."""
    seconds: dict[PeriodKey, tuple[RemoteInvoice, ...]] = field(default_factory=dict)
    """Of the periods that have a living one: further invoices that would have been theirs."""


class _Likeness(IntEnum):
    """How an invoice is a period's, the weakest first."""

    NONE = 0
    NEAR = 1
    PUT_OFF = 2
    OWN = 3
    EXACT = 4
    REFERENCE = 5


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules of a contract, by their periods."""

    one_of: Mapping[int, WantedInvoice]
    """By rule, one of its periods, for what all of them have in common."""
    competences: Mapping[int, frozenset[date]]
    """By rule, the competences of its periods."""

    @classmethod
    def of(cls, periods: Mapping[PeriodKey, WantedInvoice]) -> "_Rules":
        months: dict[int, set[date]] = {}
        for key, period in periods.items():
            if period.accrual_month is not None:
                months.setdefault(key.rule_id, set()).add(period.accrual_month)
        competences = {rule_id: frozenset(some) for rule_id, some in months.items()}
        return cls({key.rule_id: period for key, period in periods.items()}, competences)


class _Pair(NamedTuple):
    """How like a period an invoice is, and what speaks for it where several are."""

    likeness: _Likeness
    same_second: bool = False
    same_text: bool = False


_Way = Callable[[_Pair], bool]

_TELLING: tuple[tuple[_Way, bool], ...] = (
    (lambda pair: pair.likeness is _Likeness.REFERENCE, True),
    (lambda pair: pair.likeness is _Likeness.EXACT and pair.same_second, False),
    (lambda pair: pair.likeness is _Likeness.EXACT, True),
    (lambda pair: pair.likeness is _Likeness.OWN and pair.same_second, False),
    (lambda pair: pair.likeness is _Likeness.OWN and pair.same_text, False),
    (lambda pair: pair.likeness is _Likeness.OWN, True),
)
"""The ways to tell, in their order, and whether what one leaves open is for a person, or for the next way."""


def assign(periods: Iterable[WantedInvoice], invoices: Iterable[RemoteInvoice]) -> Assignment:
    """Assign invoices to periods, each to at most one.

    Args:
        periods: all periods of the contracts whose coverage meets the window, with or without an invoice; a period that
            is left out cannot keep an invoice of its own from another.
        invoices: those of the same contracts, of the window and one coverage either side.
    """
    wanted: dict[int, dict[PeriodKey, WantedInvoice]] = {}
    for period in periods:
        wanted.setdefault(period.contract_id, {})[period.key] = period
    remote: dict[int, dict[int, RemoteInvoice]] = {}
    for invoice in invoices:
        remote.setdefault(invoice.contract_id, {})[invoice.id] = invoice
    result = Assignment()
    for contract_id, of_contract in sorted(remote.items()):
        mine = wanted.get(contract_id, {})
        _assign_contract(dict(sorted(mine.items())), dict(sorted(of_contract.items())), result)
    return result


def _assign_contract(
    periods: Mapping[PeriodKey, WantedInvoice], invoices: Mapping[int, RemoteInvoice], result: Assignment
) -> None:
    rules = _Rules.of(periods)
    bearers = Counter(named for invoice in invoices.values() for named in set(invoice.references))
    bound = {number: _bound_to(invoice, periods, bearers) for number, invoice in invoices.items()}
    known = {period.invoice_id for period in periods.values()}
    free = {number: invoice for number, invoice in invoices.items() if number not in known}
    pairs = {key: _pairs(period, free, bound, rules) for key, period in periods.items()}
    own = {key: found for key, p in periods.items() if (found := invoices.get(p.invoice_id or 0)) is not None}
    contested: dict[PeriodKey, Contest] = {}
    open_periods = [key for key, period in periods.items() if period.invoice_id is None]
    for way, is_last in _TELLING:
        candidates = {
            key: _living([number for number, pair in pairs[key].items() if number in free and way(pair)], free)
            for key in open_periods
        }
        own |= {key: free[number] for key, number in _undisputed(candidates)}
        if is_last:
            contested |= {key: _contest(key, candidates) for key, some in candidates.items() if some and key not in own}
        gone = {number for key in own.keys() | contested.keys() for number in candidates.get(key, ())}
        free = {number: invoice for number, invoice in free.items() if number not in gone}
        open_periods = [key for key in open_periods if key not in own and key not in contested]
    put_off = {
        key: [n for n, pair in pairs[key].items() if n in free and _is_put_off(pair, free[n], key.rule_id, own)]
        for key in open_periods
        if not periods[key].lost_its_own
    }
    own |= (late := {key: free[number] for key, number in _undisputed(put_off)})
    free = {number: invoice for number, invoice in free.items() if invoice not in late.values()}
    open_periods = [key for key in open_periods if key not in late]

    def left_over(key: PeriodKey, which: Callable[[_Pair], bool]) -> tuple[RemoteInvoice, ...]:
        return tuple(free[number] for number, pair in pairs[key].items() if number in free and which(pair))

    result.own |= own
    result.contested |= contested
    result.near |= {key: near for key in open_periods if (near := left_over(key, _may_be_its_own))}
    # beside a cancelled one nothing is a second: somebody made it anew
    seconds = {key: left_over(key, _is_a_second) for key, invoice in own.items() if not invoice.is_cancelled}
    alive = {key: tuple(each for each in further if not each.is_cancelled) for key, further in seconds.items()}
    result.seconds |= {key: further for key, further in alive.items() if further}


def _undisputed(candidates: Mapping[PeriodKey, Sequence[int]]) -> Iterator[tuple[PeriodKey, int]]:
    """Yield the periods that have one candidate which is nobody else's."""
    times = Counter(number for numbers in candidates.values() for number in numbers)
    for key, numbers in candidates.items():
        if len(numbers) == 1 and times[numbers[0]] == 1:
            yield key, numbers[0]


def _contest(key: PeriodKey, candidates: Mapping[PeriodKey, Sequence[int]]) -> Contest:
    mine = set(candidates[key])
    rivals = [other for other, numbers in candidates.items() if mine & set(numbers)]
    return Contest(tuple(candidates[key]), tuple(rivals))


def _pairs(
    period: WantedInvoice,
    invoices: Mapping[int, RemoteInvoice],
    bound: Mapping[int, frozenset[PeriodKey]],
    rules: _Rules,
) -> dict[int, _Pair]:
    """Return by id the invoices that may have to do with a period, and how like it they are."""
    found = {number: _compare(period, invoice, bound[number], rules) for number, invoice in invoices.items()}
    return {number: pair for number, pair in found.items() if pair.likeness is not _Likeness.NONE}


def _is_a_second(pair: _Pair) -> bool:
    """Whether an invoice beside a period's own would have been its own: what has its value alone may be anything."""
    return pair.likeness >= _Likeness.EXACT or pair.same_text


def _may_be_its_own(pair: _Pair) -> bool:
    """Whether an invoice that is nobody's may be a period's, though nothing or too little tells."""
    return pair == _UNLIKE or pair.likeness is _Likeness.PUT_OFF


def _is_put_off(pair: _Pair, invoice: RemoteInvoice, rule_id: int, own: Mapping[PeriodKey, RemoteInvoice]) -> bool:
    """Whether an invoice out of a period's coverage came with its rule, or at once with others that are the rule's."""
    if pair.likeness is not _Likeness.PUT_OFF or pair.same_second:
        return pair.likeness is _Likeness.PUT_OFF
    others = (each.created_at for key, each in own.items() if key.rule_id == rule_id)
    return any(_same_second(invoice.created_at, made) for made in others)


def _living(numbers: list[int], invoices: Mapping[int, RemoteInvoice]) -> list[int]:
    """Prefer what is alive; of what is all cancelled the first stands for it."""
    alive = [number for number in numbers if not invoices[number].is_cancelled]
    return alive or numbers[:1]


def _bound_to(
    invoice: RemoteInvoice, periods: Mapping[PeriodKey, WantedInvoice], bearers: Mapping[Reference, int]
) -> frozenset[PeriodKey]:
    """Return the periods for which a reference of the invoice counts; a person's word comes before it.

    `bearers` counts the contract's invoices with a reference.
    """
    said = {period.key for period in periods.values() if invoice.id in period.said_own}
    if said and not invoice.is_cancelled:
        return frozenset(said)
    found = set()
    for named in invoice.references:
        period = periods.get(PeriodKey(named.rule_id, named.issue_date))
        if period is None or invoice.id in period.not_own:
            continue
        was_moved = period.answer_lost and bearers[named] == 1
        if not was_moved and not period.covers(invoice.planned_date):
            continue
        if named.sequence == period.sequence or (named.sequence < period.sequence and not invoice.is_cancelled):
            found.add(period.key)
    return frozenset(found)


_NOTHING, _UNLIKE = _Pair(_Likeness.NONE), _Pair(_Likeness.NEAR)


def _compare(period: WantedInvoice, invoice: RemoteInvoice, bound: Collection[PeriodKey], rules: _Rules) -> _Pair:
    """Say how like a period an invoice is; `rules` are its contract's."""
    if bound:
        return _Pair(_Likeness.REFERENCE) if period.key in bound else _NOTHING
    named = {found.rule_id for found in invoice.references}
    another_rules_own = bool(named & rules.one_of.keys()) and period.rule_id not in named
    if another_rules_own or invoice.is_cancelled or invoice.id in period.not_own:
        return _NOTHING
    same_second = came_with_its_rule(period, invoice)
    if not period.covers(invoice.planned_date):
        moved = abs(invoice.planned_date - period.issue_date)
        its_own = same_second or begins_alike(plain(period.description), plain(invoice.description))
        is_put_off = its_own and moved <= PUT_OFF_AT_MOST and _same_customer(period, invoice)
        return _Pair(_Likeness.PUT_OFF, same_second) if is_put_off else _NOTHING
    ours, theirs = plain(period.description), plain(invoice.description)
    same_value = invoice.gross_value in {period.gross_value, *period.may_be_worth}
    same_text = begins_alike(ours, theirs)
    likeness = _Likeness.NEAR
    if _same_customer(period, invoice):
        if same_value and ours == theirs and invoice.planned_date == period.issue_date:
            likeness = _Likeness.EXACT
        else:
            services, billed = {plain(name) for name in period.services}, invoice.services
            same_services = bool(services and billed) and (services <= billed or billed <= services)
            may_be = same_text or ((same_value or same_services) and not _is_like_another(period, invoice, rules))
            if same_second or (may_be and not _is_of_another_month(period, invoice, rules)):
                likeness = _Likeness.OWN
    return _Pair(likeness, same_second, same_text) if likeness > _Likeness.NEAR else _UNLIKE


def _is_of_another_month(period: WantedInvoice, invoice: RemoteInvoice, rules: _Rules) -> bool:
    """Whether an invoice of another day than planned is of the competence of another period: made late for it, say."""
    month, own = invoice.accrual_month, period.accrual_month
    if month is None or own is None or month == own or invoice.planned_date == period.issue_date:
        return False
    return month in rules.competences.get(period.rule_id, ())


def _is_like_another(period: WantedInvoice, invoice: RemoteInvoice, rules: _Rules) -> bool:
    """Whether an invoice begins as another rule of the contract does, or came with it: one that was put off, say."""
    return any(
        begins_alike(plain(other.description), plain(invoice.description)) or came_with_its_rule(other, invoice)
        for rule_id, other in rules.one_of.items()
        if rule_id != period.rule_id
    )


def _same_customer(period: WantedInvoice, invoice: RemoteInvoice) -> bool:
    """Whether both name the same customer; answers of the first years name none."""
    return period.customer_id is None or invoice.customer_id is None or period.customer_id == invoice.customer_id


def came_with_its_rule(period: WantedInvoice, invoice: RemoteInvoice) -> bool:
    """Whether the invoice came with its rule: the vendor makes a rule's invoices in the request that makes the rule."""
    return _same_second(period.rule_created_at, invoice.created_at)


def _same_second(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one.replace(microsecond=0) == other.replace(microsecond=0)


def made_by(period: WantedInvoice, invoice: RemoteInvoice) -> MadeBy:
    """Return who made a period's invoice, where the ledger does not know: what has Ciclo's reference may be stamped."""
    if came_with_its_rule(period, invoice):
        return MadeBy.VENDOR
    named = {PeriodKey(found.rule_id, found.issue_date) for found in invoice.references}
    return MadeBy.CICLO if period.key in named else MadeBy.VENDOR


# -- what a person may have meant --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """What of a period's own invoice is not as its rule says; `amount` is BRL, where money is concerned."""

    kind: FindingKind
    expected: str
    found: str
    amount: Decimal | None = None


def differences(period: WantedInvoice, invoice: RemoteInvoice) -> Sequence[Difference]:
    """Return how a period's own invoice differs from what its rule says, by what a person may have meant.

    That it was billed on another day than planned is no difference; nor is what was appended to its description.
    """
    found: list[Difference] = []
    worth = {period.gross_value, *period.may_be_worth}
    if period.gross_value is not None and invoice.gross_value not in worth:
        off = invoice.gross_value - period.gross_value
        found.append(Difference(FindingKind.VALUE_EDITED, str(period.gross_value), str(invoice.gross_value), abs(off)))
    if period.issue_date != invoice.planned_date:
        days = period.issue_date.isoformat(), invoice.planned_date.isoformat()
        found.append(Difference(FindingKind.DATE_MOVED, *days))
    if None not in (period.accrual_month, invoice.accrual_month) and period.accrual_month != invoice.accrual_month:
        months = f"{period.accrual_month:%Y-%m}", f"{invoice.accrual_month:%Y-%m}"
        found.append(Difference(FindingKind.ACCRUAL_DIFFERS, *months))
    if period.parcels != invoice.parcels:
        found.append(Difference(FindingKind.SPLIT, str(period.parcels), str(invoice.parcels)))
    if not _same_customer(period, invoice):
        found.append(Difference(FindingKind.CUSTOMER_DIFFERS, str(period.customer_id), str(invoice.customer_id)))
    if not begins_alike(plain(period.description), plain(invoice.description)) and plain(period.description):
        found.append(Difference(FindingKind.DESCRIPTION_DIFFERS, period.description, invoice.description))
    return found
