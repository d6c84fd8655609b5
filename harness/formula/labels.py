"""The classes of an index target, which a formula compares and picks, but does not compute with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...errors import DefinitionError
from .graph import Array, constant, mask, together


@dataclass(frozen=True, eq=False)
class Labels:
    """An index target: the class of each row.

    Attributes:
        values: shape (N,), whole numbers in [0, C); a part of it may have further axes of size 1.
        classes: C.
    """

    values: NDArray[np.int64]
    classes: int

    __array_ufunc__ = None  # NumPy's arrays leave their operators to this class

    def refused(self, *_: object) -> NoReturn:
        """Raise the error of whatever computes with classes as if they were numbers."""
        raise DefinitionError(
            "an index target holds classes, not numbers: take(x, target), one_hot(target) and "
            "comparisons such as target == 0 use it"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = refused
    __truediv__ = __rtruediv__ = __pow__ = __neg__ = __array__ = refused

    def __getitem__(self, index: Any) -> Labels:
        """Return the labels of some rows, or with further axes of size 1: `target[:, None]`."""
        constant(self.values)[index]  # refuses what is no index of a formula
        return Labels(np.asarray(self.values[index]), self.classes)

    def __eq__(self, other: object) -> Array:  # type: ignore[override]
        return self._compared(np.equal, other)

    def __ne__(self, other: object) -> Array:  # type: ignore[override]
        return self._compared(np.not_equal, other)

    def __lt__(self, other: object) -> Array:
        return self._compared(np.less, other)

    def __gt__(self, other: object) -> Array:
        return self._compared(np.greater, other)

    def __le__(self, other: object) -> Array:
        return self._compared(np.less_equal, other)

    def __ge__(self, other: object) -> Array:
        return self._compared(np.greater_equal, other)

    __hash__ = object.__hash__

    def _compared(self, how: np.ufunc, other: object) -> Array:
        numbers = other.values if isinstance(other, Labels) else other
        if isinstance(numbers, Array):
            self.refused()
        own, known = constant(self.values), constant(numbers)  # type: ignore[arg-type]
        together("a comparison", own, known)
        return mask(np.asarray(how(own.value, known.value)))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape (N,)."""
        return self.values.shape

    @property
    def one_hot(self) -> NDArray[np.bool_]:
        """Whether a class is that of its row, shape (N, C)."""
        return np.asarray(np.arange(self.classes) == self.values[..., None])
