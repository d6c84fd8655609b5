"""What comes back from a worker: plain data, no framework's own types."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Quantity = Literal["value", "gradient_logits", "gradient_target", "hvp_logits"]
VALUE: Quantity = "value"
GRADIENT_LOGITS: Quantity = "gradient_logits"  # with respect to the first argument
GRADIENT_TARGET: Quantity = "gradient_target"
HVP_LOGITS: Quantity = "hvp_logits"  # the derivative of the gradient along a direction
FailureKind = Literal["raised", "mismatched", "crashed", "timed out", "unsupported"]


@dataclass(frozen=True)
class Failure:
    """Why there is no array.

    Attributes:
        kind: the verdict that it leads to.
        message: what the framework said, in one line, for readers.
        error: the type of the exception, where there is one.
        status: the exit status of the process, where it is known.
        shape: the wrong shape of what came back instead, where that is the reason.
        is_of_value: whether a gradient is missing because the value has that shape.
    """

    kind: FailureKind
    message: str
    error: str = ""
    status: int | None = None
    shape: tuple[int, ...] | None = None
    is_of_value: bool = False

    @classmethod
    def of(cls, kind: FailureKind, error: BaseException) -> Failure:
        """Return the failure that an exception is."""
        return cls(kind, one_line(error), type(error).__name__)

    @property
    def about(self) -> tuple[object, ...]:
        """What the failure is about, whatever the numbers and shapes of the case."""
        is_told = bool(self.error) or self.shape is not None
        return self.kind, self.error, self.is_of_value, "" if is_told else self.message

    def __str__(self) -> str:
        return self.message


Answers = dict[str, "NDArray[Any] | Failure"]  # by quantity


@dataclass(frozen=True)
class ProbeAnswers:
    """The answers to the same question asked again, and in other forms.

    Attributes:
        first, second: the answers to the very same call, whole arrays.
        forms: for each metamorphic relation the answers to its other forms, in their order.
    """

    first: Answers
    second: Answers
    forms: dict[str, tuple[Answers, ...]]


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
        probe: the answers to the question asked again, and in other forms; None where it is not.
    """

    case: str
    implementation: str
    mode: str
    answers: Answers
    seconds: float = 0.0
    warnings: str = ""
    probe: ProbeAnswers | None = None


def one_line(error: Any) -> str:
    """Return what an error says in one line, whatever it is."""
    try:
        said = str(error)
    except BaseException:  # noqa: BLE001 -- a user's exception may do anything
        said = "its message cannot be read"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = lines[0] if lines else "no message"
    if isinstance(error, BaseException):
        text = f"{type(error).__name__}: {text}"
    return text[:300]


def fingerprint(answer: NDArray[Any]) -> str:
    """Return a digest of an array's dtype, shape and bits."""
    head = f"{answer.dtype.name}{answer.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(answer).tobytes()).hexdigest()[:16]
