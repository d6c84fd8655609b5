"""Define families of values: how the first argument of an operation is drawn.

A family is a function of a stream of draws, the number of rows, the number of classes and the
format. It returns float64 numbers of shape (rows, classes), which are rounded to the format
afterwards. To add a family, write the function below and name it in `VALUES`.

Each family provokes one numerical difficulty: overflow of exp, cancellation in lse - x, underflow,
infinities, NaN. Their thresholds come from the format, so that a family is as difficult in one
dtype as in another. Only exact arithmetic is done on the draws, see `cases.stream`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .dtypes import Format
from .operations import DTYPES, Domain
from .stream import Floats, Stream

Draw = Callable[[Stream, int, int, Format], Floats]
_WIDE = ("bfloat16", "float32", "float64")  # formats whose range goes beyond 65504


@dataclass(frozen=True)
class Family:
    """A family of values.

    Attributes:
        name: its name in a case id.
        domain: whether the values are logits, log-probabilities or probabilities.
        draw: draws the values: float64, shape (rows, classes).
        why: the difficulty that it provokes.
        dtypes: the formats that can hold the values.
        probed: whether relations and the Hessian-vector product are checked on its cases too.
        is_finite: whether it draws neither NaN nor infinities.
    """

    name: str
    domain: Domain
    draw: Draw
    why: str
    dtypes: tuple[str, ...] = DTYPES
    probed: bool = False
    is_finite: bool = True


def _normal(spread: float) -> Draw:
    return lambda stream, rows, classes, form: stream.normal(rows, classes) * spread


def _offset(offset: float) -> Draw:
    return lambda stream, rows, classes, form: stream.normal(rows, classes) + offset


def _gap_at(edge: str, by: float) -> Draw:
    """Return a family in which the other logits are a threshold of exp below the largest.

    Args:
        edge: which threshold, the name of an attribute of `Format`.
        by: how far beyond the threshold the gap is, as a fraction of it.
    """

    def draw(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
        gap = abs(getattr(form, edge)) * (1.0 + by)
        return one_at(stream.uniform(rows, classes) * 0.01 - gap, 0, 0.0)

    return draw


def _finfo_tiny(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return np.where(stream.integers(2, rows, classes) == 0, -form.tiny, form.tiny)


def _both_infinities(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return one_at(one_at(stream.normal(rows, classes), 0, np.inf), 1, -np.inf)


def _constant(value: float) -> Draw:
    return lambda stream, rows, classes, form: np.full((rows, classes), value)


def one_at(values: Floats, position: int, value: float) -> Floats:
    """Return an array with one class of each row set to a value.

    The class moves on by one from row to row, so that no implementation passes that treats the
    first or last class in a special way.

    Args:
        values: shape (rows, classes); changed in place.
        position: the class in the first row.
        value: the number to set.
    """
    rows, classes = values.shape
    if classes:
        values[np.arange(rows), (np.arange(rows) + position) % classes] = value
    return values


def _ties(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return np.asarray(stream.integers(2, rows, classes) * 3.0, np.float64)


def _gap(stream: Stream, rows: int, classes: int, gap: float) -> Floats:
    """Return rows in which one class is 0 and the others are within 1 of -gap."""
    return one_at(stream.uniform(rows, classes) - gap, 0, 0.0)


def _dominant(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return _gap(stream, rows, classes, 10.0)


def _far_tail(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return _gap(stream, rows, classes, 42.0)


def _far_end(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return _gap(stream, rows, classes, 1e4)


def _exp_overflow(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return form.log_max + (stream.uniform(rows, classes) - 0.5) / 4


def _exp_underflow(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return form.log_tiny + stream.uniform(rows, classes) * (form.log_smallest - form.log_tiny)


def _gap_underflow(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return one_at(_exp_underflow(stream, rows, classes, form), 0, 0.0)


# A random choice of sign makes max(x) - min(x) overflow in nearly every row.
def _finfo_max(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return np.where(stream.integers(2, rows, classes) == 0, -form.max, form.max)


def _half_max(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return (stream.uniform(rows, classes) - 0.5) * form.max


def _subnormal(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return np.asarray((stream.integers(9, rows, classes) - 4) * form.smallest, np.float64)


def _neg_inf_but_one(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    # In the first row the last class is finite, so that whole blocks before it are masked.
    return one_at(np.full((rows, classes), -np.inf), -1, 1.0)


def _special(value: float) -> Draw:
    """Return a family in which every row but the first contains a value once.

    The first row is an everyday one, because a special value must not change other rows.
    """

    def draw(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
        values = stream.normal(rows, classes)
        values[min(1, rows - 1) :] = one_at(values[min(1, rows - 1) :], 0, value)
        return values

    return draw


def _nan_where_ignored(draw: Draw) -> Draw:
    """Return a family with NaN in rows 0, 3, 6, …, which targets `some_ignored` ignore."""

    def spoilt(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
        values = draw(stream, rows, classes, form)
        values[::3] = np.nan
        return values

    return spoilt


def _scaled(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    # The factor 6/127 is that of an int8 quantisation of [-6, 6].
    return np.asarray(stream.integers(255, rows, classes) - 127.0) * np.float64(0.0472440944881889)


def _one_large(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return one_at(np.full((rows, classes), -6.0), -1, 2.0)


def _repeated(draw: Draw) -> Draw:
    """Return a family of equal rows, which can be expanded without memory for each."""
    return lambda stream, rows, classes, form: np.repeat(draw(stream, 1, classes, form), rows, 0)


def _two_units(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    values = stream.normal(rows, classes) * 8
    values[:, 0] = 0.0
    return values


# The values of probed families are multiples of a power of two, few bits wide. The shifts and sign
# changes of metamorphic relations are exact on them, so that a difference between two results
# comes from the implementation and not from the inputs.
def _grid(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return (stream.integers(65, rows, classes) - 32) / 4.0


def _grid_probs(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return (stream.integers(15, rows, classes) + 1) / 16.0


def _grid_log_probs(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return -stream.integers(64, rows, classes) / 8.0


def normalised(stream: Stream, rows: int, classes: int) -> Floats:
    """Return probabilities that sum to 1, shape (rows, classes)."""
    draws = stream.integers(2**20, rows, classes) + 2**10  # whole numbers: the sum is exact
    return draws / draws.sum(axis=1, keepdims=True)


def _probs(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return normalised(stream, rows, classes)


def _probs_edge(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    # Keras clips probabilities to [1e-7, 1 - 1e-7]; the other numbers are next to 0 and to 1.
    edges = np.array(
        [form.tiny, 1e-7, 1.0 - form.unit_roundoff * 2, 0.5, 1.0 - form.unit_roundoff * 64, 1e-3]
    )
    return edges[stream.integers(len(edges), rows, classes)]


def _probs_zero_one(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return stream.integers(2, rows, classes).astype(np.float64)


def _probs_outside(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return one_at(_probs(stream, rows, classes, form), 0, 1.25)


def _log_probs(spread: float) -> Draw:
    return lambda stream, rows, classes, form: -np.abs(stream.normal(rows, classes)) * spread


def _log_probs_zero(stream: Stream, rows: int, classes: int, form: Format) -> Floats:
    return one_at(-stream.uniform(rows, classes) * 1e-3, 0, -0.0)


VALUES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("normal", "logits", _normal(1), "everyday logits at the start of training"),
        Family("normal_10", "logits", _normal(10), "logits of a trained model"),
        Family("normal_100", "logits", _normal(100), "exp overflows without a shift"),
        Family("zeros", "logits", _constant(0.0), "the uniform distribution, exactly"),
        Family("ties", "logits", _ties, "several classes share the maximum"),
        Family("offset_1e3", "logits", _offset(1e3), "a common offset cancels in lse - x", _WIDE),
        Family("offset_-1e3", "logits", _offset(-1e3), "exp underflows without a shift", _WIDE),
        Family(
            "offset_1e7", "logits", _offset(1e7), "the offset eats the digits of lse - x", _WIDE
        ),
        Family("offset_1e5", "logits", _offset(1e5), "lse - x keeps two digits in float32", _WIDE),
        Family("offset_-1e7", "logits", _offset(-1e7), "the same below 0", _WIDE),
        Family(
            "offset_1e8",
            "logits",
            _offset(1e8),
            "logits are a few multiples of 8 in float32",
            ("float32", "float64"),
        ),
        Family("dominant", "logits", _dominant, "one class near probability 1"),
        Family("far_tail", "logits", _far_tail, "a loss of 1e-18 where the target dominates"),
        Family("far_end", "logits", _far_end, "a loss of 1e4 where the target does not"),
        Family("exp_overflow", "logits", _exp_overflow, "just below and above exp's overflow"),
        Family("exp_underflow", "logits", _exp_underflow, "where exp is subnormal"),
        Family("gap_underflow", "logits", _gap_underflow, "where exp of the gap is subnormal"),
        Family("gap_below_tiny", "logits", _gap_at("log_tiny", 2**-7), "exp of it just subnormal"),
        Family("gap_above_tiny", "logits", _gap_at("log_tiny", -(2**-7)), "exp of it just normal"),
        Family("gap_below_0", "logits", _gap_at("log_smallest", 2**-7), "exp of the gap is just 0"),
        Family("finfo_tiny", "logits", _finfo_tiny, "the smallest normal numbers of both signs"),
        Family("finfo_max", "logits", _finfo_max, "the shift itself overflows"),
        Family("half_max", "logits", _half_max, "the widest spread that the shift survives"),
        Family("subnormal", "logits", _subnormal, "flush-to-zero modes"),
        Family(
            "neg_inf",
            "logits",
            _special(-np.inf),
            "masked logits, as attention makes them",
            is_finite=False,
        ),
        Family(
            "neg_inf_but_one",
            "logits",
            _neg_inf_but_one,
            "all classes but one masked",
            is_finite=False,
        ),
        Family(
            "all_neg_inf", "logits", _constant(-np.inf), "every class masked: 0/0", is_finite=False
        ),
        Family(
            "pos_inf",
            "logits",
            _special(np.inf),
            "a logit that overflowed: inf - inf",
            is_finite=False,
        ),
        Family("both_inf", "logits", _both_infinities, "inf and -inf in one row", is_finite=False),
        Family("nan", "logits", _special(np.nan), "a NaN must not vanish", is_finite=False),
        Family(
            "nan_where_ignored",
            "logits",
            _nan_where_ignored(_normal(1)),
            "padding that was never written: NaN in rows that do not count",
            is_finite=False,
        ),
        Family("scaled", "logits", _scaled, "integers off a scale multiplication"),
        Family("one_large", "logits", _one_large, "one large entry after many small ones"),
        Family(
            "grid", "logits", _grid, "quarters in [-8, 8]: shifts and signs are exact", probed=True
        ),
        Family("grid_probs", "probs", _grid_probs, "sixteenths: 1 - p changes no bit", probed=True),
        Family(
            "grid_log_probs",
            "log_probs",
            _grid_log_probs,
            "eighths, to be put in any order",
            probed=True,
        ),
        Family(
            "repeated", "logits", _repeated(_normal(1)), "equal rows, which need no memory each"
        ),
        Family("repeated_probs", "probs", _repeated(_probs), "the same, of probabilities"),
        Family(
            "repeated_log_probs", "log_probs", _repeated(_log_probs(3)), "the same, of logarithms"
        ),
        Family("two_units", "logits", _two_units, "logits [0, z], whose softmax is sigmoid(z)"),
        Family("probs", "probs", _probs, "everyday probabilities"),
        Family("probs_edge", "probs", _probs_edge, "next to 0 and to 1, where log and 1 - p lose"),
        Family("probs_zero_one", "probs", _probs_zero_one, "exactly 0 and 1: log 0"),
        Family("probs_outside", "probs", _probs_outside, "a probability above 1: an error is due"),
        Family("log_probs", "log_probs", _log_probs(3), "everyday log-probabilities"),
        Family("log_probs_1e4", "log_probs", _log_probs(1e4), "long sums of large terms"),
        Family(
            "log_probs_nan_where_ignored",
            "log_probs",
            _nan_where_ignored(_log_probs(3)),
            "padding that was never written: NaN in rows that do not count",
            is_finite=False,
        ),
        Family("log_probs_zero", "log_probs", _log_probs_zero, "the signed zero and its like"),
    )
}


def is_finite(family: str) -> bool:
    """Return whether a family of values draws neither NaN nor infinities.

    Sweeps and stored logits are finite; of arrays that a user gives it is taken for granted.

    >>> is_finite("nan"), is_finite("digits:end")
    (False, True)
    """
    return family not in VALUES or VALUES[family].is_finite


_EVERYDAY = (
    "normal", "normal_10", "zeros", "ties", "dominant", "scaled", "one_large", "two_units", "grid",
    "probs",
)  # fmt: skip


def is_everyday(family: str) -> bool:
    """Return whether a family holds ordinary numbers, which any function is used with.

    >>> is_everyday("normal"), is_everyday("finfo_max")
    (True, False)
    """
    return family in _EVERYDAY
