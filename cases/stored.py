"""Read values that are data and not drawn: the tutorials' worked examples and real logits.

The logits are those of a small classifier of handwritten digits at three stages of training, made
by `scripts/make_digits.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from .checked import checked, decoded
from .dtypes import Array
from .operations import Options, TargetKind

DIGITS_STAGES = ("start", "middle", "end")


@dataclass(frozen=True)
class Stored:
    """The first argument of a stored case, and its target if it has one."""

    values: Array
    target: Array | None = None


@dataclass(frozen=True)
class WorkedExample:
    """A value that a tutorial prints.

    Attributes:
        name: its unique name.
        source: the document that prints it.
        operation: the operation that gives the value.
        values: first argument, float64.
        target: index target (whole numbers) or one-hot or multi-label target; None for none.
        target_kind: the kind of the target.
        options: keywords of the call.
        expected: the printed value, float64.
        atol: half a unit of the last printed digit of the result, plus the effect of rounding
            the printed inputs.
        note: a remark for the reader, such as an error in the document.
    """

    name: str
    source: str
    operation: str
    values: Array
    target: Array | None
    target_kind: TargetKind | None
    options: Options
    expected: Array
    atol: float
    note: str


@dataclass(frozen=True)
class _Printed:
    """A worked example as it is stored; `WorkedExample` explains the entries."""

    id: str
    source: str
    op: str
    inputs: dict[str, list[Any]]
    options: dict[str, str]
    expected: list[Any] | float
    atol: float
    note: str = ""


@dataclass(frozen=True)
class _Document:
    about: str
    examples: list[_Printed]


def _example(item: _Printed) -> WorkedExample:
    inputs = item.inputs
    # The file does not name the kind of target; its shape and the operation decide.
    target = np.array(inputs["target"]) if "target" in inputs else None
    kind: TargetKind | None = None
    if target is not None:
        multi_label = item.op.startswith("binary")
        kind = "index" if target.ndim == 1 else "multi_label" if multi_label else "one_hot"
    values = next(inputs[name] for name in ("logits", "log_probs", "probs") if name in inputs)
    return WorkedExample(
        name=item.id,
        source=item.source,
        operation=item.op,
        values=np.array(values, np.float64),
        target=target,
        target_kind=kind,
        options=checked(item.options, Options),
        expected=np.array(item.expected, np.float64),
        atol=item.atol,
        note=item.note,
    )


@cache
def worked_examples() -> dict[str, WorkedExample]:
    """Return the tutorials' printed values, by name."""
    text = resources.files("lossdiff.cases.data").joinpath("worked_examples.json").read_bytes()
    return {item.id: _example(item) for item in decoded(text, _Document).examples}


@cache
def _digits() -> dict[str, Array]:
    file = resources.files("lossdiff.cases.data").joinpath("digits.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
        return dict(data)


def stored_values(family: str, shape: tuple[int, ...], seed: int = 0) -> Stored | None:
    """Return the values of a stored family.

    Args:
        family: `worked:NAME`, `digits:STAGE`, or any other name.
        shape: shape of the first argument, whose number of rows is taken from the 1,797 of the
            digits.
        seed: selects the rows: the first ones for 0, the next ones for 1, and so on.

    Returns:
        float64 values, of shape (rows, 10) for the digits, and the target; None for a family
        that is drawn.

    Raises:
        KeyError: there is no such worked example or stage of training.
    """
    source, _, name = family.partition(":")
    if source == "worked":
        example = worked_examples()[name]
        return Stored(example.values, example.target)
    if source == "digits":
        data = _digits()
        # Beyond the last row the first ones follow again.
        rows = (np.arange(shape[0]) + seed * shape[0]) % len(data["labels"])
        return Stored(data[name][rows].astype(np.float64), data["labels"][rows])
    return None
