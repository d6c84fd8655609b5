"""Say whether the framework's own function answers wrong in the same way as a user's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...backends.claim import Claim
from ...cases.casefile import digest_of
from ...cases.dtypes import FORMATS
from ...cases.model import Case
from ..answers import Failure
from ..judging import DtypeMismatch, ShapeMismatch, Verdict
from ..verdicts import VerdictKind

Answer = NDArray[np.generic] | Failure | None
_LARGE = 0.125  # errors above this part of the largest one are those that are compared
_BY_WORD = (
    VerdictKind.RAISED,
    VerdictKind.ACCEPTED,
    VerdictKind.RELATION,
    VerdictKind.TIMED_OUT,
    VerdictKind.CRASHED,
)


def alike(
    mine: Verdict,
    theirs: Verdict,
    answers: tuple[Answer, Answer] = (None, None),
    right: NDArray[np.float64] | None = None,
) -> bool:
    """Return whether two verdicts on the same quantity of the same case are one finding.

    They are if they have the same word, and the same bits or the same mistake: both raised, both
    accepted what is invalid, both break the same relation, the same wrong dtype or shape, NaN and
    infinities at the same elements, or numbers that are nearer to each other than to the right
    ones.

    Args:
        mine: the verdict on the user's function.
        theirs: the verdict on the framework's own function.
        answers: the two arrays, mine first, or the reasons why there are none. Without them the
            worst elements are compared, which the verdicts name.
        right: the right answer in float64, in the shape of the arrays.

    >>> wrong = Verdict("inaccurate", where="[0]", exact="1.0", got="2.0")
    >>> alike(wrong, Verdict("inaccurate", where="[0]", exact="1.0", got="1.9"))
    True
    >>> alike(wrong, Verdict("inaccurate", where="[0]", exact="1.0", got="0.5"))
    False
    """
    if not (mine.is_finding and theirs.is_finding) or mine.word != theirs.word:
        return False
    if mine.kind in _BY_WORD or (mine.fingerprint and mine.fingerprint == theirs.fingerprint):
        return True
    if mine.kind is VerdictKind.MISMATCHED:
        return _same_mismatch(mine, theirs)
    one, other = answers
    if not isinstance(one, np.ndarray) or not isinstance(other, np.ndarray) or right is None:
        return _same_worst(mine, theirs)
    return _same_arrays(mine.kind, one, other, right)


def _same_arrays(
    kind: VerdictKind,
    one: NDArray[np.generic],
    other: NDArray[np.generic],
    right: NDArray[np.float64],
) -> bool:
    if one.shape != other.shape or one.shape != right.shape:
        return False
    wide = one.astype(np.float64), other.astype(np.float64)
    if kind is VerdictKind.NONFINITE:
        # Finite elements may follow a convention of the user's: wrong ones show in other questions.
        return _same_specials(*wide, ~np.isnan(right))
    return _same_numbers(*wide, right)


def _same_mismatch(mine: Verdict, theirs: Verdict) -> bool:
    one, other = mine.detail, theirs.detail
    if isinstance(one, ShapeMismatch) and isinstance(other, ShapeMismatch):
        return one == other
    if isinstance(one, DtypeMismatch) and isinstance(other, DtypeMismatch):
        return one.about == other.about and one.numbers == other.numbers
    return one is not None and other is not None and one.about == other.about


def _same_worst(mine: Verdict, theirs: Verdict) -> bool:
    """Compare the worst elements, where they are the same element and hold numbers."""
    if mine.where != theirs.where:
        return False
    try:
        one, other, right = float(mine.got), float(theirs.got), float(mine.exact)
    except ValueError:
        return mine.got == theirs.got
    return _same_numbers(np.array(one), np.array(other), np.array(right))


def _same_specials(
    one: NDArray[np.float64], other: NDArray[np.float64], agreed: NDArray[np.bool_]
) -> bool:
    """Return whether the same elements are not finite, and alike, where an answer is agreed on."""
    special = ~(np.isfinite(one) & np.isfinite(other)) & agreed
    return np.array_equal(one[special], other[special], equal_nan=True)


def _same_numbers(
    one: NDArray[np.float64], other: NDArray[np.float64], right: NDArray[np.float64]
) -> bool:
    """Compare what is not finite by its sign, and other numbers where the error is large."""
    agreed = ~np.isnan(right)
    if not _same_specials(one, other, agreed):
        return False
    special = ~np.isfinite(one) & agreed
    with np.errstate(invalid="ignore", over="ignore"):
        apart, error = np.abs(one - other), np.abs(one - right)
    finite = agreed & ~special & np.isfinite(error)
    wrong = finite & (error > _LARGE * error[finite].max(initial=0.0))
    return bool((apart[wrong] < error[wrong]).all())


def askable(claim: Claim, case: Case) -> Case | None:
    """Return the question by which the framework's own function shows what it makes of a case.

    Users divide a sum of the framework's by a number of their own, and smooth the targets of its
    binary losses, which the framework has no option for. Where the sum is not finite, the quotient
    is not either; and a smoothed target is a target.

    Args:
        claim: that of the framework's own function.
        case: a question with a finding on a user's function.

    Returns:
        The case itself, or that of the sum or of the smoothed targets, whose answers are alike in
        what is not finite only; or None if the function cannot be asked.
    """
    if not claim.unsupported(case):
        return case
    if case.options.denominator is not None:
        other = replace(case, options=replace(case.options, denominator=None, reduction="sum"))
    elif case.options.label_smoothing and not case.contract.reads_classes:
        other = _of_smoothed_target(case)
    else:
        return None
    return None if claim.unsupported(other) else other


def _of_smoothed_target(case: Case) -> Case:
    """Return the case of a binary loss whose target is smoothed already, rounded to its dtype."""
    inputs, epsilon = case.inputs(), case.options.label_smoothing
    target = inputs.target
    assert target is not None  # noqa: S101 -- a loss has one
    smoothed = target.astype(np.float64) * (1 - epsilon) + epsilon / 2
    form = FORMATS[target.dtype.name if target.dtype.name in FORMATS else case.dtype]
    given = replace(inputs, target=form.round(smoothed))
    return replace(
        case,
        family=f"file:{digest_of(given)}",
        target_family="given",
        target_dtype="" if form.name == case.dtype else form.name,
        options=replace(case.options, label_smoothing=0.0),
        given=given,
    )
