"""What comes back from a worker: plain data, no framework's own types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

FailureKind = Literal["raised", "mismatched", "crashed", "timed out", "unsupported"]


@dataclass(frozen=True)
class Failure:
    """Why there is no array.

    Attributes:
        kind: the verdict that it leads to.
        message: what the framework said, in one line.
    """

    kind: FailureKind
    message: str


@dataclass(frozen=True)
class Observation:
    """The answer of one implementation to one case.

    Attributes:
        case: id of the case.
        implementation: its name.
        mode: how it was run.
        answers: for each quantity the array, or why there is none.
        seconds: time of the call, conversions excluded.
        warnings: what the framework warned about, one line each.
    """

    case: str
    implementation: str
    mode: str
    answers: dict[str, NDArray[Any] | Failure]
    seconds: float = 0.0
    warnings: str = ""
