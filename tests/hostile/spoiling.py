"""Functions that answer rightly, and change what the next answer in their process depends on."""

from __future__ import annotations

import atexit
import builtins
import ctypes
import decimal
import functools
import gc
import json
import locale
import math
import mmap
import os
import pickle
import random
import resource
import shutil
import signal
import struct
import sys
import threading
import time
import types
import warnings

import numpy as np

_LIBM = ctypes.CDLL("libm.so.6")


def softmax(logits, *, axis=-1):
    e = np.exp(logits - logits.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _then(*effects):
    """Return a softmax that has side effects."""

    def spoiling(logits):
        answer = softmax(logits)
        for effect in effects:
            effect()
        return answer

    return spoiling


def _replaced(place, name):
    def fails(*_, **__):
        raise ZeroDivisionError(name)

    return functools.partial(setattr, place, name, fails)


def _flush_to_zero():
    # push rax; stmxcsr [rsp]; or dword [rsp], 0x8040; ldmxcsr [rsp]; pop rax; ret
    code = bytes.fromhex("500fae1c24810c24408000000fae142458c3")
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


def _worse_exp():
    original = np.exp
    np.exp = lambda values: original(values) * 1.5


def _other_body():
    def total(values, *_, **__):
        return values.sum()

    np.max.__wrapped__.__code__ = total.__code__


def _patched_ours():
    from lossdiff.harness.workers import evaluate, wire

    evaluate.judged_part = lambda answer, _: answer * 2
    wire.pack = None


def _thread():
    def patches():
        time.sleep(0.05)
        np.log1p = None

    threading.Thread(target=patches).start()


softmax_rounds_up = _then(lambda: _LIBM.fesetround(0x800))
softmax_rounds_down = _then(lambda: _LIBM.fesetround(0x400))
softmax_rounds_to_zero = _then(lambda: _LIBM.fesetround(0xC00))
softmax_flushes = _then(_flush_to_zero)
softmax_raises_later = _then(lambda: np.seterr(all="raise"))
softmax_replaces_asarray = _then(_replaced(np, "asarray"))
softmax_replaces_much = _then(*(_replaced(np, name) for name in ("array", "where", "isfinite")))
softmax_multiplies_exp = _then(_worse_exp)
softmax_replaces_sum = _then(_replaced(np, "sum"))
softmax_deletes_exp = _then(lambda: delattr(np, "exp"))
softmax_replaces_len = _then(_replaced(builtins, "len"))
softmax_replaces_isinstance = _then(_replaced(builtins, "isinstance"))
softmax_replaces_range = _then(_replaced(builtins, "range"))
softmax_replaces_print = _then(_replaced(builtins, "print"))
softmax_replaces_clock = _then(_replaced(time, "perf_counter"))
softmax_replaces_getpid = _then(_replaced(os, "getpid"))
softmax_replaces_write = _then(_replaced(os, "write"))
softmax_replaces_dumps = _then(_replaced(pickle, "dumps"), _replaced(json, "dumps"))
softmax_replaces_loads = _then(_replaced(pickle, "loads"))
softmax_replaces_struct = _then(_replaced(struct, "Struct"))
softmax_replaces_prod = _then(_replaced(math, "prod"))
softmax_replaces_random = _then(_replaced(random, "random"))
softmax_replaces_numpy = _then(lambda: sys.modules.__setitem__("numpy", types.ModuleType("numpy")))
softmax_forgets_modules = _then(sys.modules.clear)
softmax_patches_us = _then(_patched_ours)
softmax_leaves_a_thread = _then(_thread)
softmax_leaves_a_timer = _then(lambda: signal.setitimer(signal.ITIMER_REAL, 0.2))
softmax_sets_an_alarm = _then(lambda: signal.alarm(1))
softmax_ignores_signals = _then(lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
softmax_blocks_signals = _then(
    lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
)
softmax_limits_memory = _then(lambda: resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28)))
softmax_limits_files = _then(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)))
softmax_limits_time = _then(lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 1)))
softmax_limits_recursion = _then(lambda: sys.setrecursionlimit(60))
softmax_traces = _then(lambda: sys.settrace(lambda *_: 1 / 0))
softmax_profiles = _then(lambda: sys.setprofile(lambda *_: None))
softmax_collects_no_garbage = _then(gc.disable)
softmax_changes_decimal = _then(lambda: setattr(decimal.getcontext(), "prec", 1))
softmax_changes_locale = _then(lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8"))
softmax_moves_away = _then(lambda: os.chdir("/"))
softmax_removes_its_folder = _then(
    lambda: os.mkdir("gone"),  # noqa: PTH102
    lambda: os.chdir("gone"),
    lambda: shutil.rmtree("../gone"),
)
softmax_is_nice = _then(lambda: os.nice(5))
softmax_closes_streams = _then(lambda: os.closerange(0, 3))
softmax_ends_badly = _then(lambda: atexit.register(os._exit, 0))
softmax_makes_warnings_fatal = _then(lambda: warnings.simplefilter("error"))
softmax_forks = _then(os.fork)
