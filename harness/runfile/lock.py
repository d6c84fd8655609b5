"""Keep a run file to one writer: by its place, and by the file itself, which may have more names.

A lock file next to the run locks its place, which is where all symbolic links to it lead. The file
is locked as well, since hard links give it names in other places.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import OutputError, RunFileError
from ...outputs import check_folder, shown, target_of

if sys.platform == "linux":
    import fcntl

_HAS_FILE_LOCKS = sys.platform == "linux"
# SQLite locks bytes from 2^30 on; this one is behind the end of every file.
_BYTE = 2**62


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the lock of the place of a run file during a `with` statement.

    The operating system releases the lock if this process dies.

    Args:
        path: the run file; its folder is created.

    Raises:
        RunFileError: another process writes the file, or its folder cannot be written.
    """
    from filelock import FileLock, Timeout  # a worker, which writes no run, does not import it

    place = target_of(path)
    lock = place.with_name(f".{place.name}.lock")
    try:
        check_folder(path)  # in some folders an attempt to lock would seem to wait for another one
        _refuse_foreign(lock)
        held = FileLock(lock, timeout=0)
        held.acquire()
    except Timeout:
        raise _busy(path) from None
    except OutputError as error:
        raise RunFileError(str(error)) from error
    except OSError as error:
        reason = error.strerror or error
        raise RunFileError(f"cannot write {shown(path)}: {reason}") from error
    try:
        yield
    finally:
        # The file is removed while the lock is held. After the release another process could hold
        # it, and a third one would then lock a new file of the same name.
        with suppress(OSError):
            lock.unlink()
        held.release()


class InodeLock:
    """The lock of a file that is being written, whatever its names.

    It must be released after SQLite has closed the file: closing any descriptor of a file drops
    the locks that SQLite holds on it in this process.
    """

    def __init__(self, place: Path, path: Path) -> None:
        """Lock the file at a place, which `path` leads to.

        Raises:
            RunFileError: another process writes the file, or it cannot be written.
        """
        try:
            self._descriptor: int | None = os.open(place, os.O_RDWR)
        except OSError as error:
            raise RunFileError(f"cannot write {shown(path)}: {error.strerror}") from error
        if not _lock(self._descriptor):
            self.release()
            raise _busy(path)

    def head(self) -> bytes:
        """Return the first bytes of the file, read without opening it once more."""
        if self._descriptor is None:
            return b""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.read(self._descriptor, 100)

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int) -> bool:
    """Lock the file of a descriptor; return whether nobody else holds it."""
    if sys.platform != "linux" or not _HAS_FILE_LOCKS:
        # No lock here is independent of SQLite's own: a file with a second name is not written.
        return os.fstat(descriptor).st_nlink == 1
    # A lock of the open file, which unlike one of the process survives that SQLite closes it.
    wanted = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, _BYTE, 1, 0)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, wanted)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # the file system has no locks: that of the place must do
        return True
    return True


def _refuse_foreign(lock: Path) -> None:
    """Refuse a file that stands where the lock goes and is no empty one, as locks are."""
    try:
        status = lock.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode) or status.st_size:
        raise RunFileError(f"{shown(lock)} stands where the lock goes: move it away")


def _busy(path: Path) -> RunFileError:
    return RunFileError(
        f"{shown(path)} is being written by another process: wait for it, or name another file "
        "with -o"
    )
