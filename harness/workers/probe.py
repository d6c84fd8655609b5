"""Make the extra calls of one case: repeated, with transformed inputs, and of second order.

The answers are compared in the judging process (`harness.relations`), not here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from ...backends import EAGER
from ...backends.base import Backend, Call, call_for
from ...cases.model import Case
from ..answers import HVP_LOGITS, Answers, Failure, Observation, ProbeAnswers, fingerprint
from ..relations import RELATIONS, Form
from .evaluate import second_derivative, value_and_gradients


def probe(backend: Backend, mode: str, case: Case, observation: Observation) -> Observation:
    """Return an observation with its Hessian-vector product and the answers to the extra calls.

    Args:
        backend: the framework.
        mode: how the implementation is run.
        case: the case that was observed.
        observation: its answers.
    """
    inputs = case.inputs()
    implementation = backend.implementations[observation.implementation]
    call, is_own = call_for(implementation, case, inputs), implementation.kind == "user"

    def answered(form: Form) -> Answers:
        other = call_for(implementation, form.case, form.inputs)
        if is_own and form.inputs.values.shape != inputs.values.shape:
            return _in_new_shape(backend, mode, other, form)
        return value_and_gradients(backend, mode, other, form.inputs, form.cotangent)

    plain = Form(case, inputs, case.cotangent(call.shape))
    first = answered(plain)
    second = _sharing(first, answered(plain))
    forms: dict[str, tuple[Answers, ...]] = {}
    for relation in RELATIONS:
        # A relation compares its transformed calls with the value of the plain call.
        is_asked = relation.holds_for(case, implementation.claim)
        if is_asked and not isinstance(first["value"], Failure):
            forms[relation.name] = tuple(map(answered, relation.forms(plain)))
    found = dict(observation.answers)
    if call.wrt and case.operation != "cross_entropy_probs" and not case.contract.is_linear:
        # For probabilities over classes the frameworks' conventions differ, and the oracle has no
        # second derivative of them, nor of linear losses.
        found[HVP_LOGITS] = second_derivative(backend, mode, call, case, inputs)
    return replace(observation, answers=found, probe=ProbeAnswers(first, second, forms))


def _in_new_shape(backend: Backend, mode: str, call: Call, form: Form) -> Answers:
    """Return the answers to a form whose shape is asked once.

    Where a framework compiles each operator of an eager call for each shape, such a form of a
    user's function is asked in its quickest mode; eagerly only if that fails.
    """
    quickest = backend.description.quickest
    if mode == EAGER and quickest != EAGER:
        with backend.hurried():
            found = value_and_gradients(backend, quickest, call, form.inputs, form.cotangent)
        if not any(isinstance(answer, Failure) for answer in found.values()):
            return found
    return value_and_gradients(backend, mode, call, form.inputs, form.cotangent)


def _sharing(first: Answers, second: Answers) -> Answers:
    """Return the second answers; what has the bits of the first is sent to the judge once."""
    return {
        quantity: first[quantity] if _bits(answer) == _bits(first[quantity]) else answer
        for quantity, answer in second.items()
    }


def _bits(answer: NDArray[Any] | Failure) -> object:
    return answer if isinstance(answer, Failure) else fingerprint(answer)
