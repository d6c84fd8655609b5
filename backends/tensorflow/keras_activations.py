"""The operations of `keras.activations`."""

from __future__ import annotations

import keras

namespace = "keras.activations"
kind = "native"
names = {"exp": "keras.activations.exponential"}


def softmax(logits, *, axis=-1):
    return keras.activations.softmax(logits, axis=axis)


def log_softmax(logits, *, axis=-1):
    return keras.activations.log_softmax(logits, axis=axis)


def sigmoid(logits):
    return keras.activations.sigmoid(logits)


def log_sigmoid(logits):
    return keras.activations.log_sigmoid(logits)


def exp(logits):
    return keras.activations.exponential(logits)
