"""TensorFlow's softmax as it is, ten percent slower (eager only), and with one bit wrong."""

import time

import tensorflow as tf


def softmax_steady(logits, *, axis=-1):
    return tf.nn.softmax(logits, axis=axis)


def softmax_slowed(logits, *, axis=-1):
    begin = time.perf_counter()
    result = tf.nn.softmax(logits, axis=axis)
    # Waiting in a loop takes a tenth of the measured time exactly; `sleep` is too coarse for that.
    end = time.perf_counter()
    while time.perf_counter() < end + 0.1 * (end - begin):
        pass
    return result


def softmax_flipped(logits, *, axis=-1):
    result = tf.nn.softmax(logits, axis=axis)
    first = tf.math.nextafter(result[0, 0], tf.constant(1, result.dtype))
    return result + tf.scatter_nd([[0, 0]], [first - result[0, 0]], result.shape)
