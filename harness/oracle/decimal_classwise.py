"""Slow answers for rows of classes; see `harness.oracle.decimal_fallback`.

Each function returns one that gives an element or a row of the batch as (result, size of its
terms). In decimals a row is e_i = exp(x_i − a) and T = Σ e; nothing is divided before the end, so
that ties, where every e is 1, leave nothing to round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from .decimal_fallback import ElementTerm, Term, once_a_row, quotient
from .double_double import Floats

RowTerm = Callable[[int], Term]
_NOTHING = 10**4  # exp(−d) beyond it is nothing beside any numbers of float64: below 10^-4342
_ZERO = Decimal(0)


@dataclass(frozen=True)
class _Row:
    """One row of logits: their maximum, exp(x − a) of each class, and the sum."""

    a: Decimal
    e: list[Decimal]
    total: Decimal
    by_logit: dict[float, Decimal]


def _rows(x: Floats) -> Callable[[int], _Row]:
    @once_a_row
    def row(index: int) -> _Row:
        logits = x[index].tolist()
        a = Decimal(max(logits))
        by_logit = {number: _exp(Decimal(number) - a) for number in set(logits)}
        e = [by_logit[number] for number in logits]
        return _Row(a, e, sum(e, _ZERO), by_logit)

    return row


def _exp(x: Decimal) -> Decimal:
    return x.exp() if x > -_NOTHING else _ZERO


def _decimals(row: Floats) -> list[Decimal]:
    return [Decimal(number) for number in row.tolist()]


def _dot(left: list[Decimal], right: list[Decimal]) -> Term:
    """Σ left·right, and the sum of magnitudes."""
    products = [a * b for a, b in zip(left, right, strict=True)]
    return sum(products, _ZERO), sum(map(abs, products), _ZERO)


def logsumexp(x: Floats) -> RowTerm:
    """Return a + ln T."""
    rows = _rows(x)

    def slow(index: int) -> Term:
        row = rows(index)
        return row.a + row.total.ln(), abs(row.a) + row.total

    return slow


def log_softmax_gradient(x: Floats, v: Floats) -> ElementTerm:
    """Return v_j − p_j Σv, asked with (x_j, v_j)."""
    rows = _rows(x)
    sums = once_a_row(lambda index: sum(_decimals(v[index]), _ZERO))

    def slow(index: int, x_j: float, v_j: float) -> Term:
        row = rows(index)
        left, right = Decimal(v_j) * row.total, row.by_logit[x_j] * sums(index)
        return quotient(left - right, abs(left) + abs(right), row.total)

    return slow


def _means(rows: Callable[[int], _Row], gaps: Floats) -> Callable[[int], Term]:
    """Σ e g of each row."""
    return once_a_row(lambda index: _dot(rows(index).e, _decimals(gaps[index])))


def deviation(x: Floats, gaps: Floats) -> ElementTerm:
    """Return g_j − Σ p g, asked with g_j; g = v − v_top."""
    rows = _rows(x)
    means = _means(rows, gaps)

    def slow(index: int, g_j: float) -> Term:
        row, (mean, size) = rows(index), means(index)
        own = Decimal(g_j) * row.total
        return quotient(own - mean, abs(own) + size, row.total)

    return slow


@dataclass(frozen=True)
class _Products:
    """A_i B_i of a row, the sizes of their terms, and Σ e A B with its size."""

    each: dict[tuple[float, float], Term]
    mean: Decimal
    size: Decimal


def second_deviation(x: Floats, left: Floats, right: Floats) -> ElementTerm:
    """Return c_j − Σ p c, asked with (g_j, h_j); c = (g − Σ p g)(h − Σ p h)."""
    rows = _rows(x)
    means = [_means(rows, left), _means(rows, right)]

    def factor(index: int, which: int, gap: float) -> Term:
        """Return T (g − Σ p g)."""
        own, (mean, size) = Decimal(gap) * rows(index).total, means[which](index)
        return own - mean, abs(own) + size

    @once_a_row
    def products(index: int) -> _Products:
        pairs = list(zip(left[index].tolist(), right[index].tolist(), strict=True))
        each = {}
        for pair in set(pairs):
            (a, size_a), (b, size_b) = (factor(index, *item) for item in enumerate(pair))
            each[pair] = a * b, size_a * size_b
        e = rows(index).e
        mean, _ = _dot(e, [each[pair][0] for pair in pairs])
        size, _ = _dot(e, [each[pair][1] for pair in pairs])
        return _Products(each, mean, size)

    def slow(index: int, g_j: float, h_j: float) -> Term:
        total, found = rows(index).total, products(index)
        product, size = found.each[g_j, h_j]
        numerator = total * product - found.mean
        return quotient(numerator, total * size + found.size, total**3)

    return slow


@dataclass(frozen=True)
class Weights:
    """What W = weight·((1 − ε)·target + ε/C) is made of, without rounding.

    Attributes:
        target: shape (R, C), 0 in rows that do not count.
        weight: of each class or row, shape (R, C).
        smoothing: ε.
    """

    target: Floats
    weight: Floats
    smoothing: float

    def times_classes(self, target: float, weight: float) -> Decimal:
        """Return C·W of an element."""
        epsilon = Decimal(self.smoothing)
        classes = self.target.shape[1]
        return Decimal(weight) * ((1 - epsilon) * Decimal(target) * classes + epsilon)

    def row(self, index: int) -> list[Decimal]:
        """Return C·W of a row."""
        pairs = zip(self.target[index].tolist(), self.weight[index].tolist(), strict=True)
        return [self.times_classes(*pair) for pair in pairs]


def cross_entropy_gradient(x: Floats, weights: Weights) -> ElementTerm:
    """Return p_j ΣW − W_j, asked with (x_j, target_j, weight_j)."""
    rows = _rows(x)
    sums = once_a_row(lambda index: _sum(weights.row(index)))
    classes = x.shape[1]

    def slow(index: int, x_j: float, target: float, weight: float) -> Term:
        row, (total, size) = rows(index), sums(index)
        e, w = row.by_logit[x_j], weights.times_classes(target, weight)
        numerator = e * total - w * row.total
        return quotient(numerator, e * size + abs(w) * row.total, row.total * classes)

    return slow


def _sum(numbers: list[Decimal]) -> Term:
    return sum(numbers, _ZERO), sum(map(abs, numbers), _ZERO)


def cross_entropy_loss(x: Floats, weights: Weights) -> RowTerm:
    """Return Σ W (d + ln T) of a row; a class of weight 0 costs nothing, whatever its logit."""
    rows = _rows(x)

    def slow(index: int) -> Term:
        row = rows(index)
        log_total = row.total.ln()
        w = weights.row(index)
        l = [
            row.a - Decimal(number) + log_total if factor else _ZERO
            for number, factor in zip(x[index].tolist(), w, strict=True)
        ]
        loss, size = _dot(w, l)
        classes = x.shape[1]
        return loss / classes, (size + _sum(w)[1] * row.total) / classes

    return slow


def given_loss(p: Floats, weights: Weights) -> RowTerm:
    """Return −Σ W ln p of a row; a class of weight 0 costs nothing, whatever its probability."""
    classes = p.shape[1]

    def slow(index: int) -> Term:
        w = weights.row(index)
        pairs = zip(p[index].tolist(), w, strict=True)
        logs = [Decimal(number).ln() if factor else _ZERO for number, factor in pairs]
        loss, size = _dot(w, logs)
        return -loss / classes, size / classes

    return slow


def divided_gradient(y: Floats, weights: Weights, inside: Floats) -> ElementTerm:
    """Return (Σ_in W − W_j/p_j)/Σy with p = y/Σy, asked with (y_j, target_j, weight_j, inside_j).

    W counts where `inside` is 1, not where it is 0.
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
    """Return the sum of the rows; asked with row 0, the only one."""

    def total(_: int) -> Term:
        terms = [slow(index) for index in rows]
        return sum((value for value, _ in terms), _ZERO), sum((size for _, size in terms), _ZERO)

    return total


def weights_sum(weights: Weights) -> RowTerm:
    """Return ΣW of a row."""
    classes = weights.target.shape[1]

    def slow(index: int) -> Term:
        total, size = _sum(weights.row(index))
        return total / classes, size / classes

    return slow
