"""Which functions keep their results, and which times no call can have taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.backends.base import Backend
from lossdiff.backends.numpy.adapter import NumpyBackend
from lossdiff.cases.model import Case
from lossdiff.harness.timing.fresh import copying_time, least_time, refuse_kept_results
from numpy.typing import NDArray

CASE = Case.parse("softmax/float32/4x10/normal/-/0")
SINGLE = Case.parse("softmax/float32/4x1/normal/-/0")
Function = Callable[[NDArray[Any]], NDArray[Any]]


def softmax(values: NDArray[Any]) -> NDArray[Any]:
    e = np.exp(values - values.max(-1, keepdims=True))
    found: NDArray[Any] = e / e.sum(-1, keepdims=True)
    return found


def by_identity() -> Function:
    kept: dict[int, NDArray[Any]] = {}
    return lambda values: kept.setdefault(id(values), softmax(values))


class WithoutWriting(NumpyBackend):
    """A framework whose arrays cannot be written."""

    overwrite = Backend.overwrite


def ask(function: Function, case: Case = CASE, *, writes: bool = True) -> None:
    backend = NumpyBackend() if writes else WithoutWriting()
    refuse_kept_results(backend, case, function, [case.inputs().values.copy()], 0)


@pytest.mark.parametrize("writes", [True, False])
def test_results_that_are_kept_are_refused(writes: bool) -> None:
    with pytest.raises(RuntimeError, match="it keeps results"):
        ask(by_identity(), writes=writes)


@pytest.mark.parametrize("writes", [True, False])
def test_results_that_are_computed_each_time_are_not(writes: bool) -> None:
    ask(softmax, writes=writes)


def test_a_result_that_depends_on_no_value_is_not_taken_for_a_kept_one() -> None:
    ask(softmax, SINGLE)


def test_copying_more_takes_longer() -> None:
    assert 0 < copying_time([2**10]) < copying_time([2**24])


def test_what_returns_a_number_has_to_move_less_than_what_returns_an_array() -> None:
    assert least_time(1.0, read=8, moved=8) == 0.25
    assert least_time(1.0, read=8, moved=16) == 0.5
