"""Define the messages between the judging process and a worker; all are plain data."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...backends.base import Claim
from ...cases.model import Case
from ..answers import Observation

START_TIMEOUT = 300.0  # seconds in which a framework has to be imported


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
class Setup:
    """The settings that a worker is started with.

    Attributes:
        framework: a name of `backends.FRAMEWORKS`.
        device: `cpu` or `gpu`.
        extra: files or modules of a user's own implementations.
        log: the file that the process's output goes to.
        threads: how many threads the framework may use; 0 for its default.
        cache: folder in which compilers keep their programs; empty for none, None for the settings
            of the machine.
    """

    framework: str
    device: str = "cpu"
    extra: tuple[str, ...] = ()
    log: str = os.devnull
    threads: int = 0
    cache: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """The implementations that a worker offers.

    Attributes:
        claims: the claims of all implementations.
        environment: versions, machine and flags.
        seconds: duration of the import.
        own: those claims that come from a user's files.
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
        seconds: duration of the framework's own calls.
    """

    observations: list[Observation]
    seconds: float
