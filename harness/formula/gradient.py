"""Differentiate a formula: reverse mode, from one graph to another.

The derivative is made of the same steps as the formula, so that every kind of number runs it, and
it can be differentiated again. In its products a 0 that comes from above stays 0 whatever the other
factor is, so that what `where` has left out has no effect. Where a function has a kink, as |x| at
0, the derivative is NaN: no answer is agreed on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from .functions import exp, scaled
from .graph import (
    DETACHED,
    Adjoint,
    Array,
    Shape,
    binary,
    broadcast,
    chosen,
    constant,
    mask,
    reduction,
    reshaped,
    steps,
    unary,
)

Adjoints = tuple[Array | None, ...]


def gradients(output: Array, seed: Array, wrt: Sequence[Array]) -> list[Array]:
    """Return the derivatives of Σ seed·output with respect to some arrays, each in its shape.

    Args:
        output: an array that is computed.
        seed: the weights of its numbers, in its shape.
        wrt: arrays that it is computed from.
    """
    adjoints: dict[Array, Array] = {output: seed}
    ends = set(wrt)
    for array in reversed(steps([output])):
        above = adjoints.get(array)
        if above is None or array in ends:
            continue
        for argument, found in _of(array, above):
            held = adjoints.get(argument)
            adjoints[argument] = found if held is None else held + found
    zeros = {array: broadcast(constant(0.0), array.shape) for array in wrt}
    return [adjoints.get(array, zeros[array]) for array in wrt]


def second_derivative(gradient: Array, direction: Array, wrt: Array) -> Array:
    """Return the Hessian-vector product: Σ direction·gradient, differentiated once more.

    Args:
        gradient: the first derivative with respect to an array, in its shape.
        direction: the vector, in the same shape.
        wrt: the array.
    """
    return gradients(gradient, direction, [wrt])[0]


def _of(array: Array, above: Array) -> list[tuple[Array, Array]]:
    """Return the arrays that a step reads, each with what the step adds to its adjoint."""
    if array.op == "form" and array.value == DETACHED:
        return []
    if array.adjoint is not None and array.wrt is not None:
        return [(array.wrt, _in_shape(array.adjoint(array, above), array.wrt.shape))]
    found = _RULES[array.op](array, above) if array.op in _RULES else ()
    return [
        (argument, _in_shape(adjoint, argument.shape))
        for argument, adjoint in zip_longest(array.args, found)
        if adjoint is not None and argument.op != "constant"
    ]


def _in_shape(adjoint: Array, shape: Shape) -> Array:
    """Return an adjoint summed over the axes along which its array was repeated."""
    while adjoint.ndim > len(shape):
        adjoint = reduction("sum", adjoint, 0, keepdims=False)
    for axis, size in enumerate(shape):
        if size != adjoint.shape[axis]:
            adjoint = reduction("sum", adjoint, axis, keepdims=True)
    return broadcast(adjoint, shape) if adjoint.shape != shape else adjoint


def _add(array: Array, g: Array) -> Adjoints:
    return broadcast(g, array.shape), broadcast(g, array.shape)


def _subtract(array: Array, g: Array) -> Adjoints:
    return broadcast(g, array.shape), -broadcast(g, array.shape)


def _multiply(array: Array, g: Array) -> Adjoints:
    left, right = array.args
    return scaled(g, right), scaled(g, left)


def _divide(array: Array, g: Array) -> Adjoints:
    left, right = array.args
    quotient = _over(g, right)
    return quotient, -scaled(quotient, left / right)


def _over(g: Array, divisor: Array) -> Array:
    return binary("divide", g, divisor, "masked")


def _tanh(array: Array, g: Array) -> Adjoints:
    x = array.args[0]
    small = exp(-2.0 * abs(x))
    slope = _complement(4.0 * small / (1.0 + small) ** 2)
    # The chain rule through |x| would have no answer at 0.
    bend: Adjoint = lambda y, g: scaled(g, -2.0 * (array * y))  # noqa: E731
    return (scaled(g, replace(slope, adjoint=bend, wrt=x)),)


def _complement(slope: Array) -> Array:
    """Return a derivative that frameworks compute from the function: 1 − tanh², expm1 + 1."""
    return Array("form", (slope,), slope.shape, "complement")


def _kink(array: Array, g: Array) -> Adjoints:
    """Return the derivative of a jump: 0, and at the jump, where it is NaN itself, NaN."""
    return (scaled(g, array * 0.0),)


def _power(array: Array, g: Array) -> Adjoints:
    base, exponent = array.args[0], array.value
    if exponent in (0.0, 1.0):
        return (scaled(g, constant(exponent)),)
    return (scaled(g, exponent * base ** (exponent - 1.0)),)


def _maximum(array: Array, g: Array) -> Adjoints:
    left, right = array.args
    return (
        scaled(g, unary("step", binary("subtract", left, right))),
        scaled(g, unary("step", binary("subtract", right, left))),
    )


def _sum(array: Array, g: Array) -> Adjoints:
    return (_along(g, array.args[0].shape),)


def _max(array: Array, g: Array) -> Adjoints:
    above = _along(g, array.args[0].shape)
    return (scaled(above, Array("peak", array.args, array.args[0].shape)),)


def _along(g: Array, shape: Shape) -> Array:
    """Return what comes from above a reduction, repeated along the last axis."""
    return broadcast(reshaped(g, (*g.shape, 1)), shape)


def _where(array: Array, g: Array) -> Adjoints:
    condition = array.args[0]
    whole = broadcast(g, array.shape)
    return None, chosen(condition, whole, 0.0), chosen(condition, 0.0, whole)


def _moved(array: Array, g: Array) -> Adjoints:
    back = tuple(sorted(range(g.ndim), key=array.value.__getitem__))
    return (Array("moved", (g,), array.args[0].shape, back),)


def _picked(array: Array, g: Array) -> Adjoints:
    """Return what comes from above a part of an array, and 0 beside that part."""
    whole, places = array.args[0].shape, array.value.ravel()
    if not places.size:
        return (None,)
    origin = np.zeros(int(np.prod(whole)), np.int64)
    origin[places] = np.arange(places.size)
    is_part = np.zeros(origin.size, bool)
    is_part[places] = True
    # Places beside the part read some number that is left out, and pass nothing back to it.
    again: Adjoint = lambda _, h: Array("picked", (h,), array.shape, array.value)  # noqa: E731
    spread = Array("picked", (g,), whole, origin.reshape(whole), again, g)
    return (chosen(mask(is_part.reshape(whole)), spread, 0.0),)


def _joined(array: Array, g: Array) -> Adjoints:
    ends = np.cumsum([it.shape[array.value] for it in array.args])
    before = (slice(None),) * array.value
    starts = (0, *map(int, ends[:-1]))
    return tuple(
        g[(*before, slice(start, int(end)))] for start, end in zip(starts, ends, strict=True)
    )


_RULES: dict[str, Callable[[Array, Array], Adjoints]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "maximum": _maximum,
    "negative": lambda _, g: (-g,),
    "absolute": lambda y, g: (scaled(g, unary("sign", y.args[0])),),
    "exp": lambda y, g: (scaled(g, y),),
    "expm1": lambda y, g: (scaled(g, _complement(exp(y.args[0]))),),
    "log": lambda y, g: (_over(g, y.args[0]),),
    "log1p": lambda y, g: (_over(g, y.args[0] + 1.0),),
    "tanh": _tanh,
    "sqrt": lambda y, g: (_over(g, 2.0 * y),),
    "power": _power,
    "sum": _sum,
    "max": _max,
    **dict.fromkeys(("step", "sign", "peak"), _kink),
    "cumsum": lambda y, g: (Array("cumsum", (g,), g.shape, -y.value),),
    "where": _where,
    "joined": _joined,
    "moved": _moved,
    "picked": _picked,
    "transpose": lambda _, g: (g.T,),
    "reshape": lambda y, g: (reshaped(g, y.args[0].shape),),
    "broadcast": lambda _, g: (g,),
    "form": lambda _, g: (g,),
}
