"""Say who has to worry about what is wrong: on which kinds of input the wrong answers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..harness.causes import Concern, concern_of
from .cards import Card
from .numbers import count
from .survey import TEXTBOOK, Found

_SAID: dict[Concern, str] = {
    "invalid": "{} are numbers for invalid input, where an error is due",
    "narrow": "{} are in 16 bits",
    "extreme": "{} are on infinite, huge, tiny or otherwise extreme numbers",
}


@dataclass(frozen=True)
class Worry:
    """The wrong answers by the input that they are on.

    Attributes:
        total: their number, textbook formulas aside.
        rare: those on unusual input, in words.
        everyday: the number of those on everyday numbers in float32 or float64.
        cards: the causes of the latter, the most frequent first.
    """

    total: int
    rare: str
    everyday: int
    cards: tuple[Card, ...]


def worry(findings: Iterable[Found], cards: Sequence[Card]) -> Worry:
    """Return the wrong answers by the input that they are on.

    Args:
        findings: the findings of some runs.
        cards: their causes in functions of frameworks.
    """
    counts = Counter(concern_of(it.row) for it in findings if it.row.kind != TEXTBOOK)
    parts = [said.format(count(counts[it])) for it, said in _SAID.items() if counts[it]]
    rare = " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
    touched = sorted((card for card in cards if card.everyday), key=lambda it: -it.everyday)
    return Worry(counts.total(), rare, counts["everyday"], tuple(touched))
