"""Keep pytest-benchmark's files beside the run."""

from __future__ import annotations

from pathlib import Path

from ...errors import OutputError
from ...outputs import Kind, check_output, shown, write_output


def place_beside(run: Path, name: str) -> Path:
    """Return where a file of pytest-benchmark is kept.

    Args:
        run: the path of the run file.
        name: framework, device, threads and pass.
    """
    return run.with_name(f"{run.stem}-{name}-benchmark.json")


def check_place(place: Path) -> None:
    """Refuse a place at which a file of another kind stands.

    Raises:
        OutputError: another file stands there, or none can be written there.
    """
    if not place.is_symlink():  # a link is replaced, whatever it points to
        check_output(place, Kind.BENCHMARK)


def keep(text: str, place: Path) -> None:
    """Write a file of pytest-benchmark to its place, where it appears whole or not at all.

    Args:
        text: the content of the file.
        place: where it is to be. Nobody has named it, so that a symbolic link there is none of
            the user's: it is replaced, and not followed.

    Raises:
        OutputError: another file stands there, or the place cannot be written.
    """
    try:
        if place.is_symlink():
            place.unlink()
    except OSError as error:
        raise OutputError(f"cannot write {shown(place)}: {error.strerror or error}") from error
    write_output(place, Kind.BENCHMARK, text)
