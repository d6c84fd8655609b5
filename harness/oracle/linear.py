"""Solve losses whose logits are inner products: z = h·Wᵀ + b, and g = ∂loss/∂z by `losses`.

With g, the gradients are g·W with respect to the hidden states, gᵀ·h with respect to the linear
weights, and the sums of g over the rows with respect to the bias. They are computed in pairs. Where
their terms cancel, they are computed again in decimals, from logits that are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal

import numpy as np

from ...cases.model import Case, Inputs
from . import decimal_classwise
from .decimal_fallback import Term, lost, once_a_row, recomputed
from .double_double import Exact, constant
from .losses import solve_loss, targets
from .pairs import Floats
from .products import products_of
from .softmax import Softmax, softmax
from .solution import ClasswiseTerms, Convention, LinearTerms, Mask, Solution

_MOST_KEPT = 2**17  # decimals
_MOST_LOST = 8  # bits; g itself may have lost ten of the nineteen that a result may lose
_LOGITS = "gradient_logits"


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
    across = of_logits.map(np.transpose), hidden, lambda index: _across(slow, index, len(hidden))
    quantities["gradient_linear_weight"] = _product(*across)
    if inputs.linear_bias is not None:
        of_bias = _product(across[0], np.ones((len(hidden), 1)), across[2])
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


Slow = Callable[[int], list[Term]]


def _product(left: Exact, right: Floats, slow: Slow) -> Exact:
    """Return the matrix product of exact numbers (R, I) and floats (I, J), shape (R, J).

    Args:
        left: the gradient with respect to the logits, or its transpose.
        right: finite numbers.
        slow: computes a row of `left` in decimals.
    """
    factor, shape = Exact.of(right), (left.shape[0], right.shape[1])
    products = [left[row][:, None] * factor for row in range(shape[0])]
    total = _stacked([row.sum(axis=0) for row in products], shape)
    size = _stacked([abs(row).sum(axis=0) for row in products], shape)
    suspect: Mask = lost(total, size.exponent) > _MOST_LOST
    columns = np.broadcast_to(np.arange(shape[1], dtype=np.float64), shape)

    def again(row: int, column: float) -> Term:
        numbers = [Decimal(number) for number in right[:, int(column)].tolist()]
        pairs = list(zip(slow(row), numbers, strict=True))
        value = sum((term * number for (term, _), number in pairs), Decimal(0))
        of_terms = sum((largest * abs(number) for (_, largest), number in pairs), Decimal(0))
        return value, of_terms

    return recomputed(total, suspect, again, columns, classes=right.shape[0])


def _stacked(rows: list[Exact], shape: tuple[int, int]) -> Exact:
    if not rows:
        return constant(shape, 0.0)
    return Exact(
        np.stack([row.hi for row in rows]),
        np.stack([row.lo for row in rows]),
        np.stack([row.exponent for row in rows]),
    )


def _across(slow: Slow, index: int, rows: int) -> list[Term]:
    """Return the column of one class, of a function that computes rows."""
    return [slow(row)[index] for row in range(rows)]


def _slow_logits(case: Case, inputs: Inputs, convention: Convention, soft: Softmax) -> Slow:
    """Return a function of a row that computes ∂loss/∂z in decimals, with the size of its terms."""
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
    return once_a_row(row, kept=max(1, _MOST_KEPT // soft.x.shape[1]))


def _decimal(number: Exact) -> Decimal:
    """Return a scalar of the oracle in decimals."""
    power = Decimal(2) ** int(number.exponent)
    return (Decimal(float(number.hi)) + Decimal(float(number.lo))) * power
