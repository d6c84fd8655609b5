"""The bounds: sound algorithms stay below them, and faults do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import SCALAR_COTANGENT, Case, Inputs
from lossdiff.cases.operations import DTYPES, Options
from lossdiff.harness.bounds.algorithms import LADDER, SOUND, Algorithm, precision_of
from lossdiff.harness.judging import SolvedCase, judge
from lossdiff.harness.oracle.solve import solve

from .bound_questions import PLAIN, BoundCase, Worst, asked, given
from .classwise_algorithms import (
    CANCELS,
    RUNGS,
    answers,
    by_lse,
    numpys,
    off_by_two_ulp,
    pairwise,
    plain,
    sequential,
    shifted,
    target_of,
    top,
    unshifted,
)
from .elementwise_algorithms import PAIRS, element_answers, sigmoid, softplus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]

SPREADS = (1, 10, 100, 300)
CLASSES = (1, 2, 3, 10, 33, 1000, 70000)
LOOSEST = LADDER[4][1]
NARROW = LADDER[-1][1]


# --- over the classes ------------------------------------------------------------------------

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


def grid(operation: str, kind: str | None, dtype: str) -> Iterator[tuple[str, BoundCase]]:
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


def suits(rung: str, q: BoundCase) -> bool:
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

ELEMENTS: dict[tuple[str, str | None], list[Options]] = {
    ("sigmoid", None): [PLAIN],
    ("log_sigmoid", None): [PLAIN],
    ("exp", None): [PLAIN],
    ("binary_cross_entropy", "multi_label"): [
        PLAIN,
        Options(reduction="none", weight="positive"),
        Options(label_smoothing=0.1),
    ],
    ("binary_cross_entropy_with_logits", "multi_label"): [
        Options(label_smoothing=0.1, reduction="none", pos_weight="positive"),
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
                share = 1 / row_weights.sum()
                v = share * share.dtype.type(SCALAR_COTANGENT)
                if none:
                    v = q.in_a(q.case.cotangent((len(w),)))[:, None]
                given = operation == "nll_loss"
                for name, log in {
                    "log": np.log,
                    "two ulp off": lambda x: off_by_two_ulp(np.log(x)),
                }.items():
                    l = -q.x if given else -log(q.x)
                    losses = numpys(w * l)
                    got = {
                        "value": losses[:, 0] if none else losses.sum() * share,
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


def verdict(question: BoundCase, quantity: str, got: Array) -> str:
    """Return the word of the judge."""
    asked_too = SolvedCase(question.case, question.inputs)
    return judge(asked_too, quantity, got.astype(question.stored)).word


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
    question = BoundCase(case, inputs, solve(case, inputs))
    for rung, way, quantity, got in element_answers(question, sigmoid, softplus):
        assert question.ratio(quantity, got, RUNGS[rung][0]) <= 1.0, way


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_16_bit_sum_that_sticks_is_narrow(dtype: str) -> None:
    """4096 equal logits: the sum of ones sticks at 2048, or at 256."""
    x = FORMATS[dtype].round(np.zeros((1, 4096)))
    s = sequential(np.exp(x))[0, 0]
    p, l, seed = np.full_like(x, 1 / s), np.log(s), x.dtype.type(SCALAR_COTANGENT)
    label = np.array([7])
    hit = np.arange(4096) == label
    for operation, target, quantity, got in (
        ("softmax", None, "value", p),
        ("log_softmax", None, "value", np.full_like(x, -l)),
        ("logsumexp", None, "value", l[None]),
        ("cross_entropy", label, "value", l),
        ("cross_entropy", label, "gradient_logits", seed * (p - hit.astype(x.dtype))),
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
        inside = BoundCase(question.case, narrow, question.solution)
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
    inside = BoundCase(question.case, narrow, question.solution)
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
    inside = BoundCase(wrong.case, Inputs(wrong.inputs.values.astype(np.float32)), wrong.solution)
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
