"""Come here for the processes in which the implementations of one framework are evaluated.

`process` and the modules that it calls run inside a worker. `supervisor` and `watchdog` control a
worker from outside, on this machine or, with `dask`, on a cluster. `messages` defines the data that
the two sides exchange.
"""

from __future__ import annotations

from .caller import Caller
from .dask import Cluster
from .definitions import define_tried
from .environment import environment_for, quiet
from .evaluate import evaluate, wrt_for
from .introduction import Introduction, introduce
from .messages import (
    START_TIMEOUT,
    AnswerRequest,
    AnswerSelector,
    Catalogue,
    Question,
    Setup,
    SourceRequest,
)
from .process import answered, limit_threads, load
from .source_text import Source
from .spares import NO_SPARES, Spares
from .supervisor import BatchResult, Incident, Worker, WorkerHandle, why_no_start
from .watchdog import GIB, Ended, Limits, Watchdog, jobs_by_default, share_of_memory
from .wire import unpack

__all__ = [
    "GIB",
    "NO_SPARES",
    "START_TIMEOUT",
    "AnswerRequest",
    "AnswerSelector",
    "BatchResult",
    "Caller",
    "Catalogue",
    "Cluster",
    "Ended",
    "Incident",
    "Introduction",
    "Limits",
    "Question",
    "Setup",
    "Source",
    "SourceRequest",
    "Spares",
    "Watchdog",
    "Worker",
    "WorkerHandle",
    "answered",
    "define_tried",
    "environment_for",
    "evaluate",
    "introduce",
    "jobs_by_default",
    "limit_threads",
    "load",
    "quiet",
    "share_of_memory",
    "unpack",
    "why_no_start",
    "wrt_for",
]
