"""Say which class each label of an index target means under a convention."""

from __future__ import annotations

import numpy as np

from ...cases.model import Case, Inputs
from .powers import Ints
from .solution import Convention, Mask


def meant_labels(case: Case, inputs: Inputs, convention: Convention) -> tuple[Ints, Mask]:
    """Return the class that each label means, and which rows count, both of shape (R,).

    A label that means no class stays out of range.

    Args:
        case: the question, a loss of an index target.
        inputs: its arrays.
        convention: what becomes of a label out of range.
    """
    assert inputs.target is not None  # noqa: S101 -- the caller asks for losses only
    classes = case.shape[case.class_axis]
    # Labels are compared before they change: `ignore_index` is negative by default.
    counts = inputs.target.reshape(-1) != case.options.ignore_index
    labels = inputs.target.reshape(-1).astype(np.int64)
    if convention.bad_index == "wrap":
        labels = np.where(labels < 0, labels + classes, labels)
    elif convention.bad_index == "clamp":
        labels = labels.clip(0, classes - 1)
    return labels, counts
