"""Smaller cases: what a cut keeps of the question."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases.model import Case, Inputs
from lossdiff.harness.repro.reductions import (
    as_given,
    axes_of_rows,
    cut,
    with_inputs,
    without_axes,
    without_options,
)


def given(text: str) -> Case:
    """Return a case of an id with its arrays."""
    return as_given(Case.parse(text), "value")


def labelled(labels: list[int], *, classes: int = 4, **options: object) -> Case:
    """Return index targets beside logits that count up."""
    case = given(f"cross_entropy/index.random/float32/{len(labels)}x{classes}/normal/-/0")
    values = np.arange(len(labels) * classes, dtype=np.float32).reshape(-1, classes)
    return with_inputs(case, Inputs(values, np.array(labels)), **options)


def test_a_given_case_asks_the_same() -> None:
    case = Case.parse("cross_entropy/index.some_ignored/bfloat16/3x4x2/normal/weight=ones/0")

    same = given(case.id)

    assert same.is_given
    assert same.family.startswith("shrunk:")
    assert same.needs == case.needs
    assert same.options.weight == "given"
    for name, array in vars(case.inputs()).items():
        np.testing.assert_array_equal(getattr(same.inputs(), name), array)
    assert Case.parse(same.id) == same


def test_other_dtypes_stay_in_the_id() -> None:
    case = given("cross_entropy/soft.soft:float64/float32/3x4/normal/weight=ones:float16/0")

    assert case.mixes_dtypes
    assert case.target_dtype == "float64"
    assert case.options.weight == "given:float16"


@pytest.mark.parametrize("shape", [(), (4,), (3, 1), (1, 4), (3, 4)])
def test_weights_that_broadcast_are_cut_with_their_elements(shape: tuple[int, ...]) -> None:
    case = given("binary_cross_entropy/multi_label.binary/float32/3x4/probs/weight=ones/0")
    weight = np.arange(float(np.prod(shape)), dtype=np.float32).reshape(shape)
    weight = weight if weight.ndim == 1 else weight.reshape((1,) * (2 - weight.ndim) + shape)
    case = with_inputs(case, Inputs(case.inputs().values, case.inputs().target, weight))
    keep = np.array([0, 2])

    for axis in (0, 1):
        left = cut(case, axis, keep).inputs()
        whole = np.broadcast_to(weight, (3, 4))
        np.testing.assert_array_equal(
            np.broadcast_to(left.weight, left.values.shape), np.take(whole, keep, axis)
        )


def test_the_second_derivative_is_still_judged() -> None:
    case = as_given(Case.parse("softmax/float32/4x10/grid/-/0"), "hvp_logits")

    assert case.is_given
    assert case.is_probed


def test_rows_are_cut_with_their_targets() -> None:
    case = cut(labelled([3, 2, 1]), 0, np.array([0, 2]))

    assert case.shape == (2, 4)
    np.testing.assert_array_equal(case.inputs().target, [3, 1])
    np.testing.assert_array_equal(case.inputs().values[1], [8, 9, 10, 11])


def test_trailing_axes_are_cut_where_index_targets_have_one_less() -> None:
    case = cut(given("nll_loss/index.random/float32/3x5x4/log_probs/-/0"), 2, np.array([1, 3]))

    assert case.shape == (3, 5, 2)
    assert case.inputs().target is not None
    assert case.inputs().target.shape == (3, 2)


@pytest.mark.parametrize(
    ("labels", "keep", "expected"),
    [
        ([3, 1, 3], [1, 3], [1, 0, 1]),
        ([0, 1, 2], [1, 2], [0, 0, 1]),
        ([4, 6, -1], [0, 1], [2, 4, -1]),
        ([-100, 3, 0], [3], [-100, 0, 0]),
    ],
)
def test_classes_are_renumbered(labels: list[int], keep: list[int], expected: list[int]) -> None:
    case = cut(labelled(labels), 1, np.array(keep))

    np.testing.assert_array_equal(case.inputs().target, expected)


def test_labels_of_a_dtype_of_reals_are_renumbered_too() -> None:
    case = given("cross_entropy/index.random:float32/float32/4x10/normal/-/0")
    before = case.inputs().target
    assert before is not None

    after = cut(case, 1, np.arange(9, 10)).inputs().target

    assert after is not None
    assert after.dtype == before.dtype
    assert not after.any()


def test_a_class_that_is_ignored_keeps_its_number() -> None:
    case = cut(labelled([2, 3], ignore_index=2), 1, np.array([0, 3]))

    np.testing.assert_array_equal(case.inputs().target, [2, 1])
    assert case.target_family == "some_ignored"


def test_weights_are_cut_with_the_classes() -> None:
    whole = given("cross_entropy/index.random/float32/3x4/normal/weight=positive/0")
    weight = whole.inputs().weight
    assert weight is not None

    np.testing.assert_array_equal(cut(whole, 1, np.array([0, 3])).inputs().weight, weight[[0, 3]])
    np.testing.assert_array_equal(cut(whole, 0, np.array([0])).inputs().weight, weight)


def test_probabilities_still_sum_to_one() -> None:
    case = cut(given("cross_entropy/soft.soft/float64/3x5/normal/-/0"), 1, np.array([1, 4]))

    target = case.inputs().target
    assert target is not None
    np.testing.assert_allclose(target.sum(1), 1)


def test_what_does_not_sum_to_one_is_left_alone() -> None:
    whole = given("cross_entropy/soft.unnormalised/float64/3x5/normal/-/0")
    target = whole.inputs().target
    assert target is not None

    np.testing.assert_array_equal(
        cut(whole, 1, np.array([1, 4])).inputs().target, target[:, [1, 4]]
    )


def test_axes_of_length_one_can_go() -> None:
    whole = cut(given("nll_loss/index.random/float32/3x5x2/log_probs/-/0"), 2, np.array([0]))
    (flat,) = without_axes(whole)

    assert flat.shape == (3, 5)
    assert flat.inputs().target is not None
    assert flat.inputs().target.shape == (3,)


def test_the_class_axis_of_a_function_is_followed() -> None:
    whole = cut(given("softmax/float32/3x5x2/normal/axis=1/0"), 0, np.array([0]))
    (flat,) = without_axes(whole)

    assert axes_of_rows(whole) == [0, 2]
    assert flat.shape == (5, 2)
    assert flat.options.axis == 0
    assert flat.class_axis == 0


def test_options_go_one_at_a_time() -> None:
    text = (
        "cross_entropy/index.some_ignored/float32/3x4/normal"
        "/weight=ones,ignore_index=2,label_smoothing=0.1,reduction=none/0"
    )
    left = [case.options.given() for case in without_options(given(text))]

    full = {"weight": "given", "ignore_index": 2, "label_smoothing": 0.1, "reduction": "none"}
    assert left == [
        {key: value for key, value in full.items() if key != "weight"},
        {key: value for key, value in full.items() if key != "label_smoothing"},
        {key: value for key, value in full.items() if key != "ignore_index"},
        {key: value for key, value in full.items() if key != "reduction"},
        {**full, "reduction": "sum"},
    ]


def test_ignored_rows_stay_ignored() -> None:
    (case,) = without_options(labelled([2, 3], ignore_index=2))

    np.testing.assert_array_equal(case.inputs().target, [-100, 3])


def test_arrays_lie_plainly_in_memory() -> None:
    (case,) = without_options(given("softmax/float32/3x4~transposed/normal/-/0"))

    assert case.layout == ""


def test_dtypes_become_one() -> None:
    cases = list(without_options(given("cross_entropy/index.random:int8/float32/3x4/normal/-/0")))

    assert [case.mixes_dtypes for case in cases] == [False]
