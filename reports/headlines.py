"""Say in a few sentences what is wrong, for the first screen of the page."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..cases.ledger import ledger
from .survey import TEXTBOOK, Found, Survey

HEADLINES = 5


@dataclass
class _Cause:
    """What findings with one entry of the ledger have in common."""

    reason: str
    is_new: bool
    packages: dict[str, None] = field(default_factory=dict)
    natives: int = 0
    count: int = 0

    @property
    def order(self) -> tuple[bool, bool, int, int]:
        """New ones first, then those of functions that frameworks ship, then the most spread."""
        return not self.is_new, not self.natives, -len(self.packages), -self.count


def headline_causes(survey: Survey, limit: int = HEADLINES) -> list[str]:
    """Return the causes of findings as sentences, the gravest first; textbook formulas left out.

    Args:
        survey: the surveyed runs.
        limit: the largest number of sentences.
    """
    reasons = {entry.id: entry.reason for entry in ledger()}
    causes: dict[str, _Cause] = {}
    for found in survey.findings:
        row = found.row
        if row.kind == TEXTBOOK or row.verdict == "accepted":
            continue
        key = row.ledger if row.known and row.ledger else f"{row.implementation} {row.verdict}"
        cause = causes.setdefault(key, _Cause(_reason(found, reasons), not row.is_settled))
        cause.packages[row.implementation.partition(".")[0]] = None
        cause.natives += row.kind != "recipe"
        cause.count += 1
    ordered = sorted(causes.values(), key=lambda cause: cause.order)
    return [f"{cause.reason} ({', '.join(sorted(cause.packages))})" for cause in ordered[:limit]]


def _reason(found: Found, reasons: dict[str, str]) -> str:
    row = found.row
    if row.ledger in reasons:
        return reasons[row.ledger]
    like = f", which looks like {row.looks_like}" if row.looks_like else ""
    return f"{row.implementation} is {row.verdict} on {found.place.column}{like}"
