"""A state file without anybody's names, documents, e-mail addresses and texts, that is billed just the same.

Words are replaced one by one, the same word by the same made-up one wherever it stands: what is told apart or belongs
together by its text (a description that begins with another, services by name, a title) still is. Ids, dates, amounts,
states and quantities stay, as do the references by which invoices are known again, and the vendor's variables such as
`$DESCRICAO`. Everything else (addresses, accounts, contacts, links, whatever the API may add) is left out.
"""

import json
import re
import unicodedata
from typing import Any, Final

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
                found[name] = self._number(str(value), _DOCUMENTS[name])
            elif name in _TEXTS or name.endswith("_errors"):
                found[name] = _WORD.sub(lambda found: self._word(found[0]), str(value))
        return found

    def _number(self, written: str, digits: int) -> str:
        plain = re.sub(r"\D", "", written)
        return self._numbers.setdefault(plain, f"{len(self._numbers) + 1:0{digits}d}")

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
