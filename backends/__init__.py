"""The backends: one folder for each framework, with its adapter and its implementations.

No framework is imported until its backend is loaded. Before that, its `FRAMEWORK` describes it.
Another package adds a framework as an entry point of the group `lossdiff.backends`, which names
such a `FRAMEWORK`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import TYPE_CHECKING

from ..collection import paused
from .framework import AS_WRITTEN, EAGER, INTERPRET, Framework, Library, Mode

if TYPE_CHECKING:
    from .base import Backend
    from .dialect import ScriptDialect

__all__ = [
    "AS_WRITTEN",
    "EAGER",
    "FRAMEWORKS",
    "INTERPRET",
    "Framework",
    "Library",
    "Mode",
    "dialect_of",
    "label_of",
    "labels_of",
    "libraries",
    "library_of",
    "load_backend",
]

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
    """Yield the frameworks that other packages add.

    One that cannot be used is left out with a warning: a broken package of others must not keep
    this program from starting.

    Args:
        taken: the names that are in use; those of the yielded frameworks are added to it.
    """
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


# Own frameworks come first, so that no other package can replace one of them.
FRAMEWORKS: dict[str, Framework] = {framework.name: framework for framework in _own()}
FRAMEWORKS |= {framework.name: framework for framework in _installed(set(FRAMEWORKS))}


def load_backend(framework: str, device: str = "cpu", mode: str = EAGER) -> Backend:
    """Import a framework and return its backend.

    Args:
        framework: a name of `FRAMEWORKS`.
        device: `cpu` or `gpu`.
        mode: the mode that the process is for; one that `Mode.is_alone` may need a backend of its
            own.

    Returns:
        A new backend; it may have changed process-wide settings of the framework, such as JAX's
        64-bit types.

    Raises:
        ImportError: the framework is not installed, or its import fails.
        DeviceAbsentError: the framework sees no such device.

    >>> backend = load_backend("numpy")
    >>> backend.framework, backend.device
    ('numpy', 'cpu')
    """
    with paused():
        backend: Backend = import_module(f"{FRAMEWORKS[framework].package}.adapter").BACKEND(device)
        backend.begin(FRAMEWORKS[framework].mode(mode))
    return backend


def dialect_of(framework: str) -> ScriptDialect:
    """Return the dialect in which scripts for a framework are written.

    The framework is not imported.

    Args:
        framework: a name of `FRAMEWORKS`.

    >>> dialect_of("numpy").dtype("float32")
    'np.float32'
    """
    dialect: ScriptDialect = import_module(f"{FRAMEWORKS[framework].package}.script").DIALECT
    return dialect


def libraries() -> tuple[Library, ...]:
    """Return the libraries of all frameworks, in their order.

    >>> [library.label for library in libraries()][:4]
    ['NumPy', 'PyTorch', 'Liger', 'JAX']
    """
    return tuple(library for it in FRAMEWORKS.values() for library in it.known_as)


def library_of(implementation: str, framework: str) -> str:
    """Return the library of a function, by the name that its users know.

    Args:
        implementation: the name of the function.
        framework: the framework that computes it, whose name stands for an unknown library.

    >>> library_of("optax.losses.softmax_cross_entropy", "jax")
    'Optax'
    """
    known = FRAMEWORKS[framework].known_as if framework in FRAMEWORKS else ()
    return next((it.label for it in known if it.holds(implementation)), framework)


def label_of(implementation: str, framework: str) -> str:
    """Return the package of a function, by the name that its users know: a library, or its part.

    Args:
        implementation: the name of the function.
        framework: the framework that computes it, whose name stands for an unknown library.

    >>> label_of("scipy.special.softmax", "numpy"), library_of("scipy.special.softmax", "numpy")
    ('SciPy', 'NumPy')
    """
    known = FRAMEWORKS[framework].known_as if framework in FRAMEWORKS else ()
    held = (it.label_of(implementation) for it in known if it.holds(implementation))
    return next(held, framework)


def labels_of(framework: str) -> tuple[str, ...]:
    """Return the names by which users know the packages of a framework.

    >>> labels_of("numpy"), labels_of("mine")
    (('NumPy', 'SciPy'), ('mine',))
    """
    known = FRAMEWORKS[framework].known_as if framework in FRAMEWORKS else ()
    return tuple(label for it in known for label in it.labels) or (framework,)
