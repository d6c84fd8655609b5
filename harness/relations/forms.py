"""Define what a relation is made of: forms of a question, their answers, and pairs to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...backends.claim import Claim
from ...cases.model import Case, Inputs
from ..bounds import Algorithm, Arrays, bound, float64_solution
from ..formula import Answers
from ..oracle import Floats, Solution

# Gradients that are sums over the rows of a batch; all other arrays have a row for each.
OVER_ROWS = ("gradient_linear_weight", "gradient_linear_bias")


@dataclass(frozen=True)
class Form:
    """A case in its original or a transformed form, as arrays.

    Attributes:
        case: the case; its `inputs()` are those of the original form.
        inputs: the arrays of this form.
        cotangent: the cotangent of the result, in its shape.
    """

    case: Case
    inputs: Inputs
    cotangent: Floats

    @cached_property
    def by_formula(self) -> Answers | None:
        """The right answers and bounds of an operation that a user has defined."""
        is_defined = self.case.contract.is_defined
        return Answers(self.case, self.inputs, self.cotangent) if is_defined else None


@dataclass(frozen=True)
class Answered:
    """A form with its answers as float64 arrays."""

    form: Form
    answers: Arrays

    @property
    def case(self) -> Case:
        """The case with the arrays of this form as its own."""
        return replace(self.form.case, given=self.form.inputs)

    @cached_property
    def solution(self) -> Solution:
        """The terms of the bounds."""
        return float64_solution(self.form.case, self.form.inputs, self.form.cotangent, self.answers)

    def bound(self, quantity: str, algorithm: Algorithm) -> Floats:
        """Return the largest error of an algorithm in a quantity, element by element."""
        key = quantity, algorithm
        if key not in self._bounds:
            self._bounds[key] = (
                bound(self.case, self.solution, quantity, algorithm)
                if self.form.by_formula is None
                else self.form.by_formula.bound(quantity, algorithm)
            )
        return self._bounds[key]

    @cached_property
    def _bounds(self) -> dict[tuple[str, Algorithm], Floats]:
        """The bounds so far."""
        return {}


Limit = Callable[[Algorithm], Floats]


@dataclass(frozen=True)
class AnswerPair:
    """Two arrays that must agree within a limit, which depends on the algorithm.

    Attributes:
        quantity: the quantity that is compared.
        left, right: the two arrays, in one shape.
        limit: a function that returns the largest difference for an algorithm.
    """

    quantity: str
    left: Floats
    right: Floats
    limit: Limit


@dataclass(frozen=True)
class Relation:
    """A relation between answers of one implementation.

    Attributes:
        name: its name in the verdict `relation:NAME`; `verdicts.RELATION_MEANINGS` states it.
        holds_for: a predicate of the cases and implementations that the relation applies to; of an
            operation that a user has defined its formula says whether it holds (`exact`).
        forms: a function that returns the transformed forms of a form.
        compare: a function that yields the pairs to compare, given the original answer and those
            to the transformed forms.
    """

    name: str
    holds_for: Callable[[Case, Claim], bool]
    forms: Callable[[Form], tuple[Form, ...]]
    compare: Callable[[Answered, tuple[Answered, ...]], Iterator[AnswerPair]]


def summed(parts: list[tuple[Answered, str, Callable[[Floats], Floats]]]) -> Limit:
    """Return the limit that is the sum of the bounds of some answers.

    Args:
        parts: for each answer the quantity, and a function that gives its bounds a common shape.
    """

    def limit(algorithm: Algorithm) -> Floats:
        total: Floats = np.zeros(())
        for answered, quantity, shaped in parts:
            total = total + shaped(answered.bound(quantity, algorithm))
        return total

    return limit


def same(array: Floats) -> Floats:
    """Return the array unchanged."""
    return array


def pairwise(
    one: Answered, other: Answered, change: dict[str, Callable[[Floats], Floats]]
) -> Iterator[AnswerPair]:
    """Yield every quantity of one answer with that of the other, transformed back.

    Args:
        one: the original answer.
        other: the answer to the transformed form.
        change: for a quantity the linear function that transforms it back; none for the identity.
    """
    for quantity in one.answers:
        # A quantity that only one form has is reported by `checks`, and has no pair.
        if quantity not in other.answers:
            continue
        back = change.get(quantity, same)
        limit = summed([(one, quantity, same), (other, quantity, lambda b, f=back: np.abs(f(b)))])  # type: ignore[misc]
        yield AnswerPair(quantity, one.answers[quantity], back(other.answers[quantity]), limit)
