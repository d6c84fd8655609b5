"""The files of a user's own functions that `repro` may import: those named on the command line.

A run file may come from anybody, and names the files that its functions came from. To import one
of them would run whatever that file, on this machine, holds.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click

from ..backends import FRAMEWORKS
from ..harness.engine import digests, users_files
from ..harness.own import place_of
from ..harness.runfile import RunFile, VerdictRow
from .options import checked_place


@dataclass(frozen=True)
class NamedFiles:
    """What `--impl` says.

    Attributes:
        implementation: the implementation whose answer is shown; empty for the worst finding.
        files: pairs of a framework or an implementation, and a file or module.
    """

    implementation: str = ""
    files: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, values: Sequence[str]) -> NamedFiles:
        """Return what the values of `--impl` say, each of them `NAME` or `NAME=FILE`.

        Raises:
            UsageError: two implementations are named, or there is no such file.
        """
        names: list[str] = []
        files: list[tuple[str, str]] = []
        for value in values:
            name, place = _split(value)
            if place is not None:
                files.append((name, _existing(value, place)))
            if name not in FRAMEWORKS:
                names.append(name)
        if len(set(names)) > 1:
            raise click.UsageError(f"--impl names {names[0]} and {names[1]}: one is shown")
        return cls(names[0] if names else "", tuple(files))

    def places(self, run: RunFile, row: VerdictRow) -> tuple[str, ...]:
        """Return the files that are imported to show a verdict; none for a framework's own.

        Raises:
            UsageError: the implementation is a user's, and its file is not named.
        """
        if row.kind != "user":
            return ()
        wanted = (row.framework, row.implementation)
        found = tuple(dict.fromkeys(place for name, place in self.files if name in wanted))
        if not found:
            raise click.UsageError(_unnamed(run, row))
        return found


def _split(value: str) -> tuple[str, str | None]:
    """Return a name and a place; the name of an object, `mine.Loss(eps=0.1)`, may have a `=`."""
    depth = 0
    for at, sign in enumerate(value):
        depth += (sign == "(") - (sign == ")")
        if sign == "=" and depth <= 0:
            return value[:at], value[at + 1 :]
    return value, None


def _existing(value: str, place: str) -> str:
    if not place:
        raise click.UsageError(f"--impl {value} names no file: NAME=FILE, such as numpy=mine.py")
    return checked_place(place)


def _unnamed(run: RunFile, row: VerdictRow) -> str:
    """Return a line that names the file of an implementation, and the option that is missing."""
    places = users_files(run.meta).get(row.framework, ())
    own = [place for place in places if row.implementation.startswith(f"{_module(place)}.")]
    said = own or list(places)
    if not said:
        return (
            f"{row.implementation} is a user's own, and the run does not say of which file: "
            f"add --impl {row.framework}=FILE"
        )
    options = " ".join(f"--impl {shlex.quote(f'{row.framework}={place}')}" for place in said)
    return (
        f"{row.implementation} is a function of {' or '.join(said)}, as the run says, "
        f"and only what is named here is imported: add {options}"
    )


def _module(text: str) -> str:
    place = place_of(text)
    return place.stem if place.file else place.source


def differences(run: RunFile, places: Sequence[str]) -> list[str]:
    """Return a line for each file that is not as it was when the run was made.

    A file that stands elsewhere now is compared with that of the same name.

    Args:
        run: the run; older ones have no digests.
        places: the files and modules that are imported now.
    """
    then = digests(run.meta)
    by_name = {Path(place).name: digest for place, digest in then.items()}
    lines = []
    for place in places:
        file = place_of(place).file
        before = file and (then.get(str(file)) or by_name.get(file.name))
        if file and before and sha256(file.read_bytes()).hexdigest() != before:
            lines.append(f"{file} differs from the file that the run asked")
    return lines
