"""Keep the questions by which a cause may be shown: the easiest ones, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..runfile import VerdictRow
from .plainness import plainness

Question = tuple[str, str]  # a case and a quantity
_MOST = 256  # questions that are kept; twice as many while findings are counted


@dataclass
class ShownQuestions:
    """The easiest questions on which functions of one kind show a cause.

    Which ones are kept depends on all findings, and not on their order: a question that is dropped
    has as many easier ones before it as are kept.

    Attributes:
        rows: by question, a finding of each library.
    """

    rows: dict[Question, dict[str, VerdictRow]] = field(default_factory=dict)

    def at(self, question: Question) -> dict[str, VerdictRow]:
        """Return the findings on a question, to which one may be added."""
        if question not in self.rows and len(self.rows) >= 2 * _MOST:
            self.prune()
        return self.rows.setdefault(question, {})

    def prune(self) -> None:
        """Drop all but the easiest questions."""
        easiest = sorted(self.rows, key=self._ease)[:_MOST]
        self.rows = {question: self.rows[question] for question in easiest}

    def _ease(self, question: Question) -> tuple[object, ...]:
        row = next(iter(self.rows[question].values()))
        # The first parts are the mode and what is right, which are the same for a question.
        return (*plainness(row)[2:], question)


def on(question: Question, kinds: Iterable[ShownQuestions]) -> dict[str, VerdictRow]:
    """Return the findings on a question, of each library that of the first kind that has one."""
    found: dict[str, VerdictRow] = {}
    for kind in kinds:
        for library, row in kind.rows.get(question, {}).items():
            found.setdefault(library, row)
    return found
