"""Suites: which cases are asked together.

The factors of each operation are written down as data; a covering array (allpairspy) picks
the cases, so that every two levels of any two factors meet at least once. Suites come ordered
by signature, so that nothing is compiled twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any, cast

from allpairspy import AllPairs

from .factors import LABEL_DTYPES
from .families import TARGETS, VALUES
from .lists import EVERYDAY_TARGETS, EVERYDAY_VALUES, bad_input, laid_out_cases, sizes
from .model import Case
from .onnx_suite import onnx_cases
from .operations import DTYPES, OPERATIONS, Operation, Options, TargetKind
from .stored import DIGITS_STAGES, worked_examples
from .stream import Stream

SHAPES = {
    "quick": ("4x10",),  # JAX compiles each primitive anew for each shape and dtype
    "full": ("1x1", "1x2", "2x3x5", "4x10", "3x70", "5x33", "2x1000", "2x3x2x2", "64x3", "300x4"),
}
_QUICK_VALUES = (  # one of each kind of trouble; `full` has every family
    "normal", "normal_100", "ties", "offset_-1e3", "offset_1e7", "far_tail", "exp_overflow",
    "gap_underflow", "finfo_max", "neg_inf", "neg_inf_but_one", "all_neg_inf", "pos_inf", "nan",
    "one_large", "probs", "probs_edge", "probs_zero_one", "probs_outside", "log_probs",
    "log_probs_1e4", "log_probs_zero",
)  # fmt: skip
_ROW_FAMILIES = (  # about the classes of a row: of no interest element by element
    "ties", "dominant", "far_tail", "gap_underflow", "gap_below_tiny", "gap_above_tiny",
    "gap_below_0", "neg_inf_but_one", "all_neg_inf", "one_large",
)  # fmt: skip
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
_GRIDS = {"logits": "", "probs": "_probs", "log_probs": "_log_probs"}
# Beyond some thousand elements frameworks sum in blocks and threads of their own.
_PROBED_SHAPES = {"quick": ((4, 10),), "full": ((4, 10), (64, 1000), (4, 50257), (1024, 33))}
_THIRD_AXIS = {
    False: (Options(), Options(axis=1)),
    True: (Options(), Options(reduction="none")),
}
_QUICK_TARGETS = {
    "index": ("random", "top", "too_large", "negative", "some_ignored", "all_ignored"),
    "one_hot": ("random",),
    "soft": ("soft", "unnormalised", "all_zero", "soft_negative"),
    "multi_label": ("binary", "fractional", "above_one"),
}
_LEVELS: dict[str, tuple[Any, ...]] = {
    "axis": (-1, 0),
    "weight": (None, "positive", "with_zeros"),
    "pos_weight": (None, "positive"),
    "ignore_index": (-100, -1, 0),
    "label_smoothing": (0.0, 0.1),
    "reduction": ("mean", "none", "sum"),
}
_FULL_LEVELS = {
    **_LEVELS,
    "axis": (-1, 0, 1),
    "label_smoothing": (0.0, 0.1, 1.0),
    "ignore_index": (-100, -1, 0, 255),
}
_SLOW = ("xla", "compile")  # seconds for each signature
SUITES = ("quick", "full", "worked", "fuzz", "domain", "onnx")


@dataclass(frozen=True)
class Suite:
    """Cases that are asked together.

    Attributes:
        name: on the command line.
        cases: ordered by signature, without repetition.
        compiled: whether compilers are asked every signature, or the plain ones only.
        operations: to which it was narrowed down; empty for all.
        whole: whether every case is asked in every mode, as what is timed must be.
    """

    name: str
    cases: tuple[Case, ...]
    compiled: bool = False
    operations: tuple[str, ...] = ()
    whole: bool = False

    def is_compiled(self, case: Case, mode: str) -> bool:
        """Whether a mode that compiles is asked this case: each new signature costs seconds."""
        if self.whole or case.is_given or (case.is_probed and self.compiled):
            return True
        plain = case.shape == (4, 10) and case.options == Options()
        plain = plain and not (case.layout or case.mixes_dtypes)
        dtypes = ("float32", "float16") if mode in _SLOW else DTYPES
        return plain and case.dtype in (dtypes if self.compiled else ("float32",))


def suite(name: str, *, seed: int = 0, count: int = 1000) -> Suite:
    """Return a suite by name.

    Args:
        name: one of `SUITES`.
        seed: for other draws of the same cases.
        count: how many cases `fuzz` draws.

    Raises:
        OnnxError: the cases of `onnx` are asked for, and it is not installed.
    """
    if name == "onnx":
        return _ordered(name, onnx_cases(), compiled=True)
    if name == "worked":
        return _ordered(name, _worked())
    if name == "domain":
        return Suite(name, ())  # its questions follow from the answers: see `harness.domain`
    if name == "fuzz":
        return _ordered(name, _fuzz(seed, count))
    cases = [*_worked(), *_digits(name), *_two_units(), *_plain()]
    cases += [*_third_axis(), *_mixed_dtypes(name), *_probed(name)]
    if name == "full":
        cases += [*_long(), *sizes(), *laid_out_cases(), *bad_input()]
    for operation in OPERATIONS.values():
        cases += [replace(case, seed=seed) for case in _covering(operation, name)]
    return _ordered(name, cases)


def selected(whole: Suite, operations: Sequence[str] = (), extra: Sequence[Case] = ()) -> Suite:
    """Return the suite's cases of some operations (of all, if none is named), and more cases."""
    cases = [case for case in whole.cases if not operations or case.operation in operations]
    narrowed = _ordered(whole.name, [*cases, *extra], compiled=whole.compiled)
    return replace(narrowed, operations=tuple(operations))


