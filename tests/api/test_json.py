"""JSON without a binary float, in either direction."""

from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciclo.api._json import read, written


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
        ('{"name": "Serviço"}'.encode(), {"name": "Serviço"}),
    ],
)
def test_a_number_with_a_fraction_is_read_as_it_was_written(content, value):
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
