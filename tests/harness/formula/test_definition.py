"""What a definition may say, and the line that says what is wrong with one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.operations import BUILT_IN, OPERATIONS
from lossdiff.harness.formula import define, definition_of, forget
from lossdiff.harness.formula import functions as f

from lossdiff.errors import DefinitionError

A = Any


def _loss(x: A, target: A) -> A:
    return -f.take(f.log_softmax(x), target)


def test_a_definition_is_an_operation_until_it_is_forgotten() -> None:
    found = define("my_loss", _loss)

    assert OPERATIONS["my_loss"] is found.operation
    assert definition_of("my_loss") is found
    forget("my_loss")
    assert "my_loss" not in OPERATIONS
    assert "my_loss" not in BUILT_IN


@pytest.mark.parametrize(
    ("formula", "targets", "result", "options"),
    [
        (_loss, {"index"}, "rows", ("reduction",)),
        (lambda x, target: f.softplus(x) * target, {"multi_label"}, "elements", ("reduction",)),
        (lambda x, target: f.mean(_loss(x, target)), {"index"}, "scalar", ()),
        (f.logsumexp, (), "rows", ()),
        (f.softmax, (), "elements", ()),
    ],
)
def test_the_shape_of_the_result_says_what_can_be_reduced(
    formula: A, targets: A, result: str, options: A
) -> None:
    operation = define("my_loss", formula, targets=targets).operation
    forget("my_loss")

    assert (operation.result, operation.options) == (result, options)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (math.exp, "my_loss: exp: a formula holds no numbers; its"),
        (np.exp, "my_loss: exp: a function of another library is called on an array"),
        (lambda x: x[[0, 1]], "an index holds whole numbers, `:` and `None`, and not a list"),
        (lambda x: x[:, 7], "no part [:, 7] in an array of shape (5, 7)"),
        (lambda x: x[0, 1:, None, 2], "no part [0, 1:, None, 2] in an array of shape (5, 7)"),
        (lambda x: (x > 0)[0], "a comparison has no part"),
        (lambda x: x if x > 0 else -x, "a formula cannot decide by `if`"),
        (lambda x: x + f.sum(x, axis=1), "the shapes (5, 7) and (5,) do not fit"),
        (lambda x: f.sum(x, axis=2), "no axis 2 in an array of shape (5, 7)"),
        (lambda x: f.sum(x, axis=0), "its result has shape (7,); allowed: (), (N,) or"),
        (lambda _: 1.0, "returns the number 1.0, whatever its arguments are"),
        (lambda x: x > 0, "returns a comparison, where an array of numbers is due"),
        (lambda x: (x > 0) * x, "where(condition, 1, 0) gives one"),
        (lambda x: f.where(x, 1, 0), "where takes a comparison first"),
        (lambda: 0, "is called with x alone where targets is (): too many positional"),
        ("x", "a str is no formula"),
        (lambda x: x + "a", "a str cannot be computed with in a formula"),
        (lambda x: x**x, "** takes a number as exponent"),
        (lambda x: f.maximum(x, f.sum(x, 0)[:, None]), "do not fit each other"),
    ],
)
def test_a_formula_that_cannot_be_computed_is_refused_in_one_line(formula: A, message: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        define("my_loss", formula, targets=())

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "my_loss" not in OPERATIONS


@pytest.mark.parametrize("wrong", [lambda x, t: x * t, lambda x, t: t * x, lambda x, t: x - t])
def test_classes_are_no_numbers(wrong: A) -> None:
    with pytest.raises(DefinitionError, match="an index target holds classes"):
        define("my_loss", wrong)


def test_what_is_taken_has_a_number_for_each_class() -> None:
    with pytest.raises(DefinitionError, match=r"shape \(7, 5\), where \(5, 7\) is due"):
        define("my_loss", lambda x, target: f.take(x.T, target))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"targets": {"indices"}}, "'indices' is no kind of target; did you mean index?"),
        ({"targets": "index"}, "targets is 'index'; it must be a set"),
        ({"domain": "logit"}, "'logit' is no domain; did you mean logits?"),
        ({"name": "softmax"}, "softmax is built in; choose another name"),
        ({"name": "my loss"}, "'my loss' is no name for an operation"),
        ({"forms": [f.exp]}, "exp is called with x and the target; for x alone say targets=()"),
        ({"forms": [lambda x, target: f.mean(_loss(x, target))]}, "different kinds of result"),
    ],
)
def test_a_definition_that_names_what_does_not_exist_is_refused(said: A, message: str) -> None:
    arguments = {"name": "my_loss", "formula": _loss} | said
    with pytest.raises(DefinitionError) as refused:
        define(**arguments)

    assert message in str(refused.value)


def test_a_refused_definition_leaves_the_former_one() -> None:
    first = define("my_loss", _loss)
    with pytest.raises(DefinitionError):
        define("my_loss", f.exp)
    found = definition_of("my_loss")
    forget("my_loss")

    assert found is first
