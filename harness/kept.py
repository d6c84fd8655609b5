"""Which relations were kept, by whom, how often and how closely; see `harness.relations`."""

from __future__ import annotations

from ..backends.base import Claim
from ..cases.model import Case
from .observation import Related
from .runfile import RelationRow

Key = tuple[str, str, str, str, str]  # relation, implementation, framework, mode, dtype


class Kept:
    """Counts what the workers compared."""

    def __init__(self) -> None:
        self._rows: dict[Key, RelationRow] = {}

    def see(self, claim: Claim, mode: str, case: Case, related: Related) -> None:
        """Take note of one comparison."""
        key = (related.relation, claim.name, claim.framework, mode, case.dtype)
        old = self._rows.get(key)
        self._rows[key] = RelationRow(
            relation=related.relation,
            left=claim.name,
            right=claim.name,
            framework=claim.framework,
            mode=mode,
            dtype=case.dtype,
            cases=1 + (old.cases if old else 0),
            largest_difference=max(related.difference, old.largest_difference if old else 0.0),
            largest_ratio=max(related.ratio, old.largest_ratio if old else 0.0),
            agrees=related.holds and (old is None or old.agrees),
            note=related.note or (old.note if old else ""),
        )

    def rows(self) -> list[RelationRow]:
        """Return one row for each relation, implementation, mode and dtype."""
        return [row for _, row in sorted(self._rows.items())]
