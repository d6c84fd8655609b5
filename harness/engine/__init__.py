"""Come here for a whole run: from a plan to the rows of a run file.

`Engine` sends batches to workers and passes their answers to `Flow`, which judges and records them.
"""

from __future__ import annotations

from .catalogues import catalogues
from .findings import Findings
from .identity import ASKED, difference, digests, identity, users_files
from .inquiry import Inquiry
from .introductions import introduced
from .merge import merge
from .plan import Plan
from .scheduler import Engine
from .shards import sharded

__all__ = [
    "ASKED",
    "Engine",
    "Findings",
    "Inquiry",
    "Plan",
    "catalogues",
    "difference",
    "digests",
    "identity",
    "introduced",
    "merge",
    "sharded",
    "users_files",
]
