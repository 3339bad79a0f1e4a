"""JSON without a binary float, in either direction, and without what no database can hold."""

import json
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.http.json_bodies import read, written


@pytest.mark.parametrize(
    ("amount", "text"),
    [("700.10", b"700.10"), ("1E+2", b"100"), ("0.00", b"0.00"), ("-3.50", b"-3.50"), ("12345678901234567.89",) * 2],
)
def test_a_decimal_is_written_as_it_stands(amount, text):
    expected = text if isinstance(text, bytes) else text.encode()
    assert written({"a": Decimal(amount)}) == b'{"a":' + expected + b"}"


@pytest.mark.parametrize("body", [{"a": 1.5}, {"a": [{"b": 0.1}]}, {"a": {"b": (1.0,)}}, {"a": float("nan")}])
def test_a_float_is_refused_with_its_place(body):
    with pytest.raises(TypeError, match=r"^a(\.b)?: .* is a binary float; send a Decimal$"):
        written(body)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), object(), {1, 2}])
def test_what_is_not_json_is_refused(value):
    with pytest.raises(TypeError):
        written({"a": value})


def test_any_mapping_is_an_object():
    assert written(MappingProxyType({"a": MappingProxyType({"b": 1})})) == b'{"a":{"b":1}}'


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"v": 700.10}', {"v": "700.10"}),
        (b"[12345678901234567.89, 1e2, -0.5]", ["12345678901234567.89", "1e2", "-0.5"]),
        (b'{"v": 700, "w": "14.38", "x": null}', {"v": 700, "w": "14.38", "x": None}),
        (b'{"text": "a: 1.5"}', {"text": "a: 1.5"}),
        (b"[123456789012345678, -1, 1234567890123456789]", [123456789012345678, -1, "1234567890123456789"]),
        (b"[-" + b"9" * 5000 + b"]", ["-" + "9" * 5000]),
        ('{"name": "Serviço"}'.encode(), {"name": "Serviço"}),
    ],
)
def test_a_number_with_a_fraction_and_one_that_no_database_holds_are_read_as_they_were_written(content, value):
    assert read(content) == value


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b'{"a": 1.5', b'{"a": NaN, "b": 1.5}', b'{"a": "\xff"}', b"[" * 5000]
)
def test_what_is_not_json_is_a_value_error(content):
    with pytest.raises(ValueError):  # noqa: PT011 - whichever parser it was
        read(content)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_written_decimal_is_read_back_exactly(amount):
    assert Decimal(read(written({"a": amount}))["a"]) == amount


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (rb'"a\u0000b"', "a\ufffdb"),
        (rb'"\u0000", "\uDBFFx"', None),
        (rb'["\ud800", "x\uDFFF"]', ["\ufffd", "x\ufffd"]),
        (rb'{"name\u0000": "\udc00\ud800"}', {"name\ufffd": "\ufffd\ufffd"}),
        (rb'["\ud83d\ude00", "\uD800\uD83D\uDE00"]', ["😀", "\ufffd😀"]),
        (rb'["\\u0000", "\\\u0000", "\\\\u0000"]', [r"\u0000", "\\\ufffd", r"\\u0000"]),
        (rb'{"text": "\u0000", "value": 14.380}', {"text": "\ufffd", "value": "14.380"}),
        (rb'["\ud8", "0\u0000"]', None),
        (b'["\xed\xa0\x80", 1.5]', None),
        (b'["\x00"]', None),
    ],
)
def test_what_no_database_can_hold_is_read_as_the_replacement_character(content, value):
    if value is None:
        with pytest.raises(ValueError):  # noqa: PT011 - not JSON, whichever parser says so
            read(content)
    else:
        assert read(content) == value


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_any_text_that_can_be_stored_is_read_as_it_is(text):
    escaped = json.dumps({"a": text, "b": "\0"}).encode()
    assert read(escaped) == {"a": text, "b": "\ufffd"}


def test_a_byte_order_mark_before_the_json_is_passed_over():
    assert read(b'\xef\xbb\xbf{"value": 700.10}') == {"value": "700.10"}
