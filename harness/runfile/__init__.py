"""Come here for the run file: one SQLite file for each run, one table for each kind of row.

`RunFile` reads and writes it, and `writing` holds its lock. The columns are the fields of the row
classes in `rows`, `timing_rows` and `resume_rows`; `schema` converts rows to columns and back.
"""

from __future__ import annotations

from .answers import Answer, AnswerKey, CaseAnswers, Pair, cases_of, matched, matched_cases
from .defined import DEFINED, defined_together, enter_operations, written_operations
from .file import RunFile
from .lock import writing
from .omissions import Omission, omissions
from .place import draft_of, standing
from .resume_rows import AnswerRow, BlobRow, CompletedRow, IncidentRow, PendingRow, ValidityPointRow
from .rows import (
    DomainRow,
    ExampleAnswerRow,
    ExampleRow,
    RelationRow,
    VerdictRow,
    WorkedRow,
    WorkerRow,
)
from .schema import Row, array_of, packed
from .timing_rows import IN_TURN, MemoryRow, PassRow, ProcessRow, TimingRow
from .views import AccuracyView, CaseView, NamesView, PassView, VerdictView, WordView

__all__ = [
    "DEFINED",
    "IN_TURN",
    "AccuracyView",
    "Answer",
    "AnswerKey",
    "AnswerRow",
    "BlobRow",
    "CaseAnswers",
    "CaseView",
    "CompletedRow",
    "DomainRow",
    "ExampleAnswerRow",
    "ExampleRow",
    "IncidentRow",
    "MemoryRow",
    "NamesView",
    "Omission",
    "Pair",
    "PassRow",
    "PassView",
    "PendingRow",
    "ProcessRow",
    "RelationRow",
    "Row",
    "RunFile",
    "TimingRow",
    "ValidityPointRow",
    "VerdictRow",
    "VerdictView",
    "WordView",
    "WorkedRow",
    "WorkerRow",
    "array_of",
    "cases_of",
    "defined_together",
    "draft_of",
    "enter_operations",
    "matched",
    "matched_cases",
    "omissions",
    "packed",
    "standing",
    "writing",
    "written_operations",
]
