"""Compute the linear layer of a loss of hidden states in decimals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext

import numpy as np

from ...cases.dtypes import Array
from ...cases.model import Inputs
from .decimals import Decimals, decimals


@dataclass(frozen=True)
class Layer:
    """What logits are made of: z = h·Wᵀ + b.

    Attributes:
        hidden: h, shape (N, H).
        weight: W, shape (C, H).
        bias: b, shape (C,), or None.
    """

    hidden: Decimals
    weight: Decimals
    bias: Decimals | None

    def logits(self, digits: int) -> Decimals:
        """Return the logits, shape (N, C), each step rounded to a number of digits."""
        with localcontext(_context(digits)):
            products = self.hidden @ self.weight.T
            return np.asarray(products if self.bias is None else products + self.bias)

    def gradients(self, by_logits: Decimals, digits: int) -> dict[str, Decimals]:
        """Return the gradients with respect to the layer, of that with respect to its logits.

        Args:
            by_logits: shape (N, C); 0 in rows that do not count, which may hold NaN.
            digits: the number of digits that each step is rounded to.
        """
        with localcontext(_context(digits)):
            found = {
                "gradient_hidden": by_logits @ _finite(self.weight),
                "gradient_linear_weight": by_logits.T @ _finite(self.hidden),
            }
            if self.bias is not None:
                found["gradient_linear_bias"] = by_logits.sum(0)
        return found


def layer_of(inputs: Inputs, hidden: Decimals) -> Layer:
    """Return the layer of a case of a linear loss, whose hidden states are given as decimals."""
    weight, bias = inputs.linear_weight, inputs.linear_bias
    assert weight is not None  # noqa: S101 -- every case of a linear loss has one
    return Layer(hidden, _wide(weight), None if bias is None else _wide(bias))


def _wide(array: Array) -> Decimals:
    return decimals(array.astype(np.float64))


def _finite(numbers: Decimals) -> Decimals:
    zero = Decimal(0)
    return np.asarray(np.frompyfunc(lambda it: it if it.is_finite() else zero, 1, 1)(numbers))


def _context(digits: int) -> Context:
    return Context(digits, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])
