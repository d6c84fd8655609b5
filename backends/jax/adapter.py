"""The adapter of JAX, with Optax's losses."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from functools import cache
from operator import methodcaller
from typing import TYPE_CHECKING, Any, TypeVar

import jax
import numpy as np

from ...errors import DeviceAbsentError
from ..base import Backend, Call, Forward, ForwardBackward, SecondOrder
from ..framework import Mode
from . import FRAMEWORK
from .interpreter import interpret_kernels
from .kept import kept_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

T = TypeVar("T")
# Programs that are called once take a third of the time with these options of the compiler.
_HURRIED: dict[str, bool | int] = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_parallel_codegen_split_count": 1,
    "xla_cpu_use_fusion_emitters": False,
}
# Compiling slows down as programs accumulate, and 2,200 of them take 3 GB.
_MOST_PROGRAMS = 400
_COMPILED = "/jax/core/compile/backend_compile_duration"  # an event, for what is read, too


class JaxBackend(Backend):
    """JAX on the CPU or on a GPU, with 64-bit types; modes eager, jit and interpret.

    JAX chooses its platforms once in a process: after a backend on the CPU there can be none on a
    GPU in the same process.
    """

    description = FRAMEWORK
    modules = (
        "nn",
        "numpy",
        "lax",
        "scipy_special",
        "optax_losses",
        "recipes",
        "textbook",
    )
    packages = ("jax", "jaxlib", "optax", "ml_dtypes")
    is_immutable = True

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self._has_wide_types = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", True)
        if device == "cpu":
            # Or JAX would initialise the GPUs too; where they are visible, its user may want them.
            if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
                jax.config.update("jax_platforms", "cpu")
        else:
            # Other frameworks' workers share the GPU; JAX would take three quarters of it.
            os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        try:
            self._device = jax.devices(device)[0]
        except RuntimeError as error:
            raise DeviceAbsentError(f"jax sees no {device.upper()}") from error
        self._held = 0

    def begin(self, mode: Mode) -> None:
        super().begin(mode)
        if self.is_interpreting:
            interpret_kernels()

    def hint(self, error: BaseException) -> str:
        # The text is that of a `ValueError` of Pallas.
        if not self.is_interpreting and "Only interpret mode is supported" in str(error):
            return "Pallas finds no GPU or TPU: --mode interpret runs its kernels without one"
        return ""

    def to_array(self, array: NDArray[Any]) -> jax.Array:
        return jax.device_put(array, self._device)

    def to_numpy(self, value: jax.Array) -> NDArray[Any]:
        if not isinstance(value, jax.Array):
            raise TypeError(f"returned {type(value).__name__}, not jax.Array")
        return np.asarray(value)

    def synchronize(self, value: Any) -> None:
        jax.block_until_ready(value)

    def wait_for(self, result: Any) -> Callable[[Any], Any]:
        # The function for trees costs some microseconds more than an array's own method.
        is_array = isinstance(result, jax.Array)
        return methodcaller("block_until_ready") if is_array else jax.block_until_ready

    def moveaxis(self, array: Any, source: int, destination: int) -> Any:
        return jax.numpy.moveaxis(array, source, destination)

    def concatenated(self, arrays: Sequence[Any], axis: int) -> Any:
        return jax.numpy.concatenate(arrays, axis)

    @contextmanager
    def as_guest(self) -> Iterator[None]:
        jax.config.update("jax_enable_x64", True)
        try:
            with super().as_guest(), kept_in(self.kept):
                yield
        finally:
            jax.config.update("jax_enable_x64", self._has_wide_types)

    def forward(self, call: Call, mode: str) -> Forward:
        return self._compiled(call.direct(), mode)

    def forward_backward(self, call: Call, mode: str) -> ForwardBackward:
        positions = call.positions

        # `jax.vjp` differentiates with respect to all of its arguments, so that the other arrays
        # are closed over.
        def run(cotangent: jax.Array, *arrays: jax.Array) -> tuple[Any, tuple[Any, ...]]:
            def of_leaves(*leaves: jax.Array) -> Any:
                given = list(arrays)
                for position, leaf in zip(positions, leaves, strict=True):
                    given[position] = leaf
                return call(*given)

            value, pullback = jax.vjp(of_leaves, *(arrays[position] for position in positions))
            return value, pullback(_like(cotangent, value))

        return self._compiled(run, mode)

    def _compiled(self, function: Callable[..., T], mode: str) -> Callable[..., T]:
        if mode != "jit":
            return function
        is_hurried = self.is_hurried and self.device == "cpu" and _may_hurry()
        compiled: Callable[..., T] = jax.jit(
            function, compiler_options=_HURRIED if is_hurried else None
        )
        return compiled

    def second(self, call: Call, mode: str) -> SecondOrder:
        if mode != "jit":  # one compilation per operator would take seconds
            raise NotImplementedError("asked in the mode jit only")

        def run(cotangent: jax.Array, direction: jax.Array, *arrays: jax.Array) -> Any:
            def gradient(x: jax.Array) -> jax.Array:
                value, pullback = jax.vjp(lambda leaf: call(leaf, *arrays[1:]), x)
                (result,) = pullback(_like(cotangent, value))
                return result

            # Reverse over reverse: functions with a custom vjp have no forward mode.
            _, pullback = jax.vjp(gradient, arrays[0])
            return pullback(direction)[0]

        return jax.jit(run)

    def forget(self) -> None:
        # What a process calls again and again would have to be compiled anew.
        if _programs()[_COMPILED] > _MOST_PROGRAMS:
            _programs().clear()
            jax.clear_caches()

    def copied(self, array: jax.Array) -> jax.Array:
        return jax.numpy.copy(array)

    def reset_peak(self) -> None:
        stats = self._device.memory_stats() if self.device == "gpu" else None
        self._held = (stats or {}).get("bytes_in_use", 0)

    def peak(self) -> int | None:
        if self.device != "gpu":
            return None
        # The peak of the process cannot be reset: the difference is an upper bound.
        stats = self._device.memory_stats() or {}
        return stats["peak_bytes_in_use"] - self._held if "peak_bytes_in_use" in stats else None

    def compiled_memory(self, function: Any, arrays: list[Any]) -> int | None:
        analysis = function.lower(*arrays).compile().memory_analysis()
        if analysis is None:
            return None
        return int(analysis.temp_size_in_bytes + analysis.output_size_in_bytes)

    def facts(self) -> dict[str, Any]:
        return {
            "gpu": self._device.device_kind if self.device == "gpu" else None,
            "devices": [str(device) for device in jax.devices()],
            "cpus": os.cpu_count(),
            "default_matmul_precision": jax.config.jax_default_matmul_precision,
            "enable_x64": jax.config.jax_enable_x64,
            "xla_flags": os.environ.get("XLA_FLAGS", ""),
        }

    def settings(self) -> dict[str, Any]:
        return self.facts() | dict(jax.config.values)


@cache
def _may_hurry() -> bool:
    """Return whether this version of the compiler has the options of `_HURRIED`."""
    try:
        jax.jit(jax.numpy.negative, compiler_options=_HURRIED)(0.0)
    except Exception:  # noqa: BLE001 -- whatever it raises, it does not take them
        return False
    return True


@cache
def _programs() -> Counter[str]:
    """Return the numbers of JAX's events by their names, from the first call of this on."""
    counts = Counter[str]()

    def count(event: str, seconds: float, **about: str | int) -> None:
        counts[event] += 1

    jax.monitoring.register_event_duration_secs_listener(count)
    return counts


def _like(cotangent: jax.Array, value: Any) -> jax.Array:
    """Return the cotangent in the dtype of the value, as the pullback requires.

    A value of a wrong dtype is judged afterwards and must not stop the call here.
    """
    if not isinstance(value, jax.Array):
        raise TypeError(f"returned {type(value).__name__}, not jax.Array")
    return cotangent if cotangent.dtype == value.dtype else cotangent.astype(value.dtype)


BACKEND = JaxBackend
