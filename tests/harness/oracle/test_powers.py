"""Long arrays times powers of two, which are made of bits, against NumPy's own functions."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.harness.oracle.double_double import Exact
from lossdiff.harness.oracle.powers import limited, normalised, scaled

DICE = np.random.default_rng(7)
LENGTH = 2000
LIMITS = [
    0.0,
    -0.0,
    1.0,
    -0.5,
    5e-324,
    -(2.0**-1022),
    1.7976931348623157e308,
    np.inf,
    -np.inf,
    np.nan,
]


def drawn(power: int) -> np.ndarray:
    return DICE.normal(size=LENGTH) * np.exp2(DICE.integers(-power, power, LENGTH))


def same(one: np.ndarray, two: np.ndarray) -> bool:
    return one.shape == two.shape and bool((one.view(np.int64) == two.view(np.int64)).all())


@pytest.mark.parametrize("limits", [[], [0.0, -0.0], LIMITS])
@pytest.mark.parametrize("power", [3, 400, 1000])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_they_are_the_same_bits(power: int, limits: list[float]) -> None:
    high = drawn(power)
    high[: len(limits)] = limits
    low = high * 2.0**-60
    for shift in (DICE.integers(-60, 60, LENGTH), DICE.integers(-2100, 2100, LENGTH)):
        got = scaled(shift, high, low)
        assert all(map(same, got, (np.ldexp(high, limited(shift)), np.ldexp(low, limited(shift)))))
    plain = np.isfinite(high) & (high != 0)
    significand, exponent = np.frexp(high)
    parts = [part[plain] for part in normalised(high, low)]
    assert same(parts[0], significand[plain])
    assert same(parts[1], np.ldexp(low, -exponent)[plain])
    assert np.array_equal(parts[2], exponent[plain])


def test_long_arrays_give_what_their_parts_give() -> None:
    one, two = Exact.of(drawn(300)), Exact.of(drawn(5))
    one.hi[:3], one.exponent[:3] = 0.0, Exact.of([0.0]).exponent

    whole = (one * two + one).hi, (one + two).to_float(), (two * 3.0).exp().hi
    for place in range(0, LENGTH, 100):
        x, y = one[place : place + 100], two[place : place + 100]
        parts = (x * y + x).hi, (x + y).to_float(), (y * 3.0).exp().hi
        some = [array[place : place + 100] for array in whole]
        assert all(np.array_equal(i, j, equal_nan=True) for i, j in zip(some, parts, strict=True))
