"""Put one function of a formula in the place of another, as a usual mistake does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from .functions import (
    abs,  # noqa: A004
    clip,
    log_sigmoid,
    log_softmax,
    maximum,
    minimum,
    sigmoid,
    softmax,
    softplus,
)
from .graph import LOG_REST, Array, chosen
from .options import VALUES
from .rewriting import Change, read_by

_THRESHOLD = 20.0  # above which softplus is often taken as x itself
_MATRIX = 2
_SQUARE = 2.0
_LOGARITHMS = ("log", "log1p", "log_softmax", LOG_REST, "softplus")
# Steps through which a logarithm passes as one.
_LINEAR = frozenset(
    {"negative", "add", "subtract", "where", "sum", "cumsum"}
    | {"reshape", "broadcast", "moved", "transpose", "picked", "joined"}
)
_OF_ONE_SIGN = frozenset(
    {"negative", "multiply", "divide", "sum", "reshape", "broadcast", "moved", "transpose"}
)
_OVER_ROWS = "softmax is taken over the rows of the batch"
# The kind of a step, the name of a mistake, and what it has in place of the step.
_OTHERS: tuple[tuple[str, str, Callable[[Array], Array]], ...] = (
    ("softplus", "max(x, 0) in place of softplus", lambda x: maximum(x, 0.0)),
    ("softplus", f"softplus(x) is x above {_THRESHOLD:g}",
     lambda x: chosen(x > _THRESHOLD, x, softplus(x))),
    ("complement", "softmax in place of sigmoid", softmax),
    ("softmax", "sigmoid in place of softmax", sigmoid),
    ("log_softmax", "log_sigmoid in place of log_softmax", log_sigmoid),
    ("softmax", _OVER_ROWS, lambda x: softmax(x.T).T if x.ndim == _MATRIX else x),
    ("log_softmax", _OVER_ROWS, lambda x: log_softmax(x.T).T if x.ndim == _MATRIX else x),
    ("absolute", "squares in place of magnitudes", lambda x: x * x),
    ("square", "magnitudes in place of squares", abs),
    ("tanh", "a number limited to [−1, 1] in place of its tanh", lambda x: clip(x, -1.0, 1.0)),
)  # fmt: skip


def other_functions(step: Array) -> Iterator[tuple[str, Change]]:
    """Yield the formula with another function in place of one."""
    for kind, name, function in _OTHERS:
        if kind == _kind(step):
            yield name, partial(_at, step, lambda *reads, function=function: function(reads[0]))


def other_signs(step: Array) -> Iterator[tuple[str, Change]]:
    """Yield the formula without a minus sign, or with another sign of a factor."""
    if step.op == "negative":
        yield "a minus sign is missing", partial(_at, step, lambda x: x)
    if step.op == "multiply":
        numbers = [float(it.value) for it in step.args if it.op == "constant" and it.shape == ()]
        if len(numbers) == 1 and numbers[0]:
            name = f"the factor {numbers[0]:g} has the other sign"
            yield name, partial(_at, step, lambda x, y: -(x * y))


def other_extremes(step: Array) -> Iterator[tuple[str, Change]]:
    """Yield the formula with the smaller one of two numbers for the larger, or always one."""
    if step.op == "maximum":
        yield "max and min are exchanged", partial(_at, step, minimum)
        if all(it.op != "constant" for it in step.args):
            name = "of two numbers always the same one, not the larger or smaller"
            yield name, partial(_at, step, lambda x, _: x)
            yield name, partial(_at, step, lambda _, y: y)


def of_one_sign(right: Array) -> set[Array]:
    """Return the steps with whose sign that of the whole result changes."""
    found: set[Array] = set()
    waiting = [right]
    while waiting:
        step = waiting.pop()
        found.add(step)
        if step.op in _OF_ONE_SIGN:
            waiting += read_by(step)
        if step.op == "where" and step.args[0].op == "given":  # rows that do not count
            waiting.append(step.args[1])
    return found


def beside_logarithms(steps: list[Array]) -> dict[Array, int]:
    """Return the products of a logarithm and a factor of x, with the place of the factor."""
    of_x: set[Array] = set()
    logarithms: set[Array] = set()
    found: dict[Array, int] = {}
    for step in steps:
        reads = read_by(step)
        if (step.op == "input" and step.value == VALUES) or not of_x.isdisjoint(reads):
            of_x.add(step)
        is_logarithm = [it in logarithms for it in reads]
        if step.op == "multiply" and sum(is_logarithm) == 1:
            place = is_logarithm.index(False)
            if reads[place] in of_x:
                found[step] = place
        passes = step.op in _LINEAR or step.op in ("multiply", "divide")
        if _kind(step) in _LOGARITHMS or (passes and any(is_logarithm)):
            logarithms.add(step)
    return found


def _kind(step: Array) -> str:
    is_square = step.op == "multiply" and step.args[0] is step.args[1]
    if is_square or (step.op == "power" and step.value == _SQUARE):
        return "square"
    return str(step.value) if step.op == "form" else step.op


def _at(
    place: Array, function: Callable[..., Array], step: Array, reads: tuple[Array, ...]
) -> Array | None:
    if step is not place:
        return None
    found = function(*reads)
    return found if found.shape == step.shape else None
