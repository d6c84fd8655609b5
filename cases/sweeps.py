"""Define sweeps: inputs with one growing number, to find where an implementation fails first.

A case of a sweep has the family `NAME@MAGNITUDE`, such as `offset@88.7`. The search for the
magnitude is in `harness.engine.validity`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .dtypes import FORMATS
from .stream import Floats, Stream

_DECADES = (1.0, 10.0, 100.0, 1e3, 1e4, 1e6, 1e8, 1e16, 1e30, 1e100, 1e300)
_CLASSES = (2.0, 16.0, 128.0, 1024.0, 4096.0, 16384.0, 65536.0, 131072.0)
_ROWS = (1.0, 16.0, 256.0, 4096.0, 32768.0, 65536.0, 131072.0)
_SHAPE = (4, 10)

Draw = Callable[[Stream, int, int, float], Floats]


@dataclass(frozen=True)
class Sweep:
    """A growing number, and the inputs that depend on it.

    Attributes:
        name: the part of the family before the `@`.
        meaning: the quantity that grows.
        draw: draws float64 values of shape (rows, classes) for a magnitude.
        levels: the magnitudes that are tested first; bisection follows between two of them.
        shape: returns the shape of a case for a magnitude.
        losses_only: whether only a reduced loss can fail.
    """

    name: str
    meaning: str
    draw: Draw
    levels: tuple[float, ...] = _DECADES
    shape: Callable[[float], tuple[int, int]] = lambda _: _SHAPE
    losses_only: bool = False

    @property
    def counts(self) -> bool:
        """Whether the magnitude is a number of classes or rows."""
        return self.levels is not _DECADES

    def levels_in(self, dtype: str) -> tuple[float, ...]:
        """Return the levels that a dtype can represent, with differences of two logits.

        >>> SWEEPS["offset"].levels_in("float16")
        (1.0, 10.0, 100.0, 1000.0, 10000.0)
        """
        limit = FORMATS[dtype].max / 4
        return tuple(level for level in self.levels if self.counts or level <= limit)


def _offset(stream: Stream, rows: int, classes: int, magnitude: float) -> Floats:
    # One logit is the magnitude exactly, so that the reported number is that of the inputs.
    values = magnitude - stream.uniform(rows, classes)
    values[:, 0] = magnitude
    return values


def _down(stream: Stream, rows: int, classes: int, magnitude: float) -> Floats:
    return _offset(stream, rows, classes, -magnitude)


def _spread(stream: Stream, rows: int, classes: int, magnitude: float) -> Floats:
    values = (1.5 * stream.uniform(rows, classes) - 1.0) * magnitude
    values[:, 0], values[:, -1] = magnitude, -magnitude
    return values


def _large(stream: Stream, rows: int, classes: int, magnitude: float) -> Floats:
    values = stream.normal(rows, classes)
    values[np.arange(rows), np.arange(rows) % classes] = magnitude
    return values


def _equal(stream: Stream, rows: int, classes: int, magnitude: float) -> Floats:  # noqa: ARG001
    return np.zeros((rows, classes))


SWEEPS: dict[str, Sweep] = {
    sweep.name: sweep
    for sweep in (
        Sweep("offset", "the largest logit, the others less than 1 below it", _offset),
        Sweep("down", "a common offset below 0", _down),
        Sweep("spread", "logits from -magnitude to magnitude, one of them at the top", _spread),
        Sweep("large", "one large logit among everyday ones", _large),
        Sweep(
            "classes",
            "equal logits of so many classes",
            _equal,
            _CLASSES,
            lambda magnitude: (1, int(magnitude)),
        ),
        Sweep(
            "rows",
            "equal logits in so many rows, their losses reduced",
            _equal,
            _ROWS,
            lambda magnitude: (int(magnitude), 2),
            losses_only=True,
        ),
    )
}


def family_of(sweep: Sweep, magnitude: float) -> str:
    """Return the family of a sweep at a magnitude, with four digits or as a whole number.

    >>> family_of(SWEEPS["offset"], 88.72284), family_of(SWEEPS["classes"], 1024.0)
    ('offset@88.72', 'classes@1024')
    """
    return f"{sweep.name}@{int(magnitude) if sweep.counts else f'{magnitude:.4g}'}"


def swept(family: str, stream: Stream, rows: int, classes: int) -> Floats:
    """Return the values of a family of a sweep.

    Args:
        family: `NAME@MAGNITUDE`.
        stream: the source of draws.
        rows: number of rows.
        classes: number of classes.

    Returns:
        float64 values of shape (rows, classes).

    Raises:
        KeyError: there is no such sweep.
        ValueError: the magnitude is not a number.
    """
    name, _, magnitude = family.partition("@")
    return SWEEPS[name].draw(stream, rows, classes, float(magnitude))
