"""Functions that do not return, beside one that is right."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time

import numpy as np


def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_is_deaf(logits):
    """Refuses to be terminated: only the system can end it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(0.01)


def softmax_sleeps(logits):
    """In C, with the interpreter's lock held: no Python code of the process runs meanwhile."""
    ctypes.PyDLL(None).sleep(3600)
    return softmax(logits)


def softmax_leaves_a_thread_that_sleeps(logits):
    """Holds up whoever is asked later; its own answer is sent by then on a busy machine, too."""
    threading.Timer(0.5, ctypes.PyDLL(None).sleep, [3600]).start()
    return softmax(logits)


def softmax_pretends_to_be_done(logits):
    """Leaves with status 0, as a worker does that was told to."""
    os._exit(0)
