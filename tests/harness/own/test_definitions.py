"""The operations that a user's file defines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lossdiff.cases.operations import BUILT_IN, OPERATIONS
from lossdiff.harness.formula import forget
from lossdiff.harness.own import define_from, defines, found_in

from lossdiff.errors import DefinitionError

FORMULA = """
from lossdiff import formula as f

def squares(x):
    return f.mean(x * x)
"""
DICTIONARY = 'operations = {"squares": {"formula": squares, "targets": ()}}\n'
CALL = 'import lossdiff\nlossdiff.define("squares", squares, targets=())\n'
LOSS = "def squares_v2(x):\n    return (x * x).mean()\n"


@pytest.fixture(autouse=True)
def undefined() -> Iterator[None]:
    """Forget afterwards what a test has defined."""
    yield
    for name in set(OPERATIONS) - set(BUILT_IN):
        forget(name)


def _file(folder: Path, text: str, name: str = "own_formulas.py") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("said", [DICTIONARY, CALL])
def test_a_file_defines_operations_by_a_dictionary_or_by_a_call(tmp_path: Path, said: str) -> None:
    define_from(_file(tmp_path, FORMULA + said))

    assert OPERATIONS["squares"].result == "scalar"


def test_whether_a_file_defines_something_is_seen_without_an_import(tmp_path: Path) -> None:
    bomb = "raise SystemExit('imported')\n"

    assert not defines(f"{_file(tmp_path, bomb, 'own_bomb.py')}:loss=softmax")
    assert defines(_file(tmp_path, FORMULA + CALL + bomb, "own_bomb.py"))
    assert "own_bomb" not in sys.modules


@pytest.mark.parametrize("text", ['operations = ["add", "sub"]\n', 'operations = {"add": 1}\n'])
def test_another_meaning_of_the_name_is_left_alone(tmp_path: Path, text: str) -> None:
    define_from(_file(tmp_path, text))

    assert set(OPERATIONS) == set(BUILT_IN)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('operations = {"softmax": squares}', "softmax is built in"),
        ('operations = {"squares": squares}', "squares: squares is called with x and the target"),
        ('operations = {"squares": {"formula": squares, "target": ()}}', "unexpected keyword"),
    ],
)
def test_a_wrong_definition_is_one_line(tmp_path: Path, said: str, message: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        define_from(_file(tmp_path, FORMULA + said))

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_functions_are_taken_by_the_name_of_what_is_defined_and_formulas_are_not(
    tmp_path: Path,
) -> None:
    found, left = found_in(_file(tmp_path, FORMULA + DICTIONARY + LOSS), "numpy")

    assert [(it.name, it.operation) for it in found] == [("own_formulas.squares_v2", "squares")]
    assert left == []


def test_an_object_is_said_to_be_what_its_file_defines(tmp_path: Path) -> None:
    text = FORMULA + DICTIONARY + LOSS.replace("squares_v2", "power")

    found, _ = found_in(f"{_file(tmp_path, text)}:power=squares", "numpy")

    assert found[0].operation == "squares"
