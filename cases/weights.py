"""Define families of class weights, for `weight` and for `pos_weight`.

Like families of values they are drawn as float64 numbers and rounded to the format afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .dtypes import Array, Format
from .stream import Floats, Stream


@dataclass(frozen=True)
class Weights:
    """A family of class weights.

    Attributes:
        name: its name in a case id.
        draw: draws float64 weights of shape (C,) for a number of classes and a format.
        why: the reason for it.
    """

    name: str
    draw: Callable[[Stream, int, Format], Floats]
    why: str


def _steps(stream: Stream, classes: int) -> Floats:
    """Return whole numbers from 1 to 15, which have four bits: scaled by 2^k they stay exact."""
    return (stream.integers(15, classes) + 1).astype(np.float64)


def _same(weight: float) -> Callable[[Stream, int, Format], Floats]:
    return lambda stream, classes, form: np.full(classes, weight)


def _positive(stream: Stream, classes: int, form: Format) -> Floats:
    return _steps(stream, classes) / 8.0


def _with_zeros(stream: Stream, classes: int, form: Format) -> Floats:
    return stream.integers(3, classes) / 2.0


def _negative(stream: Stream, classes: int, form: Format) -> Floats:
    # After rounding these weights use all digits of the format, so that their sums are not exact.
    return (stream.uniform(classes) - 0.625) * 2.0


def _huge(stream: Stream, classes: int, form: Format) -> Floats:
    return _steps(stream, classes) * 2.0 ** (form.emax - 4)


def _small(stream: Stream, classes: int, form: Format) -> Floats:
    # With few digits 1 + pos_weight would be exact, and the test would find nothing.
    return (stream.uniform(classes) + 0.0625) * 2.0**-18


def _tiny(stream: Stream, classes: int, form: Format) -> Floats:
    return _steps(stream, classes) * 2.0 ** (form.emin - 2)


WEIGHTS: dict[str, Weights] = {
    family.name: family
    for family in (
        Weights("positive", _positive, "everyday class weights"),
        Weights(
            "with_zeros", _with_zeros, "classes that do not count: 0 · log 0, and 0/0 where all do"
        ),
        Weights("ones", _same(1.0), "as if there were none"),
        Weights("all_zero", _same(0.0), "no class counts: 0/0"),
        Weights(
            "negative", _negative, "both signs: terms cancel, and a sum of weights may be below 0"
        ),
        Weights(
            "huge",
            _huge,
            "up to half the largest number: weight times loss, or the sum of the "
            "weights, overflows before it is divided",
        ),
        Weights("small", _small, "classes that hardly count: 1 + (pos_weight - 1)z cancels"),
        Weights(
            "tiny",
            _tiny,
            "a quarter to four times the smallest normal number: weight times loss "
            "loses digits, is flushed to 0, or the weight itself is",
        ),
    )
}


def fitted(array: Array, shape: tuple[int, ...], *, reads_classes: bool) -> Array:
    """Return given weights in a form that the contract has.

    Args:
        array: the weights.
        shape: the shape of the first argument.
        reads_classes: whether the loss is one of whole rows, whose weights belong to the classes.

    Returns:
        Weights of shape (C,); or, for losses of elements, with as many axes as `shape` has, which
        broadcast to it.

    Raises:
        ValueError: they do not fit.

    >>> fitted(np.ones((2, 1)), (2, 3), reads_classes=False).shape
    (2, 1)
    """
    classes = shape[min(1, len(shape) - 1) :][:1]
    if shape and array.shape == classes:
        return array
    if reads_classes:
        raise ValueError(f"has shape {array.shape}; it must have {classes}")
    try:
        fits = np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        allowed = f"have {classes}, or broadcast to {shape}" if shape else "be one number"
        raise ValueError(f"has shape {array.shape}; it must {allowed}")
    return array.reshape([1] * (len(shape) - array.ndim) + list(array.shape))
