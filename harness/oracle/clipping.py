"""Clipping of probabilities, as conventions have it: the limits are rounded to the dtype."""

from __future__ import annotations

from ...cases.dtypes import FORMATS
from .double_double import Exact, constant, where


def limits(dtype: str, clip: float) -> tuple[float, float]:
    """Return clip and 1 − clip, rounded to the dtype."""
    form = FORMATS[dtype]
    return float(form.round(clip)), float(form.round(1.0 - clip))


def clipped(p: Exact, dtype: str, clip: float) -> Exact:
    """Return probabilities of any shape within the limits."""
    low, high = limits(dtype, clip)
    p = where((p - low).hi < 0, constant(p.shape, low), p)
    return where((p - high).hi > 0, constant(p.shape, high), p)
