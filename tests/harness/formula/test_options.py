"""Options of a defined loss: what its formula takes, and what is applied around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.bounds import SOUND
from lossdiff.harness.formula import Answers, define, forget
from lossdiff.harness.formula import functions as f
from lossdiff.harness.judging import solved_case
from lossdiff.harness.oracle import solve

from lossdiff.errors import DefinitionError

A = Any
OPTIONS = {"weight", "ignore_index", "label_smoothing"}
QUESTIONS = (
    "index.random/float64/4x10/normal/weight=positive/0",
    "index.random/float32/4x10/normal/weight=with_zeros,reduction=sum/0",
    "index.random/float64/4x10/normal/weight=negative/0",
    "index.random/float64/4x10/normal/weight=all_zero/0",
    "index.some_ignored/float32/4x10/normal/reduction=none/0",
    "index.some_ignored/float64/4x10/normal/ignore_index=-1/0",
    "index.some_ignored/float64/4x10/normal/weight=positive,ignore_index=0/0",
    "index.some_ignored/float64/4x10/nan_where_ignored/weight=positive/0",
    "index.all_ignored/float64/4x10/normal/-/0",
    "index.random/float64/4x10/normal/label_smoothing=0.1/0",
    "index.some_ignored/float64/4x10/offset_1e7/weight=positive,label_smoothing=0.1/0",
    "one_hot.random/float64/4x10/normal/weight=positive,label_smoothing=0.1/0",
    "soft.soft/float64/4x10/normal/weight=positive,reduction=none/0",
    "soft.soft/float64/4x10/normal/label_smoothing=1.0/0",
)


@pytest.fixture
def losses() -> Iterator[None]:
    define("by_formula", _weighted, targets={"index", "one_hot", "soft"}, options=OPTIONS)
    define("around", _plain, options=OPTIONS - {"label_smoothing"})
    yield
    forget("by_formula")
    forget("around")


def _plain(x: A, target: A) -> A:
    return -f.take(f.log_softmax(x), target)


def _weighted(x: A, target: A, weight: A) -> A:
    return -f.take(weight * f.log_softmax(x), target)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answer_is_that_of_the_contract(losses: None, question: str) -> None:
    right = Case.parse(f"cross_entropy/{question}")
    expected = solve(right, right.inputs()).quantities
    is_around = question.startswith("index") and "smoothing" not in question
    for name in ("by_formula", "around") if is_around else ("by_formula",):
        case = Case.parse(f"{name}/{question}")
        found = Answers(case, case.inputs()).solution.quantities
        assert found.keys() == expected.keys()
        for quantity, number in found.items():
            by_hand = expected[quantity].to_float()
            assert np.allclose(number.to_float(), by_hand, 1e-15, 0, equal_nan=True)


@pytest.mark.parametrize("question", [it for it in QUESTIONS if "offset" not in it])
def test_the_bound_is_of_the_size_of_that_by_hand(losses: None, question: str) -> None:
    by_hand, by_machine = (
        solved_case(Case.parse(f"{it}/{question}")) for it in ("cross_entropy", "by_formula")
    )
    for quantity in by_machine.solution.quantities:
        ours = by_machine.bound(by_machine.solution, quantity, SOUND)
        others = by_hand.bound(by_hand.solution, quantity, SOUND)
        is_known = np.isfinite(by_machine.solution.quantities[quantity].hi)
        assert (ours[is_known] <= 3 * others[is_known]).all()


def test_weights_of_elements_lie_along_the_classes() -> None:
    define("squares", lambda x, y: (x - y) ** 2, targets={"multi_label"}, options={"weight"})
    case = Case.parse("squares/multi_label.binary/float64/2x10/normal/weight=positive/0")
    found = Answers(case, case.inputs()).solution.quantities["value"].to_float()
    forget("squares")

    given = case.inputs()
    assert np.isclose(found, (given.weight * (given.values - given.target) ** 2).mean(), 1e-14)


def test_a_parameter_is_passed_to_the_formula_and_named_in_the_id() -> None:
    define("scaled", lambda x, y, by: by * _plain(x, y), parameters={"by": (1, 0.5)})
    usual, halved = (
        Case.parse(f"scaled/index.random/float64/4x10/normal/{options}/0")
        for options in ("-", "by=0.5")
    )
    whole, half = (float(Answers(it, it.inputs()).solution.quantities["value"].to_float())
                   for it in (usual, halved))  # fmt: skip
    with pytest.raises(ValueError, match="is not the id of a case"):
        Case.parse("scaled/index.random/float64/4x10/normal/by=1.0/0")  # the default has no name
    forget("scaled")

    assert halved.options.given() == {"by": 0.5}
    assert half == whole / 2


SOFT = {"soft"}


@pytest.mark.parametrize(
    ("formula", "said", "message"),
    [
        (_plain, {"options": {"weights"}}, "'weights' is no option of a definition; did you mean"),
        (_plain, {"options": "weight"}, "options is 'weight'; it must be a set"),
        (_plain, {"options": {"pos_weight"}}, "pos_weight has to be a parameter of the formula"),
        (_plain, {"options": {"weight"}, "targets": SOFT}, "a row has no single class"),
        (_plain, {"options": {"weight", "label_smoothing"}}, "a smoothed target has no single"),
        (lambda x, y: f.mean(_plain(x, y)), {"options": {"weight"}}, "its result is one number"),
        (lambda x, y: f.mean(_plain(x, y)), {"options": {"reduction"}}, "and has no reduction"),
        (_plain, {"options": {"ignore_index"}, "targets": SOFT}, "losses with an index target and"),
        (f.logsumexp, {"options": {"weight"}, "targets": ()}, "options go with a target"),
        (_weighted, {}, "_weighted takes weight, which is not among the options"),
        (_plain, {"parameters": {"gamma": 2.0}}, "_plain has no parameter gamma"),
        (_plain, {"parameters": {"weight": 2.0}}, "no name for a parameter: it is an option"),
        (_plain, {"parameters": {"gamma": "2"}}, "gamma is '2'; allowed: numbers, the default"),
        (_plain, {"parameters": {"gamma": ()}}, "gamma is (); allowed: numbers, the default"),
        (_plain, {"parameters": {"gamma"}}, "it must be a dictionary, such as {'gamma'"),
        (lambda x, _, gamma: x * gamma, {}, "missing a required argument: 'gamma'"),
    ],
)
def test_an_option_without_a_meaning_is_refused_in_one_line(
    formula: A, said: A, message: str
) -> None:
    with pytest.raises(DefinitionError) as refused:
        define("my_loss", formula, **said)

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
