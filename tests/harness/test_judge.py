"""The judge: faults that somebody made before are caught, and sound implementations are not.

The first part of this file is an implementation in NumPy of all that the judge is asked. It
follows the contract in A, the accumulating dtype (float32 for the 16-bit dtypes, else the dtype
itself), in several sound styles, and it can be broken: each fault is named where it is made. What
each verdict means is tested in `test_verdicts`.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import DTYPES, Options
from lossdiff.cases.suites import suite
from lossdiff.harness.judge import Question, judge, question_of
from lossdiff.harness.observation import Failure
from lossdiff.harness.precision import SOUND
from lossdiff.harness.verdicts import standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from lossdiff.harness.judge import Verdict
    from numpy.typing import NDArray

    Array = NDArray[Any]

FAULTS = (
    # the sum of exponentials
    "no shift", "shift by the mean", "stale maximum", "class dropped", "lane boundary",
    "16-bit sum", "1e-7 in the denominator", "float32 inside", "NaN swallowed",
    "log of a sum in 16 bits", "-inf counted as -1e4", "wrong axis",
    # the logarithm
    "log of the softmax", "1e-7 in the log", "clip at 1e-7", "floor at 1e-20", "lse minus x",
    "log to base 2",
    # the loss
    "0 times infinity", "mean over all rows", "mean over one row less", "sum for mean",
    "smoothing over ignored rows", "smooth part not weighted", "smoothing over other classes",
    "smoothing forgotten", "weight forgotten", "weight squared", "index wraps",
    "index clamped", "target of the next row", "ignore_index only if it is a label",
    # gradients
    "no 1/N in the gradient", "cotangent ignored", "gradient of ignored rows",
    "gradient p - t whatever the sum of t", "gradient with the wrong sign", "gradient in 16 bits",
    "weight not in the gradient",
    # one element
    "1 - sigmoid(-x)", "exp without a sign", "log of sigmoid", "pos_weight on the wrong term",
    "pos_weight on both terms", "log floored at -100", "1e-7 in both logs", "mean over rows only",
)  # fmt: skip
STYLES = (
    "two passes", "pairs", "float64 inside", "streaming", "chunked", "times the reciprocal",
    "top left out of the sum", "Fortran order",
)  # fmt: skip


class RefusedError(ValueError):
    """An input that the contract does not allow."""


def answers(
    case: Case, inputs: Inputs, fault: str = "", style: str = STYLES[0]
) -> dict[str, Array]:
    """Return the quantities of a case, in its dtype.

    Raises:
        RefusedError: the contract demands an error.

    """
    solver = _classes if case.contract.reads_classes else _elements
    with np.errstate(all="ignore"):
        found = solver(case, inputs, fault, style)
        return {name: got.astype(inputs.values.dtype) for name, got in found.items()}


def _accumulating(case: Case, fault: str, style: str) -> np.dtype[Any]:
    if style == "float64 inside":
        return np.dtype("float64")
    if fault == "float32 inside" or case.dtype != "float64":
        return np.dtype("float32")
    return np.dtype("float64")


def _is_outside(array: Array) -> bool:
    return bool(((array < 0) | (array > 1)).any())


# --- over classes ----------------------------------------------------------------------------


def _classes(case: Case, inputs: Inputs, fault: str, style: str) -> dict[str, Array]:
    axis = case.class_axis
    if fault == "wrong axis" and not case.contract.is_loss:
        axis = (axis + 1) % len(case.shape)
    a = _accumulating(case, fault, style)
    full = np.moveaxis(inputs.values, axis, -1)
    stored = full.reshape(-1, full.shape[-1])
    x = stored.astype(a)

    def back(rows: Array) -> Array:
        if rows.shape != x.shape:
            return rows.reshape(full.shape[:-1])
        return np.moveaxis(rows.reshape(full.shape), -1, axis)

    if case.contract.is_loss:
        return _loss(case, inputs, fault, style, x, back)
    m, log_s, p = _softmax(x, stored, fault, style)
    if case.operation == "logsumexp":
        v = _cotangent(case, full.shape[:-1], a, fault).reshape(-1, 1)
        return {"value": back((m + log_s)[:, 0]), "gradient_logits": back(v * p)}
    v = np.moveaxis(_cotangent(case, case.shape, a, fault), axis, -1).reshape(x.shape)
    if case.operation == "softmax":
        gradient = p * (v - (p * v).sum(axis=1, keepdims=True))
        return {"value": back(p), "gradient_logits": back(_sign(gradient, fault))}
    gradient = v - p * v.sum(axis=1, keepdims=True)
    log_p = _log_softmax(x, m, log_s, p, fault)
    return {"value": back(log_p), "gradient_logits": back(_sign(gradient, fault))}


def _cotangent(case: Case, shape: tuple[int, ...], a: np.dtype[Any], fault: str) -> Array:
    v = case.cotangent(shape).astype(a)
    return np.ones_like(v) if fault == "cotangent ignored" else v


def _sign(gradient: Array, fault: str) -> Array:
    return -gradient if fault == "gradient with the wrong sign" else gradient


def _softmax(x: Array, stored: Array, fault: str, style: str) -> tuple[Array, Array, Array]:
    """Return m, log Σ exp(x − m) and p."""
    if fault == "NaN swallowed":
        x = np.nan_to_num(x, nan=0.0)
    if fault == "-inf counted as -1e4":
        x = np.maximum(x, x.dtype.type(-1e4))
    m = _shift(x, fault)
    e = np.exp(x - m)
    s = _faulty_sum(e, x, stored, fault)
    if s is None:
        s = _sum(e, x, m, style)
    log_s = np.log(s)
    if fault == "log of a sum in 16 bits":
        log_s = np.log(s.astype(stored.dtype)).astype(x.dtype)
    if style == "top left out of the sum":
        others = e.copy()
        others[np.arange(len(e)), x.argmax(axis=1)] = 0
        log_s = np.log1p(others.sum(axis=1, keepdims=True))
        s = 1 + others.sum(axis=1, keepdims=True)
        lost = ~np.isfinite(e.sum(axis=1, keepdims=True))
        s, log_s = np.where(lost, np.nan, s), np.where(lost, np.nan, log_s)
    p = e * (1 / s) if style == "times the reciprocal" else e / s
    return m, log_s.astype(x.dtype), p.astype(x.dtype)


def _shift(x: Array, fault: str) -> Array:
    if fault == "no shift":
        return np.zeros_like(x[:, :1])
    if fault == "shift by the mean":
        return x.mean(axis=1, keepdims=True)
    return x.max(axis=1, keepdims=True)


def _faulty_sum(e: Array, x: Array, stored: Array, fault: str) -> Array | None:
    if fault == "stale maximum":  # the first half keeps its own
        half = x.shape[1] // 2
        first = x[:, :half].max(axis=1, keepdims=True, initial=-np.inf)
        early = np.exp(x[:, :half] - first).sum(axis=1, keepdims=True)
        return early + e[:, half:].sum(axis=1, keepdims=True)
    if fault == "class dropped":
        return e[:, :-1].sum(axis=1, keepdims=True)
    if fault == "lane boundary":
        return e[:, : x.shape[1] // 8 * 8 or None].sum(axis=1, keepdims=True)
    if fault == "1e-7 in the denominator":
        return e.sum(axis=1, keepdims=True) + e.dtype.type(1e-7)
    if fault == "16-bit sum" and stored.dtype.itemsize == 2:
        narrow = np.zeros_like(stored[:, :1])
        for column in e.astype(stored.dtype).T:
            narrow = narrow + column[:, None]
        return narrow.astype(x.dtype)
    return None


def _sum(e: Array, x: Array, m: Array, style: str) -> Array:
    if style == "pairs":
        while e.shape[1] > 1:
            half = e.shape[1] // 2
            e = np.concatenate([e[:, :half] + e[:, half : 2 * half], e[:, 2 * half :]], axis=1)
        return e
    if style == "streaming":
        top, s = np.full_like(m, -np.inf), np.zeros_like(m)
        for begin in range(0, x.shape[1], 16):
            part = x[:, begin : begin + 16]
            grown = np.maximum(top, part.max(axis=1, keepdims=True))
            kept = np.where(s == 0, 0, s * np.exp(top - grown))
            new = np.where(part == -np.inf, 0, np.exp(part - grown))
            top, s = grown, kept + new.sum(axis=1, keepdims=True)
        return np.where(m == -np.inf, np.nan, s)
    if style == "chunked":
        chunks = [part.sum(axis=1, keepdims=True) for part in np.array_split(e, 5, axis=1)]
        return np.concatenate(chunks, axis=1).sum(axis=1, keepdims=True)
    if style == "Fortran order":
        return np.asfortranarray(e[:, ::-1]).sum(axis=1, keepdims=True)
    return e.sum(axis=1, keepdims=True)


def _log_softmax(x: Array, m: Array, log_s: Array, p: Array, fault: str) -> Array:
    one = x.dtype.type
    return {
        "log of the softmax": lambda: np.log(p),
        "1e-7 in the log": lambda: np.log(p + one(1e-7)),
        "clip at 1e-7": lambda: np.log(np.clip(p, one(1e-7), one(1 - 1e-7))),
        "floor at 1e-20": lambda: np.log(np.maximum(p, one(1e-20))),
        "lse minus x": lambda: x - (m + log_s),
        "log to base 2": lambda: (x - m - log_s) / one(np.log(2)),
    }.get(fault, lambda: x - m - log_s)()


# --- losses over classes ---------------------------------------------------------------------


def _loss(
    case: Case, inputs: Inputs, fault: str, style: str, x: Array, back: Any
) -> dict[str, Array]:
    a, (rows, classes) = x.dtype, x.shape
    weight = np.ones(classes, a)
    if inputs.weight is not None and fault != "weight forgotten":
        weight = inputs.weight.astype(a)
    if fault == "weight squared":
        weight = weight * weight
    counts, target = _target(case, inputs, fault, x)
    epsilon = a.type(0 if fault == "smoothing forgotten" else case.options.label_smoothing)
    others = classes - 1 if fault == "smoothing over other classes" else classes
    share = (epsilon / a.type(others)) * np.ones_like(x)
    if fault != "smoothing over ignored rows":
        share = share * counts[:, None]
    smooth_weight = np.ones_like(weight) if fault == "smooth part not weighted" else weight
    w = weight * (1 - epsilon) * target + smooth_weight * share
    l, p = _minus_log(case, inputs, fault, style, x)
    terms = w * l if fault == "0 times infinity" else np.where((w == 0) & ~np.isnan(l), 0, w * l)
    losses = terms.sum(axis=1)
    if fault != "smoothing over ignored rows":
        losses = np.where(counts, losses, 0)
    divisor, v = a.type(1), np.ones(rows, a)
    if case.options.reduction == "none":
        v = _cotangent(case, tuple(np.delete(case.shape, case.class_axis)), a, fault).ravel()
        value = back(losses)
    else:
        divisor = _divisor(case, fault, rows, (weight * target).sum())
        value = losses.sum() / divisor
    if fault != "no 1/N in the gradient":
        v = v / divisor
    gradient = _loss_gradient(case, fault, p, w, target)
    if fault != "gradient of ignored rows" and divisor:
        gradient = np.where(counts[:, None], gradient, 0)
    gradient = _sign(gradient * v[:, None], fault)
    if fault == "gradient in 16 bits":
        gradient = gradient.astype(np.float16).astype(a)
    found = {"value": np.asarray(value), "gradient_logits": back(gradient)}
    if case.target_kind == "soft":
        by_target = weight * (1 - epsilon) * np.ones_like(l)
        by_target = np.where((by_target == 0) & ~np.isnan(l), 0, by_target * l)
        found["gradient_target"] = back(by_target * v[:, None])
    return found


def _target(case: Case, inputs: Inputs, fault: str, x: Array) -> tuple[Array, Array]:
    """Return which rows count, and the target (R, C)."""
    rows, classes = x.shape
    assert inputs.target is not None
    if case.contract.domain == "probs" and _is_outside(inputs.values):
        raise RefusedError("probabilities")
    if case.target_kind != "index":
        if _is_outside(inputs.target):
            raise RefusedError("targets")
        target = np.moveaxis(inputs.target, case.class_axis, -1).reshape(x.shape).astype(x.dtype)
        if fault == "target of the next row":
            target = np.roll(target, -1, axis=0)
        return np.ones(rows, bool), target
    labels = inputs.target.ravel()
    ignored = case.options.ignore_index
    counts = labels != ignored
    if fault == "ignore_index only if it is a label" and not 0 <= ignored < classes:
        counts = np.ones(rows, bool)
    if fault == "index wraps":
        labels = np.where(counts & (labels < 0), labels + classes, labels)
    if fault in ("index clamped", "ignore_index only if it is a label"):
        labels = np.where(counts, np.clip(labels, 0, classes - 1), labels)
    if fault == "target of the next row":
        labels, counts = np.roll(labels, -1), np.roll(counts, -1)
    if (counts & ((labels < 0) | (labels >= classes))).any():
        raise RefusedError("labels")
    return counts, ((np.arange(classes) == labels[:, None]) & counts[:, None]).astype(x.dtype)


def _minus_log(case: Case, inputs: Inputs, fault: str, style: str, x: Array) -> tuple[Array, Array]:
    """Return ℓ, and p for the gradient."""
    if case.contract.domain == "log_probs":
        return -x, np.ones_like(x)
    if case.contract.domain == "probs":
        return -np.log(x), x
    stored = np.moveaxis(inputs.values, case.class_axis, -1).reshape(x.shape)
    m, log_s, p = _softmax(x, stored, fault, style)
    return -_log_softmax(x, m, log_s, p, fault), p


def _divisor(case: Case, fault: str, rows: int, counted: Any) -> Any:
    if case.options.reduction == "sum" or fault == "sum for mean":
        return type(counted)(1)
    by_rows = case.target_kind != "index" or fault == "mean over all rows"
    divisor = type(counted)(rows) if by_rows else counted
    return divisor - 1 if fault == "mean over one row less" else divisor


def _loss_gradient(case: Case, fault: str, p: Array, w: Array, target: Array) -> Array:
    if case.contract.domain == "log_probs":
        return -w
    if case.contract.domain == "probs":
        return np.where(w == 0, 0, -w / p)
    if fault == "weight not in the gradient":
        w = target
    if fault == "gradient p - t whatever the sum of t":
        return p - w
    total = w.sum(axis=1, keepdims=True)
    return p * total - w


# --- one element -----------------------------------------------------------------------------


def _sigmoid(x: Array, fault: str = "") -> Array:
    if fault == "exp without a sign":
        return np.exp(x) / (1 + np.exp(x))
    e = np.exp(-np.abs(x))
    if fault == "1 - sigmoid(-x)":
        return np.where(x >= 0, 1 / (1 + e), 1 - 1 / (1 + e))
    return np.where(np.isnan(x), x, np.where(x >= 0, x.dtype.type(1), e) / (1 + e))


def _softplus(x: Array, fault: str = "") -> Array:
    if fault == "log of sigmoid":
        return -np.log(_sigmoid(-x))
    return np.where(np.isnan(x), x, np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _times(weight: Array, y: Array) -> Array:
    return np.where((weight == 0) & ~np.isnan(y), 0, weight * y)


def _elements(case: Case, inputs: Inputs, fault: str, style: str) -> dict[str, Array]:
    a = _accumulating(case, fault, style)
    x = inputs.values.astype(a)
    if case.contract.is_loss:
        return _binary(case, inputs, fault, x)
    v = _cotangent(case, case.shape, a, fault)
    if case.operation == "exp":
        return {"value": np.exp(x), "gradient_logits": v * np.exp(x)}
    if case.operation == "sigmoid":
        gradient = v * (_sigmoid(x, fault) * _sigmoid(-x, fault))
        return {"value": _sigmoid(x, fault), "gradient_logits": _sign(gradient, fault)}
    gradient = _sign(v * _sigmoid(-x, fault), fault)
    return {"value": -_softplus(-x, fault), "gradient_logits": gradient}


def _binary(case: Case, inputs: Inputs, fault: str, x: Array) -> dict[str, Array]:
    a = x.dtype
    assert inputs.target is not None
    is_probs = case.contract.domain == "probs"
    if _is_outside(inputs.target) or (is_probs and _is_outside(inputs.values)):
        raise RefusedError("probabilities")
    z, shape = inputs.target.astype(a), np.ones(len(case.shape), int)
    shape[case.class_axis] = -1
    ones = np.ones(case.shape[case.class_axis], a)
    w, pos = (
        (ones if given is None else given.astype(a)).reshape(shape)
        for given in (inputs.weight, inputs.pos_weight)
    )
    if fault == "weight forgotten":
        w = np.ones_like(w)
    yes, no = (1, pos) if fault == "pos_weight on the wrong term" else (pos, 1)
    if fault == "pos_weight on both terms":
        no = pos
    hit, miss = yes * z, no * (1 - z)
    if is_probs:
        epsilon = a.type(1e-7 if fault == "1e-7 in both logs" else 0)
        log_yes, log_no = np.log(x + epsilon), np.log1p(-x + epsilon)
        if fault == "log floored at -100":
            log_yes, log_no = np.maximum(log_yes, -100), np.maximum(log_no, -100)
        by_yes, by_no = 1 / x, -1 / (1 - x)
    else:
        log_yes, log_no = -_softplus(-x, fault), -_softplus(x, fault)
        by_yes, by_no = _sigmoid(-x, fault), -_sigmoid(x, fault)
    losses = _times(w, -(_times(hit, log_yes) + _times(miss, log_no)))
    slopes = _times(w, -(_times(hit, by_yes) + _times(miss, by_no)))
    by_target = log_no - log_yes if is_probs else (pos - 1) * np.log1p(np.exp(-np.abs(x)))
    if not is_probs:
        by_target = by_target - np.where(x > 0, x, _times(pos * np.ones_like(x), x))
    by_target = _times(w, by_target)
    if case.options.reduction == "none":
        v, value = _cotangent(case, case.shape, a, fault), losses
    else:
        count = case.shape[0] if fault == "mean over rows only" else x.size
        divisor = a.type(count if case.options.reduction == "mean" else 1)
        value = losses.sum() / divisor
        v = a.type(1) if fault == "no 1/N in the gradient" else 1 / divisor
    return {
        "value": np.asarray(value),
        "gradient_logits": _sign(slopes * v, fault),
        "gradient_target": by_target * v,
    }


# --- what the judge says ---------------------------------------------------------------------


@cache
def questions() -> tuple[Question, ...]:
    """Return the quick suite, solved; the digits are large and add nothing here."""
    cases = suite("quick").cases
    return tuple(question_of(case) for case in cases if not case.family.startswith("digits"))


def verdicts(question: Question, fault: str = "", style: str = STYLES[0]) -> dict[str, Verdict]:
    """Return what the judge says of each quantity."""
    try:
        found: dict[str, Any] = dict(answers(question.case, question.inputs, fault, style))
    except RefusedError as error:
        found = {"value": Failure("raised", str(error))}
    return {quantity: judge(question, quantity, got) for quantity, got in found.items()}


@cache
def sound_words() -> dict[tuple[str, str], str]:
    """Return the verdict on each case and quantity, where nothing is broken."""
    return {
        (question.case.id, quantity): verdict.word
        for question in questions()
        for quantity, verdict in verdicts(question).items()
    }


# Here a step on the way overflows, though the result does not: v·exp(x), or 0.1/C times a loss.
OVERFLOWING = ("exp_overflow", "finfo_max")


@pytest.mark.parametrize("style", STYLES)
def test_sound_implementations_are_not_flagged(style: str) -> None:
    judged = 0
    for question in questions():
        for quantity, verdict in verdicts(question, style=style).items():
            judged += 1
            agrees = standing(verdict.word) == "agrees"
            undefined = verdict.word == "convention:undefined_nan"
            overflowed = (
                verdict.word == "nonfinite"
                and question.case.family in OVERFLOWING
                and verdict.got in ("inf", "-inf")
            )
            assert agrees or undefined or overflowed, f"{quantity} of {question.case.id}: {verdict}"

    assert judged > 1000


# Faults that are a documented choice somewhere, or a known form: named, and never agreement.
EXPLAINED = {
    "16-bit sum": "narrow",
    "log of a sum in 16 bits": "narrow",
    "lse minus x": "formula",
    "mean over all rows": "convention:mean_over_rows",
    "index wraps": "convention:bad_index_wraps",
    "log floored at -100": "convention:log_floor_-100",
    "NaN swallowed": "convention:undefined_number",
    "-inf counted as -1e4": "convention:undefined_number",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(fault: str) -> None:
    words = (
        verdict.word
        for question in questions()
        for quantity, verdict in verdicts(question, fault).items()
        if verdict.word != sound_words().get((question.case.id, quantity))
    )

    if fault in EXPLAINED:
        assert EXPLAINED[fault] in words
    else:
        assert "finding" in map(standing, words), "no case of the quick suite shows it"


# --- properties ------------------------------------------------------------------------------

QUANTITIES = ("value", "gradient_logits")


@st.composite
def rows_of_logits(draw: Callable[..., Any]) -> Question:
    """Draw a case over classes with given logits, of any magnitude that the dtype holds."""
    dtype = draw(st.sampled_from(DTYPES))
    operation, kind = draw(
        st.sampled_from([
            ("softmax", None), ("log_softmax", None), ("logsumexp", None),
            ("cross_entropy", "index"),
        ])
    )  # fmt: skip
    rows, classes = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    largest = draw(st.sampled_from([1e-3, 1.0, 30.0, 1e3, 3e4]))
    number = st.floats(-largest, largest)
    flat = draw(st.lists(number, min_size=rows * classes, max_size=rows * classes))
    values = FORMATS[dtype].round(np.array(flat).reshape(rows, classes))
    target = None
    if kind:
        labels = st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)
        target = np.array(draw(labels))
    options = (
        Options(reduction=draw(st.sampled_from(["none", "mean", "sum"]))) if kind else Options()
    )
    given_inputs = Inputs(values, target)
    case = Case(
        operation, "file:made", values.shape, dtype, kind, "given" if kind else "", options,
        given=given_inputs,
    )  # fmt: skip
    return Question(case, given_inputs)


def rounded(question: Question, quantity: str) -> Array:
    """Return the correctly rounded right answer."""
    exact = question.solution.quantities[quantity]
    once = exact.to_float()
    # where float64 is subnormal that has been rounded twice
    for index in map(tuple, np.argwhere((abs(once) < FORMATS["float64"].tiny) & (exact.hi != 0))):
        scale = Fraction(2) ** (max(int(exact.exponent[index]), -2000) + 1074)
        pair = Fraction(float(exact.hi[index])) + Fraction(float(exact.lo[index]))
        once[index] = round(pair * scale) * 5e-324
    return FORMATS[question.case.dtype].round(once)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(rows_of_logits())
def test_the_correctly_rounded_answer_is_always_exact(question: Question) -> None:
    for quantity in QUANTITIES:
        verdict = judge(question, quantity, rounded(question, quantity))

        assert verdict.word == "exact"
        assert verdict.ulp is not None
        assert verdict.ulp <= 0.5 + 2.0**-20


@settings(derandomize=True, deadline=None, max_examples=150)
@given(rows_of_logits(), st.integers(0, 17), st.sampled_from([-1, 1]))
def test_an_element_moved_by_two_bounds_never_agrees(
    question: Question, position: int, sign: int
) -> None:
    form = FORMATS[question.case.dtype]
    for quantity in QUANTITIES:
        got = rounded(question, quantity)
        index = np.unravel_index(position % got.size, got.shape)
        bound = question.bound(question.solution, quantity, SOUND)
        assert bound is not None
        value = question.solution.quantities[quantity].to_float()[index]
        # rounding may take half an ulp back, and less than one ulp is faithful
        ulp = (
            float(form.smallest) if abs(value) < form.tiny else 2 * form.unit_roundoff * abs(value)
        )
        got[index] = form.round(value + sign * (2 * bound[index] + 2 * ulp))
        verdict = judge(question, quantity, got)

        assert standing(verdict.word) != "agrees"
        assert verdict.ratio is not None
        assert verdict.ratio > 1


def test_every_right_answer_of_the_quick_suite_is_exact() -> None:
    for question in questions():
        for quantity, exact in question.solution.quantities.items():
            verdict = judge(question, quantity, rounded(question, quantity))

            agreed = "exact" if not np.isnan(exact.hi).any() else "convention:undefined_nan"
            assert verdict.word == agreed, f"{quantity} of {question.case.id}: {verdict}"
