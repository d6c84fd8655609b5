"""Functions that answer rightly, and reach out: to later questions, or to other processes."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import gc
import os
import signal
import struct
import subprocess
import time

import numpy as np


def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / np.ndarray.sum(e, axis, keepdims=True)


def softmax_collects_garbage(logits):
    gc.collect()
    return softmax(logits)


def softmax_waits(logits):
    time.sleep(0.5)
    return softmax(logits)


def _descriptors():
    return [int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2]  # noqa: PTH208


def _on_all_files(effect):
    for descriptor in _descriptors():
        with contextlib.suppress(OSError):
            effect(descriptor)


def softmax_truncates_every_file(logits):
    _on_all_files(lambda descriptor: os.ftruncate(descriptor, 0))
    return softmax(logits)


def softmax_overwrites_every_file_and_exits(logits):
    _on_all_files(lambda descriptor: os.pwrite(descriptor, bytes(8), 0))
    os._exit(4)


def softmax_sends_every_file_nowhere(logits):
    nowhere = os.open(os.devnull, os.O_RDWR)
    _on_all_files(lambda descriptor: os.dup2(nowhere, descriptor))
    return softmax(logits)


def softmax_announces_a_long_answer(logits):
    _on_all_files(lambda descriptor: os.write(descriptor, struct.pack("<4sQQ", b"loss", 2, 2**32)))
    return softmax(logits)


def softmax_stops_its_parent(logits):
    os.kill(os.getppid(), signal.SIGSTOP)
    return softmax(logits)


def softmax_kills_its_parent(logits):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def softmax_ends_the_group_of_its_parent(logits):
    os.killpg(os.getpgid(os.getppid()), signal.SIGTERM)
    return softmax(logits)


def softmax_leaves_a_sleeper_in_another_session(logits):
    subprocess.Popen(["sleep", "3600.375"], start_new_session=True)
    return softmax(logits)


def softmax_leaves_a_process_that_kills(logits):
    subprocess.Popen(["sh", "-c", f"sleep 0.2; kill -9 {os.getpid()}"])
    return softmax(logits)


def softmax_leaves_a_thread_that_exits(logits):
    _thread.start_new_thread(lambda: (time.sleep(0.2), os._exit(3)), ())
    return softmax(logits)


def softmax_sets_a_timer(logits):
    signal.setitimer(signal.ITIMER_PROF, 0.05)
    return softmax(logits)


def _spoil(*_):
    np.exp = np.cosh


def softmax_spoils_at_the_next_collection(logits):
    answer = softmax(logits)
    gc.callbacks.append(_spoil)
    return answer


def softmax_replaces_a_method_of_arrays(logits):
    answer = softmax(logits)
    methods = gc.get_referents(np.ndarray.__dict__)[0]
    methods["sum"] = lambda array, *args, **named: 2 * np.add.reduce(array, *args, **named)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(np.ndarray))
    return answer


_result = {}


def softmax_returns_the_same_array_each_time(logits):
    result = _result.setdefault((logits.shape, logits.dtype), np.empty_like(logits))
    result[...] = softmax(logits)
    return result
