"""Parameter types for numbers, which have a largest value: what is beyond it cannot be meant."""

from __future__ import annotations

import math
from typing import Any

import click

from .names import OwnType, given

SECONDS = 1e6  # eleven days
_DIGITS = 12  # of an axis
_AXES = 2, 8  # least and most


class Finite(OwnType):
    """The type of a parameter that is a finite number."""

    name = "number"

    def __init__(self, *, least: float = 0.0, most: float, is_open: bool = False) -> None:
        """Take the range.

        Args:
            least: the smallest number.
            most: the largest number.
            is_open: whether the smallest number is excluded.
        """
        self._least, self._most, self._is_open = least, most, is_open

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            found = float(value)
        except ValueError:
            found = math.nan
        if not self._least <= found <= self._most or (self._is_open and found == self._least):
            least = f"above {self._least:g}, up to" if self._is_open else f"from {self._least:g} to"
            due = f"a number {least} {self._most:.7g}"
            self.fail(f"{_option(param)} needs {due}, was given {given(value)}", param, ctx)
        return found


class Whole(OwnType):
    """The type of a parameter that is a whole number."""

    name = "whole number"

    def __init__(self, *, least: int = 0, most: int) -> None:
        """Take the range.

        Args:
            least: the smallest number.
            most: the largest number.
        """
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            found = int(value)
        except ValueError:  # a text of thousands of digits, too
            found = self._least - 1
        if not self._least <= found <= self._most:
            due = f"a whole number from {self._least} to {self._most}"
            self.fail(f"{_option(param)} needs {due}, was given {given(value)}", param, ctx)
        return found


class Shape(OwnType):
    """The type of a parameter `NxC`: the shape of logits, the classes last or at axis 1.

    Of a linear loss it is `NxHxC`.
    """

    name = "shape"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        axes = str(value).split("x")
        fits = all(axis.isascii() and axis.isdecimal() and len(axis) <= _DIGITS for axis in axes)
        if not fits or not _AXES[0] <= len(axes) <= _AXES[1] or not all(map(int, axes)):
            due = f"{_AXES[0]} to {_AXES[1]} whole numbers from 1 on, such as 4096x32000"
            self.fail(f"{_option(param)} needs {due}, was given {given(value)}", param, ctx)
        return tuple(map(int, axes))


def _option(param: click.Parameter | None) -> str:
    return param.opts[0] if param else "it"


SEED = Whole(most=2**63 - 1)
TIME_LIMIT = Finite(most=SECONDS, is_open=True)
