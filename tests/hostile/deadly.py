"""Functions that kill their process, in one way each, beside one that is right."""

from __future__ import annotations

import ctypes
import os

import numpy as np


def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_exits(logits):
    os._exit(7)


def softmax_reads_address_0(logits):
    return ctypes.string_at(0)
