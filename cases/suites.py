"""Suites: which cases are asked together.

The factors of each operation are written down as data (`cases.factors`); covering arrays pick the
cases, so that every two levels of any two factors meet, in `full` every three. Lists of cases
beside them (`cases.lists`) hold what is no factor. Suites come ordered by signature, so that
nothing is compiled twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from .covering import stored_rows
from .factors import factors_of, may_meet
from .lists import listed, worked
from .model import Case
from .onnx_suite import onnx_cases
from .operations import DTYPES, OPERATIONS, Operation, Options
from .packed import Cases, in_parts
from .stream import Stream

_PART = 4096  # cases that are sorted together
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
    cases: Sequence[Case]
    compiled: bool = False
    operations: tuple[str, ...] = ()
    whole: bool = False

    def is_compiled(self, case: Case, slow: Collection[str] = ()) -> bool:
        """Whether a mode that compiles is asked this case: each new signature costs time.

        Args:
            case: one of the suite.
            slow: the dtypes of a mode that takes seconds for each; empty for a quicker mode.
        """
        probed = case.is_probed and self.compiled and not slow
        if self.whole or case.is_given or probed:
            return True
        plain = case.shape == (4, 10) and case.options == Options()
        plain = plain and not (case.layout or case.mixes_dtypes)
        if slow:  # relations and second derivatives would compile several forms more
            return plain and not case.is_probed and case.dtype in slow
        return plain and case.dtype in (DTYPES if self.compiled else ("float32",))


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
        return _ordered(name, worked())
    if name == "domain":
        return Suite(
            name, ()
        )  # its questions follow from the answers: see `harness.engine.validity`
    if name == "fuzz":
        return _ordered(name, _fuzz(seed, count))
    cases = listed(name)
    for operation in OPERATIONS.values():
        rows = stored_rows(name, operation.name, factors_of(operation, name))
        cases += [replace(_case(operation, row), seed=seed) for row in rows]
    return _ordered(name, cases)


def selected(whole: Suite, operations: Sequence[str] = (), extra: Sequence[Case] = ()) -> Suite:
    """Return the suite's cases of some operations (of all, if none is named), and more cases."""
    chosen = whole
    if operations:
        cases = Cases(case for case in whole.cases if case.operation in operations)
        chosen = replace(whole, cases=cases, operations=tuple(operations))
    if not extra:
        return chosen
    return replace(chosen, cases=_ordered(whole.name, [*chosen.cases, *extra]).cases)


def _ordered(name: str, cases: Iterable[Case], *, compiled: bool | None = None) -> Suite:
    # Sorted in parts that are joined while they are read: all cases at once need much room.
    parts = [Cases(sorted(part, key=_place)) for part in in_parts(cases, _PART)]
    joined = groupby(heapq.merge(*parts, key=_place))
    unique = Cases(case for case, _ in joined)
    return Suite(name, unique, name == "full" if compiled is None else compiled)


def _place(case: Case) -> tuple[Any, ...]:
    """Where a case stands in a suite.

    Cases of one signature follow each other, and signatures of one dtype and shape: what a
    framework compiles for single operators is shared by those.
    """
    return case.dtype, case.shape, str(case.signature), case.id


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


def _fuzz(seed: int, count: int) -> Iterator[Case]:
    """Draw cases from the factors of `full`, each level as likely as any other."""
    stream = Stream(f"fuzz/{seed}")
    operations = list(OPERATIONS.values())
    factors = {operation.name: factors_of(operation, "full") for operation in operations}
    drawn = 0
    while drawn < count:
        operation = operations[int(stream.integers(len(operations), 1)[0])]
        row = {
            name: levels[int(stream.integers(len(levels), 1)[0])]
            for name, levels in factors[operation.name].items()
        }
        if may_meet(row):
            yield replace(_case(operation, row), seed=seed * count + drawn)
            drawn += 1
