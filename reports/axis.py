"""Place numbers on a logarithmic axis, in percent of its width.

The page draws its charts with HTML and CSS alone, so that they follow its width and its colours,
print as lines, and need no library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """A mark of an axis.

    Attributes:
        at: its place in percent.
        text: its number.
    """

    at: float
    text: str


@dataclass(frozen=True)
class LogAxis:
    """A logarithmic axis between two powers of ten.

    Attributes:
        low, high: the exponents of its ends.
        ticks: its marks from left to right.
    """

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def at(self, value: float) -> float:
        """Return the place of a number in percent; one beyond an end is placed at that end.

        >>> axis([1.0, 100.0], str, margin=0.0).at(10.0)
        50.0
        """
        if value <= 0:
            return 0.0
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    @property
    def grid(self) -> str:
        """Lines at the ticks, as a value of the CSS property `background-image`."""
        lines = (
            f"transparent {at}%,var(--line) {at}% calc({at}% + 1px),transparent 0"
            for at in (tick.at for tick in self.ticks)
        )
        return ",".join(f"linear-gradient(90deg,{line})" for line in lines) or "none"


def axis(
    values: Iterable[float], text: Callable[[float], str], *, margin: float, most: int = 5
) -> LogAxis:
    """Return an axis that shows some numbers.

    Args:
        values: the numbers; what is not positive has no place.
        text: how a tick is written.
        margin: powers of ten that are left free at both ends.
        most: the largest number of ticks.
    """
    logs = [math.log10(value) for value in values if value > 0] or [0.0]
    low, high = min(logs) - margin, max(logs) + margin
    if high == low:
        high = low + 1.0
    return between(low, high, text, most=most)


def between(low: float, high: float, text: Callable[[float], str], *, most: int = 5) -> LogAxis:
    """Return an axis between two exponents.

    >>> [tick.text for tick in between(0.0, 4.0, "{:g}".format).ticks]
    ['1', '10', '100', '1000', '10000']
    """
    bare = LogAxis(low, high, ())
    ticks = (Tick(bare.at(value), text(value)) for value in _round_numbers(low, high, most))
    return LogAxis(low, high, tuple(ticks))


def _round_numbers(low: float, high: float, most: int) -> Sequence[float]:
    """Return round numbers between two powers of ten: the coarsest steps that give three or more.

    Fewer than three ticks do not show that an axis is logarithmic.
    """
    powers = range(math.floor(low), math.ceil(high) + 1)
    found: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5)):
        # Numbers are parsed from text, because 3 * 10.0**-5 is not the number nearest to 3e-5.
        found = [float(f"{step}e{power}") for power in powers for step in steps]
        found = [value for value in found if low - 1e-9 <= math.log10(value) <= high + 1e-9]
        if len(found) > 2:
            break
    return found[:: max(1, math.ceil(len(found) / most))]
