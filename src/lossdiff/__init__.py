"""lossdiff: softmax, cross-entropy and their relatives, judged against an exact oracle."""

from __future__ import annotations

from .errors import LossdiffError

__all__ = ["LossdiffError"]
