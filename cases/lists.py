"""List the cases that no covering array contains.

These are worked examples, real logits, sizes, layouts, bad input, and cases in which exactly one
thing is unusual: a covering array combines difficulties, and a finding then has several causes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from .everyday import EDGES, EVERYDAY_TARGETS, EVERYDAY_VALUES, with_options
from .factors import (
    CLASSES,
    LABEL_DTYPES,
    LAYOUTS,
    OUT_OF_RANGE,
    RANKS,
    ROWS,
    WRONG_LABEL_DTYPES,
    families_of,
)
from .families import VALUES
from .language_models import of_language_models
from .linear import of_linear_losses
from .model import Case
from .operations import COVERED, DTYPES, Operation, Options, TargetKind
from .stored import DIGITS_STAGES, worked_examples

_PLAIN_VALUES = {
    "logits": ("normal", "normal_100", "offset_1e7", "neg_inf"),
    "probs": ("probs", "probs_edge"),
    "log_probs": ("log_probs",),
}
_DIGITS_ASKED: tuple[tuple[str, TargetKind | None], ...] = (
    ("cross_entropy", "index"),
    ("cross_entropy", "one_hot"),
    ("softmax", None),
)
PROBED_VALUES = {family.domain: family.name for family in VALUES.values() if family.probed}
# Frameworks sum some thousand elements or more in blocks and threads, which is another algorithm.
# The dtypes are limited for large shapes, where the oracle takes longest.
_PROBED: dict[str, dict[tuple[int, ...], tuple[str, ...]]] = {
    "quick": {(4, 10): ("float32",)},
    "full": {
        (4, 10): DTYPES,
        (64, 1000): ("bfloat16", "float32"),
        (4, 50257): ("float32", "float64"),  # in 16 bits one missing class would not show
        (1024, 33): ("float32",),
    },
}
_THIRD_AXIS = {
    False: (Options(), Options(axis=1)),
    True: (Options(), Options(reduction="none")),
}
# Shapes with whole blocks of classes and of rows and with remainders. The families below contain
# values that change the result if a block is omitted, repeated or shifted by the wrong maximum.
_BLOCKS = ((1, 1), (1, 2), (3, 70), (5, 33), (64, 3), (300, 4), (40, 40), (2, 1000), (2, 3, 2, 2))
_BLOCK_VALUES = {
    "logits": ("normal_10", "far_tail", "neg_inf", "neg_inf_but_one", "one_large", "exp_overflow"),
    "probs": ("probs_edge",),
    "log_probs": ("log_probs_1e4",),
}

# Cases that docs/findings.md shows; they stay when the covering arrays are made anew.
_SHOWN = (
    "logsumexp/float32/4x10/finfo_max/axis=0/0",
    "logsumexp/float32/4x10/offset_1e7/axis=0/0",
    (
        "cross_entropy/index.all_ignored/float32/4x10/nan/"
        "ignore_index=-1,label_smoothing=0.1,reduction=sum/0"
    ),
    "cross_entropy/soft.all_zero/float32/4x10/offset_1e7/reduction=none/0",
    "cross_entropy/index.too_large/bfloat16/4x10/finfo_max/-/0",
    "cross_entropy/soft.soft_negative/float32/4x10/normal/weight=positive,reduction=sum/0",
)


def listed(suite: str) -> list[Case]:
    """Return the cases of `quick` or `full` that are not in the covering arrays."""
    cases = [*worked(), *_digits(suite), *_two_units(), *_plain(suite), *_unreduced()]
    cases += with_options()
    cases += [
        *_third_axis(),
        *_mixed_dtypes(suite),
        *_probed(suite),
        *of_language_models(suite),
        *of_linear_losses(suite),
        *map(Case.parse, (*_SHOWN, *EDGES)),
    ]
    if suite == "full":
        cases += [*_long(), *_sizes(), *_blocks(), *_laid_out(), *_bad_input()]
    return cases


def worked() -> list[Case]:
    """Return the tutorials' examples in float64, where the formula and not the dtype decides."""
    return [
        Case(
            example.operation,
            f"worked:{example.name}",
            example.values.shape,
            "float64",
            example.target_kind,
            "given" if example.target_kind else "",
            example.options,
        )
        for example in worked_examples().values()
    ]


