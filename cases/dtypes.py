"""Define the four floating-point formats by the numbers of IEEE 754 that characterise them.

NumPy's `finfo` knows three of them; bfloat16 comes from ml_dtypes. Families of inputs and error
bounds read thresholds such as `log_max` here, so that they are the same on every platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_SINGLE = 24  # bits of float32's significand


@dataclass(frozen=True)
class Format:
    """A binary floating-point format as IEEE 754 defines them.

    Attributes:
        name: the name of its dtype in NumPy or ml_dtypes.
        precision: the number of bits of the significand, the hidden one included.
        emin: the exponent of the smallest normal number.
        emax: the exponent of the largest finite number.
        log_max: ln of the largest finite number; exp overflows above it.
        log_tiny: ln of the smallest normal number; exp is subnormal below it.
        log_smallest: ln of the smallest subnormal number.

    >>> FORMATS["float16"].max, FORMATS["float16"].smallest
    (65504.0, 5.960464477539063e-08)
    """

    name: str
    precision: int
    emin: int
    emax: int
    log_max: float
    log_tiny: float
    log_smallest: float

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The NumPy dtype; that of bfloat16 comes from ml_dtypes."""
        return np.dtype(ml_dtypes.bfloat16 if self.name == "bfloat16" else self.name)

    @property
    def unit_roundoff(self) -> float:
        """Half the distance from 1 to the next number: 2^-precision."""
        return 2.0**-self.precision

    @property
    def accumulator_roundoff(self) -> float:
        """The unit roundoff of the accumulator: that of float32 for the 16-bit formats."""
        return 2.0**-_SINGLE if self.precision < _SINGLE else self.unit_roundoff

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return 2.0**self.emin

    @property
    def smallest(self) -> float:
        """The smallest subnormal number."""
        return 2.0 ** (self.emin - self.precision + 1)

    @property
    def max(self) -> float:
        """The largest finite number."""
        return (2.0 - 2.0 ** (1 - self.precision)) * 2.0**self.emax

    def round(self, values: Array | float) -> Array:
        """Return values rounded to this format, to nearest with ties to even.

        Args:
            values: float64 numbers of any shape.

        Returns:
            An array of the same shape in this format; what overflows is ±inf.

        >>> FORMATS["bfloat16"].round(1.003).item()
        1.0
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(values, np.float64).astype(self.dtype)


# The logarithms are constants and not computed here, because inputs depend on them and the last
# bit of a libm differs from platform to platform.
FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("float16", 11, -14, 15, 11.0898664, -9.70406053, -16.6355323),
        Format("bfloat16", 8, -126, 127, 88.7189252, -87.3365448, -92.1885750),
        Format("float32", 24, -126, 127, 88.7228391, -87.3365448, -103.278929),
        Format("float64", 53, -1022, 1023, 709.782712893384, -708.396418532264, -744.440071921381),
    )
}


def format_of(dtype: np.dtype[np.generic]) -> Format | None:
    """Return the format of a NumPy dtype, or None if it is not one of the four."""
    return FORMATS.get(dtype.name)
