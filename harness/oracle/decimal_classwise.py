"""Compute operations over classes in decimals; see `harness.oracle.decimal_fallback`.

Each public function takes the whole batch and returns a function that computes one element or one
row of it, as a pair of the result and the size of its terms. In decimals a row is
e_i = exp(z_i − a) and T = Σ e, where z is x after its transform. Nothing is divided before the
end, so that ties, where every e is 1, leave nothing to round.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from .decimal_fallback import ElementTerm, Term, once_a_row, quotient
from .pairs import Floats
from .transform import UNCHANGED, Transform

RowTerm = Callable[[int], Term]
_NOTHING = 10**4  # exp(−d) beyond it is below 10^-4342, negligible next to any float64
_ZERO = Decimal(0)


@dataclass(frozen=True)
class _Row:
    """One row of logits in decimals.

    Attributes:
        a: the largest logit z.
        e: exp(z − a) of each class.
        total: T, the sum of e.
        by_logit: exp(z − a) by the logit x.
        distance: a − z by the logit x.
    """

    a: Decimal
    e: list[Decimal]
    total: Decimal
    by_logit: dict[float, Decimal]
    distance: dict[float, Decimal]

    @property
    def log_sum_exp(self) -> Term:
        """A + ln T. An error of T enters ln T as an absolute one, so T is the size of that term."""
        return self.a + self.total.ln(), abs(self.a) + self.total


def _rows(x: Floats, transform: Transform = UNCHANGED) -> Callable[[int], _Row]:
    """Return a function that gives a row of logits x, shape (R, C), by its index."""

    @once_a_row
    def row(index: int) -> _Row:
        logits = x[index].tolist()
        top = max(logits)
        # Logits often repeat, and each exponential in decimals is expensive.
        distance = {number: _distance(transform, top, number) for number in set(logits)}
        by_logit = {number: _exp(-apart) for number, apart in distance.items()}
        e = [by_logit[number] for number in logits]
        return _Row(transform.decimal(top), e, sum(e, _ZERO), by_logit, distance)

    return row


def _distance(transform: Transform, top: float, x: float) -> Decimal:
    return transform.decimal_distance(top, x) if x > -math.inf else Decimal(math.inf)


def _exp(x: Decimal) -> Decimal:
    return x.exp() if x > -_NOTHING else _ZERO


def _decimals(row: Floats) -> list[Decimal]:
    return [Decimal(number) for number in row.tolist()]


def _dot(left: list[Decimal], right: list[Decimal]) -> Term:
    """Return Σ left·right, and the sum of the magnitudes of its terms."""
    products = [a * b for a, b in zip(left, right, strict=True)]
    return sum(products, _ZERO), sum(map(abs, products), _ZERO)


def logsumexp(x: Floats, transform: Transform = UNCHANGED) -> RowTerm:
    """Return a function of a row that computes a + ln T, for logits x of shape (R, C)."""
    rows = _rows(x, transform)
    return lambda index: rows(index).log_sum_exp


def log_softmax_gradient(x: Floats, v: Floats) -> ElementTerm:
    """Return a function that computes v_j − p_j Σv from (x_j, v_j); x and v have shape (R, C)."""
    rows = _rows(x)
    sums = once_a_row(lambda index: sum(_decimals(v[index]), _ZERO))

    def slow(index: int, x_j: float, v_j: float) -> Term:
        row = rows(index)
        left, right = Decimal(v_j) * row.total, row.by_logit[x_j] * sums(index)
        return quotient(left - right, abs(left) + abs(right), row.total)

    return slow


def _means(rows: Callable[[int], _Row], gaps: Floats) -> Callable[[int], Term]:
    """Return a function of a row that computes Σ e g, for gaps g of shape (R, C)."""
    return once_a_row(lambda index: _dot(rows(index).e, _decimals(gaps[index])))


def deviation(x: Floats, gaps: Floats) -> ElementTerm:
    """Return a function that computes g_j − Σ p g from g_j, where the gaps g are v − v_top."""
    rows = _rows(x)
    means = _means(rows, gaps)

    def slow(index: int, g_j: float) -> Term:
        row, (mean, size) = rows(index), means(index)
        own = Decimal(g_j) * row.total
        return quotient(own - mean, abs(own) + size, row.total)

    return slow


@dataclass(frozen=True)
class _Products:
    """Products of the deviations A_i B_i of a row, times T².

    Attributes:
        each: A B with the size of its terms, by the pair of gaps.
        mean: Σ e A B.
        size: the size of the terms of the mean.
    """

    each: dict[tuple[float, float], Term]
    mean: Decimal
    size: Decimal


def second_deviation(x: Floats, left: Floats, right: Floats) -> ElementTerm:
    """Return a function that computes c_j − Σ p c from (g_j, h_j).

    Here c = (g − Σ p g)(h − Σ p h), and g and h are `left` and `right`, shape (R, C).
    """
    rows = _rows(x)
    means = [_means(rows, left), _means(rows, right)]

    def factor(index: int, which: int, gap: float) -> Term:
        """Return T (g − Σ p g), with the size of its terms."""
        own, (mean, size) = Decimal(gap) * rows(index).total, means[which](index)
        return own - mean, abs(own) + size

    @once_a_row
    def products(index: int) -> _Products:
        pairs = list(zip(left[index].tolist(), right[index].tolist(), strict=True))
        each = {}
        for pair in set(pairs):
            (a, size_a), (b, size_b) = (factor(index, *item) for item in enumerate(pair))
            each[pair] = a * b, size_a * size_b
        # The size of a mean is that of its products' terms, not of the products: they may have
        # cancelled already.
        e = rows(index).e
        mean, _ = _dot(e, [each[pair][0] for pair in pairs])
        size, _ = _dot(e, [each[pair][1] for pair in pairs])
        return _Products(each, mean, size)

    def slow(index: int, g_j: float, h_j: float) -> Term:
        total, found = rows(index).total, products(index)
        product, size = found.each[g_j, h_j]
        # c is product/T² and the mean of c is mean/T³, so that T³ is the common divisor.
        numerator = total * product - found.mean
        return quotient(numerator, total * size + found.size, total**3)

    return slow


@dataclass(frozen=True)
class Weights:
    """The factors of W = weight·((1 − ε)·target + ε/C), which are not rounded.

    Attributes:
        target: the targets, shape (R, C), 0 in rows that do not count.
        weight: the weight of each class or row, shape (R, C).
        smoothing: ε.
    """

    target: Floats
    weight: Floats
    smoothing: float

    def times_classes(self, target: float, weight: float) -> Decimal:
        """Return C·W of an element: a multiple of W that needs no division."""
        epsilon = Decimal(self.smoothing)
        classes = self.target.shape[1]
        return Decimal(weight) * ((1 - epsilon) * Decimal(target) * classes + epsilon)

    def row(self, index: int) -> list[Decimal]:
        """Return C·W of a row."""
        pairs = zip(self.target[index].tolist(), self.weight[index].tolist(), strict=True)
        return [self.times_classes(*pair) for pair in pairs]


def cross_entropy_gradient(
    x: Floats, weights: Weights, transform: Transform = UNCHANGED, z_loss: float = 0.0
) -> ElementTerm:
    """Return a function that computes p_j (ΣW + 2λ·lse) − W_j from (x_j, target_j, weight_j)."""
    rows = _rows(x, transform)
    classes = x.shape[1]

    @once_a_row
    def sums(index: int) -> Term:
        total, size = _sum(weights.row(index))
        if not z_loss:
            return total, size
        lse, of_lse = rows(index).log_sum_exp
        factor = 2 * classes * Decimal(z_loss)
        return total + factor * lse, size + factor * of_lse

    def slow(index: int, x_j: float, target: float, weight: float) -> Term:
        row, (total, size) = rows(index), sums(index)
        e, w = row.by_logit[x_j], weights.times_classes(target, weight)
        numerator = e * total - w * row.total
        return quotient(numerator, e * size + abs(w) * row.total, row.total * classes)

    return slow


def _sum(numbers: list[Decimal]) -> Term:
    """Return the sum of numbers, and the sum of their magnitudes."""
    return sum(numbers, _ZERO), sum(map(abs, numbers), _ZERO)


def cross_entropy_loss(
    x: Floats, weights: Weights, transform: Transform = UNCHANGED, z_loss: float = 0.0
) -> RowTerm:
    """Return a function of a row that computes Σ W (d + ln T) + λ·lse².

    A class of weight 0 costs nothing, whatever its logit.
    """
    rows = _rows(x, transform)

    def slow(index: int) -> Term:
        row = rows(index)
        log_total = row.total.ln()
        w = weights.row(index)
        l = [
            row.distance[number] + log_total if factor else _ZERO
            for number, factor in zip(x[index].tolist(), w, strict=True)
        ]
        # An error of T enters ln T as an absolute one, so T, not ln T, is the size of that term.
        loss, size = _dot(w, l)
        classes = x.shape[1]
        loss, size = loss / classes, (size + _sum(w)[1] * row.total) / classes
        if not z_loss:
            return loss, size
        lse, of_lse = row.log_sum_exp
        factor = Decimal(z_loss)
        return loss + factor * lse * lse, size + 2 * factor * abs(lse) * of_lse

    return slow


def given_loss(p: Floats, weights: Weights) -> RowTerm:
    """Return a function of a row that computes −Σ W ln p, for probabilities p of shape (R, C).

    A class of weight 0 costs nothing, whatever its probability.
    """
    classes = p.shape[1]

    def slow(index: int) -> Term:
        w = weights.row(index)
        pairs = zip(p[index].tolist(), w, strict=True)
        logs = [Decimal(number).ln() if factor else _ZERO for number, factor in pairs]
        loss, size = _dot(w, logs)
        return -loss / classes, size / classes

    return slow


def divided_gradient(y: Floats, weights: Weights, inside: Floats) -> ElementTerm:
    """Return a function that computes (Σ_in W − W_j/p_j)/Σy, where p = y/Σy.

    It computes from (y_j, target_j, weight_j, inside_j). W counts where `inside` is 1, not where
    it is 0.
    """
    classes = y.shape[1]
    totals = once_a_row(lambda index: sum(_decimals(y[index]), _ZERO))
    sums = once_a_row(lambda index: _dot(weights.row(index), _decimals(inside[index])))

    def slow(index: int, y_j: float, target: float, weight: float, inside_j: float) -> Term:
        total, (w_sum, size) = totals(index), sums(index)
        left = w_sum * Decimal(y_j)
        right = weights.times_classes(target, weight) * Decimal(inside_j) * total
        size = size * Decimal(y_j) + abs(right)
        return quotient(left - right, size, Decimal(y_j) * total * classes)

    return slow


def whole(slow: RowTerm, rows: list[int]) -> RowTerm:
    """Return a function that computes the sum over the rows; its argument is ignored."""

    def total(_: int) -> Term:
        terms = [slow(index) for index in rows]
        return sum((value for value, _ in terms), _ZERO), sum((size for _, size in terms), _ZERO)

    return total


def weights_sum(weights: Weights) -> RowTerm:
    """Return a function of a row that computes ΣW."""
    classes = weights.target.shape[1]

    def slow(index: int) -> Term:
        total, size = _sum(weights.row(index))
        return total / classes, size / classes

    return slow
