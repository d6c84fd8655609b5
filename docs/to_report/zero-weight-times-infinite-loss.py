# keras.losses.SparseCategoricalCrossentropy, value: nonfinite
#
# question  cross_entropy, index target, float16, shape 2x2
# options   weight=given
# asked     the value; mode eager, device cpu
# verdict   nonfinite: NaN or inf where the exact value is representable, or the other way round
# versions  tensorflow 2.21.0, keras 3.15.1, ml_dtypes 0.6.0, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case cross_entropy/index.random/float16/4x10/neg_inf_but_one/weight=with_zeros/0, shrunk
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


logits = tf.constant([[0.0, -np.inf], [-np.inf, 0.0]], dtype=tf.float16)
target = tf.constant([1, 0], dtype=tf.int64)
weight = tf.constant([1.0, 0.0], dtype=tf.float16)

got = cross_entropy_sparse(logits, target, weight=weight)

# Index, exact value (to 17 digits), bound, and what came back. The bound is the
# largest error of a sound computation in float16 on these inputs.
DUE = [
    ((), np.inf, 5.960464477539063e-08, np.nan),
]
got = np.asarray(got.numpy()).astype(np.float64)
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
