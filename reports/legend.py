"""The verdicts as a reader meets them: class, sign and one sentence each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..harness.verdicts import VERDICTS

VerdictClass = Literal["agree", "explained", "finding", "neutral"]

# A sign where it agrees, a small letter where it is explained, a capital where it is a
# finding: colour never stands alone.
_SIGNS = {
    "unsupported": "–",
    "exact": "=",
    "faithful": "≈",
    "refused": "⊘",
    "within bound": "✓",
    "convention": "c",
    "flushed": "z",
    "order": "o",
    "narrow": "n",
    "formula": "f",
    "nondeterministic": "d",
    "mismatched": "M",
    "raised": "R",
    "accepted": "A",
    "relation": "L",
    "inaccurate": "I",
    "nonfinite": "N",
    "timed out": "T",
    "crashed": "X",
}
_CLASS: dict[str, VerdictClass] = {
    "agrees": "agree",
    "explained": "explained",
    "finding": "finding",
    "unsupported": "neutral",
}
CLASSES: dict[VerdictClass, str] = {
    "agree": "with the exact answer",
    "explained": "differs, and the run shows why",
    "finding": "is wrong",
    "neutral": "says nothing",
}


@dataclass(frozen=True)
class Mark:
    """How one verdict is shown.

    Attributes:
        word: the verdict, without the name of its convention or relation.
        group: its class.
        symbol: what stands in a cell.
        severity: the worst verdict of a cell is the one with the largest.
        sentence: what it means.
    """

    word: str
    group: VerdictClass
    symbol: str
    severity: int
    sentence: str


MARKS: dict[str, Mark] = {
    word: Mark(word, _CLASS[kind.category], _SIGNS[word], kind.rank, kind.meaning)
    for word, kind in VERDICTS.items()
}


def mark_of(verdict: str) -> Mark:
    """Return how a verdict is shown; a word that is not known counts as a finding."""
    word = verdict.partition(":")[0]
    return MARKS.get(word) or Mark(
        word, "finding", "?", len(MARKS), "a verdict that this report does not know"
    )
