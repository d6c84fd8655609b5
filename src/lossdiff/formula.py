"""The functions that a formula for `lossdiff.define` is written with.

They take and give arrays of a formula, which have the operators + − × ÷, `**` with a number, `abs`,
comparisons for `where`, and `[:, None]`. A formula gets arrays of shape (N, C).

>>> import lossdiff
>>> from lossdiff import formula as f
>>> squares = lossdiff.define("squares", lambda x: f.mean(x * x), targets=())
>>> float(lossdiff.exact("squares", [[3.0, 4.0]]).value)
12.5
"""

from __future__ import annotations

from .harness.formula.functions import (
    abs,  # noqa: A004
    clip,
    concatenate,
    cumsum,
    detach,
    dot,
    exp,
    expm1,
    log,
    log1p,
    log_sigmoid,
    log_softmax,
    logsumexp,
    matmul,
    max,  # noqa: A004 -- as in NumPy
    maximum,
    mean,
    min,  # noqa: A004
    minimum,
    one_hot,
    sigmoid,
    softmax,
    softplus,
    sqrt,
    sum,  # noqa: A004
    take,
    tanh,
    where,
)

__all__ = [
    "abs",
    "clip",
    "concatenate",
    "cumsum",
    "detach",
    "dot",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "one_hot",
    "sigmoid",
    "softmax",
    "softplus",
    "sqrt",
    "sum",
    "take",
    "tanh",
    "where",
]