def _ordered(name: str, cases: Sequence[Case], *, compiled: bool | None = None) -> Suite:
    unique = {case.id: case for case in cases}
    # Cases of one signature follow each other, and signatures of one dtype and shape: what a
    # framework compiles for single operators is shared by those.
    ordered = sorted(
        unique.values(),
        key=lambda case: (case.dtype, case.shape, str(case.signature), case.id),
    )
    return Suite(name, tuple(ordered), name == "full" if compiled is None else compiled)


def _worked() -> list[Case]:
    """The tutorials' examples, in float64: the formula decides over the digits, not the dtype."""
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
    """Real logits; in `quick` some rows of each stage, in `full` all 1,797."""
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
    """Logits [0, z]: their softmax is [σ(−z), σ(z)], a claim of the tutorials."""
    return [
        Case(operation, "two_units", (6, 2), "float64", seed=seed)
        for operation in ("sigmoid", "softmax")
        for seed in range(4)
    ]


def _plain() -> list[Case]:
    """Everyday calls without options: the few signatures that compilers see in `quick`."""
    return [
        Case(operation.name, family, (4, 10), "float32", kind, EVERYDAY_TARGETS.get(kind or "", ""))
        for operation in OPERATIONS.values()
        for kind in (operation.targets or (None,))
        for family in _PLAIN_VALUES[operation.domain]
    ]


def _third_axis() -> list[Case]:
    """Classes on axis 1 of three: where adapters, weights and axis arguments go wrong."""
    plain = [
        Case(operation.name, EVERYDAY_VALUES[operation.domain], (2, 3, 5), "float32", kind,
             EVERYDAY_TARGETS.get(kind or "", ""), options)
        for operation in OPERATIONS.values()
        if operation.options
        for kind in (operation.targets or (None,))
        for options in _THIRD_AXIS[operation.is_loss]
    ]  # fmt: skip
    weighted = [
        replace(case, target_family="some_ignored" if ignores else case.target_family,
                options=Options(weight="positive"))
        for case in plain
        if case.contract.is_loss and case.options == Options()
        for ignores in (case.target_kind == "index" and "ignore_index" in case.contract.options,)
    ]  # fmt: skip
    return plain + weighted


def _probed(name: str) -> list[Case]:
    """Cases that are asked again, in other forms, and for the second derivative."""
    dtypes = ("float32",) if name == "quick" else DTYPES
    return [
        Case(operation.name, f"grid{_GRIDS[operation.domain]}", shape, dtype, kind,
             EVERYDAY_TARGETS.get(kind or "", ""))
        for operation in OPERATIONS.values()
        for kind in (operation.targets or (None,))
        for dtype in dtypes
        for shape in _PROBED_SHAPES[name]
    ]  # fmt: skip


def _long() -> list[Case]:
    """Sums that outgrow a 16-bit accumulator or counter, or are taken in parts."""
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
    # Samples in which different numbers of rows count: the mean is not that of their means.
    uneven = Case("cross_entropy", "normal", (2, 3, 2, 2), "float32", "index", "some_ignored")
    return [*zeros, *rows, uneven]


def _mixed_dtypes(name: str) -> list[Case]:
    """Targets and weights of other dtypes than the logits: where results are promoted."""
    quick = name == "quick"  # JAX compiles each primitive anew for each pair of dtypes
    labels = ("int32", "uint8") if quick else tuple(LABEL_DTYPES)
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


# --- covering arrays -------------------------------------------------------------------------


