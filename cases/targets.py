"""Define families of targets: labels, numbers, and targets of a wrong shape.

Labels are drawn with knowledge of the values, numbers only with that of their shape. To add
a family, write the function below and name it in `LABELS` or `NUMERIC`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .dtypes import Array
from .families import normalised, one_at
from .operations import TargetKind
from .stream import Floats, Ints, Stream


@dataclass(frozen=True)
class Labels:
    """A family of labels, for index targets and, where they are classes, for one-hot ones.

    Attributes:
        name: its name in a case id.
        draw: draws int64 labels of shape (rows,) for values of shape (rows, classes).
        why: the reason for it.
        one_hot: whether one-hot targets are made from it as well.
        is_bad: whether one of the labels is not a class.
    """

    name: str
    draw: Callable[[Stream, Floats], Ints]
    why: str
    one_hot: bool = False
    is_bad: bool = False


@dataclass(frozen=True)
class Numeric:
    """A family of targets that hold numbers: probabilities, or any real ones.

    Attributes:
        name: its name in a case id.
        kind: the kind of target.
        draw: draws float64 targets of shape (rows, classes).
        why: the reason for it.
        is_hard: whether every number is 0 or 1.
        sums_to_1: whether each row does, up to rounding.
    """

    name: str
    kind: Literal["soft", "multi_label", "real"]
    draw: Callable[[Stream, int, int], Floats]
    why: str
    is_hard: bool = False
    sums_to_1: bool = False


@dataclass(frozen=True)
class WrongShape:
    """A target of a wrong shape.

    Attributes:
        name: its name in a case id.
        change: makes it from a correct target of shape (N, …) or (N, C, …).
        why: the reason for it.
    """

    name: str
    change: Callable[[Array], Array]
    why: str


def _labels_random(stream: Stream, values: Floats) -> Ints:
    return stream.integers(values.shape[1], values.shape[0])


# Labels that depend on the values make the smallest and the largest loss that they allow.
def _labels_top(stream: Stream, values: Floats) -> Ints:
    return np.argmax(values, axis=1).astype(np.int64)


def _labels_bottom(stream: Stream, values: Floats) -> Ints:
    return np.argmin(values, axis=1).astype(np.int64)


# Only the last label is bad, so that a check of the first one does not find it.
def _labels_too_large(stream: Stream, values: Floats) -> Ints:
    labels = _labels_random(stream, values)
    labels[-1:] = values.shape[1]
    return labels


def _labels_negative(stream: Stream, values: Floats) -> Ints:
    labels = _labels_random(stream, values)
    labels[-1:] = -1
    return labels


def _labels_far_negative(stream: Stream, values: Floats) -> Ints:
    labels = _labels_random(stream, values)
    labels[-1:] = -values.shape[1] - 1
    return labels


def _labels_huge(stream: Stream, values: Floats) -> Ints:
    labels = _labels_random(stream, values)
    labels[-1:] = 2**31
    return labels


LABELS: dict[str, Labels] = {
    family.name: family
    for family in (
        Labels("random", _labels_random, "everyday labels", one_hot=True),
        Labels("top", _labels_top, "the likeliest class: a loss near 0", one_hot=True),
        Labels("bottom", _labels_bottom, "the least likely one: the largest loss", one_hot=True),
        Labels("too_large", _labels_too_large, "one beyond the last class", is_bad=True),
        Labels("negative", _labels_negative, "-1, which counts from the end in NumPy", is_bad=True),
        Labels(
            "far_negative",
            _labels_far_negative,
            "beyond the first class, from the end",
            is_bad=True,
        ),
        Labels("huge", _labels_huge, "2^31, which wraps around in int32", is_bad=True),
        Labels("some_ignored", _labels_random, "every third row does not count"),
        Labels("all_ignored", _labels_random, "no row counts: the mean is 0/0"),
    )
}


def _soft_zeros(stream: Stream, rows: int, classes: int) -> Floats:
    target = np.zeros((rows, classes))
    half = one_at(np.zeros((rows, classes)), 0, 0.75)
    return one_at(target, 1, 0.25) + half if classes > 1 else half


def _soft_unnormalised(stream: Stream, rows: int, classes: int) -> Floats:
    return stream.uniform(rows, classes)


def _soft_negative(stream: Stream, rows: int, classes: int) -> Floats:
    return one_at(normalised(stream, rows, classes), 0, -0.25)


def _soft_subnormal(stream: Stream, rows: int, classes: int) -> Floats:
    """Return targets with 1e-39 in one class and the rest of 1 in another.

    1e-39 is subnormal in float32 and bfloat16, and 0 in float16.
    """
    return one_at(one_at(np.zeros((rows, classes)), 0, 1.0), 1, 1e-39)


def _soft_nan(stream: Stream, rows: int, classes: int) -> Floats:
    """Return targets with one NaN, in the last row: it must not vanish or change other rows."""
    return _nan_in_last(normalised(stream, rows, classes))


def _nan_in_last(target: Floats) -> Floats:
    target[-1:, :1] = np.nan
    return target


def _soft_above(stream: Stream, rows: int, classes: int) -> Floats:
    return one_at(normalised(stream, rows, classes), 0, 1.5)


def _binary(stream: Stream, rows: int, classes: int) -> Floats:
    return stream.integers(2, rows, classes).astype(np.float64)


# Sixteenths are exact in every format, and so is 1 - y in the loss.
def _fractional(stream: Stream, rows: int, classes: int) -> Floats:
    return stream.integers(17, rows, classes) / 16.0


def _above_one(stream: Stream, rows: int, classes: int) -> Floats:
    return one_at(_binary(stream, rows, classes), 0, 2.0)


def _binary_nan(stream: Stream, rows: int, classes: int) -> Floats:
    """Return hard labels with one NaN, in the last row."""
    return _nan_in_last(_binary(stream, rows, classes))


def _numbers(stream: Stream, rows: int, classes: int) -> Floats:
    return stream.normal(rows, classes)


def _numbers_100(stream: Stream, rows: int, classes: int) -> Floats:
    return 100.0 * stream.normal(rows, classes)


def _all_zero(stream: Stream, rows: int, classes: int) -> Floats:
    return np.zeros((rows, classes))


def _longer(target: Array) -> Array:
    return np.concatenate([target, target[:1]])


def _with_axis(target: Array) -> Array:
    return target[:, None]


def _with_class(target: Array) -> Array:
    return np.concatenate([target, target[:, :1]], axis=1)


def _one_hot(target: Array) -> Array:
    # Cases of bad input have ten classes.
    return (np.arange(10) == target[..., None]).astype(np.int64)


NUMERIC: dict[str, Numeric] = {
    family.name: family
    for family in (
        Numeric("soft", "soft", normalised, "they sum to 1", sums_to_1=True),
        Numeric(
            "zeros", "soft", _soft_zeros, "exact zeros: 0 · log 0, and 0 · inf", sums_to_1=True
        ),
        Numeric("unnormalised", "soft", _soft_unnormalised, "they do not sum to 1"),
        Numeric("all_zero", "soft", _all_zero, "nothing is likely: a loss of 0", is_hard=True),
        Numeric("soft_negative", "soft", _soft_negative, "one below 0: an error is due"),
        Numeric(
            "subnormal",
            "soft",
            _soft_subnormal,
            "1e-39: flushed to 0, lost in 16 bits",
            sums_to_1=True,
        ),
        Numeric("above", "soft", _soft_above, "one above 1: an error is due"),
        Numeric("soft_nan", "soft", _soft_nan, "a NaN must not vanish"),
        Numeric("binary", "multi_label", _binary, "hard labels", is_hard=True),
        Numeric("fractional", "multi_label", _fractional, "smoothed labels"),
        Numeric("above_one", "multi_label", _above_one, "a 2: an error is due"),
        Numeric("binary_nan", "multi_label", _binary_nan, "a NaN must not vanish"),
        Numeric("numbers", "real", _numbers, "a second array of everyday numbers"),
        Numeric("numbers_100", "real", _numbers_100, "those, a hundred times as large"),
    )
}

WRONG_SHAPES: dict[str, WrongShape] = {
    shape.name: shape
    for shape in (
        WrongShape("wrong_length", _longer, "a row more than there are"),
        WrongShape("extra_axis", _with_axis, "(N, 1), which broadcasts"),
        WrongShape("wrong_classes", _with_class, "a class more than there are"),
        WrongShape("one_hot_for_index", _one_hot, "whole numbers, one-hot, for labels"),
    )
}


def targets_of(kind: TargetKind) -> list[str]:
    """Return the names of the families of targets of a kind.

    >>> targets_of("one_hot")
    ['random', 'top', 'bottom']
    """
    # A one-hot target cannot hold a label that is no class, and has no rows to ignore.
    if kind in ("index", "one_hot"):
        return [name for name, it in LABELS.items() if kind == "index" or it.one_hot]
    return [name for name, it in NUMERIC.items() if it.kind == kind]


def is_hard(kind: TargetKind | None, family: str) -> bool:
    """Return whether every number of a target is 0 or 1; that of labels and stored ones is.

    >>> is_hard("multi_label", "binary"), is_hard("soft", "soft")
    (True, False)
    """
    drawn = NUMERIC.get(family)
    return drawn is None or drawn.kind != kind or drawn.is_hard


def sums_to_1(kind: TargetKind | None, family: str) -> bool:
    """Return whether each row of a target sums to 1; of soft targets only some families do.

    >>> sums_to_1("soft", "soft"), sums_to_1("soft", "unnormalised"), sums_to_1("index", "random")
    (True, False, True)
    """
    drawn = NUMERIC.get(family)
    return kind != "soft" or drawn is None or drawn.sums_to_1
