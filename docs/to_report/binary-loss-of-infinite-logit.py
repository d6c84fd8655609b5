# torch.nn.BCEWithLogitsLoss, value: nonfinite
#
# question  binary_cross_entropy_with_logits, multi_label target, float32, shape 1x2
# asked     the value; mode eager, device cpu
# verdict   nonfinite: NaN or inf where the exact value is representable, or the other way round
# versions  torch 2.13.0+cpu, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case binary_cross_entropy_with_logits/multi_label.binary/float32/4x10/both_inf/-/0, shrunk
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


logits = torch.tensor([[np.inf, -np.inf]], dtype=torch.float32)
target = torch.tensor([[0.0, 0.0]], dtype=torch.float32)

got = binary_cross_entropy_with_logits(logits, target)

# Index, exact value (to 17 digits), bound, and what came back. The bound is the
# largest error of a sound computation in float32 on these inputs.
DUE = [
    ((), np.inf, 2.1019476964872256e-44, np.nan),
]
got = got.detach().cpu().double().numpy()
wrong, same = 0, True
for index, exact, bound, before in DUE:
    number = float(got[index])
    is_wrong = number != exact and not (np.isfinite(number) and np.isfinite(exact))
    wrong += is_wrong
    same &= repr(number) == repr(float(before))
    mark = "  <-- wrong" if is_wrong else ""
    at = f"value{list(index) or ''}"
    print(f"{at}: got {number}, exact {exact}, bound {bound:.2g}{mark}")
bits = "the same bits" if same else "other bits than when this was written"
if wrong:
    print(f"reproduced: nonfinite, {bits}")
else:
    print("not reproduced")
sys.exit(0 if wrong else 1)
