"""Tell whether a smaller input shows the mistake that the first one shows, and not another one."""

from __future__ import annotations

from collections.abc import Callable

from ...cases.model import Case
from ..answers import Failure
from ..judging import OR, looks_like
from ..workers import AnswerSelector
from .reductions import as_given
from .session import Session

_SCALE = " times too "  # a ratio may depend on the numbers of rows and classes
_SECONDS = 60.0  # for one answer


def same_mistake(
    session: Session, case: Case, selector: AnswerSelector, looks: str
) -> Callable[[Case], bool]:
    """Return a function that says whether the answer to a smaller case shows the same mistake.

    A function that makes two mistakes may show the other one, with the same verdict, where the
    first one is no longer to be seen.

    Args:
        session: evaluates the cases.
        case: the case that is shrunk.
        selector: the answer that is judged.
        looks: the names of the mistakes that its answer looks like, joined by ` or `; those that
            it does not look like once its arrays are stored count for nothing. Without a name
            every case will do.
    """

    def shown(tried: Case, names: frozenset[str]) -> frozenset[str]:
        answer = session.answer(tried, selector, _SECONDS)
        if isinstance(answer, Failure):
            return frozenset()
        solved = session.question(tried)
        found = looks_like(solved, selector.quantity, answer, names, is_all=True)
        return names & set(found.split(OR))

    names = frozenset(it for it in looks.split(OR) if it and _SCALE not in it)
    first = shown(as_given(case, selector.quantity), names) if names else names
    return lambda tried: not first or bool(shown(tried, first))
