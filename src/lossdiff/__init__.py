"""Judge softmax, cross-entropy and their relatives against an exact oracle.

The program is used from the command line; `LossdiffError` is the base class of its errors.
"""

from __future__ import annotations

from .errors import LossdiffError

__all__ = ["LossdiffError"]
