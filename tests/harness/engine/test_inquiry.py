"""Test in which mode a function is asked here if its framework compiles each operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lossdiff.backends.base import Backend
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Observation
from lossdiff.harness.engine import Inquiry, natives
from lossdiff.harness.engine.natives import KEPT
from lossdiff.harness.own import declaration_of
from lossdiff.harness.runfile import VerdictRow
from lossdiff.harness.workers import Question, answered

from lossdiff._api.checking import taken_from
from lossdiff._api.frameworks import backend_of

pytestmark = pytest.mark.framework("jax")
MANY = [Case.parse(f"softmax/float32/2x3/normal/-/{seed}") for seed in range(5)]
FEW = Case.parse("softmax/float32/2x33/normal/-/0")
EMPTY = Case.parse("softmax/float32/0x3/normal/-/0")
INTEGER_LABELS = "optax.losses.softmax_cross_entropy_with_integer_labels"


def sound(x: Any) -> Any:
    import jax

    return jax.nn.softmax(x, -1)


def drops_what_is_beyond_32(x: Any) -> Any:
    import jax

    return jax.numpy.where(jax.numpy.arange(x.shape[-1]) < 32, jax.nn.softmax(x, -1), 0.0)


def looks_at_values(x: Any) -> Any:
    import jax

    return jax.nn.softmax(x, -1) if jax.lax.stop_gradient(x).sum() < 1e30 else x


def rows_of(function: Callable[..., Any], **how: Any) -> list[VerdictRow]:
    backend = backend_of("jax")
    with backend.as_guest():
        taken = taken_from(function, declaration_of("softmax", dtypes={"float32"}), backend)
        with Inquiry(backend, cases=[*MANY, FEW, EMPTY], **how) as inquiry:
            asked = [MANY[0], FEW, EMPTY]
            return [row for case in asked for row in inquiry.put(taken.implementation, case)]


def test_a_shape_of_few_questions_is_asked_in_the_mode_that_compiles_once() -> None:
    modes = {row.case: row.mode for row in rows_of(sound)}

    assert modes == {MANY[0].id: "eager", FEW.id: "jit", EMPTY.id: "jit"}


def test_what_is_wrong_there_is_found_in_the_mode_that_was_wanted() -> None:
    rows = rows_of(drops_what_is_beyond_32)

    found = {(row.case, row.mode, row.quantity) for row in rows if row.verdict == "inaccurate"}
    assert found == {(FEW.id, "eager", "value"), (FEW.id, "eager", "gradient_logits")}


def test_a_function_that_cannot_be_compiled_is_asked_eagerly() -> None:
    rows = [row for row in rows_of(looks_at_values) if row.case == FEW.id]

    assert {(row.mode, row.verdict) for row in rows} <= {
        ("eager", "exact"),
        ("eager", "faithful"),
        ("eager", "within bound"),
    }


def test_a_mode_that_is_asked_anyway_is_not_asked_in_place_of_another() -> None:
    modes = [row.mode for row in rows_of(sound, modes=("eager", "jit")) if row.case == FEW.id]

    assert set(modes) == {"eager", "jit"}


# --- the framework's own functions ------------------------------------------------------------


def asked_of_optax(
    monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any], case: str
) -> tuple[set[str], list[str]]:
    """Return who shares what a value shows, and the modes in which they were asked.

    Args:
        monkeypatch: replaces what asks them.
        function: a cross-entropy of labels.
        case: the id of the question.
    """
    backend = backend_of("jax")
    modes = list[str]()
    KEPT.clear()

    def noted(backend: Backend, question: Question) -> Observation:
        modes.append(question.mode)
        return answered(backend, question)

    with backend.as_guest():
        declaration = declaration_of("cross_entropy", dtypes={"float32"}, targets={"index"})
        taken = taken_from(function, declaration, backend)
        monkeypatch.setattr(natives, "answered", noted)
        with Inquiry(backend) as inquiry:
            rows = list(inquiry.put(taken.implementation, Case.parse(case)))
    return {row.shared for row in rows if row.quantity == "value"}, modes


def of_optax(logits: Any, target: Any) -> Any:
    import optax

    return optax.losses.softmax_cross_entropy_with_integer_labels(logits, target).mean()


def seven_for_a_label_out_of_range(logits: Any, target: Any) -> Any:
    import jax.numpy as jnp

    is_label = (target >= 0) & (target < logits.shape[1])
    return jnp.where(is_label.all(), of_optax(logits, target), 7.0)


def half_too_large(logits: Any, target: Any) -> Any:
    return 1.5 * of_optax(logits, target)


@pytest.mark.parametrize(
    ("function", "target", "shared", "modes"),
    [
        (of_optax, "negative", {INTEGER_LABELS}, ["jit"]),
        (seven_for_a_label_out_of_range, "too_large", {""}, ["jit", "eager"]),
        (half_too_large, "random", {""}, ["eager"]),
    ],
    ids=["a convention", "what is accepted", "numbers"],
)
def test_what_is_hardly_a_matter_of_the_mode_is_compared_in_the_one_that_compiles_once(
    monkeypatch: pytest.MonkeyPatch,
    function: Callable[..., Any],
    target: str,
    shared: set[str],
    modes: list[str],
) -> None:
    case = f"cross_entropy/index.{target}/float32/4x10/normal/-/0"

    assert asked_of_optax(monkeypatch, function, case) == (shared, modes)
