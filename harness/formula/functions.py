"""The functions that formulas are written with.

The functions over classes and the logistic ones are composed of primitive steps in a form in which
nothing cancels, and have derivatives of their own, because the chain rule through a maximum would
give them in a form that no framework uses. A `form` says in which other forms sound computations
have them: `errors` allows for these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import DefinitionError
from .graph import (
    BACKWARD,
    BASE_2,
    DETACHED,
    FORWARD,
    LOG_REST,
    Array,
    Condition,
    Number,
    binary,
    broadcast,
    chosen,
    constant,
    mask,
    reduction,
    reshaped,
    unary,
)
from .labels import Labels

# Those that `lossdiff.formula` shows to users.
__all__ = [
    "abs",
    "clip",
    "concatenate",
    "cumsum",
    "detach",
    "dot",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "one_hot",
    "sigmoid",
    "softmax",
    "softplus",
    "sqrt",
    "sum",
    "take",
    "tanh",
    "where",
]

Target = Array | Labels


def exp(x: Number) -> Array:
    """Return e^x."""
    return unary("exp", x)


def expm1(x: Number) -> Array:
    """Return e^x − 1."""
    return unary("expm1", x)


def log(x: Number) -> Array:
    """Return the natural logarithm; that of a softmax or a sigmoid in a form that loses nothing."""
    array = constant(x)
    found = _logarithm(array)
    return unary("log", array) if found is None else found


def log1p(x: Number) -> Array:
    """Return log(1 + x); log(1 − p) of a softmax or a sigmoid in a form that loses nothing."""
    array = constant(x)
    found = _logarithm_of_rest(array.args[0]) if array.op == "negative" else None
    return unary("log1p", array) if found is None else found


def tanh(x: Number) -> Array:
    """Return the hyperbolic tangent."""
    return unary("tanh", x)


def sqrt(x: Number) -> Array:
    """Return the square root."""
    return unary("sqrt", x)


def sum(x: Number, axis: int | None = None, keepdims: bool = False) -> Array:  # noqa: A001
    """Return the sum along an axis; None for all."""
    return reduction("sum", x, axis, keepdims)


def mean(x: Number, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return the mean along an axis; None for all."""
    return constant(x).mean(axis, keepdims)


def max(x: Number, axis: int | None = None, keepdims: bool = False) -> Array:  # noqa: A001
    """Return the largest number along an axis; None for all. Its gradient is undefined at ties."""
    return reduction("max", x, axis, keepdims)


def min(x: Number, axis: int | None = None, keepdims: bool = False) -> Array:  # noqa: A001
    """Return the smallest number along an axis; None for all. Its gradient is undefined at ties."""
    return constant(x).min(axis, keepdims)


def concatenate(arrays: Sequence[Number], axis: int = 0) -> Array:
    """Return several arrays as one, one behind the other along an axis."""
    found = tuple(map(constant, arrays))
    if not found or any(it.is_mask for it in found):
        raise DefinitionError("concatenate takes a list of arrays of numbers")
    shapes = [it.shape for it in found]
    try:
        whole = np.concatenate([np.broadcast_to(0, it) for it in shapes], axis)
    except (TypeError, ValueError) as error:
        listed = " and ".join(map(str, shapes))
        raise DefinitionError(f"concatenate: {listed} do not fit along axis {axis!r}") from error
    return Array("joined", found, whole.shape, axis % whole.ndim)


def where(condition: Condition, yes: Number, no: Number) -> Array:
    """Return the numbers of `yes` where a condition holds, and those of `no` elsewhere."""
    return chosen(condition, yes, no)


def maximum(x: Number, y: Number) -> Array:
    """Return the larger of two numbers. The gradient is undefined where they are equal."""
    return binary("maximum", x, y)


def minimum(x: Number, y: Number) -> Array:
    """Return the smaller of two numbers. The gradient is undefined where they are equal."""
    return -maximum(-constant(x), -constant(y))


def abs(x: Number) -> Array:  # noqa: A001
    """Return the magnitude of each number. Its gradient is undefined at 0."""
    return unary("absolute", x)


def clip(x: Number, low: Number, high: Number) -> Array:
    """Return each number limited to [low, high]. The gradient is undefined at the limits."""
    return minimum(maximum(x, low), high)


