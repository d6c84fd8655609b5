"""Draws that are the same on every machine: these numbers are stored, not computed."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases import stream
from lossdiff.cases.stream import Stream


def test_the_first_uniform_draws_are_these() -> None:
    expected = [float.fromhex(text) for text in ("0x1.b0eac917a34e0p-4", "0x1.dd7139bdb5320p-3")]

    assert Stream("softmax").uniform(2).tolist() == expected
    assert Stream("a").uniform(3).tolist() == [
        0.16441050396696144,
        0.2895200100429314,
        0.02335401095243761,
    ]


def test_the_first_whole_numbers_are_these() -> None:
    assert Stream("a").integers(1000, 5).tolist() == [381, 103, 202, 879, 206]
    assert Stream("").integers(2**40, 2).tolist() == [321214262562, 129306183532]


def test_the_first_normal_draws_are_these() -> None:
    expected = [float.fromhex(text) for text in ("-0x1.2d2352f700000p+0", "0x1.a9390cd000000p-3")]

    assert Stream("normal").normal(2).tolist() == expected


def test_a_stream_goes_on_and_a_new_one_begins_anew() -> None:
    one = Stream("key")
    first, second = one.uniform(5), one.uniform(5)

    assert not np.array_equal(first, second)
    assert np.array_equal(first, Stream("key").uniform(5))
    assert not np.array_equal(first, Stream("other key").uniform(5))


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_draws_have_the_shape_that_was_asked(shape: tuple[int, ...]) -> None:
    draws = Stream("shape")

    assert draws.uniform(*shape).shape == shape
    assert draws.integers(7, *shape).shape == shape
    assert draws.normal(*shape).shape == shape


def test_uniform_draws_fill_the_unit_interval_with_multiples_of_2_to_the_minus_53() -> None:
    draws = Stream("uniform").uniform(20000)

    assert draws.min() >= 0
    assert draws.max() < 1
    assert abs(draws.mean() - 0.5) < 0.01
    assert np.array_equal(draws * 2.0**53, np.floor(draws * 2.0**53))


@pytest.mark.parametrize("below", [1, 2, 9, 255])
def test_whole_numbers_stay_below_their_limit_and_reach_all(below: int) -> None:
    draws = Stream("integers").integers(below, 20000)

    assert set(draws.tolist()) == set(range(below))


def test_there_is_no_limit_of_zero() -> None:
    assert Stream("none").integers(0, 3).tolist() == [0, 0, 0]


def test_normal_draws_have_mean_0_and_variance_1() -> None:
    draws = Stream("moments").normal(40000)

    assert abs(draws.mean()) < 0.02
    assert abs(draws.var() - 1) < 0.03
    assert abs(draws).max() <= 6.0


def test_beyond_a_million_normal_draws_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_MOST_DRAWS", 10)
    draws = Stream("many").normal(25)

    assert np.array_equal(draws[:10], draws[10:20])
    assert np.array_equal(draws[:5], draws[20:])
