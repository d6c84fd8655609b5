"""Find out which numbers of axes a function takes, and where it has the classes of three.

A loss that is written for (N, C) may answer three axes, too, with a number that means nothing:
`log_softmax(x, -1).gather(1, …)` takes the softmax over d of (N, C, d). To judge it there would
accuse it of what it was not written for. It is told apart from a loss that takes (N, C, d) and is
wrong there by two signs, of which either is enough for it to be asked, and judged:

- of (N, C, 1), the same rows with one axis more, its answer is right: it knows where the classes
  are;
- its text speaks of more axes: it compares their number, moves them, or documents them.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ...backends.claim import Limits
from ...cases.operations import OPERATIONS, Operation
from ..answers import one_line
from .plain_question import SHAPE, Asker, Guess, Reply, exact_value

_OTHERS = {1: (10,), 3: (2, 3, 5)}
_MORE = 3
_SPEAKS_OF_MORE = re.compile(
    r"(ndim|dim\(\)|rank\(\w+\)|len\([\w.]*shape\)|len\(\w+\.size\(\)\))"
    r"\s*(>\s*2|>=\s*3|==\s*[3-5]|!=\s*2|in\b)"
    r"|permute\(|movedim\(|moveaxis\("
    r"|\bd_?1\b|\bC, ?(d\b|\.\.\.|\*|H\b|L\b)|\bB?N?CHW\b|height|spatial|\bimages?\b|pixel",
    re.IGNORECASE,
)


@dataclass
class Axes:
    """Asks one function about numbers of axes other than two.

    Attributes:
        asker: asks the function.
        limits: what is known of it.
        remarks: sentences about what was found out.
    """

    asker: Asker
    limits: Limits
    remarks: list[str] = field(default_factory=list)

    def of(self, guess: Guess) -> tuple[Guess, Limits]:
        """Return the guess with the place of the classes, and the limits."""
        contract = OPERATIONS[guess.operation]
        if contract.is_defined or contract.is_linear:
            return guess, replace(self.limits, ranks=frozenset({len(SHAPE)}))
        if self.limits.ranks or not contract.reads_classes or not self.asker.ask(guess).is_near:
            return guess, self.limits
        taken, why = {len(SHAPE)}, dict[str, list[str]]()
        for rank, shape in _OTHERS.items():
            if rank < len(SHAPE) and contract.is_loss:
                continue
            reply = self._ask(guess, shape)
            moved = replace(guess, calling=replace(guess.calling, layout="classes_last"))
            if not reply.is_near and contract.is_loss and self._ask(moved, shape).is_near:
                guess, reply = moved, Reply(is_near=True)
                self.remarks.append("it takes the classes on the last axis")
            if reason := self._refused(guess, shape, reply):
                why.setdefault(reason, []).append(str(rank))
            elif rank == _MORE and not reply.is_near and not self._means_more(guess):
                self.remarks.append(
                    "it takes (N, C): three axes are not asked, because it gives a wrong number "
                    "without an error, and nothing says that it is meant for them; ranks={2, 3} "
                    "asks them"
                )
                self.limits = replace(self.limits, ranks=frozenset(taken))
            else:
                taken.add(rank)
        if why:
            self.limits = replace(self.limits, ranks=frozenset(taken))
        self.remarks += [
            f"it is not judged with {' and '.join(ranks)} axes: it gives {reason}"
            for reason, ranks in why.items()
        ]
        return guess, self.limits

    def _means_more(self, guess: Guess) -> bool:
        """Return whether a function that is wrong with three axes is meant to take them."""
        if _SPEAKS_OF_MORE.search(_text_of(self.asker.candidate.function)):
            return True
        thin = _thin(OPERATIONS[guess.operation])
        last = replace(guess, calling=replace(guess.calling, layout="classes_last"))
        return self._ask(guess, thin).is_near or self._ask(last, thin).is_near

    def _refused(self, guess: Guess, shape: tuple[int, ...], reply: Reply) -> str:
        """Return why a shape is not asked: an error, or a result of another shape."""
        if reply.value is None:
            return "" if reply.error is None else one_line(reply.error)
        due = exact_value(self.asker.case(guess, shape)).shape
        return "" if reply.value.shape == due else f"a result of shape {reply.value.shape}"

    def _ask(self, guess: Guess, shape: tuple[int, ...]) -> Reply:
        return self.asker.ask(guess, self.asker.case(guess, shape))


def _thin(contract: Operation) -> tuple[int, ...]:
    """Return the shape of most cases with an axis of one more; the classes are last but in losses.

    >>> _thin(OPERATIONS["cross_entropy"]), _thin(OPERATIONS["softmax"])
    ((4, 10, 1), (1, 4, 10))
    """
    return (*SHAPE, 1) if contract.is_loss else (1, *SHAPE)


def _text_of(function: Any) -> str:
    """Return the text of a function, or of the class of an object; empty where there is none."""
    if isinstance(function, partial):
        function = function.func
    is_plain = inspect.isroutine(function) or inspect.isclass(function)
    plain = inspect.unwrap(function) if is_plain else type(function)
    try:
        return inspect.getsource(plain)
    except (OSError, TypeError):
        return inspect.getdoc(plain) or ""
