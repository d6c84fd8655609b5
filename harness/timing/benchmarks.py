"""Define the benchmarks: what each one computes, and the bytes that it has to move."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from ...backends import FRAMEWORKS
from ...backends.base import result_shape
from ...backends.claim import Claim
from ...cases.dtypes import FORMATS
from ...cases.everyday import EVERYDAY_TARGETS, EVERYDAY_VALUES
from ...cases.model import Case, shape_text
from ...cases.operations import OPERATIONS, Operation
from ...cases.suites import Suite
from ...errors import BenchError
from ..formula import MOST_NUMBERS, can_be_judged
from ..runfile import RunFile, VerdictRow
from ..workers import GIB, share_of_memory

Shape = tuple[int, ...]
Threads = Literal["one", "all"]
Cache = Literal["hot", "cold"]
DIRECTIONS = ("forward", "forward+backward")
THREADS: tuple[Threads, ...] = ("one", "all")
BENCH_SUITES = ("quick", "full")

# (64, 10) shows the overhead of a call, (50000, 10) is the size of a tutorial's data set, and
# (256, 50257) that of a language model's logits.
_SIZES: dict[str, tuple[tuple[int, ...], ...]] = {
    "softmax": ((64, 10), (50000, 10)),
    "log_softmax": ((64, 10), (50000, 10)),
    "cross_entropy": ((64, 10), (50000, 10)),
    "binary_cross_entropy_with_logits": ((64, 10), (50000, 10)),
}
_MORE_SIZES: dict[str, tuple[tuple[int, ...], ...]] = {
    "softmax": ((256, 50257),),
    "cross_entropy": ((256, 50257),),
}
# Rows, size of the hidden states, classes: timed where it is asked for by name, and in `full`.
_LINEAR = "linear_cross_entropy"
_LINEAR_SIZES, _MORE_LINEAR_SIZES = ((64, 64, 1000),), ((512, 512, 4096),)
_MOST_LOGITS = 2**22  # of a linear loss, all of which its right gradients need
_JUDGED = 700  # bytes for each of them
_DEFINED_SIZES = ((64, 10), (50000, 10))
_TARGETS = {"cross_entropy": "index", "binary_cross_entropy_with_logits": "multi_label"}
_UNTIMED = ("unsupported", "raised", "crashed", "timed out", "mismatched")
_LABEL = 8  # bytes of an int64 label
# Bytes of an element while inputs are drawn, and the arrays of a call in the dtype of the logits:
# the inputs twice, the cotangent, the result, the gradient, and some temporaries.
_DRAWN, _ARRAYS = 16, 8
# Fewer bytes are read in less time than the overhead of a call takes, and thousands of copies would
# be needed to be cold.
_LEAST_COLD = 2**18


@dataclass(frozen=True)
class Benchmark:
    """One timed call.

    Attributes:
        framework, implementation: what is called.
        mode: how it is run.
        device: `cpu` or `gpu`.
        direction: an element of `DIRECTIONS`.
        case: id of the case.
        threads: with one thread or with all.
        cache: whether the inputs are in the cache, `hot`, or not, `cold`.
    """

    framework: str
    implementation: str
    mode: str
    device: str
    direction: str
    case: str
    threads: Threads = "all"
    cache: Cache = "hot"

    @property
    def id(self) -> str:
        """The name of the benchmark in pytest-benchmark's JSON."""
        case = Case.parse(self.case)
        shape = shape_text(case.sizes)
        name = f"{self.implementation}-{self.mode}-{self.device}-{case.dtype}-{shape}"
        return f"{name}-{self.direction}-{self.threads}-{self.cache}"


@dataclass(frozen=True)
class Work:
    """The work of a benchmark, which is the same for all implementations.

    Attributes:
        computes: the results, in words.
        read: bytes of its inputs.
        moved: least number of bytes to be moved: inputs read once, results written once.
    """

    computes: str
    read: int
    moved: int


