"""Write the files that commands leave.

Every output goes through `check_output`, and every text through `write_output`.
What stands at an output is looked at twice: before the work begins, so that no long run ends with
a refusal, and again before anything is moved. Only an empty file and an earlier output of the same
kind are replaced. A text is written to a new file beside its place and then moved there; if that
fails, for example on a full disk, the old file is still there. A symbolic link stays one: what it
points to is written.
"""

from __future__ import annotations

import errno
import os
import re
import select
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile

from .errors import OutputError
from .printing import printable

_LONGEST, _SHOWN = 4096, 40  # characters of a path, and of a longer one that are shown
_HEAD = 16384  # bytes of a file that tell its kind
_SQLITE = b"SQLite format 3\0"
_BESIDE = re.compile(r"(.+)(?:-wal|-shm|-journal|\.new)|\.(.+)\.lock", re.DOTALL)
_STANDARD = re.compile(r"-|/dev/(?:stdout|stderr)|/(?:dev|proc/self)/fd/[12]")


class Kind(Enum):
    """A kind of file that lossdiff writes: what it is called, and how its first bytes look."""

    RUN = ("a run file", rb"SQLite format 3\x00.{52}loss")  # `schema.APPLICATION_ID`
    PAGE = ("a report", rb"(?i:<!doctype html>).*<title>lossdiff: ")
    MARKDOWN = ("a summary in Markdown", rb"## lossdiff: ")
    JUNIT = ("a summary as JUnit XML", rb'(?:<\?xml[^>]*>\s*)?<testsuites [^>]*name="lossdiff"')
    SCRIPT = ("a script of repro", rb"# .*\n# found by +lossdiff ")
    BENCHMARK = ("a file of pytest-benchmark", rb'\{\s*"machine_info":')

    def __init__(self, noun: str, head: bytes) -> None:
        self.noun = noun
        self._head = re.compile(head, re.DOTALL)

    def begins(self, head: bytes) -> bool:
        """Return whether a file that begins with these bytes is of this kind."""
        return self._head.match(head) is not None


def shown(path: Path | str) -> str:
    r"""Return a path as one line that any terminal can print.

    A name may have line ends, commands for a terminal, and bytes that are not UTF-8.

    >>> shown("a\x1b[31m\nb.html")
    'a\\x1b[31m\\nb.html'
    """
    name = os.fspath(path)
    if len(name) > _LONGEST:  # no file has such a name
        return f"{shown(name[:_SHOWN])}… ({len(name):,} characters)"
    try:
        text = os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a pair of surrogates, which is in no name
        text = name.encode("utf-8", "backslashreplace").decode()
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def target_of(path: Path) -> Path:
    """Return the absolute path of the file that a path leads to, through all links."""
    return Path(os.path.realpath(path))


def check_output(path: Path, kind: Kind) -> None:
    """Refuse an output that must not or cannot be written; its folder is created.

    Args:
        path: where the output is to be.
        kind: what it is to be.

    Raises:
        OutputError: another file stands there, or none can be written there.
    """
    with _explained(path):
        if not is_file(path):
            _check_special(path, kind)
            return
        place = target_of(path)
        _check_name(path, place)
        if place.exists():
            _check_old(path, place, kind)
    check_folder(path)


def check_folder(path: Path) -> None:
    """Refuse an output for whose folder nothing can be written; the folder is created.

    Raises:
        OutputError: there can be no such folder, or nothing can be written there.
    """
    with _explained(path):
        folder = target_of(path).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
        # A folder shows only by a trial that nothing can be written there.
        with TemporaryFile(dir=folder):
            pass


def write_output(path: Path, kind: Kind, text: str) -> None:
    """Write a text to a file, as a whole or not at all.

    Args:
        path: where it is to be; a device or pipe is written as it is.
        kind: what the text is.
        text: the whole content.

    Raises:
        OutputError: the file must not or cannot be written; an old one is still there.
    """
    check_output(path, kind)
    # A text may quote a name that is not UTF-8.
    data = text.encode("utf-8", "backslashreplace")
    with _explained(path):
        if is_file(path):
            _replace(target_of(path), data)
            return
        # A reader that ends before it has read everything wants no more.
        with suppress(BrokenPipeError), _opened(path) as descriptor:
            write_all(descriptor, data)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes to a descriptor, whose reader may be slow.

    Raises:
        OSError: they cannot be written.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # another process has made the pipe so; it is full for a moment
            select.select([], [descriptor], [])


