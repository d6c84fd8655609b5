"""Take the fault out of a question for which an error, or no number, is as good as any answer."""

from __future__ import annotations

from dataclasses import replace

from .existence import exists
from .families import is_finite
from .model import Case
from .operations import Options
from .targets import LABELS, WRONG_SHAPES

# What is left of a family once its fault is taken out.
_TARGETS = {
    "soft_negative": "soft",
    "above": "soft",
    "soft_nan": "soft",
    "above_one": "binary",
    "binary_nan": "binary",
    "all_ignored": "some_ignored",
}
_PLAIN = {
    "index": "random",
    "one_hot": "random",
    "soft": "soft",
    "multi_label": "binary",
    "real": "numbers",
}


def without_fault(case: Case) -> Case | None:
    """Return the same question without what is wrong with it; None if nothing is.

    Labels out of range, targets that are no probabilities or of a wrong shape, values that are NaN
    or infinite, options out of range, mixed dtypes and empty axes are faults.

    >>> without_fault(Case.parse("cross_entropy/index.too_large/float32/4x10/normal/-/0")).id
    'cross_entropy/index.random/float32/4x10/normal/-/0'
    """
    if case.is_given or ":" in case.family or case.is_swept:
        return None
    plain = replace(
        case,
        family=_family(case),
        shape=tuple(max(size, 2) for size in case.shape) if 0 in case.shape else case.shape,
        target_family=_target_family(case),
        target_dtype="",
        options=_options(case),
    )
    return plain if plain != case and exists(plain, explicit=False) else None


def _family(case: Case) -> str:
    if case.family == "probs_outside":
        return "probs"
    return case.family if is_finite(case.family) else "normal"


def _target_family(case: Case) -> str:
    family = case.target_family
    labels = LABELS.get(family)
    if family in WRONG_SHAPES or (labels is not None and labels.is_bad):
        return _PLAIN[case.target_kind or "index"]
    return _TARGETS.get(family, family)


def _options(case: Case) -> Options:
    options, axes = case.options, len(case.shape)
    axis = options.axis if -axes <= options.axis < axes else -1
    smoothing = options.label_smoothing if 0 <= options.label_smoothing <= 1 else 0.1
    weight, pos_weight = (
        name and name.partition(":")[0] for name in (options.weight, options.pos_weight)
    )
    return replace(
        options, axis=axis, label_smoothing=smoothing, weight=weight, pos_weight=pos_weight
    )
