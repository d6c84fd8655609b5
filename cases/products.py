"""Define families of hidden states and linear weights, whose products are logits.

Like families of values they are drawn as float64 numbers with exact arithmetic only, and rounded to
the format afterwards. A hidden state and a row of weights are drawn together, because what is
difficult is their product: where it is large, where it cancels, and which class it prefers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .dtypes import Array, Format
from .operations import DTYPES
from .stream import Floats, Stream

_WIDE = ("bfloat16", "float32", "float64")  # formats that hold logits beyond 65504
_TIE = 2  # neighbouring classes that are equal


class Sizes(NamedTuple):
    """The sizes of a product: N rows, hidden states of size H, C classes."""

    rows: int
    hidden: int
    classes: int


class Factors(NamedTuple):
    """Hidden states, shape (N, H), and linear weights, shape (C, H)."""

    hidden: Floats
    linear_weight: Floats


@dataclass(frozen=True)
class Product:
    """A family of hidden states and linear weights.

    Attributes:
        name: its name in a case id.
        draw: draws both as float64 numbers.
        why: the difficulty that it provokes.
        dtypes: the formats that can hold the logits.
        probed: whether relations are checked on its cases too.
        is_finite: whether it draws neither NaN nor infinities.
    """

    name: str
    draw: Callable[[Stream, Sizes, Format], Factors]
    why: str
    dtypes: tuple[str, ...] = DTYPES
    probed: bool = False
    is_finite: bool = True


@dataclass(frozen=True)
class Bias:
    """A family of biases, shape (C,)."""

    name: str
    draw: Callable[[Stream, int], Floats]
    why: str


def _root(hidden: int) -> float:
    """Return a power of two near 1/√H, by which products of H terms have the size of one."""
    return 2.0 ** -(int(hidden).bit_length() // 2)


def _normal(spread: float) -> Callable[[Stream, Sizes, Format], Factors]:
    """Return a family whose logits have about a given standard deviation."""

    def draw(stream: Stream, sizes: Sizes, form: Format) -> Factors:
        states = stream.normal(sizes.rows, sizes.hidden)
        weights = stream.normal(sizes.classes, sizes.hidden)
        return Factors(states * spread, weights * _root(sizes.hidden))

    return draw


def _zeros(stream: Stream, sizes: Sizes, form: Format) -> Factors:
    weights = stream.normal(sizes.classes, sizes.hidden)
    return Factors(np.zeros((sizes.rows, sizes.hidden)), weights)


def _ties(stream: Stream, sizes: Sizes, form: Format) -> Factors:
    states, weights = _normal(4.0)(stream, sizes, form)
    return Factors(states, weights[np.arange(sizes.classes) // _TIE])


def _offset(stream: Stream, sizes: Sizes, form: Format) -> Factors:
    # One hidden state and its weight are the same for all classes: their product is 2^20.
    states, weights = _normal(1.0)(stream, sizes, form)
    states[:, 0] = weights[:, 0] = 1024.0
    return Factors(states, weights)


def _below_zero(stream: Stream, sizes: Sizes, form: Format) -> Factors:
    states, weights = _normal(1.0)(stream, sizes, form)
    states[:, 0], weights[:, 0] = 8.0, -5.0
    return Factors(states, weights)


def _dominant(stream: Stream, sizes: Sizes, form: Format) -> Factors:
    # The class that a hidden state prefers moves on by one from row to row.
    states, weights = _normal(0.5)(stream, sizes, form)
    chosen = np.arange(sizes.rows) % sizes.classes
    length = (weights * weights)[chosen].max(axis=1, keepdims=True)
    return Factors(states + weights[chosen] * (24.0 / np.maximum(length, 2.0**-8)), weights)


def _cancelling(stream: Stream, sizes: Sizes, form: Format) -> Factors:
    # Neighbouring products are opposite but for one part in 4096 (in 64 of the 16-bit formats).
    states, weights = _normal(64.0)(stream, sizes, form)
    least = 2.0**-12 if form.precision > 11 else 2.0**-6
    pairs = sizes.hidden // 2 * 2
    states[:, 1:pairs:2] = states[:, 0:pairs:2]
    noise = stream.normal(sizes.classes, pairs // 2) * least
    weights[:, 0:pairs:2] = form.round(weights[:, 0:pairs:2]).astype(np.float64)
    weights[:, 1:pairs:2] = -weights[:, 0:pairs:2] * (1.0 + noise)
    return Factors(states, weights)


def _outlier(stream: Stream, sizes: Sizes, form: Format) -> Factors:
    states, weights = _normal(1.0)(stream, sizes, form)
    states[:, -1] *= 1024.0
    weights[:, -1] *= 2.0**-9
    return Factors(states, weights)


def _nan_where_ignored(stream: Stream, sizes: Sizes, form: Format) -> Factors:
    states, weights = _normal(1.0)(stream, sizes, form)
    states[::3] = np.nan
    return Factors(states, weights)


def _grid(stream: Stream, sizes: Sizes, form: Format) -> Factors:
    states = stream.integers(17, sizes.rows, sizes.hidden) - 8
    weights = stream.integers(17, sizes.classes, sizes.hidden) - 8
    return Factors(states / 4.0, weights / 4.0)


def _special(value: float) -> Callable[[Stream, Sizes, Format], Factors]:
    """Return a family in which every row but the first contains a value once."""

    def draw(stream: Stream, sizes: Sizes, form: Format) -> Factors:
        states, weights = _normal(1.0)(stream, sizes, form)
        states[min(1, sizes.rows - 1) :, 0] = value
        return Factors(states, weights)

    return draw


PRODUCTS: dict[str, Product] = {
    family.name: family
    for family in (
        Product("normal", _normal(1.0), "everyday logits at the start of training"),
        Product("normal_10", _normal(10.0), "logits of a trained model"),
        Product("normal_100", _normal(100.0), "exp overflows without a shift"),
        Product("zeros", _zeros, "the uniform distribution, exactly"),
        Product("ties", _ties, "pairs of classes have equal weights"),
        Product("offset", _offset, "2^20 in all logits: lse - z cancels", _WIDE),
        Product("below_zero", _below_zero, "logits near -40: a class of padding, 0, would win"),
        Product("dominant", _dominant, "one class near probability 1"),
        Product("cancelling", _cancelling, "inner products that nearly cancel"),
        Product("outlier", _outlier, "one large hidden state, as trained models have"),
        Product(
            "nan_where_ignored",
            _nan_where_ignored,
            "padding that was never written: NaN in rows that do not count",
            is_finite=False,
        ),
        Product("nan", _special(np.nan), "a NaN must not vanish", is_finite=False),
        Product("grid", _grid, "quarters, whose products are exact", probed=True),
    )
}


def _everyday_bias(stream: Stream, classes: int) -> Floats:
    return stream.normal(classes)


def _masked_bias(stream: Stream, classes: int) -> Floats:
    # The last classes are padding: a fifth, and at least one.
    bias = stream.normal(classes)
    bias[classes - max(classes // 5, 1) :] = -np.inf
    return bias


BIASES: dict[str, Bias] = {
    family.name: family
    for family in (
        Bias("normal", _everyday_bias, "everyday biases"),
        Bias("padded", _masked_bias, "-inf masks the last classes, which are padding"),
    )
}


def logits_of(hidden: Array, linear_weight: Array, linear_bias: Array | None) -> Floats:
    """Return the logits in float64, shape (N, C): the same bits on every machine.

    They say which class is the likeliest, and no answer is judged by them.
    """
    states, weights = hidden.astype(np.float64), linear_weight.astype(np.float64)
    bias = np.zeros(len(weights)) if linear_bias is None else linear_bias.astype(np.float64)
    total = np.tile(bias, (len(states), 1))
    with np.errstate(all="ignore"):
        for state, weight in zip(states.T, weights.T, strict=True):
            total = total + state[:, None] * weight
    return total
