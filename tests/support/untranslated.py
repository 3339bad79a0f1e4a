"""Finding what never passed through gettext: a language in which every text is written in letters of another width.

Whatever a page or a command then still says in plain letters came from nowhere in the catalogues: it is data (names of
customers, numbers of runs), a name that no language changes (IGP-M, NFS-e), or a text that somebody forgot.
"""

import gettext
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

import ciclo.locale
from scripts import messages

PO = ciclo.locale.CATALOGUES / "pt_BR" / "LC_MESSAGES" / "ciclo.po"

KEPT = re.compile(r"\{[^{}]*\}|%\(\w+\)[sd]|%%|<[^<>]*>|&\w+;")
"""What of a text is no words: names of values, tags."""
WORD = re.compile(r"[A-Za-zÀ-ÿ]{2,}")
SHOWN_ATTRIBUTES = ("aria-label", "title", "placeholder", "alt", "data-confirm")


def wide(text: str) -> str:
    """Write a text in letters of another width, but for the names of values."""
    parts, at = [], 0
    for kept in KEPT.finditer(text):
        parts += [_wide(text[at : kept.start()]), kept.group()]
        at = kept.end()
    return "".join([*parts, _wide(text[at:])])


def _wide(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if sign.isascii() and sign.isalpha() else sign for sign in text)


@contextmanager
def wide_letters(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let `pt_BR` be the language in which every text of the catalogues is wide."""
    written = Catalog(locale="pt_BR")
    for message in messages.read_catalogue(PO):
        if message.id:
            forms = message.id if isinstance(message.id, tuple) else (message.id,)
            string = tuple(wide(forms[-1]) for _form in range(written.num_plurals))
            written.add(message.id, string if len(forms) > 1 else string[0], context=message.context)
    target = folder / "pt_BR" / "LC_MESSAGES" / f"{ciclo.locale.DOMAIN}.mo"
    target.parent.mkdir(parents=True)
    with target.open("wb") as file:
        write_mo(file, written)
    patch.setattr(ciclo.locale, "CATALOGUES", folder)
    ciclo.locale._catalogue.cache_clear()
    gettext._translations.clear()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        ciclo.locale._catalogue.cache_clear()


class ShownText(HTMLParser):
    """Collects what a reader of a page sees, or hears."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        self.texts += [value for name, value in attrs if name in SHOWN_ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.texts.append(" ".join(data.split()))


def plain_texts(page: str, known: set[str]) -> list[str]:
    """Return the texts of a page with a word in plain letters that is not known."""
    return [text for text in ShownText(page).texts if plain_words_of(text, known)]


def plain_words_of(text: str, known: set[str]) -> set[str]:
    """Return the words of a text that are in plain letters and not known."""
    return {word for word in WORD.findall(text) if word not in known}
