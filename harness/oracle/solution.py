"""The types of the oracle: the answer to a case, and the convention that the answer follows."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .double_double import Exact
from .pairs import Floats

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Convention:
    """The choices on which frameworks differ; the defaults are the contract.

    Attributes:
        mean_over: the divisor of `mean`, where it differs from the contract's: `rows` (their
            number), `nonzero_weights` (the number of rows whose weight is not 0) or `weights`
            (Σ w · target, of one-hot and soft targets too).
        weights_scale_rows: the weight of the target's class multiplies the whole smoothed loss of
            a row, not each class its own term.
        nothing_counts_is_zero: a mean whose divisor is 0, as where no row counts, is 0.
        bad_index: the effect of a label out of range: `error`, `zeros` (the label means no
            class), `wrap` (negative labels count from the end), `clamp` (the label means the
            nearest class) or `nan`.
        sums_to_1: the gradient is p − target, as if each target summed to 1: that of a label which
            means no class, too. Unweighted targets only.
        clip: probabilities are first clipped to [clip, 1 − clip], both rounded to the dtype.
        renormalise: probabilities are divided by their sum over the classes, `before` or
            `after` they are clipped; empty for not at all.
        log_floor: a logarithm of a probability is never below this number.
    """

    mean_over: Literal["", "rows", "nonzero_weights", "weights"] = ""
    weights_scale_rows: bool = False
    nothing_counts_is_zero: bool = False
    bad_index: str = "error"
    sums_to_1: bool = False
    clip: float | None = None
    renormalise: str = ""
    log_floor: float | None = None


CONTRACT = Convention()


@dataclass(frozen=True)
class ClasswiseTerms:
    """Intermediate numbers of an operation over classes, which its bounds are made of.

    R is the number of rows, C that of the classes; the arrays are float64, (R, C) or (R,).

    Attributes:
        d, l, p: a − x, ℓ and p of each element; l is −log p of given probabilities.
        lse: the logsumexp a + L of each row.
        log_sum: L of each row.
        entropy_gap: E = Σ p d of each row, in [0, ln C].
        w: the effective weights W = weight · target.
        v: cotangents times 1/D, for losses one for each row (R,), otherwise for each element.
        z: the logits after their transform, where they have one.
        bend: c·abs(t)·(1 − tanh² t) of capped logits with t = s·x/c, else 0.
        slope: ∂z/∂x of transformed logits.
        z_loss: λ, a scalar.
    """

    d: Floats
    l: Floats
    p: Floats
    lse: Floats
    log_sum: Floats
    entropy_gap: Floats
    w: Floats = field(default_factory=lambda: np.zeros(()))
    v: Floats = field(default_factory=lambda: np.zeros(()))
    z: Floats = field(default_factory=lambda: np.zeros(()))
    bend: Floats = field(default_factory=lambda: np.zeros(()))
    slope: Floats = field(default_factory=lambda: np.zeros(()))
    z_loss: Floats = field(default_factory=lambda: np.zeros(()))

    @property
    def is_transformed(self) -> bool:
        """Whether the logits are scaled or capped."""
        return bool(self.z.ndim)

    def head(self, rows: int) -> ClasswiseTerms:
        """Return the terms of the first rows."""
        # A scalar stands for terms that the operation does not have.
        parts = {item.name: getattr(self, item.name) for item in fields(self)}
        return ClasswiseTerms(
            **{name: part[:rows] if part.ndim else part for name, part in parts.items()}
        )


@dataclass(frozen=True)
class LinearTerms(ClasswiseTerms):
    """Those of a loss whose logits are inner products.

    Attributes:
        size: Σ abs(h W) of each logit, shape (R, C).
        added: abs(b), shape (R, C).
        plain: the magnitude of each logit before its transform, shape (R, C).
        of_logits: abs(g), the gradient with respect to the logits before their transform, (R, C).
        hidden: the number of terms of an inner product, a scalar.
    """

    size: Floats = field(default_factory=lambda: np.zeros(()))
    added: Floats = field(default_factory=lambda: np.zeros(()))
    plain: Floats = field(default_factory=lambda: np.zeros(()))
    of_logits: Floats = field(default_factory=lambda: np.zeros(()))
    hidden: int = 0


@dataclass(frozen=True)
class ElementwiseTerms:
    """Intermediate numbers of an elementwise operation, which its bounds are made of.

    The arrays are float64, in the shape of the first argument.

    Attributes:
        x: the first argument.
        z: the target, 0 for operations without one.
        w, pos_weight: the weights of each element.
        v: the cotangents times 1/D.
    """

    x: Floats
    z: Floats
    w: Floats
    pos_weight: Floats
    v: Floats


@dataclass(frozen=True)
class Solution:
    """The right answer to a case under one convention.

    Attributes:
        refusal: the reason why the right answer is an error; the other attributes are empty then.
        quantities: `value`, `gradient_logits`, and `gradient_target` for soft targets; of a
            linear loss `gradient_hidden`, `gradient_linear_weight` and, with a bias,
            `gradient_linear_bias` in their place.
        terms: the intermediate numbers that the bounds are made of.
        row_losses: the losses before the reduction, shape (R,) or that of the elements.
        convention: the convention under which this is the answer.
        condition: Σ abs(w)/abs(Σ w) of a divisor that adds up weights, else 1.
        addends: the number of weights other than 0 that the divisor adds up.
        unit: a power of two by which `terms.w` and `row_losses` are divided and `terms.v` is
            multiplied, so that nothing overflows or underflows in float64. It is 1 except for
            extreme weights.
        broken_rule: a name for the reason of a refusal, the same for all shapes.
    """

    refusal: str = ""
    quantities: dict[str, Exact] = field(default_factory=dict)
    terms: ClasswiseTerms | ElementwiseTerms | None = None
    row_losses: Floats = field(default_factory=lambda: np.zeros(0))
    convention: Convention = CONTRACT
    condition: float = 1.0
    addends: int = 1
    unit: float = 1.0
    broken_rule: str = ""
