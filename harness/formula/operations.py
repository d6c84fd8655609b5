"""Write the built-in operations as formulas, as docs/contract.md states them."""

from __future__ import annotations

import numpy as np

from ...cases.model import Case, Inputs
from ..oracle import Floats
from . import functions as f
from .graph import Array, constant

_OF_ONE_ARRAY = {
    "softmax": f.softmax, "log_softmax": f.log_softmax, "logsumexp": f.logsumexp,
    "sigmoid": f.sigmoid, "log_sigmoid": f.log_sigmoid, "exp": f.exp,
}  # fmt: skip
# Hidden states have become logits before.
_LOG_P = {
    "logits": f.log_softmax, "hidden": f.log_softmax, "probs": f.log, "log_probs": constant,
}  # fmt: skip


def value_of(case: Case, inputs: Inputs, x: Array, z: Array) -> Array:
    """Return the value of a built-in operation.

    Args:
        case: its operation and options.
        inputs: its arrays, of which labels and weights are read.
        x: the first argument, or the logits that hidden states are made into, shape (R, C) with
            the classes last; (1, M) where none are read.
        z: the target, in the same shape; it is not used where the target holds labels.
    """
    if case.operation in _OF_ONE_ARRAY:
        return _OF_ONE_ARRAY[case.operation](x)
    if not case.contract.reads_classes:
        return _reduced(case, _binary(case, inputs, x, z), float(x.shape[1]))
    losses, divisor = _of_classes(case, inputs, x, z)
    return _reduced(case, losses, divisor)


def _reduced(case: Case, losses: Array, divisor: Array | float) -> Array:
    if case.options.reduction == "none":
        return losses
    total = f.sum(losses)
    if case.options.reduction == "sum":
        return total
    return total / (case.options.denominator or divisor)


def _binary(case: Case, inputs: Inputs, x: Array, z: Array) -> Array:
    """Return the losses −w[p z log σ(x) + (1 − z) log σ(−x)], or of probabilities."""
    if case.contract.domain == "probs":
        hit, miss = f.log(x), f.log1p(-x)
    else:
        hit, miss = f.log_sigmoid(x), f.log_sigmoid(-x)
    if case.options.label_smoothing:
        epsilon = constant(case.options.label_smoothing)
        z = z * (1.0 - epsilon) + epsilon / 2.0
    weight, pos_weight = (
        constant(_of_elements(it, case).reshape(x.shape))
        for it in (inputs.weight, inputs.pos_weight)
    )
    return -f.scaled(weight, f.scaled(pos_weight * z, hit) + f.scaled(1.0 - z, miss))


def _of_elements(weight: Floats | None, case: Case) -> Floats:
    """Return the weight of each element; those of shape (C,) belong to the classes."""
    if weight is None:
        return np.ones(case.shape)
    if weight.ndim == 1 and len(case.shape) > 1:
        places = [-1 if axis == case.class_axis else 1 for axis in range(len(case.shape))]
        weight = weight.reshape(places)
    return np.broadcast_to(weight.astype(np.float64), case.shape)


def _of_classes(case: Case, inputs: Inputs, x: Array, z: Array) -> tuple[Array, Array | float]:
    """Return the loss of each row, and what a mean divides their sum by."""
    options, (rows, classes) = case.options, x.shape
    logits = _transformed(case, x)
    log_p = _LOG_P[case.contract.domain](logits)
    weight = np.ones(classes) if inputs.weight is None else inputs.weight.astype(np.float64)
    counts, divisor, q = np.ones(rows), constant(float(rows)), z
    if case.target_kind == "index":
        assert inputs.target is not None  # noqa: S101 -- an operation with a target
        labels = inputs.target.reshape(-1)
        counts = (labels != options.ignore_index).astype(np.float64)
        hits = (np.arange(classes) == labels[:, None]) * counts[:, None]
        divisor, q = f.sum(constant(hits * weight)), constant(hits)
    if options.label_smoothing:
        epsilon = constant(options.label_smoothing)
        smooth = constant(np.repeat(counts[:, None], classes, 1)) * (epsilon / float(classes))
        q = q * (1.0 - epsilon) + smooth
    losses = -f.sum(f.scaled(q * weight, log_p), axis=-1)
    if options.z_loss:
        lse = f.logsumexp(logits)
        losses = losses + f.scaled(constant(counts * options.z_loss), lse * lse)
    return losses, divisor


def _transformed(case: Case, x: Array) -> Array:
    scaled = x * case.options.logit_scale if case.options.logit_scale != 1 else x
    cap = case.options.logit_softcap
    return scaled if cap is None else f.tanh(scaled / cap) * cap
