"""Read the expected findings that a project keeps beside its own code.

They stand in `lossdiff.toml`, or below `[tool.lossdiff]` in `pyproject.toml`, as `[[entry]]` tables
in the form of the package's own ledger; `docs/python.md` shows one. An entry that matches nothing
is reported, so that none is left when its fault is repaired. The key `conventions` lists the
conventions that functions may follow.
"""

from __future__ import annotations

import errno
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..backends.claim import Claim
from ..cases.checked import members
from ..cases.ledger import Entry, entries_of
from ..errors import ArgumentTypeError, CallError, ExpectedError, SchemaError
from ..harness.judging import CHOICES
from ..outputs import shown
from .frameworks import named

NAMES = ("lossdiff.toml", "pyproject.toml")
_MOST = 2**24  # bytes of a file


@dataclass(frozen=True)
class Expected:
    """The findings that a project expects.

    Attributes:
        entries: the entries of the file.
        conventions: the conventions that functions may follow; None for all.
        path: the file; None where there is none.
    """

    entries: tuple[Entry, ...] = ()
    path: Path | None = None
    conventions: frozenset[str] | None = None

    def stale(self, matched: Collection[str], claim: Claim, suite: str) -> tuple[str, ...]:
        """Return the ids of the entries about a function that matched none of its findings.

        Args:
            matched: the ids of the entries that matched.
            claim: the function that was asked everything.
            suite: the suite; entries of another one are left alone.
        """
        return tuple(
            entry.id
            for entry in self.entries
            if entry.suite == suite and entry.id not in matched and concerns(entry, claim)
        )


NOTHING_EXPECTED = Expected()


def concerns(entry: Entry, claim: Claim) -> bool:
    """Return whether an entry is about a function, whatever its verdicts."""
    operations = entry.when.get("operation", ("*",))
    return any(fnmatchcase(claim.name, it) for it in entry.implementations) and any(
        fnmatchcase(claim.operation, it) for it in operations
    )


def expected_of(given: object, folder: Path | None = None) -> Expected:
    """Return the expected findings of a file, or those of the nearest folder that has any.

    Args:
        given: the path of a file; None to look for one, from `folder` upwards.
        folder: where the search begins; the current folder by default.

    Raises:
        ArgumentTypeError: what is given is no path.
        ExpectedError: the file cannot be read, or an entry has no such form.
    """
    if given is not None:
        if not isinstance(given, str | Path):
            kind = type(given).__name__
            raise ArgumentTypeError(f"expected is a {kind}; it must be the path of a file")
        found = _read(Path(given))
        if found is None:
            raise ExpectedError(f"{shown(Path(given))} holds no expected findings: no [[entry]]")
        return found
    for path in _candidates((folder or Path.cwd()).resolve()):
        found = _read(path) if path.is_file() else None
        if found is not None:
            return found
    return NOTHING_EXPECTED


def taking(expected: Expected, conventions: Collection[str] | None) -> Expected:
    """Return what is expected, with the conventions that a call takes in place of the file's.

    Args:
        expected: what a file says.
        conventions: the names of conventions; None for those of the file.

    Raises:
        ArgumentTypeError: they are no collection of texts.
        ArgumentValueError: one is the name of no convention.
    """
    taken = conventions_of(conventions)
    return expected if taken is None else replace(expected, conventions=taken)


def conventions_of(given: Collection[str] | None) -> frozenset[str] | None:
    """Return the conventions that functions may follow, as they are given; None for all.

    Raises:
        ArgumentTypeError: they are no collection of texts.
        ArgumentValueError: one is the name of no convention.

    >>> conventions_of(["mean_over_rows"])
    frozenset({'mean_over_rows'})
    """
    if given is None:
        return None
    try:
        names = members("conventions", given, "{'mean_over_rows'}")
    except SchemaError as error:
        raise ArgumentTypeError(str(error)) from error
    return frozenset(named("convention", name, CHOICES) for name in names)


def _candidates(folder: Path) -> Iterator[Path]:
    for above in (folder, *folder.parents):
        for name in NAMES:
            yield above / name


def _read(path: Path) -> Expected | None:
    """Return what a file says; None for a project file that says nothing about it."""
    document = _parsed(path)
    table: Any = document
    if path.name == NAMES[1]:
        tools = document.get("tool", {})
        table = tools.get("lossdiff") if isinstance(tools, dict) else None
    if table is None:
        return None
    try:
        conventions = table.get("conventions") if isinstance(table, dict) else None
        return Expected(entries_of(table), path, conventions_of(conventions))
    except (SchemaError, ValueError, CallError) as error:
        raise ExpectedError(f"{shown(path)}: {error}") from error


def _parsed(path: Path) -> dict[str, Any]:
    """Return what is in a file of TOML.

    Raises:
        ExpectedError: it cannot be read, is no TOML, or is too large to be written by hand.
    """
    try:
        _check_end(path)
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # also a name that cannot be one
        is_deep = isinstance(error, RecursionError)
        reason = "its values are nested too deeply" if is_deep else error
        reason = getattr(error, "strerror", None) or reason
        raise ExpectedError(f"cannot read {shown(path)}: {reason}") from error


def _check_end(path: Path) -> None:
    """Refuse what may have no end, as a pipe or a device, and what is too large."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file")
    if path.stat().st_size > _MOST:
        raise OSError(errno.EFBIG, f"it has more than {_MOST >> 20} MiB")
