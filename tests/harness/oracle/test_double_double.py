"""Pairs with an exponent, against enclosures in Arb's ball arithmetic."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st
from lossdiff.harness.oracle.double_double import Exact, constant, where

from .arb import ball_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Operator = Callable[..., Exact]
    Enclosing = Callable[..., arb]

SWEEP = 4000
BITS = 2600  # sums of 2^1000 and 2^-1000 are enclosed without loss
EXACT_WITHIN = 2.0**-100
FUNCTIONS_WITHIN = 2.0**-96

BINARY: dict[str, tuple[Operator, Enclosing]] = {
    "add": (operator.add, operator.add),
    "sub": (operator.sub, operator.sub),
    "mul": (operator.mul, operator.mul),
    "div": (operator.truediv, operator.truediv),
}
UNARY: dict[str, tuple[Operator, Enclosing]] = {
    "exp": (Exact.exp, arb.exp),
    "expm1": (Exact.expm1, arb.expm1),
    "log": (Exact.log, arb.log),
    "log1p": (Exact.log1p, arb.log1p),
}
# exponents of the arguments, from and below; the last of exp is what its claim allows
RANGES = {
    "exp": ((-1000, -100), (-100, 0), (0, 4), (4, 11)),
    "expm1": ((-1000, -100), (-120, -100), (-100, 0), (0, 4), (4, 11)),
    "log": ((-1000, 1000), (-1, 2), (0, 1)),
    "log1p": ((-1000, -100), (-120, -100), (-100, 0), (0, 4), (4, 1000)),
}
SPECIAL = (0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 5e-324, 1.7976931348623157e308)


def pairs(seed: int, size: int, exponents: tuple[int, int]) -> Exact:
    """Numbers with 106 random bits, of both signs."""
    rng = np.random.Generator(np.random.PCG64(seed))
    hi = (rng.random(size) + 1) / 2 * rng.choice([-1.0, 1.0], size)
    lo = hi * 2.0**-54 * (2 * rng.random(size) - 1)
    return Exact(hi, lo, rng.integers(*exponents, size))


def relative_error(got: Exact, function: Enclosing, *arguments: Exact) -> float:
    """Return the largest error, relative to what Arb encloses."""
    worst = 0.0
    with ctx.workprec(BITS):
        for index in np.ndindex(got.shape):
            right = function(*(ball_of(argument, index) for argument in arguments))
            ours = ball_of(got, index)
            error = abs(ours / right - 1).abs_upper() if right != 0 else abs(ours)
            worst = max(worst, float(error))
    return worst


# --- random sweeps ---------------------------------------------------------------------------


@pytest.mark.parametrize("exponents", [(-1000, 1000), (-60, 60), (0, 2)])
@pytest.mark.parametrize("name", BINARY)
def test_the_four_operations_are_good_to_100_bits(name: str, exponents: tuple[int, int]) -> None:
    ours, enclosing = BINARY[name]
    x, y = pairs(1, SWEEP, exponents), pairs(2, SWEEP, exponents)

    assert relative_error(ours(x, y), enclosing, x, y) < EXACT_WITHIN


@pytest.mark.parametrize(
    ("name", "exponents"), [(name, exponents) for name in UNARY for exponents in RANGES[name]]
)
def test_the_functions_are_good_to_96_bits(name: str, exponents: tuple[int, int]) -> None:
    ours, enclosing = UNARY[name]
    x = pairs(3, SWEEP, exponents)
    if name == "log":
        x = abs(x)
    if name == "log1p":
        x = x[x.to_float() > -0.5]

    assert relative_error(ours(x), enclosing, x) < FUNCTIONS_WITHIN


@pytest.mark.parametrize(("largest", "within"), [(11, -95), (14, -92), (20, -86)])
def test_exp_loses_one_bit_with_each_doubling_of_its_argument(largest: int, within: int) -> None:
    x = pairs(3, SWEEP, (largest, largest + 1))

    assert relative_error(x.exp(), arb.exp, x) < 2.0**within


@pytest.mark.parametrize("gap", [2.0**-20, 2.0**-52, 2.0**-80, 2.0**-104])
def test_nearly_equal_numbers_lose_nothing_when_subtracted(gap: float) -> None:
    x = pairs(4, SWEEP, (-3, 3))
    y = x + x * gap

    assert relative_error(x - y, operator.sub, x, y) < EXACT_WITHIN


@pytest.mark.parametrize("exponents", [(-110, -100), (-60, -50), (-10, -1)])
def test_logarithms_next_to_one_keep_their_digits(exponents: tuple[int, int]) -> None:
    x = 1.0 + pairs(5, SWEEP, exponents)

    assert relative_error(x.log(), arb.log, x) < FUNCTIONS_WITHIN


def test_expm1_undoes_log1p() -> None:
    x = abs(pairs(6, SWEEP, (-300, 3)))

    back = x.log1p().expm1()

    assert float((abs(back - x) / x).to_float().max()) < 8 * FUNCTIONS_WITHIN


@pytest.mark.parametrize("size", [1, 2, 3, 17, 1000])
@pytest.mark.parametrize("exponents", [(-1000, 1000), (0, 3)])
def test_sums_are_good_to_100_bits_of_their_terms(size: int, exponents: tuple[int, int]) -> None:
    terms = pairs(7, 20 * size, exponents).map(lambda part: part.reshape(20, size))
    got = terms.sum(axis=-1)

    with ctx.workprec(BITS):
        for row in range(20):
            balls = [ball_of(terms, (row, column)) for column in range(size)]
            error = abs(ball_of(got, (row,)) - sum(balls))
            assert error <= EXACT_WITHIN * sum(map(abs, balls))


def test_a_sum_of_subnormals_is_exact() -> None:
    assert Exact.of([5e-324, 5e-324, -1.5e-323]).sum().to_float() == -5e-324


@pytest.mark.parametrize("lost", [0, 1, 18, 19, 20, 60, 100, 500, 1800])
def test_sums_that_cancel_are_good_to_80_bits_of_what_is_left(lost: int) -> None:
    terms = pairs(8, 40, (-3, 3)).map(lambda part: part.reshape(20, 2))
    left = pairs(9, 20, (-lost, 1 - lost)).map(lambda part: part.reshape(20, 1))
    parts = terms, left, -terms
    every = Exact(*(np.hstack([getattr(x, name) for x in parts]) for name in vars(left)))
    got = every.sum()

    assert relative_error(got, lambda x: x, left[:, 0]) < 2.0**-80
    both = every.map(lambda part: part.reshape(-1)).sum()
    with ctx.workprec(BITS):
        right = sum(ball_of(left, (row, 0)) for row in range(20))
        assert abs(ball_of(both) - right) <= 2.0**-80 * abs(right)


def test_sums_run_along_any_axis() -> None:
    array = Exact.of(np.arange(24.0).reshape(2, 3, 4))

    for axis in (0, 1, 2, -1):
        expected = np.arange(24.0).reshape(2, 3, 4).sum(axis=axis)
        assert np.array_equal(array.sum(axis=axis).to_float(), expected)


def test_an_empty_sum_is_zero() -> None:
    assert np.array_equal(Exact.of(np.ones((3, 0))).sum().to_float(), np.zeros(3))


# --- properties ------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)
steady = settings(derandomize=True, deadline=None, max_examples=300)


@steady
@given(finite)
def test_a_float_comes_back_as_it_went_in(number: float) -> None:
    assert Exact.of(number).to_float() == number


@steady
@given(finite, finite)
@pytest.mark.parametrize("name", ["add", "sub", "mul"])
def test_floats_of_any_size_combine_within_the_claim(name: str, x: float, y: float) -> None:
    ours, enclosing = BINARY[name]
    left, right = Exact.of(x), Exact.of(y)

    assert relative_error(ours(left, right), enclosing, left, right) < EXACT_WITHIN


@steady
@given(finite, finite.filter(bool))
def test_floats_of_any_size_divide_within_the_claim(x: float, y: float) -> None:
    left, right = Exact.of(x), Exact.of(y)

    assert relative_error(left / right, operator.truediv, left, right) < EXACT_WITHIN


@steady
@given(st.floats(-1024, 1024))
def test_exp_and_expm1_of_any_float_are_within_the_claim(number: float) -> None:
    x = Exact.of(number)

    assert relative_error(x.exp(), arb.exp, x) < FUNCTIONS_WITHIN
    assert relative_error(x.expm1(), arb.expm1, x) < FUNCTIONS_WITHIN


@steady
@given(finite.map(abs).filter(bool))
def test_log_and_log1p_of_any_float_are_within_the_claim(number: float) -> None:
    x = Exact.of(number)

    assert relative_error(x.log(), arb.log, x) < FUNCTIONS_WITHIN
    assert relative_error(x.log1p(), arb.log1p, x) < FUNCTIONS_WITHIN


@steady
@given(st.lists(finite.map(lambda x: x / 2**10), min_size=1, max_size=8))
def test_leading_parts_are_normalised(numbers: list[float]) -> None:
    x = Exact.of(numbers)
    total = x + x * x

    assert np.all((total.hi == 0) | ((abs(total.hi) >= 0.5) & (abs(total.hi) < 1)))
    assert np.all(abs(total.lo) <= np.spacing(abs(total.hi)) / 2)


# --- what is not finite ----------------------------------------------------------------------


@pytest.mark.parametrize("name", BINARY)
def test_infinities_and_nan_follow_the_rules_of_float64(name: str) -> None:
    function, _ = BINARY[name]
    x, y = (part.ravel() for part in np.meshgrid(SPECIAL, SPECIAL))
    special = ~(np.isfinite(x) & np.isfinite(y)) | (y == 0)
    x, y = x[special], y[special]
    with np.errstate(all="ignore"):
        expected = function(x, y)

    assert np.array_equal(function(Exact.of(x), Exact.of(y)).to_float(), expected, equal_nan=True)


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("exp", np.inf, np.inf),
        ("exp", -np.inf, 0.0),
        ("exp", 0.0, 1.0),
        ("expm1", -np.inf, -1.0),
        ("expm1", np.inf, np.inf),
        ("expm1", 0.0, 0.0),
        ("log", 0.0, -np.inf),
        ("log", 1.0, 0.0),
        ("log", np.inf, np.inf),
        ("log", -1.0, np.nan),
        ("log1p", np.inf, np.inf),
        ("log1p", 0.0, 0.0),
        *((name, np.nan, np.nan) for name in UNARY),
    ],
)
def test_the_functions_have_their_limits(name: str, argument: float, expected: float) -> None:
    got = getattr(Exact.of(argument), name)().to_float()

    assert np.array_equal(got, expected, equal_nan=True)


def test_a_sum_with_an_infinity_is_infinite_and_two_signs_give_nan() -> None:
    terms = Exact.of([[1.0, np.inf], [np.inf, -np.inf], [np.nan, 1.0], [-np.inf, 2.0]])

    expected = [np.inf, np.nan, np.nan, -np.inf]
    assert np.array_equal(terms.sum().to_float(), expected, equal_nan=True)


def test_exp_far_beyond_every_format_is_as_good_as_infinite() -> None:
    far = Exact.of([1e7, -1e7, 1e300, -1e300]).exp()

    assert np.array_equal(far.to_float(), [np.inf, 0.0, np.inf, 0.0])
    assert np.all(abs(far.exponent) > 2**20)


def test_nothing_overflows_or_underflows_on_the_way() -> None:
    large, small = Exact.of(1.7976931348623157e308), Exact.of(5e-324)

    assert (large * large / large).to_float() == large.to_float()
    assert (small * small / small).to_float() == small.to_float()
    assert Exact.of(-745.5).exp().log().to_float() == -745.5


# --- arrays ----------------------------------------------------------------------------------


def test_where_chooses_element_by_element() -> None:
    left, right = Exact.of([1.0, 2.0]), Exact.of([3.0, 4.0])

    assert where(np.array([True, False]), left, right).to_float().tolist() == [1.0, 4.0]


def test_a_constant_fills_its_shape() -> None:
    assert np.array_equal(constant((2, 3), 0.1).to_float(), np.full((2, 3), 0.1))


def test_python_numbers_mix_with_arrays_on_either_side() -> None:
    x = Exact.of([2.0, 4.0])

    assert (1.0 + x).to_float().tolist() == [3.0, 5.0]
    assert (1.0 - x).to_float().tolist() == [-1.0, -3.0]
    assert (3.0 * x).to_float().tolist() == [6.0, 12.0]
    assert (1.0 / x).to_float().tolist() == [0.5, 0.25]
    assert abs(-x).to_float().tolist() == [2.0, 4.0]


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_a_product_with_0_or_1_is_what_needs_no_arithmetic(factor: float) -> None:
    """The oracle leaves these products out, so they must be the same in every bit."""
    numbers = Exact.of([0.1, -3.0, 2.0**-1000, 0.0]) / 3.0
    product = numbers * constant((4,), factor)
    expected = numbers if factor else constant((4,), 0.0)

    assert constant((4,), factor).is_ones_and_zeros
    assert not numbers.is_ones_and_zeros
    assert np.array_equal(expected.hi, product.hi)
    assert np.array_equal(expected.lo, product.lo)
    assert np.array_equal(expected.exponent, product.exponent)


def test_a_quotient_by_1_is_the_number_in_every_bit() -> None:
    numbers = Exact.of([0.1, -3.0, 2.0**-1000, 0.0]) / 3.0
    quotient = numbers / Exact.of(1.0)

    assert np.array_equal(numbers.hi, quotient.hi)
    assert np.array_equal(numbers.lo, quotient.lo)
    assert np.array_equal(numbers.exponent, quotient.exponent)


def test_nothing_can_be_written_to_a_constant_that_is_kept() -> None:
    one = constant((2,), 1.0)

    assert one is constant((2,), 1.0)
    assert np.signbit(constant((2,), -0.0).hi).all()
    assert not any(part.flags.writeable for part in (one.hi, one.lo, one.exponent))
