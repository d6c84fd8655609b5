"""The ranges of the numbers in a run file: annotations that reading checks."""

from __future__ import annotations

import sys
from typing import Annotated

from msgspec import Meta

_MOST = sys.float_info.max

Size = Annotated[float, Meta(ge=0)]  # of an error; it may be infinite
Finite = Annotated[float, Meta(ge=0, le=_MOST)]
Positive = Annotated[float, Meta(gt=0, le=_MOST)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]  # SQLite has no larger ones
Ordinal = Annotated[int, Meta(ge=1, le=2**63 - 1)]  # of things that a row cannot be without
