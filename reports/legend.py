"""Define how verdicts are shown: the class, the sign and one sentence for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..harness.verdicts import VERDICTS

VerdictClass = Literal["agree", "explained", "finding", "neutral"]

# Agreement has a sign, an explained difference a small letter, and a finding a capital, so that the
# class is visible without colour.
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
    "unwanted": "C",
    "mismatched": "M",
    "raised": "R",
    "accepted": "A",
    "relation": "L",
    "inaccurate": "I",
    "nonfinite": "N",
    "timed out": "T",
    "mutates": "W",
    "spoils": "S",
    "crashed": "X",
}
# The categories of `verdicts.VERDICTS`, by the names that templates and style sheets use.
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
        symbol: its sign in a cell of the matrix.
        severity: its rank; a cell shows its verdict of the highest severity.
        sentence: its meaning.
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
    """Return how a verdict is shown; an unknown verdict is shown as a finding.

    >>> mark_of("convention:zero_all_ignored").symbol
    'c'
    """
    word = verdict.partition(":")[0]
    return MARKS.get(word) or Mark(
        word, "finding", "?", len(MARKS), "a verdict that this report does not know"
    )
