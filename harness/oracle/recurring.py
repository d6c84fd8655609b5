"""Solve a case of very many rows, of which each is computed once, however often it recurs.

A row is what belongs to one index of the first axis: of the first argument, of the target and of
the cotangent. Without a reduction its answer depends on nothing else but the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.model import Case, Inputs
from .pairs import Floats
from .solution import ClasswiseTerms, Convention, ElementwiseTerms, Solution

Solver = Callable[[Case, Inputs, Convention], Solution]
_MANY = 4096  # rows; fewer are computed as fast as they are compared
_WORTH = 4  # times as many rows as different ones


@dataclass(frozen=True)
class _Chosen(Case):
    """Some rows of a case, with the cotangents that belong to them.

    Attributes:
        cotangents: the cotangent of the result.
    """

    cotangents: Floats = field(default_factory=lambda: np.zeros(0), compare=False, repr=False)

    def cotangent(self, shape: tuple[int, ...]) -> Floats:
        return self.cotangents.reshape(shape)


def once_each(solver: Solver) -> Solver:
    """Return a solver that gives the same answers, and solves equal rows once.

    Args:
        solver: solves rows independently of each other where there is no reduction.
    """

    def solve_once(case: Case, inputs: Inputs, convention: Convention) -> Solution:
        if not _has_independent_rows(case):
            return solver(case, inputs, convention)
        cotangents = case.cotangent(_result_shape(case))
        arrays = [inputs.values, cotangents]
        arrays += [] if inputs.target is None else [inputs.target]
        first, place = _distinct(arrays)
        if _WORTH * len(first) > case.shape[0]:
            return solver(case, inputs, convention)
        chosen = _Chosen(
            **{item.name: getattr(case, item.name) for item in fields(Case)},
            cotangents=cotangents[first],
        )
        values = inputs.values[first]
        target = None if inputs.target is None else inputs.target[first]
        chosen = replace(chosen, shape=values.shape)
        solution = solver(chosen, replace(inputs, values=values, target=target), convention)
        return _spread(solution, place)

    return solve_once


def _has_independent_rows(case: Case) -> bool:
    is_reduced = case.contract.is_loss and case.options.reduction != "none"
    rows = case.shape[0] if case.shape else 0
    if is_reduced or rows < _MANY:
        return False
    # More rows of classes than indices of the first axis would have to be spread in groups.
    return case.class_axis == 1 and case.shape[2:] in ((), (1,) * (len(case.shape) - 2))


def _result_shape(case: Case) -> tuple[int, ...]:
    """Return the shape that the cotangent has: that of the value."""
    has_classes = not case.contract.reads_classes or (
        not case.contract.is_loss and case.operation != "logsumexp"
    )
    return case.shape if has_classes else (case.shape[0], *case.shape[2:])


def _distinct(arrays: list[NDArray[Any]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return an index for each different row, and for every row the place of the one it equals."""
    rows = len(arrays[0])
    parts = [np.ascontiguousarray(array).reshape(rows, -1).view(np.uint8) for array in arrays]
    bits = np.concatenate(parts, axis=1)
    whole = bits.view(np.dtype((np.void, bits.shape[1])))[:, 0]
    _, first, place = np.unique(whole, return_index=True, return_inverse=True)
    return first, place


def _spread(solution: Solution, place: NDArray[np.intp]) -> Solution:
    """Return the answers to all rows, given those to the different ones."""

    def spread(array: NDArray[Any]) -> NDArray[Any]:
        return array[place] if array.ndim else array

    terms = solution.terms
    if isinstance(terms, ClasswiseTerms | ElementwiseTerms):
        parts = {item.name: spread(getattr(terms, item.name)) for item in fields(terms)}
        terms = type(terms)(**parts)
    quantities = {name: exact.map(spread) for name, exact in solution.quantities.items()}
    losses = solution.row_losses
    return replace(
        solution,
        quantities=quantities,
        terms=terms,
        row_losses=spread(losses) if losses.size else losses,
    )
