"""Cases that no covering array gives: sizes, layouts, bad input; asked by `full`."""

from __future__ import annotations

from dataclasses import replace

from .factors import CLASSES, LAYOUTS, OUT_OF_RANGE, RANKS, ROWS, WRONG_LABEL_DTYPES
from .model import Case
from .operations import OPERATIONS, Operation

EVERYDAY_VALUES = {"logits": "normal", "probs": "probs", "log_probs": "log_probs"}
EVERYDAY_TARGETS = {
    "index": "random", "one_hot": "random", "soft": "soft", "multi_label": "binary",
}  # fmt: skip


def _everyday(operation: Operation, shape: tuple[int, ...], dtype: str = "float32") -> list[Case]:
    """One case for each kind of target; the operation at its plainest."""
    family = EVERYDAY_VALUES[operation.domain]
    return [
        Case(operation.name, family, shape, dtype, kind, EVERYDAY_TARGETS.get(kind or "", ""))
        for kind in (operation.targets or (None,))
    ]


def sizes() -> list[Case]:
    """Numbers of classes and rows, and ranks, at which blocks, counters and labels end."""
    shapes: list[tuple[int, ...]] = [(2, classes) for classes in CLASSES]
    shapes += [(rows, 3) for rows in ROWS]
    shapes += [tuple(map(int, rank.split("x"))) for rank in RANKS]
    cases = []
    for operation in OPERATIONS.values():
        for shape in shapes:
            if operation.is_loss and (len(shape) == 1 or 0 in shape[1:]):
                continue  # a loss has a batch, and a target has a class
            if operation.reads_classes or max(shape) <= 1025:
                cases += _everyday(operation, shape)
    return cases


def laid_out_cases() -> list[Case]:
    """The same numbers, in memory in another way."""
    return [
        replace(case, layout=layout)
        for operation in OPERATIONS.values()
        for layout in LAYOUTS
        for dtype in ("float32", "bfloat16")
        for case in _everyday(operation, (2, 3, 5), dtype)
    ]


def bad_input() -> list[Case]:
    """Targets of a wrong shape or kind, options out of range: an error is due."""
    wrong = {
        "index": ("wrong_length", "extra_axis", "one_hot_for_index"),
        "one_hot": ("wrong_classes",),
        "soft": ("wrong_classes",),
        "multi_label": ("wrong_classes", "wrong_length"),
    }
    cases = [
        Case(operation.name, EVERYDAY_VALUES[operation.domain], (4, 10), "float32", kind, family)
        for operation in OPERATIONS.values()
        for kind in operation.targets
        for family in wrong[kind]
    ]
    floats = [
        Case("cross_entropy", "normal", (4, 10), "float32", "index", "random", target_dtype=dtype)
        for dtype in WRONG_LABEL_DTYPES
    ]
    options = [
        replace(case, options=replace(case.options, **{option: level}))
        for operation in OPERATIONS.values()
        for option, levels in OUT_OF_RANGE.items()
        if option in operation.options
        for level in levels
        for case in _everyday(operation, (4, 10))
    ]
    return cases + floats + options