def _factors(operation: Operation, name: str) -> dict[str, list[Any]]:
    quick = name == "quick"
    families = [
        family.name
        for family in VALUES.values()
        if family.domain == operation.domain
        and (family.name in _QUICK_VALUES or not quick)
        and family.name != "two_units"
        and not family.name.startswith("grid")
        and (operation.reads_classes or family.name not in _ROW_FAMILIES)
    ]
    factors: dict[str, list[Any]] = {"family": families, "dtype": list(DTYPES)}
    factors["shape"] = list(SHAPES[name])
    if operation.targets:
        targets = _QUICK_TARGETS if quick else TARGETS
        factors["target"] = [
            f"{kind}.{family}" for kind in operation.targets for family in targets[kind]
        ]
    levels = _LEVELS if quick else _FULL_LEVELS
    for option in operation.options:
        factors[option] = list(levels[option])
    return factors


def _is_askable(factors: Sequence[str], operation: Operation) -> Callable[[list[Any]], bool]:
    """Return the filter of the covering array; it sees the first levels of a row, too."""

    def valid(row: list[Any]) -> bool:
        given = dict(zip(factors, row, strict=False))
        family = VALUES[given["family"]]
        if "dtype" in given and given["dtype"] not in family.dtypes:
            return False
        rank = given["shape"].count("x") + 1 if "shape" in given else 0
        if rank and given.get("axis", -1) >= rank:
            return False
        target = given.get("target", "")
        ignores = target.endswith("_ignored")
        is_index = target.startswith("index")
        if "ignore_index" in given and target:
            if not ignores and given["ignore_index"] != -100:
                return False  # an ignore_index that no row has changes nothing
            if given["ignore_index"] != -100 and not is_index:
                return False
        if ignores and "ignore_index" not in operation.options:
            return False
        smoothing = given.get("label_smoothing", 0.0)
        return not (smoothing and target in ("soft.soft_negative", "soft.above"))

    return valid


def _covering(operation: Operation, name: str) -> Iterator[Case]:
    """Yield cases in which every two levels that can meet do."""
    factors = _factors(operation, name)
    names, levels = list(factors), list(factors.values())
    valid = _is_askable(names, operation)
    rows = [list(row) for row in AllPairs(levels, filter_func=valid, n=2)]
    for row in [*rows, *_missed(rows, levels, valid)]:
        yield _case(operation, dict(zip(names, row, strict=True)))


def _missed(
    rows: list[list[Any]], levels: list[list[Any]], valid: Callable[[list[Any]], bool]
) -> Iterator[list[Any]]:
    """Yield rows for the pairs that allpairspy loses where a filter is given."""
    met = {pair for row in rows for pair in combinations(enumerate(row), 2)}
    for first, second in combinations(range(len(levels)), 2):
        for one, other in product(levels[first], levels[second]):
            if ((first, one), (second, other)) in met:
                continue
            row = _completed([], levels, {first: one, second: other}, valid)
            if row is not None:
                met |= set(combinations(enumerate(row), 2))
                yield row


def _completed(
    row: list[Any],
    levels: list[list[Any]],
    fixed: dict[int, Any],
    valid: Callable[[list[Any]], bool],
) -> list[Any] | None:
    """Return the first valid row that begins with `row` and has the fixed levels."""
    if len(row) == len(levels):
        return row
    at = len(row)
    for level in [fixed[at]] if at in fixed else levels[at]:
        longer = [*row, level]
        found = _completed(longer, levels, fixed, valid) if valid(longer) else None
        if found is not None:
            return found
    return None


def _case(operation: Operation, given: dict[str, Any]) -> Case:
    kind, _, family = given.get("target", "").partition(".")
    return Case(
        operation.name,
        given["family"],
        tuple(map(int, given["shape"].split("x"))),
        given["dtype"],
        kind or None,
        family,
        Options(**{option: given[option] for option in operation.options}),
    )


# --- fuzz ------------------------------------------------------------------------------------


def _fuzz(seed: int, count: int) -> list[Case]:
    """Draw cases from the factors of `full`, each level as likely as any other."""
    stream = Stream(f"fuzz/{seed}")
    operations = list(OPERATIONS.values())
    factors = {operation.name: _factors(operation, "full") for operation in operations}
    cases: list[Case] = []
    while len(cases) < count:
        operation = operations[int(stream.integers(len(operations), 1)[0])]
        names = list(factors[operation.name])
        levels = factors[operation.name].values()
        row = [level[int(stream.integers(len(level), 1)[0])] for level in levels]
        if _is_askable(names, operation)(row):
            case = _case(operation, dict(zip(names, row, strict=True)))
            cases.append(replace(case, seed=seed * count + len(cases)))
    return cases
