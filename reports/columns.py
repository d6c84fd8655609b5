"""Assign each case to a column of the matrix: its family of inputs, or of targets.

A family of targets has a column of its own if it decides the answer more than the values do. What
is no valid input has columns of its own, so that it does not colour those of ordinary questions.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..cases.families import VALUES, is_everyday
from ..cases.products import PRODUCTS
from ..cases.targets import WRONG_SHAPES

# These target families decide the answer whatever the values are.
TARGETS = {
    "too_large": "an index beyond the classes: an error is due",
    "negative": "a negative index: an error is due",
    "all_ignored": "every row ignored: 0/0 under mean",
    "some_ignored": "some rows ignored",
    "soft_negative": "a negative probability as target: an error is due",
    "unnormalised": "soft targets that do not sum to 1",
    "all_zero": "soft targets that are all 0",
    "above_one": "a label of 2: an error is due",
    "soft_nan": "a soft target that holds a NaN: no agreed answer in its row",
    "binary_nan": "a label that is NaN: no agreed answer for its element",
    "above": "a probability above 1 as target: an error is due",
    **{name: f"{shape.why}: an error is due" for name, shape in WRONG_SHAPES.items()},
}
_INVALID_TARGETS = ("too_large", "negative", "soft_negative", "above", "above_one", *WRONG_SHAPES)
_INVALID_VALUES = ("probs_outside",)
_NOT_FINITE = (
    "neg_inf", "neg_inf_but_one", "all_neg_inf", "pos_inf", "nan", "nan_where_ignored",
)  # fmt: skip
_STORED = {
    "onnx": "node cases of ONNX",
    "worked": "values that the tutorials print",
    "digits": "logits of a classifier of digits, in training",
    "file": "cases from files",
}
INVALID = "invalid input"
GROUPS = (
    "everyday",
    "far and large",
    "not finite",
    "probabilities",
    "targets and shapes",
    INVALID,
    "data",
    "other",
)
EMPTY = "empty"


@dataclass(frozen=True)
class Column:
    """One column of the matrix.

    Attributes:
        name: its heading.
        group: one of `GROUPS`.
        why: the reason for its cases.
    """

    name: str
    group: str
    why: str = ""

    @property
    def order(self) -> tuple[int, int, str]:
        """The sort key of the column: its group, then the order of the tables of families."""
        known = [*VALUES, *PRODUCTS, *TARGETS]
        place = known.index(self.name) if self.name in known else len(known)
        return GROUPS.index(self.group), place, self.name


def column_name(family: str, case: str, shape: str) -> str:
    """Return the column of a case.

    Args:
        family: the family of its values.
        case: its id, from which the family of its target is read.
        shape: its shape as written in the id.

    >>> column_name("normal", "cross_entropy/index.too_large/float32/4x10/normal/-/0", "4x10")
    'target too_large'
    """
    if "0" in shape.split("x"):
        return EMPTY
    # Parsing the id would be slow, and a run of another version may have ids unknown to this one.
    target = case.split("/", 2)[1].rpartition(".")[2] if case.count("/") > 1 else ""
    if target in TARGETS:
        return f"target {target}"
    stored = family.partition(":")[0]
    return stored if stored in _STORED else family


def column_of(name: str) -> Column:
    """Return the column of a name; one of an unknown family is in the group `other`."""
    if name == EMPTY:
        return Column(name, "targets and shapes", "no rows or no classes at all")
    if name.startswith("target "):
        target = name.removeprefix("target ")
        group = INVALID if target in _INVALID_TARGETS else "targets and shapes"
        return Column(name, group, TARGETS[target])
    if name in _STORED:
        return Column(name, "data", _STORED[name])
    if name in PRODUCTS and name not in VALUES:
        return Column(name, "far and large", PRODUCTS[name].why)
    if name not in VALUES:
        return Column(name, "other")
    return Column(name, _group(name), VALUES[name].why)


def _group(name: str) -> str:
    if name != "probs" and is_everyday(name):
        return "everyday"
    if name in _NOT_FINITE:
        return "not finite"
    if name in _INVALID_VALUES:
        return INVALID
    # Families are grouped by difficulty; what is in no list above is grouped by its domain.
    return "far and large" if VALUES[name].domain == "logits" else "probabilities"
