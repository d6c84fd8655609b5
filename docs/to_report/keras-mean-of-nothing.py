# keras.losses.BinaryCrossentropy(from_logits=False), value: mismatched
#
# question  binary_cross_entropy, multi_label target, float32, shape 0x1
# asked     the value; mode eager, device cpu
# verdict   mismatched: wrong dtype, shape or structure
# note      shape (0,), where () is due
# versions  tensorflow 2.21.0, keras 3.15.1, ml_dtypes 0.6.0, numpy 2.4.6, Python 3.11.7, Linux-6.18.44-fc-v595-x86_64-with-glibc2.36, AMD EPYC
# found by  lossdiff 0.1.0, in the case binary_cross_entropy/multi_label.binary/float32/0x3/probs/-/0, shrunk
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

probs = tf.fill((0, 1), tf.constant(0, dtype=tf.float32))
target = tf.fill((0, 1), tf.constant(0, dtype=tf.float32))

got = keras.losses.BinaryCrossentropy(dtype=probs.dtype.name)(target, probs)

DUE = ("float32", ())
dtype = getattr(got, "dtype", None)
dtype = str(getattr(dtype, "name", dtype)).removeprefix("torch.")
found = (dtype, tuple(getattr(got, "shape", ())))
print(f"got {type(got).__name__} of dtype and shape {found}, due {DUE}")
if found != DUE:
    print("reproduced: mismatched")
    sys.exit(0)
print("not reproduced: dtype and shape are right")
sys.exit(1)
