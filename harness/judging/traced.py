"""Compute a formula with its gradient, and how far rounding may carry both.

`Traced` numbers remember how they were made, so that `gradient` can walk back, as the frameworks
do. Each number has a running error: a first-order estimate of how far an ordinary computation may
be from it, in units of the roundoff. The oracle does not use this module; it serves to recompute
what a mistaken formula gives, as the formula is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import Format

Array = NDArray[Any]
_ADDENDS = 32  # a sum of more is taken to run in blocks


@dataclass(frozen=True)
class Approx:
    """Numbers with their running errors, two arrays of one shape."""

    value: Array
    error: Array

    @classmethod
    def of(cls, value: Array | float) -> Approx:
        """Return numbers that are given without an error."""
        array = np.asarray(value)
        return cls(array, np.zeros_like(array))

    def __add__(self, other: Approx) -> Approx:
        value = self.value + other.value
        return Approx(value, self.error + other.error + np.abs(value))

    def __neg__(self) -> Approx:
        return Approx(-self.value, self.error)

    def __mul__(self, other: Approx) -> Approx:
        value = self.value * other.value
        error = np.abs(self.value) * other.error + np.abs(other.value) * self.error
        return Approx(value, error + np.abs(value))

    def __truediv__(self, other: Approx) -> Approx:
        value = self.value / other.value
        error = (self.error + np.abs(value) * other.error) / np.abs(other.value)
        return Approx(value, error + np.abs(value))

    def dot(self, other: Array) -> Approx:
        """Return the matrix product with numbers that are given without an error."""
        size, terms = np.abs(other), np.abs(self.value)
        return Approx(self.value @ other, self.error @ size + terms @ size * len(other))

    def transposed(self) -> Approx:
        """Return the transpose."""
        return Approx(self.value.T, self.error.T)

    def sum(self, axes: tuple[int, ...]) -> Approx:
        """Return the sum over some axes, which are kept with the length 1."""
        number = prod(self.value.shape[axis] for axis in axes)
        own = min(number, _ADDENDS) * np.abs(self.value).sum(axes, keepdims=True)
        return Approx(
            self.value.sum(axes, keepdims=True), self.error.sum(axes, keepdims=True) + own
        )

    def shaped(self, shape: tuple[int, ...]) -> Approx:
        """Return the sum over the axes along which a shape was broadcast to this one's."""
        if self.value.shape == shape:
            return self
        extra = self.value.ndim - len(shape)
        axes = (
            *range(extra),
            *(extra + axis for axis, size in enumerate(shape)
              if size == 1 and self.value.shape[extra + axis] != 1),
        )  # fmt: skip
        summed = self.sum(axes) if axes else self
        return Approx(summed.value.reshape(shape), summed.error.reshape(shape))


Back = Callable[[Approx], Approx]  # from the adjoint of a result to that of an argument


@dataclass(frozen=True, eq=False)
class Traced:
    """Numbers, and the numbers that they were made from.

    Attributes:
        approx: the numbers with their errors.
        parents: the arguments, each with the step of the backward pass.
    """

    approx: Approx
    parents: tuple[tuple[Traced, Back], ...] = field(default=(), repr=False)

    @property
    def value(self) -> Array:
        """The numbers."""
        return self.approx.value

    def __add__(self, other: Traced | float | Array) -> Traced:
        right = traced(other, self)
        return Traced(self.approx + right.approx, ((self, _same), (right, _same)))

    def __sub__(self, other: Traced | float | Array) -> Traced:
        return self + -traced(other, self)

    def __neg__(self) -> Traced:
        return Traced(-self.approx, ((self, lambda g: -g),))

    def __mul__(self, other: Traced | float | Array) -> Traced:
        right = traced(other, self)
        parents = ((self, lambda g: g * right.approx), (right, lambda g: g * self.approx))
        return Traced(self.approx * right.approx, parents)

    def __truediv__(self, other: Traced | float | Array) -> Traced:
        right = traced(other, self)
        result = self.approx / right.approx
        parents = (
            (self, lambda g: g / right.approx),
            (right, lambda g: -(g * result) / right.approx),
        )
        return Traced(result, parents)

    def sum(self, *axes: int) -> Traced:
        """Return the sum over some axes, which are kept with the length 1; over all by default."""
        over = axes or tuple(range(self.value.ndim))
        shape = self.value.shape
        return Traced(self.approx.sum(over), ((self, lambda g: _broadcast(g, shape)),))

    def reshape(self, shape: tuple[int, ...]) -> Traced:
        """Return the same numbers in another shape of the same size."""
        old, approx = self.value.shape, self.approx
        made = Approx(approx.value.reshape(shape), approx.error.reshape(shape))
        back: Back = lambda g: Approx(g.value.reshape(old), g.error.reshape(old))  # noqa: E731
        return Traced(made, ((self, back),))


def _same(g: Approx) -> Approx:
    return g


def _broadcast(g: Approx, shape: tuple[int, ...]) -> Approx:
    return Approx(np.broadcast_to(g.value, shape), np.broadcast_to(g.error, shape))


def traced(number: Traced | float | Array, like: Traced) -> Traced:
    """Return a number in the precision of another."""
    if isinstance(number, Traced):
        return number
    return Traced(Approx.of(np.asarray(number, like.value.dtype)))


def exp(x: Traced) -> Traced:
    """Return e^x."""
    value = np.exp(x.value)
    # An exponential that is 0 has no error, even that of a logit of −inf.
    result = Approx(value, np.where(value == 0, 0, value * (x.approx.error + 1)))
    return Traced(result, ((x, lambda g: g * result),))


