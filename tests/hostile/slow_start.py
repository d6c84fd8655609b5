"""A file that takes longer to import than its questions may take, and a function that dies."""

from __future__ import annotations

import os
import time

import numpy as np

time.sleep(1.5)


def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_exits(logits):
    os._exit(7)
