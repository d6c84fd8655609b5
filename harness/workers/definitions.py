"""Define the operations of a user's file, after its import has been tried in another process.

Formulas are run by the process that judges, which therefore imports the file. What the file does to
a process shows in the other one first, and a file that would end, hang or spoil the process that
judges is refused.
"""

from __future__ import annotations

import numpy as np

from ...errors import LostError, UserFileError
from ..own import define_from, defines
from .caller import Caller
from .messages import IMPORTED, START_TIMEOUT, DefinitionsRequest, Setup
from .watchdog import Ended, share_of_memory


def define_tried(place: str, *, seconds: float = START_TIMEOUT) -> None:
    """Import a place and define its operations, if its text says that it defines any.

    Args:
        place: a file, a module, or an object of one.
        seconds: the time that the import, with the definitions, may take.

    Raises:
        UserFileError: it cannot be imported, or does something to the process that imports it.
        DefinitionError: a definition has no meaning.
    """
    if not defines(place):
        return
    if harm := _harm(place, seconds):
        raise UserFileError(
            f"{place} defines operations, so the judging process has to import it; tried, {harm}"
        )
    define_from(place)


def _harm(place: str, seconds: float) -> str:
    """Return in words what the import does to its process; empty for nothing."""
    with Caller(Setup(np.__name__), share_of_memory(1)) as caller:
        try:
            found = caller.call(DefinitionsRequest(place), seconds)
        except LostError as error:
            return f"its process cannot go on after the import: {error}"
        if isinstance(found, Ended):
            return found.message
        if found.changes:
            return f"its import {found.changes}"
        end = caller.ended(seconds)
    # A status that is not ours would be that of the command.
    return "" if end.status == IMPORTED else "it ends its process in a way of its own"
