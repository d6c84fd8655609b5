"""Measure the errors of one array against the exact one, and rank them, element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import Format
from ..answers import HVP_LOGITS
from ..bounds import SOUND, carried, ladder_of
from ..oracle import Exact, Floats, Solution, limited
from ..verdicts import CONVENTION, NO_AGREED_ANSWER, VerdictKind
from .conventions import undefined_answer
from .solved_case import SolvedCase
from .verdict import Remark, Verdict

# The order in which the elements of one array are ranked. It is that of the enumeration except for
# the last two: a NaN has no size, and must not be hidden by an element with a large error.
_ELEMENT_KINDS = (
    VerdictKind.EXACT,
    VerdictKind.FAITHFUL,
    VerdictKind.WITHIN_BOUND,
    VerdictKind.FLUSHED,
    VerdictKind.ORDER,
    VerdictKind.FORMULA,
    VerdictKind.NARROW,
    VerdictKind.INACCURATE,
    VerdictKind.NONFINITE,
)
_RANK = {kind: rank for rank, kind in enumerate(_ELEMENT_KINDS)}
_RANK_OF_WORD = {kind.word: rank for kind, rank in _RANK.items()}
_HALF = 0.5 + 2.0**-20  # the oracle's own error is below 2^-20 ulp
# A probability below 2 tiny may be flushed to zero. A gradient is up to twice, and a
# Hessian-vector product up to 4 times as large.
_FLUSHED_BELOW: dict[str, int] = {"value": 2, HVP_LOGITS: 8}
_FLUSHED_GRADIENT = 4


@dataclass(frozen=True)
class ElementErrors:
    """The errors of an answer, element by element; all arrays are flat.

    Attributes:
        shape: the shape of the answer.
        form: the floating-point format of the answer.
        exact: the right values.
        got: the answer as float64.
        undefined: the elements that have no agreed answer.
        special: the elements that are compared and not measured, as either value is not finite.
        right: the special elements in which both values match.
        error: the absolute errors, 0 where special or undefined.
        ulp: the errors in ulp of the exact value, 0 where special or undefined.
    """

    shape: tuple[int, ...]
    form: Format
    exact: Exact
    got: Floats
    undefined: NDArray[np.bool_]
    special: NDArray[np.bool_]
    right: NDArray[np.bool_]
    error: Floats
    ulp: Floats

    @classmethod
    def of(cls, exact: Exact, got: Floats, form: Format) -> ElementErrors:
        """Compare an answer with the exact one.

        Args:
            exact: the right values, any shape, NaN where there is no agreed answer.
            got: the answer as float64, in the same shape.
            form: the floating-point format of the answer.
        """
        shape = exact.shape
        exact, got = exact.map(np.ravel), got.ravel()
        undefined = np.isnan(exact.hi)
        # Beyond the overflow threshold an infinity is right. Within one ulp of it the largest
        # number is right as well, since the oracle cannot decide on which side the value lies.
        infinite = np.isinf(exact.hi)
        over = _excess(exact, form)
        expects_inf = infinite | (over >= 0)
        either = ~infinite & (np.abs(over) <= 1)
        special = ~undefined & (expects_inf | ~np.isfinite(got))
        same = np.isinf(got) & (np.sign(got) == np.sign(exact.hi))
        at_edge = either & (same | (np.abs(got) == form.max))
        right = special & ((expects_inf & same) | at_edge)
        # All others are measured. The difference is formed in double-doubles, as float64 would
        # round it, and then divided by the ulp of the exact value: 2^(e − p + 1) in the binade
        # of exponent e, and that of the least normal number among subnormals.
        plain = ~undefined & ~special
        difference = abs(exact - Exact.of(np.where(plain, got, 0.0)))
        error = np.where(plain, difference.to_float(), 0.0)
        ulp = np.where(plain, _in_ulp(exact, got, difference, form), 0.0)
        return cls(shape, form, exact, got, undefined, special, right, error, ulp)

    def verdict(self, solved: SolvedCase, solution: Solution, quantity: str) -> Verdict:
        """Return the verdict on the whole array, which is that of its worst element.

        Args:
            solved: the case, whose bounds are cached.
            solution: the right answer under the convention that the answer is compared with.
            quantity: the name of the quantity.
        """
        rank = self._ranks(solved, solution, quantity)
        sound = solved.bound(solution, quantity, SOUND)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            ratio = np.nan_to_num(self.error / sound.ravel(), nan=0.0)
        # What is correctly or faithfully rounded is right, however small a bound is near 0.
        right = rank <= _RANK[VerdictKind.FAITHFUL]
        ratio = np.where(right, np.minimum(ratio, 1.0), ratio)
        # The worst element has the highest rank, and among these the largest ratio.
        highest = np.flatnonzero(rank == rank.max())
        worst = int(highest[-1 - np.argmax(ratio[highest][::-1])])
        kind = _ELEMENT_KINDS[rank[worst]]
        word = kind.word
        # The undefined elements name the verdict only where the defined ones are no finding.
        if self.undefined.any() and rank.max() < _RANK[VerdictKind.INACCURATE]:
            word = CONVENTION + undefined_answer(self.got[self.undefined])
            worst = int(np.argmax(self.undefined))
        # Among subnormals an ulp is no measure of a relative error.
        normal = np.abs(self.exact.to_float()) >= self.form.tiny
        measured = kind is not VerdictKind.NONFINITE
        return Verdict(
            word,
            ulp=float(self.ulp[normal].max(initial=0.0)) if measured else None,
            ratio=float(ratio.max(initial=0.0)) if measured else None,
            abs_error=float(self.error.max(initial=0.0)) if measured else None,
            where=str(list(map(int, np.unravel_index(worst, self.shape)))) if self.shape else "",
            exact=_exact_text(self.exact, worst),
            got=number_text(self.got[worst]),
            detail=self._remark(solved, quantity, word),
        )

    def _remark(self, solved: SolvedCase, quantity: str, word: str) -> Remark | None:
        """Return a remark about 16-bit sums or the signs of zeros, neither of which is judged."""
        if word == VerdictKind.NARROW.word:
            return Remark(f"sums run in {solved.case.dtype}")
        # Both zeros are equal in value, so a wrong sign is worth a remark and no verdict.
        minus = (self.got == 0) & np.signbit(self.got) & ~np.signbit(self.exact.hi)
        if quantity == "value" and minus.any():
            return Remark(f"{minus.sum()} of the zeros are -0, which is as right")
        return None

    def _ranks(self, solved: SolvedCase, solution: Solution, quantity: str) -> NDArray[np.int64]:
        """Return the rank of each element; explanations are computed only where needed."""
        exact, inaccurate = _RANK[VerdictKind.EXACT], _RANK[VerdictKind.INACCURATE]
        rank = np.full(self.got.shape, inaccurate)
        sound = solved.bound(solution, quantity, SOUND)
        # From the loosest test to the strictest: the last one that holds counts.
        rank[self.error <= sound.ravel()] = _RANK[VerdictKind.WITHIN_BOUND]
        rank[self.ulp < 1.0] = _RANK[VerdictKind.FAITHFUL]
        rank[self.ulp <= _HALF] = exact
        specials = np.where(self.right, exact, _RANK[VerdictKind.NONFINITE])
        rank[self.special] = specials[self.special]
        rank[self.undefined] = exact
        beyond = rank == inaccurate
        if beyond.any():
            rank[beyond] = self._explained(solved, solution, quantity)[beyond]
        return rank

    def _explained(
        self, solved: SolvedCase, solution: Solution, quantity: str
    ) -> NDArray[np.int64]:
        """Return the rank of the mildest explanation of each element."""
        # From the weakest algorithm to the mildest, so that the mildest one that holds is kept.
        rank = np.full(self.got.shape, _RANK[VerdictKind.INACCURATE])
        for word, algorithm in reversed(list(ladder_of(solved.case.dtype))):
            limit = solved.bound(solution, quantity, algorithm)
            rank[self.error <= limit.ravel()] = _RANK_OF_WORD[word]
        # A flushed zero counts before any algorithm: its error is the hardware's, not the form's.
        below = np.full(
            self.shape, _FLUSHED_BELOW.get(quantity, _FLUSHED_GRADIENT) * self.form.tiny
        )
        if solved.case.contract.is_linear:
            below *= np.maximum(carried(solved.case, quantity), 1.0)
        flushed = (self.got == 0) & (np.abs(self.exact.to_float()) < below.ravel())
        rank[flushed] = _RANK[VerdictKind.FLUSHED]
        return rank


def _in_ulp(exact: Exact, got: Floats, difference: Exact, form: Format) -> Floats:
    """Return the differences in units in the last place of the binade of the exact values.

    Below the power of two where that binade begins, numbers are twice as dense. There an answer
    which is less than one ulp away need not be a neighbour of the exact value, so such answers are
    measured with the denser spacing.
    """
    binade = np.maximum(np.minimum(exact.binade, form.emax), form.emin)
    shift = limited(difference.exponent - (binade - form.precision + 1))
    with np.errstate(over="ignore", invalid="ignore"):
        ulp = np.ldexp(difference.hi, shift)
        is_denser = (np.abs(got) < np.ldexp(1.0, binade)) & (binade > form.emin)
        return np.where(is_denser & (ulp < 1.0), 2.0 * ulp, ulp)


def _excess(exact: Exact, form: Format) -> Floats:
    """Return the distance of values beyond the overflow threshold, in ulp of the largest number.

    The threshold is 2^(emax + 1) − ½ulp: rounding to nearest gives an infinity from there on.
    """
    # Most arrays are far below the threshold, and the subtraction in double-doubles is slow.
    if exact.exponent.max(initial=0) <= form.emax:
        return np.full(exact.shape, -np.inf)
    ulp = 2.0 ** (form.emax - form.precision + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        threshold = Exact.of(form.max) + Exact.of(ulp / 2)
        excess = (abs(exact) - threshold) / ulp
        return np.where(np.isfinite(exact.hi), excess.to_float(), 0.0)


def number_text(number: Any) -> str:
    """Return the shortest text that gives the number back as float64."""
    return repr(float(number))


def _exact_text(exact: Exact, index: int) -> str:
    """Return the text of an exact element rounded to float64."""
    if np.isnan(exact.hi[index]):
        return NO_AGREED_ANSWER
    return repr(float(exact[index].to_float()))
