"""Come here for causes: which findings on the functions of frameworks show one and the same fault.

Known findings have the cause that their entry of the ledger names. New ones have the same cause if
they are on one library and operation, and agree in verdict, quantity and what they look like.
`plainness` orders findings by how easily they are read.
"""

from __future__ import annotations

from ...backends import label_of, labels_of, library_of
from .grouping import (
    Concern,
    FindingCause,
    Section,
    Touched,
    causes_of_findings,
    concern_of,
    ease,
    findings_of,
    is_scripted,
    library_rank,
    main_rank,
)
from .plainness import plainness

__all__ = [
    "Concern",
    "FindingCause",
    "Section",
    "Touched",
    "causes_of_findings",
    "concern_of",
    "ease",
    "findings_of",
    "is_scripted",
    "label_of",
    "labels_of",
    "library_of",
    "library_rank",
    "main_rank",
    "plainness",
]
