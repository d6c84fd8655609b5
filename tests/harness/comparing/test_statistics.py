"""The statistics of the time gate, on times that were drawn: what has changed is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lossdiff.harness.comparing.statistics import (
    LEAST_PASSES,
    Estimates,
    combine,
    common_drift,
    fastest_changes,
    holm,
    over_dispersion,
)

FUNCTIONS, CASES, PASSES = 8, 3, 9
FUNCTION = np.repeat(np.arange(FUNCTIONS), CASES)
CASE = np.tile([f"case{number}" for number in range(CASES)], FUNCTIONS)
FRAMEWORK = np.array(["numpy", "torch", "jax"])[FUNCTION % 3]
SLOWED = 2


def drawn(draws: np.random.Generator, *, busy: float = 0.3, slowed: float = 0.0) -> Any:
    """Draw nine passes: what others take from the machine only adds."""
    times = 0.01 * np.abs(draws.normal(size=(len(FUNCTION), PASSES)))
    times += busy * np.abs(draws.normal(size=times.shape)) * (draws.random(times.shape) < 0.4)
    times[FUNCTION == SLOWED] += np.log1p(slowed)
    return times


def change_of(before: Any, after: Any) -> tuple[Estimates, Any]:
    """Return the change of each function, and its p-value."""
    return combine(fastest_changes(before, after, CASE).corrected(0.0), FUNCTION, CASE)


def test_ten_percent_are_found_through_passes_that_were_disturbed() -> None:
    draws = np.random.default_rng(1)

    found, p = change_of(drawn(draws), drawn(draws, slowed=0.1))

    assert found.change[SLOWED] == pytest.approx(np.log(1.1), abs=0.02)
    assert p[SLOWED] < 1e-4
    assert np.delete(p, SLOWED).min() > 0.01


def test_a_slowdown_and_a_speedup_are_equally_significant() -> None:
    draws = np.random.default_rng(2)
    before, after = drawn(draws), drawn(draws, slowed=0.1)

    (slower, p), (faster, reverse) = change_of(before, after), change_of(after, before)

    assert faster.change == pytest.approx(-slower.change)
    assert reverse == pytest.approx(p)


def test_passes_that_differ_make_the_same_change_less_significant() -> None:
    draws = np.random.default_rng(3)
    before, after = drawn(draws, busy=0), drawn(draws, busy=0, slowed=0.1)
    _, steady = change_of(before, after)

    after[FUNCTION == SLOWED, 1:] += 0.4  # all but one pass
    _, unsteady = change_of(before, after)

    assert unsteady[SLOWED] > 1e4 * steady[SLOWED]


def test_processes_of_two_kinds_are_no_change() -> None:
    """One run met the fast kind in four of its passes, the other in two."""
    draws = np.random.default_rng(4)
    before, after = drawn(draws, busy=0), drawn(draws, busy=0)
    before[FUNCTION == SLOWED, :5] += 0.2
    after[FUNCTION == SLOWED, 2:] += 0.2

    _, p = change_of(before, after)

    assert p[SLOWED] > 0.01


def test_fewer_passes_have_larger_errors_and_fewer_degrees_of_freedom() -> None:
    draws = np.random.default_rng(5)
    before, after = drawn(draws), drawn(draws, slowed=0.1)

    few, many = (fastest_changes(before[:, :n], after[:, :n], CASE) for n in (3, PASSES))

    assert np.median(few.error) > 1.5 * np.median(many.error)
    assert (few.degrees[0], many.degrees[0]) == (4, 16)


def test_missing_passes_leave_the_other_benchmarks_as_they_are() -> None:
    draws = np.random.default_rng(6)
    before, after = drawn(draws), drawn(draws, slowed=0.1)
    whole = fastest_changes(before, after, FRAMEWORK)

    after[FRAMEWORK == "numpy", 2:] = np.nan  # the run was cut off
    found = fastest_changes(before, after[:, :-1], FRAMEWORK)

    assert np.isfinite(found.error).all()
    assert set(found.passes[FRAMEWORK == "numpy"]) == {2}
    assert set(found.passes[FRAMEWORK != "numpy"]) == {LEAST_PASSES}
    few = FRAMEWORK == "numpy"
    assert np.median(found.error[few]) > 1.5 * np.median(whole.error[few])


def test_a_calm_benchmark_shares_in_the_noise_of_its_stratum() -> None:
    draws = np.random.default_rng(7)
    before, after = drawn(draws), drawn(draws)
    before[0], after[0] = 0.0, 0.001  # a few passes may agree by chance
    alone = np.array(["itself", *["rest"] * (len(FUNCTION) - 1)])

    shared, own = (fastest_changes(before, after, it).error[0] for it in (CASE, alone))

    assert shared > own


def test_common_drift_is_what_all_frameworks_share() -> None:
    change = np.where(FRAMEWORK == "jax", 0.9, 0.3)

    assert common_drift(change, FRAMEWORK, 0.0) == pytest.approx(0.3)


def test_of_two_frameworks_the_reference_kernel_tells_the_drift() -> None:
    two = np.where(FRAMEWORK == "jax", "torch", FRAMEWORK)

    assert common_drift(np.full(len(two), 0.3), two, 0.1) == 0.1


def test_runs_that_differ_more_than_their_passes_have_larger_errors() -> None:
    """Between the runs something changed that no pass of either shows."""
    draws = np.random.default_rng(8)
    before, after = drawn(draws, busy=0), drawn(draws, busy=0)
    calm, _ = change_of(before, after)

    moved, p = change_of(before, after + draws.normal(0, 0.1, len(FUNCTION))[:, None])

    assert moved.error.min() > 3 * calm.error.max()
    assert p.min() > 0.001


def test_over_dispersion_counts_beyond_one_and_a_half() -> None:
    normal = np.random.default_rng(9).normal(size=10_000)

    assert over_dispersion(1.4 * normal) == 1.0
    assert over_dispersion(3 * normal) == pytest.approx(3, rel=0.05)
    assert over_dispersion(np.full(11, 100.0)) == 1.0  # too few to tell


def test_hot_and_cold_inputs_of_a_case_are_one_test_and_two_cases_are_two() -> None:
    def p_of(*cases: str) -> float:
        change, error, passes = np.full((3, len(cases)), [[0.1], [0.05], [9.0]])
        each = Estimates(change, error, passes)
        return float(combine(each, np.zeros(len(cases), int), np.array(cases))[1][0])

    assert p_of("a", "a") == pytest.approx(p_of("a"))
    assert p_of("a", "b") < p_of("a") / 2


def test_holm_multiplies_by_how_many_are_left() -> None:
    assert holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])


def test_the_interval_of_the_same_code_covers_no_change() -> None:
    draws = np.random.default_rng(10)

    low, high = fastest_changes(drawn(draws), drawn(draws), CASE).interval

    assert np.mean((low < 0) & (high > 0)) >= 0.95
