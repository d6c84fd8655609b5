"""Show a user the traceback of an error of theirs, without the lines of this project."""

from __future__ import annotations

import traceback
from types import TracebackType

from ...printing import printable

_OURS = __name__.partition(".")[0]
_MOST = 40  # lines, the last of which are shown


def own_traceback(error: BaseException) -> str:
    """Return the traceback of an error from the first line that is not of this project.

    Args:
        error: what a user's function has raised.

    Returns:
        Lines as Python prints them, the error's own line last.
    """
    begin = error.__traceback__
    while begin is not None and _is_ours(begin):
        begin = begin.tb_next
    try:
        shown = traceback.TracebackException(type(error), error, begin)
        lines = "".join(shown.format()).splitlines()
    except BaseException:  # noqa: BLE001 -- a user's exception may do anything when it is printed
        lines = [f"{type(error).__name__}: its message cannot be read"]
    cut = lines if len(lines) <= _MOST else [*lines[:4], "  ...", *lines[4 - _MOST :]]
    # A message may hold signs that no file can, or that a terminal would obey.
    return printable("\n".join(cut).encode(errors="backslashreplace").decode())


def _is_ours(at: TracebackType) -> bool:
    module = str(at.tb_frame.f_globals.get("__name__", ""))
    is_import = at.tb_frame.f_code.co_filename.startswith("<frozen") or module == "importlib"
    return is_import or module.partition(".")[0] == _OURS
