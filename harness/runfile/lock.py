"""One writer for a run file: who writes it holds the lock beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ...errors import RunFileError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the lock of a run file; the system gives it back if this process dies.

    Raises:
        RunFileError: another process writes the file, or its folder cannot be written.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock, timeout=0)
        held.acquire()
    except Timeout:
        raise RunFileError(
            f"{path} is being written by another process: wait for it, or name another file with -o"
        ) from None
    except OSError as error:
        raise RunFileError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield
    finally:
        with suppress(OSError):  # removed while it is held: nobody can hold a file without a name
            lock.unlink()
        held.release()
