"""Define the rows of a run file that reports show: answers, their verdicts, and environments.

Rows of timings are in `harness.runfile.timing_rows`, and those that only a resumed run needs in
`harness.runfile.resume_rows`. To add a kind, write its dataclass here and list it in
`harness.runfile.schema`. Each field is a column; its annotation decides how it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .numbers import Count, Finite, Size


@dataclass(frozen=True)
class VerdictRow:
    """The verdict on one quantity of one answer.

    Attributes:
        case: id of the case.
        operation, target_kind, family, shape, dtype: properties of the case, for selection.
        options: the options that differ from their default.
        implementation, framework, kind, mode, device: what answered, and how it was run.
        quantity: `value`, `gradient_logits`, `gradient_target` or `hvp_logits`.
        verdict: a word of `harness.verdicts`, or `convention:NAME`.
        known: whether an entry of the ledger describes this finding.
        ledger: the id of that entry; empty if there is none.
        ulp: largest error in ulp of the result's dtype; None where it has no meaning.
        ratio: largest ratio of an error to its sound bound.
        abs_error: largest absolute error.
        where: index of the worst element.
        exact: the expected value of that element, to 17 digits.
        got: its actual value.
        note: the explanation, or the error that was raised.
        fingerprint: digest of the bits of the whole answer.
        seconds: time of the call, compilation included.
        shared: the name of the framework's own function that shows the same finding on the same
            question; empty if there is none.
        looks_like: the usual mistakes that give this answer, joined by ` or `; empty for none.
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
    ulp: Size | None = None
    ratio: Size | None = None
    abs_error: Size | None = None
    where: str = ""
    exact: str = ""
    got: str = ""
    note: str = ""
    fingerprint: str = ""
    seconds: Finite | None = None
    shared: str = ""
    looks_like: str = ""

    table: ClassVar[str] = "verdicts"

    @property
    def is_settled(self) -> bool:
        """Whether it is no reason to fail even if it is a finding: known, or shared."""
        return self.known or bool(self.shared)


@dataclass(frozen=True)
class WorkedRow:
    """The comparison of an answer with the digits that a tutorial prints.

    Attributes:
        example: name of the worked example.
        source: the tutorial.
        operation: the operation that it shows.
        implementation, framework, kind, mode, dtype: what answered, and how it was run.
        printed: the digits of the tutorial.
        got: the answer, or the error.
        agrees: whether they are equal in all printed digits.
        note: a remark on the example.
    """

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
    """The comparison of two routes to the same quantity, over all cases of one dtype.

    Attributes:
        relation: name of the relation or equivalence.
        left, right: the implementations that are compared.
        framework, mode, dtype, device: how they were run.
        cases: how many cases were compared.
        largest_difference: the largest absolute difference.
        largest_ratio: the largest ratio of a difference to the sum of both bounds.
        agrees: whether that ratio is at most 1.
        note: what differed most.
    """

    relation: str
    left: str
    right: str
    framework: str
    mode: str
    dtype: str
    cases: Count
    largest_difference: Size
    largest_ratio: Size
    agrees: bool
    note: str = ""
    device: str = "cpu"

    table: ClassVar[str] = "relations"
    key: ClassVar[tuple[str, ...]] = (
        "relation",
        "left",
        "right",
        "framework",
        "mode",
        "dtype",
        "device",
    )


@dataclass(frozen=True)
class DomainRow:
    """The magnitudes up to which an implementation is right; see `harness.engine.validity`.

    Attributes:
        implementation, framework, kind, operation, mode, device, dtype: what was searched.
        sweep: what grows with the magnitude, a name of `cases.sweeps.SWEEPS`.
        leaves_bound_at: the smallest magnitude at which an answer is beyond the sound bound; None
            if there is none.
        left_by: the verdict there.
        breaks_at: the smallest magnitude at which an answer is a finding; None if there is none.
        broken_by, quantity, case: the verdict there, its quantity, and its case.
        asked_to: the largest magnitude that was evaluated.
    """

    implementation: str
    framework: str
    kind: str
    operation: str
    mode: str
    device: str
    dtype: str
    sweep: str
    leaves_bound_at: Finite | None
    left_by: str
    breaks_at: Finite | None
    broken_by: str
    quantity: str
    case: str
    asked_to: Finite

    table: ClassVar[str] = "domains"


@dataclass(frozen=True)
class ExampleRow:
    """The smallest input that was found to show a cause of findings; see `harness.repro`.

    Attributes:
        cause: the id of the cause; see `harness.causes`.
        found: the id of the case in which it was found.
        case: the id of the shrunk case.
        implementation, framework, kind, mode, device: what was asked, and how it was run.
        quantity, verdict: the finding, which the shrunk case shows, too.
        inputs: the arrays of the shrunk case as text, by their names.
        right: the right answer as text.
    """

    cause: str
    found: str
    case: str
    implementation: str
    framework: str
    kind: str
    mode: str
    device: str
    quantity: str
    verdict: str
    inputs: dict[str, str]
    right: str

    table: ClassVar[str] = "examples"
    key: ClassVar[tuple[str, ...]] = ("cause",)


@dataclass(frozen=True)
class ExampleAnswerRow:
    """What one function gives on the input of an `ExampleRow`.

    Attributes:
        cause: the id of the cause.
        library: the name of the library as its users write it.
        implementation, framework, kind, mode, device: what was asked, and how it was run.
        verdict: the verdict on the quantity of the example.
        given: the answer as text, or the error.
    """

    cause: str
    library: str
    implementation: str
    framework: str
    kind: str
    mode: str
    device: str
    verdict: str
    given: str

    table: ClassVar[str] = "example_answers"
    key: ClassVar[tuple[str, ...]] = ("cause", "framework", "implementation", "mode", "device")


@dataclass(frozen=True)
class WorkerRow:
    """The environment of one worker.

    Attributes:
        framework, device: what the worker ran.
        environment: versions, machine and flags.
        absent: why the framework could not be started; empty if it was.
    """

    framework: str
    device: str
    environment: dict[str, Any]
    absent: str = ""

    table: ClassVar[str] = "workers"
