# torch.nn.CrossEntropyLoss, gradient_logits: inaccurate
#
# question  cross_entropy, index target, float32, shape 4x2
# options   weight=given
# asked     the gradient by `logits`; mode eager, device cpu
# verdict   inaccurate: finite and wrong, beyond every bound
# versions  torch 2.13.0+cpu, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case cross_entropy/index.bottom/float32/4x10/gap_underflow/weight=huge/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import sys

import numpy as np
import torch
from torch import nn


def cross_entropy(
    logits, target, *, weight=None, ignore_index=-100, label_smoothing=0.0, reduction="mean"
):
    loss = nn.CrossEntropyLoss(
        weight=weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=reduction,
    )
    return loss(logits, target)


logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]], dtype=torch.float32)
target = torch.tensor([0, 0, 0, 0], dtype=torch.int64)
weight = torch.tensor([1e38, 0.0], dtype=torch.float32)

logits.requires_grad_()
value = cross_entropy(logits, target, weight=weight)
gradients = torch.autograd.grad(value, [logits])
got = gradients[0]

# Index, exact value (to 17 digits), bound, and what came back. The bound is the
# largest error of a sound computation in float32 on these inputs.
DUE = [
    ((0, 0), -0.125, 3.5840847057908694e-07, -0.0),
    ((0, 1), 0.125, 2.24298019834458e-07, 0.0),
    ((1, 0), -0.125, 3.5840847057908694e-07, -0.0),
    ((1, 1), 0.125, 2.24298019834458e-07, 0.0),
    ((2, 0), -0.125, 3.5840847057908694e-07, -0.0),
    ((2, 1), 0.125, 2.24298019834458e-07, 0.0),
    ((3, 0), -0.125, 3.5840847057908694e-07, -0.0),
    ((3, 1), 0.125, 2.24298019834458e-07, 0.0),
]
got = got.detach().cpu().double().numpy()
wrong, same = 0, True
for index, exact, bound, before in DUE:
    number = float(got[index])
    is_wrong = np.isfinite(number) and not abs(number - exact) <= bound
    wrong += is_wrong
    same &= repr(number) == repr(float(before))
    mark = "  <-- wrong" if is_wrong else ""
    at = f"gradient_logits{list(index) or ''}"
    print(f"{at}: got {number}, exact {exact}, bound {bound:.2g}{mark}")
bits = "the same bits" if same else "other bits than when this was written"
if wrong:
    print(f"reproduced: inaccurate, {bits}")
else:
    print("not reproduced")
sys.exit(0 if wrong else 1)
