"""Evaluate one implementation on one case: arrays go in, arrays or failures come out.

This runs in a worker. The framework is reached through its backend only.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backends import EAGER
from ...backends.base import Backend, Call, Forward, ForwardBackward, SecondOrder, call_for
from ...cases.dtypes import format_of
from ...cases.faultless import without_fault
from ...cases.model import Case, Inputs
from ...cases.operations import OPERATIONS
from ..answers import (
    HVP_LOGITS,
    LINEAR_GRADIENTS,
    VALUE,
    Answers,
    Argument,
    Failure,
    Observation,
    Quantity,
    kind_of_answer,
    one_line,
)
from ..oracle import Floats
from .given import Given

_MOST_COMPILED = 256  # functions of each kind
_LARGE = 2**26  # bytes; a larger answer of a wrong shape is not sent
_GRADIENTS: dict[str, Quantity] = {"values": "gradient_logits", "target": "gradient_target"}
NO_GRADIENT = Failure("unsupported", "no gradient flows")


def gradients_of(call: Call) -> list[Quantity]:
    """Return the quantities of a call's gradients, in their order."""
    names = LINEAR_GRADIENTS if OPERATIONS[call.implementation.operation].is_linear else _GRADIENTS
    return [names[name] for name in call.wrt]


class Clock:
    """The time that the framework itself has taken, reading its results included.

    Attributes:
        seconds: the sum up to now.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add the time of a `with` statement."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - begin


# What is compiled in a hurry is not what a mode compiles, and is remembered apart.
def _forward(backend: Backend, call: Call, mode: str, _hurried: bool) -> Forward:
    return backend.forward(call, mode)


def _both(backend: Backend, call: Call, mode: str, _hurried: bool) -> ForwardBackward:
    return backend.forward_backward(call, mode)


def _second(backend: Backend, call: Call, mode: str) -> SecondOrder:
    return backend.second(call, mode)


class CompiledCalls:
    """The compiled functions of the dtype and shape that are being evaluated.

    Cases of one signature follow each other, so each function is compiled once and serves all of
    them.

    Attributes:
        key: backend, dtype and shape that the functions are for; None before the first case.
        second: the method of this name of `Backend`, called as `(backend, call, mode)`; what it
            returns is remembered.
    """

    def __init__(self) -> None:
        self.key: tuple[Backend, str, tuple[int, ...]] | None = None
        self._forward = lru_cache(_MOST_COMPILED)(_forward)
        self._both = lru_cache(_MOST_COMPILED)(_both)
        self.second = lru_cache(_MOST_COMPILED)(_second)

    def forward(self, backend: Backend, call: Call, mode: str) -> Forward:
        """Return what `Backend.forward` does, which is remembered."""
        return self._forward(backend, call, mode, backend.is_hurried)

    def forward_backward(self, backend: Backend, call: Call, mode: str) -> ForwardBackward:
        """Return what `Backend.forward_backward` does, which is remembered."""
        return self._both(backend, call, mode, backend.is_hurried)

    def prepare(self, backend: Backend, case: Case) -> None:
        """Clear compiled functions when dtype or shape changes: they will not be called again."""
        key = (backend, case.dtype, case.sizes)
        if key != self.key:
            self._clear()
            if not backend.is_guest:
                backend.forget()
            self.key = key

    def _clear(self) -> None:
        for remembered in (self._forward, self._both, self.second):
            remembered.cache_clear()


CALLS = Clock()
COMPILED = CompiledCalls()


def evaluate(backend: Backend, name: str, mode: str, case: Case) -> Observation:
    """Evaluate an implementation on a case.

    Args:
        backend: the framework.
        name: of the implementation.
        mode: how it is run.
        case: the inputs and options.

    Returns:
        Value and gradients in the dtypes that the framework returned, or failures; of large arrays
        only the rows that are judged.
    """
    COMPILED.prepare(backend, case)
    inputs = case.inputs()
    call = call_for(backend.implementations[name], case, inputs)
    begin = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cotangent = case.cotangent(call.shape)
        found = evaluated(backend, mode, call, inputs, cotangent, layout=case.layout)
    seconds = time.perf_counter() - begin
    said = dict.fromkeys(one_line(str(warning.message)) for warning in caught)
    sent = {quantity: judged_part(answer, case) for quantity, answer in found.answers.items()}
    return Observation(case.id, name, mode, sent, seconds, "; ".join(said), mutates=found.mutates)


def asked_without_fault(backend: Backend, case: Case, observation: Observation) -> Observation:
    """Return an observation with how the same question is answered with its fault taken out.

    Only an error or a NaN makes this question worth asking: it may be what any question gets.

    Args:
        backend: the framework.
        case: the inputs and options.
        observation: the answer to them.
    """
    if kind_of_answer(observation.answers["value"]) not in ("error", "nan"):
        return observation
    plain = without_fault(case)
    name, mode = observation.implementation, observation.mode
    if plain is None or backend.implementations[name].unsupported(plain):
        return observation
    value = evaluate_quantity(backend, name, mode, plain, VALUE, all_gradients=False)
    return replace(observation, without_fault=kind_of_answer(value))


def evaluate_quantity(
    backend: Backend, name: str, mode: str, case: Case, quantity: str, *, all_gradients: bool
) -> NDArray[Any] | Failure:
    """Evaluate one quantity of an implementation.

    Args:
        backend: the framework.
        name: of the implementation.
        mode: how it is run.
        case: the inputs and options.
        quantity: `value`, a gradient such as `gradient_logits`, or `hvp_logits`.
        all_gradients: whether all gradients of the case are computed in the same call, as in a run.
    """
    COMPILED.prepare(backend, case)
    implementation, inputs = backend.implementations[name], case.inputs()
    reason = implementation.unsupported(case)
    if reason:
        return Failure("unsupported", reason)
    call = call_for(implementation, case, inputs)
    if not all_gradients:
        by_hand = backend.description.has_handwritten_gradients
        call = replace(call, wrt=wrt_for(quantity, by_hand=by_hand))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if quantity == HVP_LOGITS:
            return judged_part(second_derivative(backend, mode, call, case, inputs), case)
        cotangent = case.cotangent(call.shape)
        answers = evaluated(backend, mode, call, inputs, cotangent, layout=case.layout).answers
    return judged_part(answers.get(quantity, NO_GRADIENT), case)


def wrt_for(quantity: str, *, by_hand: bool) -> tuple[str, ...]:
    """Return the arguments to differentiate with respect to, for one quantity.

    A hand-written vector-Jacobian product always computes the gradient with respect to the values,
    so this argument is included where only the other gradient is wanted.

    >>> wrt_for("gradient_target", by_hand=False)
    ('target',)
    """
    if quantity == "gradient_target":
        return ("values", "target") if by_hand else ("target",)
    for name, gradient in LINEAR_GRADIENTS.items():
        if quantity == gradient:  # by hand the gradients come together, the first ones first
            names = tuple(LINEAR_GRADIENTS)
            return names[: names.index(name) + 1] if by_hand else (name,)
    return () if quantity == "value" else ("values",)


@dataclass(frozen=True)
class Evaluated:
    """What one question gives.

    Attributes:
        answers: an array or a failure for each quantity.
        mutates: the arguments to whose arrays the function wrote, by the contract's names.
    """

    answers: Answers
    mutates: tuple[Argument, ...] = ()


def value_and_gradients(
    backend: Backend, mode: str, call: Call, inputs: Inputs, cotangent: Floats
) -> Answers:
    """Return the answers of `evaluated` alone."""
    return evaluated(backend, mode, call, inputs, cotangent).answers


def evaluated(
    backend: Backend,
    mode: str,
    call: Call,
    inputs: Inputs,
    cotangent: Floats,
    *,
    layout: str = "",
) -> Evaluated:
    """Return the value and the gradients with respect to `call.wrt`.

    Args:
        backend: the framework.
        mode: how the implementation is run.
        call: the implementation with its options.
        inputs: the arrays.
        cotangent: weights of the value's elements, of shape `call.shape`.
        layout: layout of the inputs in memory, a name of `cases.layouts`; empty for contiguous.

    Returns:
        The answers. If the gradients fail, the value is computed alone, so that it can still be
        judged.
    """
    quantities = ["value", *gradients_of(call)]
    seeds = (cotangent,) if call.wrt else ()
    try:
        given = Given.of(backend, call, inputs, seeds, layout)
    except ValueError as error:  # PyTorch has no negative strides
        return Evaluated(dict.fromkeys(quantities, Failure.of("unsupported", error)))
    if not call.wrt:
        found = _value_only(backend, mode, call, given, quantities, None)
        return Evaluated(found, given.mutated())
    function = COMPILED.forward_backward(backend, call, mode)
    # The try statements surround the framework's calls only: a defect of this program must not
    # look like an answer.
    try:
        with CALLS.running():
            value, gradients = function(*given.arrays)
    except BaseException as error:  # noqa: BLE001 -- whatever it raises is an answer
        # The call that failed may have changed or consumed its arrays.
        again = Given.of(backend, call, inputs, (), layout)
        found = _value_only(backend, mode, call, again, quantities, error)
        return Evaluated(found, again.mutated())
    with CALLS.running():  # an asynchronous framework is waited for when its result is read
        found = {
            quantity: NO_GRADIENT
            if result is None and quantity != "value"
            else converted(backend, result)
            for quantity, result in zip(quantities, [value, *gradients], strict=True)
        }
    return Evaluated(found, given.mutated())


def second_derivative(
    backend: Backend, mode: str, call: Call, case: Case, inputs: Inputs
) -> NDArray[Any] | Failure:
    """Return the Hessian-vector product along `case.direction()`.

    It is the derivative, along that direction, of the gradient with respect to the first argument.

    Returns:
        An array of the values' shape and dtype, or a failure.
    """
    given = Given.of(backend, call, inputs, (case.cotangent(call.shape), case.direction()))
    try:
        with CALLS.running():
            result = COMPILED.second(backend, call, mode)(*given.arrays)
    except NotImplementedError as error:
        return Failure.of("unsupported", error)
    except BaseException as error:  # noqa: BLE001 -- whatever it raises is an answer
        return Failure.of("raised", error)
    with CALLS.running():
        return NO_GRADIENT if result is None else converted(backend, result)


def _value_only(
    backend: Backend,
    mode: str,
    call: Call,
    given: Given,
    quantities: Sequence[str],
    error: BaseException | None,
) -> Answers:
    """Return the value alone; the gradients become failures.

    Args:
        backend: the framework.
        mode: how the implementation is run.
        call: the implementation with its options.
        given: the arguments, on the device.
        quantities: `value` and the quantities of the gradients.
        error: why the gradients failed; None if none are wanted.
    """
    # If differentiation is not implemented, the gradients are unsupported rather than wrong,
    # unless the value is not implemented either. A value of a wrong shape has no gradients: the
    # error of the backward pass is then only its consequence.
    failure = Failure("raised", one_line(error))
    if error is not None:
        failure = replace(_failure(backend, error), error="")
    found: Answers = dict.fromkeys(quantities, failure)
    try:
        with CALLS.running():
            value = COMPILED.forward(backend, call, mode)(*given.arrays)
    except BaseException as again:  # noqa: BLE001 -- whatever it raises is an answer
        if isinstance(error, NotImplementedError) and not isinstance(again, NotImplementedError):
            found = dict.fromkeys(quantities, Failure("unsupported", failure.message))
        return {**found, "value": _failure(backend, again)}
    if isinstance(error, NotImplementedError):
        found = dict.fromkeys(quantities, Failure("unsupported", failure.message))
    with CALLS.running():
        found["value"] = array = converted(backend, value)
    if isinstance(array, np.ndarray) and array.shape != call.shape:
        shapes = f"shape {array.shape}, where {call.shape} is due"
        lost = Failure(
            "mismatched",
            f"no gradient of a value of {shapes}",
            shape=array.shape,
            is_of_value=True,
        )
        found.update(dict.fromkeys(quantities[1:], lost))
    return found


def _failure(backend: Backend, error: BaseException) -> Failure:
    """Return what an error says of the function that raised it."""
    reason = backend.why_not_theirs(error)
    if reason:
        return Failure("unsupported", f"{reason}: {one_line(error)}")
    return Failure.of("raised", error)


def value_alone(
    backend: Backend, call: Call, case: Case
) -> tuple[NDArray[Any] | Failure, tuple[Argument, ...]]:
    """Return the value of an eager call that records nothing for a gradient.

    Returns:
        The value, and the arguments to whose arrays the function wrote.
    """
    given = Given.of(backend, call, case.inputs(), (), case.layout)
    found = _value_only(backend, EAGER, call, given, ["value"], None)
    return found["value"], given.mutated()


def judged_part(answer: NDArray[Any] | Failure, case: Case) -> NDArray[Any] | Failure:
    """Return the part of an answer that is sent back to be judged: of large arrays the first rows.

    Args:
        answer: an array or a failure.
        case: the case that was evaluated.
    """
    if isinstance(answer, Failure):
        return answer
    if answer.nbytes > _LARGE and answer.shape not in ((), case.shape):
        message = f"shape {answer.shape}, where nothing of that size is due"
        return Failure("mismatched", message, shape=answer.shape)
    if not case.shape or answer.shape[:1] != case.shape[:1]:
        return answer
    return answer[: case.judged_rows]


def converted(backend: Backend, value: Any) -> NDArray[Any] | Failure:
    """Return a result of the framework as a NumPy array, or why it is none."""
    try:
        array = backend.to_numpy(value)
    except Exception as error:  # noqa: BLE001 -- a user's function may return anything
        return Failure.of("mismatched", error)
    if array.dtype.kind not in "biuf" and format_of(array.dtype) is None:
        return Failure("mismatched", f"dtype {array.dtype.name}, which holds no real numbers")
    return array
