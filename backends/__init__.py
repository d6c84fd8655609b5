"""Those who answer: one adapter for each framework, and its implementations beside it.

Nothing here imports a framework until its backend is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module, util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Backend


@dataclass(frozen=True)
class Framework:
    """A framework that has a backend.

    Attributes:
        name: on the command line and in the run file.
        imports: the top-level packages that must be importable.
        extra: the extra of this project that installs it; empty for the core's own.
        modes: how it can be run; the first is the default.
        lanes: into how many workers its questions are split, by dtype and shape. JAX compiles
            each operator for each of those, which takes longer than all others together.
    """

    name: str
    imports: tuple[str, ...]
    extra: str
    modes: tuple[str, ...]
    workers: int = 1

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that are not installed; looked up, not imported."""
        return tuple(name for name in self.imports if util.find_spec(name) is None)


FRAMEWORKS: dict[str, Framework] = {
    framework.name: framework
    for framework in (
        Framework("numpy", ("numpy", "scipy"), "", ("eager",)),
        Framework("torch", ("torch",), "torch", ("eager", "compile")),
        Framework("jax", ("jax", "optax"), "jax", ("eager", "jit"), workers=2),
        Framework(
            "tensorflow", ("tensorflow", "keras"), "tensorflow", ("eager", "function", "xla")
        ),
    )
}


def load_backend(framework: str, device: str = "cpu") -> Backend:
    """Import a framework's backend and return it.

    Args:
        framework: a name of `FRAMEWORKS`.
        device: `cpu` or `gpu`.

    Raises:
        ImportError: the framework is not installed, or does not import.
        DeviceAbsentError: the framework sees no such device.
    """
    module = import_module(f".{framework}.adapter", __package__)
    backend: Backend = module.BACKEND(device)
    return backend
