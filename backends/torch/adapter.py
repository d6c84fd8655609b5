"""The adapter of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import DeviceAbsentError
from ..base import Backend, BackwardTwice, Call, Forward, ForwardBackward, SecondOrder
from ..framework import Mode
from . import FRAMEWORK, interpreter

# The first gradient imports it, with SymPy. Here that is a part of the import, which a process may
# make before anything is asked.
with suppress(ImportError):
    import torch.fx.experimental.symbolic_shapes  # noqa: F401 -- for what it imports


class TorchBackend(Backend):
    """PyTorch on the CPU or on CUDA; modes `eager`, `compile` and `interpret`.

    Its bfloat16 has no counterpart in NumPy, so that its arrays are converted by their bits.
    """

    description = FRAMEWORK
    modules = (
        "functions",
        "functional",
        "modules",
        "linear",
        "special",
        "recipes",
        "textbook",
    )
    packages = ("torch",)
    optional = ("triton", "liger-kernel")

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        if device == "gpu" and not torch.cuda.is_available():
            raise DeviceAbsentError("torch sees no GPU")
        self._device = torch.device("cuda" if device == "gpu" else "cpu")
        self._held = 0

    def begin(self, mode: Mode) -> None:
        super().begin(mode)
        if self.is_interpreting:
            interpreter.prepare()

    def hint(self, error: BaseException) -> str:
        return "" if self.is_interpreting else interpreter.hint(error)

    def why_not_theirs(self, error: BaseException) -> str:
        return interpreter.why_not_theirs(error) if self.is_interpreting else ""

    def to_array(self, array: NDArray[Any]) -> torch.Tensor:
        # `from_numpy` keeps the strides, which the layouts of cases are about; a copy would not.
        if array.dtype == ml_dtypes.bfloat16:
            return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16).to(self._device)
        return torch.from_numpy(array).to(self._device)

    def to_numpy(self, value: torch.Tensor) -> NDArray[Any]:
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"returned {type(value).__name__}, not torch.Tensor")
        value = value.detach().cpu().contiguous()
        if value.dtype == torch.bfloat16:
            return value.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return value.numpy()

    def synchronize(self, value: Any) -> None:
        if not self.is_synchronous:
            torch.cuda.synchronize()

    @property
    def is_synchronous(self) -> bool:
        return self._device.type == "cpu"

    def moveaxis(self, array: Any, source: int, destination: int) -> Any:
        # Users' arrays have this layout in memory, too: many a function calls `view`.
        return torch.movedim(array, source, destination).contiguous()

    def concatenated(self, arrays: Sequence[Any], axis: int) -> Any:
        return torch.cat(list(arrays), axis)

    @contextmanager
    def as_guest(self) -> Iterator[None]:
        # The arrays are small, and threads that wait for work take the cores from everything else.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with super().as_guest(), torch.enable_grad():
                yield
        finally:
            torch.set_num_threads(threads)

    def forward(self, call: Call, mode: str) -> Forward:
        return self._compiled(call, mode)

    def forward_backward(self, call: Call, mode: str) -> ForwardBackward:
        function = self._compiled(call, mode)

        def run(cotangent: torch.Tensor, *arrays: torch.Tensor) -> tuple[Any, tuple[Any, ...]]:
            # Several calls share the arrays: only their detached aliases require gradients.
            leaves = [array.detach() for array in arrays]
            inputs = [leaves[position].requires_grad_() for position in call.positions]
            value = function(*leaves)
            # `backward` would add to `.grad`; `grad` returns gradients, None if there is none.
            gradients = torch.autograd.grad(value, inputs, cotangent, allow_unused=True)
            return value, gradients

        return run

    def backward_twice(self, call: Call) -> BackwardTwice:
        def run(
            first: torch.Tensor, again: torch.Tensor, *arrays: torch.Tensor
        ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
            leaves = [array.detach() for array in arrays]
            inputs = [leaves[position].requires_grad_() for position in call.positions]
            value = call(*leaves)
            one = torch.autograd.grad(value, inputs, first, retain_graph=True, allow_unused=True)
            # A gradient may be a saved tensor, to which the second pass writes.
            one = tuple(None if part is None else part.clone() for part in one)
            return one, torch.autograd.grad(value, inputs, again, allow_unused=True)

        return run

    def second(self, call: Call, mode: str) -> SecondOrder:
        if mode == "compile":
            raise NotImplementedError("torch.compile does not differentiate twice")

        def run(cotangent: torch.Tensor, direction: torch.Tensor, *arrays: torch.Tensor) -> Any:
            x, *others = (array.detach() for array in arrays)
            x.requires_grad_()
            value = call(x, *others)
            (gradient,) = torch.autograd.grad(value, [x], cotangent, create_graph=True)
            # The gradient is a constant to autograd: a second call to `grad` would raise.
            if not gradient.requires_grad:
                return None
            return torch.autograd.grad(gradient, [x], direction, allow_unused=True)[0]

        return run

    def _compiled(self, call: Call, mode: str) -> Forward:
        # With dynamic shapes, a second shape would get a more general program than the first.
        return torch.compile(call, dynamic=False) if mode == "compile" else call.direct()

    def overwrite(self, array: torch.Tensor, values: NDArray[Any]) -> bool:
        with torch.no_grad():
            array.copy_(self.to_array(values))
        return True

    def copied(self, array: torch.Tensor) -> torch.Tensor:
        return array.clone()

    def cache_bytes(self) -> int:
        if self._device.type != "cuda":
            return 0
        return getattr(torch.cuda.get_device_properties(self._device), "L2_cache_size", 0)

    def reset_peak(self) -> None:
        if self._device.type == "cuda":
            # Pending calls free their memory first, or it would count as held before.
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self._held = torch.cuda.memory_allocated()

    def peak(self) -> int | None:
        if self._device.type != "cuda":
            return None
        return torch.cuda.max_memory_allocated() - self._held

    def device_times(self, run: Callable[[], Any], rounds: int) -> list[float]:
        if self._device.type != "cuda":
            return []
        # Events on the stream time the kernels without the launches from Python.
        pairs = [[torch.cuda.Event(enable_timing=True) for _ in "be"] for _ in range(rounds)]
        for begin, end in pairs:
            begin.record()
            run()
            end.record()
        torch.cuda.synchronize()
        return [begin.elapsed_time(end) / 1e3 for begin, end in pairs]  # `elapsed_time` is in ms

    def facts(self) -> dict[str, Any]:
        gpu = torch.cuda.get_device_name() if self._device.type == "cuda" else None
        return {
            "gpu": gpu,
            "threads": torch.get_num_threads(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        }

    def settings(self) -> dict[str, Any]:
        return self.facts() | {
            "default dtype": torch.get_default_dtype(),
            "default device": torch.get_default_device(),
            "gradients": torch.is_grad_enabled(),
            "inference mode": torch.is_inference_mode_enabled(),
            "anomaly detection": torch.is_anomaly_enabled(),
            "autocast": torch.is_autocast_enabled("cpu"),
            "mkldnn": torch.backends.mkldnn.enabled,
        }


BACKEND = TorchBackend
