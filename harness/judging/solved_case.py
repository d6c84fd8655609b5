"""Pair a case with its right answers, which are solved once for all implementations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...cases.model import Case, Inputs
from ..answers import HVP_LOGITS
from ..bounds import Algorithm, bound
from ..formula import Answers
from ..oracle import CONTRACT, Convention, Floats, Solution, solve, solve_second
from .conventions import conventions_for
from .steps import Formula
from .verdict import Verdict


@dataclass(frozen=True)
class SolvedCase:
    """A case with its arrays and right answers, which are computed when they are first needed.

    Attributes:
        case: the operation, dtype, shape and options.
        inputs: the arrays of the case.
    """

    case: Case
    inputs: Inputs

    @cached_property
    def judged(self) -> dict[tuple[str, str], Verdict]:
        """The verdicts so far by quantity and fingerprint, as many functions give equal bits."""
        return {}

    @cached_property
    def mistaken(self) -> dict[tuple[str, str], Formula]:
        """The usual mistakes that were tried, by name and format of intermediate numbers."""
        return {}

    @cached_property
    def solution(self) -> Solution:
        """The right answer under the contract."""
        return self._solved(CONTRACT)

    @cached_property
    def alternatives(self) -> list[tuple[str, Solution]]:
        """The right answers under other conventions, each with the convention's name."""
        return [
            (name, solution)
            for name, convention in conventions_for(self.case)
            if not (solution := self._solved(convention)).refusal
        ]

    def under(self, convention: Convention) -> Solution:
        """Return the right answer under any convention, computed once."""
        if convention not in self._under:
            self._under[convention] = self._solved(convention)
        return self._under[convention]

    @cached_property
    def _under(self) -> dict[Convention, Solution]:
        """The right answers so far under conventions that are not tried on every answer."""
        return {}

    @property
    def accepts_errors(self) -> bool:
        """Whether an error is as good as any answer: nothing is agreed on, or a target is NaN."""
        # Without classes there is no softmax, even if no element is left to be undefined.
        case, target = self.case, self.inputs.target
        value = self.solution.quantities["value"].hi
        without_classes = case.contract.reads_classes and case.shape[case.class_axis] == 0
        # A probability that is NaN is not within [0, 1] either.
        has_nan = target is not None and bool(np.isnan(target.astype(np.float64)).any())
        return without_classes or has_nan or bool(value.size and np.isnan(value).all())

    def in_dtype(self, dtype: str) -> SolvedCase:
        """Return the same case with answers that are due in another dtype."""
        if dtype == self.case.dtype:
            return self
        if dtype not in self._in_dtypes:
            self._in_dtypes[dtype] = SolvedCase(replace(self.case, dtype=dtype), self.inputs)
        return self._in_dtypes[dtype]

    @cached_property
    def _in_dtypes(self) -> dict[str, SolvedCase]:
        return {}

    def bound(self, solution: Solution, quantity: str, algorithm: Algorithm) -> Floats:
        """Return the largest error of an algorithm, computed once.

        Args:
            solution: one of the right answers of this case.
            quantity: the name of the quantity.
            algorithm: the way in which the quantity was computed.

        Returns:
            Absolute errors as float64, in the shape of the quantity.
        """
        # The solutions live as long as this object, so that their ids stay unique.
        key = (id(solution), quantity, algorithm)
        if key not in self._bounds:
            self._bounds[key] = (
                bound(self.case, solution, quantity, algorithm)
                if self.by_formula is None
                else self.by_formula.bound(quantity, algorithm)
            )
        return self._bounds[key]

    @cached_property
    def by_formula(self) -> Answers | None:
        """The answers by formula; None where the operation is built in."""
        return Answers(self.case, self.inputs) if self.case.contract.is_defined else None

    @cached_property
    def _bounds(self) -> dict[tuple[int, str, object], Floats]:
        """The bounds so far, by solution, quantity and algorithm."""
        return {}

    def _solved(self, convention: Convention) -> Solution:
        """Return the answer under a convention, with the Hessian-vector product if it is probed."""
        if self.by_formula is not None:
            return self.by_formula.solution
        solution = solve(self.case, self.inputs, convention)
        if not self.case.is_probed or self.case.contract.is_linear or solution.refusal:
            return solution
        # Some conventions have no second derivative; their answers then lack that quantity.
        second = solve_second(self.case, self.inputs, convention)
        if second is None:
            return solution
        return replace(solution, quantities={**solution.quantities, HVP_LOGITS: second})


def solved_case(case: Case) -> SolvedCase:
    """Return a case with its own arrays, ready to be judged.

    >>> from lossdiff.cases.model import Case
    >>> solved = solved_case(Case.parse("softmax/float32/1x2/two_units/-/0"))
    >>> solved.solution.quantities["value"].shape
    (1, 2)
    """
    return SolvedCase(case, case.inputs())
