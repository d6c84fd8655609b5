"""The data that comes back from a worker: NumPy arrays and failures, no framework's own types."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..printing import printable

Quantity = Literal[
    "value",
    "gradient_logits",
    "gradient_target",
    "hvp_logits",
    "gradient_hidden",
    "gradient_linear_weight",
    "gradient_linear_bias",
]
VALUE: Quantity = "value"
GRADIENT_LOGITS: Quantity = "gradient_logits"  # with respect to the first argument
GRADIENT_TARGET: Quantity = "gradient_target"
HVP_LOGITS: Quantity = "hvp_logits"  # the derivative of the gradient along a direction
# The arguments of a call, by the names of the contract.
Argument = Literal[
    "logits", "probs", "log_probs", "hidden", "target", "weight", "pos_weight",
    "linear_weight", "linear_bias", "cotangent",
]  # fmt: skip
# The gradients of a linear loss, by the arguments with respect to which they are.
LINEAR_GRADIENTS: dict[str, Quantity] = {
    "values": "gradient_hidden",
    "linear_weight": "gradient_linear_weight",
    "linear_bias": "gradient_linear_bias",
}
OtherCall = Literal["with_gradient", "second_backward"]  # see `verdicts.OTHER_CALL_MEANINGS`
FailureKind = Literal["raised", "mismatched", "crashed", "timed out", "unsupported"]


@dataclass(frozen=True)
class Failure:
    """The reason why there is no array.

    Attributes:
        kind: the verdict that the failure leads to.
        message: the framework's message in one line, for readers.
        error: the name of the exception's type, where there is one.
        status: the exit status of the process, where it is known.
        shape: the wrong shape of the array that came back instead, where that is the reason.
        is_of_value: whether a gradient is missing because the value has that shape.

    >>> Failure.of("raised", ValueError("axis 3 is out of bounds")).message
    'ValueError: axis 3 is out of bounds'
    """

    kind: FailureKind
    message: str
    error: str = ""
    status: int | None = None
    shape: tuple[int, ...] | None = None
    is_of_value: bool = False

    @classmethod
    def of(cls, kind: FailureKind, error: BaseException) -> Failure:
        """Return the failure that an exception stands for."""
        return cls(kind, one_line(error), name_of(error))

    @property
    def about(self) -> tuple[object, ...]:
        """The facts that two failures share if they have one cause, whatever the case's numbers."""
        # A message may quote numbers or shapes, so it only counts where nothing else is known.
        is_typed = bool(self.error) or self.shape is not None
        return self.kind, self.error, self.is_of_value, "" if is_typed else self.message

    def __str__(self) -> str:
        return self.message


Answers = dict[str, "NDArray[Any] | Failure"]  # by quantity
# How a function answers a question whose fault is taken out; empty where it was not asked.
WithoutFault = Literal["", "number", "nan", "error"]


@dataclass(frozen=True)
class ProbeAnswers:
    """The answers to a repeated call, and to the transformed inputs of metamorphic relations.

    Attributes:
        first, second: the answers to two identical calls, as whole arrays.
        forms: for each metamorphic relation the answers to its transformed inputs, in order.
    """

    first: Answers
    second: Answers
    forms: dict[str, tuple[Answers, ...]]


@dataclass(frozen=True)
class OtherAnswer:
    """The answer to the same question, put in another way.

    Attributes:
        relation: how it was put, a name of `verdicts.OTHER_CALL_MEANINGS`.
        quantity: the quantity that was asked.
        answer: the array or failure; None if it has the bits of the first answer.
    """

    relation: OtherCall
    quantity: Quantity
    answer: NDArray[Any] | Failure | None


@dataclass(frozen=True)
class Observation:
    """The answer of one implementation to one case.

    Attributes:
        case: the id of the case.
        implementation: the name of the implementation.
        mode: the mode in which it ran, such as eager or compiled.
        answers: for each quantity the array, or the reason why there is none.
        seconds: the time of the call, conversions excluded.
        warnings: the framework's warnings, one line each.
        probe: the answers to the repeated call and to transformed inputs; None for cases that are
            not probed.
        spoils: what the call has changed in its process, in words; empty if nothing.
        mutates: the arguments to whose arrays the calls wrote, by the contract's names.
        others: the answers to the same question, put in other ways.
        without_fault: how a user's function that gives an error or a NaN answers the same question
            with the fault taken out, see `cases.faultless`.
    """

    case: str
    implementation: str
    mode: str
    answers: Answers
    seconds: float = 0.0
    warnings: str = ""
    probe: ProbeAnswers | None = None
    spoils: str = ""
    mutates: tuple[Argument, ...] = ()
    others: tuple[OtherAnswer, ...] = ()
    without_fault: WithoutFault = ""


def name_of(error: BaseException) -> str:
    """Return the name of an error's class, in one line, whatever its metaclass says."""
    name: str = type.__dict__["__name__"].__get__(type(error))
    return " ".join(name.split())


def one_line(error: Any) -> str:
    r"""Return the message of an error, or any other text, in one printable line of 300 characters.

    >>> one_line(ValueError("bad axis\nTraceback of the framework"))
    'ValueError: bad axis'
    """
    try:
        # A user's exception may return a text of a class of its own, and one that no file can hold.
        message = str.__str__(str(error)).encode(errors="backslashreplace").decode()
    except BaseException:  # noqa: BLE001 -- a user's exception may do anything
        message = "its message cannot be read"
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    text = lines[0] if lines else "no message"
    if isinstance(error, BaseException):
        text = f"{name_of(error)}: {text}"
    return printable(text[:300])


def kind_of_answer(value: NDArray[Any] | Failure) -> WithoutFault:
    """Return whether a value is an error, holds a NaN, or holds numbers alone.

    >>> kind_of_answer(np.zeros(2)), kind_of_answer(np.array([np.nan]))
    ('number', 'nan')
    """
    if isinstance(value, Failure):
        return "error" if value.kind == "raised" else ""
    try:
        return "nan" if bool(np.isnan(value.astype(np.float64)).any()) else "number"
    except (TypeError, ValueError):
        return "number"


def fingerprint(answer: NDArray[Any]) -> str:
    """Return a digest of an array's dtype, shape and bits, as 16 hexadecimal digits.

    >>> fingerprint(np.zeros(2)) == fingerprint(np.zeros(2, np.float32))
    False
    """
    head = f"{answer.dtype.name}{answer.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(answer).tobytes()).hexdigest()[:16]
