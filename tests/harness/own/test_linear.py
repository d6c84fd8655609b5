"""A user's loss of hidden states is taken for what it is, whatever its parameters are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend, call_for
from lossdiff.cases.model import Case
from lossdiff.harness.judging import SolvedCase, judge
from lossdiff.harness.own import Candidate, Declaration, Taken, learn
from lossdiff.harness.own.names import meaning_of
from lossdiff.harness.own.questions import questions_for

CASE = "linear_cross_entropy/index.random/float32/4x8x10/normal/{}/0"


@pytest.fixture(scope="module")
def numpy() -> Backend:
    return load_backend("numpy")


def taken(function: Callable[..., Any], backend: Backend) -> Taken:
    candidate = Candidate("mine", function, "linear_cross_entropy", Declaration())
    found = learn(candidate, backend)
    assert isinstance(found, Taken), found
    return found


def loss(h: Any, w: Any, labels: Any, b: Any = None, weight: Any = None, cap: Any = None) -> Any:
    """Return the mean loss, made by nothing but NumPy."""
    z = h @ w.T if b is None else h @ w.T + b
    z = z if cap is None else cap * np.tanh(z / cap)
    z = z - z.max(1, keepdims=True)
    rows = np.log(np.exp(z).sum(1)) - np.take_along_axis(z, labels[:, None], 1)[:, 0]
    shares = np.ones(len(rows), h.dtype) if weight is None else weight[labels]
    return (rows * shares).sum() / shares.sum()


def by_cut(e: Any, c: Any, targets: Any, bias: Any = None, softcap: Any = None) -> Any:
    return loss(e, c, targets, bias, cap=softcap)


def by_liger(_input: Any, weight: Any, target: Any, bias: Any = None, ce_weight: Any = None) -> Any:
    return loss(_input, weight, target, bias, ce_weight)


def by_torch(
    input: Any,  # noqa: A002 -- as PyTorch names it
    linear_weight: Any,
    target: Any,
    *,
    linear_bias: Any = None,
    weight: Any = None,
) -> Any:
    return loss(input, linear_weight, target, linear_bias, weight)


def by_name(hidden_states: Any, lm_head: Any, labels: Any) -> Any:
    return loss(hidden_states, lm_head, labels)


def short(h: Any, w: Any, y: Any, b: Any = None) -> Any:
    return loss(h, w, y, b)


def x_and_classifier(x: Any, classifier: Any, targets: Any) -> Any:
    return loss(x, classifier, targets)


def labels_first(y: Any, hidden: Any, lin_weight: Any) -> Any:
    return loss(hidden, lin_weight, y)


def nameless(one: Any, two: Any, three: Any) -> Any:
    return loss(one, two, three)


STYLES: dict[Callable[..., Any], set[str]] = {
    by_cut: {"linear_bias", "logit_softcap"},
    by_liger: {"linear_bias", "weight"},
    by_torch: {"linear_bias", "weight"},
    by_name: set(),
    short: {"linear_bias"},
    x_and_classifier: set(),
    labels_first: set(),
    nameless: set(),
}


@pytest.mark.parametrize("function", STYLES, ids=lambda it: it.__name__)
def test_arrays_and_options_are_known_by_their_usual_names(
    function: Callable[..., Any], numpy: Backend
) -> None:
    made = taken(function, numpy).implementation
    assert made.claim.options == STYLES[function]

    levels = {"linear_bias": "normal", "weight": "positive", "logit_softcap": 30.0}
    order = ("weight", "logit_softcap", "linear_bias")
    given = [f"{it}={levels[it]}" for it in order if it in STYLES[function]]
    case = Case.parse(CASE.format(",".join(given) or "-"))
    call = call_for(made, case, case.inputs())
    value = call(*(getattr(case.inputs(), name) for name in call.arguments))

    word = judge(SolvedCase(case, case.inputs()), "value", np.asarray(value)).word
    assert word in ("exact", "faithful", "within bound")


@pytest.mark.parametrize(
    "name",
    [
        "linear_cross_entropy", "fused_linear_cross_entropy", "my_linear_cross_entropy_loss",
        "chunked_linear_cross_entropy", "LinearCrossEntropyLoss", "FusedLinearCrossEntropyLoss",
        "triton_linear_cross_entropy", "cut_cross_entropy",
    ],
)  # fmt: skip
def test_names_of_linear_losses_are_known(name: str) -> None:
    found = meaning_of(name)

    assert found is not None
    assert found[0].operation == "linear_cross_entropy"


def test_a_bias_without_a_default_is_always_given(numpy: Backend) -> None:
    def function(hidden: Any, weight: Any, target: Any, bias: Any) -> Any:
        return loss(hidden, weight, target, bias)

    claim = taken(function, numpy).implementation.claim

    assert claim.limits.required == {"linear_bias"}
    assert all(case.options.linear_bias for case in questions_for(claim))


def test_gradients_that_are_returned_are_those_of_each_array(numpy: Backend) -> None:
    def function(hidden: Any, weight: Any, target: Any) -> Any:
        z = hidden @ weight.T
        p = np.exp(z - z.max(1, keepdims=True))
        p = p / p.sum(1, keepdims=True)
        g = (p - np.eye(len(weight), dtype=p.dtype)[target]) / np.float32(len(hidden))
        return loss(hidden, weight, target), g @ weight, g.T @ hidden

    made = taken(function, numpy).implementation
    case = Case.parse(CASE.format("-"))
    call = call_for(made, case, case.inputs())
    arrays = [getattr(case.inputs(), name) for name in call.arguments]
    value, gradients = numpy.forward_backward(call, "eager")(np.float32(0.625), *arrays)

    solved = SolvedCase(case, case.inputs())
    names = ("value", "gradient_hidden", "gradient_linear_weight")
    for quantity, got in zip(names, (value, *gradients), strict=True):
        assert judge(solved, quantity, got).word in ("exact", "faithful", "within bound")


def test_questions_are_asked_of_what_it_claims(numpy: Backend) -> None:
    cases = questions_for(taken(by_liger, numpy).implementation.claim)

    assert all(case.hidden and Case.parse(case.id) == case for case in cases)
    assert {case.options.linear_bias for case in cases} == {None, "normal"}
    assert {case.options.weight for case in cases} >= {None, "positive"}
    assert {"cancelling", "below_zero", "normal_100"} <= {case.family for case in cases}
    assert len({case.shape[1] for case in cases}) > 10
