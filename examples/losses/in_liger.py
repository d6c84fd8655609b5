"""The losses of `definitions.py` that Liger's cross-entropy has as options, without a GPU.

`lossdiff check --impl torch=examples/losses/in_liger.py --mode interpret` asks them.
Liger writes the gradient over its logits, and is given a copy.
"""

from __future__ import annotations

from definitions import CAP, Z, operations
from liger_kernel.transformers.functional import liger_cross_entropy

__all__ = ["operations"]


def z_loss(logits, target, reduction="mean"):
    return liger_cross_entropy(logits.clone(), target, lse_square_scale=Z, reduction=reduction)


def softcapped_cross_entropy(logits, target, reduction="mean"):
    return liger_cross_entropy(logits.clone(), target, softcap=CAP, reduction=reduction)
