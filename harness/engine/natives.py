"""Ask the framework's own functions what a user's function is asked, in one process with it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ...backends import EAGER
from ...backends.base import Backend, Implementation
from ...cases.model import Case
from ..answers import Observation
from ..judging import Verdict
from ..own import alike, askable
from ..verdicts import VerdictKind
from ..workers import Question, answered
from .judgement import Judge, Judgement

_SMALL = 1024  # elements of a case whose answers are kept for the next function
_MOST = 1024  # of them


@dataclass(frozen=True)
class Theirs:
    """What a function of the framework's own answers to a question of a user's.

    Attributes:
        name: the function.
        observation: its answers.
        judgement: their verdicts; its case is the one that the function was asked.
    """

    name: str
    observation: Observation
    judgement: Judgement

    def shows(
        self,
        case: Case,
        quantity: str,
        verdict: Verdict,
        mine: Observation,
        right: NDArray[np.float64] | None,
    ) -> bool:
        """Return whether it shows a finding or a convention like that of the user's function.

        Args:
            case: the question to the user's function.
            quantity: what was judged.
            verdict: that on the user's function.
            mine: its answers.
            right: the right answer in float64; None if there is none.
        """
        other = dict(self.judgement.verdicts).get(quantity)
        if other is None:
            return False
        is_same = self.judgement.case.id == case.id
        if not verdict.is_finding:
            return is_same and verdict.word == other.word
        if not is_same:
            return verdict.kind is VerdictKind.NONFINITE and alike(verdict, other)
        answers = mine.answers.get(quantity), self.observation.answers.get(quantity)
        return alike(verdict, other, answers, right)


# The answers to the cases that were asked last: functions that are checked one after another get
# the same questions. A key holds all that the answers depend on.
KEPT: OrderedDict[tuple[object, ...], tuple[Theirs, ...]] = OrderedDict()


class Natives:
    """The framework's own functions, as far as a user's function is compared with them."""

    def __init__(self, backend: Backend, modes: Sequence[str], judge: Judge) -> None:
        """Take the framework.

        Args:
            backend: the framework, with the user's function.
            modes: the modes in which the user's function is asked.
            judge: judges the answers.
        """
        self._backend, self._modes, self._judge = backend, modes, judge
        self._setting = repr(sorted(backend.settings().items()))
        self._last: tuple[tuple[object, ...], tuple[Theirs, ...]] = (), ()

    def shown_by(self, mine: Observation, case: Case, quantity: str, verdict: Verdict) -> str:
        """Return the name of a function that shows a finding or a convention alike.

        What is taken where an error is due, and what convention is followed, is hardly a matter
        of the mode: that is asked in the quickest mode first. A convention that is not shown there
        is not asked again; a finding is asked in the mode of the user's function.

        Args:
            mine: the answers of the user's function.
            case: the question.
            quantity: what was judged.
            verdict: its verdict.

        Returns:
            The name, which is empty if none does.
        """
        exact = self._judge.solved(case).solution.quantities.get(quantity)
        right = None if exact is None else exact.to_float()
        is_of_any_mode = not verdict.is_finding or verdict.kind is VerdictKind.ACCEPTED
        quickest = self._backend.description.quickest
        modes = [quickest] if is_of_any_mode and mine.mode == EAGER else []
        if verdict.is_finding or not modes:
            modes.append(mine.mode)
        for mode in dict.fromkeys(modes):
            for theirs in self._answers(mode, case):
                if theirs.shows(case, quantity, verdict, mine, right):
                    return theirs.name
        return ""

    def _answers(self, mode: str, case: Case) -> tuple[Theirs, ...]:
        """Return the answers of each function to a case, asked once."""
        natives = [
            it
            for it in self._backend.implementations.values()
            if it.kind == "native" and it.operation == case.operation
        ]
        is_hurried = mode != EAGER and mode not in self._modes
        functions = tuple((it.name, it.function) for it in natives)
        key = (self._backend.framework, self._setting, functions, mode, is_hurried, case.id)
        if key == self._last[0]:
            return self._last[1]
        found = KEPT.pop(key, None)
        if found is None:
            with self._backend.hurried() if is_hurried else nullcontext():
                found = tuple(self._asked(natives, mode, case))
        if prod(case.sizes) <= _SMALL:
            KEPT[key] = found
        if len(KEPT) > _MOST:
            KEPT.popitem(last=False)
        self._last = key, found
        return found

    def _asked(self, natives: list[Implementation], mode: str, case: Case) -> Iterator[Theirs]:
        for implementation in natives:
            its = askable(implementation.claim, case)
            if its is not None:
                name = implementation.name
                observation = answered(self._backend, Question(name, mode, its))
                judgement = self._judge.judge(implementation.claim, its, observation)
                yield Theirs(name, observation, judgement)
