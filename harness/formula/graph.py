"""Record a formula: arrays that hold no numbers, but the steps by which numbers are computed.

A formula is a function of `Array`s. Called once, it leaves a graph of primitive steps, which every
kind of number runs (`exact`, `errors`, `plain`) and which `gradient` differentiates.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from ...errors import DefinitionError

Shape = tuple[int, ...]
Adjoint = Callable[["Array", "Array"], "Array"]


@dataclass(frozen=True, eq=False)
class Array:
    """An array of numbers that are computed by a step from other arrays.

    Attributes:
        op: the name of the step.
        args: the arrays that the step reads.
        shape: its shape.
        value: what the step needs besides: an axis, an exponent, a shape, or constant numbers.
        adjoint: the derivative of a step that has one of its own, a function of the array and of
            its adjoint, with respect to the first of `wrt`; None for the rule of the primitive.
        wrt: the array with respect to which `adjoint` differentiates.
    """

    op: str
    args: tuple[Array, ...]
    shape: Shape
    value: Any = None
    adjoint: Adjoint | None = None
    wrt: Array | None = None

    __array_ufunc__ = None  # NumPy's arrays leave their operators to this class

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def is_mask(self) -> bool:
        """Whether it holds truth values."""
        return self.op in _MASKS

    def __add__(self, other: Number) -> Array:
        return binary("add", self, other)

    def __radd__(self, other: Number) -> Array:
        return binary("add", other, self)

    def __sub__(self, other: Number) -> Array:
        return binary("subtract", self, other)

    def __rsub__(self, other: Number) -> Array:
        return binary("subtract", other, self)

    def __mul__(self, other: Number) -> Array:
        return binary("multiply", self, other)

    def __rmul__(self, other: Number) -> Array:
        return binary("multiply", other, self)

    def __truediv__(self, other: Number) -> Array:
        return binary("divide", self, other)

    def __rtruediv__(self, other: Number) -> Array:
        return binary("divide", other, self)

    def __matmul__(self, other: Number) -> Array:
        return product(self, constant(other))

    def __rmatmul__(self, other: Number) -> Array:
        return product(constant(other), self)

    def __neg__(self) -> Array:
        return unary("negative", self)

    def __abs__(self) -> Array:
        return unary("absolute", self)

    def __pow__(self, exponent: float) -> Array:
        if not isinstance(exponent, int | float):
            raise DefinitionError(
                f"** takes a number as exponent, and not a {_kind(exponent)}; x ** y is "
                "exp(y * log(x))"
            )
        return unary("power", self, float(exponent))

    def __gt__(self, other: Compared) -> Array:  # type: ignore[misc]
        return unary("positive", binary("subtract", self, other))

    def __lt__(self, other: Compared) -> Array:  # type: ignore[misc]
        return unary("positive", binary("subtract", other, self))

    def __ge__(self, other: Compared) -> Array:  # type: ignore[misc]
        return unary("not", self < other)

    def __le__(self, other: Compared) -> Array:  # type: ignore[misc]
        return unary("not", self > other)

    def __eq__(self, other: object) -> Array:  # type: ignore[override]
        return (self <= other) & (self >= other)  # type: ignore[operator]

    def __ne__(self, other: object) -> Array:  # type: ignore[override]
        return ~(self == other)

    __hash__ = object.__hash__

    def __and__(self, other: Condition) -> Array:
        conditions = condition(self), condition(other)
        return Array("both", conditions, together("&", *conditions))

    def __or__(self, other: Condition) -> Array:
        return ~(~condition(self) & ~condition(other))

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> Array:
        return unary("not", condition(self))

    def __getitem__(self, index: object) -> Array:
        """Return a part of the array, or one with further axes of size 1: `x[:, 1:, None]`."""
        if self.is_mask:
            raise DefinitionError("a comparison has no part; compare the parts")
        parts: tuple[Any, ...] = index if isinstance(index, tuple) else (index,)
        for part in parts:
            is_place = isinstance(part, slice | int) and not isinstance(part, bool)
            if not (part is None or part is ... or is_place):
                raise DefinitionError(
                    f"an index holds whole numbers, `:` and `None`, and not a {_kind(part)}; "
                    "`take` picks the class of the target"
                )
        places = np.arange(np.prod(self.shape, dtype=int)).reshape(self.shape)
        try:
            picked = np.asarray(places[parts])
        except (IndexError, TypeError, ValueError) as error:
            raise DefinitionError(
                f"no part {_written(parts)} in an array of shape {self.shape}"
            ) from error
        if picked.size == places.size and (picked.ravel() == places.ravel()).all():
            return reshaped(self, picked.shape)
        return Array("picked", (self,), picked.shape, picked)

    def __len__(self) -> int:
        if not self.shape:
            raise DefinitionError("an array without axes has no length")
        return self.shape[0]

    def __iter__(self) -> Any:
        raise DefinitionError("an array of a formula cannot be gone through element by element")

    def __bool__(self) -> bool:
        raise DefinitionError(
            "a formula cannot decide by `if`, `and` or `or`; where(condition, a, b) chooses, and "
            "comparisons are joined by & and |"
        )

    def __float__(self) -> float:
        raise DefinitionError(
            "a formula holds no numbers; its functions are those of lossdiff.formula alone"
        )

    __array__ = __float__

    @property
    def T(self) -> Array:  # noqa: N802 -- as NumPy names it
        """The transposed array, of two axes."""
        if self.ndim != 2:
            raise DefinitionError(f".T needs two axes, and not the shape {self.shape}")
        return Array("transpose", (self,), self.shape[::-1])

    def sum(self, axis: int | None = None, keepdims: bool = False) -> Array:
        """Return the sum along an axis; None for all."""
        return reduction("sum", self, axis, keepdims)

    def mean(self, axis: int | None = None, keepdims: bool = False) -> Array:
        """Return the mean along an axis; None for all."""
        total = self.sum(axis, keepdims)
        return total / float(np.prod(self.shape) if axis is None else self.shape[axis])

    def max(self, axis: int | None = None, keepdims: bool = False) -> Array:
        """Return the largest number along an axis; None for all."""
        return reduction("max", self, axis, keepdims)

    def min(self, axis: int | None = None, keepdims: bool = False) -> Array:
        """Return the smallest number along an axis; None for all."""
        return -(-self).max(axis, keepdims)


FORWARD, BACKWARD = 1, -1  # the direction of cumulative sums, as a step of an index
DETACHED = "detached"  # a form through which no gradient flows back
LOG_REST = "log(1 - softmax)"  # the form of that name
BASE_2 = "base 2"  # of an exponential that may be computed as a power of 2


Number = Union[Array, int, float, NDArray[Any]]  # noqa: UP007 -- evaluated before `Array` is known
Compared = Union[Array, float, NDArray[Any]]  # noqa: UP007
Condition = Union[Array, NDArray[np.bool_]]  # noqa: UP007
_MASKS = frozenset({"positive", "not", "top", "both", "given"})


def given(name: str, shape: Shape) -> Array:
    """Return an argument of the formula."""
    return Array("input", (), shape, name)


def constant(value: Number) -> Array:
    """Return a number, or an array of numbers, as an array of a formula.

    Raises:
        DefinitionError: it holds no real numbers.
    """
    if isinstance(value, Array):
        return value
    try:
        numbers = np.asarray(value if value is not None else "None", np.float64)
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"a {_kind(value)} cannot be computed with in a formula") from error
    return Array("constant", (), numbers.shape, numbers)


def mask(values: NDArray[np.bool_]) -> Array:
    """Return truth values that are known."""
    return Array("given", (), values.shape, values)


def condition(value: object) -> Array:
    """Return a comparison, or an array of truth values, as an array of a formula.

    Raises:
        DefinitionError: it holds no truth values.
    """
    if isinstance(value, Array) and value.is_mask:
        return value
    if isinstance(value, bool | np.bool_) or getattr(value, "dtype", None) == np.bool_:
        return mask(np.asarray(value))
    raise DefinitionError(
        f"a comparison is due, such as x > 0, or an array of truth values, and not a {_kind(value)}"
    )


def unary(op: str, array: Number, value: Any = None) -> Array:
    """Return a step from each number to one."""
    array = constant(array)
    if array.is_mask != (op == "not"):
        raise DefinitionError("a comparison has no number; where(condition, 1, 0) gives one")
    return Array(op, (array,), array.shape, value)


def binary(op: str, left: Number, right: Number, value: Any = None) -> Array:
    """Return a step from two numbers each to one."""
    arrays = constant(left), constant(right)
    if any(array.is_mask for array in arrays):
        raise DefinitionError("a comparison has no number; where(condition, 1, 0) gives one")
    return Array(op, arrays, together(op, *arrays), value)


def together(op: str, *arrays: Array) -> Shape:
    """Return the shape that arrays have together.

    Raises:
        DefinitionError: they do not fit each other.
    """
    shapes = [array.shape for array in arrays]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(map(str, shapes))
        raise DefinitionError(f"{op}: the shapes {listed} do not fit each other") from None


def reduction(op: str, array: Number, axis: int | None, keepdims: bool) -> Array:
    """Return the sum or the maximum along an axis; None for all numbers."""
    array = constant(array)
    if array.is_mask:
        raise DefinitionError("a comparison has no number; where(condition, 1, 0) gives one")
    if axis is None:
        flat = reshaped(array, (int(np.prod(array.shape)),))
        total = Array(op, (flat,), ())
        return reshaped(total, (1,) * array.ndim) if keepdims else total
    if not isinstance(axis, int) or not -array.ndim <= axis < array.ndim:
        one = "" if isinstance(axis, int) else "; it takes one axis, or none for all numbers"
        raise DefinitionError(f"{op}: no axis {axis!r} in an array of shape {array.shape}{one}")
    axis %= array.ndim
    if axis != array.ndim - 1:
        order = (*(it for it in range(array.ndim) if it != axis), axis)
        array = Array("moved", (array,), tuple(array.shape[it] for it in order), order)
    total = Array(op, (array,), array.shape[:-1])
    shape = (*total.shape[:axis], 1, *total.shape[axis:])
    return reshaped(total, shape) if keepdims else total


def reshaped(array: Array, shape: Shape) -> Array:
    """Return the same numbers in another shape."""
    return array if array.shape == shape else Array("reshape", (array,), shape)


def broadcast(array: Array, shape: Shape) -> Array:
    """Return the numbers repeated to a shape."""
    return array if array.shape == shape else Array("broadcast", (array,), shape)


def product(left: Array, right: Array) -> Array:
    """Return the product of two matrices, in which 0 times anything is 0."""
    if left.ndim != 2 or right.ndim != 2:
        raise DefinitionError(
            f"@ takes two arrays of two axes, and not the shapes {left.shape} and {right.shape}"
        )
    if left.shape[1] != right.shape[0]:
        raise DefinitionError(f"@: the shapes {left.shape} and {right.shape} do not fit")
    products = binary("multiply", left[:, None, :], right.T[None, :, :], "masked")
    return reduction("sum", products, -1, keepdims=False)


def chosen(choice: Condition, yes: Number, no: Number) -> Array:
    """Return the numbers of `yes` where a condition holds, and those of `no` elsewhere."""
    try:
        first = condition(choice)
    except DefinitionError as error:
        raise DefinitionError("where takes a comparison first, such as x > 0") from error
    arrays = constant(yes), constant(no)
    if any(array.is_mask for array in arrays):
        raise DefinitionError("a comparison has no number; where(condition, 1, 0) gives one")
    return Array("where", (first, *arrays), together("where", first, *arrays))


def steps(outputs: Iterable[Array], known: Container[Array] = frozenset()) -> list[Array]:
    """Return all arrays that some are computed from, each after those that it is computed from.

    Args:
        outputs: the arrays.
        known: arrays whose numbers are there; they and what they come from are left out.
    """
    found: dict[Array, None] = {}
    waiting = [(array, False) for array in outputs]
    while waiting:
        array, is_ready = waiting.pop()
        if array in found or array in known:
            continue
        if is_ready:
            found[array] = None
        else:
            waiting.append((array, True))
            waiting += [(argument, False) for argument in array.args]
    return list(found)


def _written(index: tuple[object, ...]) -> str:
    """Return an index as it is written in Python."""
    parts = []
    for part in index:
        if isinstance(part, slice):
            ends = ["" if it is None else str(it) for it in (part.start, part.stop)]
            step = "" if part.step is None else f":{part.step}"
            parts.append(":".join(ends) + step)
        else:
            parts.append("..." if part is ... else str(part))
    return f"[{', '.join(parts)}]"


def _kind(value: object) -> str:
    return type(value).__name__
