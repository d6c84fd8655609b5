"""SciPy's softmax as it is, ten percent slower, and with one bit wrong."""

import time

import numpy as np
import scipy.special


def softmax_steady(logits, *, axis=-1):
    return scipy.special.softmax(logits, axis=axis)


def softmax_slowed(logits, *, axis=-1):
    begin = time.perf_counter()
    result = scipy.special.softmax(logits, axis=axis)
    # Waiting in a loop takes a tenth of the measured time exactly; `sleep` is too coarse for that.
    end = time.perf_counter()
    while time.perf_counter() < end + 0.1 * (end - begin):
        pass
    return result


def softmax_flipped(logits, *, axis=-1):
    result = scipy.special.softmax(logits, axis=axis)
    result.view(np.uint32)[0, 0] ^= 1
    return result
