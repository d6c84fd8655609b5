# torch.nn.BCELoss, hvp_logits: inaccurate
#
# question  binary_cross_entropy, multi_label target, float64, shape 1x1
# asked     the derivative of the gradient by `probs` along `direction`; mode eager, device cpu
# verdict   inaccurate: finite and wrong, beyond every bound
# versions  torch 2.13.0+cpu, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case binary_cross_entropy/multi_label.binary/float64/4x10/grid_probs/-/0, shrunk
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


probs = torch.tensor([[0.1]], dtype=torch.float64)
target = torch.tensor([[0.0]], dtype=torch.float64)
cotangent = torch.tensor(1.0, dtype=torch.float64)
direction = torch.tensor([[0.125]], dtype=torch.float64)

probs.requires_grad_()
value = binary_cross_entropy(probs, target)
(gradient,) = torch.autograd.grad(value, [probs], cotangent, create_graph=True)
(got,) = torch.autograd.grad(gradient, [probs], direction)

# Index, exact value (to 17 digits), bound, and what came back. The bound is the
# largest error of a sound computation in float64 on these inputs.
DUE = [
    ((0, 0), 0.15432098765432098, 2.05596856412066e-16, 0.15432098765089164),
]
got = got.detach().cpu().double().numpy()
wrong, same = 0, True
for index, exact, bound, before in DUE:
    number = float(got[index])
    is_wrong = np.isfinite(number) and not abs(number - exact) <= bound
    wrong += is_wrong
    same &= repr(number) == repr(float(before))
    mark = "  <-- wrong" if is_wrong else ""
    at = f"hvp_logits{list(index) or ''}"
    print(f"{at}: got {number}, exact {exact}, bound {bound:.2g}{mark}")
bits = "the same bits" if same else "other bits than when this was written"
if wrong:
    print(f"reproduced: inaccurate, {bits}")
else:
    print("not reproduced")
sys.exit(0 if wrong else 1)