def cumsum(x: Number, axis: int = -1) -> Array:
    """Return the sums of the numbers up to each one along an axis of a matrix."""
    array = constant(x)
    if array.ndim != 2 or axis not in (-2, -1, 0, 1):
        raise DefinitionError(f"cumsum takes an axis of a matrix, and not axis {axis!r} of the "
                              f"shape {array.shape}")  # fmt: skip
    if axis in (-2, 0):
        return cumsum(array.T).T
    return Array("cumsum", (array,), array.shape, FORWARD)


def detach(x: Number) -> Array:
    """Return the same numbers, through which no gradient flows back."""
    array = constant(x)
    return Array("form", (array,), array.shape, DETACHED)


def dot(x: Number, y: Number) -> Array:
    """Return the sum of products along the last axis, in which 0 times anything is 0."""
    first, second = constant(x), constant(y)
    if not first.shape or not second.shape:
        raise DefinitionError("dot takes arrays with an axis to sum along")
    return reduction("sum", scaled(first, second), -1, keepdims=False)


def scaled(factor: Number, x: Number) -> Array:
    """Return the product, in which a factor of 0 gives 0 whatever x is."""
    return binary("multiply", factor, x, "masked")


def one_hot(target: Target) -> Array:
    """Return the target as an array of shape (N, C): 1 for the class of a row, or its weights."""
    if isinstance(target, Labels):
        return constant(target.one_hot.astype(np.float64))
    return target


def take(x: Number, target: Target) -> Array:
    """Return of each row the number of the target's class, or Σ target·x of other targets.

    Args:
        x: shape (N, C).
        target: the target that the formula is given.
    """
    array = constant(x)
    if not isinstance(target, Labels):
        return dot(target, array)
    if array.shape != (*target.shape, target.classes):
        expected = (*target.shape, target.classes)
        raise DefinitionError(f"take: an array of shape {array.shape}, where {expected} is due")
    picked = chosen(mask(target.one_hot), array, 0.0)
    return reduction("sum", picked, -1, keepdims=False)


# --- over the classes


@dataclass(frozen=True)
class _Parts:
    """The numbers of logits that the functions over the classes are made of."""

    top: Array
    d: Array
    s: Array
    l: Array

    @classmethod
    def of(cls, x: Array) -> _Parts:
        if not x.shape:
            raise DefinitionError("softmax takes an array with classes on its last axis")
        top = reduction("max", x, -1, keepdims=True)
        # The largest class is left out of the sum; its d is 0, and NaN where there is no answer.
        d = top - x
        e = chosen(Array("top", (x,), x.shape), d, unary("exp", -d, BASE_2))
        s = reduction("sum", e, -1, keepdims=True)
        return cls(top, d, s, log1p(s))


def logsumexp(x: Number) -> Array:
    """Return log Σ exp(x) over the last axis."""
    logits = constant(x)
    kept = _logsumexp(logits)
    return Array("reshape", (kept,), logits.shape[:-1])


def _logsumexp(x: Array) -> Array:
    parts = _Parts.of(x)
    plain = parts.top + parts.l
    found = Array("form", (plain, x), plain.shape, "logsumexp", wrt=x)
    return replace(found, adjoint=lambda _, g: scaled(g, softmax(x)))


def log_softmax(x: Number) -> Array:
    """Return x − log Σ exp(x) over the last axis."""
    logits = constant(x)
    parts = _Parts.of(logits)
    plain = -(parts.d + parts.l)
    lse = parts.top + parts.l
    found = Array("form", (plain, logits, lse), plain.shape, "log_softmax", wrt=logits)

    def adjoint(y: Array, g: Array) -> Array:
        return g - scaled(reduction("sum", g, -1, keepdims=True), _stored(exp(y)))

    return replace(found, adjoint=adjoint)


def _stored(x: Array) -> Array:
    """Return the same numbers, of which a computation may store the rounded ones in between."""
    return Array("form", (x,), x.shape, "stored", lambda _, g: g, x)


def softmax(x: Number) -> Array:
    """Return exp(x)/Σ exp(x) over the last axis."""
    logits = constant(x)
    parts = _Parts.of(logits)
    total = parts.s + 1.0
    plain = unary("exp", -parts.d, BASE_2) / total
    lse = parts.top + parts.l
    found = Array("form", (plain, logits, lse), plain.shape, "softmax", wrt=logits)

    def adjoint(y: Array, g: Array) -> Array:
        inner = reduction("sum", scaled(g, y), -1, keepdims=True)
        return scaled(y, g - inner)

    return replace(found, adjoint=adjoint)