def _digits(name: str) -> list[Case]:
    """Return cases of real logits: in `quick` some rows of each stage, in `full` all 1,797."""
    shape = (4, 10) if name == "quick" else (1797, 10)
    dtypes = ("float32", "bfloat16") if name == "quick" else DTYPES
    seeds = range(4) if name == "quick" else range(1)
    return [
        Case(operation, f"digits:{stage}", shape, dtype, kind, "given" if kind else "", seed=seed)
        for operation, kind in _DIGITS_ASKED
        for stage in DIGITS_STAGES
        for dtype in dtypes
        for seed in seeds
    ]


def _two_units() -> list[Case]:
    """Return cases of logits [0, z], whose softmax is [σ(−z), σ(z)] as the tutorials state."""
    return [
        Case(operation, "two_units", (6, 2), "float64", seed=seed)
        for operation in ("sigmoid", "softmax")
        for seed in range(4)
    ]


def _plain(suite: str) -> list[Case]:
    """Return everyday calls without options, with every family of values in `full`.

    Modes that compile are tested mostly on these: each further signature costs seconds.
    """
    quick = suite == "quick"
    return [
        Case(operation.name, family, (4, 10), dtype, kind, EVERYDAY_TARGETS.get(kind or "", ""))
        for operation in COVERED
        for kind in (operation.targets or (None,))
        for family in (_PLAIN_VALUES[operation.domain] if quick else families_of(operation, suite))
        for dtype in (("float32",) if quick else VALUES[family].dtypes)
    ]


def _unreduced() -> list[Case]:
    """Return unreduced losses: in a mean, errors of small losses are hidden by large losses."""
    edges = {"logits": "far_tail", "probs": "probs_edge", "log_probs": "log_probs_zero"}
    return [
        Case(
            operation.name,
            edges[operation.domain],
            (4, 10),
            dtype,
            kind,
            EVERYDAY_TARGETS[kind],
            Options(reduction="none"),
        )
        for operation in COVERED
        for kind in operation.targets
        for dtype in DTYPES
    ]


def _third_axis() -> list[Case]:
    """Return cases with classes on axis 1 of three.

    Frameworks expect them last or on axis 1; adapters, weights and axis arguments go wrong there.
    """
    plain = [
        Case(
            operation.name,
            EVERYDAY_VALUES[operation.domain],
            (2, 3, 5),
            "float32",
            kind,
            EVERYDAY_TARGETS.get(kind or "", ""),
            options,
        )
        for operation in COVERED
        if operation.options
        for kind in (operation.targets or (None,))
        for options in _THIRD_AXIS[operation.is_loss]
    ]
    weighted = [
        replace(
            case,
            target_family="some_ignored" if ignores else case.target_family,
            options=Options(weight="positive"),
        )
        for case in plain
        if case.contract.is_loss and case.options == Options()
        for ignores in (case.target_kind == "index" and "ignore_index" in case.contract.options,)
    ]
    return plain + weighted


def _probed(suite: str) -> list[Case]:
    """Return the cases on which relations and the Hessian-vector product are checked too."""
    return [
        Case(
            operation.name,
            PROBED_VALUES[operation.domain],
            shape,
            dtype,
            kind,
            EVERYDAY_TARGETS.get(kind or "", ""),
        )
        for operation in COVERED
        for kind in (operation.targets or (None,))
        for shape, dtypes in _PROBED[suite].items()
        for dtype in dtypes
    ]


def _long() -> list[Case]:
    """Return cases with sums that outgrow a 16-bit accumulator or counter, or that are split."""
    zeros = [
        Case(operation, "zeros", (1, classes), dtype)
        for operation in ("softmax", "log_softmax", "logsumexp")
        for dtype in ("float16", "bfloat16")
        for classes in (512, 4096, 65536)
    ]
    rows = [
        Case("cross_entropy", "zeros", (count, 5), dtype, kind, "random", Options(reduction=form))
        for count in (41000, 70000)
        for dtype in ("float16", "bfloat16", "float32")
        for kind in ("index", "one_hot")
        for form in ("mean", "none")
    ]
    # The two samples have different numbers of ignored rows, so that the mean over all rows is not
    # the mean of the samples' means.
    uneven = Case("cross_entropy", "normal", (2, 3, 2, 2), "float32", "index", "some_ignored")
    return [*zeros, *rows, uneven]


