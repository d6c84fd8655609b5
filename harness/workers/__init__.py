"""Come here for the processes in which the implementations of one framework are evaluated.

`process` and the modules that it calls run inside a worker. `supervisor` and `watchdog` control a
worker from outside, on this machine or, with `dask`, on a cluster. `messages` defines the data that
the two sides exchange.
"""

from __future__ import annotations

from .dask import Cluster
from .environment import environment_for, quiet
from .evaluate import wrt_for
from .messages import START_TIMEOUT, Catalogue, Question, Setup
from .process import ask_quantity, catalogue, limit_threads, load, source, start
from .source_text import Source
from .supervisor import BatchResult, Incident, Worker, WorkerHandle, process_pool, why_no_start
from .watchdog import GIB, Limits, Watchdog, share_of_memory

__all__ = [
    "GIB",
    "START_TIMEOUT",
    "BatchResult",
    "Catalogue",
    "Cluster",
    "Incident",
    "Limits",
    "Question",
    "Setup",
    "Source",
    "Watchdog",
    "Worker",
    "WorkerHandle",
    "ask_quantity",
    "catalogue",
    "environment_for",
    "limit_threads",
    "load",
    "process_pool",
    "quiet",
    "share_of_memory",
    "source",
    "start",
    "why_no_start",
    "wrt_for",
]
