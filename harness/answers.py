"""What comes back from a worker: plain data, no framework's own types."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Quantity = Literal["value", "gradient_logits", "gradient_target", "hvp_logits"]
VALUE: Quantity = "value"
GRADIENT_LOGITS: Quantity = "gradient_logits"  # with respect to the first argument
GRADIENT_TARGET: Quantity = "gradient_target"
HVP_LOGITS: Quantity = "hvp_logits"  # the derivative of the gradient along a direction
AGAIN = "again"  # the relation of a call to the same call
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
class RelationCheck:
    """How an answer compares with one to another form of the same question.

    Attributes:
        relation: its name in `harness.relations.metamorphic`, or `again` for the same call twice.
        quantity: which answer.
        holds: whether both agree, within the sound bounds or those of an explanation.
        difference: the largest absolute one.
        ratio: the largest difference over the sum of the sound bounds.
        where: index of the worst element.
        left, right: the two numbers there.
        note: the explanation, or why there is no second answer.
    """

    relation: str
    quantity: str
    holds: bool
    difference: float = math.inf
    ratio: float = math.inf
    where: str = ""
    left: str = ""
    right: str = ""
    note: str = ""


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
        related: how the answer compares with those to other forms of the question.
    """

    case: str
    implementation: str
    mode: str
    answers: dict[str, NDArray[Any] | Failure]
    seconds: float = 0.0
    warnings: str = ""
    related: tuple[RelationCheck, ...] = ()


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


def differences(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return absolute differences; 0 where both are the same infinity or NaN, inf for one NaN."""
    with np.errstate(invalid="ignore"):
        error = np.abs(left - right)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    return np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))


def fingerprint(answer: NDArray[Any]) -> str:
    """Return a digest of an array's dtype, shape and bits."""
    head = f"{answer.dtype.name}{answer.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(answer).tobytes()).hexdigest()[:16]
