"""The oracle for scaled and capped logits, z-losses and outside denominators, against Arb."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.cases.operations import DTYPES
from lossdiff.harness.oracle.solve import solve
from lossdiff.harness.oracle.transform import Transform

from .oracle_questions import asked, value, worst_of

FAMILIES = (
    "normal", "normal_100", "far_tail", "offset_1e7", "ties", "one_large", "gap_underflow",
    "neg_inf", "nan", "nan_where_ignored", "exp_overflow", "finfo_max", "subnormal",
)  # fmt: skip
OPTIONS = (
    "logit_softcap=2.5",
    "logit_scale=0.25,logit_softcap=30.0,z_loss=0.0001,denominator=7.0",
    "reduction=none,logit_scale=0.7,z_loss=0.5",
    "weight=negative,label_smoothing=0.1,logit_softcap=30.0,z_loss=0.5",
    "weight=positive,reduction=sum,logit_softcap=0.1",
)


@pytest.mark.parametrize("options", OPTIONS)
def test_every_answer_is_within_a_millionth_of_an_ulp(options: str) -> None:
    count, worst = 0, 0.0
    for family in FAMILIES:
        for dtype in DTYPES:
            name = f"cross_entropy/index.some_ignored/{dtype}/4x10/{family}/{options}/0"
            values, apart = worst_of(Case.parse(name))
            count, worst = count + values, max(worst, apart)

    print(f"\n{options}: {count} values, worst 2^{math.log2(worst):.1f} ulp of float64")  # noqa: T201
    assert count > 1000


def losses(logits: Any, target: Any, **options: Any) -> Case:
    """Return a cross-entropy of given logits."""
    return asked("cross_entropy", logits, target, kind="index", **options)


@pytest.mark.parametrize("cap", [1e-3, 2.5, 30.0, 1e6, 1e300])
def test_capped_logits_that_float64_cannot_tell_apart_keep_their_distance(cap: float) -> None:
    """Both tanh 18 and tanh 19 are 1 in float64, but for their last bits."""
    far = [[18.0 * cap, 19.0 * cap, -20.0 * cap], [19.0 * cap, -18.0 * cap, 19.5 * cap]]
    near = [[cap, math.nextafter(cap, 0), 0.0], [cap * 1e-9, -cap * 1e-9, cap * 1e-9]]
    for logits in (far, near):
        for label in range(3):
            worst_of(losses(logits, [label, label], logit_softcap=cap, reduction="none"))
            worst_of(losses(logits, [label, label], logit_softcap=cap, z_loss=0.1))


def test_a_factor_of_the_gradient_that_cancels_keeps_its_digits() -> None:
    """Of 1 + 2λ·lse nothing is left where lse is next to −1/(2λ)."""
    logits = np.array([[-5.0, -9.0, -7.0]])
    lse = math.log(sum(math.exp(x) for x in logits[0]))
    for z_loss in (-0.5 / lse, math.nextafter(-0.5 / lse, 1)):
        worst_of(losses(logits, [1], z_loss=z_loss))
        worst_of(losses(logits, [1], z_loss=z_loss, logit_softcap=100.0, logit_scale=1.00001))


def test_a_logsumexp_next_to_0_costs_next_to_nothing() -> None:
    logits = [[-math.log(3)] * 3, [math.log(0.25), math.log(0.75), -np.inf]]
    for z_loss in (1e-4, 1e30):
        worst_of(losses(logits, [0, 1], z_loss=z_loss, reduction="none"))


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_an_infinite_logit_that_is_capped_has_no_agreed_answer(infinity: float) -> None:
    case = losses([[0.0, infinity], [1.0, 2.0]], [0, 1], logit_softcap=3.0, reduction="none")
    unknown, known = value(solve(case, case.inputs()))

    assert math.isnan(unknown)
    assert math.isfinite(known)


def test_a_denominator_makes_a_mean_of_nothing_zero() -> None:
    case = losses([[0.0, 1.0], [1.0, 2.0]], [-100, -100], denominator=7.0, z_loss=0.5)

    assert value(solve(case, case.inputs())) == 0.0
    assert not solve(case, case.inputs()).quantities["gradient_logits"].hi.any()


def test_slopes_are_those_of_the_transform() -> None:
    transform = Transform(0.5, 3.0)
    x = np.array([-40.0, -1.0, 0.0, 2.0, 1e4])
    exact = [0.5 / math.cosh(0.5 * number / 3.0) ** 2 for number in x[:4]]

    assert transform.slope(x).to_float()[:4] == pytest.approx(exact, rel=1e-14)
    assert transform.slope(x).to_float()[4] == 0.0
