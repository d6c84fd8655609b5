"""Encode what a worker sends as plain data, and check it when it is read.

A reply is MessagePack that is decoded into the types below, so that nothing which a worker sends
can run code in the judging process, and a reply that does not fit its type is a failure of that
worker. An array travels as its dtype, its shape and its bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from ...cases.dtypes import FORMATS
from ...errors import LossdiffError, LostError, UserFileError
from ..answers import (
    Answers,
    Argument,
    Failure,
    Observation,
    OtherAnswer,
    OtherCall,
    ProbeAnswers,
    Quantity,
    WithoutFault,
)
from .messages import Question

T = TypeVar("T")
_NUMBERS = "biuf"  # kinds of NumPy's own dtypes that an answer may have


class PackedArray(Struct, frozen=True, array_like=True):
    """An array.

    Attributes:
        dtype: `numpy.dtype.str`, or the name of a dtype that NumPy has no text for.
        shape: its shape.
        data: its bytes, in C order.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes


PackedAnswer = PackedArray | Failure
PackedAnswers = dict[str, PackedAnswer]


class PackedProbe(Struct, frozen=True):
    """A `ProbeAnswers`; an answer of the second call is None if it has the bits of the first."""

    first: PackedAnswers
    second: dict[str, PackedAnswer | None]
    forms: dict[str, list[PackedAnswers]]


class PackedOther(Struct, frozen=True, array_like=True):
    """An `OtherAnswer`."""

    relation: OtherCall
    quantity: Quantity
    answer: PackedAnswer | None


class PackedObservation(Struct, frozen=True):
    """An `Observation` without the names, which the judging process knows from the question."""

    answers: PackedAnswers
    seconds: float
    warnings: str
    probe: PackedProbe | None = None
    spoils: str = ""
    mutates: tuple[Argument, ...] = ()
    others: tuple[PackedOther, ...] = ()
    without_fault: WithoutFault = ""


class Changes(Struct, frozen=True):
    """What has changed in a process, in words.

    Attributes:
        spoiled: what decides the numbers of later answers.
        left: what may end or disturb the process later.
    """

    spoiled: list[str]
    left: list[str]

    def __bool__(self) -> bool:
        return bool(self.spoiled or self.left)

    def __str__(self) -> str:
        parts = ("spoils", self.spoiled), ("leaves changed", self.left)
        return "; ".join(f"{verb}: {', '.join(names)}" for verb, names in parts if names)


class BatchReply(Struct, frozen=True):
    """The answers to a batch.

    Attributes:
        observations: one for each question.
        seconds: duration of the framework's own calls.
        changes: what the questions have changed in the process.
    """

    observations: list[PackedObservation]
    seconds: float
    changes: Changes


class Raised(Struct, frozen=True):
    """An error that ended a request.

    Attributes:
        error: the name of its class.
        message: its message, in one line.
        traceback: that of a user's own error, in lines; empty if there is none.
    """

    error: str
    message: str
    traceback: str = ""


class Reply(Struct, frozen=True):
    """What a worker sends for each request.

    Attributes:
        result: the encoded result; empty if there is an error.
        raised: the error; None if there is a result.
    """

    result: bytes = b""
    raised: Raised | None = None


def encode(value: Any) -> bytes:
    """Return a value of one of these types, or any plain data, as MessagePack."""
    return msgspec.msgpack.encode(value)


