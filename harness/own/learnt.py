"""Keep what was learnt of a function as plain data, and use it in other processes.

A function is asked its plain questions in one process, which it may end. Every other process makes
the implementation from what was learnt, without a call.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...backends.base import Backend, Implementation
from ...backends.claim import Calling, Claim
from ...cases.operations import OPERATIONS
from .calling import bound, gradient_of
from .learning import learn
from .signature import read
from .taken import Candidate, Failed, Left, Taken
from .tracebacks import own_traceback


@dataclass(frozen=True)
class Learnt:
    """What was learnt of one function, as plain data.

    Attributes:
        claim: what it claims.
        calling: how it is called.
        remarks: sentences for its user.
        failed: how it failed the plain question; None if it has answered.
    """

    claim: Claim
    calling: Calling
    remarks: tuple[str, ...] = ()
    failed: Failed | None = None


def learnt_of(candidate: Candidate, backend: Backend) -> Learnt | Left:
    """Ask a candidate its plain questions, and return what was learnt, or why it is left."""
    found = _learnt(candidate, backend)
    if isinstance(found, Left):
        return found
    if isinstance(found, Failed):
        return failing(found, backend.framework, read(candidate).calling)
    assert isinstance(found, Taken)  # noqa: S101 -- there is nothing else
    calling = found.implementation.calling
    assert calling is not None  # noqa: S101 -- a function that is taken has one
    return Learnt(found.implementation.claim, calling, found.remarks)


def _learnt(candidate: Candidate, backend: Backend) -> Taken | Left | Failed:
    """Learn what a candidate does; one that returns or changes what no array is has failed."""
    try:
        return learn(candidate, backend)
    except BaseException as error:  # noqa: BLE001 -- a user's function may do anything
        question, shown = "a plain question", own_traceback(error)
        return Failed(candidate.name, candidate.operation, question, shown)


def failing(failed: Failed, framework: str, calling: Calling | None = None) -> Learnt:
    """Return what is known of a function that has not answered: its operation.

    Args:
        failed: how it failed.
        framework: the framework whose arrays it takes.
        calling: how it is called; None for by position.
    """
    contract = OPERATIONS[failed.operation]
    arguments = tuple((name, "") for name in contract.arrays)
    targets = frozenset[str](contract.targets[:1])
    claim = Claim(failed.name, framework, failed.operation, "user", targets, frozenset())
    return Learnt(claim, calling or Calling(arguments), failed=failed)


def restored(candidate: Candidate, learnt: Learnt, backend: Backend) -> Implementation:
    """Return the implementation that a candidate is, by what was learnt of it."""
    function, calling = candidate.function, learnt.calling
    return Implementation(
        learnt.claim,
        bound(function, calling, backend),
        gradient_of(candidate, calling, backend),
        calling,
    )
