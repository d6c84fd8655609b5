"""The environment in which a framework is imported; each framework names its own variables.

All of them are set for each framework: it may import another one (TensorFlow does so with JAX
where that is installed), and so may a user's file.
"""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

from ...backends import FRAMEWORKS

_MODEL = "model name"


def environment_for(threads: int = 0, cache: str | None = None) -> dict[str, str]:
    """Return what must be set before a framework is imported.

    Args:
        threads: how many threads each framework may use; 0 for as many as it likes.
        cache: folder in which compilers keep what they have compiled; empty for none, None for
            what is set up on the machine.
    """
    settings = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    for framework in FRAMEWORKS.values():
        settings |= framework.environment_for(threads, cache)
    return settings


def quiet() -> dict[str, str]:
    """Return what keeps the frameworks' logs out of ours."""
    return {name: text for item in FRAMEWORKS.values() for name, text in item.quiet.items()}


def processor() -> str:
    """Return the name of the processor, as far as the system says it."""
    # py-cpuinfo starts an interpreter in the current folder for it, and takes a second.
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(_MODEL):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
