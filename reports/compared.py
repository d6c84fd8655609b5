"""Compare the main functions with each other: how accurate each is, and who agrees with whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..harness.runfile import RunFile
from .accuracy import AccuracyTable, accuracy_tables
from .agreement import AgreementTable, agreement_table
from .members import fields


@dataclass(frozen=True)
class Compared:
    """The tables of all operations; those of cross-entropy come first."""

    accuracy: tuple[AccuracyTable, ...]
    agreement: tuple[AgreementTable, ...]


def compared(runs: Sequence[RunFile]) -> Compared:
    """Return the comparison of the main functions of some runs."""
    accuracy: list[AccuracyTable] = []
    agreement: list[AgreementTable] = []
    for field in fields(runs):
        accuracy += accuracy_tables(field)
        table = agreement_table(field)
        if table is not None:
            agreement.append(table)
    return Compared(tuple(accuracy), tuple(agreement))
