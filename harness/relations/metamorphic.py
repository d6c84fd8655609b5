"""Define metamorphic relations: a transformed input must give the same answer, transformed back.

The relations need no oracle. They hold for any size and on any device, so they cover sizes that
the oracle is too slow for. The difference of two answers is compared with the sum of both bounds;
there is no tolerance chosen by hand. Relations are checked for cases without options whose numbers
are transformed without rounding (`Case.is_probed`).
"""

from __future__ import annotations

import numpy as np

from ...backends.claim import Claim
from ...cases.model import Case
from . import batches, classes, elements
from .forms import Relation

_WORTH_SPLITTING = 4096  # elements; below, a part is computed like the whole


def _is_of_logits(case: Case, claim: Claim) -> bool:
    """Return whether the operation takes the logits of classes."""
    contract = case.contract
    return contract.reads_classes and contract.domain == "logits" and not contract.is_linear


def _is_of_classes(case: Case, claim: Claim) -> bool:
    """Return whether the operation has a class axis."""
    return case.contract.reads_classes


def _has_rows(case: Case, claim: Claim) -> bool:
    """Return whether the first axis is that of several rows, which know nothing of each other."""
    return len(case.shape) > 1 and case.shape[0] > 1 and not _is_across_rows(case)


def _is_across_rows(case: Case) -> bool:
    return case.contract.reads_classes and case.class_axis == 0


def _is_worth_splitting(case: Case, claim: Claim) -> bool:
    """Return whether a half may be computed by another kernel or in other blocks."""
    return case.shape[0] > 1 and int(np.prod(case.sizes)) >= _WORTH_SPLITTING


def _takes_padding(case: Case, claim: Claim) -> bool:
    """Return whether rows can be added that change nothing: others' losses, or ignored ones."""
    is_reduced = case.contract.is_loss and case.options.reduction != "none"
    ignores = case.target_kind == "index" and "ignore_index" in claim.options
    return _has_rows(case, claim) and (ignores or not is_reduced)


def _takes_both(case: Case, claim: Claim) -> bool:
    """Return whether the implementation takes labels as well as one-hot targets."""
    return case.target_kind == "index" and "one_hot" in claim.targets


def _is_symmetric(case: Case, claim: Claim) -> bool:
    """Return whether the operation has, or may have, a symmetry between x and −x."""
    if case.contract.is_defined:
        return case.target_kind == "multi_label"
    return not case.contract.reads_classes and case.operation != "exp"


RELATIONS = (
    Relation("shift", _is_of_logits, classes.shifted, classes.compare_shifted),
    Relation("permutation", _is_of_classes, classes.permuted, classes.compare_permuted),
    Relation("sums", _is_of_logits, classes.no_forms, classes.compare_sums),
    Relation("split", _is_worth_splitting, batches.halves, batches.compare_halves),
    Relation("rows", _has_rows, batches.reordered, batches.compare_reordered),
    Relation("alone", _has_rows, batches.last_row, batches.compare_last_row),
    Relation("padding", _takes_padding, batches.padded, batches.compare_padded),
    Relation("one_hot", _takes_both, classes.as_one_hot, classes.compare_plainly),
    Relation("reflection", _is_symmetric, elements.reflected, elements.compare_reflected),
)
