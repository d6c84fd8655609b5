"""The bounds: sound algorithms stay below them, and faults do not.

The algorithms are written here, in NumPy, each as someone would write it. T is the dtype that
stores, A the one that accumulates: float32 for the 16-bit dtypes, else T itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import DTYPES, Options
from lossdiff.harness import judge as judging
from lossdiff.harness.arithmetic import Exact
from lossdiff.harness.bounds import bound
from lossdiff.harness.oracle import solve
from lossdiff.harness.precision import LADDER, SOUND, Algorithm, precision_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lossdiff.harness.solution import Solution
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Sum = Callable[[Array], Array]

SPREADS = (1, 10, 100, 300)
CLASSES = (1, 2, 3, 10, 33, 1000, 70000)
SEQUENTIAL = LADDER[0][1]
CANCELS = Algorithm(cancels=True)
UNSHIFTED = Algorithm(cancels=True, unshifted=True)
LOOSEST = LADDER[4][1]
NARROW = LADDER[-1][1]
PLAIN = Options()


@dataclass(frozen=True)
class Question:
    """A case with its arrays, in T and in A, and the right answers."""

    case: Case
    inputs: Inputs
    solution: Solution
    known: dict[Any, Array] = field(default_factory=dict)

    @property
    def stored(self) -> np.dtype[Any]:
        """T."""
        return self.inputs.values.dtype

    @property
    def accumulates(self) -> np.dtype[Any]:
        """A."""
        return np.dtype("float64" if self.stored == np.float64 else "float32")

    @property
    def x(self) -> Array:
        """The first argument, in A."""
        return self.in_a(self.inputs.values)

    @property
    def z(self) -> Array:
        """The target, in A."""
        assert self.inputs.target is not None
        return self.in_a(self.inputs.target)

    def in_a(self, array: Array) -> Array:
        """Return an array in A."""
        return array.astype(self.accumulates)

    def limit(self, quantity: str, algorithm: Algorithm) -> Array:
        """Return the bound of a quantity."""
        key = quantity, algorithm
        if key not in self.known:
            self.known[key] = bound(self.case, self.solution, quantity, algorithm)
        return self.known[key]

    def nearly(self, quantity: str) -> Array:
        """Return the right answer as float64 has it, good enough for narrower dtypes."""
        if quantity not in self.known:
            self.known[quantity] = self.solution.quantities[quantity].to_float()
        return self.known[quantity]

    def ratio(self, quantity: str, got: Array, algorithm: Algorithm = SOUND) -> float:
        """Return the largest error over the bound; `got` is rounded to T first."""
        exact = self.solution.quantities[quantity]
        assert got.shape == exact.shape
        if self.stored == np.float64:
            error = abs(Exact.of(got.astype(np.float64)) - exact).to_float()
        else:
            error = np.abs(got.astype(self.stored).astype(np.float64) - self.nearly(quantity))
        return float((error / self.limit(quantity, algorithm)).max())


@cache
def asked(
    operation: str,
    dtype: str,
    classes: int,
    spread: float,
    kind: str | None = None,
    options: Options = PLAIN,
    rows: int = 0,
    layout: str = "normal",
) -> Question:
    """Return logits of a spread, up to 3000 of them but one row at least.

    `layout` is normal, offset (by 20 and by 1000) or ties (multiples of the spread).
    """
    rng = np.random.Generator(np.random.PCG64(classes * 1000 + int(spread)))
    size = (rows or max(1, min(64, 3000 // classes)), classes)
    form = FORMATS[dtype]
    draws = rng.normal(size=size)
    offset = {"offset 20": 20, "offset 1000": 1000}.get(layout, 0)
    values = form.round((np.round(draws) if layout == "ties" else draws) * spread + offset)
    if operation in ("binary_cross_entropy", "cross_entropy_probs"):
        most = 1 - 4 * form.unit_roundoff
        values = form.round(np.clip(rng.random(size) ** min(spread, 30.0), form.tiny, most))
    if operation == "exp":
        values = np.minimum(values, form.round(10.0))
    target = None
    if kind == "index":
        target = rng.integers(0, classes, size[0])
    elif kind == "soft":
        shares = rng.random(size)
        target = form.round(shares / shares.sum(axis=1, keepdims=True))
    elif kind == "multi_label":
        hard = rng.integers(0, 2, size).astype(float)
        target = form.round(rng.random(size) if layout == "fractions" else hard)
    weight = form.round(rng.integers(1, 16, classes) / 7.0) if options.weight else None
    pos_weight = form.round(rng.integers(1, 16, classes) / 7.0) if options.pos_weight else None
    inputs = Inputs(values, target, weight, pos_weight)
    case = Case(
        operation, "file:made", size, dtype, kind, "given" if kind else "", options, given=inputs  # type: ignore[arg-type]
    )  # fmt: skip
    return Question(case, inputs, solve(case, inputs))


@dataclass
class Worst:
    """The largest error over the bound, of each dtype and rung, and whose it was."""

    title: str
    found: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)

    def see(self, rung: str, dtype: str, ratio: float, where: str) -> None:
        """Keep what exceeds all before."""
        if ratio >= self.found.get((rung, dtype), (0.0, ""))[0]:
            self.found[rung, dtype] = ratio, where

    def show(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Print one line for each rung: the worst of each dtype, and whose the worst of all is."""
        with capsys.disabled():
            for rung in dict.fromkeys(rung for rung, _ in self.found):
                of = {
                    dtype: self.found[rung, dtype]
                    for dtype in DTYPES
                    if (rung, dtype) in self.found
                }
                dtype = max(of, key=lambda name: of[name][0])
                ratios = " ".join(f"{ratio:.2f}" for ratio, _ in of.values())
                print(f"\n{self.title:40} {rung:9} {ratios:20} {dtype}: {of[dtype][1]}", end="")  # noqa: T201

    def check(self) -> None:
        """Fail where a bound is exceeded, or where sound algorithms come nowhere near it."""
        for (rung, dtype), (ratio, where) in self.found.items():
            assert ratio <= 1.0, (rung, dtype, where)
            assert rung != "sound" or ratio > 0.05, (dtype, where)


