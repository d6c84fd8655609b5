"""Keep Python from collecting garbage where much is made of which little is garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Collect no garbage within the block.

    Each collection would go through all that a framework has imported, again and again: a fifth of
    the time that the import of PyTorch takes.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
