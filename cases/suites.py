"""Assemble suites: sets of cases that are run together.

The factors of each operation are defined as data (`cases.factors`). Covering arrays select the
cases, so that every two levels of any two factors occur together, in `full` every three levels of
any three. Lists (`cases.lists`) add cases that are not combinations of factors. Suites are ordered
by signature, so that nothing is compiled twice.
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
from .operations import COVERED, DTYPES, Operation, Options
from .packed import Cases, in_parts
from .stream import Stream

_PART = 4096  # cases that are sorted together, as objects in memory
SUITES = ("quick", "full", "worked", "fuzz", "domain", "onnx")


@dataclass(frozen=True)
class Suite:
    """A set of cases that are run together.

    Attributes:
        name: its name on the command line.
        cases: the cases, ordered by signature and without repetition.
        compiled: whether compiling modes are tested in all dtypes and on probed cases, or on
            everyday float32 cases only.
        operations: the operations that it is restricted to; empty for all.
        whole: whether every case is run in every mode, which timing needs.
    """

    name: str
    cases: Sequence[Case]
    compiled: bool = False
    operations: tuple[str, ...] = ()
    whole: bool = False

    def is_compiled(self, case: Case, slow: Collection[str] = ()) -> bool:
        """Return whether a case is run in a compiling mode, where each new signature costs time.

        Args:
            case: one of the suite.
            slow: the dtypes of a mode that takes seconds for each; empty for a quicker mode.
        """
        # To limit that cost, everyday cases without options stand for the others. Cases with
        # explicit arrays are few: they come from the user or from ONNX.
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
        seed: number of the draw; other seeds give other inputs of the same cases.
        count: how many cases `fuzz` draws.

    Returns:
        The suite, its cases ordered by signature. That of `domain` is empty: its cases follow
        from the results of earlier ones.

    Raises:
        OnnxError: the suite is `onnx`, and the package onnx is not installed or too old.
        KeyError: there is no such suite.

    >>> len(suite("worked").cases)
    25
    """
    if name == "onnx":
        return ordered(name, onnx_cases(), compiled=True)
    if name == "worked":
        return ordered(name, worked())
    if name == "domain":
        return Suite(
            name, ()
        )  # its questions follow from the answers: see `harness.engine.validity`
    if name == "fuzz":
        return ordered(name, _fuzz(seed, count))
    cases = listed(name)
    for operation in COVERED:
        rows = stored_rows(name, operation.name, factors_of(operation, name))
        cases += [replace(case_of(operation, row), seed=seed) for row in rows]
    return ordered(name, cases)


def selected(whole: Suite, operations: Sequence[str] = (), extra: Sequence[Case] = ()) -> Suite:
    """Return a suite that is restricted to some operations and extended by further cases.

    Args:
        whole: the suite to start from.
        operations: names of operations; empty for all.
        extra: further cases, which are kept whatever their operations are.
    """
    chosen = whole
    if operations:
        cases = Cases(case for case in whole.cases if case.operation in operations)
        chosen = replace(whole, cases=cases, operations=tuple(operations))
    if not extra:
        return chosen
    return replace(chosen, cases=ordered(whole.name, [*chosen.cases, *extra]).cases)


def ordered(name: str, cases: Iterable[Case], *, compiled: bool | None = None) -> Suite:
    """Return a suite of cases, ordered by signature and without repetition.

    Args:
        name: its name.
        cases: the cases, in any order.
        compiled: see `Suite`; by default it is true of `full` only.
    """
    # An external merge sort: only one part is in memory as objects at a time. Equal cases are
    # neighbours afterwards, and all but one of them are dropped.
    parts = [Cases(sorted(part, key=_place)) for part in in_parts(cases, _PART)]
    joined = groupby(heapq.merge(*parts, key=_place))
    unique = Cases(case for case, _ in joined)
    return Suite(name, unique, name == "full" if compiled is None else compiled)


def _place(case: Case) -> tuple[Any, ...]:
    """Return the key by which the cases of a suite are sorted.

    Cases of one signature follow each other, and so do signatures of one dtype and shape, which
    share what a framework compiles for single operators.
    """
    return case.dtype, case.sizes, str(case.signature), case.id


def case_of(operation: Operation, given: dict[str, Any]) -> Case:
    """Return the case that a row of a covering array describes.

    Args:
        operation: the operation.
        given: `family`, `shape`, `dtype`, the options, and for losses `target`.
    """
    kind, _, family = given.get("target", "").partition(".")
    axes = [int(n) for n in given["shape"].split("x")]
    hidden = axes.pop(1) if operation.is_linear else 0
    return Case(
        operation.name,
        given["family"],
        tuple(axes),
        given["dtype"],
        kind or None,
        family,
        operation.chosen({name: given[name] for name in operation.options if name in given}),
        hidden=hidden,
    )


def _fuzz(seed: int, count: int) -> Iterator[Case]:
    """Yield cases drawn from the factors of `full`, each level as likely as any other."""
    # Rows that violate a constraint are drawn anew. The seed of a case is unique, so that equal
    # rows still have different inputs.
    stream = Stream(f"fuzz/{seed}")
    operations = COVERED
    factors = {operation.name: factors_of(operation, "full") for operation in operations}
    drawn = 0
    while drawn < count:
        operation = operations[int(stream.integers(len(operations), 1)[0])]
        row = {
            name: levels[int(stream.integers(len(levels), 1)[0])]
            for name, levels in factors[operation.name].items()
        }
        if may_meet(row):
            yield replace(case_of(operation, row), seed=seed * count + drawn)
            drawn += 1
