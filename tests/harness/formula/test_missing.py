"""What a formula asks for that there is not, and what it is told instead: one line each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lossdiff.harness.formula import define

from lossdiff import formula as f
from lossdiff.errors import DefinitionError

A = Any


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (lambda _: f.sin, "there is no sin in lossdiff.formula; there are abs clip "),
        (lambda _: f.relu, "there is no relu in lossdiff.formula; it is written maximum(x, 0"),
        (lambda _: f.sort, "nothing sorts, but the place of each number, from 0"),
        (lambda x: x.topk(3), "an array of a formula has no topk; nothing sorts"),
        (lambda _: f.eye(3), "constants are arrays of numbers, such as np.eye(3)"),
        (lambda _: f.sigmiod, "did you mean sigmoid?"),
        (lambda x: x.exp(), "an array has no method exp; it is written exp(x, ...)"),
        (lambda x: x.sum(dim=1), "sum takes no dim; it is called axis"),
        (lambda x: f.softmax(x, axis=0), "softmax is always along the last axis; x.T has"),
        (lambda x: f.sum(x, (0, 1)), "it takes one axis, or none for all numbers"),
        (lambda x: x % 1, "there is no operator % of arrays; there are + - * / @"),
        (lambda x: ~x, "a comparison is due, such as x > 0"),
        (lambda x: 2**x, "2 ** x is written exp(x * np.log(2))"),
        (np.exp, "a function of another library is called on an array"),
        (lambda x: x * None, "a NoneType cannot be computed with in a formula"),
        (lambda x, y: x + y, "is called with x alone where targets is ()"),
        (lambda x: f.concatenate([x, f.sum(x, axis=1)]), "(5, 7) and (5,) do not fit along"),
        (lambda _: f.concatenate([]), "concatenate takes a list of arrays of numbers"),
    ],
)
def test_what_is_missing_is_named_with_what_there_is(formula: A, message: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        define("my_loss", formula, targets=())

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "raises" not in str(refused.value)


def test_all_functions_of_a_formula_are_those_that_it_is_told_of() -> None:
    assert sorted(f.__all__) == [name for name in sorted(vars(f)) if callable(getattr(f, name))]
