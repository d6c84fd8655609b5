"""The look at the fastest calls, on times that were drawn: what moved is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lossdiff.harness.noise_fastest import fastest

FUNCTIONS, CASES = 8, 3
WHOSE = np.repeat(np.arange(FUNCTIONS), CASES)
CASE = np.tile([f"case{number}" for number in range(CASES)], FUNCTIONS)
MEMBERS = [number == WHOSE for number in range(FUNCTIONS)]
SLOWED = 2


def drawn(draws: np.random.Generator, *, busy: float = 0.3, slowed: float = 0.0) -> Any:
    """Draw six passes: what others take from the machine only adds."""
    times = 0.01 * np.abs(draws.normal(size=(len(WHOSE), 6)))
    times += busy * np.abs(draws.normal(size=times.shape)) * (draws.random(times.shape) < 0.4)
    times[WHOSE == SLOWED] += np.log1p(slowed)
    return times


def look(before: Any, after: Any) -> Any:
    return fastest(before, after, CASE, [CASE], MEMBERS)


def test_ten_percent_are_seen_through_passes_that_were_disturbed() -> None:
    draws = np.random.default_rng(1)

    found = look(drawn(draws), drawn(draws, slowed=0.1))

    assert found.beside.change[SLOWED] == pytest.approx(np.log(1.1), abs=0.02)
    assert found.beside.p[SLOWED] < 1e-4
    assert np.delete(found.beside.p, SLOWED).min() > 0.01


def test_what_all_alike_do_is_in_the_change_itself_and_not_beside_them() -> None:
    draws = np.random.default_rng(2)

    found = look(drawn(draws), drawn(draws) + 0.5)

    assert found.itself == pytest.approx(np.full(FUNCTIONS, 0.5), abs=0.05)
    assert np.abs(found.beside.change).max() < 0.05


def test_one_case_that_jumps_is_no_surer_than_heavy_tails_allow() -> None:
    draws = np.random.default_rng(3)
    before, after = drawn(draws), drawn(draws)
    after[(WHOSE == SLOWED) & (CASE == "case0")] += 0.3
    alone = look(before, after).beside.p[SLOWED]

    after[WHOSE == SLOWED] += 0.3

    assert look(before, after).beside.p[SLOWED] < alone / 100


def test_few_alike_are_held_against_a_wider_group() -> None:
    draws = np.random.default_rng(4)
    narrow = np.array([f"{whose} {case}" for whose, case in zip(WHOSE, CASE, strict=True)])
    before, after = drawn(draws), drawn(draws, slowed=0.1)

    wider = fastest(before, after, CASE, [narrow, CASE], MEMBERS)

    assert (wider.beside.change == look(before, after).beside.change).all()
    unknown = fastest(before, after, CASE, [narrow], MEMBERS).beside
    assert (unknown.p == 1).all()


def test_passes_that_are_missing_leave_the_others_as_they_are() -> None:
    draws = np.random.default_rng(5)
    before, after = drawn(draws), drawn(draws, slowed=0.1)
    after[WHOSE == 0, 2:] = np.nan
    after[WHOSE == 1] = np.nan

    found = look(before, after).beside

    assert found.p[SLOWED] < 1e-4
    assert (found.p[1], np.isnan(found.change[1])) == (1, True)
