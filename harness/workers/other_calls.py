"""Put the same question in other ways: without a gradient, and with a second backward pass.

A backward pass may spoil what it needs: it scales a saved tensor in place, so that the second pass
through the same graph gives another gradient. And a function may compute its value in one way where
a gradient is wanted and in another where it is not. What differs is judged like the first answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from ...backends import AS_WRITTEN
from ...backends.base import Backend, Call, call_for
from ...cases.everyday import EVERYDAY_VALUES
from ...cases.model import Case
from ..answers import (
    VALUE,
    Failure,
    Observation,
    OtherAnswer,
    OtherCall,
    Quantity,
    fingerprint,
)
from ..verdicts import SECOND_BACKWARD, WITH_GRADIENT
from .evaluate import NO_GRADIENT, converted, gradients_of, judged_part, value_alone
from .given import Given

_NOT_OFFERED = ("not supported", "unsupported", "not implemented")


def with_other_calls(backend: Backend, case: Case, observation: Observation) -> Observation:
    """Return an observation with the answers to the other calls.

    They are made in eager mode, where no other program is compiled for them: for users' own
    functions, and for all functions on probed cases. The second backward pass is for probed and
    for everyday numbers only, as it does not depend on them.

    Args:
        backend: the framework.
        case: the case that was observed.
        observation: its answers.
    """
    implementation = backend.implementations[observation.implementation]
    call = call_for(implementation, case, case.inputs())
    is_own = implementation.kind == "user"
    is_differentiated = bool(call.wrt) and any(
        not isinstance(answer, Failure)
        for quantity, answer in observation.answers.items()
        if quantity != VALUE
    )
    if (
        observation.mode not in AS_WRITTEN
        or not is_differentiated
        or not (is_own or case.is_probed)
    ):
        return observation
    is_plain = case.is_probed or case.family in EVERYDAY_VALUES.values()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, mutates = value_alone(backend, call, case)
        others = [_other(WITH_GRADIENT, VALUE, judged_part(value, case), observation)]
        others += list(_second_backward(backend, call, case, observation)) if is_plain else []
    mutates = tuple(dict.fromkeys((*observation.mutates, *mutates)))
    return replace(observation, others=tuple(others), mutates=mutates)


def _second_backward(
    backend: Backend, call: Call, case: Case, observation: Observation
) -> Iterator[OtherAnswer]:
    """Yield each gradient of the second pass through one graph."""
    function = backend.backward_twice(call)
    if function is None:
        return
    quantities = gradients_of(call)
    cotangent = case.cotangent(call.shape)
    try:
        given = Given.of(backend, call, case.inputs(), (cotangent, cotangent), case.layout)
    except ValueError:  # there are no such arrays, and the first answer says so
        return
    try:
        first, again = function(*given.arrays)
    except BaseException as error:  # noqa: BLE001 -- whatever it raises is an answer
        if _is_not_offered(error):
            return
        for quantity in quantities:
            failure = Failure.of("raised", error)
            yield _other(SECOND_BACKWARD, quantity, failure, observation)
        return
    for quantity, one, other in zip(quantities, first, again, strict=True):
        if one is None:
            continue
        answers = [
            judged_part(NO_GRADIENT if it is None else converted(backend, it), case)
            for it in (one, other)
        ]
        same = _bits(answers[0]) == _bits(answers[1])
        yield OtherAnswer(SECOND_BACKWARD, quantity, None if same else answers[1])


def _is_not_offered(error: BaseException) -> bool:
    """Return whether an error says that there is no second pass, which nobody is silently wrong by.

    >>> _is_not_offered(RuntimeError("backward called twice; retain_graph=True is not supported."))
    True
    """
    return isinstance(error, NotImplementedError) or any(
        said in str(error).lower() for said in _NOT_OFFERED
    )


def _other(
    relation: OtherCall,
    quantity: Quantity,
    answer: NDArray[Any] | Failure,
    observation: Observation,
) -> OtherAnswer:
    same = _bits(answer) == _bits(observation.answers[quantity])
    return OtherAnswer(relation, quantity, None if same else answer)


def _bits(answer: NDArray[Any] | Failure) -> object:
    return answer if isinstance(answer, Failure) else fingerprint(answer)
