"""Define the factors of the cases: their levels, and the reason for each level.

Families of values, targets and weights are defined in modules of their own, with their reasons.
The suite `quick` contains a part of the levels, `full` all of them. The tables at the head give
the levels of the covering arrays; those of `LABEL_DTYPES` and below are varied one at a time by
`cases.lists`, because their combinations with other factors would find nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .covering import Constraint, Row
from .families import VALUES, Family
from .operations import DTYPES, LANGUAGE_MODELS, Operation, Options
from .products import BIASES, PRODUCTS
from .targets import targets_of
from .weights import WEIGHTS


@dataclass(frozen=True)
class Factor:
    """One property that varies from case to case.

    Attributes:
        levels: each level, and the reason for it.
        quick: the levels in the suite `quick`.
    """

    levels: dict[Any, str]
    quick: tuple[Any, ...]

    def of(self, suite: str) -> list[Any]:
        """Return the levels that a suite contains."""
        return list(self.quick if suite == "quick" else self.levels)


SHAPE = Factor(
    {
        "4x10": "a batch, and a row that no vector register holds whole",
        "2x3x5": "a third axis: adapters and axis arguments go wrong there",
    },
    ("4x10",),  # JAX compiles each primitive anew for each shape and dtype
)
AXIS = Factor(
    {
        -1: "the default of most frameworks",
        0: "the first axis, which is not the batch then",
        1: "the axis of the classes in PyTorch and ONNX",
        -2: "counted from the end",
    },
    (-1, 0),
)
WEIGHT = Factor(
    {None: "no weights"}
    | {name: it.why for name, it in WEIGHTS.items() if name not in ("ones", "small")},
    (None, "positive", "with_zeros"),
)
POS_WEIGHT = Factor(
    {None: "no weight of the positive term"}
    | {name: WEIGHTS[name].why for name in ("positive", "with_zeros", "small", "huge")},
    (None, "positive"),
)
IGNORE_INDEX = Factor(
    {
        -100: "PyTorch's default",
        -1: "the other common choice; counted from the end it is a class",
        0: "a class that exists",
        255: "beyond the classes: it must not be looked up",
    },
    (-100, -1, 0),
)
LABEL_SMOOTHING = Factor(
    {
        0.0: "none",
        0.1: "the everyday choice; no binary fraction",
        1.0: "the target does not count any more",
    },
    (0.0, 0.1),
)
REDUCTION = Factor(
    {"mean": "the default", "none": "each row by itself", "sum": "no division"},
    ("mean", "none", "sum"),
)
LOGIT_SCALE = Factor(
    {1.0: "none", 0.25: "a temperature of 4; products with it are exact", 0.7: "not exact"},
    (1.0, 0.25),
)
LOGIT_SOFTCAP = Factor(
    {None: "none", 30.0: "that of Gemma 2", 2.5: "everyday logits are bent, larger ones saturate"},
    (None, 30.0, 2.5),
)
Z_LOSS = Factor(
    {0.0: "none", 1e-4: "that of PaLM", 0.5: "as large as the loss itself"}, (0.0, 1e-4, 0.5)
)
DENOMINATOR = Factor(
    {None: "its own count", 7.0: "the count of all devices", 2.5: "no whole number"}, (None, 7.0)
)
LINEAR_BIAS = Factor(
    {None: "no bias"} | {name: it.why for name, it in BIASES.items()}, (None, "normal")
)
OPTIONS = {
    "axis": AXIS,
    "weight": WEIGHT,
    "pos_weight": POS_WEIGHT,
    "ignore_index": IGNORE_INDEX,
    "label_smoothing": LABEL_SMOOTHING,
    "reduction": REDUCTION,
    "logit_scale": LOGIT_SCALE,
    "logit_softcap": LOGIT_SOFTCAP,
    "z_loss": Z_LOSS,
    "denominator": DENOMINATOR,
    "linear_bias": LINEAR_BIAS,
}
LABEL_DTYPES = {
    "int32": "what TensorFlow and JAX users have",
    "int16": "seldom taken",
    "int8": "ends at 127",
    "uint8": "has no -100, and ends at 255",
}
WRONG_LABEL_DTYPES = {
    "bool": "a multi-label target, perhaps: an error is due",
    "float32": "could hold fractions: an error is due",
}
OUT_OF_RANGE: dict[str, tuple[Any, ...]] = {
    "axis": (5, -4),
    "label_smoothing": (1.5, -0.1),
}
# The reasons for the layouts that `cases.layouts` makes.
LAYOUTS = {
    "transposed": "the first axis is the fastest: strides grow",
    "stepped": "every second element of a wider array",
    "reversed": "a negative stride",
    "expanded": "the stride 0: all rows are one row in memory",
    "channels_last": "images with channels: axis 1 is the fastest",
    "read_only": "must not be written to",
    "unaligned": "vector loads need an address that is a multiple of the dtype",
}
# Kernels work in blocks of a power of two, and labels, counters and accumulators have limits. One
# less and one more than each of these numbers reach the code for remainders.
CLASSES = {
    0: "an empty sum", 1: "nothing to choose", 2: "the binary case", 3: "odd",
    7: "one less than a vector register of 8 floats", 8: "a whole one", 9: "one more",
    15: "16 - 1", 16: "a register of 16 floats", 17: "16 + 1",
    31: "32 - 1", 32: "a warp", 33: "32 + 1", 63: "64 - 1", 64: "two warps", 65: "64 + 1",
    127: "128 - 1", 128: "the last label that an int8 holds is 127", 129: "128 + 1",
    255: "256 - 1", 256: "bfloat16 counts to 256", 257: "256 + 1: the label 256 is no uint8",
    1000: "ImageNet", 1023: "1024 - 1", 1024: "a block of a GPU", 1025: "1024 + 1",
    32000: "a vocabulary, near the largest int16", 50257: "the vocabulary of GPT-2",
    65535: "2^16 - 1", 65536: "beyond uint16, and beyond float16", 70000: "well beyond",
    128256: "the vocabulary of Llama 3",
}  # fmt: skip
ROWS = {
    0: "an empty batch: the mean is 0/0", 1: "a batch of one", 2: "the least that is a batch",
    63: "64 - 1", 64: "a block of rows", 65: "64 + 1", 1000: "many blocks",
    41000: "a sum of float16 losses beyond 65504", 70000: "a count of rows beyond 65504",
}  # fmt: skip
# The number of classes beside which blocks end, each with a number of rows of the same kind: what
# a user's function is asked in `quick`, too.
BLOCKS = {31: 129, 32: 65, 33: 33, 127: 3, 128: 3, 129: 3, 255: 3, 257: 3, 1000: 2, 1025: 2}
RANKS = {
    "10": "one row without a batch", "4x10": "a batch", "2x3x5": "sequences", "2x3x2x2": "images",
    "2x3x2x2x2": "volumes",
}  # fmt: skip

# The suite `quick` has one family for each kind of numerical difficulty.
_QUICK_VALUES = (
    "normal", "normal_100", "ties", "offset_-1e3", "offset_1e7", "far_tail", "exp_overflow",
    "gap_underflow", "finfo_max", "neg_inf", "neg_inf_but_one", "all_neg_inf", "pos_inf", "nan",
    "one_large", "probs", "probs_edge", "probs_zero_one", "probs_outside", "log_probs",
    "log_probs_1e4", "log_probs_zero",
)  # fmt: skip
# These families are about the classes of one row; an elementwise operation cannot tell them from
# others.
_OF_ROWS = (
    "ties", "dominant", "far_tail", "gap_underflow", "gap_below_tiny", "gap_above_tiny",
    "gap_below_0", "neg_inf_but_one", "all_neg_inf", "one_large",
)  # fmt: skip
_OF_IGNORED = ("nan_where_ignored", "log_probs_nan_where_ignored")
_VERY_LARGE = ("finfo_max", "half_max", "offset_1e7", "offset_-1e7", "offset_1e8", "offset_1e5")
# These families occur in lists of their own (`cases.lists`), not in covering arrays.
_ALONE = (
    "grid", "grid_probs", "grid_log_probs", "two_units", "repeated", "repeated_probs",
    "repeated_log_probs",
)  # fmt: skip
_QUICK_TARGETS = {
    "index": ("random", "top", "too_large", "negative", "some_ignored", "all_ignored"),
    "one_hot": ("random",),
    "soft": ("soft", "unnormalised", "all_zero", "soft_negative"),
    "multi_label": ("binary", "fractional", "above_one"),
    "real": ("numbers", "numbers_100"),
}


# What the definition of a user's own operation leaves open is not asked of it: labels out of range,
# probabilities that do not sum to 1, and numbers that are none.
_DEFINED_TARGETS = {
    "index": ("random", "top", "some_ignored", "all_ignored"), "one_hot": ("random",),
    "soft": ("soft",),
    "multi_label": ("binary", "fractional"),
    "real": ("numbers", "numbers_100"),
}  # fmt: skip
_QUICK_PRODUCTS = (
    "normal", "normal_100", "offset", "below_zero", "cancelling", "nan_where_ignored", "nan",
)  # fmt: skip
_NO_PROBABILITIES = ("probs_outside",)


def families_of(operation: Operation, suite: str) -> list[str]:
    """Return the names of the families of values of an operation in a suite."""
    if operation.is_linear:
        names = [it.name for it in PRODUCTS.values() if not it.probed]
        return [name for name in names if suite != "quick" or name in _QUICK_PRODUCTS]
    return [
        family.name
        for family in VALUES.values()
        if family.domain == operation.domain
        and (family.name in _QUICK_VALUES or suite != "quick")
        and family.name not in _ALONE
        and (operation.reads_classes or family.name not in _OF_ROWS)
        and ("ignore_index" in operation.options or family.name not in _OF_IGNORED)
        and (not operation.is_defined or _is_definite(family))
    ]


def factors_of(operation: Operation, suite: str) -> dict[str, list[Any]]:
    """Return the levels of each factor of an operation in a suite.

    Args:
        operation: which one; its domain, targets and options decide which factors there are.
        suite: `quick`; any other name stands for all levels.

    Returns:
        Levels by the name of the factor: `family`, `dtype`, `shape`, for losses `target`, and
        the operation's options.
    """
    quick = suite == "quick"
    factors: dict[str, list[Any]] = {"family": families_of(operation, suite)}
    factors["dtype"] = list(DTYPES)
    factors["shape"] = ["4x8x10"] if operation.is_linear else SHAPE.of(suite)
    if operation.targets:
        # The kind and family of a target are one factor: the families depend on the kind.
        targets = _DEFINED_TARGETS if operation.is_defined else _QUICK_TARGETS
        factors["target"] = [
            f"{kind}.{family}"
            for kind in operation.targets
            for family in (targets[kind] if quick or operation.is_defined else targets_of(kind))
            if "ignore_index" in operation.options or not family.endswith("_ignored")
        ]
    # The options of language models have a list of their own, as only few functions take them.
    # So does the smoothing of binary losses.
    options = [
        it
        for it in operation.options
        if it not in LANGUAGE_MODELS and (operation.reads_classes or it != "label_smoothing")
    ]
    # The order of the factors is part of the hash of a covering array.
    return {**factors, **{option: levels_of(operation, option, suite) for option in options}}


def levels_of(operation: Operation, option: str, suite: str) -> list[Any]:
    """Return the levels of an option in a suite, or the values that are asked of a parameter."""
    values = dict(operation.parameters).get(option)
    return OPTIONS[option].of(suite) if values is None else list(values)


def _is_definite(family: Family) -> bool:
    """Return whether a family holds numbers alone of which any formula has to be right."""
    is_finite = family.is_finite or family.name in _OF_IGNORED
    return is_finite and family.name not in _NO_PROBABILITIES


def _dtypes_of(family: str) -> tuple[str, ...]:
    return VALUES[family].dtypes if family in VALUES else PRODUCTS[family].dtypes


def _axis_is_there(shape: str, axis: int) -> bool:
    return -2 <= axis <= shape.count("x")


_OUTSIDE = ("soft.soft_negative", "soft.above", "multi_label.above_one")


def _is_in_range(target: str, smoothing: float) -> bool:
    """Return whether a target may occur together with a label smoothing.

    Label smoothing may move a probability from outside [0, 1] back into it, and then it would be
    open whether an error is expected.
    """
    return not smoothing or target not in _OUTSIDE


def _is_ignored(family: str, target: str) -> bool:
    """Return whether the rows in which a family holds NaN are ignored ones.

    The families `…nan_where_ignored` test whether ignored rows change the result. With another
    target they would be the family `nan` once more.
    """
    return not family.endswith("nan_where_ignored") or target == "index.some_ignored"


def _has_labels(option: str) -> Constraint:
    """Return the constraint that an option of language models has index targets only."""
    default = getattr(Options(), option)
    return Constraint(
        ("target", option),
        lambda target, level: level == default or target.startswith("index."),
    )


def _has_moderate_logits(option: str) -> Constraint:
    """Return the constraint that an option is not asked of very large logits.

    lse² overflows there, and a scale that is no power of two rounds each logit by more than any
    two of them differ.
    """
    default = getattr(Options(), option)
    return Constraint(
        ("family", option),
        lambda family, level: level == default or family not in _VERY_LARGE,
    )


CONSTRAINTS: Sequence[Constraint] = (
    *map(_has_labels, LANGUAGE_MODELS),
    *map(_has_moderate_logits, ("z_loss", "logit_scale")),
    # A sum is not divided.
    Constraint(
        ("reduction", "denominator"),
        lambda reduction, level: level is None or reduction == "mean",
    ),
    Constraint(("family", "dtype"), lambda family, dtype: dtype in _dtypes_of(family)),
    Constraint(("shape", "axis"), _axis_is_there),
    # Without ignored rows all values of ignore_index make the same case.
    Constraint(
        ("target", "ignore_index"),
        lambda target, index: target.endswith("_ignored") or index == -100,
    ),
    Constraint(("target", "label_smoothing"), _is_in_range),
    Constraint(("family", "target"), _is_ignored),
)


def may_meet(row: Row) -> bool:
    """Return whether all constraints allow a row."""
    return all(constraint.allows(row) for constraint in CONSTRAINTS)