def decode(data: bytes, kind: type[T]) -> T:
    """Return the value that `encode` made, checked against its type.

    Raises:
        LostError: the data are not of this type.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LostError(f"what the process sent cannot be read: {error}") from error


def result_of(data: bytes, kind: Any) -> Any:
    """Return the result of a request from its encoded `Reply`.

    Args:
        data: the encoded `Reply`.
        kind: the type of the result.

    Raises:
        LossdiffError: the error that ended the request, if it is one of ours.
        LostError: another error ended it, or the data are not of this type.
    """
    reply = decode(data, Reply)
    if reply.raised is not None:
        ours = {found.__name__: found for found in _all_errors(LossdiffError)}
        kind, shown = ours.get(reply.raised.error, LostError), reply.raised.traceback
        raise UserFileError(reply.raised.message, shown) if shown else kind(reply.raised.message)
    return decode(reply.result, kind)


def _all_errors(base: type[LossdiffError]) -> list[type[LossdiffError]]:
    return [base, *(found for one in base.__subclasses__() for found in _all_errors(one))]


# --- arrays ----------------------------------------------------------------------------------


def pack(answer: NDArray[Any] | Failure) -> PackedAnswer:
    """Return an answer as plain data.

    >>> pack(np.float32([1, 2])).dtype
    '<f4'
    """
    if isinstance(answer, Failure):
        return answer
    name = answer.dtype.str if answer.dtype.kind in _NUMBERS else answer.dtype.name
    return PackedArray(name, answer.shape, np.ascontiguousarray(answer).tobytes())


def unpack(packed: PackedAnswer) -> NDArray[Any] | Failure:
    """Return the answer that `pack` made plain data of.

    >>> unpack(pack(np.float32([1, 2])))
    array([1., 2.], dtype=float32)

    Raises:
        LostError: it describes no array.
    """
    if isinstance(packed, Failure):
        return packed
    try:
        known = FORMATS.get(packed.dtype)
        dtype = known.dtype if known else np.dtype(packed.dtype)
    except (TypeError, ValueError, SyntaxError) as error:
        raise LostError(f"the process sent an array of dtype {packed.dtype!r}") from error
    is_number = known is not None or dtype.kind in _NUMBERS
    size = math.prod(packed.shape) * dtype.itemsize
    if not is_number or min(packed.shape, default=0) < 0 or size != len(packed.data):
        raise LostError(f"the process sent no array of {packed.dtype} and shape {packed.shape}")
    return np.frombuffer(packed.data, dtype).reshape(packed.shape)


def pack_all(answers: Mapping[str, NDArray[Any] | Failure]) -> PackedAnswers:
    """Return answers by quantity as plain data."""
    return {quantity: pack(answer) for quantity, answer in answers.items()}


def unpack_all(packed: PackedAnswers) -> Answers:
    """Return the answers that `pack_all` made plain data of."""
    return {quantity: unpack(answer) for quantity, answer in packed.items()}


def pack_observation(observation: Observation) -> PackedObservation:
    """Return an observation as plain data."""
    probe, packed = observation.probe, None
    if probe is not None:
        second = {
            quantity: None if answer is probe.first[quantity] else pack(answer)
            for quantity, answer in probe.second.items()
        }
        forms = {name: [pack_all(one) for one in some] for name, some in probe.forms.items()}
        packed = PackedProbe(pack_all(probe.first), second, forms)
    answers = pack_all(observation.answers)
    others = tuple(
        PackedOther(it.relation, it.quantity, None if it.answer is None else pack(it.answer))
        for it in observation.others
    )
    return PackedObservation(
        answers,
        observation.seconds,
        observation.warnings,
        packed,
        observation.spoils,
        observation.mutates,
        others,
        observation.without_fault,
    )


def unpack_observation(packed: PackedObservation, question: Question) -> Observation:
    """Return the observation that `pack_observation` made plain data of.

    Args:
        packed: the plain data.
        question: the question that they answer.

    Raises:
        LostError: they answer no question.
    """
    if "value" not in packed.answers:
        raise LostError("the process sent no value")
    probe, sent = None, packed.probe
    if sent is not None:
        first = unpack_all(sent.first)
        if not set(sent.second) <= set(first):
            raise LostError("the process sent a second answer without a first")
        second = {
            quantity: first[quantity] if answer is None else unpack(answer)
            for quantity, answer in sent.second.items()
        }
        forms = {name: tuple(map(unpack_all, some)) for name, some in sent.forms.items()}
        probe = ProbeAnswers(first, second, forms)
    answers = unpack_all(packed.answers)
    name, mode, case = question
    others = tuple(
        OtherAnswer(it.relation, it.quantity, None if it.answer is None else unpack(it.answer))
        for it in packed.others
    )
    return Observation(
        case.id,
        name,
        mode,
        answers,
        packed.seconds,
        packed.warnings,
        probe,
        packed.spoils,
        packed.mutates,
        others,
        packed.without_fault,
    )
