"""The letter to the customer about a readjustment (*carta de reajuste*): what it says, to whom it goes, how it stands.

What it says is put into words by a template; here are the facts that a template gets. Money is BRL, months are the
first day of the month, factors are unrounded.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from ciclo.domain.money import EXACT
from ciclo.domain.price_index import ONE, PriceIndex

MOST_ADDRESSES = 20
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+\.[^\s@<>,;:\"()\[\]\\]+", re.ASCII)


class LetterKind(StrEnum):
    """Whether a letter announces a readjustment or reports it."""

    BEFORE = "before"
    AFTER = "after"


class Letters(StrEnum):
    """Which letters an installation sends."""

    OFF = "off"
    BEFORE = "before"
    AFTER = "after"
    BOTH = "both"

    @property
    def kinds(self) -> tuple[LetterKind, ...]:
        """The kinds of letters that are sent by themselves."""
        return tuple(kind for kind in LetterKind if self is Letters.BOTH or self.value == kind.value)


class LetterState(StrEnum):
    """How a letter stands. Only what is certainly not sent is tried again."""

    ASKED = "asked"
    """A person wants it sent by the next run."""
    NO_ADDRESS = "no_address"
    """The vendor has no address for billing of the customer."""
    FAILED = "failed"
    """The mail server took it from nobody."""
    SENDING = "sending"
    """On its way: the claim that is committed before it is handed over."""
    SENT = "sent"
    IN_DOUBT = "in_doubt"
    """Handed over, and nobody knows what became of it: never sent again unless a person asks for it."""


NOT_SENT = (LetterState.ASKED, LetterState.NO_ADDRESS, LetterState.FAILED)
"""States of letters that have certainly not reached the customer."""


@dataclass(frozen=True, slots=True)
class LetterPrice:
    """One price in a letter.

    Attributes:
        service: its name; empty for a rule without services.
        old: unit value before.
        new: unit value from the execution date on; None while a value of the index is not out.
        factor: what the old one is multiplied by; None where it is not known, or led to another price.
        months: the first and the last month of the index that are counted; empty where none is.
        terms: what the contract's terms did, in words.
    """

    service: str
    old: Decimal
    new: Decimal | None
    factor: Decimal | None
    months: tuple[date, ...]
    terms: tuple[str, ...] = ()

    @property
    def percent(self) -> Decimal | None:
        """The factor as a variation in per cent, unrounded."""
        return None if self.factor is None else EXACT.subtract(self.factor, ONE).scaleb(2, context=EXACT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a letter says.

    Attributes:
        kind: before or after.
        written_on: the letter's date.
        organization: who writes.
        customer: to whom; empty where it is not known.
        contract_id, contract, rule_id, rule: what it is about, by number and name.
        index: by which index.
        execution_date: the day from which the new prices count.
        prices: old and new ones.
        missing: months of the index that are not published yet.
        law: the law it rests on.
        clauses: of the contract.
        passport: hash of the readjustment's passport; empty for a letter before.
    """

    kind: LetterKind
    written_on: date
    organization: str
    customer: str
    contract_id: int
    contract: str
    rule_id: int
    rule: str
    index: PriceIndex
    execution_date: date
    prices: tuple[LetterPrice, ...]
    missing: tuple[date, ...] = ()
    law: str
    clauses: tuple[str, ...] = ()
    passport: str = ""

    @property
    def changes_something(self) -> bool:
        """Whether a price is another one afterwards, or may be."""
        return any(price.new != price.old for price in self.prices)


def addresses(text: str | None) -> tuple[str, ...]:
    """Return the e-mail addresses in a text of the vendor's, each once; what is no address is left out.

    An address never holds a blank or a line break: it goes into the headers of a mail.
    """
    found = dict.fromkeys(part for part in re.split(r"[\s,;]+", text or "") if _ADDRESS.fullmatch(part))
    return tuple(found)[:MOST_ADDRESSES]
