"""Every text that is shown is in the catalogue, and everything shown is a text."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from jinja2 import Environment

from ciclo.domain.wording import audit, comparison, findings, reasons, sentences
from scripts import messages
from untranslated import KEPT, PO, SHOWN_ATTRIBUTES, WORD

PACKAGE = messages.PACKAGE
TEMPLATES = [path for path in sorted(PACKAGE.rglob("*.html")) if not path.stem.endswith((".en", ".pt_BR"))]
"""All but those that are written once in each language."""
NAME = re.compile(r"\{\w*(?::\w+)?\}|%\(\w+\)[sd]")
MARKS = {"_", "N_", "ngettext", "pgettext", "Text"}
SINKS = {"echo": 0, "Mark": 0, "ActionOutcome": None, "Notice": None, "HTTPException": None}
"""What shows its argument to a person, and which one: a place, or the names below."""
SHOWN_NAMES = {"message", "subject", "detail", "help", "title", "label"}


def test_the_catalogue_holds_exactly_the_texts_of_the_code_each_with_its_translation():
    known, said = messages.read_catalogue(PO), messages.updated(PO)
    key = [(each.id, each.context) for each in known if each.id]
    assert set(key) == {(each.id, each.context) for each in said if each.id}, "run `make messages`"
    assert [each.id for each in known if each.id and not messages.translated(each)] == []


def test_a_translation_names_the_same_values():
    for message in messages.read_catalogue(PO):
        singular = isinstance(message.id, str)
        forms = [message.id] if singular else list(message.id)
        wanted = {name for form in forms for name in NAME.findall(form)}
        strings = [message.string] if isinstance(message.string, str) else list(message.string)
        for string in strings:
            named = set(NAME.findall(string))
            assert named == wanted if singular else named <= wanted, message.id


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_says_nothing_that_is_no_text(path):
    said = [KEPT.sub("", text).strip("\0 ") for text in _said_by(path.read_text(encoding="utf-8"))]
    assert [text for text in said if WORD.search(text) and text not in ("CSV", "Esc")] == []


def test_code_shows_nothing_that_is_no_text():
    found = [
        f"{path.relative_to(PACKAGE)}: {text}" for path in sorted(PACKAGE.rglob("*.py")) for text in _shown_by(path)
    ]
    assert found == []


def test_every_kind_has_its_words_in_the_catalogue():
    known = {each.id for each in messages.read_catalogue(PO)}
    tables = [
        table
        for name, table in (vars(sentences) | vars(reasons) | vars(findings) | vars(audit) | vars(comparison)).items()
        if isinstance(table, Mapping) and name[0] != "_"
    ]
    texts = [text for table in tables for text in table.values() if isinstance(text, str)]
    assert len(texts) > 100
    assert [text for text in texts if text not in known and WORD.search(KEPT.sub("", text))] == []


def _said_by(source: str) -> Iterator[str]:
    """Yield what a template says outside of its expressions: text between tags, and the attributes that are shown."""
    parts, in_text = [], False
    for _line, kind, value in Environment(extensions=["jinja2.ext.i18n"], autoescape=True).lex(source):
        if kind == "name" and value in ("trans", "endtrans"):
            in_text = value == "trans"
        if kind == "data" and not in_text:
            parts.append(value)
        elif kind in ("variable_begin", "block_begin"):
            parts.append("\0")
    page = re.sub(r"<(script|style)\b.*?</\1>|<!--.*?-->", "", "".join(parts), flags=re.DOTALL)
    for name in SHOWN_ATTRIBUTES:
        yield from re.findall(rf'\b{name}="([^"]*)"', page)
    yield from re.sub(r"<[^>]*>", "\n", page).splitlines()


def _shown_by(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in SINKS:
            continue
        place = SINKS[name]
        shown = [*(node.args[place : place + 1] if place is not None else ())]
        shown += [each.value for each in node.keywords if each.arg in SHOWN_NAMES]
        for argument in shown:
            yield from (f"{node.lineno}: {text}" for text in _literal(argument))


def _literal(node: ast.expr) -> Iterator[str]:
    """Yield the words of an expression that are not marked as texts."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "format" and isinstance(node.func, ast.Attribute):
            yield from _literal(node.func.value)
        if name in MARKS or name != "join":
            return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and WORD.search(node.value):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from (text for part in node.values for text in _literal(part))
    elif isinstance(node, ast.FormattedValue):
        yield from _literal(node.value)
    elif isinstance(node, ast.IfExp):
        yield from (*_literal(node.body), *_literal(node.orelse))
    elif isinstance(node, ast.BinOp):
        yield from (*_literal(node.left), *_literal(node.right))
