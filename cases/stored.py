"""Values that are data, not draws: the tutorials' worked examples and the digits' logits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from .dtypes import Array
from .operations import Options, TargetKind

DIGITS_STAGES = ("start", "middle", "end")


@dataclass(frozen=True)
class Stored:
    """Values read from the package: first argument and, where there is one, target."""

    values: Array
    target: Array | None = None


@dataclass(frozen=True)
class WorkedExample:
    """A value that a tutorial prints.

    Attributes:
        name: identifies it.
        source: the document that prints it.
        operation: the operation that it exercises.
        values: first argument, float64.
        target: index target (whole numbers) or one-hot / multi-label target, None without.
        target_kind: what the target is.
        options: keywords of the call.
        expected: what the document prints, float64.
        atol: half a unit of the last printed digit of the result, plus what the printed
            inputs' own rounding can move.
        note: what a reader should know.
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


def _example(item: dict[str, Any]) -> WorkedExample:
    inputs = item["inputs"]
    target = np.array(inputs["target"]) if "target" in inputs else None
    kind: TargetKind | None = None
    if target is not None:
        multi_label = item["op"].startswith("binary")
        kind = "index" if target.ndim == 1 else "multi_label" if multi_label else "one_hot"
    values = next(inputs[name] for name in ("logits", "log_probs", "probs") if name in inputs)
    return WorkedExample(
        name=item["id"],
        source=item["source"],
        operation=item["op"],
        values=np.array(values, np.float64),
        target=target,
        target_kind=kind,
        options=Options(**item["options"]),
        expected=np.array(item["expected"], np.float64),
        atol=item["atol"],
        note=item.get("note", ""),
    )


@cache
def worked_examples() -> dict[str, WorkedExample]:
    """Return the tutorials' printed values, by name."""
    text = resources.files("lossdiff.cases.data").joinpath("worked_examples.json").read_text()
    return {item["id"]: _example(item) for item in json.loads(text)["examples"]}


@cache
def _digits() -> dict[str, Array]:
    file = resources.files("lossdiff.cases.data").joinpath("digits.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
        return dict(data)


def stored_values(family: str, shape: tuple[int, ...], seed: int = 0) -> Stored | None:
    """Return the values of a stored family, or None for a family that is drawn.

    Args:
        family: `worked:NAME`, `digits:STAGE`, or any other name.
        shape: of the first argument; as many rows are taken of the digits' (1797, 10).
        seed: which rows; the first ones for 0, the next ones for 1, and so on.

    Raises:
        KeyError: there is no such worked example or stage of training.
    """
    source, _, name = family.partition(":")
    if source == "worked":
        example = worked_examples()[name]
        return Stored(example.values, example.target)
    if source == "digits":
        data = _digits()
        rows = (np.arange(shape[0]) + seed * shape[0]) % len(data["labels"])
        return Stored(data[name][rows].astype(np.float64), data["labels"][rows])
    return None
