"""Parameter types for numbers, which have a largest value: what is beyond it cannot be meant."""

from __future__ import annotations

import math
from typing import Any

import click

SECONDS = 1e6  # eleven days
_DIGITS = 12  # of an axis
_AXES = 2, 8  # least and most


class Finite(click.FloatRange):
    """The type of a parameter that is a finite number."""

    def __init__(self, *, least: float = 0.0, most: float, is_open: bool = False) -> None:
        """Take the range.

        Args:
            least: the smallest number.
            most: the largest number.
            is_open: whether the smallest number is excluded.
        """
        super().__init__(min=least, min_open=is_open)
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if math.isnan(found) or found > self._most:
            self.fail(f"{found} is not a number up to {self._most:g}", param, ctx)
        return found


class Whole(click.IntRange):
    """The type of a parameter that is a whole number."""

    def __init__(self, *, least: int = 0, most: int) -> None:
        """Take the range.

        Args:
            least: the smallest number.
            most: the largest number.
        """
        super().__init__(min=least)
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if found > self._most:
            self.fail(f"{found} is more than {self._most}", param, ctx)
        return found


class Shape(click.ParamType[Any]):
    """The type of a parameter `NxC`: the shape of logits, the classes last or at axis 1."""

    name = "shape"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        axes = str(value).split("x")
        fits = all(axis.isascii() and axis.isdecimal() and len(axis) <= _DIGITS for axis in axes)
        if not fits or not _AXES[0] <= len(axes) <= _AXES[1] or not all(map(int, axes)):
            self.fail(
                f"{value!r} is no shape: rows and classes, from 1 on, such as 4096x32000",
                param,
                ctx,
            )
        return tuple(map(int, axes))


SEED = Whole(most=2**63 - 1)
TIME_LIMIT = Finite(most=SECONDS, is_open=True)
