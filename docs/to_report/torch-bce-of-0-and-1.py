# torch.nn.BCELoss, gradient_logits: nonfinite
#
# question  binary_cross_entropy, multi_label target, float64, shape 1x4
# options   weight=given
# asked     the gradient by `probs`; mode eager, device cpu
# verdict   nonfinite: NaN or inf where the exact value is representable, or the other way round
# versions  torch 2.13.0+cpu, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case binary_cross_entropy/multi_label.fractional/float64/4x10/probs_zero_one/weight=tiny/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import sys

import numpy as np
import torch
from torch import nn


def binary_cross_entropy(probs, target, *, weight=None, reduction="mean"):
    return nn.BCELoss(weight=_by_class(weight, probs), reduction=reduction)(probs, target)


def _by_class(weight, like):
    """Shape (C,) to (C, 1, …, 1), so that it broadcasts along axis 1."""
    if weight is None:
        return None
    return weight.reshape(-1, *[1] * (like.ndim - 2))


probs = torch.tensor([[0.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
target = torch.tensor([[0.5625, 0.0, 0.0, 0.0]], dtype=torch.float64)
weight = torch.tensor([1.668805393880401e-308, 0.0, 0.0, 1.0], dtype=torch.float64)

probs.requires_grad_()
value = binary_cross_entropy(probs, target, weight=weight)
gradients = torch.autograd.grad(value, [probs])
got = gradients[0]

# Index, exact value (to 17 digits), bound, and what came back. The bound is the
# largest error of a sound computation in float64 on these inputs.
DUE = [
    ((0, 0), -np.inf, 3e-323, -2.346757594521494e-297),
    ((0, 1), 0.0, 3e-323, 0.0),
    ((0, 2), 0.0, 3e-323, 0.0),
    ((0, 3), np.inf, 3e-323, 250000000998.9507),
]
got = got.detach().cpu().double().numpy()
wrong, same = 0, True
for index, exact, bound, before in DUE:
    number = float(got[index])
    is_wrong = number != exact and not (np.isfinite(number) and np.isfinite(exact))
    wrong += is_wrong
    same &= repr(number) == repr(float(before))
    mark = "  <-- wrong" if is_wrong else ""
    at = f"gradient_logits{list(index) or ''}"
    print(f"{at}: got {number}, exact {exact}, bound {bound:.2g}{mark}")
bits = "the same bits" if same else "other bits than when this was written"
if wrong:
    print(f"reproduced: nonfinite, {bits}")
else:
    print("not reproduced")
sys.exit(0 if wrong else 1)
