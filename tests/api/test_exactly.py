"""`lossdiff.exact` and `lossdiff.tolerance`: right answers to a user's own arrays."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import lossdiff
from lossdiff.errors import ArgumentTypeError, ArgumentValueError, CallError, LossdiffError

ROW = [0.5, -1.25, 3.0]


def _log_sum_exp(row: list[float]) -> Decimal:
    with localcontext() as context:
        context.prec = 40
        return sum((Decimal(x).exp() for x in row), Decimal(0)).ln()


def _round(number: Decimal, digits: int) -> Decimal:
    with localcontext() as context:
        context.prec = digits
        return +number


@pytest.mark.parametrize("digits", [1, 7, 25])
def test_a_value_has_as_many_digits_as_wanted(digits: int) -> None:
    found = lossdiff.exact("logsumexp", ROW, digits=digits)

    assert found.value == _round(_log_sum_exp(ROW), digits)


def test_the_loss_of_a_row_without_a_batch_is_that_of_the_row() -> None:
    one = lossdiff.exact("cross_entropy", ROW, 2)
    batch = lossdiff.exact("cross_entropy", [ROW], [2])

    assert one.value == batch.value == _round(_log_sum_exp(ROW) - 3, 25)
    assert one.gradient_logits.shape == (3,)
    assert (one.gradient_logits == batch.gradient_logits[0]).all()


def test_a_number_is_taken_by_functions_of_elements() -> None:
    found = lossdiff.exact("sigmoid", 0.0)

    assert (found.value, found.gradient_logits) == (Decimal("0.5"), Decimal("0.25"))


def test_a_softmax_of_one_number_is_one() -> None:
    assert lossdiff.exact("softmax", 3.0).value == 1
    assert lossdiff.exact("logsumexp", 3.0).value == 3


def test_several_axes_are_those_of_one_long_row() -> None:
    array = np.arange(12.0).reshape(2, 3, 2)
    found = lossdiff.exact("logsumexp", array, axis=(0, 2)).value

    for place in range(3):
        row = array[:, place, :].ravel().tolist()
        assert found[place] == _round(_log_sum_exp(row), 25)


def test_gradients_over_several_axes_come_back_in_their_place() -> None:
    array = np.random.default_rng(1).normal(size=(2, 3, 2))
    whole = lossdiff.exact("logsumexp", array, axis=(0, 2)).float64["gradient_logits"]
    softmax = lossdiff.exact("softmax", array, axis=(0, 2)).float64["value"]

    assert whole.shape == array.shape
    np.testing.assert_allclose(whole, softmax, rtol=1e-15)
    np.testing.assert_allclose(softmax.sum((0, 2)), 1.0)


@pytest.mark.parametrize(
    ("axis", "shape"), [(1, (2, 1, 4)), ((0, 2), (1, 3, 1)), (None, (1, 1, 1))]
)
def test_axes_that_are_kept_have_one_element(axis: Any, shape: tuple[int, ...]) -> None:
    found = lossdiff.exact("logsumexp", np.zeros((2, 3, 4)), axis=axis, keepdim=True)

    assert found.value.shape == shape


def test_what_a_mask_leaves_out_has_no_probability() -> None:
    found = lossdiff.exact("softmax", ROW, where=[True, False, True])
    alone = lossdiff.exact("softmax", [ROW[0], ROW[2]])

    assert found.value.tolist() == [alone.value[0], 0, alone.value[1]]
    assert found.gradient_logits[1] == 0


@pytest.mark.parametrize("shape", [(), (1,), (3, 1), (2,), (3, 2), (1, 2)])
def test_weights_of_binary_losses_broadcast(shape: tuple[int, ...]) -> None:
    weight = np.random.default_rng(2).uniform(0.5, 2.0, shape)
    logits, target = np.ones((3, 2)), np.zeros((3, 2))

    plain = lossdiff.exact("binary_cross_entropy_with_logits", logits, target, reduction="none")
    found = lossdiff.exact(
        "binary_cross_entropy_with_logits", logits, target, reduction="none", weight=weight
    )

    np.testing.assert_allclose(found.float64["value"], plain.float64["value"] * weight, rtol=1e-15)


def test_a_pos_weight_may_be_a_number() -> None:
    options = {"reduction": "none"}
    plain = lossdiff.exact("binary_cross_entropy_with_logits", [1.0, 2.0], [1.0, 0.0], **options)
    found = lossdiff.exact(
        "binary_cross_entropy_with_logits", [1.0, 2.0], [1.0, 0.0], pos_weight=3.0, **options
    )

    np.testing.assert_allclose(found.float64["value"], plain.float64["value"] * [3, 1], rtol=1e-15)


def test_the_gradient_is_that_of_the_sum_or_of_the_product_with_a_cotangent() -> None:
    summed = lossdiff.exact("sigmoid", [0.0, 1.0]).float64["gradient_logits"]
    weighed = lossdiff.exact("sigmoid", [0.0, 1.0], cotangent=[2.0, -1.0])

    assert (weighed.float64["gradient_logits"] == summed * [2.0, -1.0]).all()


def test_a_dtype_rounds_what_is_given_first() -> None:
    found = lossdiff.exact("exp", 0.1, dtype="float16")

    assert found.float64["value"] == float(np.exp(np.longdouble(np.float16(0.1))))


def test_arrays_are_taken_in_their_own_dtype() -> None:
    assert lossdiff.exact("exp", np.ones(2, ml_dtypes.bfloat16)).dtype == "bfloat16"
    assert lossdiff.exact("exp", [1.0]).dtype == "float64"


@pytest.mark.framework("torch")
def test_tensors_are_taken_as_they_are() -> None:
    import torch

    found = lossdiff.exact(
        "cross_entropy", torch.zeros(1, 4, dtype=torch.bfloat16), torch.tensor([1])
    )

    assert (found.dtype, found.value) == ("bfloat16", _round(Decimal(4).ln(), 25))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_sound_computation_is_within_the_tolerance_and_half_of_it_right(dtype: str) -> None:
    logits = np.random.default_rng(3).normal(size=(4, 10))
    form = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    given = logits.astype(form).astype(np.float64)
    e = np.exp(given - given.max(1, keepdims=True))
    mine = (e / e.sum(1, keepdims=True)).astype(form).astype(np.float64)

    limit = lossdiff.tolerance("softmax", logits, dtype=dtype)
    right = lossdiff.exact("softmax", logits, dtype=dtype).float64["value"]

    assert limit.shape == (4, 10)
    assert (np.abs(mine - right) <= limit).all()
    assert not (np.abs(mine * 1.1 - right) <= limit).any()


def test_a_gradient_has_a_tolerance_of_its_own() -> None:
    limit = lossdiff.tolerance("cross_entropy", [ROW], [0], quantity="gradient_logits")

    assert limit.shape == (1, 3)
    assert (limit > 0).all()


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "line"),
    [
        (("softmaxx", ROW), {}, ValueError, "'softmaxx' is no operation; did you mean softmax?"),
        ((3, ROW), {}, TypeError, "operation is a int; it must be a text"),
        (("softmax", "abc"), {}, TypeError, "logits is a str, which holds no real numbers"),
        (("softmax", None), {}, TypeError, "logits is a NoneType, which holds no real numbers"),
        (("softmax", [[1.0], [1.0, 2.0]]), {}, TypeError, "logits is no array"),
        (("softmax", [1, 2]), {}, ValueError, "logits holds int64; allowed: float16"),
        (("logsumexp", []), {}, ValueError, "logits of shape (0,) has no classes"),
        (("softmax", ROW), {"axis": 1}, ValueError, "axis is 1; allowed: -1 to 0"),
        (("softmax", ROW), {"axes": 1}, ValueError, "'axes' is no option of softmax; did you mean"),
        (("softmax", ROW), {"dtype": "float23"}, ValueError, "'float23' is no dtype; did you mean"),
        (("softmax", ROW, [1]), {}, TypeError, "softmax takes no target"),
        (("cross_entropy", [ROW]), {}, TypeError, "cross_entropy takes a target"),
        (("cross_entropy", [ROW], [[1]]), {}, ValueError, "the target has shape (1, 1)"),
        (("cross_entropy", [ROW], [0.5]), {}, ValueError, "the target has shape (1,)"),
        (("cross_entropy", 1.0, 0), {}, ValueError, "logits is one number, and has no classes"),
        (("cross_entropy", [ROW], [1]), {"target_kind": "labels"}, ValueError, "no target_kind"),
        (("cross_entropy", [ROW], [1]), {"weight": [1.0]}, ValueError, "weight has shape (1,)"),
        (("cross_entropy", [ROW], [7]), {}, ValueError, "the right answer is an error"),
        (("cross_entropy", [ROW], [1]), {"label_smoothing": 2}, ValueError, "label_smoothing is 2"),
        (("cross_entropy", [ROW], [1]), {"reduction": "avg"}, ValueError, "'avg' is no reduction"),
        (("cross_entropy", [ROW], [1]), {"digits": 0}, ValueError, "digits is 0"),
        (("sigmoid", [1.0]), {"where": [True]}, TypeError, "sigmoid takes neither keepdim nor"),
        (("softmax", ROW), {"where": [1, 0, 1]}, ValueError, "where holds int64; a mask holds"),
        (("softmax", ROW), {"cotangent": [1.0]}, ValueError, "the cotangent has shape (1,)"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused_with_one_line(
    arguments: tuple[Any, ...], options: dict[str, Any], kind: type[Exception], line: str
) -> None:
    with pytest.raises(kind) as caught:
        lossdiff.exact(*arguments, **options)

    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, LossdiffError)
    assert isinstance(caught.value, CallError)


def test_the_errors_are_those_that_python_has_for_arguments() -> None:
    assert issubclass(ArgumentTypeError, TypeError)
    assert issubclass(ArgumentValueError, ValueError)


@pytest.mark.framework("torch")
def test_a_tensor_that_wants_a_gradient_is_an_array_like_any_other() -> None:
    import torch

    logits = torch.tensor([[0.0, 0.0]], requires_grad=True)

    assert lossdiff.exact("softmax", logits).value.tolist() == [[0.5, 0.5]]
