"""How a kind with its facts becomes a sentence, by the words of `reasons` and `findings`.

A sentence is a template with the names of facts. `{amount:brl}` writes a decimal string as money, `{month:month}` a
`YYYY-MM` as `MM/YYYY`, `{ids:list}` a list with commas, `{amount:worth}` money in brackets where it is known,
`{state:state}` a state, `{why:because}` another reason in brackets where there is one. A day is written as the language
writes it. Any other fact that is not there reads `?`: an old row, or one that another version wrote, is shown all the
same. An error among the facts is a text of its own (`DomainError.fact`).
"""

import re
import string
from collections import Counter
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from ciclo.domain.continuity import Basis, Break
from ciclo.domain.findings import FindingKind
from ciclo.domain.instructions import InstructionKind
from ciclo.domain.money import brl
from ciclo.domain.price_index import index_label
from ciclo.domain.states import Fact, PeriodState, Reason, ReasonKind
from ciclo.domain.wording.findings import CHANGED_SINCE_CLOSED, FINDINGS, HEADINGS, VENDOR_FACTOR_UNKNOWN
from ciclo.domain.wording.reasons import BASES, BREAKS, CURES, CURES_OF_PARKED, INSTRUCTIONS, REASONS
from ciclo.locale import ENGLISH, N_, Text, _, language

_NOTHING_SAYS_NOTHING = {"worth", "otherwise", "basis", "because", "receivable", "paid"}
"""Forms that leave out what is not there."""


class _Words(string.Formatter):
    """Format strings over facts; what is missing reads `?`."""

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:  # noqa: ARG002 - the base's signature
        return kwargs.get(str(key))

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: C901, PLR0911, PLR0912 - one a format
        if value is None:
            return "" if format_spec in _NOTHING_SAYS_NOTHING else "?"
        match format_spec:
            case "worth":
                return f" ({brl(Decimal(str(value)))})"
            case "otherwise":
                return _(", by continuity {amounts}").format(amounts=self.format_field(value, "amounts"))
            case "basis":
                return f" ({_(BASES[Basis(value)])})"
            case "brl":
                return brl(Decimal(str(value)))
            case "month":
                return _month(value)
            case "amounts":
                return ", ".join(brl(Decimal(str(each))) for each in value)
            case "signed":
                return f"{'+' if Decimal(str(value)) > 0 else '−'} {brl(abs(Decimal(str(value))))}"  # noqa: RUF001 - a minus
            case "number":
                return str(value).replace(".", ",")
            case "index":
                return index_label(str(value))
            case "months":
                if not value:
                    return ""
                return _(" from {first} to {last}").format(first=_month(value[0]), last=_month(value[-1]))
            case "breaks":
                words = "; ".join(_(BREAKS[Break(each)]) for each in value)
                return f"{words}: " if words else ""
            case "state":
                return state_words(str(value))
            case "states":
                return ", ".join(state_words(str(each)) for each in value)
            case "side":
                return side_words(str(value))
            case "instruction":
                return instruction_words(str(value))
            case "because":
                return f" ({plain_words(value)})"
            case "receivable":
                return _(", receivable {number}").format(number=value)
            case "paid":
                day = plain_words(value["day"])
                return _(": {amount} on {day}").format(amount=brl(Decimal(value["amount"])), day=day)
            case "stretch":
                text = _(" from {first} to {last}") if len(value) > 1 else _(" from {first} on")
                return text.format(first=plain_words(value[0]), last=plain_words(value[-1]))
            case "changes":
                text = _("{name} {was} became {now}")
                return "; ".join(
                    text.format(name=key_words(name).lower(), was=plain_words(was), now=plain_words(now))
                    for name, (was, now) in value.items()
                )
            case "list":
                each = map(str, [value] if isinstance(value, str | int) else value)
                return ", ".join(_month(one) if A_MONTH.fullmatch(one) else one for one in each)
            case _:
                return plain_words(value)


WORDS = _Words()


def _month(value: object) -> str:
    year, month = str(value).split("-")[:2]
    return f"{month}/{year}"


def said(reason: Reason | None, nothing: str = "") -> str:
    """Put a reason into a sentence, with contract, rule and date in front where they are among its facts.

    Args:
        reason: a reason, or None where there is none.
        nothing: what to say where there is none.
    """
    if reason is None:
        return nothing
    template = _(REASONS[reason.kind])
    return f"{_place(reason.facts, template)}{_worded(reason)}"


def _worded(reason: Reason) -> str:
    facts = dict(reason.facts)
    if reason.kind is ReasonKind.NOT_ISSUED:
        state, why = str(facts.get("state")), facts.get("why")
        cure = CURES.get(state, "?")
        if isinstance(why, Mapping) and state in (PeriodState.PARKED, PeriodState.WAITING):
            cure = CURES_OF_PARKED.get(ReasonKind(str(why["reason"])), cure)
        facts["cure"] = _(cure)
    if reason.kind is ReasonKind.CLOSING_TRIED:
        facts["verdict"] = verdict_words(facts)
    return WORDS.vformat(_(REASONS[reason.kind]), (), facts)


