"""The four floating-point formats that are asked about, by their defining numbers."""

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
    """A binary floating-point format of IEEE 754's shape.

    Attributes:
        name: as NumPy and ml_dtypes name it.
        precision: bits of the significand, the hidden one included.
        emin: exponent of the smallest normal number.
        emax: exponent of the largest finite number.
        log_max: ln of the largest finite number; exp overflows above it.
        log_tiny: ln of the smallest normal number; exp is subnormal below it.
        log_smallest: ln of the smallest subnormal number.
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
        """The NumPy dtype, ml_dtypes' for bfloat16."""
        return np.dtype(ml_dtypes.bfloat16 if self.name == "bfloat16" else self.name)

    @property
    def unit_roundoff(self) -> float:
        """Half the distance from 1 to the next number: 2^-precision."""
        return 2.0**-self.precision

    @property
    def accumulator_roundoff(self) -> float:
        """The unit roundoff in which sums run: that of float32 for the 16-bit formats."""
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
        """Return `values` (float64, any shape) rounded to this format; overflow gives ±inf."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(values, np.float64).astype(self.dtype)


# The logarithms are written out, so that no platform's libm takes part in making inputs.
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
