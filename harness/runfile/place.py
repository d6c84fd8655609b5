"""Look after the files of a run: what stands there, whose it is, and whether it stays the same."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ...errors import RunFileError
from ...outputs import Kind, shown, target_of
from .lock import InodeLock

_ENDINGS = ("-wal", "-shm", "-journal")
# The first bytes of the files that SQLite keeps beside a database. The index of a log is written
# in the order of bytes of the machine, and begins with zeros until it is in use.
_MARKS = {
    "-wal": (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"),
    "-shm": (b"\x18\xe2\x2d\x00", b"\x00\x2d\xe2\x18", b"\0\0\0\0"),
    "-journal": (b"\xd9\xd5\x05\xf9", b"\0\0\0\0"),
}

_REMOVED, _REPLACED = "was removed or moved", "was replaced by another file"
MOVED = (_REMOVED, _REPLACED)  # changes that leave the file itself as it was
_PAGES = slice(28, 32)  # where the head of a database has the number of its pages
Identity = tuple[int, int]  # device and inode


def draft_of(path: Path) -> Path:
    """Return the path at which a run is kept until its workers have started.

    >>> draft_of(Path("out") / "run.sqlite").name
    'run.sqlite.new'
    """
    place = target_of(path)
    return place.with_name(f"{place.name}.new")


def is_run(place: Path) -> bool:
    """Return whether the file at a place is a run file, of whatever format."""
    if not place.is_file():
        return False
    with place.open("rb") as stream:
        return Kind.RUN.begins(stream.read(100))


def standing(path: Path) -> Path | None:
    """Return the run at a path, or its draft, which comes first; None if nothing is there."""
    if is_run(draft_of(path)):
        return draft_of(path)
    return path if path.exists() else None


def refuse_foreign_draft(draft: Path) -> None:
    """Refuse a file that stands where a new run is kept, and is not left over from one.

    Raises:
        RunFileError: there is such a file.
    """
    # A process that was killed may have left an empty one.
    is_ours = not draft.is_symlink() and (_is_empty(draft) or is_run(draft))
    if os.path.lexists(draft) and not is_ours:
        raise RunFileError(f"{shown(draft)} stands where the new run goes: move it away")
    refuse_foreign_sides(draft)


def side_files(place: Path) -> Iterator[Path]:
    """Yield the files that SQLite may have left beside a run."""
    for ending in _ENDINGS:
        side = place.with_name(place.name + ending)
        if os.path.lexists(side):
            yield side


def refuse_foreign_sides(place: Path) -> None:
    """Refuse files beside a run that SQLite would take for its own, and are not.

    Raises:
        RunFileError: there is such a file, which SQLite would delete.
    """
    has_run = is_run(place) or _is_empty(place)
    for side in side_files(place):
        if _is_empty(side) or (has_run and _is_known(side)):
            continue
        what = "is not of this run" if has_run else "is of a file that is gone"
        raise RunFileError(f"{shown(side)} {what}, and would be lost: move it away")


def refuse_special_sides(place: Path) -> None:
    """Refuse links and pipes beside a run: SQLite would wait for a pipe, without end.

    Raises:
        RunFileError: there is such a thing in the place of a log.
    """
    for side in side_files(place):
        # A run that ends in this moment removes its own.
        if side.is_symlink() or (side.exists() and not side.is_file()):
            raise RunFileError(f"{shown(side)} is no log that SQLite has written: move it away")


def remove(place: Path) -> None:
    """Remove a draft, and what SQLite keeps beside it; `refuse_foreign_sides` comes first."""
    place.unlink(missing_ok=True)
    remove_sides(place)


def remove_sides(place: Path) -> None:
    """Remove what SQLite keeps beside a run; `refuse_foreign_sides` comes first."""
    for side in side_files(place):
        side.unlink(missing_ok=True)


def move_draft(draft: Path, place: Path) -> None:
    """Move a draft, which SQLite has closed, over an older run.

    Raises:
        OSError: it cannot be moved, or still needs its log, for which another name is no place.
    """
    if any(side.stat().st_size for side in side_files(draft)):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    remove_sides(place)
    draft.replace(place)


class HeldFile:
    """A run file that is being written: what it was after the last commit, and what it is now.

    Attributes:
        place: where the file is.
        lock: its lock.
    """

    def __init__(self, place: Path, lock: InodeLock, connection: sqlite3.Connection) -> None:
        """Take the place of a file, its lock, and the connection that writes it."""
        self.place, self.lock = place, lock
        self._connection = connection
        self._head = b""
        self._sides: dict[Path, Identity] = {}
        self._status = os.stat(place)  # noqa: PTH116 -- the same as below
        self.remember()

    def remember(self) -> None:
        """Remember the file as this process has just written it."""
        now = _status(self.place)
        if now is not None and _identity(now) == _identity(self._status):
            self._status, self._head = now, self.lock.head()
        self._sides |= {side: _identity(side.lstat()) for side in side_files(self.place)}

    def change(self) -> str:
        """Return what somebody else did to the file since; empty if nothing."""
        now = _status(self.place)
        if now is None:
            return _REMOVED
        if _identity(now) != _identity(self._status):
            return _REPLACED
        if now.st_size < self._status.st_size:
            return "was cut short"
        # A new time alone may be that of `touch`.
        if now.st_mtime_ns != self._status.st_mtime_ns and not self._is_sound():
            return "was overwritten"
        return ""

    def _is_sound(self) -> bool:
        """Return whether the file is still this run, read afresh."""
        head = self.lock.head()
        try:
            # Another process may have written back the log; the head then counts what that has.
            pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
            if head != self._head and int.from_bytes(head[_PAGES], "big") != pages:
                return False
            uri = f"{self.place.as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True)) as again:
                return bool(again.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        except sqlite3.Error:
            return False

    def holds_other_rows(self) -> bool:
        """Return whether another database was written into the file: it is no longer read."""
        head = self.lock.head()
        return head != self._head and head.startswith(self._head[:16])

    def own_sides(self) -> list[Path]:
        """Return the files beside the run that this process has made."""
        return [
            side
            for side in side_files(self.place)
            if self._sides.get(side) == _identity(side.lstat())
        ]


def _status(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except OSError:
        return None


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


def _is_empty(path: Path) -> bool:
    status = path.lstat() if os.path.lexists(path) else None
    return status is not None and stat.S_ISREG(status.st_mode) and not status.st_size


def _is_known(side: Path) -> bool:
    """Return whether a file beside a run is one that SQLite has written."""
    if side.is_symlink() or not side.is_file():
        return False
    ending = next(ending for ending in _ENDINGS if side.name.endswith(ending))
    with side.open("rb") as stream:
        return stream.read(4) in _MARKS[ending]
