"""Functions that end, swell, multiply or mine their process, beside one that is right."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import numpy as np


def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_aborts(logits):
    os.abort()


def softmax_exits_with_0(logits):
    os._exit(0)


def softmax_forks(logits):
    os.fork()
    return softmax(logits)


def softmax_kills_its_group(logits):
    os.killpg(0, signal.SIGKILL)


def softmax_leaves_a_child(logits):
    subprocess.Popen(["sleep", "3600.125"])
    return softmax(logits)


def softmax_closes_every_file(logits):
    os.closerange(3, 256)
    return softmax(logits)


def softmax_swells(logits):
    kept = []
    while True:
        kept.append(np.ones(2**22))  # 32 MiB
        time.sleep(0.001)


def softmax_returns_a_huge_array(logits):
    return np.zeros((2**13, 2**13))  # 512 MiB


def softmax_sets_an_alarm(logits):
    signal.alarm(1)
    return softmax(logits)


def softmax_leaves_a_thread_that_exits(logits):
    threading.Timer(0.3, os._exit, [3]).start()
    return softmax(logits)