def check_apart(outputs: Sequence[Path], inputs: Sequence[Path] = ()) -> None:
    """Refuse two outputs that are one file, and an output that is one of the inputs.

    Raises:
        OutputError: two of them are one file, which may have several names.
    """
    for number, output in enumerate(outputs):
        for other in outputs[:number]:
            if is_same(output, other):
                raise OutputError(f"{shown(other)} and {shown(output)} are one file: name two")
        for read in inputs:
            if is_same(output, read):
                raise OutputError(f"{shown(output)} is read by this command: name another file")


def is_same(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file, which may not be there yet."""
    try:
        if not (is_file(one) and is_file(other)):
            return False  # two texts may go to one pipe
        return target_of(one) == target_of(other) or one.samefile(other)
    except OSError:
        return False  # one of them is not there, or cannot be


def is_file(path: Path) -> bool:
    """Return whether an output is or will be a file, and no folder, device or pipe.

    Raises:
        OSError: there can be nothing at this path; its name may be too long.
    """
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        regular = True
    return regular and not _is_standard(path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one line."""
    try:
        yield
    except (OSError, ValueError) as error:  # a ValueError is a name with a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise OutputError(f"cannot write {shown(path)}: {reason}") from error


def _check_special(path: Path, kind: Kind) -> None:
    if not _is_standard(path) and path.is_dir():
        raise OutputError(f"'{shown(path)}' is a directory: name a file in it")
    if kind is Kind.RUN:
        what = "standard output" if os.fspath(path) == "-" else "a device or pipe"
        raise OutputError(f"{shown(path)} is {what}: a run needs a file")


def _check_name(path: Path, place: Path) -> None:
    """Refuse the name of a file that is kept beside a database: an empty one may be in use."""
    named = _BESIDE.fullmatch(place.name)
    if named is None:
        return
    base = place.with_name(named[1] or named[2])
    draft = base.with_name(f"{base.name}.new")  # of a run that begins
    for one in (base, draft):
        if one != place and one.is_file() and _head_of(one).startswith(_SQLITE):
            raise OutputError(f"{shown(path)} belongs to {shown(one)}: name another file")


def _head_of(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_HEAD)


def _check_old(path: Path, place: Path, kind: Kind) -> None:
    """Refuse a file that is no earlier output of the same kind, or that may not be written."""
    head = _head_of(place)
    # An empty file is nobody's work; but SQLite would take it for a database of its own.
    if (not head and kind is not Kind.RUN) or kind.begins(head):
        # Moving a file asks for no permission on the one that it replaces.
        if not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return
    if kind is Kind.RUN:
        raise OutputError(f"{shown(path)} is not a lossdiff run file: name another file")
    raise OutputError(
        f"{shown(path)} is {_what_begins(head)}, which {kind.noun} never replaces: "
        "name another file, or move that one away"
    )


def _what_begins(head: bytes) -> str:
    """Return what a file is, from its first bytes."""
    for kind in Kind:
        if kind.begins(head):
            return kind.noun
    if head.startswith(_SQLITE):
        return "a database of another program"
    return "a file that lossdiff has not written"


def _is_standard(path: Path) -> bool:
    """Return whether a path names standard output or standard error of this process.

    `-` is standard output, as it is for other programs.
    """
    # Redirected to a file they look like one, but belong to whoever has opened it.
    return _STANDARD.fullmatch(os.fspath(path)) is not None


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a device or pipe, or standard output where this process has reached in it."""
    if _is_standard(path):
        text = sys.stderr if os.fspath(path).endswith(("2", "stderr")) else sys.stdout
        if text is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        text.flush()
        yield text.fileno()
        return
    descriptor = os.open(path, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _replace(place: Path, data: bytes) -> None:
    """Write a new file beside a place, and move it there."""
    # The short name fits wherever the place's own does.
    new = place.with_name(f".lossdiff-{token_hex(8)}.tmp")
    try:
        with new.open("xb") as stream:
            if place.exists():
                _take_over(place, new)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(place)
    except BaseException:  # an interrupt, too, must leave nothing behind
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def _take_over(old: Path, new: Path) -> None:
    """Give a new file the owner, where that is allowed, and the permissions of the old one."""
    if sys.platform != "win32":
        status = old.stat()
        with suppress(OSError):
            os.chown(new, status.st_uid, status.st_gid)
    shutil.copymode(old, new)
