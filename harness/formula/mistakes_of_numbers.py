"""Find the number that a formula would need in place of one of its own to give an answer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from .graph import Array, constant
from .rewriting import rewritten, written

Evaluate = Callable[[Array], float]
_MOST = 8  # numbers of a formula that are tried
_STEPS = 12  # of the secant method
_SETTLED = 1e-9  # relative change of a number that ends it
_NEAR = 2e-3  # how far a plain number may be from the one that was found: other digits decide
_DIGITS = (1, 2, 3)
_SAID = re.compile(r"[-+.e\d]+ in place of [-+.e\d]+")


def other_numbers(right: Array, evaluate: Evaluate, due: float) -> Iterator[tuple[str, Array]]:
    """Yield the formula with another number that gives a value, where that number is a plain one.

    Args:
        right: the formula's value.
        evaluate: returns the sum of the numbers of such an array, roughly.
        due: that sum of the value that came back.
    """
    for place in [it for it in written(right) if number_of(it)][:_MOST]:
        number = number_of(place) or 0.0

        def off(other: float, place: Array = place) -> float:
            return evaluate(rewritten(right, partial(_with, place, other))) - due

        found = _root(off, number)
        for plain in () if found is None else _plain(found):
            if not math.isclose(plain, number, rel_tol=_NEAR):
                yield said(plain, number), rewritten(right, partial(_with, place, plain))


def said(other: float, number: float) -> str:
    """Return what a mistake is called that has one number in place of another."""
    return f"{other:g} in place of {number:g}"


def is_of_numbers(name: str) -> bool:
    """Return whether a mistake has one number in place of another."""
    return _SAID.fullmatch(name) is not None


def number_of(step: Array) -> float | None:
    """Return the one number that a step is, or its exponent; None if it is something else."""
    if step.op == "power":
        return float(step.value)
    return float(step.value) if step.op == "constant" and step.shape == () else None


def _with(place: Array, number: float, step: Array, reads: tuple[Array, ...]) -> Array | None:
    if step is not place:
        return None
    return replace(step, args=reads, value=number) if step.op == "power" else constant(number)


def _root(off: Callable[[float], float], start: float) -> float | None:
    """Return where a function is 0, by the secant method; None if it does not get there."""
    one, other = start, 1.25 * start
    left, right = off(one), off(other)
    for _ in range(_STEPS):
        if not math.isfinite(right) or left == right:
            return None
        one, other = other, other - right * (other - one) / (right - left)
        left, right = right, off(other)
        if abs(other - one) <= _SETTLED * abs(other):
            return other
    return None


def _plain(number: float) -> Iterator[float]:
    """Yield the numbers near one that people write: of few digits, whole parts, and logarithms."""
    logarithm = round(number / math.log(10)) * math.log(10)
    tried = [float(f"{number:.{digits}g}") for digits in _DIGITS]
    tried += [1.0 / whole for whole in [round(1.0 / number)] if whole] if number else []
    for plain in dict.fromkeys((*tried, logarithm)):
        if plain and abs(plain - number) <= _NEAR * abs(number):
            yield plain
