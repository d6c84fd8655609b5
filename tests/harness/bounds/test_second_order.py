"""The bounds of second derivatives: sound algorithms stay below them, and faults do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import SCALAR_COTANGENT, Case, Inputs
from lossdiff.cases.operations import DTYPES, Options
from lossdiff.harness.bounds.algorithms import SOUND, Algorithm, precision_of
from lossdiff.harness.bounds.second_order import second_bound
from lossdiff.harness.oracle.double_double import Exact
from lossdiff.harness.oracle.second_order import solve_second
from lossdiff.harness.oracle.solve import solve

from .bound_questions import PLAIN, BoundCase, asked
from .classwise_algorithms import SEQUENTIAL, SOUND_ONES, doubled, pairwise, sequential, shifted
from .elementwise_algorithms import sigmoid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Sum = Callable[[Array], Array]

SPREADS = (1, 10, 100, 300)
CLASSES = (1, 2, 10, 33, 1000, 70000)
CANCELS = Algorithm(cancels=True)
OPTIONS: dict[tuple[str, str | None], list[Options]] = {
    ("softmax", None): [PLAIN],
    ("log_softmax", None): [PLAIN],
    ("logsumexp", None): [PLAIN],
    ("cross_entropy", "index"): [
        PLAIN,
        Options(reduction="none"),
        Options(weight="positive", label_smoothing=0.1),
    ],
    ("cross_entropy", "soft"): [Options(weight="positive", reduction="sum")],
}


class Judge:
    """Holds answers against the exact second derivative of a question."""

    def __init__(self, question: BoundCase) -> None:
        exact = solve_second(question.case, question.inputs)
        assert exact is not None
        self.question, self.exact = question, exact
        self.limits: dict[Algorithm, Array] = {}

    def ratio(self, got: Array, algorithm: Algorithm = SOUND) -> float:
        """Return the largest error over the bound; `got` is rounded to T first."""
        q = self.question
        if algorithm not in self.limits:
            precision = precision_of(q.case.dtype, algorithm)
            limit = second_bound(q.case, q.solution, self.exact.to_float(), precision)
            self.limits[algorithm] = limit
        assert got.shape == self.exact.shape == self.limits[algorithm].shape
        with np.errstate(all="ignore"):
            if got.dtype != np.float64 or q.stored != np.float64:
                got = got.astype(q.stored).astype(np.float64)
            error = abs(Exact.of(got) - self.exact).to_float()
            return float((error / self.limits[algorithm]).max())


# --- rows of classes -------------------------------------------------------------------------


def moved(p: Array, t: Array, total: Sum) -> Array:
    """Return p (t − Σ p t), the derivative of p."""
    return p * (t - total(p * t))


def moved_apart(p: Array, t: Array, total: Sum) -> Array:
    """Return p t − p Σ p t, as automatic differentiation makes it twice."""
    return p * t - p * total(p * t)


def scales(q: BoundCase, kind: np.dtype[Any], total: Sum) -> Array:
    """ΣW and the cotangent over D, of each row."""
    rows, classes = q.inputs.values.shape
    weight = np.ones(classes, kind) if q.inputs.weight is None else q.inputs.weight.astype(kind)
    target = q.inputs.target
    assert target is not None
    divisor = kind.type(rows)
    if q.case.target_kind == "index":
        target = (np.arange(classes) == target[:, None]).astype(kind)
        divisor = total((weight * target).sum(axis=1)[None])[0, 0]
    epsilon = kind.type(q.case.options.label_smoothing)
    target = (1 - epsilon) * target.astype(kind) + epsilon / kind.type(classes)
    seed = kind.type(SCALAR_COTANGENT)
    v: Any = {"mean": seed / divisor, "sum": seed}.get(q.case.options.reduction)
    if v is None:
        v = q.case.cotangent((rows,)).astype(kind)[:, None]
    return np.asarray(total(weight * target) * v)


def answers(
    q: BoundCase, parts: Any, total: Sum = pairwise, step: Callable[..., Array] = moved
) -> Iterator[Array]:
    """Yield second derivatives made of m, log s and p; the second pass may find p in A or in T."""
    m, log_s, p = parts
    kind = p.dtype
    x, t = q.inputs.values.astype(kind), q.case.direction().astype(kind)
    log_p = x - m - log_s
    stored_p, stored_log_p = (part.astype(q.stored).astype(kind) for part in (p, log_p))
    operation = q.case.operation
    if operation == "softmax":
        v = q.case.cotangent(x.shape).astype(kind)
        for saved in (p, stored_p):
            yield from of_softmax(saved, t, v, total, step)
    elif operation == "logsumexp":
        v = q.case.cotangent(m.shape[:-1]).astype(kind)[:, None]
        yield v * step(p, t, total)
    else:
        for saved in (log_p, stored_log_p):
            dp = step(np.exp(saved), t, total)
            if operation == "cross_entropy":
                yield dp * scales(q, kind, total)
            else:
                yield -dp * total(q.case.cotangent(x.shape).astype(kind))


def of_softmax(
    p: Array, t: Array, v: Array, total: Sum, step: Callable[..., Array]
) -> Iterator[Array]:
    """Yield the derivative of p (v − Σ p v), forwards and backwards."""
    dp, mean = step(p, t, total), total(p * v)
    yield dp * (v - mean) - p * total(dp * v)
    r = t * (v - mean) - v * total(p * t)
    yield step(p, r, total)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("operation", "kind"), OPTIONS)
def test_sound_algorithms_over_classes_stay_below_their_bound(
    operation: str, kind: str | None, dtype: str
) -> None:
    worst, where = 0.0, ""
    for classes in CLASSES:
        options = OPTIONS[operation, kind]
        for choice in options[:1] if classes > 10000 else options:
            for spread in (1, 100) if classes > 10000 else SPREADS:
                question = asked(operation, dtype, classes, spread, kind, choice)
                judge = Judge(question)
                for name, algorithm in SOUND_ONES.items():
                    for got in answers(question, algorithm(question)):
                        found = judge.ratio(got)
                        if found > worst:
                            worst, where = found, f"C={classes}, ±{spread}, {name}"

    print(f"\n{operation} {kind or ''} {dtype}: worst {worst:.3f} of the bound ({where})")  # noqa: T201
    assert worst <= 1.0, where


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("operation", "kind"), OPTIONS)
def test_sequential_and_cancelling_forms_stay_below_theirs(
    operation: str, kind: str | None, dtype: str
) -> None:
    worst = 0.0
    for classes in CLASSES[:-1]:
        for spread in (1, 10, 100):
            question = asked(operation, dtype, classes, spread, kind, OPTIONS[operation, kind][-1])
            judge = Judge(question)
            for got in answers(question, shifted(question, sequential), sequential):
                worst = max(worst, judge.ratio(got, SEQUENTIAL))
            for got in answers(question, shifted(question), pairwise, moved_apart):
                worst = max(worst, judge.ratio(got, CANCELS))

    assert worst <= 1.0


# --- faults ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("operation", "kind"), OPTIONS)
def test_faults_are_beyond_every_bound(operation: str, kind: str | None, dtype: str) -> None:
    question = asked(operation, dtype, 10, 1, kind, OPTIONS[operation, kind][-1])
    judge = Judge(question)
    faults: dict[str, Callable[[Array, Array, Sum], Array]] = {
        "the sign": lambda p, t, total: -moved(p, t, total),
        "no mean": lambda p, t, _: p * t,
        "p twice": lambda p, t, total: p * moved(p, t, total),
        "a mean without p": lambda p, t, total: p * (t - total(t) / t.shape[-1]),
    }
    for name, fault in faults.items():
        for algorithm in (SOUND, CANCELS, SEQUENTIAL):
            for got in answers(question, shifted(question), pairwise, fault):
                # two wrong signs of a softmax make a right one
                if (name, operation) != ("the sign", "softmax"):
                    assert judge.ratio(got, algorithm) > 2, name


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mean_that_is_not_divided_is_beyond_every_bound(dtype: str) -> None:
    question = asked("cross_entropy", dtype, 10, 1, "index")
    judge, rows = Judge(question), question.case.shape[0]
    for got in answers(question, shifted(question)):
        assert judge.ratio(got) <= 1
        assert judge.ratio((got * rows).astype(got.dtype), CANCELS) > 2


@pytest.mark.parametrize(("operation", "kind"), OPTIONS)
def test_float32_inside_float64_is_beyond_every_bound(operation: str, kind: str | None) -> None:
    for classes in (2, 10, 1000):
        question = asked(operation, "float64", classes, 10, kind, OPTIONS[operation, kind][-1])
        judge = Judge(question)
        parts = tuple(part.astype(np.float32) for part in doubled(question))
        for got in answers(question, parts):
            assert judge.ratio(got.astype(np.float64), CANCELS) > 1e4


# --- single elements -------------------------------------------------------------------------


def made(operation: str, dtype: str, **options: Any) -> BoundCase:
    """Return a question of an operation of one element."""
    kind = "multi_label" if "binary" in operation else None
    question = asked(operation, dtype, 100, 10, kind, Options(**options))
    if operation != "binary_cross_entropy":
        return question
    form = FORMATS[dtype]
    rng = np.random.Generator(np.random.PCG64(8))
    values = form.round(rng.random(question.case.shape) * 0.98 + 0.01)
    target = form.round(rng.random(values.shape))
    inputs = Inputs(values, target, question.inputs.weight)
    case = Case(
        operation, "file:made", values.shape, dtype, "multi_label", "given", Options(**options),
        given=inputs,
    )  # fmt: skip
    return BoundCase(case, inputs, solve(case, inputs))


def of_elements(q: BoundCase, natural: bool = False) -> Array:
    """Return the second derivative in A; `natural` ones take 1 − σ from σ."""
    x, t = q.in_a(q.inputs.values), q.in_a(q.case.direction())
    one = x.dtype.type(1)
    s, rest = sigmoid(x).astype(x.dtype), sigmoid(-x).astype(x.dtype)
    half = (-np.expm1(-np.abs(x)) / (1 + np.exp(-np.abs(x)))).astype(x.dtype) * np.sign(x)
    if natural:
        rest, half = one - s, 2 * s - one
    if not q.case.contract.is_loss:
        v = q.in_a(q.case.cotangent(x.shape))
        slopes = {"exp": np.exp(x), "sigmoid": -s * rest * half, "log_sigmoid": -s * rest}
        return np.asarray(v * t * slopes[q.case.operation])
    assert q.inputs.target is not None
    z = q.in_a(q.inputs.target)
    w = one if q.inputs.weight is None else q.in_a(q.inputs.weight)
    none, seed = q.case.options.reduction == "none", x.dtype.type(SCALAR_COTANGENT)
    v = q.in_a(q.case.cotangent(x.shape)) if none else seed / x.dtype.type(x.size)
    if q.case.operation == "binary_cross_entropy_with_logits":
        return np.asarray(w * (one - z + z) * s * rest * v * t)
    if natural:
        spread = x * (1 - x)
        return np.asarray(w * v * t * (1 - (x - z) * (1 - 2 * x) / spread) / spread)
    return np.asarray(w * v * t * (z / (x * x) + (1 - z) / ((1 - x) * (1 - x))))


OF_ELEMENTS = (
    ("exp", {}),
    ("sigmoid", {}),
    ("log_sigmoid", {}),
    ("binary_cross_entropy", {"weight": "positive"}),
    ("binary_cross_entropy_with_logits", {"reduction": "none"}),
    ("binary_cross_entropy_with_logits", {"weight": "positive"}),
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("operation", "options"), OF_ELEMENTS)
def test_elements(operation: str, options: dict[str, Any], dtype: str) -> None:
    question = made(operation, dtype, **options)
    judge = Judge(question)
    with np.errstate(over="ignore"):
        got = of_elements(question)
        finite = np.isfinite(got.astype(question.stored)).all()
        natural = of_elements(question, natural=True)
        assert judge.ratio(got) <= 1 or not finite
        assert judge.ratio(natural, CANCELS) <= 1 or not finite
        assert judge.ratio(-got, CANCELS) > 2
        assert judge.ratio((got * got.size).astype(got.dtype), CANCELS) > 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_second_derivative_of_nll_and_of_given_probabilities(dtype: str) -> None:
    rng = np.random.Generator(np.random.PCG64(8))
    for operation in ("nll_loss", "cross_entropy_probs"):
        values = FORMATS[dtype].round(rng.random((20, 10)) * 0.9 + 0.1)
        inputs = Inputs(values, rng.integers(0, 10, 20))
        case = Case(
            operation, "file:made", (20, 10), dtype, "index", "given", PLAIN, given=inputs
        )  # fmt: skip
        question = BoundCase(case, inputs, solve(case, inputs))
        judge = Judge(question)
        x, t = question.in_a(inputs.values), question.in_a(case.direction())
        hot = np.arange(10) == inputs.target[:, None]  # type: ignore[index]
        seed = x.dtype.type(SCALAR_COTANGENT)
        got = np.where(hot, t / (x * x) * seed / x.dtype.type(20), x.dtype.type(0))
        if operation == "nll_loss":
            got = np.zeros_like(x)
            assert judge.ratio(got) == 0
        assert judge.ratio(got) <= 1
        assert judge.ratio(got + hot.astype(x.dtype) / 8, CANCELS) > 2
