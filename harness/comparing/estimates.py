"""Changes with what is known of their error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Members = NDArray[np.bool_]
Names = NDArray[np.str_]
_WITHIN = 0.95


@dataclass(frozen=True)
class Estimates:
    """Changes of logarithms of times, with what is known of their error.

    Attributes:
        change: for each, as a logarithm.
        error: standard errors, inflation included; NaN where nothing is known.
        degrees: of freedom of those errors.
        joined: probabilities that were found otherwise than from change over error.
    """

    change: Floats
    error: Floats
    degrees: float | Floats
    joined: Floats | None = None

    @property
    def p(self) -> Floats:
        """The probability of a change as large as each, on its side, from noise alone."""
        if self.joined is not None:
            return self.joined
        chances = stats.t.sf(np.abs(self.change) / self.error, self.degrees)
        return np.nan_to_num(np.asarray(chances), nan=1.0)

    def at(self, places: Sequence[int]) -> Estimates:
        """Return those at some places, in that order."""
        joined = None if self.joined is None else self.joined[places]
        degrees = np.broadcast_to(self.degrees, self.change.shape)[places]
        return Estimates(self.change[places], self.error[places], degrees, joined)

    @property
    def interval(self) -> tuple[Floats, Floats]:
        """The ends of the 95% intervals."""
        half = stats.t.ppf((1 + _WITHIN) / 2, self.degrees) * self.error
        return self.change - half, self.change + half
