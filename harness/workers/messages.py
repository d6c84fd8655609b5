"""The messages between the judging process and a worker: plain data."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...backends.base import Claim
from ...cases.model import Case
from ..answers import Observation

START_TIMEOUT = 300.0  # seconds in which a framework has to be imported


class Question(NamedTuple):
    """What one implementation is asked.

    Attributes:
        implementation: its name.
        mode: how it is run.
        case: what it is asked.
    """

    implementation: str
    mode: str
    case: Case


@dataclass(frozen=True)
class Setup:
    """What a worker is started with.

    Attributes:
        framework: a name of `backends.FRAMEWORKS`.
        device: `cpu` or `gpu`.
        extra: files or modules of a user's own implementations.
        log: where the process's output goes.
        threads: how many threads the framework may use; 0 for as many as it likes.
        cache: folder in which compilers keep what they have compiled; empty for none, None for
            what is set up on the machine.
    """

    framework: str
    device: str = "cpu"
    extra: tuple[str, ...] = ()
    log: str = os.devnull
    threads: int = 0
    cache: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """What a worker offers.

    Attributes:
        claims: of its implementations.
        environment: versions, machine and flags.
        seconds: how long the import took.
        own: the claims of a user's files among them.
    """

    claims: tuple[Claim, ...]
    environment: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    own: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class BatchAnswers:
    """The answers to a batch.

    Attributes:
        observations: one for each question.
        seconds: how long the framework's own calls took.
    """

    observations: list[Observation]
    seconds: float
