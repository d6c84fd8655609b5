"""Come here for what must hold between two answers, without an oracle.

`check_probe` compares the answers of one implementation to one case with those to a repeated call
and to the transformed inputs of metamorphic `RELATIONS`. `ThreadDeterminism` compares two
processes, `compared` two routes to one number. `RelationTally` counts the checks.
`harness.verdicts` holds the names and meanings of all relations.
"""

from __future__ import annotations

from .checks import RelationCheck, check_probe
from .determinism import ThreadDeterminism, needs_single_thread_run
from .equivalences import answer_of, compared
from .forms import Form
from .metamorphic import RELATIONS
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
