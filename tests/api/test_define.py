"""Operations that users define: asked, judged and answered like those that are built in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from lossdiff.harness.formula import forget

import lossdiff
from lossdiff import formula as f
from lossdiff.errors import ArgumentTypeError, ArgumentValueError

A = Any
LOGITS = [[1.0, 2.0, 3.0], [4.0, 0.0, -1.0]]


def _loss(x: A, target: A) -> A:
    log_p = f.take(f.log_softmax(x), target)
    return -((-f.expm1(log_p)) ** 2) * log_p


@pytest.fixture(autouse=True)
def focal() -> Iterator[None]:
    lossdiff.define("focal_loss", _loss, targets={"index", "one_hot"})
    yield
    forget("focal_loss")


def _log_p(logits: A, target: A) -> A:
    d = logits - logits.max(axis=1, keepdims=True)
    log_p = d - np.log(np.exp(d).sum(axis=1, keepdims=True))
    return log_p[np.arange(len(target)), target]


def sound(logits: A, target: A, reduction: str = "mean") -> A:
    log_p = _log_p(logits, target)
    loss = -(np.expm1(log_p) ** 2) * log_p
    return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](loss)


def test_a_sound_implementation_has_no_finding() -> None:
    result = lossdiff.check_implementation(sound, "focal_loss", framework="numpy")

    assert result.findings == ()
    assert result.questions > 30
    assert result.claim.options == {"reduction"}


def test_a_loss_of_two_arrays_of_numbers_is_not_taken_in_the_other_order() -> None:
    def mixed(p: A, q: A) -> A:
        return np.mean((p * (1 - q)).sum(1) / (p + q).sum(1)).astype(p.dtype)

    lossdiff.define(
        "mixed",
        lambda x, target: f.sum(x * (1 - target), axis=1) / f.sum(x + target, axis=1),
        targets={"multi_label"},
        domain="probs",
    )
    found = [
        lossdiff.check_implementation(it, "mixed", framework="numpy", dtypes={"float64"})
        for it in (mixed, lambda a, b: mixed(b, a))
    ]
    forget("mixed")

    assert [it.ok for it in found] == [True, False]
    assert "the target and the first argument are exchanged" in str(found[1])


@pytest.mark.parametrize("name", ["gamma", "smoothing"])
def test_an_implementation_is_called_with_its_own_defaults(name: str) -> None:
    def focal(logits: A, target: A, gamma: float = 2.0) -> A:
        log_p = _log_p(logits, target)
        return np.mean(-((-np.expm1(log_p)) ** gamma) * log_p)

    def named(logits: A, target: A, smoothing: float = 2.0) -> A:
        return focal(logits, target, smoothing)

    function = {"gamma": focal, "smoothing": named}[name]
    result = lossdiff.check_implementation(
        function, "focal_loss", framework="numpy", dtypes={"float64"}, targets={"index"}
    )

    assert result.ok, str(result)
    assert f"left alone: {name}=2.0" in result.remarks


@pytest.mark.parametrize(
    "loss",
    [
        lambda log_p: -np.expm1(log_p) * log_p,
        lambda log_p: np.expm1(log_p) ** 2 * log_p,
        lambda log_p: -(np.expm1(log_p.mean()) ** 2) * log_p,
        lambda log_p: -(np.expm1(log_p) ** 2) * np.maximum(log_p, -30),
        lambda log_p: -(np.expm1(log_p.astype(np.float32)) ** 2) * log_p,
    ],
    ids=["power", "sign", "mean inside", "clipped", "float32 inside"],
)
def test_a_wrong_implementation_is_found(loss: A) -> None:
    def wrong(logits: A, target: A) -> A:
        return loss(_log_p(logits, target)).mean()

    said = r"focal_loss\) fails:\s+\d+\s+questions,\s+\d+\s+finding"
    with pytest.raises(AssertionError, match=said):
        lossdiff.assert_agrees(wrong, "focal_loss", framework="numpy")


def test_a_finding_is_repeated_by_its_id() -> None:
    def wrong(logits: A, target: A) -> A:
        return -(np.expm1(_log_p(logits, target)) ** 3).mean()

    question = lossdiff.Question("focal_loss/index.random/float64/4x10/normal/-/0", "numpy")

    question.check(sound)
    with pytest.raises(AssertionError, match="a wrong number"):
        question.check(wrong)


def test_the_right_answer_has_as_many_digits_as_that_of_any_operation() -> None:
    found = lossdiff.exact("focal_loss", LOGITS, [2, 0], reduction="none")

    assert list(map(str, found.value)) == [
        "0.04567779896788488876306360",
        "0.00001478196538118592655085855",
    ]
    assert found.gradient_logits.shape == (2, 3)


def test_an_index_target_and_its_one_hot_encoding_have_one_answer() -> None:
    index = lossdiff.exact("focal_loss", LOGITS, [2, 0])
    one_hot = lossdiff.exact("focal_loss", LOGITS, [[0, 0, 1], [1, 0, 0]], target_kind="one_hot")

    assert index.value == one_hot.value


def test_the_tolerance_is_of_the_size_of_a_few_roundings() -> None:
    limit = lossdiff.tolerance("focal_loss", LOGITS, [2, 0], dtype="float32")

    assert 2.0**-26 < limit < 2.0**-20


def test_what_a_defined_operation_lacks_is_refused_in_one_line() -> None:
    with pytest.raises(ArgumentValueError, match="'label_smoothing' is no option of focal_loss"):
        lossdiff.exact("focal_loss", LOGITS, [2, 0], label_smoothing=0.1)
    with pytest.raises(ArgumentValueError, match=r"defined for arrays of shape \(N, C\)"):
        lossdiff.exact("focal_loss", np.zeros((2, 3, 4)), np.zeros((2, 4), int))
    with pytest.raises(ArgumentValueError, match="out of range"):
        lossdiff.exact("focal_loss", LOGITS, [3, 0])
    with pytest.raises(
        ArgumentValueError, match=r"'focal_los' is no operation.*did you mean focal"
    ):
        lossdiff.exact("focal_los", LOGITS, [2, 0])


def _weighted(x: A, target: A, gamma: A) -> A:
    log_p = f.take(f.log_softmax(x), target)
    return -((-f.expm1(log_p)) ** gamma) * log_p


def weighted(
    logits: A, target: A, weight: A = None, gamma: float = 1.5, ignore_index: int = -100
) -> A:
    counts = target != ignore_index
    labels = np.where(counts, target, 0)
    factor = counts * (1.0 if weight is None else weight[labels])
    log_p = np.where(counts, _log_p(np.where(counts[:, None], logits, 0), labels), 0)
    loss = -((-np.expm1(log_p)) ** gamma) * log_p * factor
    return loss.sum() / factor.sum()


@pytest.fixture
def with_options() -> Iterator[None]:
    options = {"weight", "ignore_index"}
    lossdiff.define("weighted_focal", _weighted, options=options, parameters={"gamma": (2, 1, 3)})
    yield
    forget("weighted_focal")


def test_options_and_parameters_are_asked_of_what_takes_them(with_options: None) -> None:
    result = lossdiff.check_implementation(weighted, "weighted_focal", framework="numpy")

    assert result.findings == ()
    assert result.claim.options == {"weight", "ignore_index", "gamma"}
    assert any("its own default gamma=1.5 does not count" in it for it in result.remarks)


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        (lambda x, t, weight=None, gamma=2: weighted(x, t, weight, gamma) * 0 + 1, "weight"),
        (lambda x, t, gamma=2: weighted(x, t, None, min(gamma, 2.0)), "gamma"),
        (
            lambda x, t, ignore_index=-100: weighted(x, t, None, 2.0, ignore_index - 1),
            "ignore_index",
        ),
    ],
    ids=["weight", "gamma", "ignore_index"],
)
def test_an_option_that_is_not_applied_is_found(with_options: None, wrong: A, option: str) -> None:
    result = lossdiff.check_implementation(
        wrong, "weighted_focal", framework="numpy", dtypes={"float64"}
    )

    assert any(f"{option}=" in row.case for row in result.findings)


def test_a_function_keeps_its_own_constants() -> None:
    def constant(logits: A, target: A, gamma: float = 2.0, alpha: float = 1.0) -> A:
        log_p = _log_p(logits, target)
        return (-alpha * (-np.expm1(log_p)) ** gamma * log_p).mean()

    result = lossdiff.check_implementation(
        constant, "focal_loss", framework="numpy", dtypes={"float64"}
    )
    assert result.ok


def test_a_parameter_is_an_argument_of_the_exact_answer(with_options: None) -> None:
    usual = lossdiff.exact("weighted_focal", LOGITS, [2, 0], gamma=2)
    other = lossdiff.exact("weighted_focal", LOGITS, [2, 0], gamma=1, weight=[1.0, 1.0, 3.0])

    assert usual.value == lossdiff.exact("focal_loss", LOGITS, [2, 0]).value
    assert str(other.value).startswith("0.10248853")
    with pytest.raises(ArgumentTypeError, match="gamma is '2'; it must be a number"):
        lossdiff.exact("weighted_focal", LOGITS, [2, 0], gamma="2")


def test_an_operation_without_a_target_may_give_one_number_for_each_row() -> None:
    lossdiff.define("z_rows", lambda x: f.logsumexp(x) ** 2, targets=())
    try:
        found = lossdiff.exact("z_rows", LOGITS)
        result = lossdiff.check_implementation(_squares, "z_rows", framework="numpy")
    finally:
        forget("z_rows")

    assert found.float64["value"].shape == (2,)
    assert result.ok


def _squares(logits: A) -> A:
    top = logits.max(axis=1)
    return (top + np.log(np.exp(logits - top[:, None]).sum(axis=1))) ** 2
