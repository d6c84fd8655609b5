"""Change a step of a formula as a usual mistake does: a term, a factor, a power, a logarithm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from .functions import log, maximum, minimum, sigmoid, softmax, sqrt
from .graph import LOG_REST, Array, binary, broadcast
from .mistakes_of_functions import (
    of_one_sign,
    other_extremes,
    other_functions,
    other_signs,
)
from .options import TARGET, VALUES
from .rewriting import Change, everywhere, first_of, written

_EPSILONS = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
_BASES = (2, 10)
_MOST_CONSTANTS = 6
_SQUARED = 2.0
_SUMMED, _FACTORS = ("add", "subtract"), ("multiply", "divide")


def changes_of_steps(right: Array) -> Iterator[tuple[str, Change]]:
    """Yield changes of the formula's steps."""
    yield "the sign of the first argument is wrong", _replaced_input(lambda x: -x)
    for base in _BASES:
        yield f"the logarithm has base {base}", partial(_in_base, float(np.log(base)))
    steps = written(right)
    operations = {it.value if it.op == "form" else it.op for it in steps}
    if operations & {"softmax", "log_softmax", "logsumexp", LOG_REST}:
        yield "softmax applied twice", _replaced_input(softmax)
    if operations & {"complement", "softplus"}:
        yield "sigmoid applied twice", _replaced_input(sigmoid)
    if any(it.op == "input" and it.value == TARGET for it in steps):
        yield "the target and the first argument are exchanged", _exchanged(steps)
        yield "the sign of the target is wrong", _replaced_input(lambda t: -t, TARGET)
        yield "0 and 1 of the target are exchanged", _replaced_input(lambda t: 1.0 - t, TARGET)
    yield from everywhere(steps, _without_constant)
    divisors = [_at(it, lambda reads: reads[0]) for it in steps[:-1] if _is_divided(it)]
    if len(divisors) > 1:
        yield "without its divisors", partial(first_of, divisors)
    yield from _exchanged_constants(steps)
    yield from everywhere(steps, _other_terms)
    yield from everywhere(steps, _other_steps)
    outer = of_one_sign(right)
    yield from everywhere((it for it in steps if it not in outer), other_signs)
    yield from everywhere(steps, other_extremes)
    yield from everywhere(steps, other_functions)
    yield from _of_rows(steps)
    yield from _of_logarithms()


def _of_rows(steps: list[Array]) -> Iterator[tuple[str, Change]]:
    for step in steps:
        if step.op == "sum" and step.ndim == 1 and step.args[0].ndim > 1:
            name = "the mean of the rows is taken before the last steps"
            yield name, partial(_mean_at, step)


def _of_logarithms() -> Iterator[tuple[str, Change]]:
    for epsilon in _EPSILONS:
        yield f"{epsilon:g} is added in the logarithm", partial(_logarithm, _shifted(epsilon))
    for epsilon in _EPSILONS:
        name = f"probabilities are clipped to [{epsilon:g}, 1 − {epsilon:g}]"
        yield name, partial(_logarithm, _clipped(epsilon))
    for epsilon in _EPSILONS:
        name = f"probabilities below {epsilon:g} are clipped to it"
        yield name, partial(_logarithm, partial(maximum, epsilon))


def _replaced_input(function: Callable[[Array], Array], name: str = VALUES) -> Change:
    def change(step: Array, _: tuple[Array, ...]) -> Array | None:
        return function(step) if step.op == "input" and step.value == name else None

    return change


def _exchanged(steps: list[Array]) -> Change:
    inputs = {it.value: it for it in steps if it.op == "input"}
    other = {VALUES: TARGET, TARGET: VALUES}

    def change(step: Array, _: tuple[Array, ...]) -> Array | None:
        return inputs.get(other[step.value]) if step.op == "input" and step.value in other else None

    return change


def _in_base(scale: float, step: Array, reads: tuple[Array, ...]) -> Array | None:
    kind = step.value if step.op == "form" else step.op
    if kind in ("log", "log1p") and step.op != "form":
        return replace(step, args=reads) / scale
    if kind in ("log_softmax", "logsumexp", "softplus"):
        return step / scale if reads[0] is step.wrt else None
    return None


def _logarithm(
    function: Callable[[Array], Array], step: Array, reads: tuple[Array, ...]
) -> Array | None:
    """Return logarithms of changed probabilities."""
    if step.op == "log":
        return log(function(reads[0]))
    if step.op == "log1p":
        return log(function(1.0 + reads[0]))
    if step.op == "form" and step.value == "log_softmax":
        return log(function(softmax(reads[0])))
    if step.op == "form" and step.value == LOG_REST:
        return log(function(1.0 - softmax(reads[0])))
    if step.op == "form" and step.value == "softplus":
        return -log(function(sigmoid(-reads[0])))
    return None


def _shifted(epsilon: float) -> Callable[[Array], Array]:
    return lambda p: p + epsilon


def _clipped(epsilon: float) -> Callable[[Array], Array]:
    return lambda p: minimum(maximum(p, epsilon), 1.0 - epsilon)


def _is_divided(step: Array) -> bool:
    return step.op == "divide" and _number(step.args[1]) is not None


def _number(array: Array) -> float | None:
    """Return the one number that a step is; None if it is something else."""
    return float(array.value) if array.op == "constant" and array.shape == () else None


