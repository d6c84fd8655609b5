"""Check whether answers to one case agree with each other, by their bits or within sound bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...backends.base import result_shape
from ...backends.claim import Claim
from ...cases.dtypes import format_of
from ...cases.model import Case, Inputs
from ..answers import (
    GRADIENT_LOGITS,
    GRADIENT_TARGET,
    LINEAR_GRADIENTS,
    Answers,
    Failure,
    ProbeAnswers,
    Quantity,
)
from ..bounds import SOUND, Arrays, ladder_of
from ..oracle import Floats
from ..verdicts import AGAIN
from .exact import exact_pairs, where_agreed
from .forms import Answered, AnswerPair, Form, Relation
from .metamorphic import RELATIONS

# The gradients of all other operations, by the arguments with respect to which they are.
_GRADIENTS: dict[str, Quantity] = {"values": GRADIENT_LOGITS, "target": GRADIENT_TARGET}


@dataclass(frozen=True)
class RelationCheck:
    """The result of comparing an answer with that to a repeated call or to a transformed input.

    Attributes:
        relation: its name in `verdicts.RELATION_MEANINGS` or `verdicts.REPETITION_MEANINGS`.
        quantity: the quantity that is compared.
        holds: whether both agree, either by their bits or within the bounds of a sound algorithm
            or of an explanation.
        difference: the largest absolute difference.
        ratio: the largest difference over the sum of the sound bounds.
        where: the index of the worst element, as text.
        left, right: the two numbers there, as text.
        note: the explanation, or the reason why there is no second answer.
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
    """Compare the answers to a case with those to a repeated call and to transformed inputs.

    Args:
        case: the case that the implementation was called with.
        claim: the claim of the implementation, which decides the relations that apply.
        probe: the answers of the implementation.

    Returns:
        One check for each relation and each quantity that both answers have.
    """
    inputs = case.inputs()
    form = Form(case, inputs, case.cotangent(result_shape(case)))
    checks = list(_repetition(probe.first, probe.second))
    plain = Answered(form, comparable(case, inputs, probe.first))  # its bounds serve all relations
    for relation in RELATIONS:
        if "value" in plain.answers and relation.holds_for(case, claim):
            checks += _relation(relation, plain, probe.forms.get(relation.name, ()))
    return checks


def comparable(case: Case, inputs: Inputs, answers: Answers) -> Arrays:
    """Return the answers that can be compared: real numbers in the expected shape, as float64.

    Args:
        case: the case, whose shape decides that of the value.
        inputs: its arrays, which decide the shapes of the gradients.
        answers: the answers, any of which may be a failure.
    """
    expected = {"value": result_shape(case)}
    gradients = LINEAR_GRADIENTS if case.contract.is_linear else _GRADIENTS
    for name, quantity in gradients.items():
        array = getattr(inputs, name)
        if array is not None:
            expected[quantity] = array.shape
    return {
        quantity: answer.astype(np.float64)
        for quantity, answer in answers.items()
        if not isinstance(answer, Failure)
        and format_of(answer.dtype)
        and answer.shape == expected[quantity]
    }


def _repetition(first: Answers, second: Answers) -> Iterator[RelationCheck]:
    """Yield a check of each quantity: two identical calls must give the same bits."""
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
    """Yield the checks of the original answer against those to the transformed inputs.

    A missing value ends the comparison, since the relation combines all of them; a missing
    gradient only takes its own quantity out of it.
    """
    forms, others = relation.forms(plain.form), []
    exact = None
    if plain.form.case.contract.is_defined:
        exact = exact_pairs(relation, plain.form, forms)
        if exact is None:
            return
    for form, found in zip(forms, answers, strict=True):
        numbers = comparable(form.case, form.inputs, found)
        if "value" not in numbers:
            yield RelationCheck(relation.name, "value", False, note=_why_not(found["value"]))
            return
        for quantity in plain.answers.keys() - numbers.keys():
            note = _why_not(found.get(quantity, Failure("unsupported", "not given")))
            yield RelationCheck(relation.name, quantity, False, note=note)
        others.append(Answered(form, numbers))
    for pair in relation.compare(plain, tuple(others)):
        agreed = pair if exact is None else where_agreed(pair, exact[pair.quantity])
        yield _compared(relation, plain.form.case, agreed)


def _why_not(answer: NDArray[Any] | Failure) -> str:
    """Return the reason why an answer cannot be compared."""
    if isinstance(answer, Failure):
        return answer.message
    return f"{answer.dtype.name} of shape {answer.shape}"


def _compared(relation: Relation, case: Case, pair: AnswerPair) -> RelationCheck:
    """Return whether two answers agree within the sound bounds, or those of an explanation."""
    # Equal numbers have ratio 0 even where the bound is 0, and need none.
    error = differences(pair.left, pair.right)
    sound = pair.limit(SOUND) if error.any() else error
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error > 0, error / sound, 0.0)
    worst = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    # The pair of numbers with the largest ratio is the one that a reader wants to see.
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
    # An explanation must cover all elements, as an algorithm computes the whole array.
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
    """Return absolute differences; 0 where both are the same infinity or NaN, inf for one NaN.

    Args:
        left: one array.
        right: the other one, of a shape that broadcasts.

    >>> differences(np.array([1.0, np.inf, np.nan]), np.array([1.5, np.inf, 0.0]))
    array([0.5, 0. , inf])
    """
    with np.errstate(invalid="ignore"):
        error = np.abs(left - right)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    return np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))


def _largest(array: Floats) -> float:
    return float(array.max(initial=0.0))
