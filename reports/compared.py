"""Compare functions with each other: how accurate each is, who agrees with whom, how to port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..harness.runfile import RunFile
from .accuracy import AccuracyTable, accuracy_tables
from .agreement import AgreementTable, agreement_table
from .members import fields
from .porting import Porting, PortingTable, porting, porting_table


@dataclass(frozen=True)
class Compared:
    """The tables of all operations; those of cross-entropy come first."""

    accuracy: tuple[AccuracyTable, ...]
    agreement: tuple[AgreementTable, ...]
    porting: Porting


def compared(runs: Sequence[RunFile]) -> Compared:
    """Return the comparison of the main functions of some runs."""
    accuracy: list[AccuracyTable] = []
    agreement: list[AgreementTable] = []
    ports: list[PortingTable | None] = []
    for field in fields(runs):
        ports.append(porting_table(field))
        field.drop_recipes()
        accuracy += accuracy_tables(field)
        table = agreement_table(field)
        if table is not None:
            agreement.append(table)
    return Compared(tuple(accuracy), tuple(agreement), porting(ports))
