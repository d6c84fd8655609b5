"""Asking more closely: the same call again, other forms of the question, the second derivative."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backends.base import Backend, Call, call_for
from ...cases.dtypes import format_of
from ...cases.model import Case, Inputs
from ..answers import AGAIN, HVP_LOGITS, Failure, Observation, RelationCheck, differences
from ..bounds import LADDER, SOUND
from ..oracle import Floats
from ..relations import RELATIONS, Answered, AnswerPair, Form, Relation
from .evaluate import Answers, answers, second_derivative


def probe(backend: Backend, mode: str, case: Case, observation: Observation) -> Observation:
    """Return an observation with its second derivative, its repetition and its relations."""
    inputs = case.inputs()
    implementation = backend.implementations[observation.implementation]
    call = call_for(implementation, case, inputs)
    form = Form(case, inputs, case.cotangent(call.shape))
    first = answers(backend, mode, call, inputs, form.cotangent)
    related = list(_again(first, answers(backend, mode, call, inputs, form.cotangent)))
    plain = _numbers(first, call, inputs)
    for relation in RELATIONS:
        if "value" in plain and relation.holds_for(case, implementation.claim):
            related += _related(backend, mode, observation.implementation, relation,
                                Answered(form, plain))  # fmt: skip
    found = dict(observation.answers)
    if call.wrt and case.operation != "cross_entropy_probs":
        # From probabilities over classes conventions differ, and have no second derivative here.
        found[HVP_LOGITS] = second_derivative(backend, mode, call, case, inputs)
    return replace(observation, answers=found, related=tuple(related))


def _numbers(found: Answers, call: Call, inputs: Inputs) -> dict[str, Floats]:
    """Return the answers that can be compared: real numbers in the shape that is due."""
    due = {"value": call.shape, "gradient_logits": inputs.values.shape}
    if inputs.target is not None:
        due["gradient_target"] = inputs.target.shape
    return {
        quantity: answer.astype(np.float64)
        for quantity, answer in found.items()
        if not isinstance(answer, Failure)
        and format_of(answer.dtype)
        and answer.shape == due[quantity]
    }


def _again(first: Answers, second: Answers) -> Iterator[RelationCheck]:
    """The same call twice must give the same bits."""
    for quantity, one in first.items():
        other = second[quantity]
        if isinstance(one, Failure) or isinstance(other, Failure):
            continue
        same = one.shape == other.shape and one.tobytes() == other.tobytes()
        difference = 0.0
        if not same and one.shape == other.shape:
            difference = _largest(differences(one.astype(float), other.astype(float)))
        yield RelationCheck(AGAIN, quantity, same, difference, float(not same))


def _related(
    backend: Backend, mode: str, name: str, relation: Relation, plain: Answered
) -> Iterator[RelationCheck]:
    others = []
    for form in relation.forms(plain.form):
        call = call_for(backend.implementations[name], form.case, form.inputs)
        found = answers(backend, mode, call, form.inputs, form.cotangent)
        numbers = _numbers(found, call, form.inputs)
        if "value" not in numbers:
            yield RelationCheck(relation.name, "value", False, note=_why_not(found["value"]))
            return
        for quantity in plain.answers.keys() - numbers.keys():
            note = _why_not(found.get(quantity, Failure("unsupported", "not given")))
            yield RelationCheck(relation.name, quantity, False, note=note)
        others.append(Answered(form, numbers))
    for comparison in relation.compare(plain, tuple(others)):
        yield _compared(relation, plain.form.case, comparison)


def _why_not(answer: NDArray[Any] | Failure) -> str:
    if isinstance(answer, Failure):
        return answer.message
    return f"{answer.dtype.name} of shape {answer.shape}"


def _compared(relation: Relation, case: Case, comparison: AnswerPair) -> RelationCheck:
    """Whether two answers agree within the sound bounds, or within those of an explanation."""
    quantity, left, right = comparison.quantity, comparison.left, comparison.right
    error = differences(left, right)
    sound = comparison.limit(SOUND)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error > 0, error / sound, 0.0)
    worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    related = RelationCheck(
        relation.name, quantity, bool((error <= sound).all()), _largest(error), _largest(ratio),
        where=str(list(map(int, worst))) if left.ndim else "",
        left=repr(float(left[worst])), right=repr(float(right[worst])),
    )  # fmt: skip
    if related.holds:
        return related
    explanation = _explained(case, comparison, error)
    return replace(related, holds=bool(explanation), note=explanation)


def _explained(case: Case, comparison: AnswerPair, error: Floats) -> str:
    for name, algorithm in LADDER:
        if algorithm.narrow and case.dtype not in ("float16", "bfloat16"):
            continue
        if bool((error <= comparison.limit(algorithm)).all()):
            return name
    return ""


def _largest(array: Floats) -> float:
    return float(array.max(initial=0.0))
