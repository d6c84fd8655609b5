"""Define the rows that let an interrupted run go on where it ended; no report shows them.

They are written in the same transaction as the verdicts that they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .numbers import Count, Finite


@dataclass(frozen=True)
class CompletedRow:
    """A question whose verdicts are complete.

    Attributes:
        framework, implementation, mode, case, device: the question, and the device it ran on.
        threads: 1 if it was repeated with one thread; 0 otherwise.
    """

    framework: str
    implementation: str
    mode: str
    case: str
    device: str
    threads: Count = 0

    table: ClassVar[str] = "asked"
    key: ClassVar[tuple[str, ...]] = (
        "framework",
        "implementation",
        "mode",
        "case",
        "device",
        "threads",
    )


@dataclass(frozen=True)
class ValidityPointRow:
    """One answered magnitude of a search for the domain of validity; see `harness.engine.validity`.

    Attributes:
        magnitude: the point of the sweep.
        verdict, quantity, case: the worst verdict there, its quantity, and its case.
    """

    framework: str
    implementation: str
    mode: str
    device: str
    dtype: str
    sweep: str
    magnitude: Finite
    verdict: str
    quantity: str
    case: str

    table: ClassVar[str] = "levels"
    key: ClassVar[tuple[str, ...]] = (
        "framework",
        "implementation",
        "mode",
        "device",
        "dtype",
        "sweep",
        "magnitude",
    )


@dataclass(frozen=True)
class AnswerRow:
    """An answer that takes part in an equivalence; see `harness.relations.equivalences`.

    Attributes:
        value, bound: the answer and its sound error bound, as `.npy`.
    """

    implementation: str
    framework: str
    kind: str
    mode: str
    device: str
    case: str
    value: bytes
    bound: bytes

    table: ClassVar[str] = "answers"
    key: ClassVar[tuple[str, ...]] = ("framework", "implementation", "mode", "device", "case")


@dataclass(frozen=True)
class PendingRow:
    """The bits of an answer that will be compared with the same call on one thread.

    Attributes:
        bits: fingerprint of the answer, and key of its `BlobRow`.
    """

    framework: str
    implementation: str
    mode: str
    case: str
    quantity: str
    bits: str

    table: ClassVar[str] = "waiting"
    key: ClassVar[tuple[str, ...]] = ("framework", "implementation", "mode", "case", "quantity")


@dataclass(frozen=True)
class BlobRow:
    """The array of a `PendingRow`, as `.npy` of float64."""

    bits: str
    array: bytes

    table: ClassVar[str] = "bits"
    key: ClassVar[tuple[str, ...]] = ("bits",)


@dataclass(frozen=True)
class IncidentRow:
    """A worker or timing process that died, hung or outgrew its memory, and what it had reached.

    Attributes:
        implementation, mode, case: the question; empty where the worker recorded none.
        what: how the process ended, or what the timed call raised.
        outcome: what was then done with the question.
    """

    framework: str
    device: str
    implementation: str
    mode: str
    case: str
    what: str
    outcome: str

    table: ClassVar[str] = "incidents"

    @property
    def direction(self) -> str:
        """The direction of a call that `bench` has left out; empty of a question of a run."""
        first = self.outcome.partition(" ")[0]
        return first if first in ("forward", "forward+backward") else ""


ProgressRow = CompletedRow | ValidityPointRow | AnswerRow | PendingRow | BlobRow | IncidentRow
PROGRESS_ROWS: tuple[type[ProgressRow], ...] = (
    CompletedRow,
    ValidityPointRow,
    AnswerRow,
    PendingRow,
    BlobRow,
    IncidentRow,
)
