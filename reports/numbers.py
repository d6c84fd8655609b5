"""Numbers as people read them: three digits, a unit, no false precision."""

from __future__ import annotations

import math

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_UNITS = ((1e-9, "ns", 1e-6), (1e-6, "µs", 1e-3), (1e-3, "ms", 1.0), (1.0, "s", math.inf))


def three(value: float | None) -> str:
    """Return a number with three significant digits, `–` for None."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size and not 1e-3 <= size < 1e5:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def magnitude(value: float | None, *, whole: bool = False) -> str:
    """Return a magnitude with three significant digits, a whole number with all of them.

    A power of ten is plain: such magnitudes were asked as they stand, not found.
    """
    if value is None:
        return "–"
    if whole:
        return count(round(value))
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    power = int(exponent)
    if float(mantissa) == 1.0 and float(f"1e{power}") == value:
        return f"{value:.0f}" if 0 <= power < 4 else f"10{str(power).translate(_SUPERSCRIPT)}"
    if not 1e-3 <= value < 1e5:
        return f"{mantissa}×10{str(power).translate(_SUPERSCRIPT)}"
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 99.95 else f"{value:#.3g}"


def seconds(value: float | None) -> str:
    """Return a time with its unit."""
    if value is None or not math.isfinite(value):
        return "–"
    scale, unit = next((scale, unit) for scale, unit, limit in _UNITS if value < limit)
    scaled = value / scale
    return f"{scaled:,.0f} {unit}" if scaled >= 100 else f"{scaled:.3g} {unit}"


def size(value: float | None) -> str:
    """Return a number of bytes with its unit."""
    if value is None:
        return "–"
    for unit in ("B", "kB", "MB"):
        if abs(value) < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"


def count(value: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{value:,}"


def counted(value: int, singular: str, plural: str = "") -> str:
    """Return a number and its noun."""
    return f"{count(value)} {singular if value == 1 else plural or singular + 's'}"


def percent(part: int, whole: int) -> str:
    """Return a share, rounded down, so that 100% means all."""
    if not whole:
        return "–"
    share = math.floor(1000 * part / whole) / 10
    return "under 0.1%" if part and not share else f"{share:g}%"
