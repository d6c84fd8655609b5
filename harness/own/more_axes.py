"""Ask a function the plain question with three or four axes, where it does not take two.

A loss of sequences says `B, T, C = logits.shape`, one of images `n, c, h, w = input.size()`: no
batch of rows, (N, C), is taken, and that is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...backends.claim import Layout, Limits
from ...cases.operations import Operation

_SHAPES: dict[int, tuple[int, ...]] = {3: (2, 10, 5), 4: (2, 10, 3, 2)}  # the classes on axis 1
_NUMBERS = {3: "three", 4: "four"}
_LETTERS: dict[tuple[int, Layout], str] = {
    (3, "classes_last"): "(B, T, C)", (3, "classes_first"): "(N, C, d)",
    (4, "classes_first"): "(N, C, H, W)", (4, "classes_last"): "(N, H, W, C)",
}  # fmt: skip


@dataclass(frozen=True)
class Stance:
    """How many axes a function may take, and where it may have the classes.

    Attributes:
        shape: the shape of the first argument, as the contract has it.
        layout: where the function has the classes.
        remark: a sentence for the user of a function that takes just this.
    """

    shape: tuple[int, ...]
    layout: Layout
    remark: str


def stances_of(contract: Operation, limits: Limits, layout: Layout) -> Iterator[Stance]:
    """Yield what a function of more than two axes may take, the likeliest first.

    Args:
        contract: the operation.
        limits: what is declared: other numbers of axes than these are not tried.
        layout: where the classes are declared to be; `classes_first` if it is not declared.

    >>> from ...cases.operations import OPERATIONS
    >>> for it in stances_of(OPERATIONS["cross_entropy"], Limits(), "classes_first"):
    ...     print(it.shape, it.layout)
    (2, 10, 5) classes_last
    (2, 10, 5) classes_first
    (2, 10, 3, 2) classes_first
    (2, 10, 3, 2) classes_last
    """
    if contract.is_defined or contract.is_linear:
        return
    for (rank, place), letters in _LETTERS.items():
        if limits.ranks and rank not in limits.ranks:
            continue
        asked = f"it is asked with {_NUMBERS[rank]} axes"
        if contract.is_loss and contract.reads_classes:
            if place == "classes_last" or layout == "classes_first":
                where = "last" if place == "classes_last" else "on axis 1"
                remark = f"it takes {letters}, with the classes {where}, and not (N, C): {asked}"
                yield Stance(_SHAPES[rank], place, remark)
        elif place == "classes_first":
            batch, classes, *others = _SHAPES[rank]
            shape = _SHAPES[rank] if contract.is_loss else (batch, *others, classes)
            yield Stance(shape, place, f"it takes {_NUMBERS[rank]} axes, and not two: {asked}")
