"""Asking more closely: repetitions, other forms and second derivatives, with NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend, Call, ForwardBackward, Implementation
from lossdiff.backends.claim import Claim
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Failure, Observation
from lossdiff.harness.judging import judge, solved_case
from lossdiff.harness.relations import RelationCheck, check_probe
from lossdiff.harness.verdicts import AGAIN, kind_of
from lossdiff.harness.workers.evaluate import evaluate
from lossdiff.harness.workers.probe import probe

from ...planted import sound
from ...planted.sound import Array
from ..formula.formulas import defined

SOFTMAX = Case.parse("softmax/float32/4x10/grid/-/0")
LOG_SOFTMAX = Case.parse("log_softmax/float32/4x10/grid/-/0")
INDEX = Case.parse("cross_entropy/index.random/float32/4x10/grid/-/0")
OF_ROWS = (AGAIN, "rows", "alone")


@dataclass(frozen=True)
class Probed(Observation):
    """An observation, and how its answers compare with each other."""

    related: tuple[RelationCheck, ...] = ()


def probed(
    function: Callable[..., Any], vjp: Callable[..., Any] | None = None, case: Case = SOFTMAX
) -> Probed:
    """Ask a function a case, and then more closely."""
    backend = load_backend("numpy")
    taken = frozenset({case.target_kind, "one_hot"} if case.target_kind else ())
    claim = Claim("mine.it", "numpy", case.operation, "user", taken, frozenset())
    backend.extra.append(Implementation(claim, function, vjp))
    return asked(backend, "mine.it", case)


def asked(backend: Backend, name: str, case: Case, mode: str = "eager") -> Probed:
    """Ask an implementation a case, and then more closely; compare the answers."""
    observation = probe(backend, mode, case, evaluate(backend, name, mode, case))
    assert observation.probe is not None
    claim = backend.implementations[name].claim
    return Probed(**vars(observation), related=tuple(check_probe(case, claim, observation.probe)))


def related(observation: Probed, relation: str) -> dict[str, RelationCheck]:
    """Return the comparisons of one relation by their quantities."""
    return {found.quantity: found for found in observation.related if found.relation == relation}


# --- what is right ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "relations"),
    [
        (SOFTMAX, {*OF_ROWS, "padding", "shift", "permutation", "sums"}),
        (INDEX, {*OF_ROWS, "shift", "permutation", "sums", "one_hot"}),
        (Case.parse("sigmoid/float32/4x10/grid/-/0"), {*OF_ROWS, "padding", "reflection"}),
        (Case.parse("softmax/bfloat16/64x70/grid/-/0"),
         {*OF_ROWS, "padding", "shift", "permutation", "sums", "split"}),
    ],
    ids=lambda value: getattr(value, "id", None),
)  # fmt: skip
def test_a_sound_implementation_is_compared_and_holds(case: Case, relations: set[str]) -> None:
    name = case.operation
    observation = probed(getattr(sound, name), getattr(sound, f"{name}_vjp"), case)

    assert {found.relation for found in observation.related} == relations
    assert {found.quantity for found in observation.related} == {"value", "gradient_logits"}
    assert all(found.holds for found in observation.related)
    assert all(found.ratio <= 1 and not found.note for found in observation.related)


def test_the_answers_are_those_of_the_plain_question() -> None:
    backend = load_backend("numpy")
    plain = evaluate(backend, "numpy.recipes.softmax", "eager", SOFTMAX)
    observation = asked(backend, "numpy.recipes.softmax", SOFTMAX)

    for quantity, answer in plain.answers.items():
        np.testing.assert_array_equal(observation.answers[quantity], answer)
    assert (observation.case, observation.mode) == (SOFTMAX.id, "eager")
    assert observation.seconds > 0


def test_without_a_gradient_the_value_alone_is_compared() -> None:
    observation = probed(sound.softmax)

    assert {found.quantity for found in observation.related} == {"value"}
    assert all(found.holds for found in observation.related)


# --- where each operator is compiled ---------------------------------------------------------


def modes_by_rows(backend: Backend, mode: str, *, kind: str = "user") -> dict[int, set[str]]:
    """Return for each number of rows the modes in which a softmax was called with it."""
    calls: dict[int, set[str]] = {}

    def softmax(logits: Array) -> Array:
        calls.setdefault(len(logits), set()).add(now[-1])
        return sound.softmax(logits)

    def forward_backward(call: Call, mode: str) -> ForwardBackward:
        found = asks(call, mode)

        def run(*arrays: Any) -> Any:
            now.append(mode)
            return found(*arrays)

        return run

    now: list[str] = []
    asks = backend.forward_backward
    backend.forward_backward = forward_backward  # type: ignore[method-assign]
    backend.description = replace(backend.description, quickest="jit")  # type: ignore[misc]
    claim = Claim("mine.it", "numpy", "softmax", kind, frozenset(), frozenset())  # type: ignore[arg-type]
    backend.extra.append(Implementation(claim, softmax, sound.softmax_vjp))
    probe(backend, mode, SOFTMAX, evaluate(backend, "mine.it", mode, SOFTMAX))
    return calls


def test_another_shape_is_asked_in_the_mode_that_compiles_once() -> None:
    modes = modes_by_rows(load_backend("numpy"), "eager")

    assert modes == {4: {"eager"}, 1: {"jit"}, 7: {"jit"}}


def test_in_every_other_mode_and_of_other_functions_it_is_asked_as_the_question_is() -> None:
    compiled = modes_by_rows(load_backend("numpy"), "compile")
    theirs = modes_by_rows(load_backend("numpy"), "eager", kind="native")

    assert compiled == {rows: {"compile"} for rows in (4, 1, 7)}
    assert theirs == {rows: {"eager"} for rows in (4, 1, 7)}


def test_a_function_that_fails_in_that_mode_is_compared_eagerly() -> None:
    backend = load_backend("numpy")
    backend.description = replace(backend.description, quickest="jit")  # type: ignore[misc]
    forward, both = backend.forward, backend.forward_backward

    def refused(*_: Any) -> Any:
        raise TypeError("no tracer, please")

    def only_eagerly(found: Callable[..., Any]) -> Callable[..., Any]:
        return lambda call, mode: found(call, mode) if mode == "eager" else refused

    backend.forward = only_eagerly(forward)  # type: ignore[method-assign]
    backend.forward_backward = only_eagerly(both)  # type: ignore[method-assign]
    claim = Claim("mine.it", "numpy", "softmax", "user", frozenset(), frozenset())
    backend.extra.append(Implementation(claim, sound.softmax, sound.softmax_vjp))
    observation = asked(backend, "mine.it", SOFTMAX)

    alone = related(observation, "alone")
    assert {quantity: check.holds for quantity, check in alone.items()} == {
        "value": True, "gradient_logits": True
    }  # fmt: skip


# --- the same call again ---------------------------------------------------------------------


def test_a_stateful_implementation_gives_other_bits() -> None:
    calls = count()

    def softmax(logits: Array) -> Array:
        value = sound.softmax(logits)
        value[0, 0] = np.nextafter(value[0, 0], np.float32(next(calls) % 2))
        return value

    again = related(probed(softmax, sound.softmax_vjp), AGAIN)

    assert not again["value"].holds
    assert 0 < again["value"].difference < 1e-7
    assert again["gradient_logits"].holds


def test_a_zero_of_another_sign_is_other_bits() -> None:
    signs = iter([0.0, 0.0, -0.0, *[0.0] * 9])

    again = related(probed(lambda logits: logits * np.float32(next(signs))), AGAIN)

    assert not again["value"].holds
    assert again["value"].difference == 0


def test_another_shape_the_second_time_is_no_repetition() -> None:
    calls = count()

    def softmax(logits: Array) -> Array:
        return sound.softmax(logits)[: 4 - next(calls) % 2]

    assert not related(probed(softmax), AGAIN)["value"].holds


def test_what_fails_is_not_compared() -> None:
    def softmax(logits: Array) -> Array:
        raise ValueError("no")

    observation = probed(softmax)

    assert observation.related == ()
    assert observation.answers["value"] == Failure("raised", "ValueError: no", "ValueError")


# --- relations -------------------------------------------------------------------------------


def test_a_relation_that_does_not_hold_says_where_and_by_how_much() -> None:
    def softmax(logits: Array) -> Array:
        value = sound.softmax(logits)
        value[2, 7] += 0.25
        return value

    found = related(probed(softmax), "sums")["value"]

    assert not found.holds
    assert found.difference == pytest.approx(0.25, abs=1e-6)
    assert found.ratio > 1e4
    assert found.where == "[2]"
    assert (float(found.left), found.right) == (pytest.approx(1.25, abs=1e-6), "1.0")
    assert found.note == ""


def test_a_form_that_fails_is_a_relation_that_does_not_hold() -> None:
    def softmax(logits: Array) -> Array:
        if logits.max() > 100:
            raise OverflowError("too large for me")
        return sound.softmax(logits)

    observation = probed(softmax, sound.softmax_vjp)

    assert related(observation, "shift") == {
        "value": RelationCheck("shift", "value", False, note="OverflowError: too large for me")
    }
    assert all(found.holds for found in related(observation, "permutation").values())


def test_a_form_of_another_shape_is_a_relation_that_does_not_hold() -> None:
    def softmax(logits: Array) -> Array:
        return sound.softmax(logits)[: 3 if logits.max() > 100 else 4]

    found = related(probed(softmax), "shift")["value"]

    assert not found.holds
    assert found.note == "float32 of shape (3, 10)"


WRONG = {
    "a list": lambda logits: sound.softmax(logits).tolist(),
    "whole numbers": lambda logits: np.ones(logits.shape, np.int64),
    "one row": lambda logits: sound.softmax(logits)[0],
    "a number": lambda logits: logits.sum(),
    "nothing": lambda logits: logits[:0],
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_the_judge_refuses_is_compared_with_nothing(kind: str) -> None:
    observation = probed(WRONG[kind], sound.softmax_vjp)

    assert {found.relation for found in observation.related} == {AGAIN}


def test_a_gradient_that_the_judge_refuses_is_left_out() -> None:
    observation = probed(sound.softmax, lambda _, logits: (logits[0],))

    assert set(related(observation, "shift")) == set(related(observation, "sums")) == {"value"}
    assert all(found.holds for found in observation.related)


def test_nan_where_there_was_a_number_is_infinitely_far_away() -> None:
    def softmax(logits: Array) -> Array:
        e = np.exp(logits)
        return e / e.sum(-1, keepdims=True)

    found = related(probed(softmax), "shift")["value"]

    assert not found.holds
    assert (found.difference, found.ratio) == (np.inf, np.inf)
    assert found.right == "nan"


def test_the_same_infinity_on_both_sides_is_for_the_oracle_to_find() -> None:
    found = related(probed(lambda logits: np.full_like(logits, -np.inf)), "permutation")

    assert found["value"].holds
    assert found["value"].difference == 0


def test_lse_minus_x_is_explained_by_its_form() -> None:
    def log_softmax(logits: Array) -> Array:
        a = logits.max(-1, keepdims=True)
        lse = a + np.log(np.exp(logits - a).sum(-1, keepdims=True))
        return logits - lse

    found = related(probed(log_softmax, case=LOG_SOFTMAX), "shift")["value"]

    assert found.holds
    assert found.note == "formula"
    assert found.ratio > 1


@pytest.mark.parametrize(("dtype", "note"), [("bfloat16", "narrow"), ("float32", "")])
def test_sums_in_16_bits_are_an_explanation_of_16_bit_answers_only(dtype: str, note: str) -> None:
    def softmax(logits: Array) -> Array:
        e = np.exp(logits - logits.max(-1, keepdims=True)).astype("bfloat16")
        total = e[:, :1] * 0
        for column in e.T:
            total = total + column[:, None]
        return (e / total).astype(logits.dtype)

    case = Case.parse(f"softmax/{dtype}/4x1000/grid/-/0")
    found = related(probed(softmax, case=case), "permutation")["value"]

    assert (found.holds, found.note) == (bool(note), note)


# --- the second derivative -------------------------------------------------------------------


def test_numpy_has_no_second_derivative_and_says_so() -> None:
    hvp = probed(sound.softmax, sound.softmax_vjp).answers["hvp_logits"]

    message = "NotImplementedError: numpy has no second derivative"
    assert hvp == Failure("unsupported", message, "NotImplementedError")


def test_from_probabilities_over_classes_none_is_asked() -> None:
    case = Case.parse("cross_entropy_probs/index.random/float32/4x10/grid_probs/-/0")
    observation = probed(sound.cross_entropy_probs, sound.cross_entropy_probs_vjp, case)

    assert observation.answers.keys() == {"value", "gradient_logits"}


@pytest.mark.parametrize(
    ("framework", "name", "case"),
    [
        pytest.param(framework, name, case, marks=pytest.mark.framework(framework))
        for framework, name, case in (
            ("torch", "torch.softmax", SOFTMAX),
            ("torch", "torch.nn.functional.cross_entropy", INDEX),
            ("jax", "jax.nn.softmax", SOFTMAX),
            ("tensorflow", "tf.nn.softmax", SOFTMAX),
        )
    ],
)
def test_a_second_derivative_comes_back_and_agrees(framework: str, name: str, case: Case) -> None:
    mode = "jit" if framework == "jax" else "eager"
    observation = asked(load_backend(framework), name, case, mode)
    hvp = observation.answers["hvp_logits"]
    verdict = judge(solved_case(case), "hvp_logits", hvp)

    assert not isinstance(hvp, Failure)
    assert hvp.dtype == np.float32
    assert kind_of(verdict.word).category == "agrees"
    assert {found.relation for found in observation.related if not found.holds} == set()


@pytest.mark.framework("torch")
def test_a_gradient_that_is_cut_from_its_inputs_has_no_second() -> None:
    import torch

    class Constant(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(_: Any, v: Any) -> Any:
            return v * 2

    backend = load_backend("torch")
    claim = Claim("mine.constant", "torch", "softmax", "user", frozenset(), frozenset())
    backend.extra.append(Implementation(claim, Constant.apply))
    answers = asked(backend, "mine.constant", SOFTMAX).answers

    assert isinstance(answers["gradient_logits"], np.ndarray)
    assert answers["hvp_logits"] == Failure("unsupported", "no gradient flows")


FOCAL = "my_focal/index.random/float32/4x10/grid/-/0"


def _focal_of(framework: str) -> Callable[..., Any]:
    """Return a focal loss as it is written in a framework."""
    if framework == "torch":
        from torch.nn import functional

        def focal(x: Any, target: Any) -> Any:
            loss = functional.cross_entropy(x, target, reduction="none")
            return ((1 - (-loss).exp()) ** 2 * loss).mean()

    elif framework == "jax":
        import jax

        def focal(x: Any, target: Any) -> Any:
            log_p = jax.nn.log_softmax(x)[jax.numpy.arange(len(target)), target]
            return -((1 - jax.numpy.exp(log_p)) ** 2 * log_p).mean()

    else:
        import tensorflow as tf

        def focal(x: Any, target: Any) -> Any:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(target, x)
            return tf.reduce_mean((1 - tf.exp(-loss)) ** 2 * loss)

    return focal


def _second_verdict(framework: str, function: Callable[..., Any]) -> str:
    """Return the verdict on the Hessian-vector product of a loss that is defined."""
    with defined("my_focal"):
        case = Case.parse(FOCAL)
        backend = load_backend(framework)
        claim = Claim("mine.f", framework, "my_focal", "user", frozenset({"index"}), frozenset())
        backend.extra.append(Implementation(claim, function))
        mode = "jit" if framework == "jax" else "eager"
        observation = asked(backend, "mine.f", case, mode)
        solved = solved_case(case)
        verdicts = {it: judge(solved, it, found) for it, found in observation.answers.items()}
    assert not verdicts["value"].is_finding
    assert not verdicts["gradient_logits"].is_finding
    return verdicts["hvp_logits"].word


@pytest.mark.parametrize(
    "framework",
    [pytest.param(it, marks=pytest.mark.framework(it)) for it in ("torch", "jax", "tensorflow")],
)
def test_the_second_derivative_of_a_defined_loss_agrees(framework: str) -> None:
    word = _second_verdict(framework, _focal_of(framework))

    assert kind_of(word).category != "finding"


@pytest.mark.framework("torch")
def test_a_second_backward_pass_that_leaves_a_term_out_is_found() -> None:
    import torch

    class Focal(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Any, target: Any) -> Any:
            context.save_for_backward(x, target)
            return _focal_of("torch")(x, target)

        @staticmethod
        def backward(context: Any, incoming: Any) -> Any:
            x, target = context.saved_tensors
            p = torch.softmax(x, 1)
            of_target = p.gather(1, target[:, None])
            slope = ((1 - of_target) ** 2 - 2 * of_target * (1 - of_target) * of_target.log()) / 4
            off = p - torch.nn.functional.one_hot(target, 10)
            return incoming * slope.detach() * off, None  # the slope is no constant

    assert _second_verdict("torch", Focal.apply) == "inaccurate"
