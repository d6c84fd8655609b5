"""Define views: a few columns of a table, in an order of their own.

A run has up to millions of rows, and to read a column costs time. What needs only some of them
reads a view: `RunFile.rows` gives its rows in the order of `order`, and `RunFile.counts` how many
rows of the table are equal in these columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from .numbers import Ordinal, Positive, Size
from .rows import VerdictRow
from .timing_rows import PassRow


@dataclass(frozen=True)
class VerdictView:
    """What a comparison of two runs needs of a verdict; verdicts on one answer are adjacent.

    Attributes:
        case, implementation, framework, mode, device, quantity: the answer.
        verdict, ledger, ulp, fingerprint: as in `VerdictRow`.
        known: the same as a number, since SQLite has no truth values.
        rowid: the place of the verdict in the run, from 1.
    """

    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    quantity: str
    verdict: str
    known: Literal[0, 1]
    ledger: str
    ulp: Size | None
    fingerprint: str
    rowid: int

    by_the_million: ClassVar[bool] = True  # see `decoding`
    table: ClassVar[str] = VerdictRow.table
    order: ClassVar[tuple[str, ...]] = (
        "case",
        "implementation",
        "framework",
        "mode",
        "device",
        "quantity",
        "rowid",
    )


@dataclass(frozen=True)
class AccuracyView:
    """What a comparison of functions with each other needs of a verdict; as in `VerdictRow`."""

    case: str
    target_kind: str | None
    dtype: str
    implementation: str
    framework: str
    kind: str
    mode: str
    device: str
    quantity: str
    verdict: str
    ulp: Size | None
    ratio: Size | None
    exact: str
    got: str
    fingerprint: str

    by_the_million: ClassVar[bool] = True  # see `decoding`
    table: ClassVar[str] = VerdictRow.table


@dataclass(frozen=True)
class PassView:
    """What a comparison of two runs needs of one benchmark in one pass; fields as in `PassRow`."""

    process: Ordinal
    case: str
    implementation: str
    framework: str
    mode: str
    device: str
    direction: str
    threads: str
    cache: str
    times: Annotated[list[Positive], Meta(min_length=1)]
    fingerprints: dict[str, str]

    table: ClassVar[str] = PassRow.table
    order: ClassVar[tuple[str, ...]] = ("rowid",)


@dataclass(frozen=True)
class WordView:
    """A verdict, whether the ledger names it, and which function of the framework shares it."""

    verdict: str
    known: bool
    shared: str = ""

    table: ClassVar[str] = VerdictRow.table


@dataclass(frozen=True)
class WayView:
    """In what way an operation was asked."""

    framework: str
    mode: str
    device: str
    operation: str
    dtype: str

    table: ClassVar[str] = VerdictRow.table


@dataclass(frozen=True)
class NamesView:
    """The names by which verdicts are selected; those of cases are too many."""

    implementation: str
    operation: str
    dtype: str
    family: str

    table: ClassVar[str] = VerdictRow.table


@dataclass(frozen=True)
class CaseView:
    """The id of a case that has verdicts."""

    case: str

    table: ClassVar[str] = VerdictRow.table


View = VerdictView | AccuracyView | PassView | WordView | WayView | NamesView | CaseView
VIEWS: tuple[type[View], ...] = (
    VerdictView,
    AccuracyView,
    PassView,
    WordView,
    WayView,
    NamesView,
    CaseView,
)
