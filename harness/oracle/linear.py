"""Solve losses whose logits are inner products: z = h·Wᵀ + b, and g = ∂loss/∂z by `losses`.

With g, the gradients are g·W with respect to the hidden states, gᵀ·h with respect to the linear
weights, and the sums of g over the rows with respect to the bias. They are computed in pairs, by
matrix products of slices (`slices`), or term by term where slices do not hold enough of a sum.
Where their terms cancel, they are computed again in decimals, from logits that are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from decimal import Decimal

import numpy as np

from ...cases.model import Case, Inputs
from . import decimal_classwise
from .decimal_fallback import Term, lost, once_a_row, recomputed
from .double_double import Exact, constant
from .losses import solve_loss, targets
from .pairs import Floats
from .powers import Ints
from .products import products_of
from .slices import product
from .softmax import Softmax, softmax
from .solution import ClasswiseTerms, Convention, LinearTerms, Mask, Solution

_MOST_KEPT = 2**15  # decimals; sums over more logits stay as they are in pairs
# Bits that a sum may lose, of the nineteen of any result; g may have lost ten of them already,
# unless its terms have one sign.
_MOST_LOST, _MOST_LOST_OF_DIFFERENCES = 18, 8
_LOGITS = "gradient_logits"


@dataclass(frozen=True)
class _Slow:
    """How sums of products with ∂loss/∂z are computed where their terms cancel.

    Attributes:
        row: computes a row of ∂loss/∂z in decimals, each with the size of its terms.
        most_lost: the bits that a sum may lose before it is computed again.
        is_affordable: whether all of ∂loss/∂z can be computed in decimals.
    """

    row: Callable[[int], list[Term]]
    most_lost: int
    is_affordable: bool

    def across(self, rows: int) -> _Slow:
        """Return the same for the transpose, whose rows are classes."""
        return replace(self, row=lambda index: [self.row(row)[index] for row in range(rows)])


def solve_linear(case: Case, inputs: Inputs, convention: Convention) -> Solution:
    """Return the right answer to a case of a linear loss.

    Args:
        case: the question, whose shape is that of the logits, (N, C).
        inputs: its arrays: hidden states (N, H), linear weights (C, H), and perhaps a bias (C,).
        convention: the choices that the answer follows.
    """
    arrays = inputs.values, inputs.linear_weight, inputs.linear_bias
    hidden, weight, bias = (None if it is None else it.astype(np.float64) for it in arrays)
    assert hidden is not None and weight is not None  # noqa: S101, PT018 -- every such case has them
    options = case.options
    x, transform = products_of(hidden, weight, bias, options.logit_scale, options.logit_softcap)
    soft = softmax(x, transform)
    solution = solve_loss(case, inputs, convention, soft, case.shape[:1], 1)
    quantities = dict(solution.quantities)
    of_logits = quantities.pop(_LOGITS)
    # What does not count has the gradient 0, whatever its hidden state, also NaN.
    hidden, weight = np.nan_to_num(hidden, nan=0.0), np.nan_to_num(weight, nan=0.0)
    slow = _slow_logits(case, inputs, convention, soft)
    quantities["gradient_hidden"] = _product(of_logits, weight, slow)
    by_class, across = of_logits.map(np.transpose), slow.across(len(hidden))
    quantities["gradient_linear_weight"] = _product(by_class, hidden, across)
    if inputs.linear_bias is not None:
        of_bias = _product(by_class, np.ones((len(hidden), 1)), across)
        quantities["gradient_linear_bias"] = of_bias[:, 0]
    terms = _terms(solution, soft, hidden, weight, bias, of_logits)
    return replace(solution, quantities=quantities, terms=terms)


def _terms(
    solution: Solution,
    soft: Softmax,
    hidden: Floats,
    weight: Floats,
    bias: Floats | None,
    of_logits: Exact,
) -> LinearTerms:
    """Return the terms of the bounds; the size of a logit that is masked is that without a bias."""
    terms = solution.terms
    assert isinstance(terms, ClasswiseTerms)  # noqa: S101 -- those of a loss over classes
    added = np.zeros(len(weight)) if bias is None else np.where(np.isfinite(bias), np.abs(bias), 0)
    size = np.abs(hidden) @ np.abs(weight).T
    return LinearTerms(
        **{item.name: getattr(terms, item.name) for item in fields(terms)},
        size=size,
        added=np.broadcast_to(added, size.shape),
        plain=np.abs(soft.transform.plain(np.maximum(soft.x, 0.0)).to_float()),
        of_logits=np.abs(of_logits.to_float()),
        hidden=hidden.shape[1],
    )


def _product(left: Exact, right: Floats, slow: _Slow) -> Exact:
    """Return the matrix product of exact numbers (R, I) and floats (I, J), shape (R, J).

    Args:
        left: the gradient with respect to the logits, or its transpose.
        right: finite numbers.
        slow: computes a row of `left` in decimals.
    """
    total, sizes = _in_pairs(left, right)
    suspect: Mask = lost(total, sizes) > slow.most_lost
    if not slow.is_affordable:
        return total
    shape = total.shape
    columns = np.broadcast_to(np.arange(shape[1], dtype=np.float64), shape)

    def again(row: int, column: float) -> Term:
        numbers = [Decimal(number) for number in right[:, int(column)].tolist()]
        pairs = list(zip(slow.row(row), numbers, strict=True))
        value = sum((term * number for (term, _), number in pairs), Decimal(0))
        of_terms = sum((largest * abs(number) for (_, largest), number in pairs), Decimal(0))
        return value, of_terms

    return recomputed(total, suspect, again, columns, classes=right.shape[0])


def _in_pairs(left: Exact, right: Floats) -> tuple[Exact, Ints]:
    """Return a matrix product in pairs, and the exponents of the sums of its terms' sizes."""
    if not (left.hi.size and np.isfinite(left.hi).all()):
        return _by_rows(left, right, np.arange(left.shape[0]))
    total, is_good, sizes = product(left, right)
    poor = np.flatnonzero(~is_good.all(axis=1))
    if poor.size:
        some, sizes[poor] = _by_rows(left, right, poor)
        for part, better in zip(vars(total).values(), vars(some).values(), strict=True):
            part[poor] = better
    return total, sizes


