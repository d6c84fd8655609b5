"""The errors of single elements, in units in the last place, near powers of two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case
from lossdiff.harness.judging import judge, solved_case
from lossdiff.harness.judging.element_errors import ElementErrors
from lossdiff.harness.oracle import Exact

HALF = 0.5 + 2.0**-20


def ulp_of(exact: Exact, got: float, dtype: str) -> float:
    """Return how far a number is from the exact value, in ulp."""
    return float(ElementErrors.of(exact, np.array([got]), FORMATS[dtype]).ulp[0])


def neighbours(at: float, dtype: str) -> list[float]:
    """Return the numbers of a dtype around one of them: three on each side, and itself."""
    form = FORMATS[dtype]
    below = 2.0 ** (np.frexp(at)[1] - 1 - form.precision)  # spacing below a power of two
    return [at - n * below for n in (3, 2, 1)] + [at] + [at + n * 2 * below for n in (1, 2, 3)]


@pytest.mark.parametrize("dtype", FORMATS)
@given(
    power=st.floats(0, 1), sign=st.sampled_from((-1.0, 1.0)),
    offset=st.floats(-2.5, 2.5), scale=st.sampled_from((1.0, 2.0**-20, 2.0**-30)),
)  # fmt: skip
def test_near_every_power_of_two_only_the_nearest_number_is_exact_and_a_neighbour_faithful(
    dtype: str, power: float, sign: float, offset: float, scale: float
) -> None:
    form = FORMATS[dtype]
    exponent = form.emin + 2 + round(power * (form.emax - form.emin - 4))
    at = 2.0**exponent
    spacing = 2.0 ** (exponent - form.precision)
    shift = offset * scale * spacing
    exact = Exact.of([at]) + Exact.of([shift])
    # Distances in units of the spacing below `at`; those of float64 need the pair.
    around = neighbours(at, dtype)
    distances = [abs((number - at) / spacing - shift / spacing) for number in around]
    nearest = min(distances)
    inside = [n for n in range(len(around) - 1)
              if around[n] - at <= shift <= around[n + 1] - at]  # fmt: skip
    sides = {around[n + side] for n in inside for side in (0, 1)}

    for number, distance in zip(around, distances, strict=True):
        ulp = ulp_of(exact if sign > 0 else -exact, sign * number, dtype)
        if ulp <= HALF:
            assert distance <= nearest + 2.0**-18  # the nearest number, or a tie
        if ulp < 1.0:
            assert number in sides


def test_a_value_just_below_one_is_measured_with_the_spacing_below_one() -> None:
    """The case that was found: −1 + 6e-38 against the float32 before −1 is one ulp away."""
    exact = Exact.of([-1.0]) + Exact.of([6e-38])

    neighbour = float(np.nextafter(np.float32(-1), np.float32(0)))
    assert ulp_of(exact, neighbour, "float32") == pytest.approx(1.0)
    assert ulp_of(exact, -1.0, "float32") < HALF


def test_the_smallest_normal_number_has_the_spacing_of_subnormal_ones_below() -> None:
    tiny, smallest = FORMATS["float32"].tiny, FORMATS["float32"].smallest

    assert ulp_of(Exact.of([tiny]), tiny - smallest, "float32") == 1.0


def test_what_is_correctly_rounded_is_within_the_bound_however_small_that_is() -> None:
    case = Case.parse("binary_cross_entropy/multi_label.fractional/float64/4x10/probs_zero_one/-/0")
    solved = solved_case(case)
    solution = dict(solved.alternatives)["clip_1e-7"]
    answer = solution.quantities["gradient_target"].to_float()

    verdict = judge(solved, "gradient_target", answer)

    assert (verdict.word, verdict.ratio) <= ("convention:clip_1e-7", 1.0)
