"""Questions about which bounds are computed, with their arrays and right answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lossdiff.cases.dtypes import FORMATS
from lossdiff.cases.model import Case, Inputs
from lossdiff.cases.operations import DTYPES, Options
from lossdiff.harness.bounds.algorithms import SOUND, Algorithm
from lossdiff.harness.bounds.bound import bound
from lossdiff.harness.oracle.double_double import Exact
from lossdiff.harness.oracle.solve import solve

if TYPE_CHECKING:
    from lossdiff.harness.oracle.solution import Solution
    from numpy.typing import NDArray

    Array = NDArray[Any]

PLAIN = Options()


@dataclass(frozen=True)
class BoundCase:
    """A case with its arrays, in T and in A, and the right answers."""

    case: Case
    inputs: Inputs
    solution: Solution
    known: dict[Any, Array] = field(default_factory=dict)

    @property
    def stored(self) -> np.dtype[Any]:
        """T."""
        return self.inputs.values.dtype

    @property
    def accumulates(self) -> np.dtype[Any]:
        """A."""
        return np.dtype("float64" if self.stored == np.float64 else "float32")

    @property
    def x(self) -> Array:
        """The first argument, in A."""
        return self.in_a(self.inputs.values)

    @property
    def z(self) -> Array:
        """The target, in A."""
        assert self.inputs.target is not None
        return self.in_a(self.inputs.target)

    def in_a(self, array: Array) -> Array:
        """Return an array in A."""
        return array.astype(self.accumulates)

    def limit(self, quantity: str, algorithm: Algorithm) -> Array:
        """Return the bound of a quantity."""
        key = quantity, algorithm
        if key not in self.known:
            self.known[key] = bound(self.case, self.solution, quantity, algorithm)
        return self.known[key]

    def nearly(self, quantity: str) -> Array:
        """Return the right answer as float64 has it, good enough for narrower dtypes."""
        if quantity not in self.known:
            self.known[quantity] = self.solution.quantities[quantity].to_float()
        return self.known[quantity]

    def ratio(self, quantity: str, got: Array, algorithm: Algorithm = SOUND) -> float:
        """Return the largest error over the bound; `got` is rounded to T first."""
        exact = self.solution.quantities[quantity]
        assert got.shape == exact.shape
        if self.stored == np.float64:
            error = abs(Exact.of(got.astype(np.float64)) - exact).to_float()
        else:
            error = np.abs(got.astype(self.stored).astype(np.float64) - self.nearly(quantity))
        return float((error / self.limit(quantity, algorithm)).max())


@cache
def asked(
    operation: str,
    dtype: str,
    classes: int,
    spread: float,
    kind: str | None = None,
    options: Options = PLAIN,
    rows: int = 0,
    layout: str = "normal",
) -> BoundCase:
    """Return logits of a spread, up to 3000 of them but one row at least.

    `layout` is normal, offset (by 20 and by 1000) or ties (multiples of the spread).
    """
    rng = np.random.Generator(np.random.PCG64(classes * 1000 + int(spread)))
    size = (rows or max(1, min(64, 3000 // classes)), classes)
    form = FORMATS[dtype]
    draws = rng.normal(size=size)
    offset = {"offset 20": 20, "offset 1000": 1000}.get(layout, 0)
    values = form.round((np.round(draws) if layout == "ties" else draws) * spread + offset)
    if operation in ("binary_cross_entropy", "cross_entropy_probs"):
        most = 1 - 4 * form.unit_roundoff
        values = form.round(np.clip(rng.random(size) ** min(spread, 30.0), form.tiny, most))
    if operation == "exp":
        values = np.minimum(values, form.round(10.0))
    target = None
    if kind == "index":
        target = rng.integers(0, classes, size[0])
    elif kind == "soft":
        shares = rng.random(size)
        target = form.round(shares / shares.sum(axis=1, keepdims=True))
    elif kind == "multi_label":
        hard = rng.integers(0, 2, size).astype(float)
        target = form.round(rng.random(size) if layout == "fractions" else hard)
    weight = form.round(rng.integers(1, 16, classes) / 7.0) if options.weight else None
    pos_weight = form.round(rng.integers(1, 16, classes) / 7.0) if options.pos_weight else None
    inputs = Inputs(values, target, weight, pos_weight)
    case = Case(
        operation, "file:made", size, dtype, kind, "given" if kind else "", options, given=inputs  # type: ignore[arg-type]
    )  # fmt: skip
    return BoundCase(case, inputs, solve(case, inputs))


def given(operation: str, values: Array, target: Array | None = None) -> BoundCase:
    """Return a question about these arrays."""
    inputs = Inputs(values, target)
    kind = None if target is None else "index"
    case = Case(
        operation, "file:made", values.shape, values.dtype.name, kind, "given" if kind else "",
        given=inputs,
    )  # fmt: skip
    return BoundCase(case, inputs, solve(case, inputs))


@dataclass
class Worst:
    """The largest error over the bound, of each dtype and rung, and whose it was."""

    title: str
    found: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)

    def see(self, rung: str, dtype: str, ratio: float, where: str) -> None:
        """Keep what exceeds all before."""
        if ratio >= self.found.get((rung, dtype), (0.0, ""))[0]:
            self.found[rung, dtype] = ratio, where

    def show(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Print one line for each rung: the worst of each dtype, and whose the worst of all is."""
        with capsys.disabled():
            for rung in dict.fromkeys(rung for rung, _ in self.found):
                of = {
                    dtype: self.found[rung, dtype]
                    for dtype in DTYPES
                    if (rung, dtype) in self.found
                }
                dtype = max(of, key=lambda name: of[name][0])
                ratios = " ".join(f"{ratio:.2f}" for ratio, _ in of.values())
                print(f"\n{self.title:40} {rung:9} {ratios:20} {dtype}: {of[dtype][1]}", end="")  # noqa: T201

    def check(self) -> None:
        """Fail where a bound is exceeded, or where sound algorithms come nowhere near it."""
        for (rung, dtype), (ratio, where) in self.found.items():
            assert ratio <= 1.0, (rung, dtype, where)
            assert rung != "sound" or ratio > 0.05, (dtype, where)
