# torch.log_softmax, value: nonfinite
#
# question  log_softmax, float16, shape 65520
# asked     the value; mode eager, device cpu
# verdict   nonfinite: NaN or inf where the exact value is representable, or the other way round
# versions  torch 2.13.0+cpu, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case log_softmax/float16/1x65536/zeros/-/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import sys

import numpy as np
import torch

logits = torch.full((65520,), 0.0, dtype=torch.float16)

got = torch.log_softmax(logits, -1)

# Index, exact value (to 17 digits), bound, and what came back. The bound is the
# largest error of a sound computation in float16 on these inputs.
DUE = [
    ((0,), -11.090110718526951, 0.005423366902481606, -np.inf),
    ((1,), -11.090110718526951, 0.005423366902481606, -np.inf),
    ((2,), -11.090110718526951, 0.005423366902481606, -np.inf),
    ((3,), -11.090110718526951, 0.005423366902481606, -np.inf),
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
