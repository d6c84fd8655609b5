"""Whether answers to one question agree with each other: judged by bits, or by the sound bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backends.base import Claim, result_shape
from ...cases.dtypes import format_of
from ...cases.model import Case, Inputs
from ..answers import Answers, Failure, ProbeAnswers
from ..bounds import SOUND, Arrays, ladder_of
from ..oracle import Floats
from ..verdicts import AGAIN
from .metamorphic import RELATIONS, Answered, AnswerPair, Form, Relation


@dataclass(frozen=True)
class RelationCheck:
    """How an answer compares with one to another form of the same question.

    Attributes:
        relation: its name in `verdicts.RELATION_MEANINGS` or `verdicts.REPETITION_MEANINGS`.
        quantity: which answer.
        holds: whether both agree: by their bits, within the sound bounds, or within those of an
            explanation.
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


def check_probe(case: Case, claim: Claim, probe: ProbeAnswers) -> list[RelationCheck]:
    """Compare the answers to a question that was asked again, and in other forms.

    Args:
        case: the question.
        claim: of the implementation that was asked.
        probe: its answers.
    """
    inputs = case.inputs()
    form = Form(case, inputs, case.cotangent(result_shape(case)))
    checks = list(_repetition(probe.first, probe.second))
    numbers = comparable(case, inputs, probe.first)
    for relation in RELATIONS:
        if "value" in numbers and relation.holds_for(case, claim):
            answers = probe.forms.get(relation.name, ())
            checks += _relation(relation, Answered(form, numbers), answers)
    return checks


def comparable(case: Case, inputs: Inputs, answers: Answers) -> Arrays:
    """Return the answers that can be compared: real numbers in the expected shape, as float64."""
    expected = {"value": result_shape(case), "gradient_logits": inputs.values.shape}
    if inputs.target is not None:
        expected["gradient_target"] = inputs.target.shape
    return {
        quantity: answer.astype(np.float64)
        for quantity, answer in answers.items()
        if not isinstance(answer, Failure)
        and format_of(answer.dtype)
        and answer.shape == expected[quantity]
    }


def _repetition(first: Answers, second: Answers) -> Iterator[RelationCheck]:
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


def _relation(
    relation: Relation, plain: Answered, answers: tuple[Answers, ...]
) -> Iterator[RelationCheck]:
    """Compare the plain answer with those to the other forms, as far as there are any."""
    others = []
    for form, found in zip(relation.forms(plain.form), answers, strict=True):
        numbers = comparable(form.case, form.inputs, found)
        if "value" not in numbers:
            yield RelationCheck(relation.name, "value", False, note=_why_not(found["value"]))
            return
        for quantity in plain.answers.keys() - numbers.keys():
            note = _why_not(found.get(quantity, Failure("unsupported", "not given")))
            yield RelationCheck(relation.name, quantity, False, note=note)
        others.append(Answered(form, numbers))
    for pair in relation.compare(plain, tuple(others)):
        yield _compared(relation, plain.form.case, pair)


def _why_not(answer: NDArray[Any] | Failure) -> str:
    if isinstance(answer, Failure):
        return answer.message
    return f"{answer.dtype.name} of shape {answer.shape}"


def _compared(relation: Relation, case: Case, pair: AnswerPair) -> RelationCheck:
    """Return whether two answers agree within the sound bounds, or those of an explanation."""
    error, sound = differences(pair.left, pair.right), pair.limit(SOUND)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error > 0, error / sound, 0.0)
    worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    check = RelationCheck(
        relation.name,
        pair.quantity,
        bool((error <= sound).all()),
        _largest(error),
        _largest(ratio),
        where=str(list(map(int, worst))) if pair.left.ndim else "",
        left=repr(float(pair.left[worst])),
        right=repr(float(pair.right[worst])),
    )
    if check.holds:
        return check
    explanation = next(
        (
            word
            for word, algorithm in ladder_of(case.dtype)
            if bool((error <= pair.limit(algorithm)).all())
        ),
        "",
    )
    return replace(check, holds=bool(explanation), note=explanation)


def differences(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return absolute differences; 0 where both are the same infinity or NaN, inf for one NaN."""
    with np.errstate(invalid="ignore"):
        error = np.abs(left - right)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    return np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))


def _largest(array: Floats) -> float:
    return float(array.max(initial=0.0))
