"""Come here for what must hold between two answers, without an oracle.

`check_probe` compares the answers to one question with those to the same call again, and to the
other forms of metamorphic `RELATIONS`. `ThreadDeterminism` compares two processes, `compared` two
routes to one number. `RelationTally` counts. Names and meanings stand in `harness.verdicts`.
"""

from __future__ import annotations

from .checks import RelationCheck, check_probe
from .determinism import ThreadDeterminism, needs_single_thread_run
from .equivalences import answer_of, compared
from .metamorphic import RELATIONS, Form
from .tally import RelationTally

__all__ = [
    "RELATIONS",
    "Form",
    "RelationCheck",
    "RelationTally",
    "ThreadDeterminism",
    "answer_of",
    "check_probe",
    "compared",
    "needs_single_thread_run",
]
