# keras.losses.SparseCategoricalCrossentropy, value: accepted
#
# question  cross_entropy, index target, float32, shape 1x1
# asked     the value; mode eager, device cpu
# verdict   accepted: a number where the contract demands an error
# note      an index target that holds no whole numbers
# versions  tensorflow 2.21.0, keras 3.15.1, ml_dtypes 0.6.0, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case cross_entropy/index.random:bool/float32/4x10/normal/-/0, shrunk
#
# Ends with status 0 if this shows, with 1 if not.

import base64
import os
import sys
import zlib

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


logits = tf.constant([[0.0]], dtype=tf.float32)
target = tf.cast(tf.constant(np.frombuffer(zlib.decompress(base64.b85decode(
    'c-mtC000310R'
)), np.bool).reshape((1,))), tf.bool)

try:
    got = cross_entropy_sparse(logits, target)
except Exception as error:
    print(f"raised {error!r}")
    print("not reproduced: an error was due, and came")
    sys.exit(1)
print("an error is due: an index target that holds no whole numbers")
print("got", got)
print("reproduced: accepted")
sys.exit(0)
