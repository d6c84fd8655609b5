"""Matrix products in slices, against fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from lossdiff.harness.oracle.double_double import Exact
from lossdiff.harness.oracle.slices import bits_for, distilled, product, products, sliced

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOOD = Fraction(1, 2**76)
UNIT = 2**1200
DICE = np.random.default_rng(19)


def whole_products(left: Exact, right: NDArray[np.float64]) -> list[list[Fraction]]:
    rows = [[number_of(left[i, k]) for k in range(left.shape[1])] for i in range(left.shape[0])]
    columns = [[int(Fraction(number) * UNIT) for number in column] for column in right.T]
    return [
        [Fraction(sum(map(int.__mul__, row, column)), UNIT**2) for column in columns]
        for row in rows
    ]


def number_of(exact: Exact) -> int:
    """Return a number in units so small that it is whole."""
    parts = Fraction(float(exact.hi)) + Fraction(float(exact.lo))
    return int(parts * Fraction(2) ** int(exact.exponent) * UNIT) if parts else 0


def pairs_of(shape: tuple[int, int], spread: float) -> Exact:
    high = DICE.normal(size=shape) * np.exp2(DICE.normal(size=shape) * spread)
    return Exact.of(high) + Exact.of(high * 2.0**-54 * DICE.uniform(-1, 1, shape))


@pytest.mark.parametrize("spread", [0, 8, 40, 100])
@pytest.mark.parametrize("terms", [1, 30, 300])
def test_what_is_said_to_be_good_is_within_2_to_the_minus_76(spread: float, terms: int) -> None:
    left = pairs_of((3, terms), spread)
    right = DICE.normal(size=(terms, 5)) * np.exp2(DICE.normal(size=(terms, 5)) * spread)

    got, is_good, sizes = product(left, right)

    right_answers = whole_products(left, right)
    for place in np.argwhere(is_good).tolist():
        due = right_answers[place[0]][place[1]]
        assert abs(Fraction(number_of(got[tuple(place)]), UNIT) - due) <= GOOD * abs(due)
    of_sizes = whole_products(abs(left), np.abs(right))
    for i, j in np.ndindex(sizes.shape):
        assert Fraction(1, 3) < of_sizes[i][j] / Fraction(2) ** int(sizes[i, j]) < Fraction(3, 2)
    assert is_good.all() or spread


def test_rounded_factors_of_all_their_bits_are_multiplied_exactly() -> None:
    left, right = DICE.normal(size=(4, 9)), DICE.normal(size=(9, 5)).astype(np.float32)
    right[:, 0], left[3] = 0, 0
    got, is_good, _ = product(Exact.of(left), right.astype(np.float64))

    due = whole_products(Exact.of(left), right.astype(np.float64))
    assert is_good.all()
    for i, j in np.ndindex(4, 5):
        apart = Fraction(number_of(got[i, j]), UNIT) - due[i][j]
        assert abs(apart) * 2**104 <= abs(due[i][j])


def test_sums_that_cancel_to_nothing_are_not_said_to_be_good() -> None:
    left = Exact.of([[1.0, -1.0, 2.0**-60]]) + Exact.of([[2.0**-70, -(2.0**-70), 0.0]])
    _, is_good, _ = product(left, np.array([[1.0], [1.0], [0.0]]))

    assert not is_good.any()


def test_slices_hold_all_bits_and_no_sum_of_their_products_is_rounded() -> None:
    bits = bits_for(50)
    rows = DICE.normal(size=(2, 50)) * np.exp2(DICE.normal(size=(2, 50)) * 9)
    left = sliced(Exact.of(rows), bits, most=12)
    right = sliced(Exact.of(rows[::-1]), bits, most=12)

    assert left.is_whole
    for i, j in np.ndindex(2, 2):
        unit = Fraction(2) ** int(left.exponent[i] + right.exponent[j])
        got = sum(Fraction(float(part[i, j])) for part in products(left, right, 99)) * unit
        assert got == sum(map(Fraction.__mul__, map(Fraction, rows[i]), map(Fraction, rows[1 - j])))


def test_slices_say_that_they_do_not_hold_a_number_that_is_far_from_the_largest() -> None:
    for least in (2.0**-80, 2.0**-1000):
        assert not sliced(Exact.of([[1.0, least]]), 20, most=3).is_whole


def test_a_distilled_sum_is_the_same_sum_in_parts_without_common_digits() -> None:
    parts = [DICE.normal(size=40) * 2.0**-power for power in (0, 0, 30, 50, 60)]
    got = distilled(parts)

    for place in range(40):
        every = [Fraction(float(part[place])) for part in got]
        assert sum(every) == sum(Fraction(float(part[place])) for part in parts)
        assert float(sum(every)) == every[0]
        assert abs(every[2]) * 2**52 <= abs(every[1])
