"""An account read whole into a state file of the vendor's stand-in, to rehearse its future; nothing is sent.

One request for each catalogue and for the list of contracts, a page for a hundred invoices or tax documents, a request
a contract for its rules. An inactive contract is in no list: it is read if it has invoices. Secrets stay behind:
neither the account's token nor those of subscriptions are in the file. What cannot be read is left out and named.

On demand the file is without anybody's names, documents, e-mail addresses and texts, and is billed just the same. Words
are replaced one by one, the same word by the same made-up one wherever it stands: what is told apart or belongs
together by its text (a description that begins with another, services by name, a title) still is. Ids, dates, amounts,
states and quantities stay, as do the references by which invoices are known again, and the vendor's variables such as
`$DESCRICAO`. Everything else (addresses, accounts, contacts, links, whatever the API may add) is left out.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from ciclo.billimatic import ApiError, BadRequestError, BillimaticClient, NotFoundError, RejectedError
from ciclo.billimatic.models import OddRecord, Record
from ciclo.domain.calendar import add_months, first_of_month
from ciclo.http.errors import UnreadableAnswerError
from ciclo.jobs.audit.read import Progress
from ciclo.jobs.rules.ask import answers_about, listings_of_rules

Json = dict[str, Any]

_PARTIES: Final = frozenset({"organizations", "companies", "people"})
_OF_PARTIES: Final = frozenset({"id", "account_id", "name", "company_name", "cnpj", "cpf", "kind", "created_at"})
_TEXTS: Final = frozenset({"name", "company_name", "title", "description", "comments", "nfe_body", "finance_category"})
_DOCUMENTS: Final = {"cnpj": 14, "cpf": 11}
"""Fields with registration numbers, and how many digits they have."""
_KEPT: Final = frozenset({
    "today", "state", "status", "kind", "approval_status", "management_type", "registration_method", "customer_type",
    "supplier_type", "charge_type", "period_unit", "accrual_month_quantity", "price_index", "payment_method",
    "gross_value", "payment_value", "value", "unit_value", "units", "received_value", "percentage", "fine_type",
    "interest_type", "fine_value", "interest_value", "month_quantity", "day_quantity", "day_number", "parcel_number",
    "installments", "days_until_update", "days_until_automatic_nfe_emission",
})  # fmt: skip
_KEPT_ENDINGS: Final = ("_date", "_at", "client_since")
_WORD: Final = re.compile(r"\bciclo:[\w:.-]+|\[ciclo a\d+\]|\$[A-Z_]+|\w+")
"""References and marks of Ciclo's, variables of the vendor's, words."""
_CONSONANTS, _VOWELS = "bdfgjklmnprstvz", "aeiou"
_SYLLABLES: Final = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
_SHORTEST: Final = 3
"""Syllables of a made-up word."""


def anonymized(state: Json) -> Json:
    """Return a state with every text replaced; the same state gives the same one."""
    masks = _Masks(state)
    return {
        kind: value
        if kind == "behaviour"
        else [
            masks.document(each, _OF_PARTIES if kind in _PARTIES else None) for each in value if isinstance(each, dict)
        ]
        if isinstance(value, list)
        else value
        for kind, value in state.items()
        if kind == "behaviour" or isinstance(value, list) or kind in _KEPT
    }


class _Masks:
    """What stands for what."""

    def __init__(self, state: Json) -> None:
        self._taken = {_plain(each) for each in re.findall(r"\w+", json.dumps(state, ensure_ascii=False, default=str))}
        self._words: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._next = len(_SYLLABLES) ** (_SHORTEST - 1)

    def document(self, document: Json, only: frozenset[str] | None = None) -> Json:
        """Return a resource, masked."""
        found: Json = {}
        for name, value in document.items():
            if only is not None and name not in only:
                continue
            if isinstance(value, dict):
                found[name] = self.document(value)
            elif isinstance(value, list):
                found[name] = [self.document(each) for each in value if isinstance(each, dict)]
            elif value is None or isinstance(value, bool) or _is_kept(name, value):
                found[name] = value
            elif name in _DOCUMENTS:
                plain = re.sub(r"\D", "", str(value))
                found[name] = self._numbers.setdefault(plain, f"{len(self._numbers) + 1:0{_DOCUMENTS[name]}d}")
            elif name in _TEXTS or name.endswith("_errors"):
                found[name] = _WORD.sub(lambda found: self._word(found[0]), str(value))
        return found

    def _word(self, word: str) -> str:
        if word.startswith(("ciclo:", "[ciclo ", "$")):
            return word
        key = _plain(word)
        if key not in self._words:
            self._words[key] = self._made_up()
        mask = self._words[key]
        return mask.upper() if word.isupper() and len(word) > 1 else mask.capitalize() if word[0].isupper() else mask

    def _made_up(self) -> str:
        """Return a word that nobody uses and that stands for nothing yet."""
        while True:
            word, number = "", self._next
            while number:
                number, syllable = divmod(number, len(_SYLLABLES))
                word += _SYLLABLES[syllable]
            self._next += 1
            if word not in self._taken:
                return word


def _is_kept(name: str, value: Any) -> bool:
    if name == "id" or name.endswith("_id"):
        return isinstance(value, int) or str(value).isdecimal() or value == "--"
    return name in _KEPT or name.endswith(_KEPT_ENDINGS)


def _plain(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold()


MONTHS_BEFORE: Final = 13
"""Months whose invoices are read: a yearly period that covers the first months of what comes began in one of them."""
MONTHS_AHEAD: Final = 36
"""The vendor generates up to 24 months' worth of invoices, and may have extended them since."""
BEHAVIOUR: Final[Json] = {"emit_on_issue_date": True, "generate_invoices": True}
"""How the stand-in goes on from there: it issues on the issue date, and generates the invoices of new rules."""
_ROWS_OF_A_PAGE: Final = 100
_REFUSED = (BadRequestError, NotFoundError, RejectedError, UnreadableAnswerError)


