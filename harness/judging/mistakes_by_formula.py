"""Compare an answer with the usual mistakes of an operation that a user has defined."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import FORMATS
from .solved_case import SolvedCase
from .traced import Approx

_LARGEST = 2**18  # numbers of all steps of a formula, of which the mistakes are many
_FAR_16_BITS, _FAR = 0.05, 1e-3  # of the largest number: further off, it is another mistake
_16_BITS = 11  # bits of precision, at most


def by_formula(
    solved: SolvedCase, quantity: str, answer: NDArray[Any], likely: Collection[str] | None
) -> Iterator[tuple[str, Approx]]:
    """Yield the mistakes of a formula that may have given an answer, with what they give.

    Args:
        solved: the case with its right answers.
        quantity: the quantity.
        answer: the array that came back.
        likely: the mistakes that are tried; None for all.
    """
    answers = solved.by_formula
    if answers is None or answers.size > _LARGEST:
        return
    form = FORMATS[solved.case.dtype]
    far = _FAR if form.precision > _16_BITS else _FAR_16_BITS
    for mistake in answers.mistakes:
        if likely is not None and mistake.name not in likely:
            continue
        rough = answers.roughly(mistake, quantity)
        if rough is None or not _is_near(rough, answer.astype(np.float64), far):
            continue
        found = answers.mistaken(mistake, quantity)
        if found is not None:
            yield mistake.name, Approx(found[0], found[1] / form.accumulator_roundoff)


def _is_near(rough: NDArray[np.float64], got: NDArray[np.float64], far: float) -> bool:
    """Return whether two arrays are roughly the same, as far as both are finite."""
    if rough.shape != got.shape:
        return False
    both = np.isfinite(rough) & np.isfinite(got)
    if not both.any():
        return False
    off = np.abs(rough[both] - got[both])
    return bool((off <= far * np.abs(rough[both]).max()).all())
