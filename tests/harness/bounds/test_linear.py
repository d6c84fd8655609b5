"""Sound algorithms for losses of hidden states stay below their bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case
from lossdiff.cases.operations import DTYPES
from lossdiff.harness.judging import judge, solved_case
from lossdiff.harness.oracle import solve

from .bound_questions import BoundCase, Worst
from .linear_algorithms import ALGORITHMS, Layer, held_gradient, materialised

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = (
    "random/-",
    "random/reduction=none,linear_bias=normal",
    "some_ignored/logit_scale=0.7,logit_softcap=30.0,z_loss=0.0001,denominator=7.0",
    "top/reduction=sum,logit_softcap=2.5,linear_bias=normal",
    "random/z_loss=0.5",
)
FAMILIES = ("normal", "normal_100", "offset", "cancelling", "dominant")
SIZES = ("4x5x10", "6x40x3")


def asked(dtype: str, size: str, family: str, wanted: str) -> BoundCase:
    """Return a question with its right answers."""
    target, options = wanted.split("/")
    text = f"linear_cross_entropy/index.{target}/{dtype}/{size}/{family}/{options}/0"
    case = Case.parse(text)
    return BoundCase(case, case.inputs(), solve(case, case.inputs()))


def grid(dtype: str, wanted: str) -> Iterator[BoundCase]:
    """Yield questions of every family that a dtype holds."""
    for size in SIZES:
        for family in FAMILIES:
            if not (family == "offset" and (dtype == "float16" or "z_loss=0.5" in wanted)):
                yield asked(dtype, size, family, wanted)


@pytest.mark.parametrize("wanted", OPTIONS)
def test_sound_algorithms_stay_below_the_bounds(
    wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They reach at least a twentieth of it, so that it is not too wide either."""
    worst = Worst(f"linear_cross_entropy {wanted[:20]}")
    for dtype in DTYPES:
        stored = FORMATS[dtype].dtype
        algorithms = {**ALGORITHMS, "∂/∂x held in T": held_gradient(stored)}
        for q in grid(dtype, wanted):
            layer = Layer.of(q.case, q.accumulates.type)
            for name, algorithm in algorithms.items():
                for quantity, got in algorithm(layer).items():
                    if quantity in q.solution.quantities:
                        where = f"{quantity} {q.case.id}, {name}"
                        worst.see("sound", dtype, q.ratio(quantity, got), where)

    worst.show(capsys)
    worst.check()


@pytest.mark.parametrize(
    ("dtype", "family"), [("float16", "normal_10"), ("bfloat16", "normal_100")]
)
def test_logits_held_in_16_bits_are_narrow(dtype: str, family: str) -> None:
    q = asked(dtype, "4x8x10", family, "random/reduction=none")
    layer = Layer.of(q.case, np.float32)
    held = (layer.h @ layer.w.T).astype(q.stored).astype(np.float32)
    top = held.max(axis=1, keepdims=True)
    lse = (top + np.log(np.exp(held - top).sum(axis=1, keepdims=True)))[:, 0]
    losses = lse - np.take_along_axis(held, layer.labels[:, None], 1)[:, 0]

    assert judge(solved_case(q.case), "value", losses.astype(q.stored)).word == "narrow"


@pytest.mark.parametrize("quantity", ["gradient_hidden", "gradient_linear_weight"])
def test_a_gradient_that_is_one_part_in_a_thousand_off_is_found(quantity: str) -> None:
    q = asked("float32", "4x8x10", "normal", "random/-")
    got = materialised(Layer.of(q.case, np.float32))[quantity]

    assert judge(solved_case(q.case), quantity, got * np.float32(1.001)).word == "inaccurate"


def test_a_hidden_state_in_16_bits_inside_is_found() -> None:
    q = asked("float32", "4x8x10", "normal", "random/-")
    layer = Layer.of(q.case, np.float32)
    rounded = FORMATS["bfloat16"].round(layer.h).astype(np.float32)
    made = materialised(Layer(layer.case, rounded, *[getattr(layer, it) for it in
                              ("w", "b", "labels", "counts", "share")]))  # fmt: skip

    assert judge(solved_case(q.case), "value", np.asarray(made["value"])).word == "inaccurate"