@dataclass(slots=True)
class ExportedAccount:
    """An account as a state file, and what of it could not be read, a line a thing."""

    state: Json
    left_out: list[str] = field(default_factory=list)


def export_account(api: BillimaticClient, *, today: date, tell: Callable[[Progress], None]) -> ExportedAccount:
    """Read an account.

    Args:
        api: a client that only reads.
        today: the day in São Paulo; the file says it, so that a rehearsal knows where it begins.
        tell: told how far it is.

    Raises:
        ApiError: contracts or invoices cannot be read.
    """
    reading = _Reading(api, tell)
    state: Json = {"today": today.isoformat(), "behaviour": dict(BEHAVIOUR)}
    state["organizations"] = reading.organizations()
    for kind, ask in (
        ("companies", api.companies),
        ("people", api.people),
        ("service_items", api.service_items),
        ("email_templates", api.email_templates),
        ("charge_templates", api.charge_templates),
        ("financial_accounts", api.financial_accounts),
        ("nfse_templates", api.nfse_templates),
        ("invoice_templates", api.invoice_templates),
    ):
        state[kind] = reading.catalogue(kind, ask)
    contracts = reading.documents(api.contracts())
    reading.tell("contracts", left=len(contracts))
    first = first_of_month(add_months(today, -MONTHS_BEFORE))
    search = api.search_invoices(issue_date_from=first, issue_date_to=add_months(today, MONTHS_AHEAD))
    invoices = reading.paged("invoices", search, left=len(contracts))
    known = {each["id"] for each in contracts}
    for contract_id in sorted({each["contract_id"] for each in invoices} - known):
        contracts += reading.contract(contract_id)
    known = {each["id"] for each in contracts}
    state["contracts"] = [{**each, "token": None} for each in contracts]
    state["invoices"] = [each for each in invoices if each["contract_id"] in known]
    state["invoice_rules"] = reading.rules(sorted(known), billed={each["contract_id"] for each in invoices})
    state["nfses"] = reading.tax_documents(first)
    return ExportedAccount(
        {
            kind: (sorted(rows, key=lambda each: each["id"]) if isinstance(rows, list) else rows)
            for kind, rows in state.items()
        },
        reading.left_out,
    )


class _Reading:
    """What was read so far, and what was not."""

    def __init__(self, api: BillimaticClient, tell: Callable[[Progress], None]) -> None:
        self.left_out: list[str] = []
        self._api = api
        self._tell = tell
        self._made = 0

    def tell(self, what: str, *, left: int, made: int = 1) -> None:
        """Say how far it is."""
        self._made += made
        self._tell(Progress(what, self._made, left))

    def documents(self, listing: Any) -> list[Json]:
        """Return the records of a list as they were answered; those that cannot be read are left out."""
        records: Iterable[Record] = listing
        found = [each.payload for each in records]
        self._leave_out(listing.odd)
        return found

    def organizations(self) -> list[Json]:
        """Return the organization that bills, as far as the API tells of it: older ones do not."""
        listed = self.catalogue("organizations", self._api.organizations)
        own = [each for each in listed if each["id"] == self._api.organization_id]
        return own or [{"id": self._api.organization_id, "name": f"Organization {self._api.organization_id}"}]

    def catalogue(self, kind: str, ask: Callable[[], Any]) -> list[Json]:
        """Return a catalogue; one that the API does not have is empty."""
        try:
            found = self.documents(ask())
        except _REFUSED as error:
            self.left_out.append(f"{kind}: {error.reason}")
            found = []
        self.tell(kind, left=0)
        return found

    def paged(self, kind: str, search: Any, *, left: int) -> list[Json]:
        """Return what a search finds."""
        found: list[Json] = []
        for record in search:
            found.append(record.payload)
            if len(found) % _ROWS_OF_A_PAGE == 0:
                self.tell(kind, left=left)
        self._leave_out(search.odd)
        self.tell(kind, left=left)
        return found

    def contract(self, contract_id: int) -> list[Json]:
        """Return a contract that is not in the list of active ones."""
        self.tell("contracts", left=0)
        ((_, answer),) = answers_about(self._api, self._api.contract, [contract_id])
        if isinstance(answer, ApiError):
            self.left_out.append(f"contract {contract_id} and its invoices: {answer.reason}")
            return []
        return [answer.payload]

    def rules(self, contract_ids: list[int], *, billed: set[int]) -> list[Json]:
        """Return the rules of contracts; an empty list of one that has invoices is asked for again."""
        found: list[Json] = []
        listings = listings_of_rules(self._api, contract_ids, bills=billed.__contains__)
        for number, (contract_id, answer) in enumerate(listings, start=1):
            if isinstance(answer, ApiError):
                self.left_out.append(f"the rules of contract {contract_id}: {answer.reason}")
            else:
                found += [{**each, "contract_id": contract_id} for each in self.documents(answer)]
            self.tell("rules", left=len(contract_ids) - number)
        return found

    def tax_documents(self, since: date) -> list[Json]:
        """Return the tax documents since a day."""
        try:
            return self.paged("nfses", self._api.search_nfses({"generated_at_gteq": since}), left=0)
        except _REFUSED as error:
            self.left_out.append(f"nfses: {error.reason}")
            return []

    def _leave_out(self, odd: Iterable[OddRecord]) -> None:
        self.left_out += map(str, odd)
