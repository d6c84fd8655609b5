"""Hold the verdicts on a function, and show them: as text, in a terminal, and in a notebook."""

from __future__ import annotations

import textwrap
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..backends.claim import Claim
from ..errors import ConventionWarning
from ..harness.judging import MEANINGS, choices_of
from ..harness.runfile import VerdictRow
from ..harness.verdicts import is_finding
from ..printing import printable
from ..reports.cause_lines import lines_of
from ..reports.causes import causes
from .shown import frame_of, html_of, rendered

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 72  # columns: pytest shows an error eight columns further to the right


@dataclass(frozen=True)
class Result:
    """The verdicts on one function.

    Attributes:
        verdicts: one row for each judged quantity of each answer, in the order of the questions.
        claim: what the function was taken for: its operation, targets, options and limits.
        remarks: sentences about what was found out of it.
        strict: whether a finding that the framework's own function shares counts.
        stale: the ids of the expected findings about this function that were not found.
        declared: pairs of what was said of the function.
        called: the function's own name, for the line that repeats a finding.
        conventions: the conventions that the function may follow; None for all.
    """

    verdicts: tuple[VerdictRow, ...]
    claim: Claim
    remarks: tuple[str, ...] = ()
    strict: bool = False
    stale: tuple[str, ...] = ()
    declared: tuple[tuple[str, Any], ...] = ()
    called: str = "f"
    conventions: frozenset[str] | None = None

    @property
    def findings(self) -> tuple[VerdictRow, ...]:
        """The findings that count: neither expected nor, unless strict, shared."""
        return tuple(
            row
            for row in self.verdicts
            if is_finding(row.verdict) and not row.known and (self.strict or not row.shared)
        )

    @property
    def shared(self) -> tuple[VerdictRow, ...]:
        """The findings that the framework's own function shows alike."""
        return tuple(
            row for row in self.verdicts if is_finding(row.verdict) and row.shared and not row.known
        )

    @property
    def known(self) -> tuple[VerdictRow, ...]:
        """The findings that the ledger, or the project's own file, names."""
        return tuple(row for row in self.verdicts if row.known)

    @property
    def follows(self) -> dict[str, int]:
        """The conventions that it follows where the framework's own function does not.

        By the name of each the number of answers.
        """
        rows = (row for row in self.verdicts if not row.shared)
        return dict(Counter(name for row in rows for name in choices_of(row.verdict)))

    @property
    def questions(self) -> int:
        """The number of cases that were asked."""
        return len({row.case for row in self.verdicts if row.verdict != "unsupported"})

    @property
    def ok(self) -> bool:
        """Whether something was asked, nothing that counts was found, and nothing is missing."""
        return bool(self.questions) and not self.findings and not self.stale

    def to_pandas(self) -> Any:
        """Return the verdicts as a `pandas.DataFrame`, a row for each.

        Raises:
            FrameworkAbsentError: pandas is not installed.
        """
        return frame_of(self.verdicts)

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        return Group(*(Text(printable(line)) for line in self._lines()))

    def __str__(self) -> str:
        return rendered(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def _lines(self) -> Iterator[str]:
        """Yield the result line by line: the causes, worst first, and what is missing."""
        rows = [replace(row, shared="") for row in self.verdicts] if self.strict else self.verdicts
        found = causes(rows, {self.claim.name: self.claim.options})
        yield from lines_of(found, "", WIDTH)
        for remark in self.remarks:
            yield from textwrap.wrap(
                remark, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
            )
        worst = next((cause for cause in found if cause.kind == "finding"), None)
        if worst is not None:
            yield "again, in Python:"
            yield from again(
                worst.plainest.case, self.claim.framework, self.declared, self.called,
                self.conventions,
            )  # fmt: skip
        for name in self.stale:
            yield f"expected, and not found: {name}"
        if not self.questions:
            yield "nothing was asked: no question is within the claim"


def warn_of(result: Result) -> None:
    """Issue a warning for each convention that a function follows and its framework does not.

    The warning belongs to the line that calls what calls this. Where the conventions that the
    function may follow are given, the others are findings, and nothing is left to be said.
    """
    if result.conventions is not None:
        return
    for name in sorted(result.follows):
        of_value = any(
            row.quantity == "value" and not row.shared and name in choices_of(row.verdict)
            for row in result.verdicts
        )
        text = (
            f"{result.claim.name} ({result.claim.operation}) follows the convention {name}"
            f"{'' if of_value else ' (gradient only)'}: "
            f"{MEANINGS[name]}; conventions={{{name!r}}} takes it, conventions=() none"
        )
        warnings.warn(text, ConventionWarning, stacklevel=3)


def again(
    case: str,
    framework: str,
    declared: tuple[tuple[str, Any], ...],
    called: str,
    conventions: frozenset[str] | None = None,
) -> list[str]:
    """Return the lines that put a question again.

    >>> again("softmax/float32/1x3/zeros/-/0", "mine", (), "loss")
    ["lossdiff.Question('softmax/float32/1x3/zeros/-/0', 'mine').check(loss)"]
    """
    others = [repr(framework), *([repr(declared)] if declared else [])]
    if conventions is not None:
        others.append(f"conventions={tuple(sorted(conventions))}")
    line = f"lossdiff.Question({', '.join([repr(case), *others])}).check({called})"
    if len(line) <= WIDTH:
        return [line]
    # An id that is longer than a line is written as texts that follow each other.
    size = WIDTH - 10
    pieces = [repr(case[at : at + size]) for at in range(0, len(case), size)]
    pieces[-1] += ","
    rest = [f"{part}," for part in others]
    return [
        "lossdiff.Question(",
        *(f"    {part}" for part in (*pieces, *rest)),
        f").check({called})",
    ]
