# torch.nn.BCEWithLogitsLoss, value: mismatched
#
# question  binary_cross_entropy_with_logits, multi_label target, float32, shape 1x1
# asked     the value; mode eager, device cpu
# verdict   mismatched: wrong dtype, shape or structure
# note      dtype float16, where float32 is due, from values float32, target float16; its numbers: exact
# versions  torch 2.13.0+cpu, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case binary_cross_entropy_with_logits/multi_label.fractional:float16/float32/4x10/normal/-/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import sys

import numpy as np
import torch
from torch import nn


def binary_cross_entropy_with_logits(
    logits, target, *, weight=None, pos_weight=None, reduction="mean"
):
    loss = nn.BCEWithLogitsLoss(
        weight=_by_class(weight, logits),
        pos_weight=_by_class(pos_weight, logits),
        reduction=reduction,
    )
    return loss(logits, target)


def _by_class(weight, like):
    """Shape (C,) to (C, 1, …, 1), so that it broadcasts along axis 1."""
    if weight is None:
        return None
    return weight.reshape(-1, *[1] * (like.ndim - 2))


logits = torch.tensor([[0.0]], dtype=torch.float32)
target = torch.tensor([[0.0]], dtype=torch.float16)

got = binary_cross_entropy_with_logits(logits, target)

DUE = ("float32", ())
dtype = getattr(got, "dtype", None)
dtype = str(getattr(dtype, "name", dtype)).removeprefix("torch.")
found = (dtype, tuple(getattr(got, "shape", ())))
print(f"got {type(got).__name__} of dtype and shape {found}, due {DUE}")
if found != DUE:
    print("reproduced: mismatched")
    sys.exit(0)
print("not reproduced: dtype and shape are right")
sys.exit(1)
