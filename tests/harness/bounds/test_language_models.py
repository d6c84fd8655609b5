"""Sound algorithms for scaled and capped logits and a z-loss stay below their bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.operations import DTYPES, Options
from lossdiff.harness.bounds.algorithms import Algorithm
from lossdiff.harness.judging import SolvedCase, judge

from .bound_questions import BoundCase, Worst, asked
from .classwise_algorithms import SOUND_ONES
from .language_model_algorithms import Step, algorithms, answers, products, transformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

OPTIONS = {
    "scaled": Options(logit_scale=0.7),
    "capped": Options(logit_softcap=30.0),
    "capped soon": Options(logit_softcap=2.5, reduction="none"),
    "z-loss": Options(z_loss=1e-4),
    "all of them": Options(
        logit_scale=0.3, logit_softcap=5.0, z_loss=0.5, denominator=7.0, label_smoothing=0.1
    ),
    "weighted": Options(weight="positive", logit_softcap=20.0, z_loss=0.1, reduction="sum"),
}
CLASSES = (2, 33, 300)
SPREADS = (1, 10, 100)


def grid(options: Options, dtype: str) -> Iterator[tuple[str, BoundCase]]:
    """Yield questions, named."""
    for classes in CLASSES:
        for spread in SPREADS:
            yield (
                f"C={classes}, ±{spread}",
                asked("cross_entropy", dtype, classes, spread, "index", options),
            )


@pytest.mark.parametrize("name", OPTIONS)
def test_sound_algorithms_stay_below_the_bounds(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They reach at least a twentieth of it, so that it is not too wide either."""
    worst = Worst(f"cross_entropy {name}")
    for dtype in DTYPES:
        for named, q in grid(OPTIONS[name], dtype):
            for way, inner, slope, parts in algorithms(q):
                for how, quantity, got in answers(q, inner, slope, parts):
                    ratio = q.ratio(quantity, got)
                    worst.see("sound", dtype, ratio, f"{quantity} {how}, {named}, {way}")

    worst.show(capsys)
    worst.check()


def worst_by(q: BoundCase, step: Callable[..., Step], algorithm: Algorithm) -> float:
    """Return the largest error over the bound of an algorithm, where a transform is made by it."""
    inner, slope = transformed(q, step)
    made = answers(q, inner, slope, SOUND_ONES["two passes, pairwise"](inner))
    return max(q.ratio(quantity, got, algorithm) for _, quantity, got in made)


def tanh_by_sigmoid(x: NDArray[Any], s: Any, c: Any) -> Step:
    """2σ(2t) − 1, whose digits cancel near 0."""
    y = 2 / (1 + np.exp(-2 * (x * s / c))) - 1
    return c * y, s * (1 - y * y)


def held_in(dtype: str) -> Callable[..., Step]:
    """Return a transform whose logits are held in 16 bits."""

    def step(x: NDArray[Any], s: Any, c: Any) -> Step:
        z, slope = products(x, s, c)
        return FORMATS[dtype].round(z).astype(x.dtype), slope

    return step


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tanh_whose_digits_cancel_is_explained_by_its_form(dtype: str) -> None:
    options = Options(logit_softcap=1000.0, reduction="none")
    q = asked("cross_entropy", dtype, 33, 1, "index", options)

    assert worst_by(q, tanh_by_sigmoid, Algorithm(cancels=True)) <= 1.0
    if dtype in ("float32", "float64"):
        assert worst_by(q, tanh_by_sigmoid, Algorithm()) > 1.0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_logits_held_in_16_bits_are_narrow(dtype: str) -> None:
    options = Options(logit_scale=0.7, logit_softcap=30.0, reduction="none")
    q = asked("cross_entropy", dtype, 33, 10, "index", options)
    inner, slope = transformed(q, held_in(dtype))
    got = answers(q, inner, slope, SOUND_ONES["two passes, pairwise"](inner))
    value = next(numbers for _, quantity, numbers in got if quantity == "value")

    solved = SolvedCase(q.case, q.inputs)
    assert judge(solved, "value", value.astype(q.stored)).word == "narrow"


FAULTS: dict[str, Callable[..., Step]] = {
    "x·tanh(x/c)": lambda x, s, c: (x * s * np.tanh(x * s / c), products(x, s, c)[1]),
    "the cap before the scale": lambda x, s, c: (s * c * np.tanh(x / c), products(x, 1, c)[1] * s),
    "no cap": lambda x, s, _: products(x, s, None),
    "no derivative of the cap": lambda x, s, c: (products(x, s, c)[0], np.full_like(x, s)),
    "no derivative of the scale": lambda x, s, c: (products(x, s, c)[0], products(x, s, c)[1] / s),
    "a tanh of 11 bits": lambda x, s, c: (products(x, s, c)[0] * (1 + 2**-11), x * 0 + s),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_cap_are_beyond_every_explanation(fault: str, dtype: str) -> None:
    options = Options(logit_scale=0.25, logit_softcap=2.5, reduction="none")
    q = asked("cross_entropy", dtype, 33, 10, "index", options)

    assert worst_by(q, FAULTS[fault], Algorithm(cancels=True, sequential=True)) > 3


def test_float32_inside_float64_is_beyond_every_explanation() -> None:
    options = Options(logit_scale=0.7, logit_softcap=30.0, z_loss=1e-4)
    q = asked("cross_entropy", "float64", 33, 10, "index", options)

    def narrowed(x: NDArray[Any], s: Any, c: Any) -> Step:
        return products(x.astype(np.float32), np.float32(s), np.float32(c))

    assert worst_by(q, narrowed, Algorithm(cancels=True, unshifted=True)) > 1e4
