"""Compute elementwise operations in decimals; see `harness.oracle.decimal_fallback`.

Each function takes the index of a row, which is ignored, and the numbers of one element, and
returns the result with the size of its terms.
"""

from __future__ import annotations

from decimal import Decimal

from .decimal_fallback import ElementTerm, Term, quotient
from .pairs import Floats


def _exponential(x: float) -> Decimal:
    """Return E = e^−|x|."""
    return (-abs(Decimal(x))).exp()


def gradient_by_logit(_: int, x: float, z: float, pos_weight: float) -> Term:
    """Return (1 − z)σ(x) − pzσ(−x)."""
    # Both sigmoids are 1 or E over 1 + E, which is divided by last.
    e, miss, hit = _exponential(x), 1 - Decimal(z), Decimal(pos_weight) * Decimal(z)
    by_miss, by_hit = (miss, hit * e) if x > 0 else (miss * e, hit)
    return quotient(by_miss - by_hit, abs(by_miss) + abs(by_hit), 1 + e)


def gradient_by_target(_: int, x: float, pos_weight: float) -> Term:
    """Return p softplus(−x) − softplus(x) = (p − 1) ln(1 + E) − max(x, px)."""
    extra, p = (1 + _exponential(x)).ln(), Decimal(pos_weight)
    larger = Decimal(x) if x > 0 else p * Decimal(x)
    return (p - 1) * extra - larger, abs(p - 1) + abs(larger)


def loss_of_logit(_: int, x: float, z: float, pos_weight: float) -> Term:
    """Return pz softplus(−x) + (1 − z) softplus(x)."""
    extra = (1 + _exponential(x)).ln()
    hit, miss = Decimal(pos_weight) * Decimal(z), 1 - Decimal(z)
    by_hit = hit * (extra + max(Decimal(-x), Decimal(0)))
    by_miss = miss * (extra + max(Decimal(x), Decimal(0)))
    return by_hit + by_miss, abs(hit) + abs(by_hit) + abs(miss) + abs(by_miss)


def loss_of_probability(_: int, x: float, z: float) -> Term:
    """Return −(z ln x + (1 − z) ln(1 − x)); 0·ln 0 = 0."""
    parts = ((Decimal(z), Decimal(x)), (1 - Decimal(z), 1 - Decimal(x)))
    loss = -sum((share * p.ln() for share, p in parts if share), Decimal(0))
    # Neither logarithm is positive, so the terms cannot cancel within one element.
    return loss, abs(loss)


def total_loss(loss: ElementTerm, weight: Floats, arguments: list[Floats]) -> ElementTerm:
    """Return a function that computes the weighted sum of the losses of all elements.

    Args:
        loss: the function that computes the loss of one element.
        weight: the weights, shape (n,); an element of weight 0 costs nothing.
        arguments: the arguments of `loss`, each of shape (n,).
    """
    columns = [array.tolist() for array in (weight, *arguments)]

    def slow(row: int) -> Term:
        total = size = Decimal(0)
        for factor, *numbers in zip(*columns, strict=True):
            if factor:
                value, terms = loss(row, *numbers)
                total += Decimal(factor) * value
                size += abs(Decimal(factor)) * terms
        return total, size

    return slow
