"""Data from outside: what fits is returned, and of all else one line says where it does not fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from lossdiff.cases.checked import checked, decoded, shown

from lossdiff.errors import SchemaError


@dataclass(frozen=True)
class Item:
    name: str
    size: float | None
    lengths: list[int]


GOOD = {"name": "a", "size": 1, "lengths": [1, 2]}
WRONG: dict[str, tuple[Any, str]] = {
    "a number for a text": ({**GOOD, "name": 3}, "name is a whole number, text is due"),
    "nothing for a text": ({**GOOD, "name": None}, "name is empty, text is due"),
    "bytes for a text": ({**GOOD, "name": b"a"}, "name is bytes, text is due"),
    "a text for a number": ({**GOOD, "size": "1"}, "size is text, a number is due"),
    "a truth for a number": ({**GOOD, "size": True}, "size is true or false, a number is due"),
    "within a list": (
        {**GOOD, "lengths": [1, 2.5]},
        "lengths[1] is a number, a whole number is due",
    ),
    "a missing entry": ({"name": "a"}, "size is missing"),
    "a list": ([], "is a list, an object is due"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_value_of_another_type_is_named(kind: str) -> None:
    value, expected = WRONG[kind]

    with pytest.raises(SchemaError) as raised:
        checked(value, Item)

    assert str(raised.value) == expected


def test_what_fits_is_returned() -> None:
    assert checked(GOOD, Item) == Item("a", 1.0, [1, 2])


NO_JSON = ["", "{", "[1,]", "nan", "NaN", "[" * 100_000, '"\\ud800"', b"\xff", "1" * 5000]


@pytest.mark.parametrize("text", NO_JSON)
def test_a_text_that_is_no_json_is_refused_in_one_short_line(text: Any) -> None:
    with pytest.raises(SchemaError) as raised:
        decoded(text, dict[str, Any])

    assert len(str(raised.value)) < 120
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, "{"])
def test_the_parser_that_takes_nan_refuses_likewise(text: str) -> None:
    with pytest.raises(SchemaError, match=r"^is not JSON: "):
        decoded(text, object, from_python=True)


def test_nan_is_taken_where_it_may_occur() -> None:
    assert math.isnan(decoded("[NaN]", list[float], from_python=True)[0])


def test_a_text_without_end_is_not_parsed() -> None:
    with pytest.raises(SchemaError, match=r"^has 16777217 characters, more than 16777216$"):
        decoded("1" * (2**24 + 1), int)


@pytest.mark.parametrize("value", ["\x1b[31m", "\udcff", b"\x00", "é" * 1000, [1] * 1000])
def test_a_value_is_quoted_in_few_plain_characters(value: Any) -> None:
    text = shown(value)

    assert text.replace("…", "").isascii()
    assert text.isprintable()
    assert len(text) <= 50
