"""The language of what people read. Texts stand in English in the code and are looked up here when they are shown.

`_("…")` looks a text up at once. A text of a table or a constant is only marked where it stands, `N_("…")`, and looked
up by `_` where it is shown: the language is a reader's, not the process's. It is asked of the context (a request, a
task, a command), then of the process, then it is English. Catalogues are gettext's: `pt_BR/LC_MESSAGES/ciclo.po` is
what people edit, the `.mo` beside it is made of it by `make messages` and by every build. Standard library only, so
that the domain may use it, too.
"""

import gettext as _gettext
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Final

CATALOGUES: Final = Path(__file__).parent
DOMAIN: Final = "ciclo"
ENGLISH: Final = "en"
PORTUGUESE: Final = "pt_BR"
LANGUAGES: Final = (ENGLISH, PORTUGUESE)

_asked: ContextVar[str | None] = ContextVar("ciclo_language", default=None)
_of_the_process = ENGLISH


def language() -> str:
    """Return the language that texts are in here and now, one of `LANGUAGES`."""
    return _asked.get() or _of_the_process


@contextmanager
def speaking(wanted: str) -> Iterator[None]:
    """Put texts into a language for a while: for a request, a report, a message.

    Raises:
        ValueError: there is no such language.
    """
    token = _asked.set(_known(wanted))
    try:
        yield
    finally:
        _asked.reset(token)


def speak(wanted: str) -> None:
    """Put the texts of this process into a language, threads and all, where nothing else is asked for.

    Raises:
        ValueError: there is no such language.
    """
    global _of_the_process  # noqa: PLW0603 - a process has one language, as it has one locale
    _of_the_process = _known(wanted)


def closest(wanted: str | None) -> str | None:
    """Return the language of ours that suits best; None where none does.

    Args:
        wanted: `pt_BR`, `pt-br`, `pt_BR.UTF-8`, `C`, or a list by preference as a browser sends it
            (`fr, pt-BR;q=0.8, en;q=0.5`).
    """
    choices: list[tuple[float, int, str]] = []
    for place, part in enumerate((wanted or "").split(",")):
        name, _sep, parameters = part.partition(";")
        tongue = name.strip().replace("-", "_").split(".")[0].split("_")[0].lower()
        found = next((ours for ours in LANGUAGES if ours.split("_")[0] == tongue), None)
        weight = _weight(parameters)
        if found and weight > 0:
            choices.append((-weight, place, found))
    return min(choices)[2] if choices else None


def _(message: str) -> str:
    """Return a text in the reader's language."""
    return _catalogue(language()).gettext(message)


def ngettext(singular: str, plural: str, number: int) -> str:
    """Return the form of a text that goes with a number, in the reader's language."""
    return _catalogue(language()).ngettext(singular, plural, number)


def pgettext(context: str, message: str) -> str:
    """Return a text whose translation depends on where it stands: `Open` of a finding, of a month."""
    return _catalogue(language()).pgettext(context, message)


def N_(message: str) -> str:  # noqa: N802 - what gettext calls it
    """Mark a text for the catalogues, and return it as it is."""
    return message


class Text:
    """A text with what is filled in, put into words when it is shown, perhaps years later and in another language.

    Args:
        message: the text in English, marked by `N_`, with names in braces.
        values: what is filled in: numbers, strings, texts, or a list of which one is chosen. A fact writes any other
            value as a string.
    """

    __slots__ = ("message", "values")

    def __init__(self, message: str, **values: object) -> None:
        self.message = message
        self.values = values

    def __str__(self) -> str:
        if not self.values:
            return _(self.message)  # as it stands: an older Ciclo kept names in it, which may have braces
        between = _("or")
        values = {
            name: f" {between} ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in self.values.items()
        }
        return _(self.message).format(**values)

    @property
    def fact(self) -> dict[str, object]:
        """The text as JSON values."""
        return {"text": self.message, **{name: _plain(value) for name, value in self.values.items()}}

    @classmethod
    def of(cls, fact: Mapping[str, object]) -> "Text":
        """Return the text that a fact holds."""
        values = {name: _read(value) for name, value in fact.items() if name != "text"}
        return cls(str(fact.get("text", "?")), **values)


def _plain(value: object) -> object:
    if isinstance(value, Text):
        return value.fact
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, int | str) else str(value)


def _read(value: object) -> object:
    if isinstance(value, Mapping):
        return Text.of(value)
    return [_read(each) for each in value] if isinstance(value, list) else value


def _weight(parameters: str) -> float:
    name, _sep, value = parameters.partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


def _known(wanted: str) -> str:
    if wanted not in LANGUAGES:
        raise ValueError(f"there is no catalogue of {wanted!r}; there are {', '.join(LANGUAGES)}")
    return wanted


@cache
def _catalogue(name: str) -> _gettext.NullTranslations:
    """Return a catalogue; of English there is none: its texts are those of the code, as they are without a `.mo`."""
    return _gettext.translation(DOMAIN, CATALOGUES, [name], fallback=True)
