# torch.logsumexp, gradient_logits: inaccurate
#
# question  logsumexp, float32, shape 2
# asked     the gradient by `logits`; mode eager, device cpu
# verdict   inaccurate: finite and wrong, beyond every bound
# versions  torch 2.13.0+cpu, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case logsumexp/float32/4x10/finfo_max/-/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import sys

import numpy as np
import torch

logits = torch.tensor([3e38, 3e38], dtype=torch.float32)

logits.requires_grad_()
value = torch.logsumexp(logits, -1)
gradients = torch.autograd.grad(value, [logits])
got = gradients[0]

# Index, exact value (to 17 digits), bound, and what came back. The bound is the
# largest error of a sound computation in float32 on these inputs.
DUE = [
    ((0,), 0.5, 4.470349850294423e-07, 1.0),
    ((1,), 0.5, 4.470349850294423e-07, 1.0),
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
