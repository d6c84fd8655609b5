"""The rows of a run file that reports show: what was answered, by whom, and how well.

Rows of timings stand in `harness.runfile.timing_rows`, those that only a resumed run needs in
`harness.runfile.resume_rows`. To add a kind, write its dataclass and name it in
`harness.runfile.schema`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class VerdictRow:
    """One judged quantity.

    Attributes:
        case: id of the case.
        operation, target_kind, family, shape, dtype: of the case, for selection.
        options: the options that differ from their default.
        implementation, framework, kind, mode, device: who answered, and how.
        quantity: `value`, `gradient_logits` or `gradient_target`.
        verdict: a word of `harness.verdicts`, or `convention:NAME`.
        known: whether the ledger names this finding.
        ledger: the id of the entry that names it.
        ulp: largest error in ulp of the result's dtype; None where it has no meaning.
        ratio: largest error over the sound bound.
        abs_error: largest absolute error.
        where: index of the worst element.
        exact: what was right there, 17 digits.
        got: what came back there.
        note: the explanation, or the error that was raised.
        fingerprint: digest of the bits of the whole answer.
        seconds: time of the call that gave it, first call included.
    """

    case: str
    operation: str
    target_kind: str | None
    family: str
    shape: str
    dtype: str
    options: dict[str, Any]
    implementation: str
    framework: str
    kind: str
    mode: str
    device: str
    quantity: str
    verdict: str
    known: bool = False
    ledger: str = ""
    ulp: float | None = None
    ratio: float | None = None
    abs_error: float | None = None
    where: str = ""
    exact: str = ""
    got: str = ""
    note: str = ""
    fingerprint: str = ""
    seconds: float | None = None

    table: ClassVar[str] = "verdicts"


@dataclass(frozen=True)
class WorkedRow:
    """Whether an implementation gives the digits that a tutorial prints."""

    example: str
    source: str
    operation: str
    implementation: str
    framework: str
    kind: str
    mode: str
    dtype: str
    printed: list[Any] | float
    got: list[Any] | float | str
    agrees: bool
    note: str = ""

    table: ClassVar[str] = "worked"


@dataclass(frozen=True)
class RelationRow:
    """Whether two routes to the same quantity agree within the sum of their bounds."""

    relation: str
    left: str
    right: str
    framework: str
    mode: str
    dtype: str
    cases: int
    largest_difference: float
    largest_ratio: float
    agrees: bool
    note: str = ""
    device: str = "cpu"

    table: ClassVar[str] = "relations"
    key: ClassVar[tuple[str, ...]] = (
        "relation", "left", "right", "framework", "mode", "dtype", "device",
    )  # fmt: skip


@dataclass(frozen=True)
class DomainRow:
    """From which magnitude on an implementation is no longer right; see `harness.engine.validity`.

    Attributes:
        sweep: what grows, a name of `cases.sweeps.SWEEPS`.
        leaves_bound_at: the smallest magnitude at which an answer is beyond the sound bound.
        left_by: its verdict.
        breaks_at: the smallest magnitude at which an answer is a finding; None if there is none.
        broken_by, quantity, case: the verdict, whose it is, and of which case.
        asked_to: the largest magnitude that was asked.
    """

    implementation: str
    framework: str
    kind: str
    operation: str
    mode: str
    device: str
    dtype: str
    sweep: str
    leaves_bound_at: float | None
    left_by: str
    breaks_at: float | None
    broken_by: str
    quantity: str
    case: str
    asked_to: float

    table: ClassVar[str] = "domains"


@dataclass(frozen=True)
class WorkerRow:
    """The environment of one worker, or why there was none."""

    framework: str
    device: str
    environment: dict[str, Any]
    absent: str = ""

    table: ClassVar[str] = "workers"
