"""Define the messages between the judging process and a worker; all are plain data.

A worker is sent pickles, which it may trust. What comes back is never a pickle: a function of a
user's may have changed anything in the process that made it. See `harness.workers.wire`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...backends import EAGER
from ...backends.claim import Claim
from ...cases.model import Case
from ..launch import Hint
from ..own import Learnt, Left

START_TIMEOUT = 300.0  # seconds in which a framework has to be imported
IMPORTED = 94  # the exit status after a `DefinitionsRequest`, unless a user's file has another


class Question(NamedTuple):
    """One implementation to be evaluated on one case.

    Attributes:
        implementation: its name.
        mode: how it is run.
        case: the inputs and options.
    """

    implementation: str
    mode: str
    case: Case


@dataclass(frozen=True)
class AnswerSelector:
    """Selects one answer to a case.

    Attributes:
        implementation: the name of the implementation.
        mode: the mode in which the framework runs it.
        quantity: `value`, `gradient_logits`, `gradient_target` or `hvp_logits`.
        all_gradients: whether all gradients are computed in the same call, as in a run, or this
            quantity alone.
    """

    implementation: str
    mode: str
    quantity: str
    all_gradients: bool = False


@dataclass(frozen=True)
class Setup:
    """The settings that a worker is started with.

    Attributes:
        framework: a name of `backends.FRAMEWORKS`.
        device: `cpu` or `gpu`.
        extra: files or modules of a user's own implementations.
        learnt: what is known of the functions in them; None if they are to be asked plain
            questions when they are imported.
        log: the file that the process's output goes to.
        threads: how many threads the framework may use; 0 for its default.
        cache: folder in which compilers keep their programs; empty for none, None for the settings
            of the machine.
        mode: the mode that the process is for, if that is alone in its process; otherwise `eager`.
        python: the interpreter of another environment that runs it; empty for this one.
    """

    framework: str
    device: str = "cpu"
    extra: tuple[str, ...] = ()
    learnt: tuple[Learnt, ...] | None = None
    log: str = os.devnull
    threads: int = 0
    cache: str | None = None
    mode: str = EAGER
    python: str = ""

    @property
    def hint(self) -> Hint:
        """What the process has to know before it imports the framework."""
        return Hint(
            self.framework,
            self.device,
            self.threads,
            self.cache,
            self.mode,
            self.log,
            self.python,
        )


# --- what a worker is asked ------------------------------------------------------------------


@dataclass(frozen=True)
class CatalogueRequest:
    """Import the framework, and return a `Catalogue`.

    Attributes:
        learnt: what is known of the user's functions, if more than when the process started.
    """

    learnt: tuple[Learnt, ...] | None = None


@dataclass(frozen=True)
class BatchRequest:
    """Evaluate questions in order, and return a `wire.BatchReply`.

    Attributes:
        batch: the questions.
    """

    batch: tuple[Question, ...]


@dataclass(frozen=True)
class AnswerRequest:
    """Evaluate one quantity of one implementation, and return an array or a failure.

    Attributes:
        case: the case to evaluate.
        selector: the answer to return.
    """

    case: Case
    selector: AnswerSelector


@dataclass(frozen=True)
class SourceRequest:
    """Return the program text of an implementation and of its call for a case, as a `Source`.

    Attributes:
        case: the case of the call.
        selector: the answer that the call gives.
    """

    case: Case
    selector: AnswerSelector


@dataclass(frozen=True)
class CandidatesRequest:
    """Import a user's files, and return the `Candidates` in them."""


@dataclass(frozen=True)
class LearnRequest:
    """Ask one candidate its plain questions, and return what was learnt, as `Learning`.

    Attributes:
        name: the name of the candidate.
    """

    name: str


@dataclass(frozen=True)
class DefinitionsRequest:
    """Import a file that defines operations, return `Definitions`, and end the process.

    Attributes:
        place: the file or module.
    """

    place: str


Request = (
    CatalogueRequest
    | BatchRequest
    | AnswerRequest
    | SourceRequest
    | CandidatesRequest
    | LearnRequest
    | DefinitionsRequest
)


# --- what it returns -------------------------------------------------------------------------


@dataclass(frozen=True)
class Catalogue:
    """The implementations that a worker offers.

    Attributes:
        claims: the claims of all implementations.
        environment: versions, machine and flags.
        seconds: duration of the import.
        own: those claims that come from a user's files.
        learnt: what is known of the functions of a user's files.
        left: what is not taken of them, and why.
        spoiled: what the import of a user's files has changed in the process; see `condition`.
    """

    claims: tuple[Claim, ...]
    environment: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    own: tuple[Claim, ...] = ()
    learnt: tuple[Learnt, ...] = ()
    left: tuple[Left, ...] = ()
    spoiled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidates:
    """The functions of a user's files that may be taken.

    Attributes:
        operations: their names, and the operations that they are taken for.
        left: what is not taken, and why.
    """

    operations: dict[str, str]
    left: tuple[Left, ...] = ()


@dataclass(frozen=True)
class Learning:
    """What became of one candidate: it is learnt, or left.

    Attributes:
        learnt: what was learnt.
        left: why it is left.
        changes: what it has changed in the process, in words; the process ends then.
    """

    learnt: Learnt | None = None
    left: Left | None = None
    changes: str = ""


@dataclass(frozen=True)
class Definitions:
    """What the import of a file that defines operations has done to its process.

    Attributes:
        changes: what it has changed in the process, in words.
    """

    changes: str = ""
