"""Write the commands that a reader copies: a name in them is quoted as a shell takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len

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


def parts_for(row: VerdictRow, run: str) -> list[str]:
    """Return the command that repeats a finding, or that lists its case if no script can show it.

    Args:
        row: the finding.
        run: the path of the run file as it is shown.
    """
    if is_scripted(row.verdict):
        return repro_parts(row, run)
    case, impl = quoted(row.case), quoted(row.implementation)
    return ["lossdiff show", path_of(run), f"--case {case}", f"--impl {impl}"]


def wrapped(parts: Sequence[str], width: int) -> list[str]:
    """Return a command in lines that a backslash joins, so that they can be pasted into a shell.

    Args:
        parts: the parts of the command, after which a line may end.
        width: columns; what has no room in a line goes on in the first column of the next.
    """
    lines = ["    " + parts[0]]
    for part in parts[1:]:
        if cell_len(part) + 8 > width:
            # A shell joins what a backslash ends and the next line begins with at its first column.
            size = width - 2 if part.isascii() else width // 2 - 1  # some take two columns
            pieces = [part[at : at + size] for at in range(0, len(part), size)]
            lines[-1] += " \\"
            lines += [f"{piece}\\" for piece in pieces[:-1]] + pieces[-1:]
        elif cell_len(lines[-1]) + cell_len(part) + 3 > width:
            lines[-1] += " \\"
            lines.append("      " + part)
        else:
            lines[-1] += f" {part}"
    return lines


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