# --- sums ------------------------------------------------------------------------------------


def pairwise(terms: Array) -> Array:
    """Sum by halves, over the last axis."""
    while terms.shape[-1] > 1:
        half = terms.shape[-1] // 2
        summed = terms[..., :half] + terms[..., half : 2 * half]
        terms = np.concatenate([summed, terms[..., 2 * half :]], axis=-1)
    return terms


def sequential(terms: Array) -> Array:
    """Sum from first to last."""
    return np.cumsum(terms, axis=-1, dtype=terms.dtype)[..., -1:]


def numpys(terms: Array) -> Array:
    """Sum as NumPy does: blocks of 128 in eight lanes each, then pairs."""
    return terms.sum(axis=-1, keepdims=True, dtype=terms.dtype)


def blocked(terms: Array, block: int = 16) -> Array:
    """Sum blocks from first to last, and then by pairs."""
    padding = [(0, 0)] * (terms.ndim - 1) + [(0, -terms.shape[-1] % block)]
    padded = np.pad(terms, padding)
    blocks = padded.reshape(*padded.shape[:-1], -1, block)
    return pairwise(sequential(blocks)[..., 0])


def compensated(terms: Array) -> Array:
    """Sum as Kahan does, in 64 lanes at once, which are summed in the same way."""
    while terms.shape[-1] > 1:
        lanes = min(64, -(-terms.shape[-1] // 2))
        total = np.zeros((*terms.shape[:-1], lanes), terms.dtype)
        lost = np.zeros_like(total)
        for begin in range(0, terms.shape[-1], lanes):
            part = terms[..., begin : begin + lanes]
            at = np.s_[..., : part.shape[-1]]
            due = part - lost[at]
            grown = total[at] + due
            lost[at] = (grown - total[at]) - due
            total[at] = grown
        terms = total
    return terms


# --- softmax and its relatives: each returns m, log Σ exp(x − m), and p ----------------------

Parts = tuple[Any, Any, Any]


def top(x: Array) -> Array:
    """Return the maximum of each row."""
    return x.max(axis=-1, keepdims=True)


def shifted(q: Question, total: Sum = pairwise) -> Parts:
    """Two passes: the maximum, then the sum."""
    e = np.exp(q.x - top(q.x))
    s = total(e)
    return top(q.x), np.log(s), e / s


def online(q: Question, block: int) -> Parts:
    """One pass over blocks: the sum is scaled anew when the maximum grows."""
    x = q.x
    m = np.full((*x.shape[:-1], 1), -np.inf, x.dtype)
    s = np.zeros_like(m)
    for begin in range(0, x.shape[-1], block):
        part = x[..., begin : begin + block]
        grown = np.maximum(m, top(part))
        s = s * np.exp(m - grown) + pairwise(np.exp(part - grown))
        m = grown
    return m, np.log(s), np.exp(x - m) / s


def split(q: Question, count: int = 8) -> Parts:
    """Chunks with a maximum and a sum of their own, merged at the end, as Triton kernels do."""
    chunks = [part for part in np.array_split(q.x, count, axis=-1) if part.size]
    tops = [top(part) for part in chunks]
    m = np.maximum.reduce(tops)
    sums = [
        pairwise(np.exp(part - local)) * np.exp(local - m)
        for part, local in zip(chunks, tops, strict=True)
    ]
    s = pairwise(np.concatenate(sums, axis=-1))
    return m, np.log(s), np.exp(q.x - m) / s


def doubled(q: Question) -> Parts:
    """Everything in float64, rounded at the end."""
    x = q.inputs.values.astype(np.float64)
    e = np.exp(x - top(x))
    s = pairwise(e)
    return top(x), np.log(s), e / s


def by_reciprocal(q: Question) -> Parts:
    """A reciprocal and a product, where others divide."""
    e = np.exp(q.x - top(q.x))
    s = pairwise(e)
    return top(q.x), np.log(s), e * (1 / s)


def by_log1p(q: Question) -> Parts:
    """L = log1p of the sum over all but one maximal class, as SciPy has it."""
    e = np.exp(q.x - top(q.x))
    others = e.copy()
    np.put_along_axis(others, q.x.argmax(axis=-1)[..., None], 0, axis=-1)
    s = pairwise(others)
    return top(q.x), np.log1p(s), e / (1 + s)


def in_base_2(q: Question) -> Parts:
    """Powers of 2 for exp(d), as GPUs have them: 2^(d log2 e)."""
    log2_e, log_2 = (q.x.dtype.type(number) for number in (np.log2(np.e), np.log(2)))
    e = np.exp2((q.x - top(q.x)) * log2_e)
    s = pairwise(e)
    return top(q.x), np.log2(s) * log_2, e / s


def fused_in_base_2(q: Question) -> Parts:
    """2^(x log2 e − m log2 e) with a fused product, as FlashAttention has it, for p."""
    log2_e = q.x.dtype.type(np.log2(np.e))
    wide = np.longdouble if q.x.dtype == np.float64 else np.float64
    scaled = top(q.x) * log2_e
    e = np.exp2((q.x.astype(wide) * log2_e - scaled).astype(q.x.dtype))
    m, log_s, _ = in_base_2(q)
    return m, log_s, e / pairwise(e)


def off_by_two_ulp(y: Array) -> Array:
    """Move results one ulp up or down, or two, as a library's exp or log may be off."""
    steps = np.random.Generator(np.random.PCG64(9)).integers(-2, 3, y.shape).astype(y.dtype)
    return np.where(y == 0, y, y + steps * np.spacing(y)).astype(y.dtype)


def careless(q: Question) -> Parts:
    """Two passes, with an exp and a log that are off by two ulp more than NumPy's."""
    e = off_by_two_ulp(np.exp(q.x - top(q.x)))
    s = pairwise(e)
    return top(q.x), off_by_two_ulp(np.log(s)), e / s


SOUND_ONES: dict[str, Callable[[Question], Parts]] = {
    "two passes, pairwise": shifted,
    "two passes, NumPy's sum": lambda q: shifted(q, numpys),
    "two passes, blocks of 16": lambda q: shifted(q, blocked),
    "two passes, Kahan": lambda q: shifted(q, compensated),
    "online, 16 blocks": lambda q: online(q, max(128, -(-q.x.shape[-1] // 16))),
    "split in 8": split,
    "float64 inside": doubled,
    "reciprocal": by_reciprocal,
    "log1p of the others": by_log1p,
    "base 2": in_base_2,
    "base 2, fused": fused_in_base_2,
    "exp and log two ulp off": careless,
}
ORDERED: dict[str, Callable[[Question], Parts]] = {
    "two passes, first to last": lambda q: shifted(q, sequential),
    "two passes, blocks of 128": lambda q: shifted(q, lambda terms: blocked(terms, 128)),
    "online, one by one": lambda q: online(q, 1),
}

# --- forms that lose digits: each returns log Σ exp(x), log p, and p --------------------------

Forms = tuple[Any, Any, Any]


def plain(parts: Callable[[Question], Parts]) -> Callable[[Question], Forms]:
    """Return forms that lose nothing: m + log s, (x − m) − log s, and p."""

    def compute(q: Question) -> Forms:
        m, log_s, p = parts(q)
        return m + log_s, (q.inputs.values.astype(p.dtype) - m) - log_s, p

    return compute


def by_logaddexp(q: Question) -> Forms:
    """Return log(e^y + e^x) from first to last."""
    _, log_p, p = plain(shifted)(q)
    return np.logaddexp.reduce(q.x, axis=-1, keepdims=True), log_p, p


def exp_of_log(q: Question) -> Forms:
    """Return p = exp(log p)."""
    lse, log_p, _ = plain(shifted)(q)
    return lse, log_p, np.exp(log_p)


def by_lse(q: Question) -> Forms:
    """Return x − lse, and exp(x − lse)."""
    lse, _, _ = plain(shifted)(q)
    return lse, q.x - lse, np.exp(q.x - lse)


def unshifted(q: Question) -> Forms:
    """Without a shift."""
    e = np.exp(q.x)
    s = pairwise(e)
    return np.log(s), q.x - np.log(s), e / s


def unshifted_by_lse(q: Question) -> Forms:
    """Without a shift, and p from log p."""
    lse, log_p, _ = unshifted(q)
    return lse, log_p, np.exp(log_p)


def log_of_softmax(q: Question) -> Forms:
    """The logarithm of the quotient."""
    lse, _, p = plain(shifted)(q)
    return lse, np.log(p), p


def wholly_in_base_2(q: Question) -> Forms:
    """Scaled by log2 e first, then everything in base 2."""
    log2_e, log_2 = (q.x.dtype.type(number) for number in (np.log2(np.e), np.log(2)))
    x = q.x * log2_e
    e = np.exp2(x - top(x))
    s = pairwise(e)
    return (top(x) + np.log2(s)) * log_2, ((x - top(x)) - np.log2(s)) * log_2, e / s


Variants = dict[str, "Callable[[Question], Forms]"]
RUNGS: dict[str, tuple[Algorithm, Variants]] = {
    "sound": (SOUND, {name: plain(parts) for name, parts in SOUND_ONES.items()}),
    "order": (
        SEQUENTIAL,
        {name: plain(parts) for name, parts in ORDERED.items()} | {"logaddexp": by_logaddexp},
    ),
    "formula": (CANCELS, {"exp(log p)": exp_of_log, "x - lse": by_lse}),
    "unshifted": (
        UNSHIFTED,
        {
            "no shift": unshifted,
            "no shift, exp(x - lse)": unshifted_by_lse,
            "log of softmax": log_of_softmax,
            "base 2 throughout": wholly_in_base_2,
        },
    ),
}


def answers(q: Question, forms: Forms, total: Sum = pairwise) -> Iterator[tuple[str, str, Array]]:
    """Yield way, quantity and numbers of a case, made of log Σ exp(x), log p and p."""
    lse, log_p, p = forms
    case, kind = q.case, p.dtype
    if case.contract.is_loss:
        yield from losses_and_gradients(q, log_p, p, total)
        return
    stored_p, stored_log_p = (part.astype(q.stored).astype(kind) for part in (p, log_p))
    v = case.cotangent(lse.shape[:-1] if case.operation == "logsumexp" else p.shape).astype(kind)
    if case.operation == "logsumexp":
        yield "", "value", lse[..., 0]
        yield "v p", "gradient_logits", v[:, None] * p
    elif case.operation == "softmax":
        yield "", "value", p
        yield "p (v - m)", "gradient_logits", p * (v - total(p * v))
        yield "p v - p m", "gradient_logits", p * v - p * total(p * v)
        yield "stored p", "gradient_logits", stored_p * (v - total(stored_p * v))
    else:
        yield "", "value", log_p
        yield "exp(log p)", "gradient_logits", v - np.exp(log_p) * total(v)
        yield "p", "gradient_logits", v - p * total(v)
        yield "stored log p", "gradient_logits", v - np.exp(stored_log_p) * total(v)


def target_of(q: Question, kind: np.dtype[Any]) -> tuple[Array, Array]:
    """Return weight · smoothed target, and the weights of the rows that `mean` divides by."""
    classes = q.case.shape[1]
    smoothing = q.case.options.label_smoothing
    weight = np.ones(classes, kind) if q.inputs.weight is None else q.inputs.weight.astype(kind)
    assert q.inputs.target is not None
    target = q.inputs.target.astype(kind)
    row_weights = np.ones(len(target), kind)
    if q.case.target_kind == "index":
        target = (np.arange(classes) == q.inputs.target[:, None]).astype(kind)
        row_weights = (weight * target).sum(axis=1)
    if smoothing:
        target = kind.type(1 - smoothing) * target + kind.type(smoothing) / kind.type(classes)
    return weight * target, row_weights


def losses_and_gradients(
    q: Question, log_p: Array, p: Array, total: Sum
) -> Iterator[tuple[str, str, Array]]:
    """Yield the loss and its gradients; the backward pass may find log p in A or in T."""
    kind, reduction = log_p.dtype, q.case.options.reduction
    w, row_weights = target_of(q, kind)
    w_sum = total(w)
    losses, stored = total(w * -log_p), log_p.astype(q.stored).astype(kind)
    if reduction == "none":
        v = q.case.cotangent(losses.shape[:1]).astype(kind)[:, None]
        yield "", "value", losses[:, 0]
    else:
        divisor = total(row_weights[None])[0, 0] if reduction == "mean" else kind.type(1)
        v = 1 / divisor
        yield "sum / D", "value", total(losses.T)[0, 0] / divisor
        yield "pairs / D", "value", pairwise(losses.T)[0, 0] * v
        yield "shares first", "value", total((w / divisor * -log_p).reshape(1, -1))[0, 0]
        yield "stored log p", "value", total(total(w * -stored).T)[0, 0] / divisor
    yield "exp(log p) - t, then / D", "gradient_logits", (np.exp(log_p) * w_sum - w) * v
    yield "p - t, then / D", "gradient_logits", (p * w_sum - w) * v
    yield "p / D - t / D", "gradient_logits", p * (w_sum * v) - w * v
    yield "stored log p", "gradient_logits", (np.exp(stored) * w_sum - w) * v
    if q.case.target_kind == "soft":
        by_target = np.ones_like(w) if q.inputs.weight is None else q.in_a(q.inputs.weight)
        keep = kind.type(1 - q.case.options.label_smoothing)
        yield "", "gradient_target", by_target.astype(kind) * keep * -log_p * v


OVER_CLASSES: dict[tuple[str, str | None], list[Options]] = {
    ("softmax", None): [PLAIN],
    ("log_softmax", None): [PLAIN],
    ("logsumexp", None): [PLAIN],
    ("cross_entropy", "index"): [
        PLAIN,
        Options(reduction="none"),
        Options(weight="positive", label_smoothing=0.1),
    ],
    ("cross_entropy", "soft"): [Options(weight="positive", reduction="sum"), PLAIN],
}
# How the logits lie, and how far they are spread.
LAYOUTS = (
    *(("normal", spread) for spread in SPREADS),
    ("offset 20", 1),
    ("offset 1000", 10),
    ("ties", 1),
)


def grid(operation: str, kind: str | None, dtype: str) -> Iterator[tuple[str, Question]]:
    """Yield the questions of an operation over classes, named; fewer of the largest."""
    first, *others = OVER_CLASSES[operation, kind]
    for classes in CLASSES:
        for layout, spread in LAYOUTS:
            if classes > 10000 and (layout, spread) not in (("normal", 1), ("normal", 100)):
                continue
            everyday = (layout, spread) == ("normal", 10)
            for options in (first, *others) if everyday else (first,):
                q = asked(operation, dtype, classes, spread, kind, options, layout=layout)
                yield f"C={classes}, ±{spread} {layout}", q


def suits(rung: str, q: Question) -> bool:
    """Whether the forms of a rung neither overflow nor underflow, and do not take too long."""
    if rung == "order":
        return q.case.shape[1] <= 1000
    return rung != "unshifted" or (bool(np.abs(q.x).max() < 80) and np.ptp(q.x) < 80)


@pytest.mark.parametrize(("operation", "kind"), OVER_CLASSES)
def test_algorithms_over_classes_stay_below_their_bounds(
    operation: str, kind: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sound ones reach at least a twentieth of it, so that it is not too wide either."""
    worst = Worst(f"{operation} {kind or ''}")
    for dtype in DTYPES:
        for named, q in grid(operation, kind, dtype):
            for rung, (algorithm, variants) in RUNGS.items():
                for name, variant in variants.items() if suits(rung, q) else ():
                    total = sequential if rung == "order" else numpys
                    for how, quantity, got in answers(q, variant(q), total):
                        ratio = q.ratio(quantity, got, algorithm)
                        worst.see(rung, dtype, ratio, f"{quantity} {how}, {named}, {name}")

    worst.show(capsys)
    worst.check()


# --- one element -----------------------------------------------------------------------------


def softplus(x: Array) -> Array:
    """log(1 + e^x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def branched_softplus(x: Array) -> Array:
    """Each branch is computed everywhere, and one taken."""
    return np.where(x > 0, x + np.log1p(np.exp(-x)), np.log1p(np.exp(x)))


def sigmoid(x: Array) -> Array:
    """1/(1 + e^−x), by the sign of x."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def careless_sigmoid(x: Array) -> Array:
    """With an exp that is off by two ulp more than NumPy's."""
    e = off_by_two_ulp(np.exp(-np.abs(x)))
    return np.where(x >= 0, 1, e) / (1 + e)


def careless_softplus(x: Array) -> Array:
    """With functions that are off by two ulp more than NumPy's; log1p e is e if subnormal."""
    e = off_by_two_ulp(np.exp(-np.abs(x)))
    tail = np.where(e < np.finfo(e.dtype).tiny, e, off_by_two_ulp(np.log1p(e)))
    return np.maximum(x, 0) + tail


def sigmoid_in_base_2(x: Array) -> Array:
    """e^−x as 2^(−x log2 e)."""
    return 1 / (1 + np.exp2(-x * x.dtype.type(np.log2(np.e))))


def naive_softplus(x: Array) -> Array:
    """log(1 + e^x), as it is written."""
    return np.log(1 + np.exp(x))


def through_float64(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """In float64, rounded to A at the end."""
    return lambda x: function(x.astype(np.float64)).astype(x.dtype)


# rung, σ, softplus
PAIRS: dict[str, tuple[str, Callable[[Array], Array], Callable[[Array], Array]]] = {
    "by the sign": ("sound", sigmoid, softplus),
    "1/(1 + e^-x), logaddexp": (
        "sound", lambda x: 1 / (1 + np.exp(-x)), lambda x: np.logaddexp(0, x, dtype=x.dtype),
    ),
    "e^x/(1 + e^x), branches": (
        "sound",
        lambda x: np.where(x > 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))),
        branched_softplus,
    ),
    "expm1": ("sound", lambda x: 1 / (2 + np.expm1(-x)), softplus),
    "reciprocal": (
        "sound", lambda x: np.exp(np.minimum(x, 0)) * (1 / (1 + np.exp(-np.abs(x)))), softplus,
    ),
    "float64 inside": ("sound", through_float64(sigmoid), through_float64(softplus)),
    "two ulp off": ("sound", careless_sigmoid, careless_softplus),
    "base 2, log(1 + e^x)": ("unshifted", sigmoid_in_base_2, naive_softplus),
}  # fmt: skip


def element_answers(
    q: Question, sigma: Callable[[Array], Array], plus: Callable[[Array], Array]
) -> Iterator[tuple[str, str, str, Array]]:
    """Yield rung, way, quantity and numbers of an operation of one element, in A."""
    x, operation = q.x, q.case.operation
    if q.case.contract.is_loss:
        yield from binary_answers(q, sigma, plus)
        return
    v = q.in_a(q.case.cotangent(x.shape))
    if operation == "sigmoid":
        yield "sound", "", "value", sigma(x)
        yield "sound", "", "gradient_logits", v * (sigma(x) * sigma(-x))
        yield "formula", "s (1 - s)", "gradient_logits", v * (sigma(x) * (1 - sigma(x)))
    elif operation == "log_sigmoid":
        yield "sound", "", "value", -plus(-x)
        yield "sound", "min(x, 0) - ...", "value", np.minimum(x, 0) - plus(-np.abs(x))
        yield "sound", "", "gradient_logits", v * sigma(-x)
        yield "formula", "log s", "value", np.log(sigma(x))
        yield "formula", "x - softplus(x)", "value", x - plus(x)
        yield "formula", "1 - s", "gradient_logits", v * (1 - sigma(x))
    else:
        yield "sound", "", "value", np.exp(x)
        yield "sound", "float64 inside", "value", through_float64(np.exp)(x)
        yield "sound", "", "gradient_logits", v * np.exp(x)
        yield "unshifted", "base 2", "value", np.exp2(x * x.dtype.type(np.log2(np.e)))


def binary_answers(
    q: Question, sigma: Callable[[Array], Array], plus: Callable[[Array], Array]
) -> Iterator[tuple[str, str, str, Array]]:
    """Yield the losses and gradients of a binary loss of logits or of probabilities."""
    x, z = q.x, q.z
    one = x.dtype.type(1)
    hard = bool(np.isin(z, (0, 1)).all())
    p = np.ones(x.shape[1], x.dtype) if q.inputs.pos_weight is None else q.in_a(q.inputs.pos_weight)
    w = np.ones(x.shape[1], x.dtype) if q.inputs.weight is None else q.in_a(q.inputs.weight)
    plain = q.inputs.pos_weight is None
    losses: list[tuple[str, str, Array]] = []
    slopes: list[tuple[str, str, Array]] = []
    if q.case.operation == "binary_cross_entropy":
        losses += [("sound", "log, log1p", -(z * np.log(x) + (1 - z) * np.log1p(-x)))]
        losses += [("formula", "log(1 - p)", -(z * np.log(x) + (1 - z) * np.log(1 - x)))]
        slopes += [("sound", "two terms", (1 - z) / (1 - x) - z / x)]
        slopes += [("sound", "(p - z)/(p (1 - p))", (x - z) / (x * (1 - x)))]
        by_target = np.log1p(-x) - np.log(x)
    else:
        losses += [("sound", "two softplus", p * z * plus(-x) + (1 - z) * plus(x))]
        slopes += [("sound", "two sigmoids", (1 - z) * sigma(x) - p * z * sigma(-x))]
        by_target = (p - 1) * plus(-np.abs(x)) - np.where(x > 0, x, p * x)
        if plain:
            rung = "sound" if hard else "formula"
            tail = np.log1p(np.exp(-np.abs(x)))
            losses += [(rung, "max(x, 0) - x z", np.maximum(x, 0) - x * z + tail)]
            losses += [("formula", "softplus(x) - x z", plus(x) - x * z)]
            slopes += [("formula", "s - z", sigma(x) - z)]
        if plain and hard:
            losses += [("sound", "where", np.where(z == 1, plus(-x), plus(x)))]
            losses += [("sound", "sign", plus((1 - 2 * z) * x))]
    none = q.case.options.reduction == "none"
    v = q.in_a(q.case.cotangent(x.shape)) if none else one / x.dtype.type(x.size)
    for rung, way, loss in losses:
        if none:
            yield rung, way, "value", w * loss
        else:
            yield rung, way, "value", pairwise((w * loss).ravel())[0] * v
            yield (
                rung,
                f"{way}, by class",
                "value",
                (w * loss).sum(axis=1).sum() / x.dtype.type(x.size),
            )
    for rung, way, slope in slopes:
        yield rung, way, "gradient_logits", w * slope * v
    yield "sound", "", "gradient_target", w * by_target * v


ELEMENTS: dict[tuple[str, str | None], list[Options]] = {
    ("sigmoid", None): [PLAIN],
    ("log_sigmoid", None): [PLAIN],
    ("exp", None): [PLAIN],
    ("binary_cross_entropy", "multi_label"): [PLAIN, Options(reduction="none", weight="positive")],
    ("binary_cross_entropy_with_logits", "multi_label"): [
        PLAIN,
        Options(reduction="none"),
        Options(weight="positive", pos_weight="positive"),
    ],
}


@pytest.mark.parametrize(("operation", "kind"), ELEMENTS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_algorithms_of_one_element_stay_below_their_bounds(
    operation: str, kind: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    worst = Worst(operation)
    for dtype in DTYPES:
        for spread in (0.01, *SPREADS):
            for layout in ("normal", "fractions") if kind else ("normal",):
                for options in ELEMENTS[operation, kind]:
                    q = asked(operation, dtype, 33, spread, kind, options, rows=100, layout=layout)
                    tame = np.abs(q.x).max() < 80  # nothing overflows
                    for name, (own, sigma, plus) in PAIRS.items():
                        if not tame and name not in ("by the sign", "two ulp off"):
                            continue
                        for rung, way, quantity, got in element_answers(q, sigma, plus):
                            above = rung if own == "sound" else own
                            if tame or above == "sound":
                                ratio = q.ratio(quantity, got, RUNGS[above][0])
                                found = f"{quantity} {way}, ±{spread}, {name}"
                                worst.see(above, dtype, ratio, found)

    worst.show(capsys)
    worst.check()


def test_a_sigmoid_without_a_correct_digit_is_not_explained() -> None:
    q = asked("sigmoid", "float32", 33, 10, rows=100)
    by_tanh = (1 + np.tanh(q.x / 2)) / 2

    assert q.ratio("value", by_tanh, LOOSEST) > 1000


# --- log-probabilities and probabilities that are given ---------------------------------------


@pytest.mark.parametrize(("operation", "kind"), [
    ("nll_loss", "index"), ("cross_entropy_probs", "index"), ("cross_entropy_probs", "soft"),
])  # fmt: skip
def test_losses_of_what_is_given_stay_below_their_bounds(
    operation: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    worst = Worst(f"{operation} {kind}")
    for dtype in DTYPES:
        for classes in (1, 3, 33, 1000):
            for options in (PLAIN, Options(weight="positive"), Options(reduction="none")):
                q = asked(operation, dtype, classes, 10, kind, options)
                w, row_weights = target_of(q, q.accumulates)
                none = options.reduction == "none"
                v = q.in_a(q.case.cotangent((len(w),)))[:, None] if none else 1 / row_weights.sum()
                given = operation == "nll_loss"
                for name, log in {
                    "log": np.log,
                    "two ulp off": lambda x: off_by_two_ulp(np.log(x)),
                }.items():
                    l = -q.x if given else -log(q.x)
                    losses = numpys(w * l)
                    got = {
                        "value": losses[:, 0] if none else losses.sum() * v,
                        "gradient_logits": (-w if given else -w / q.x) * v,
                    }
                    if kind == "soft":
                        weight = np.ones(1) if q.inputs.weight is None else q.inputs.weight
                        got["gradient_target"] = q.in_a(weight) * l * v
                    for quantity, numbers in got.items():
                        ratio = q.ratio(quantity, numbers)
                        worst.see("sound", dtype, ratio, f"{quantity}, C={classes}, {name}")

    worst.show(capsys)
    worst.check()


# --- sums ------------------------------------------------------------------------------------


def test_the_depth_of_a_sum_is_that_of_numpys() -> None:
    """Equal terms round alike in all lanes; by pairs they would have ⌈log2 n⌉ + 1 at most."""
    precision, u = precision_of("float32", SOUND), 2.0**-24
    terms = np.random.Generator(np.random.PCG64(1)).random(200).astype(np.float32)
    beyond_pairs = False
    for n in (2, 7, 8, 15, 31, 63, 100, 119, 127, 128, 255, 1000, 5000):
        exact = n * terms.astype(np.float64)
        error = max(abs(np.full(n, v).sum() - e) / e for v, e in zip(terms, exact, strict=True))
        assert error <= precision.tree(n) * u, n
        beyond_pairs |= error > (np.ceil(np.log2(n)) + 1) * u

    assert beyond_pairs


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("n", [100, 300, 2048, 4096, 20000])
def test_a_sum_of_ones_sticks_within_its_bound(dtype: str, n: int) -> None:
    got = float(sequential(np.ones(n, FORMATS[dtype].round(1.0).dtype))[0])
    hu = precision_of(dtype, Algorithm(narrow=True, sequential=True)).sum_of_exps(n)

    assert got == min(n, 1 / FORMATS[dtype].unit_roundoff)
    assert n / got <= 1 + hu


# --- forms that cancel, and 16-bit sums: explained, not excused ------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_lse_minus_x_is_explained_by_its_form_only(dtype: str) -> None:
    question = asked("log_softmax", dtype, 10, 1)
    offset = {"float16": 1e3, "bfloat16": 250.0}.get(dtype, 1e5)
    values = FORMATS[dtype].round(question.inputs.values.astype(float) + offset)
    question = given("log_softmax", values)
    _, got, _ = by_lse(question)

    assert question.ratio("value", got, CANCELS) <= 1.0
    if dtype in ("float32", "float64"):
        assert question.ratio("value", got) > 10


def given(operation: str, values: Array, target: Array | None = None) -> Question:
    """Return a question about these arrays."""
    inputs = Inputs(values, target)
    kind = None if target is None else "index"
    case = Case(
        operation, "file:made", values.shape, values.dtype.name, kind, "given" if kind else "",
        given=inputs,
    )  # fmt: skip
    return Question(case, inputs, solve(case, inputs))


def verdict(question: Question, quantity: str, got: Array) -> str:
    """Return the word of the judge."""
    asked_too = judging.Question(question.case, question.inputs)
    return judging.judge(asked_too, quantity, got.astype(question.stored)).word


@pytest.mark.parametrize("spread", [1, 10])
def test_x_minus_log_sum_exp_is_explained_where_nothing_overflows(spread: float) -> None:
    question = asked("log_softmax", "float32", 33, spread, layout="offset 20")
    _, got, p = unshifted(question)

    assert verdict(question, "value", got) in ("within bound", "order", "formula")
    softmax = given("softmax", question.inputs.values)
    assert verdict(softmax, "value", p) in ("faithful", "within bound")


@pytest.mark.parametrize(("x", "word"), [
    ([-95.0, -96.0, -97.0], "inaccurate"),  # subnormal exponentials
    ([-100.0, 0.0, 89.0], "nonfinite"),
    ([-110.0, -111.0, -112.0], "nonfinite"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_broke_down_without_a_shift_is_not_explained(x: list[float], word: str) -> None:
    question = given("log_softmax", np.array([x], np.float32))
    _, got, _ = unshifted(question)

    assert verdict(question, "value", got) == word


@pytest.mark.parametrize("x", [1e7, 3.4e7, 1e8])
def test_a_loss_that_a_common_offset_ate_is_explained(x: float) -> None:
    """Optax's lse − x_y: 0, 1 or 2 instead of 1.0986."""
    question = given("cross_entropy", np.full((1, 3), x, np.float32), np.array([1]))
    _, log_p, _ = by_lse(question)

    assert abs(-log_p[0, 1] - np.log(3)) > 0.09
    assert verdict(question, "value", -log_p[0, 1]) == "formula"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bounds_of_the_largest_numbers_do_not_overflow(dtype: str) -> None:
    most = FORMATS[dtype].max
    x = FORMATS[dtype].round(np.array([[0.9 * most, 0.0, -0.05 * most]]))
    question = given("log_softmax", x)
    _, log_p, _ = plain(shifted)(question)
    assert question.ratio("value", log_p) <= 1.0

    binary = Options(reduction="none")
    inputs = Inputs(x, FORMATS[dtype].round(np.array([[0.25, 0.5, 0.75]])))
    case = Case(
        "binary_cross_entropy_with_logits", "file:made", x.shape, dtype, "multi_label", "given",
        binary, given=inputs,
    )  # fmt: skip
    question = Question(case, inputs, solve(case, inputs))
    for rung, way, quantity, got in element_answers(question, sigmoid, softplus):
        assert question.ratio(quantity, got, RUNGS[rung][0]) <= 1.0, way


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_16_bit_sum_that_sticks_is_narrow(dtype: str) -> None:
    """4096 equal logits: the sum of ones sticks at 2048, or at 256."""
    x = FORMATS[dtype].round(np.zeros((1, 4096)))
    s = sequential(np.exp(x))[0, 0]
    p, l = np.full_like(x, 1 / s), np.log(s)
    label = np.array([7])
    hit = np.arange(4096) == label
    for operation, target, quantity, got in (
        ("softmax", None, "value", p),
        ("log_softmax", None, "value", np.full_like(x, -l)),
        ("logsumexp", None, "value", l[None]),
        ("cross_entropy", label, "value", l),
        ("cross_entropy", label, "gradient_logits", p - hit.astype(x.dtype)),
    ):
        question = given(operation, x, target)

        assert question.ratio(quantity, np.asarray(got)) > 10
        assert verdict(question, quantity, np.asarray(got)) == "narrow", operation


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("classes", [2, 10, 33])
def test_what_is_rounded_to_16_bits_at_each_step_is_narrow(dtype: str, classes: int) -> None:
    """Exponentials that are good to 2^-8 are what bfloat16 can do."""
    question = asked("softmax", dtype, classes, 1)
    x = question.inputs.values
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    total = e[:, :1]
    for column in range(1, classes):
        total = total + e[:, column : column + 1]

    assert question.ratio("value", e / total, Algorithm(narrow=True, sequential=True)) <= 1.0
    if classes == 33:
        assert question.ratio("value", e / total) > 1.5


@pytest.mark.parametrize(("dtype", "u", "s"), [
    ("float64", 2.0**-53, 0.0),
    ("float32", 2.0**-24, 0.0),
    ("float16", 2.0**-24, 2.0**-11),
    ("bfloat16", 2.0**-24, 2.0**-8),
])  # fmt: skip
def test_16_bits_are_accumulated_in_float32_and_stored_once(dtype: str, u: float, s: float) -> None:
    precision = precision_of(dtype, SOUND)

    assert (precision.u, precision.s) == (u, s)
    assert precision.eta == FORMATS[dtype].smallest
    assert precision_of(dtype, Algorithm(narrow=True)).u == FORMATS[dtype].unit_roundoff


@pytest.mark.parametrize("operation", ["softmax", "log_softmax", "logsumexp"])
def test_every_explanation_is_at_least_as_wide_as_soundness(operation: str) -> None:
    for dtype in DTYPES:
        question = asked(operation, dtype, 10, 10)
        for quantity in question.solution.quantities:
            for word, algorithm in LADDER:
                if word == "narrow" and dtype in ("float32", "float64"):
                    continue
                wider = question.limit(quantity, algorithm)
                # narrow: u_T stands for u_A and s together, which are 2^-13 more
                assert np.all(wider >= 0.999 * question.limit(quantity, SOUND))


# --- tight enough ----------------------------------------------------------------------------


def loosest(dtype: str) -> Algorithm:
    """Return the rung that forgives most."""
    return NARROW if dtype in ("float16", "bfloat16") else LOOSEST


@pytest.mark.parametrize(("operation", "kind"), OVER_CLASSES)
def test_float32_inside_float64_is_beyond_every_explanation(
    operation: str, kind: str | None
) -> None:
    for options in OVER_CLASSES[operation, kind]:
        question = asked(operation, "float64", 1000, 10, kind, options)
        narrow = Inputs(
            question.inputs.values.astype(np.float32),
            question.inputs.target,
            question.inputs.weight,
        )
        inside = Question(question.case, narrow, question.solution)
        for how, quantity, got in answers(inside, plain(shifted)(inside)):
            assert question.ratio(quantity, got) > 1e4, how
            assert question.ratio(quantity, got, LOOSEST) > 100, how


@pytest.mark.parametrize(("operation", "kind"), ELEMENTS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_float32_inside_float64_of_one_element_is_beyond_every_explanation(
    operation: str, kind: str | None
) -> None:
    question = asked(operation, "float64", 33, 1, kind, rows=100)
    narrow = Inputs(question.inputs.values.astype(np.float32), question.inputs.target)
    inside = Question(question.case, narrow, question.solution)
    for _, how, quantity, got in element_answers(inside, sigmoid, softplus):
        assert question.ratio(quantity, got) > 1e4, how
        assert question.ratio(quantity, got, LOOSEST) > 100, how


def test_a_tolerance_flags_what_is_right_and_misses_what_is_wrong() -> None:
    """With rtol = 1e-5 and atol = 1e-8, as everyone writes them."""
    right = asked("log_softmax", "float32", 10, 10)
    _, got, _ = plain(shifted)(right)
    exact = right.solution.quantities["value"].to_float()
    assert right.ratio("value", got) <= 1.0
    assert not np.allclose(got, exact, rtol=1e-5, atol=1e-8)

    wrong = asked("log_softmax", "float64", 10, 1)
    inside = Question(wrong.case, Inputs(wrong.inputs.values.astype(np.float32)), wrong.solution)
    _, got, _ = plain(shifted)(inside)
    assert np.allclose(got, wrong.solution.quantities["value"].to_float(), rtol=1e-5, atol=1e-8)
    assert wrong.ratio("value", got) > 1e6


def rough(x: Array, digits: int) -> Array:
    """Return exp x, good to 2^-digits only: 2^-digits off where the argument is not 0."""
    wrong = np.where(x == 0, 0.0, 2.0**-digits).astype(x.dtype)
    return np.exp(x) * (1 + wrong)


@pytest.mark.parametrize(("operation", "dtype", "digits"), [
    # in float32 an exp that is off by 2^-20 is off by 16u: sigmoid sees it, and exp itself;
    # softmax allows 5u for each of its functions, and sees 2^-18
    ("exp", "float32", 20),
    ("sigmoid", "float32", 20),
    ("softmax", "float32", 18),
    ("log_softmax", "float32", 18),
    ("exp", "float64", 20),
    ("sigmoid", "float64", 20),
    ("softmax", "float64", 20),
    ("log_softmax", "float64", 20),
])  # fmt: skip
def test_an_exp_of_too_few_digits_is_seen(operation: str, dtype: str, digits: int) -> None:
    question = asked(operation, dtype, 10, 1)
    x = question.inputs.values
    d = x - x.max(axis=-1, keepdims=True)
    e = rough(d, digits)
    got = {
        "exp": lambda: rough(x, digits),
        "sigmoid": lambda: (
            np.where(x >= 0, 1, rough(-np.abs(x), digits)) / (1 + rough(-np.abs(x), digits))
        ),
        "softmax": lambda: e / pairwise(e),
        "log_softmax": lambda: d - np.log(pairwise(e)),
    }[operation]()

    assert question.ratio("value", got.astype(x.dtype)) > 1.0


FAULTS: dict[str, Callable[[Array, Array], Array]] = {
    "one class is dropped from the sum": lambda x, e: x - np.log(pairwise(e[:, :-1])),
    "one class is counted twice": lambda x, e: x - np.log(pairwise(e) + e[:, -1:]),
    "1e-7 inside the logarithm": lambda _, e: np.log(e / pairwise(e) + 1e-7),
    "1e-8 inside the logarithm": lambda _, e: np.log(e / pairwise(e) + 1e-8),
    "clipped at 1e-7": lambda _, e: np.log(np.clip(e / pairwise(e), 1e-7, None)),
    "1e-4 in the denominator": lambda x, e: x - np.log(pairwise(e) + 1e-4),
}
UNSEEN = {("1e-4 in the denominator", dtype) for dtype in ("float16", "bfloat16")}


@pytest.mark.parametrize(
    ("fault", "dtype"),
    [(fault, dtype) for fault in FAULTS for dtype in DTYPES if (fault, dtype) not in UNSEEN],
)
def test_faults_in_a_logarithm_are_beyond_the_bound(fault: str, dtype: str) -> None:
    question = asked("log_softmax", dtype, 33, 10)
    x = question.x - top(question.x)
    got = FAULTS[fault](x, np.exp(x))

    assert question.ratio("value", got) > 5.0
    assert question.ratio("value", got, loosest(dtype)) > 1.0


def test_1e_8_in_the_denominator_shows_in_float64() -> None:
    question = asked("softmax", "float64", 33, 10)
    e = np.exp(question.x - top(question.x))

    assert question.ratio("value", e / (pairwise(e) + 1e-8), LOOSEST) > 1e5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("off", [-1, 1])
def test_a_mean_over_one_row_too_many_or_too_few_is_seen(dtype: str, off: int) -> None:
    question = asked("cross_entropy", dtype, 10, 10, "index", PLAIN, rows=40)
    for _, quantity, got in answers(question, plain(shifted)(question)):
        wrong = got * (40 / (40 + off))
        assert question.ratio(quantity, wrong) > 1.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sum_where_a_mean_is_due_is_beyond_every_explanation(dtype: str) -> None:
    question = asked("cross_entropy", dtype, 10, 10, "index", PLAIN, rows=40)
    for how, quantity, got in answers(question, plain(shifted)(question)):
        assert question.ratio(quantity, got * 40, loosest(dtype)) > 3, how


@pytest.mark.parametrize("dtype", DTYPES)
def test_label_smoothing_over_the_wrong_axis_is_beyond_every_explanation(dtype: str) -> None:
    """ε/N for ε/C."""
    options = Options(label_smoothing=0.25)
    question = asked("cross_entropy", dtype, 10, 10, "index", options, rows=40)
    _, log_p, p = plain(shifted)(question)
    w, _ = target_of(question, question.accumulates)
    wrong = np.where(w > 0.5, 0.75 + 0.25 / 40, 0.25 / 40).astype(w.dtype)
    value = (wrong * -log_p).sum() / 40
    gradient = (p * wrong.sum(axis=1, keepdims=True) - wrong) / 40

    assert question.ratio("value", value, loosest(dtype)) > 1.0
    assert question.ratio("gradient_logits", gradient, loosest(dtype)) > 3
