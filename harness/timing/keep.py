"""Keep a finished file of a private folder beside the run."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from ...errors import BenchError


def keep(file: Path, place: Path) -> None:
    """Copy a file to its place, where it appears whole or not at all.

    What stands at the place is replaced; a symbolic link is replaced itself, and not its target.

    Args:
        file: the file.
        place: where it is to be.

    Raises:
        BenchError: the place cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as copy, file.open("rb") as original:
                shutil.copyfileobj(original, copy)
            Path(name).chmod(_usual_mode())
            Path(name).replace(place)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise BenchError(f"cannot write {place}: {error.strerror or error}") from error


def _usual_mode() -> int:
    """Return the mode of a file that `open` creates; that of `mkstemp` is for its user alone."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
