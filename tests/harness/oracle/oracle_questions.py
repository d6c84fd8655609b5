"""Questions to the oracle, and how far its answers are from enclosures of a second one."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from lossdiff.cases.everyday import EVERYDAY_TARGETS, EVERYDAY_VALUES
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import COVERED, DTYPES, Options
from lossdiff.cases.suites import suite
from lossdiff.cases.weights import WEIGHTS
from lossdiff.harness.oracle.solve import solve

from . import arb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lossdiff.harness.oracle.solution import Solution

GOOD_ENOUGH = 2.0**-20  # ulp of float64
LARGEST = 650  # elements of a case
TINY, HUGE = 5e-324, 1.7976931348623157e308
ROWS = {
    "one class": [[3.0]],
    "subnormals": [[TINY, -TINY, 0.0, 3 * TINY]],
    "opposite ends": [[HUGE, -HUGE, 0.0]],
    "all at the top": [[HUGE, HUGE, HUGE]],
    "all at the bottom": [[-HUGE, -HUGE, np.nextafter(-HUGE, 0)]],
    "neighbours": [[1e16, 1e16 + 2, 1e16 - 2]],
    "a gap of 2^-52": [[1.0, 1 + 2.0**-52, 1.0]],
    "a loss of 1e-307": [[0.0, -706.0, -706.5]],
    "a subnormal loss": [[0.0, -744.0, -740.0]],
    "a loss below all numbers": [[0.0, -1e5, -1e300]],
    "masked": [[-np.inf, 1.0, -np.inf, 2.0]],
    "all masked but one": [[-np.inf, 1.0, -np.inf]],
    "negative zero": [[-0.0, 0.0, -0.0]],
    "many ties": [[5.0] * 40],
    "probability next to one": [[40.0, 0.0, 0.0], [80.0, 0.0, -1.0]],
}
ELEMENTS = [
    0.0, -0.0, TINY, -TINY, 1e-300, 1e-17, 0.5, -1.0, 36.7, 37.5, -37.5, 88.7, -104.0, 709.9,
    -745.1, -745.2, 1e5, -1e5, 1e300, HUGE, -HUGE, np.inf, -np.inf, np.nan,
]  # fmt: skip
LOGITS = [[1.0, 2.0, 3.0], [0.0, np.nan, 1.0], [0.5, np.inf, 1.0], [-np.inf] * 3]
LARGE = [
    "cross_entropy/index.random/float32/64x3/normal/-/0",
    "cross_entropy/index.top/float32/64x3/far_tail/reduction=sum/0",
    "cross_entropy/index.top/bfloat16/64x3/dominant/-/0",
    "cross_entropy/index.bottom/float16/64x3/far_end/-/0",
    "cross_entropy/index.some_ignored/bfloat16/64x3/neg_inf/ignore_index=-1/0",
    "cross_entropy/index.random/float64/64x3/normal_100/weight=positive,label_smoothing=0.1/0",
    "cross_entropy/soft.soft/float32/64x3/normal_10/weight=with_zeros,reduction=sum/0",
    "cross_entropy/index.random/float32/64x3/normal/reduction=none/0",
    "nll_loss/index.random/float32/64x3/log_probs/weight=positive/0",
    "softmax/float32/64x3/normal/-/0",
    "logsumexp/float16/64x3/normal_100/-/0",
]


@cache
def suites() -> tuple[Case, ...]:
    """Return the quick suite, draws from all that `full` knows, and every family of weights."""
    drawn = suite("fuzz", seed=11, count=700).cases
    every = (*suite("quick").cases, *drawn, *weighted())
    return tuple(case for case in every if np.prod(case.shape) <= LARGEST)


def weighted() -> Iterator[Case]:
    """Yield every loss with every family of weights, by every kind of target."""
    for operation in COVERED:
        family = EVERYDAY_VALUES[operation.domain]
        for option in {"weight", "pos_weight"} & set(operation.options):
            asked = product(WEIGHTS, operation.targets, ("mean", "sum", "none"), DTYPES)
            for number, (weights, kind, reduction, dtype) in enumerate(asked):
                given: dict[str, Any] = {option: weights, "reduction": reduction}
                if "label_smoothing" in operation.options and number % 2:
                    given["label_smoothing"] = 0.1
                options, target = Options(**given), EVERYDAY_TARGETS[kind]
                shape = (4, 10) if number % 3 else (2, 3, 5)
                yield Case(operation.name, family, shape, dtype, kind, target, options, number)


def asked(
    operation: str,
    values: Any,
    target: Any = None,
    *,
    kind: str | None = None,
    dtype: str = "float64",
    weight: Sequence[float] | None = None,
    pos_weight: Sequence[float] | None = None,
    **options: Any,
) -> Case:
    """Return a case with given arrays."""
    given = Inputs(
        np.asarray(values, dtype),
        None if target is None else np.asarray(target, "int64" if kind == "index" else dtype),
        None if weight is None else np.asarray(weight, dtype),
        None if pos_weight is None else np.asarray(pos_weight, dtype),
    )
    shape = given.values.shape
    return Case(
        operation, "file:made", shape, dtype, kind, "given" if kind else "",  # type: ignore[arg-type]
        Options(**options), given=given,
    )  # fmt: skip


def worst_of(case: Case) -> tuple[int, float]:
    """Return how many values a case has, and the worst distance in ulp of float64."""
    solution, right = solve(case, case.inputs()), arb.answers(case, case.inputs())
    assert bool(solution.refusal) == (right is None), f"{case.id}: {solution.refusal!r}"
    if right is None:
        return 0, 0.0
    assert right.keys() == solution.quantities.keys()
    apart = {name: arb.ulps_apart(solution.quantities[name], right[name]) for name in right}
    for name, ulps in apart.items():
        worst = np.unravel_index(int(ulps.argmax()), ulps.shape) if ulps.size else ()
        assert np.all(ulps <= GOOD_ENOUGH), (
            f"{name} of {case.id} is {ulps.max()} ulp off at {worst}: got "
            f"{solution.quantities[name].to_float()[worst]}, wanted {right[name].balls[worst]}"
        )
    return sum(ulps.size for ulps in apart.values()), max(
        (float(ulps.max(initial=0.0)) for ulps in apart.values()), default=0.0
    )


def value(solution: Solution, quantity: str = "value") -> list[Any]:
    """Return a quantity as a list of floats."""
    return solution.quantities[quantity].to_float().tolist()
