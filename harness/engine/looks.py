"""Say what the findings of users' functions look like, in a time that their number does not set."""

from __future__ import annotations

from collections import Counter, defaultdict

from ..answers import VALUE, Answers, Failure
from ..judging import OR, SolvedCase, Verdict, looks_like, of_gradients_first
from ..verdicts import LOST_DIGITS

# After so many findings that look like no usual mistake, only those are tried that were found.
_FRUITLESS = 12


class LooksOfFunctions:
    """What the findings of each function look like, with the mistakes that it was found to make."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._fruitless = Counter[tuple[str, str]]()

    def of(
        self,
        function: str,
        solved: SolvedCase,
        answers: Answers,
        verdicts: list[tuple[str, Verdict]],
    ) -> dict[str, str]:
        """Return, for each quantity with a finding, the usual mistakes that give its answer.

        Where the error is no larger than lost digits explain, the mistakes that the function was
        found to make are tried, too: one of them may have made it.

        Args:
            function: the name of the function.
            solved: the case with its right answers.
            answers: the answers to it, by quantity.
            verdicts: quantities and their verdicts.
        """
        wrong = {
            quantity: (answers[quantity], it.is_finding)
            for quantity, it in verdicts
            if it.is_finding or it.kind in LOST_DIGITS
        }
        looks: dict[str, str] = {}
        value = answers.get(VALUE)
        value = None if isinstance(value, Failure) else value
        for quantity, (answer, is_finding) in wrong.items():
            key = function, quantity
            seen = self._seen[key]
            is_all = not is_finding or self._fruitless[key] >= _FRUITLESS
            if isinstance(answer, Failure) or (is_all and not seen):
                continue
            looks[quantity] = looks_like(solved, quantity, answer, seen, value=value, is_all=is_all)
            if VALUE not in wrong:
                looks[quantity] = of_gradients_first(looks[quantity])
            if is_finding:
                seen.update(dict.fromkeys(filter(None, looks[quantity].split(OR))))
                self._fruitless[key] += not looks[quantity]
        return looks
