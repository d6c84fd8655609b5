"""An operation that a file defines, on the command line: asked, shown, and repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lossdiff.cases.operations import BUILT_IN, OPERATIONS
from lossdiff.harness.formula import forget

from lossdiff._cli.status import Status

from .command import write

FILE = """
import lossdiff
import numpy as np
from lossdiff import formula as f

def squares(x):
    return f.sum(x * x, axis=1)

lossdiff.define("row_squares", squares, targets=())

@lossdiff.implements("row_squares", dtypes={"float64"})
def row_squares(x):
    return (x * x).sum(axis=1)

@lossdiff.implements("row_squares", dtypes={"float64"})
def doubled(x):
    return 2 * (x * x).sum(axis=1)
"""


@pytest.fixture(autouse=True)
def undefined() -> Iterator[None]:
    """Forget afterwards what a test has defined."""
    yield
    for name in set(OPERATIONS) - set(BUILT_IN):
        forget(name)


def test_a_defined_operation_is_asked_shown_and_repeated(lossdiff: Any) -> None:
    impl = f"numpy={write('row_formulas.py', FILE)}"

    asked = lossdiff("check", "--impl", impl, "--operation", "row_squares", "-o", "run.sqlite")
    shown = lossdiff("show", "run.sqlite")
    case = "row_squares/float64/4x10/normal/-/0"
    named = "row_formulas.doubled=row_formulas.py"
    repeated = lossdiff("repro", "run.sqlite", case, "--impl", named)

    assert asked.status == Status.FINDINGS
    assert "row_formulas.row_squares is taken as row_squares" in asked.out
    assert "looks like: 2 times too large" in shown.out
    assert "row_formulas.row_squares (row_squares)" in shown.out
    assert repeated.status == Status.OK
    assert "the script was run, and shows it" in repeated.err


def test_a_wrong_definition_ends_the_command_in_one_line(lossdiff: Any) -> None:
    write("wrong_formulas.py", FILE.replace("axis=1)\n\nlossdiff", "axis=2)\n\nlossdiff"))

    ended = lossdiff("check", "--impl", "numpy=wrong_formulas.py", "-o", "run.sqlite")

    assert "row_squares: squares: sum: no axis 2 in an array of shape (5, 7)" in ended.error
    assert ended.status == Status.USAGE
