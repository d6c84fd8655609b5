"""Hold the verdicts on a function, and show them: as text, in a terminal, and in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ..backends.claim import Claim
from ..harness.runfile import VerdictRow
from ..harness.verdicts import is_finding, kind_of
from ..printing import printable
from .shown import frame_of, html_of, rendered


@dataclass(frozen=True)
class Result:
    """The verdicts on one function.

    Attributes:
        verdicts: one row for each judged quantity of each answer, in the order of the questions.
        claim: what the function was taken for: its operation, targets, options and limits.
        remarks: sentences about what was found out of it.
        strict: whether a finding that the framework's own function shares counts.
        stale: the ids of the expected findings about this function that were not found.
    """

    verdicts: tuple[VerdictRow, ...]
    claim: Claim
    remarks: tuple[str, ...] = ()
    strict: bool = False
    stale: tuple[str, ...] = ()

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
        return tuple(row for row in self.verdicts if row.shared and not row.known)

    @property
    def known(self) -> tuple[VerdictRow, ...]:
        """The findings that the ledger, or the project's own file, names."""
        return tuple(row for row in self.verdicts if row.known)

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
        return Group(*(Text(line) for line in self._lines()))

    def __str__(self) -> str:
        return rendered(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def _lines(self) -> list[str]:
        """Return the result line by line: what was asked, the causes, and what is missing."""
        lines = [self._head(), *(f"  {remark}" for remark in self.remarks)]
        lines += _lines_of(self.findings)
        if self.shared and not self.strict:
            names = ", ".join(sorted({row.shared for row in self.shared}))
            lines.append(f"shared with {names}: {len(self.shared)} findings, which do not count")
        if self.known:
            lines.append(f"known: {len(self.known)} findings, which do not count")
        lines += [f"expected, and not found: {name}" for name in self.stale]
        if not self.questions:
            lines.append("nothing was asked: no question is within the claim")
        return [printable(line) for line in lines]

    def _head(self) -> str:
        claim = self.claim
        number = len(self.findings)
        found = f"{number} finding{'' if number == 1 else 's'}" if number else "no findings"
        return (
            f"{claim.name} as {claim.operation} ({claim.framework}): "
            f"{self.questions} questions, {found}"
        )


def _lines_of(findings: tuple[VerdictRow, ...]) -> Iterator[str]:
    """Yield the findings by verdict and quantity, the worst kind first, with the plainest case."""
    kinds: dict[tuple[str, str], list[VerdictRow]] = {}
    for row in findings:
        kinds.setdefault((row.verdict, row.quantity), []).append(row)
    for (verdict, quantity), rows in sorted(
        kinds.items(), key=lambda item: -kind_of(item[0][0]).rank
    ):
        row = min(rows, key=lambda row: (len(row.options), len(row.case)))
        times = "once" if len(rows) == 1 else f"{len(rows)} times"
        yield f"{verdict} in {quantity}, {times}"
        if row.exact:
            yield f"    right {row.exact}, given {row.got}"
        if row.note:
            yield f"    {row.note}"
        if row.looks_like:
            yield f"    looks like: {row.looks_like}"
        yield f"    {row.case}"
