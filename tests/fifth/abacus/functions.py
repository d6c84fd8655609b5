"""What it answers: one function, which overflows."""

import numpy as np

namespace = "abacus"
kind = "native"


def softmax(logits, *, axis=-1):
    powers = np.exp(logits)
    return powers / powers.sum(axis, keepdims=True)


def softmax_vjp(cotangent, logits, *, axis=-1):
    p = softmax(logits, axis=axis)
    return (p * (cotangent - (p * cotangent).sum(axis, keepdims=True)),)
