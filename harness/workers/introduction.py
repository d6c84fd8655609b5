"""Get to know a user's functions, in a process that any of them may end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from ...errors import LostError, UserFileError
from ..own import SIBLINGS, Failed, Learnt, Left, failing
from .caller import Caller
from .messages import START_TIMEOUT, CandidatesRequest, LearnRequest, Setup
from .spares import NO_SPARES, Spares
from .supervisor import why_no_start_after
from .watchdog import Ended, Limits


@dataclass(frozen=True)
class Introduction:
    """What became of a user's functions.

    Attributes:
        learnt: what is known of those that are taken.
        left: what is not taken, and why.
    """

    learnt: tuple[Learnt, ...] = ()
    left: tuple[Left, ...] = ()

    @property
    def failed(self) -> tuple[Failed, ...]:
        """Those that did not answer the plain question."""
        return tuple(it.failed for it in self.learnt if it.failed)


def introduce(
    setup: Setup,
    limits: Limits,
    operations: Collection[str] = (),
    only: str = "",
    spares: Spares = NO_SPARES,
) -> Introduction:
    """Import a user's files in a process of their own, and ask each function plain questions.

    A function that ends the process, or does not answer within the limits, has failed; the others
    are asked in another process.

    Args:
        setup: the framework, the device and the files.
        limits: the limits of the questions to one function.
        operations: the operations whose functions are asked; empty for all.
        only: the name of the function that is asked; empty for all.
        spares: keep the process for the questions.

    Raises:
        LostError: the framework does not start with the files.
        UserFileError: a file cannot be used, or no function is taken.
        DeclarationError: what is said of a function names something that does not exist.
        DeviceAbsentError: the framework does not find the device.
    """
    learnt: list[Learnt] = []
    with Caller(replace(setup, learnt=()), limits.memory, spares) as caller:
        found = caller.call(CandidatesRequest(), START_TIMEOUT)
        if isinstance(found, Ended):
            raise LostError(why_no_start_after(found))
        left = list[Left](found.left)
        wanted = {
            name: operation
            for name, operation in found.operations.items()
            if only in ("", name)
            and (not operations or {operation, *SIBLINGS.get(operation, ())} & set(operations))
        }
        for name, operation in wanted.items():
            result = caller.call(LearnRequest(name), limits.seconds)
            if isinstance(result, Ended):
                failed = Failed(name, operation, "a plain question", result.message)
                learnt.append(failing(failed, setup.framework))
            elif result.left is not None:
                left.append(result.left)
            else:
                learnt.append(result.learnt)
    if wanted and not learnt:
        reasons = "; ".join(f"{it.name}: {it.reason}" for it in left[-3:])
        raise UserFileError(f"{', '.join(setup.extra)}: no function is taken ({reasons})")
    return Introduction(tuple(learnt), tuple(left))