def work_of(case: Case, direction: str) -> Work:
    """Return what a benchmark computes, and the least number of bytes that it has to move.

    Args:
        case: the inputs and options.
        direction: an element of `DIRECTIONS`.

    >>> work_of(Case.parse("softmax/float32/4x10/normal/-/0"), "forward")
    Work(computes='value', read=160, moved=320)
    """
    item = FORMATS[case.dtype].dtype.itemsize
    if case.contract.is_linear:
        rows, hidden, classes = case.sizes
        factors, labels = (rows + classes) * hidden * item, rows * _LABEL
        result = math.prod(result_shape(case)) * item
        if direction == "forward":
            return Work("value", factors + labels, factors + labels + result)
        read = factors + labels + result
        computes = "value and gradients by hidden states and linear weights"
        return Work(computes, read, read + result + factors)
    values = math.prod(case.shape) * item
    result = math.prod(result_shape(case)) * item
    target = 0
    if case.target_kind == "index":
        target = values // item // case.shape[case.class_axis] * _LABEL
    elif case.target_kind:
        target = values
    if direction == "forward":
        return Work("value", values + target, values + target + result)
    # The cotangent is read too, and one gradient is written, that with respect to the logits.
    read = values + target + result
    return Work("value and gradient by logits", read, read + result + values)


def timed_gradients(case: Case) -> dict[str, str]:
    """Return the arguments by which results are differentiated, each with its quantity.

    They are the same for all implementations.
    """
    if case.contract.is_linear:
        return {"values": "gradient_hidden", "linear_weight": "gradient_linear_weight"}
    return {"values": "gradient_logits"}


def bench_suite(
    operations: Sequence[str] = (),
    dtype: str = "float32",
    name: str = "quick",
    shapes: Sequence[Shape] = (),
) -> Suite:
    """Return the cases that are timed: everyday logits of several sizes.

    Args:
        operations: names of operations; all that are timed, if empty.
        dtype: of the logits.
        name: an element of `BENCH_SUITES`; `full` adds the largest sizes.
        shapes: the shapes of the logits, instead of those of the suite; of a linear loss, which
            is timed where it is named or in `full`, the sizes N, H and C.

    Raises:
        BenchError: an operation is not timed, the arrays of a shape would not fit into the memory,
            or a linear loss is named and a shape has not three sizes.
    """
    defined_ones = [it for it in OPERATIONS.values() if it.is_defined]
    timed = (*_SIZES, _LINEAR, *(it.name for it in defined_ones))
    if others := [name for name in operations if name not in timed]:
        raise BenchError(f"bench times {', '.join(timed)}, and not {', '.join(others)}")
    if not operations or set(operations) != {_LINEAR}:
        for shape in shapes:
            _check_memory(shape, dtype)
    cases = []
    for operation, usual in _SIZES.items():
        if operations and operation not in operations:
            continue
        kind: Any = _TARGETS.get(operation)
        family = {"index": "random", "multi_label": "binary"}.get(kind, "")
        more = _MORE_SIZES.get(operation, ()) if name == "full" else ()
        cases += [
            Case(operation, "normal", shape, dtype, kind, family)
            for shape in dict.fromkeys(shapes or (*usual, *more))
        ]
    cases += _of_linear_losses(operations, dtype, name, shapes)
    for defined in defined_ones:
        if not operations or defined.name in operations:
            cases += _of_defined(defined, dtype, shapes)
    return Suite("bench", tuple(cases), compiled=True, whole=True)


def _of_linear_losses(
    operations: Sequence[str], dtype: str, name: str, shapes: Sequence[Shape]
) -> Iterator[Case]:
    """Yield the cases of linear losses; the arguments are those of `bench_suite`."""
    if _LINEAR not in operations and (operations or shapes or name != "full"):
        return
    more = _MORE_LINEAR_SIZES if name == "full" else ()
    for shape in dict.fromkeys(shapes or (*_LINEAR_SIZES, *more)):
        text = shape_text(shape)
        if len(shape) != len(_LINEAR_SIZES[0]):
            raise BenchError(
                f"--shape {text}: {_LINEAR} takes NxHxC, rows, size of the hidden states and "
                "classes, such as 512x512x4096"
            )
        rows, hidden, classes = shape
        if rows * classes > _MOST_LOGITS:
            raise BenchError(
                f"--shape {text} has {rows * classes} logits, all of which the right gradients of "
                f"{_LINEAR} need; at most {_MOST_LOGITS} are judged"
            )
        _check_memory((rows + classes, hidden), dtype, rows * classes * _JUDGED, text)
        yield Case(_LINEAR, "normal", (rows, classes), dtype, "index", "random", hidden=hidden)


