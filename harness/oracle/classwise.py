"""Solve operations over classes: softmax, logsumexp, cross-entropy and nll.

`harness.oracle.softmax` and `harness.oracle.losses` hold the formulas. This module turns the
arrays of a case into rows of logits, and splits large arrays into parts.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from ...cases.model import Case, Inputs
from .double_double import Exact
from .losses import divisor_of, given_losses, solve_loss, targets
from .pairs import Floats
from .softmax import (
    as_rows,
    back,
    deviations,
    log_softmax_gradient,
    log_sum_exp,
    softmax,
    terms_of,
    undefine,
)
from .solution import ClasswiseTerms, Convention, Solution
from .transform import transform_of


def solve_classwise(case: Case, inputs: Inputs, convention: Convention) -> Solution:
    """Return the right answer to a case of an operation over classes."""
    axis = case.class_axis
    rest = case.shape[:axis] + case.shape[axis + 1 :]
    x = as_rows(inputs.values, axis)
    if not case.contract.is_loss:
        return _solve_array(case, x, rest, axis)
    if case.contract.domain == "logits":
        soft = softmax(x, transform_of(case.options.logit_scale, case.options.logit_softcap))
    else:
        soft = given_losses(case, x, convention)
    return solve_loss(case, inputs, convention, soft, rest, axis)


def solve_large(case: Case, inputs: Inputs, convention: Convention) -> Solution:
    """Return the right answer to a large case over classes.

    Arrays are solved in their first rows only. A reduced loss depends on every row, so it is
    solved part by part. Beyond the first part float64 suffices for narrower dtypes, as its error
    is below 2^-20 of their ulp.
    """
    n = case.judged_rows
    if not case.contract.is_loss or case.options.reduction == "none":
        return solve_classwise(*part_of(case, inputs, 0, n), convention)
    # The parts are summed and divided once: the divisor of a mean belongs to the whole batch.
    summed = replace(case, options=replace(case.options, reduction="sum"))
    is_plain = case.dtype != "float64" and not case.options.is_of_language_models
    solver = _solve_plainly if is_plain else solve_classwise
    parts = [
        (solver if begin else solve_classwise)(
            *part_of(summed, inputs, begin, begin + n), convention
        )
        for begin in range(0, case.shape[0], n)
    ]
    divisor = divisor_of(case, inputs, convention)
    # Gradients are judged in the first rows only, so the other parts contribute their values.
    first, *_ = parts
    quantities = {
        name: divisor.divide(exact, convention) for name, exact in first.quantities.items()
    }
    total = Exact.of(0.0)
    for part in parts:
        total = total + part.quantities["value"]
    quantities["value"] = divisor.divide(total, convention)
    # The bound of the value sums over all rows, so it needs the terms of every part.
    every = [part.terms for part in parts if isinstance(part.terms, ClasswiseTerms)]
    terms = ClasswiseTerms(
        *(_joined([getattr(rows, item.name) for rows in every]) for item in fields(ClasswiseTerms))
    )
    terms = replace(terms, v=terms.v / divisor.exact.to_float())
    losses = np.concatenate([part.row_losses for part in parts])
    condition, addends = divisor.condition, divisor.addends
    return Solution("", quantities, terms, losses, condition=condition, addends=addends)


def _joined(parts: list[Floats]) -> Floats:
    """Return the terms of all parts; a scalar stands for terms that the operation lacks."""
    first, *_ = parts
    return np.concatenate(parts) if first.ndim else first


def _solve_plainly(case: Case, inputs: Inputs, convention: Convention) -> Solution:
    """Return the sum of row losses, computed in float64 for finite logits, else exactly."""
    x = as_rows(inputs.values, case.class_axis)
    if case.contract.domain != "logits" or not np.isfinite(x).all():
        return solve_classwise(case, inputs, convention)
    # The largest logit's exp(0) = 1 is left out of the sum, so that log1p keeps the small ones.
    a = x.max(axis=1)
    d = a[:, None] - x
    e = np.exp(-d)
    e[np.arange(len(x)), x.argmax(axis=1)] = 0.0
    log_sum = np.log1p(e.sum(axis=1))
    l = d + log_sum[:, None]
    p = np.exp(-l)
    target = targets(case, inputs, convention, (x.shape[0], x.shape[1]))
    w = target.w.to_float()
    losses = np.where(target.is_nan, np.nan, (w * l).sum(axis=1))
    gap = (p * d).sum(axis=1)
    v = np.full(len(x), case.cotangent(()))
    terms = ClasswiseTerms(d, l, p, a + log_sum, log_sum, gap, w, v)
    return Solution("", {"value": Exact.of(losses).sum()}, terms, losses)


def part_of(case: Case, inputs: Inputs, begin: int, end: int) -> tuple[Case, Inputs]:
    """Return the case restricted to the rows from `begin` to `end`, with its arrays."""
    values = inputs.values[begin:end]
    target = None if inputs.target is None else inputs.target[begin:end]
    return replace(case, shape=values.shape), replace(inputs, values=values, target=target)


def _solve_array(case: Case, x: Floats, rest: tuple[int, ...], axis: int) -> Solution:
    """Return the right answer for softmax, log_softmax or logsumexp of rows x, shape (R, C)."""
    soft = softmax(x)
    # logsumexp has one result for each row, so its cotangent has no class axis.
    reduces = case.operation == "logsumexp"
    cotangent = case.cotangent(rest if reduces else case.shape)
    v = cotangent.reshape(-1, 1) if reduces else as_rows(cotangent, axis)
    terms = terms_of(soft, v=v)
    if case.operation == "logsumexp":
        value, gradient = log_sum_exp(soft), soft.p * Exact.of(v)
    elif case.operation == "log_softmax":
        value, gradient = -soft.l, log_softmax_gradient(soft, v)
    else:
        value, gradient = soft.p, soft.p * deviations(soft, v).exact
    undefined = soft.undefined
    if reduces:
        value = undefine(value, undefined).map(lambda part: part.reshape(rest))
    else:
        value = back(undefine(value, undefined), rest, axis)
    gradient = back(undefine(gradient, undefined), rest, axis)
    return Solution(quantities={"value": value, "gradient_logits": gradient}, terms=terms)
