"""`lossdiff.check_implementation` and `assert_agrees`: a function of the user's is judged here."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import FRAMEWORKS
from scipy import special

import lossdiff
from lossdiff._api.frameworks import framework_for
from lossdiff.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    DeclarationError,
    ExpectedError,
    LossdiffError,
    NoAnswerError,
)

NARROW = {"dtypes": {"float32"}, "ranks": {2}}  # fewer questions are enough here


def softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_unshifted(x: Any, axis: int = -1) -> Any:
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)


def check(function: Callable[..., Any], **options: Any) -> lossdiff.Result:
    return lossdiff.check_implementation(
        function, "softmax", framework="numpy", **{**NARROW, **options}
    )


@pytest.fixture(scope="module")
def broken() -> lossdiff.Result:
    return check(softmax_unshifted)


def test_a_sound_function_is_ok() -> None:
    result = check(softmax)

    assert result.ok
    assert result.questions > 10
    assert result.findings == ()
    lossdiff.assert_agrees(softmax, "softmax", framework="numpy", **NARROW)


def test_a_finding_names_its_case_and_its_numbers(broken: lossdiff.Result) -> None:
    assert not broken.ok
    assert {row.verdict for row in broken.findings} == {"nonfinite", "relation:shift"}
    assert {row.implementation for row in broken.verdicts} == {f"{__name__}.softmax_unshifted"}


def test_the_error_of_an_assertion_shows_the_findings() -> None:
    with pytest.raises(AssertionError) as caught:
        lossdiff.assert_agrees(softmax_unshifted, "softmax", framework="numpy", **NARROW)

    assert "softmax_unshifted (softmax) fails: " in str(caught.value)
    assert "looks like: no shift" in str(caught.value)
    assert "softmax/float32/" in str(caught.value)


def test_a_result_prints_within_eighty_columns(broken: lossdiff.Result) -> None:
    assert max(map(len, str(broken).splitlines())) <= 80
    assert broken._repr_html_().startswith("<pre")
    assert "no shift" in broken._repr_html_()


def test_a_result_is_a_table_of_pandas(
    broken: lossdiff.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))

    assert len(broken.to_pandas()) == len(broken.verdicts)


def test_what_is_declared_narrows_what_is_asked() -> None:
    result = check(softmax, dtypes={"float64"})

    assert {row.dtype for row in result.verdicts} == {"float64"}
    assert result.claim.limits.dtypes == {"float64"}


def test_a_seed_asks_with_other_numbers() -> None:
    first, second = ({row.case for row in check(softmax, seed=n).verdicts} for n in (0, 1))

    assert first != second


def test_a_function_that_raises_shows_its_own_line() -> None:
    def softmax(x: Any, axis: int = -1) -> Any:
        raise RuntimeError(f"of mine, over axis {axis}")

    with pytest.raises(NoAnswerError) as caught:
        check(softmax)

    assert "RuntimeError: of mine" in str(caught.value)
    assert Path(__file__).name in str(caught.value)


@pytest.mark.framework("torch")
def test_a_finding_that_the_framework_shares_does_not_count() -> None:
    from torch.nn import functional

    def binary_cross_entropy(probs: Any, target: Any) -> Any:
        return functional.binary_cross_entropy(probs, target)

    relaxed = lossdiff.check_implementation(
        binary_cross_entropy, "binary_cross_entropy", **{**NARROW, "dtypes": {"float16"}}
    )

    strict = replace(relaxed, strict=True)
    assert relaxed.ok
    assert not strict.ok
    assert {row.shared for row in relaxed.shared} == {"torch.nn.functional.binary_cross_entropy"}
    assert strict.findings == relaxed.shared


@pytest.mark.framework("torch")
def test_a_module_and_the_frameworks_own_function_are_taken() -> None:
    import torch

    for given in (torch.nn.LogSoftmax, torch.nn.functional.log_softmax):
        found = lossdiff.check_implementation(given, "log_softmax", dtypes={"float32"})
        assert found.ok, str(found)


@pytest.mark.framework("torch")
def test_a_class_with_a_backward_pass_of_its_own_is_called_by_its_apply() -> None:
    import torch

    class LogSumExp(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            lse = torch.logsumexp(x, -1)
            ctx.save_for_backward(x, lse)
            return lse

        @staticmethod
        def backward(ctx: Any, incoming: Any) -> Any:
            x, lse = ctx.saved_tensors
            return torch.exp(x - lse[:, None]) * incoming[:, None]

    found = lossdiff.check_implementation(LogSumExp, "logsumexp", framework="torch", **NARROW)

    assert found.questions > 10


@pytest.mark.framework("torch")
def test_the_number_of_threads_is_as_it_was_afterwards() -> None:
    import torch

    before = torch.get_num_threads()
    lossdiff.check_implementation(torch.nn.functional.softmax, "softmax", **NARROW)

    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "line"),
    [
        ((softmax, "softmx"), {}, ArgumentValueError, "'softmx' is no operation; did you mean"),
        (("softmax", "softmax"), {}, ArgumentTypeError, "a str is no function; give the function"),
        ((softmax, "softmax"), {"framework": "nump"}, ArgumentValueError, "'nump' is no framework"),
        ((softmax, "softmax"), {"suite": "quik"}, ArgumentValueError, "'quik' is no suite; did"),
        ((softmax, "softmax"), {"modes": "eager"}, ArgumentTypeError, "modes is 'eager'; it must"),
        ((softmax, "softmax"), {"modes": ("jitt",)}, ArgumentValueError, "no mode of numpy"),
        ((softmax, "softmax"), {"dtypes": "float32"}, DeclarationError, "dtypes is 'float32'; it"),
        ((softmax, "softmax"), {"dtypes": {"f4"}}, DeclarationError, "'f4' is no dtype"),
        ((softmax, "softmax"), {"targets": {"index"}}, DeclarationError, "no target of softmax"),
        ((softmax, "softmax"), {"reductoin": "mean"}, DeclarationError, "no option of softmax"),
        ((softmax, "softmax"), {"dtype": {"float32"}}, DeclarationError, "did you mean dtypes?"),
        ((softmax, "softmax"), {"ranks": {7}}, DeclarationError, "ranks has 7; questions have 0"),
        ((softmax, "softmax"), {"seed": "a"}, ArgumentTypeError, "seed is 'a'; it must be a whole"),
        ((softmax, "softmax"), {"seed": -1}, ArgumentValueError, "seed is -1; allowed: 0 to"),
        ((softmax, "nll_loss"), {"reduction": "nune"}, DeclarationError, "did you mean none?"),
        ((softmax, "nll_loss"), {"ignore_index": 0.5}, DeclarationError, "must be a whole number"),
        ((softmax, "cross_entropy"), {"label_smoothing": "x"}, DeclarationError, "be a number"),
        ((softmax, "softmax"), {"expected": 3.5}, ArgumentTypeError, "expected is a float; it"),
        ((softmax, "softmax"), {"expected": "no.toml"}, ExpectedError, "cannot read no.toml"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused_with_one_line(
    arguments: tuple[Any, ...], options: dict[str, Any], kind: type[LossdiffError], line: str
) -> None:
    with pytest.raises(kind) as caught:
        lossdiff.check_implementation(*arguments, **{"framework": "numpy", **options})

    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_framework_is_seen_from_the_function() -> None:
    assert framework_for(special.softmax, None) == "numpy"
    assert framework_for(functools.partial(softmax, axis=0), None) == "numpy"


@pytest.mark.framework("torch")
def test_the_framework_of_a_module_is_seen_from_its_class() -> None:
    import torch

    class Loss(torch.nn.Module):
        pass

    assert framework_for(Loss, None) == framework_for(Loss(), None) == "torch"
    assert framework_for(torch.nn.functional.cross_entropy, None) == "torch"


def test_a_framework_that_cannot_be_seen_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "jax", "optax"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.delitem(sys.modules, "keras", raising=False)

    with pytest.raises(
        ArgumentValueError, match=r"say which framework it is for: framework=jax or"
    ):
        framework_for(lambda x: x, None)
    assert set(FRAMEWORKS) >= {"torch", "jax"}


def test_the_user_may_collect_garbage_as_before() -> None:
    import gc

    check(softmax)

    assert gc.isenabled()


@pytest.mark.framework("torch")
def test_a_mode_of_interpreters_is_refused_in_the_own_process() -> None:
    with pytest.raises(ArgumentValueError, match="needs a process of its own: give isolate=True"):
        lossdiff.check_implementation(softmax, "softmax", framework="torch", modes=("interpret",))