def _without_constant(step: Array) -> Iterator[tuple[str, Change]]:
    """Yield the formula without a factor, a term or a power that is a number."""
    numbers = [_number(it) for it in step.args]
    if step.op == "power" and step.value != 1.0:
        yield f"without the power {step.value:g}", _at(step, lambda reads: reads[0])
        name = f"the power 1/{step.value:g} in place of {step.value:g}"
        yield name, _at(step, lambda reads: reads[0] ** (1.0 / step.value))
    if step.op not in (*_FACTORS, *_SUMMED) or (numbers[0] is None) == (numbers[1] is None):
        return
    place = 0 if numbers[0] is not None else 1
    number = numbers[place]
    if step.op == "multiply" and number not in (None, 0.0, 1.0, -1.0):
        sign = float(np.sign(number))
        name = f"without the factor {number * sign:g}"
        yield name, _at(step, lambda reads: sign * reads[1 - place])
    if step.op == "divide" and place == 1:
        yield f"without the divisor {number:g}", _at(step, lambda reads: reads[0])
    if step.op in _SUMMED and number:
        is_negative = step.op == "subtract" and place == 0
        yield (
            f"without the term {number:g}",
            _at(step, lambda reads: -reads[1] if is_negative else reads[1 - place]),
        )


def _other_terms(step: Array) -> Iterator[tuple[str, Change]]:
    """Yield the formula with a wrong sign in a sum, or without one of its terms or factors."""
    if step.op in _SUMMED:
        other = "subtract" if step.op == "add" else "add"
        name = "− in place of +" if step.op == "add" else "+ in place of −"
        yield name, _at(step, lambda reads: replace(step, op=other, args=reads))
    if step.op not in (*_SUMMED, *_FACTORS):
        return
    constants = [it.op == "constant" for it in step.args]
    if any(constants):
        if step.op == "multiply":  # the other one is missing
            yield "a factor is missing", _at(step, lambda reads: reads[constants.index(True)])
        return
    kind = "term" if step.op in _SUMMED else "factor"
    sign = -1.0 if step.op == "subtract" else 1.0
    if step.op != "divide":
        yield f"a {kind} is missing", _at(step, lambda reads: sign * reads[1])
    yield f"a {kind} is missing", _at(step, lambda reads: reads[0])


def _other_steps(step: Array) -> Iterator[tuple[str, Change]]:
    """Yield the formula without a choice, a limit or a root, or with a factor in one term alone."""
    if step.op == "where" and step.args[0].op != "given":
        yield "`where` chooses the second number only", _at(step, lambda reads: reads[2])
        yield "`where` chooses the first number only", _at(step, lambda reads: reads[1])
    numbers = [_number(it) for it in step.args]
    if step.op == "maximum" and (numbers[0] is None) != (numbers[1] is None):
        place = 0 if numbers[0] is not None else 1
        name = f"without the limit {abs(numbers[place] or 0.0):g}"
        yield name, _at(step, lambda reads: reads[1 - place])
    if step.op == "sqrt":
        yield "a square root is missing", _at(step, lambda reads: reads[0])
    if step.op == "sum" and _is_square(step.args[0]):
        name = "a square root of the sum of squares is taken"
        yield name, _at(step, lambda reads: sqrt(replace(step, args=reads)))
    if step.op in _FACTORS:
        for place in range(2):
            yield from _in_one_term(step, place)


def _is_square(step: Array) -> bool:
    is_power = step.op == "power" and step.value == _SQUARED
    return is_power or (step.op == "multiply" and step.args[0] is step.args[1])


def _in_one_term(step: Array, place: int) -> Iterator[tuple[str, Change]]:
    """Yield the formula in which a factor, or divisor, of a sum is one of a term alone."""
    total = step.args[1 - place]
    if total.op not in _SUMMED or (step.op == "divide" and place == 0):
        return
    number = _number(step.args[place])
    kind = "factor" if step.op == "multiply" else "divisor"
    which = f"a {kind}" if number is None else f"the {kind} {number:g}"

    def scaled_term(term: int, reads: tuple[Array, ...]) -> Array:
        terms = list(reads[1 - place].args)
        terms[term] = binary(
            step.op, *((reads[0], terms[term]) if place == 0 else (terms[term], reads[1]))
        )
        return binary(total.op, *terms)

    for term in range(2):
        yield f"{which} is that of one term only", _at(step, partial(scaled_term, term))


def _at(place: Array, function: Callable[[tuple[Array, ...]], Array]) -> Change:
    def change(step: Array, reads: tuple[Array, ...]) -> Array | None:
        if step is not place:
            return None
        found = function(reads)
        return found if found.shape == step.shape else broadcast(found, step.shape)

    return change


def _exchanged_constants(steps: list[Array]) -> Iterator[tuple[str, Change]]:
    """Yield the formula with two of its numbers in each other's places."""
    numbers = [it for it in steps if _number(it) not in (None, 0.0, 1.0, -1.0)]
    for one, other in combinations(numbers[:_MOST_CONSTANTS], 2):
        first, second = _number(one), _number(other)
        if first != second:
            places = {one: other, other: one}
            yield (
                f"{first:g} and {second:g} are exchanged",
                lambda step, _, places=places: places.get(step),  # type: ignore[misc]
            )


def _mean_at(place: Array, step: Array, reads: tuple[Array, ...]) -> Array | None:
    if step is not place:
        return None
    return broadcast(replace(step, args=reads).mean(), step.shape)