def _of_defined(operation: Operation, dtype: str, shapes: Sequence[Shape]) -> Iterator[Case]:
    """Yield the cases of an operation that a user has defined, of sizes that can be judged."""
    kind = operation.targets[0] if operation.targets else None
    family = EVERYDAY_TARGETS[kind] if kind else ""
    for shape in dict.fromkeys(shapes or _DEFINED_SIZES):
        is_matrix = len(shape) == len(_DEFINED_SIZES[0])
        if is_matrix and can_be_judged(operation.name, shape):
            yield Case(
                operation.name, EVERYDAY_VALUES[operation.domain], shape, dtype, kind, family
            )
        elif shapes:
            raise BenchError(
                f"--shape {'x'.join(map(str, shape))}: {operation.name} is judged by its formula, "
                f"which takes NxC of at most {MOST_NUMBERS} numbers over all of its steps"
            )


def _check_memory(shape: Shape, dtype: str, beside: int = 0, text: str = "") -> None:
    """Refuse a shape whose arrays would not fit into the memory.

    Args:
        shape: that of the largest arrays.
        dtype: their dtype.
        beside: bytes that are needed beside them.
        text: the shape as it was given, where that is another one.
    """
    most, size = share_of_memory(1), math.prod(shape)
    each = _DRAWN + _ARRAYS * FORMATS[dtype].dtype.itemsize
    needed = size * each + beside
    if needed > most:
        fits = "" if beside else f"; at most {most // each} elements fit"
        raise BenchError(
            f"--shape {text or shape_text(shape)} needs about {needed / GIB:.1f} GiB in {dtype}, "
            f"and there are {most / GIB:.1f} GiB{fits}"
        )


def is_timed(claim: Claim) -> bool:
    """Return whether an implementation is timed: one name of each kernel, and all of a user's."""
    patterns = FRAMEWORKS[claim.framework].benchmarked if claim.kind != "user" else ("*",)
    return any(fnmatchcase(claim.name, pattern) for pattern in patterns)


def benchmarks_of(
    run: RunFile, framework: str, threads: Threads = "all", cache_bytes: int = 0
) -> list[Benchmark]:
    """Return the benchmarks of a framework: all that gave an answer, in both directions.

    Args:
        run: the run file, with its verdicts.
        framework: the framework.
        threads: with one thread or with all.
        cache_bytes: size of the last-level cache; larger inputs are never hot. 0 if unknown.
    """
    rows = run.rows(VerdictRow, "framework = ? AND quantity = 'value'", (framework,))
    answered = {
        (row.implementation, row.mode, row.case): row.device
        for row in rows
        if row.verdict not in _UNTIMED
    }
    with_gradient = {
        (row.implementation, row.mode, row.case)
        for row in run.rows(
            VerdictRow,
            "framework = ? AND quantity IN ('gradient_logits', 'gradient_hidden')",
            (framework,),
        )
        if row.verdict not in _UNTIMED
    }
    return [
        Benchmark(framework, name, mode, device, direction, case, threads, cache)
        for (name, mode, case), device in answered.items()
        for direction in DIRECTIONS
        if direction == "forward" or (name, mode, case) in with_gradient
        for cache in caches_of(work_of(Case.parse(case), direction).read, cache_bytes)
    ]


def caches_of(read: int, cache_bytes: int) -> tuple[Cache, ...]:
    """Return the states of the cache in which inputs can be timed.

    Args:
        read: bytes of the inputs.
        cache_bytes: size of the last-level cache; 0 if unknown.

    >>> caches_of(2**21, cache_bytes=2**25)
    ('hot', 'cold')
    """
    if read < _LEAST_COLD:
        return ("hot",)
    return ("cold",) if cache_bytes and read > cache_bytes else ("hot", "cold")


def copies_of(read: int, cache_bytes: int) -> int:
    """Return how many copies of the inputs are needed, so that the cache never holds the next one.

    Args:
        read: bytes of one copy.
        cache_bytes: size of the last-level cache.

    >>> copies_of(2**21, cache_bytes=2**25)
    32
    """
    return max(2, math.ceil(2 * cache_bytes / read))
