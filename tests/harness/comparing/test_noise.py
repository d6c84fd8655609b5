"""The gate's statistics, on times that were drawn: what moved is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from lossdiff.harness.comparing.noise import Whose, holm, spread_of

FRAMEWORKS = np.repeat(["jax", "numpy", "tensorflow", "torch"], 10)
SLOWED = np.array([3, 4, 5])
WHOSE = Whose(FRAMEWORKS, FRAMEWORKS, np.array([f"{n // 3}" for n in range(len(FRAMEWORKS))]))


def passes(
    draws: np.random.Generator, *, number: int = 6, noise: float = 0.01, shift: float = 0.0,
    slowed: float = 0.0,
) -> Any:  # fmt: skip
    """Draw logarithms of times: what a pass does to all, and each benchmark's own noise."""
    times = draws.normal(0, noise, (len(FRAMEWORKS), number))
    times += draws.normal(shift, 0.03, number)
    times[SLOWED] += np.log1p(slowed)
    return times


def test_what_all_frameworks_share_is_taken_out_and_reported() -> None:
    draws = np.random.default_rng(1)

    spread = spread_of(passes(draws), passes(draws, shift=0.3), WHOSE, 0.0)

    assert spread.shift == pytest.approx(0.3, abs=0.05)
    assert np.abs(spread.alone.each.change).max() < 0.05
    assert spread.shift_by == "median of 4 frameworks"


def test_one_slow_implementation_does_not_move_what_all_share() -> None:
    draws = np.random.default_rng(2)

    spread = spread_of(passes(draws), passes(draws, slowed=0.5), WHOSE, 0.0)

    assert abs(spread.shift) < 0.05
    assert spread.alone.each.change[SLOWED] == pytest.approx(np.log(1.5), abs=0.05)
    assert holm(spread.alone.each.p)[SLOWED].max() < 1e-4


def test_of_few_frameworks_the_fixed_kernel_says_what_the_machine_did() -> None:
    draws = np.random.default_rng(3)
    alone = np.repeat("torch", len(FRAMEWORKS))

    spread = spread_of(
        passes(draws), passes(draws, shift=0.3), replace(WHOSE, frameworks=alone), 0.1
    )

    assert (spread.shift, spread.shift_by) == (0.1, "the fixed kernel")
    assert np.median(spread.alone.each.change) == pytest.approx(0.2, abs=0.05)


def test_no_benchmark_is_trusted_to_be_quieter_than_the_typical_one() -> None:
    draws = np.random.default_rng(4)
    before, after = passes(draws, noise=0.05), passes(draws, noise=0.05)
    before[0], after[0] = -0.001, 0.001  # three passes may agree by chance

    spread = spread_of(before, after, WHOSE, 0.0)

    assert spread.alone.each.error[0] >= spread.alone.noise > 0.01


def test_runs_that_differ_more_than_their_passes_widen_every_error() -> None:
    draws = np.random.default_rng(5)
    moved = draws.normal(0, 0.1, (len(FRAMEWORKS), 1))

    calm = spread_of(passes(draws), passes(draws), WHOSE, 0.0)
    spread = spread_of(passes(draws), passes(draws) + moved, WHOSE, 0.0)

    assert calm.alone.inflation < 2
    assert spread.alone.inflation > 4
    assert holm(spread.alone.each.p).min() > 0.01


def test_a_mean_over_benchmarks_is_no_surer_than_independent_ones() -> None:
    draws = np.random.default_rng(6)
    spread = spread_of(passes(draws), passes(draws, slowed=0.1), WHOSE, 0.0)
    member = np.isin(np.arange(len(FRAMEWORKS)), SLOWED)

    whole = spread.alone.over([member])

    assert whole.change == pytest.approx(np.log(1.1), abs=0.03)
    assert whole.error[0] >= np.sqrt((spread.alone.each.error[SLOWED] ** 2).sum()) / len(SLOWED)
    assert whole.p[0] < spread.alone.each.p[SLOWED].max()


def test_what_a_process_does_to_all_its_benchmarks_is_not_in_a_change_beside_the_others() -> None:
    draws = np.random.default_rng(7)
    before, after = passes(draws), passes(draws, slowed=0.1)
    for times in (before, after):
        times[FRAMEWORKS == "jax"] += draws.normal(0, 0.1, 6)  # its processes were unsteady

    spread = spread_of(before, after, WHOSE, 0.0)

    member = [np.isin(np.arange(len(FRAMEWORKS)), SLOWED)]
    alone, beside = spread.alone.over(member), spread.beside.over(member)
    assert beside.change == pytest.approx(np.log(1.1), abs=0.03)
    assert beside.p[0] < 1e-4
    assert alone.p[0] > 1e-2


def test_without_enough_others_nothing_is_known_beside_them() -> None:
    draws = np.random.default_rng(8)
    alone = replace(WHOSE, implementations=FRAMEWORKS)

    beside = spread_of(passes(draws), passes(draws), alone, 0.0).beside

    assert np.isnan(beside.each.change).all()
    assert (beside.each.p == 1).all()


def test_passes_that_a_benchmark_lacks_leave_the_others_as_they_are() -> None:
    draws = np.random.default_rng(9)
    before, after = passes(draws), passes(draws, slowed=0.3)
    after[FRAMEWORKS == "torch", 2:] = np.nan  # the run was cut off

    spread = spread_of(before, after, WHOSE, 0.0)

    assert np.isfinite(spread.alone.each.error).all()
    assert holm(spread.alone.each.p)[SLOWED].max() < 1e-4


def test_holm_multiplies_by_how_many_are_left() -> None:
    assert holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])
