"""The look at the fastest passes, on times that were drawn: what moved is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lossdiff.harness.comparing.estimates import Estimates
from lossdiff.harness.comparing.noise_fastest import fastest

FUNCTIONS, CASES, PASSES = 8, 3, 9
WHOSE = np.repeat(np.arange(FUNCTIONS), CASES)
CASE = np.tile([f"case{number}" for number in range(CASES)], FUNCTIONS)
MEMBERS = [number == WHOSE for number in range(FUNCTIONS)]
ONE = np.full(len(WHOSE), "jax")
SLOWED = 2


def drawn(draws: np.random.Generator, *, busy: float = 0.3, slowed: float = 0.0) -> Any:
    """Draw nine passes: what others take from the machine only adds."""
    times = 0.01 * np.abs(draws.normal(size=(len(WHOSE), PASSES)))
    times += busy * np.abs(draws.normal(size=times.shape)) * (draws.random(times.shape) < 0.4)
    times[WHOSE == SLOWED] += np.log1p(slowed)
    return times


def look(before: Any, after: Any, frameworks: Any = ONE, clock: float = 0.0) -> Estimates:
    return fastest(before, after, CASE, frameworks, CASE, clock).over(MEMBERS)


def test_ten_percent_are_seen_through_passes_that_were_disturbed() -> None:
    draws = np.random.default_rng(1)

    found = look(drawn(draws), drawn(draws, slowed=0.1))

    assert found.change[SLOWED] == pytest.approx(np.log(1.1), abs=0.02)
    assert found.p[SLOWED] < 1e-4
    assert np.delete(found.p, SLOWED).min() > 0.01


def test_what_the_machine_did_to_all_is_taken_out() -> None:
    draws = np.random.default_rng(2)
    before, after = drawn(draws), drawn(draws) + 0.5
    frameworks = np.array(["numpy", "torch", "jax", "jax"] * (len(WHOSE) // 4))

    assert np.abs(look(before, after, frameworks).change).max() < 0.05
    assert np.abs(look(before, after, clock=0.5).change).max() < 0.05
    assert look(before, after).change.min() > 0.4  # one framework, and the clock saw nothing


def test_a_benchmark_whose_passes_differ_is_less_sure_of_the_same_change() -> None:
    draws = np.random.default_rng(3)
    before, after = drawn(draws, busy=0), drawn(draws, busy=0, slowed=0.1)
    steady = look(before, after).p[SLOWED]

    after[WHOSE == SLOWED, 1:] += 0.4  # but for the fastest one

    assert look(before, after).p[SLOWED] > 1e4 * steady


def test_processes_of_two_kinds_are_no_change() -> None:
    """One run met the fast kind in two of its passes, the other in most."""
    draws = np.random.default_rng(4)
    before, after = drawn(draws, busy=0), drawn(draws, busy=0)
    before[WHOSE == SLOWED, :5] += 0.2
    after[WHOSE == SLOWED, 2:] += 0.2

    assert look(before, after).p[SLOWED] > 0.01


def test_fewer_passes_are_less_sure() -> None:
    draws = np.random.default_rng(5)
    before, after = drawn(draws), drawn(draws, slowed=0.1)

    few, many = (look(before[:, :n], after[:, :n]).error[SLOWED] for n in (3, PASSES))

    assert few > 1.5 * many


def test_runs_in_which_most_has_moved_have_wider_errors() -> None:
    """Between the runs something changed that no pass of either shows."""
    draws = np.random.default_rng(6)
    before, after = drawn(draws, busy=0), drawn(draws, busy=0)
    calm = look(before, after)

    moved = look(before, after + draws.normal(0, 0.1, len(WHOSE))[:, None])

    assert moved.error.min() > 3 * calm.error.max()
    assert moved.p.min() > 0.001


def test_passes_that_are_missing_leave_the_others_as_they_are() -> None:
    draws = np.random.default_rng(7)
    before, after = drawn(draws), drawn(draws, slowed=0.1)
    after[WHOSE == 0, 2:] = np.nan
    after[WHOSE == 1] = np.nan

    found = look(before, after)

    assert found.p[SLOWED] < 1e-4
    assert (found.p[1], np.isnan(found.change[1])) == (1, True)
