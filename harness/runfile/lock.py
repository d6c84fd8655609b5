"""Keep a run file to one writer, which holds a lock file next to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ...errors import RunFileError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the lock of a run file during a `with` statement.

    The operating system releases the lock if this process dies.

    Args:
        path: the run file; its folder is created.

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
        # The file is removed while the lock is held. After the release another process could hold
        # it, and a third one would then lock a new file of the same name.
        with suppress(OSError):
            lock.unlink()
        held.release()
