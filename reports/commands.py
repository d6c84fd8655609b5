"""Write the commands that a reader copies: a name in them is quoted as a shell takes it."""

from __future__ import annotations

from pathlib import Path

from ..harness.causes import is_scripted
from ..harness.runfile import VerdictRow


def repro_parts(row: VerdictRow, run: str, place: str = "") -> list[str]:
    """Return the command that repeats a finding, in parts that a line may end after.

    Args:
        row: the finding.
        run: the path of the run file as it is shown.
        place: the file or module of a user's function; empty for any other.
    """
    named = f"{row.implementation}={place}" if place else row.implementation
    parts = ["lossdiff repro", path_of(run), quoted(row.case), f"--impl {quoted(named)}"]
    if row.mode != "eager":
        parts.append(f"--mode {quoted(row.mode)}")
    return [*parts, f"--quantity {row.quantity}"]


def command_for(row: VerdictRow, run: str) -> str:
    """Return the line that repeats a finding, or that lists its case where no script can show it.

    Args:
        row: the finding.
        run: the path of the run file as it is shown.
    """
    if is_scripted(row.verdict):
        return " ".join(repro_parts(row, run))
    impl = quoted(row.implementation)
    return f"lossdiff show {path_of(run)} --case {quoted(row.case)} --impl {impl}"


def path_of(run: str) -> str:
    """Return the path of a run as an argument of a command.

    >>> path_of("-my run.sqlite")
    "'./-my run.sqlite'"
    """
    return quoted(f"./{run}" if run.startswith("-") else run)


def quoted(name: str) -> str:
    """Return a name as a shell takes it.

    >>> quoted("softmax(axis=0)")
    "'softmax(axis=0)'"
    """
    plain = name.replace("'", "'\\''")
    is_plain = bool(name) and all(c.isalnum() or c in "._-/=,:~@" for c in name)
    return name if is_plain else f"'{plain}'"


def shortened(place: str) -> str:
    """Return a place as it is named from the current folder."""
    return place.removeprefix(f"{Path.cwd()}/")