def verdict_words(facts: Mapping[str, Any]) -> str:
    """Say how an attempt to close a month ended.

    Args:
        facts: `verdict` is "closed", "in order" or "not closed", or a sentence of an older version;
            `what_keeps_it_open` counts the obstacles by kind.
    """
    match facts.get("verdict", "?"):
        case "in order":
            return _("in order, for the contracts that were looked at")
        case "not closed" if facts.get("what_keeps_it_open"):
            counts = Counter({kind_words(kind).lower(): number for kind, number in facts["what_keeps_it_open"].items()})
            return _("not closed: {what}").format(what=", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts)))
        case verdict:
            return _(verdict)


def said_of_line(facts: Mapping[str, Any]) -> str:
    """Put a line of a month's proof into a sentence: contract, rule, day, BRL, and why it is so."""
    amount = [brl(Decimal(facts["amount"]))] if facts.get("amount") is not None else []
    place = _place(facts, "").removesuffix(": ")
    return f"{', '.join([place, *amount])}: {plain_words(facts['because'])}"


def said_of_finding(kind: str, facts: Mapping[str, Fact]) -> str:
    """Put a finding into a sentence that names what it is about; the text of an older one is as it was written."""
    if "text" in facts:
        return plain_words(facts["text"])
    if "because" in facts:
        return said_of_line(facts)
    if kind == FindingKind.CHANGED_AFTER_CLOSE and "replaced" not in facts:
        return f"{_place(facts, '')}{WORDS.vformat(_(CHANGED_SINCE_CLOSED), (), facts)}"
    if kind == FindingKind.VENDOR_FACTOR_DIFFERS and facts.get("expected") == []:
        return f"{_place(facts, '')}{WORDS.vformat(_(VENDOR_FACTOR_UNKNOWN), (), facts)}"
    try:
        template = _(FINDINGS[FindingKind(kind)])
    except (KeyError, ValueError):
        template = state_words(kind)
    return f"{_place(facts, template)}{WORDS.vformat(template, (), facts)}"


def kind_words(kind: str) -> str:
    """Return a kind of reason or finding as a heading has it."""
    return _(heading(kind))


def heading(kind: str) -> str:
    """Return the text of a kind's heading, as the catalogues have it."""
    return HEADINGS.get(kind) or kind.replace("_", " ").capitalize()


def month_words(month: date) -> str:
    """Write a month as people do, in either language: `10/2025`."""
    return f"{month:%m/%Y}"


def state_words(state: str) -> str:
    """Return a state, or another value of an enum, as a sentence has it: `in doubt`."""
    return _(state.replace("_", " "))


def instruction_words(kind: str) -> str:
    """Return what the vendor is told to do, as a button has it."""
    return _(INSTRUCTIONS[InstructionKind(kind)])


def key_words(key: str) -> str:
    """Return a key of a document as a heading has it."""
    return _(key.replace("_", " ").capitalize())


_SIDES = (
    (re.compile(r"invoice (\d+)"), N_("invoice {}")),
    (re.compile(r"(.+) on (\d{4}-\d\d-\d\d)"), N_("{} on {}")),
    (re.compile(r"(R\$ \S+), cancelled"), N_("{}, cancelled")),
)
"""What the two sides of a finding hold besides plain values: written by machines, read by people."""


def side_words(side: str | None) -> str:
    """Say what was expected, or found; an em dash where there is nothing to say."""
    if not side:
        return "—"
    for pattern, text in _SIDES:
        if found := pattern.fullmatch(side):
            return _(text).format(*map(plain_words, found.groups()))
    return plain_words(_(side))


A_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])", re.ASCII)
"""A month as a document holds it."""
_MONTHS = re.compile(rf"{A_MONTH.pattern}(?:, {A_MONTH.pattern})*", re.ASCII)
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d:\d\d)\S*)?", re.ASCII)


def plain_words(value: object) -> str:
    """Write a fact for which no form is asked: days as the language writes them, months as `10/2025`.

    A reason, a finding, a line of a proof and a text, as they stand in a document, are put into their own words.
    """
    if isinstance(value, Mapping):
        match value:
            case {"reason": kind, "facts": facts}:
                return _worded(Reason(ReasonKind(kind), facts))
            case {"finding": kind, "facts": facts}:
                return said_of_finding(kind, facts)
            case {"because": _why}:
                return said_of_line(value)
            case _:
                return str(Text.of(value))
    text = str(value)
    if _MONTHS.fullmatch(text):
        text = ", ".join(map(_month, text.split(", ")))
    elif language() != ENGLISH:
        text = _DAY.sub(lambda day: f"{day[3]}/{day[2]}/{day[1]}{f' {day[4]}' if day[4] else ''}", text)
    return text


_NAMED = (
    ("contract_id", N_("contract {}")),
    ("rule_id", N_("rule {}")),
    ("issue_date", N_("period {}")),
    ("execution_date", N_("update of {}")),
)


def named(facts: Mapping[str, Fact]) -> str:
    """Name what something is about: contract, rule, and planned date or execution date, as far as they are known."""
    return ", ".join(_(text).format(plain_words(facts[name])) for name, text in _NAMED if name in facts)


def _place(facts: Mapping[str, Fact], template: str) -> str:
    """Return what a sentence is about, for what it does not name itself."""
    place = named({name: fact for name, fact in facts.items() if f"{{{name}" not in template})
    return f"{place}: " if place else ""
