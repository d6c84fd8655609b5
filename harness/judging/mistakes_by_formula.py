"""Compare an answer with the usual mistakes of an operation that a user has defined."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import FORMATS
from ..answers import VALUE
from ..formula import Answers, FormulaMistake
from .solved_case import SolvedCase
from .traced import Approx

_LARGEST = 2**18  # numbers of all steps of a formula, of which the mistakes are many
_FAR_16_BITS, _FAR = 0.05, 1e-3  # of the largest number: further off, it is another mistake
_MOST = 32  # mistakes that are computed exactly, which takes a hundred times as long
_16_BITS = 11  # bits of precision, at most


def by_formula(
    solved: SolvedCase,
    quantity: str,
    answer: NDArray[Any],
    likely: Collection[str] | None,
    value: NDArray[Any] | None = None,
) -> Iterator[tuple[str, Approx]]:
    """Yield the mistakes of a formula that may have given an answer, with what they give.

    A mistake is computed in float64 first, and exactly where that is near. That of a gradient is
    differentiated only where the value is near what came back.

    Args:
        solved: the case with its right answers.
        quantity: the quantity.
        answer: the array that came back.
        likely: the mistakes that are tried; None for all.
        value: the value that came back with a gradient; None where it is not known.
    """
    answers = solved.by_formula
    if answers is None or answers.size > _LARGEST:
        return
    yield from _exactly(solved, quantity, _near(solved, answers, quantity, answer, likely, value))


def by_other_numbers(
    solved: SolvedCase, quantity: str, answer: NDArray[Any], value: NDArray[Any] | None
) -> Iterator[tuple[str, Approx]]:
    """Yield the formula with another number in place of one of its own, as far as it may fit.

    Args:
        solved: the case with its right answers.
        quantity: the quantity.
        answer: the array that came back.
        value: the value that came back with a gradient; without it nothing is tried.
    """
    answers, given = solved.by_formula, answer if quantity == VALUE else value
    if answers is None or given is None or answers.size > _LARGEST:
        return
    found = answers.with_other_numbers(given.astype(np.float64))
    yield from _exactly(solved, quantity, islice(found, _MOST))


def _near(
    solved: SolvedCase,
    answers: Answers,
    quantity: str,
    answer: NDArray[Any],
    likely: Collection[str] | None,
    value: NDArray[Any] | None,
) -> Iterator[FormulaMistake]:
    """Yield the mistakes that give an answer roughly."""
    form = FORMATS[solved.case.dtype]
    far = _FAR if form.precision > _16_BITS else _FAR_16_BITS
    got = answer.astype(np.float64)
    known = None if value is None or quantity == VALUE else value.astype(np.float64)
    found = (
        mistake
        for mistake in answers.mistakes
        if (likely is None or mistake.name in likely)
        and (known is None or mistake.is_of_gradient or _may_give(answers, mistake, known, far))
        and _is_near(answers.roughly(mistake, quantity), got, far)
    )
    yield from islice(found, _MOST)


def _exactly(
    solved: SolvedCase, quantity: str, mistakes: Iterable[FormulaMistake]
) -> Iterator[tuple[str, Approx]]:
    """Yield what mistakes give exactly."""
    roundoff = FORMATS[solved.case.dtype].accumulator_roundoff
    for mistake in mistakes:
        found = solved.by_formula.mistaken(mistake, quantity) if solved.by_formula else None
        if found is not None:
            yield mistake.name, Approx(found[0], found[1] / roundoff)


def _may_give(
    answers: Answers, mistake: FormulaMistake, value: NDArray[np.float64], far: float
) -> bool:
    """Return whether a mistake may have given the value; so it may one that is not finite."""
    rough = answers.roughly(mistake, VALUE)
    is_known = rough is not None and bool((np.isfinite(rough) & np.isfinite(value)).any())
    return not is_known or _is_near(rough, value, far)


def _is_near(rough: NDArray[np.float64] | None, got: NDArray[np.float64], far: float) -> bool:
    """Return whether two arrays are roughly the same, as far as both are finite."""
    if rough is None or rough.shape != got.shape:
        return False
    both = np.isfinite(rough) & np.isfinite(got)
    if not both.any():
        return False
    off = np.abs(rough[both] - got[both])
    return bool((off <= far * np.abs(rough[both]).max()).all())
