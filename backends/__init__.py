"""What answers: one folder for each framework, with its adapter and its implementations.

Nothing here imports a framework until its backend is loaded. What is known of a framework before
that is its `FRAMEWORK`; a package of somebody else brings one as an entry point of the group
`lossdiff.backends`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import TYPE_CHECKING

from .framework import EAGER, Framework, Mode

if TYPE_CHECKING:
    from .base import Backend
    from .dialect import ScriptDialect

__all__ = ["EAGER", "FRAMEWORKS", "Framework", "Mode", "dialect_of", "load_backend"]

ENTRY_POINTS = "lossdiff.backends"
_FOLDERS = (
    "numpy",
    "torch",
    "jax",
    "tensorflow",
)


def _own() -> Iterator[Framework]:
    for folder in _FOLDERS:
        yield import_module(f".{folder}", __package__).FRAMEWORK


def _installed(taken: set[str]) -> Iterator[Framework]:
    """Yield the frameworks that other packages bring; one that cannot be used is left out."""
    for entry in sorted(metadata.entry_points(group=ENTRY_POINTS)):
        try:
            framework = entry.load()
            if not isinstance(framework, Framework):
                raise TypeError(f"is a {type(framework).__name__}, not a Framework")  # noqa: TRY301
            if framework.name in taken:
                raise ValueError(f"a second backend is named {framework.name}")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 -- other people's code may fail in any way
            reason = f"the backend {entry.value} is left out: {error}"
            warnings.warn(reason, RuntimeWarning, stacklevel=2)
        else:
            taken.add(framework.name)
            yield framework


FRAMEWORKS: dict[str, Framework] = {framework.name: framework for framework in _own()}
FRAMEWORKS |= {framework.name: framework for framework in _installed(set(FRAMEWORKS))}


def load_backend(framework: str, device: str = "cpu") -> Backend:
    """Import a framework's backend and return it.

    Args:
        framework: a name of `FRAMEWORKS`.
        device: `cpu` or `gpu`.

    Raises:
        ImportError: the framework is not installed, or does not import.
        DeviceAbsentError: the framework sees no such device.
    """
    backend: Backend = import_module(f"{FRAMEWORKS[framework].package}.adapter").BACKEND(device)
    return backend


def dialect_of(framework: str) -> ScriptDialect:
    """Return how scripts for a framework are written; the framework is not imported."""
    dialect: ScriptDialect = import_module(f"{FRAMEWORKS[framework].package}.script").DIALECT
    return dialect
