"""Functions that are right while they are judged, and misbehave once pytest runs them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np


def timed():
    return "pytest" in sys.modules


def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_hangs(logits):
    while timed():
        pass
    return softmax(logits)


def softmax_stops_itself(logits):
    if timed():
        os.kill(os.getpid(), signal.SIGSTOP)
    return softmax(logits)


def softmax_exits_with_0(logits):
    if timed():
        os._exit(0)
    return softmax(logits)


def softmax_calls_sys_exit(logits):
    if timed():
        sys.exit(0)
    return softmax(logits)


def softmax_interrupts(logits):
    if timed():
        raise KeyboardInterrupt
    return softmax(logits)


def softmax_raises(logits):
    if timed():
        raise ValueError("[/enough]")
    return softmax(logits)


def softmax_reads_address_0(logits):
    if timed():
        ctypes.string_at(0)
    return softmax(logits)


def softmax_kills_its_parent(logits):
    if timed():
        os.kill(os.getppid(), signal.SIGKILL)
    return softmax(logits)


def softmax_kills_the_group_of_its_parent(logits):
    if timed():
        os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)
    return softmax(logits)


def softmax_swells(logits):
    kept = []
    while timed():
        kept.append(np.ones(2**22))  # 32 MiB
    return softmax(logits)


def softmax_forks(logits):
    if timed():
        os.fork()
    return softmax(logits)


def softmax_leaves_a_sleeper(logits):
    if timed():
        subprocess.Popen(["sleep", "3600.25"], start_new_session=True)
    return softmax(logits)


def softmax_leaves_a_copy_that_sleeps(logits):
    if timed() and os.fork() == 0:
        time.sleep(3600)
    return softmax(logits)


def softmax_leaves_a_thread(logits):
    if timed():
        threading.Thread(target=time.sleep, args=[3600]).start()
    return softmax(logits)


def softmax_closes_every_file(logits):
    if timed():
        os.closerange(0, 256)
    return softmax(logits)


def softmax_truncates_every_file(logits):
    for descriptor in range(3, 64) if timed() else ():
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
    return softmax(logits)


def softmax_prints(logits):
    if timed():
        sys.stdout.write("x" * 2**16)
    return softmax(logits)


def softmax_clears_the_environment(logits):
    if timed():
        os.environ.clear()
    return softmax(logits)


def softmax_leaves_a_timer_that_exits(logits):
    if timed():
        threading.Timer(0.2, os._exit, [0]).start()
    return softmax(logits)


factor = np.ones(1, np.float32)


def softmax_spoils_its_neighbours(logits):
    if timed():
        factor[0] = 2
    return softmax(logits)


def softmax_is_spoiled(logits):
    return factor * softmax(logits)


_KEPT = {}


def softmax_keeps_by_identity(logits):
    if id(logits) not in _KEPT:
        _KEPT[id(logits)] = logits, softmax(logits)  # the input lives on, and its id with it
    return _KEPT[id(logits)][1]


def softmax_keeps_by_address(logits):
    place = logits.__array_interface__["data"][0], logits.shape
    if place not in _KEPT:
        _KEPT[place] = logits, softmax(logits)
    return _KEPT[place][1].copy()


def softmax_uses_one_buffer(logits):
    buffer = _KEPT.setdefault(("buffer", logits.shape), np.empty_like(logits))
    buffer[...] = softmax(logits)
    return buffer


def softmax_overwrites(logits):
    logits -= logits.max(-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(-1, keepdims=True)
    return logits


def softmax_keeps_by_first_element(logits):
    first = float(logits[0, 0])
    if first not in _KEPT:
        _KEPT[first] = softmax(logits)
    return _KEPT[first]
