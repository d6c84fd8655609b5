# keras.losses.SparseCategoricalCrossentropy, value: inaccurate
#
# question  cross_entropy, index target, bfloat16, shape 1x266
# asked     the value; mode eager, device cpu
# verdict   inaccurate: finite and wrong, beyond every bound
# versions  tensorflow 2.21.0, keras 3.15.1, ml_dtypes 0.6.0, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case cross_entropy/index.random/bfloat16/2x1000/normal_10/-/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf


_REDUCTIONS = {"none": None, "mean": "sum_over_batch_size", "sum": "sum"}


def cross_entropy_sparse(logits, target, *, weight=None, reduction="mean"):
    """Cast the index targets to its dtype too: in bfloat16, class 257 becomes 256."""
    return _sparse(logits, target, weight, _REDUCTIONS[reduction])


def _sparse(logits, target, weight, reduction):
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction=reduction, dtype=logits.dtype.name
    )
    rows = None if weight is None else keras.ops.take(weight, target)
    return loss(target, _classes_last(logits), sample_weight=rows)


def _classes_last(array):
    """Shape (N, C, d1, …, dk) to (N, d1, …, dk, C), the only one for index targets."""
    return array if len(array.shape) == 2 else keras.ops.moveaxis(array, 1, -1)


logits = tf.constant([
    [
        1.0, -20.0, -3.0, 4.0, 20.0, 20.0, -8.0, 3.0, -6.0, 10.0, 3.0, 8.0, -7.0, -10.0, -1.0,
        1.0, -10.0, 20.0, 6.0, -8.0, -0.0, -7.0, 8.0, -3.0, 30.0, -20.0, -8.0, 20.0, 10.0, -4.0,
        -20.0, -8.0, -20.0, -6.0, 10.0, -20.0, -8.0, 10.0, -3.0, -2.0, -10.0, 30.0, 6.0, -10.0,
        -3.0, 20.0, 20.0, -4.0, -6.0, -1.0, 1.0, 1.0, 2.0, -10.0, 20.0, -2.0, -20.0, 9.0, -6.0,
        2.0, 7.0, 10.0, 4.0, -3.0, -10.0, 3.0, 10.0, 20.0, 7.0, 6.0, 20.0, -10.0, -10.0, 8.0,
        -8.0, -7.0, 10.0, -1.0, 10.0, -8.0, 5.0, 8.0, -4.0, -2.0, -20.0, 2.0, -3.0, 7.0, -10.0,
        -10.0, -20.0, 6.0, -5.0, -20.0, -6.0, -20.0, -20.0, 7.0, 1.0, 4.0, -10.0, -5.0, 10.0,
        1.0, 3.0, 10.0, 10.0, -1.0, -7.0, -4.0, 10.0, 30.0, -10.0, -20.0, -1.0, -2.0, 20.0, -6.0,
        -20.0, 10.0, -0.0, -6.0, -10.0, -3.0, -10.0, -4.0, 6.0, 4.0, -1.0, 4.0, -8.0, -3.0, 9.0,
        1.0, -5.0, 20.0, -6.0, 2.0, -10.0, 6.0, -5.0, -10.0, 3.0, 1.0, 4.0, -1.0, -0.0, 9.0,
        -6.0, 0.0, 6.0, -1.0, 2.0, -2.0, 2.0, -1.0, 4.0, -2.0, -3.0, 4.0, 8.0, 9.0, 6.0, 3.0,
        -20.0, 2.0, 20.0, -1.0, -20.0, 8.0, 1.0, 20.0, -10.0, 5.0, -5.0, 2.0, -4.0, 1.0, -9.0,
        -10.0, -9.0, -9.0, -10.0, 4.0, -3.0, 3.0, 5.0, -0.0, 1.0, -4.0, -0.0, 20.0, -5.0, -5.0,
        3.0, -10.0, -5.0, -1.0, -20.0, -10.0, -4.0, 8.0, 7.0, 2.0, -4.0, -9.0, 20.0, 4.0, -1.0,
        6.0, 6.0, 2.0, -8.0, -20.0, -8.0, 10.0, 20.0, 20.0, -5.0, -7.0, 6.0, 9.0, 20.0, -10.0,
        -20.0, -20.0, 5.0, -3.0, 2.0, 5.0, -10.0, -4.0, 3.0, 6.0, 20.0, -20.0, 10.0, -20.0, -0.0,
        -6.0, 5.0, -3.0, 10.0, -10.0, -6.0, -9.0, -10.0, -3.0, -2.0, 9.0, -6.0, -10.0, -10.0,
        -4.0, 8.0, 3.0, -3.0, -8.0, 10.0, 10.0, 1.0, 5.0, 20.0, 8.0, -4.0, -10.0,
    ],
], dtype=tf.bfloat16)
target = tf.constant([265], dtype=tf.int64)

got = cross_entropy_sparse(logits, target)

# Index, exact value (to 17 digits), bound, and what came back. The bound is the
# largest error of a sound computation in bfloat16 on these inputs.
DUE = [
    ((), 41.09891492416976, 0.48166451152640866, 35.0),
]
got = np.asarray(got.numpy()).astype(np.float64)
wrong, same = 0, True
for index, exact, bound, before in DUE:
    number = float(got[index])
    is_wrong = np.isfinite(number) and not abs(number - exact) <= bound
    wrong += is_wrong
    same &= repr(number) == repr(float(before))
    mark = "  <-- wrong" if is_wrong else ""
    at = f"value{list(index) or ''}"
    print(f"{at}: got {number}, exact {exact}, bound {bound:.2g}{mark}")
bits = "the same bits" if same else "other bits than when this was written"
if wrong:
    print(f"reproduced: inaccurate, {bits}")
else:
    print("not reproduced")
sys.exit(0 if wrong else 1)