def log(x: Traced) -> Traced:
    """Return log x."""
    value = np.log(x.value)
    result = Approx(value, x.approx.error / np.abs(x.value) + np.abs(value))
    return Traced(result, ((x, lambda g: _quotient(g, x.approx)),))


def _quotient(g: Approx, x: Approx) -> Approx:
    """Return g/x, and 0 where g is 0: nothing flows back through a class that is not looked up."""
    quotient, none = g / x, g.value == 0
    return Approx(np.where(none, 0, quotient.value), np.where(none, 0, quotient.error))


def log1p(x: Traced) -> Traced:
    """Return log(1 + x)."""
    value = np.log1p(x.value)
    result = Approx(value, x.approx.error / np.abs(1 + x.value) + np.abs(value))
    return Traced(result, ((x, lambda g: _quotient(g, (x + 1.0).approx)),))


def tanh(x: Traced) -> Traced:
    """Return tanh x, whose derivative is computed as 1 − tanh²."""
    value = np.tanh(x.value)
    slope = 1 / np.cosh(x.value) ** 2
    result = Approx(value, x.approx.error * slope + np.abs(value))
    return Traced(result, ((x, lambda g: g * Approx(slope, np.ones_like(slope))),))


def with_slope(result: Approx, x: Traced, slope: Array | float) -> Traced:
    """Return numbers made of others, through which a gradient flows by a slope of one's own."""
    factor = Approx.of(np.broadcast_to(np.asarray(slope, x.value.dtype), x.value.shape))
    return Traced(result, ((x, lambda g: g * factor),))


def sigmoid(x: Traced) -> Traced:
    """Return σ(x), whose derivative is computed as σ(x)·σ(−x)."""
    value = _sigma(x.value)
    result = Approx(value, value * (1 + x.approx.error * _sigma(-x.value)))
    other = Approx.of(_sigma(-x.value))
    return Traced(result, ((x, lambda g: g * result * other),))


def log_sigmoid(x: Traced) -> Traced:
    """Return log σ(x)."""
    value = np.minimum(x.value, 0) - np.log1p(np.exp(-np.abs(x.value)))
    slope = Approx.of(_sigma(-x.value))
    result = Approx(value, x.approx.error * slope.value + np.abs(value))
    return Traced(result, ((x, lambda g: g * slope),))


def _sigma(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, e) / (1 + e))


def times(weight: Traced, loss: Traced) -> Traced:
    """Return the product, where a weight of 0 makes even an infinity 0."""
    product = weight * loss
    none = np.broadcast_to(weight.value == 0, product.value.shape)
    kept = Approx(np.where(none, 0, product.value), np.where(none, 0, product.approx.error))
    return Traced(kept, product.parents)


def chosen(mask: Array, one: Traced, other: Traced | float) -> Traced:
    """Return one number where a mask holds, and the other elsewhere."""
    second = traced(other, one)
    value = np.where(mask, one.value, second.value)
    error = np.where(mask, one.approx.error, second.approx.error)
    parents: tuple[tuple[Traced, Back], ...] = (
        (one, lambda g: Approx(np.where(mask, g.value, 0), np.where(mask, g.error, 0))),
        (second, lambda g: Approx(np.where(mask, 0, g.value), np.where(mask, 0, g.error))),
    )
    return Traced(Approx(value, error), parents)


def clip(x: Traced, low: float, high: float) -> Traced:
    """Return x limited to [low, high]; nothing flows back where the limits hold."""
    below = chosen(x.value >= low, x, low)
    return chosen(below.value <= high, below, high)


def held(x: Traced, form: Format) -> Traced:
    """Return what a format holds of x: infinity beyond its range, and 0 below it."""
    size = np.abs(x.value)
    if not ((size > form.max) | ((size < form.tiny) & (size != 0))).any():
        return Traced(x.approx, ((x, _same),))
    value = np.where(size > form.max, np.copysign(np.inf, x.value), x.value)
    half = value.dtype.type(form.smallest) / 2  # which float64 does not hold of its own
    value = np.where(np.abs(value) < half, 0 * x.value, value)
    # Among subnormals a rounding is not relative any more.
    coarse = np.where(np.abs(value) < form.tiny, form.smallest / form.unit_roundoff / 2, 0.0)
    error = np.where(value == 0, x.approx.error, x.approx.error + coarse)
    return Traced(Approx(value.astype(x.value.dtype), error), ((x, _same),))


def gradient(result: Traced, cotangent: Array, wrt: Traced) -> Approx:
    """Return the derivative of Σ cotangent·result with respect to a number, in its shape."""
    order: list[Traced] = []
    leads = {id(wrt): True}
    _visit(result, order, leads)
    adjoints = {id(result): Approx.of(np.asarray(cotangent, result.value.dtype))}
    for node in reversed(order):
        adjoint = adjoints.get(id(node))
        for parent, back in node.parents if adjoint is not None else ():
            if not leads[id(parent)]:
                continue
            assert adjoint is not None  # noqa: S101 -- or there would be no parents
            part = back(adjoint).shaped(parent.value.shape)
            known = adjoints.get(id(parent))
            adjoints[id(parent)] = part if known is None else known + part
    return adjoints.get(id(wrt), Approx.of(np.zeros_like(wrt.value)))


def _visit(node: Traced, order: list[Traced], leads: dict[int, bool]) -> bool:
    """Append a number after all that it was made from; return whether that leads to an argument.

    Args:
        node: the number.
        order: receives it.
        leads: for the id of each number that was visited, whether it was made from the argument.
    """
    if id(node) not in leads:
        found = [_visit(parent, order, leads) for parent, _ in node.parents]  # all are visited
        leads[id(node)] = any(found)
        order.append(node)
    return leads[id(node)]
