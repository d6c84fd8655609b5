"""Functions that disturb the process they run in, and give the right answer all the same."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np


def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_floods(logits):
    line = "hostile output\n" * 1000
    for stream in (sys.stdout, sys.stderr):
        for _ in range(50):
            stream.write(line)
    os.write(1, line.encode())
    os.write(2, line.encode())
    return softmax(logits)


def softmax_handles_signals(logits):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, lambda *_: None)
    return softmax(logits)


def softmax_slams_the_streams(logits):
    sys.stdout.close()
    sys.stderr.close()
    return softmax(logits)


def softmax_moves_away(logits):
    os.chdir("/")
    os.environ.clear()
    return softmax(logits)