def _by_rows(left: Exact, right: Floats, rows: Ints) -> tuple[Exact, Ints]:
    """Return some rows of a matrix product, each term of it a pair; see `_in_pairs`."""
    factor, shape = Exact.of(right), (len(rows), right.shape[1])
    terms = [left[row][:, None] * factor for row in rows]
    total = _stacked([row.sum(axis=0) for row in terms], shape)
    return total, _stacked([abs(row).sum(axis=0) for row in terms], shape).exponent


def _stacked(rows: list[Exact], shape: tuple[int, int]) -> Exact:
    if not rows:
        return constant(shape, 0.0)
    return Exact(
        np.stack([row.hi for row in rows]),
        np.stack([row.lo for row in rows]),
        np.stack([row.exponent for row in rows]),
    )


def _slow_logits(case: Case, inputs: Inputs, convention: Convention, soft: Softmax) -> _Slow:
    """Return what computes ∂loss/∂z in decimals, with the size of its terms."""
    target = targets(case, inputs, convention, (case.shape[0], case.shape[1]))
    exact, transform = target.exact, soft.transform
    of_element = decimal_classwise.cross_entropy_gradient(
        soft.x, exact, transform, case.options.z_loss
    )
    cotangent = case.cotangent(case.shape[:1] if case.options.reduction == "none" else ())
    divisor = target.divisor.exact

    def row(index: int) -> list[Term]:
        if not target.counts[index]:
            return [(Decimal(0), Decimal(0))] * soft.x.shape[1]
        share = Decimal(float(np.broadcast_to(cotangent, target.counts.shape)[index]))
        share = share / _decimal(divisor)
        arguments = zip(
            *(part[index].tolist() for part in (soft.x, exact.target, exact.weight)), strict=True
        )
        terms = []
        for x, label, weight in arguments:
            value, size = of_element(index, x, label, weight)
            factor = share * transform.decimal_slope(x if x > -np.inf else 0.0)
            terms.append((value * factor, size * abs(factor)))
        return terms

    # A sum over the rows needs all of them for each of its elements.
    size, options = soft.x.size, case.options
    is_one_signed = not (options.label_smoothing or options.z_loss) and (
        transform.softcap is None and not (target.w.hi < 0).any()
    )
    return _Slow(
        once_a_row(row, kept=max(1, case.shape[0])),
        _MOST_LOST if is_one_signed else _MOST_LOST_OF_DIFFERENCES,
        is_affordable=size <= _MOST_KEPT,
    )


def _decimal(number: Exact) -> Decimal:
    """Return a scalar of the oracle in decimals."""
    power = Decimal(2) ** int(number.exponent)
    return (Decimal(float(number.hi)) + Decimal(float(number.lo))) * power
