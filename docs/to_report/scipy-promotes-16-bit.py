# scipy.special.log_expit, value: mismatched
#
# question  log_sigmoid, bfloat16, shape 1
# asked     the value; mode eager, device cpu
# verdict   mismatched: wrong dtype, shape or structure
# note      dtype float64, where bfloat16 is due, from values bfloat16; its numbers: exact
# versions  numpy 2.4.6, scipy 1.17.1, ml_dtypes 0.6.0, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case log_sigmoid/bfloat16/1x1/exp_overflow/-/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import sys

import ml_dtypes
import numpy as np
from scipy import special

logits = np.array([0.0], dtype=ml_dtypes.bfloat16)

with np.errstate(all="ignore"):
    got = special.log_expit(logits)

DUE = ("bfloat16", (1,))
dtype = getattr(got, "dtype", None)
dtype = str(getattr(dtype, "name", dtype)).removeprefix("torch.")
found = (dtype, tuple(getattr(got, "shape", ())))
print(f"got {type(got).__name__} of dtype and shape {found}, due {DUE}")
if found != DUE:
    print("reproduced: mismatched")
    sys.exit(0)
print("not reproduced: dtype and shape are right")
sys.exit(1)
