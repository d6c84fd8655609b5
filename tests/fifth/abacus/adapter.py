"""The adapter: arrays in, arrays and gradients out."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from lossdiff.backends.base import Backend, Call, Forward, ForwardBackward

from . import FRAMEWORK


class AbacusBackend(Backend):
    """Counts on the CPU; modes `eager` and `beads`."""

    description = FRAMEWORK
    modules = ("functions",)
    packages = ("abacus",)

    def to_array(self, array: Any) -> Any:
        return array

    def to_numpy(self, value: Any) -> Any:
        return np.asarray(value)

    def synchronize(self, value: Any) -> None:
        """Counted is counted."""

    def forward(self, call: Call, mode: str) -> Forward:
        def run(*arrays: Any) -> Any:
            with np.errstate(all="ignore"):
                return call(*arrays)

        return run

    def forward_backward(self, call: Call, mode: str) -> ForwardBackward:
        def run(cotangent: Any, *arrays: Any) -> Any:
            with np.errstate(all="ignore"):
                return call(*arrays), call.vjp(cotangent, *arrays)

        return run

    def facts(self) -> dict[str, Any]:
        return {name: os.environ.get(name) for name in ("ABACUS_LOG", "ABACUS_MEMORY")}


BACKEND = AbacusBackend
