"""Tally of relation checks: one row for each relation, implementation, mode and dtype."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...backends.claim import Claim
from ...cases.model import Case
from ..runfile import RelationRow
from .checks import RelationCheck

Key = tuple[str, ...]  # the values of `RelationRow.key`


class RelationTally:
    """A tally of the checks of all workers.

    The order of the checks does not matter, so that parts of a run can be joined.

    Args:
        device: the device on which the implementations ran.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self._rows: dict[Key, RelationRow] = {}
        self._changed: dict[Key, RelationRow] = {}

    def see(self, claim: Claim, mode: str, case: Case, related: RelationCheck) -> None:
        """Count one check.

        Args:
            claim: the claim of the implementation.
            mode: the mode in which it ran.
            case: the case, of which the dtype is counted.
            related: the check.
        """
        seen = RelationRow(
            relation=related.relation,
            left=claim.name,
            right=claim.name,
            framework=claim.framework,
            mode=mode,
            dtype=case.dtype,
            cases=1,
            largest_difference=max(related.difference, 0.0),
            largest_ratio=max(related.ratio, 0.0),
            agrees=related.holds,
            note=related.note,
            device=self._device,
        )
        self.add([seen])
        # Only rows that changed since the last commit are written again.
        self._changed[_key(seen)] = self._rows[_key(seen)]

    def add(self, rows: Iterable[RelationRow]) -> None:
        """Add rows that were counted before, such as those of an interrupted run."""
        for row in rows:
            old = self._rows.get(_key(row))
            self._rows[_key(row)] = row if old is None else _joined(old, row)

    def changed(self) -> list[RelationRow]:
        """Return the rows that are new or have changed since the last call."""
        changed, self._changed = list(self._changed.values()), {}
        return changed

    def rows(self) -> list[RelationRow]:
        """Return one row for each relation, implementation, mode and dtype."""
        return [row for _, row in sorted(self._rows.items())]


def _key(row: RelationRow) -> Key:
    """Return the columns that identify a row."""
    return tuple(getattr(row, name) for name in row.key)


def _joined(one: RelationRow, other: RelationRow) -> RelationRow:
    """Return the row of the checks of both rows."""
    # The least of all notes is kept, so that the result does not depend on the order.
    notes = sorted({one.note, other.note} - {""})
    return replace(
        one,
        cases=one.cases + other.cases,
        largest_difference=max(one.largest_difference, other.largest_difference),
        largest_ratio=max(one.largest_ratio, other.largest_ratio),
        agrees=one.agrees and other.agrees,
        note=notes[0] if notes else "",
    )