def _log_rest(x: Array) -> Array:
    """Return log(1 − softmax(x)) over the last axis."""
    parts = _Parts.of(x)
    p = softmax(x)
    # Of the largest class 1 − p is the sum of the others over all.
    plain = chosen(Array("top", (x,), x.shape), unary("log", parts.s) - parts.l, unary("log1p", -p))
    found = Array("form", (plain,), plain.shape, LOG_REST, wrt=x)

    def adjoint(y: Array, g: Array) -> Array:
        return scaled(p, _of_others(scaled(g, exp(log_softmax(x) - y)))) - scaled(g, p)

    return replace(found, adjoint=adjoint)


def _of_others(x: Array) -> Array:
    """Return the sums over all other classes, without a difference of sums over all of them."""
    nothing = broadcast(constant(0.0), (*x.shape[:-1], 1))
    before = Array("joined", (nothing, x[..., :-1]), x.shape, x.ndim - 1)
    after = Array("joined", (x[..., 1:], nothing), x.shape, x.ndim - 1)
    sums = (
        Array("cumsum", (it,), x.shape, at) for it, at in ((before, FORWARD), (after, BACKWARD))
    )
    first, second = sums
    return first + second


def _logarithm(x: Array) -> Array | None:
    """Return the logarithm of probabilities; None of other numbers."""
    if x.op == "subtract" and _is_one(x.args[0]):
        return _logarithm_of_rest(x.args[1])
    if x.op != "form" or x.wrt is None:
        return _of_taken(x, _logarithm)
    if x.value == "softmax":
        return reshaped(log_softmax(x.wrt), x.shape)
    return log_sigmoid(x.wrt) if x.value == "complement" else None


def _logarithm_of_rest(p: Array) -> Array | None:
    """Return log(1 − p) of probabilities; None of other numbers."""
    if p.op != "form" or p.wrt is None:
        return _of_taken(p, _logarithm_of_rest)
    if p.value == "softmax":
        return reshaped(_log_rest(p.wrt), p.shape)
    return log_sigmoid(-p.wrt) if p.value == "complement" else None


def _of_taken(x: Array, function: Callable[[Array], Array | None]) -> Array | None:
    """Return a function of the numbers that `take` has picked; None of other sums."""
    picked = x.args[0] if x.op == "sum" else x
    if picked.op != "where" or picked.args[0].op != "given" or x.op != "sum":
        return None
    is_taken, numbers, rest = picked.args
    is_one_each = (is_taken.value.sum(axis=-1) == 1).all() if is_taken.value.ndim else False
    found = function(numbers) if is_one_each and rest.op == "constant" else None
    return None if found is None else reduction("sum", chosen(is_taken, found, 0.0), -1, False)


def _is_one(x: Array) -> bool:
    return x.op == "constant" and x.shape == () and float(x.value) == 1.0


# --- of single numbers


def sigmoid(x: Number) -> Array:
    """Return 1/(1 + e^−x)."""
    logits = constant(x)
    small = exp(-abs(logits))
    plain = chosen(logits > 0, 1.0 / (1.0 + small), small / (1.0 + small))
    found = Array("form", (plain,), plain.shape, "complement", wrt=logits)
    return replace(found, adjoint=lambda y, g: scaled(g, y * sigmoid(-logits)))


def softplus(x: Number) -> Array:
    """Return log(1 + e^x)."""
    logits = constant(x)
    plain = chosen(logits > 0, logits, 0.0) + log1p(exp(-abs(logits)))
    found = Array("form", (plain,), plain.shape, "softplus", wrt=logits)
    return replace(found, adjoint=lambda _, g: scaled(g, sigmoid(logits)))


def log_sigmoid(x: Number) -> Array:
    """Return log(1/(1 + e^−x))."""
    return -softplus(-constant(x))


def matmul(x: Array, y: Array) -> Array:
    """Return the product of two matrices, in which 0 times anything is 0."""
    return constant(x) @ constant(y)


# The functions that are recorded as a form with a derivative of its own, by its name.
OF_FORMS: dict[str, Callable[[Array], Array]] = {
    "log_softmax": log_softmax,
    "softmax": softmax,
    "logsumexp": logsumexp,
    LOG_REST: _log_rest,
    "complement": sigmoid,
    "softplus": softplus,
    "stored": _stored,
}
