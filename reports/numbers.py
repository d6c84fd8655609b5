"""Format numbers for readers: three digits, a unit, and no false precision."""

from __future__ import annotations

import math

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_LARGEST = 1e300  # errors over the bound beyond it are capped by the range of float64
_UNITS = ((1e-9, "ns", 1e-6), (1e-6, "µs", 1e-3), (1e-3, "ms", 1.0), (1.0, "s", math.inf))


def three(value: float | None) -> str:
    """Return a number with three significant digits, `–` for None or NaN.

    >>> three(0.12345), three(1234567.0), three(None)
    ('0.123', '1.23×10⁶', '–')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    # Outside of this range leading or trailing zeros would be counted by the reader.
    size = abs(value)
    if size and not 1e-3 <= size < 1e5:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def ratio(value: float | None) -> str:
    """Return an error over the bound; a bound that is next to 0 makes it infinite.

    >>> ratio(0.5), ratio(1.797e308)
    ('0.5', '∞')
    """
    return three(math.inf if value is not None and value > _LARGEST else value)


def digits(text: str, limit: int = 24) -> str:
    """Return the text of a number so short that its exponent stays; other texts end with dots.

    >>> digits("8.17658247742709144e-05", 12), digits("nan"), digits("a text", 4)
    ('8.17658…e-05', 'nan', 'a t…')
    """
    if len(text) <= limit:
        return text
    mantissa, sign, exponent = text.partition("e")
    if sign and exponent.lstrip("+-").isdecimal():
        return f"{mantissa[: limit - len(exponent) - 2]}…e{exponent}"
    return text[: limit - 1] + "…"


def magnitude(value: float | None, *, whole: bool = False) -> str:
    """Return a magnitude with three significant digits, or with all digits if it is whole.

    A power of ten is written as such: it was given by the sweep and not found by bisection.

    >>> magnitude(88.7228), magnitude(1e8), magnitude(4096.0, whole=True)
    ('88.7', '10⁸', '4,096')
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
    """Return a time with its unit, `–` for None or infinity.

    >>> seconds(1.2345e-5)
    '12.3 µs'
    """
    if value is None or not math.isfinite(value):
        return "–"
    scale, unit = next((scale, unit) for scale, unit, limit in _UNITS if value < limit)
    scaled = value / scale
    return f"{scaled:,.0f} {unit}" if scaled >= 100 else f"{scaled:.3g} {unit}"


def size(value: float | None) -> str:
    """Return a number of bytes with its decimal unit, `–` for None.

    >>> size(1_500_000)
    '1.5 MB'
    """
    if value is None:
        return "–"
    for unit in ("B", "kB", "MB"):
        if abs(value) < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"


def count(value: int) -> str:
    """Return a whole number with a comma after each thousand."""
    return f"{value:,}"


def counted(value: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun.

    >>> counted(1, "case"), counted(2, "search", "searches")
    ('1 case', '2 searches')
    """
    return f"{count(value)} {singular if value == 1 else plural or singular + 's'}"


def percent(part: int, whole: int) -> str:
    """Return a share in percent, rounded down, so that 100% means all.

    >>> percent(9_999, 10_000), percent(1, 10_000)
    ('99.9%', 'under 0.1%')
    """
    if not whole:
        return "–"
    share = math.floor(1000 * part / whole) / 10
    return "under 0.1%" if part and not share else f"{share:g}%"
