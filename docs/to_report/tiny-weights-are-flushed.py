# tf.compat.v1.losses.sigmoid_cross_entropy, value: inaccurate
#
# question  binary_cross_entropy_with_logits, multi_label target, float32, shape 1x2
# options   weight=given
# asked     the value; mode eager, device cpu
# verdict   inaccurate: finite and wrong, beyond every bound
# versions  tensorflow 2.21.0, keras 3.15.1, ml_dtypes 0.6.0, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case binary_cross_entropy_with_logits/multi_label.binary/float32/4x10/offset_-1e7/weight=tiny/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf


_V1_REDUCTIONS = {
    "none": "none", "mean": "weighted_sum_by_nonzero_weights", "sum": "weighted_sum",
}  # fmt: skip


def binary_cross_entropy_with_logits_v1(logits, target, *, weight=None, reduction="mean"):
    return tf.compat.v1.losses.sigmoid_cross_entropy(
        target,
        logits,
        weights=_by_class(weight, logits),
        reduction=_V1_REDUCTIONS[reduction],
    )


def _by_class(weight, like):
    """Shape (C,) to (1, C, 1, …, 1), so that it broadcasts along axis 1; 1.0 for none."""
    if weight is None:
        return 1.0
    return tf.reshape(weight, [1, -1, *[1] * (like.shape.rank - 2)])


logits = tf.constant([[0.0, 0.0]], dtype=tf.float32)
target = tf.constant([[0.0, 0.0]], dtype=tf.float32)
weight = tf.constant([2.0, 1e-38], dtype=tf.float32)

got = binary_cross_entropy_with_logits_v1(logits, target, weight=weight)

# Index, exact value (to 17 digits), bound, and what came back. The bound is the
# largest error of a sound computation in float32 on these inputs.
DUE = [
    ((), 0.6931471805599453, 1.0741845783328162e-06, 1.3862943649291992),
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
