"""Find out whether a relation holds of an operation that a user has defined.

A definition says nothing of symmetries. Its formula is run on the question and on the transformed
ones, in exact arithmetic: what these answers have in common is asked of implementations.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..bounds import SOUND
from ..formula import can_be_judged
from .forms import Answered, AnswerPair, Form, Relation

_FAR_BELOW = 2.0**-10  # a sound bound: what the exact answers may differ by
_ROUNDED = 2.0**-50  # their own rounding to float64, relative

ExactPairs = dict[str, AnswerPair]


def exact_pairs(relation: Relation, plain: Form, forms: tuple[Form, ...]) -> ExactPairs | None:
    """Return the exact answers that a relation compares, by their quantity.

    Args:
        relation: the relation.
        plain: the question.
        forms: its transformed forms.

    Returns:
        The pairs; None where the relation does not hold of the formula.
    """
    solved = [_solved(form) for form in (plain, *forms)]
    answered = [it for it in solved if it is not None]
    if len(answered) < len(solved):
        return None
    found = {it.quantity: it for it in relation.compare(answered[0], tuple(answered[1:]))}
    return found if found and all(map(_holds, found.values())) else None


def where_agreed(pair: AnswerPair, exact: AnswerPair) -> AnswerPair:
    """Return a pair of answers without the elements of which no exact answer is agreed on."""
    known = _known(exact)
    left, right = (np.where(known, it, 0.0) for it in (pair.left, pair.right))
    return replace(pair, left=left, right=right)


def _solved(form: Form) -> Answered | None:
    # A formula may read more rows than a part of a batch has.
    if form.by_formula is None or not can_be_judged(form.case.operation, form.case.shape):
        return None
    if form.by_formula.solution.refusal:
        return None
    quantities = form.by_formula.solution.quantities
    return Answered(form, {name: it.to_float() for name, it in quantities.items()})


def _known(pair: AnswerPair) -> NDArray[np.bool_]:
    return ~(np.isnan(pair.left) | np.isnan(pair.right))


def _holds(pair: AnswerPair) -> bool:
    known = _known(pair)
    with np.errstate(invalid="ignore"):
        off = np.abs(pair.left - pair.right)
    allowed = np.maximum(_FAR_BELOW * pair.limit(SOUND), _ROUNDED * np.abs(pair.left))
    return bool(known.any() and (off <= allowed)[known].all())