def _mixed_dtypes(name: str) -> list[Case]:
    """Return cases whose targets or weights have another dtype than the logits.

    The dtype of the result then depends on the framework's rules of promotion.
    """
    quick = name == "quick"  # JAX compiles each primitive anew for each pair of dtypes
    labels = ("int32", "uint8") if quick else tuple(LABEL_DTYPES)
    # First the pairs that occur in mixed-precision training, then those that lose digits.
    wider = [("float32", "float64"), ("bfloat16", "float32"), ("float16", "float32")]
    narrower = [] if quick else [("float32", "float16"), ("float64", "float32")]
    asked: list[tuple[str, str, str, str, Options]] = [
        ("cross_entropy", "float32", "index.random", label, Options()) for label in labels
    ]
    for dtype, other in wider[:1] if quick else wider + narrower:
        asked += [
            ("cross_entropy", dtype, "one_hot.random", other, Options()),
            ("cross_entropy", dtype, "soft.soft", other, Options()),
            ("binary_cross_entropy_with_logits", dtype, "multi_label.fractional", other, Options()),
        ]
    for dtype, other in wider[1:2] if quick else wider + narrower:
        weight = Options(weight=f"positive:{other}")
        asked += [
            ("cross_entropy", dtype, "index.random", "", weight),
            ("cross_entropy", dtype, "one_hot.random", "", weight),
        ]
    cases = []
    for operation, dtype, target, target_dtype, options in asked:
        case = Case(operation, "normal", (4, 10), dtype, options=options, target_dtype=target_dtype)
        kind, family = target.split(".")
        cases.append(case.with_target(cast("TargetKind", kind), family))
    return cases


def _everyday(operation: Operation, shape: tuple[int, ...], dtype: str = "float32") -> list[Case]:
    """Return one case without options for each kind of target."""
    family = EVERYDAY_VALUES[operation.domain]
    return [
        Case(operation.name, family, shape, dtype, kind, EVERYDAY_TARGETS.get(kind or "", ""))
        for kind in (operation.targets or (None,))
    ]


def _sizes() -> list[Case]:
    """Return cases of sizes and ranks at which blocks, counters and labels reach their limits."""
    shapes: list[tuple[int, ...]] = [(2, classes) for classes in CLASSES]
    shapes += [(rows, 3) for rows in ROWS]
    shapes += [tuple(map(int, rank.split("x"))) for rank in RANKS]
    cases = []
    for operation in COVERED:
        for shape in shapes:
            if operation.is_loss and (len(shape) == 1 or 0 in shape[1:]):
                continue  # a loss needs a batch axis, and a target needs a class
            # An elementwise operation meets no new code beyond a few blocks.
            if operation.reads_classes or max(shape) <= 1025:
                cases += _everyday(operation, shape)
    return cases


def _blocks() -> list[Case]:
    """Return cases at the limits of blocks with values that make a wrong block visible."""
    return [
        Case(operation.name, family, shape, dtype, kind, EVERYDAY_TARGETS.get(kind or "", ""))
        for operation in COVERED
        for kind in (operation.targets or (None,))
        for family in families_of(operation, "full")
        if family in _BLOCK_VALUES[operation.domain]
        for shape in _BLOCKS
        for dtype in ("bfloat16", "float64")  # `_sizes` tests float32
    ]


def _laid_out() -> list[Case]:
    """Return cases with the same numbers in each memory layout."""
    # Only equal rows can be expanded to stride 0.
    repeated = {"logits": "repeated", "probs": "repeated_probs", "log_probs": "repeated_log_probs"}
    return [
        replace(
            case,
            layout=layout,
            family=repeated[operation.domain] if layout == "expanded" else case.family,
        )
        for operation in COVERED
        for layout in LAYOUTS
        for dtype in ("float32", "bfloat16")
        for case in _everyday(operation, (2, 3, 5), dtype)
    ]


def _bad_input() -> list[Case]:
    """Return cases for which an error is expected: wrong shapes, dtypes and options."""
    # Some of these broadcast, or can be read as another kind of target.
    wrong = {
        "index": ("wrong_length", "extra_axis", "one_hot_for_index"),
        "one_hot": ("wrong_classes",),
        "soft": ("wrong_classes",),
        "multi_label": ("wrong_classes", "wrong_length"),
    }
    cases = [
        Case(operation.name, EVERYDAY_VALUES[operation.domain], (4, 10), "float32", kind, family)
        for operation in COVERED
        for kind in operation.targets
        for family in wrong[kind]
    ]
    floats = [
        Case("cross_entropy", "normal", (4, 10), "float32", "index", "random", target_dtype=dtype)
        for dtype in WRONG_LABEL_DTYPES
    ]
    options = [
        replace(case, options=replace(case.options, **{option: level}))
        for operation in COVERED
        for option, levels in OUT_OF_RANGE.items()
        if option in operation.options
        for level in levels
        for case in _everyday(operation, (4, 10))
    ]
    return cases + floats + options
