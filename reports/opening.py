"""Compute the first screen of the page: one sentence, four numbers, and what a reader must know."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..harness.causes import label_of, library_of, library_rank
from .numbers import count, counted, percent
from .survey import TEXTBOOK, USER, Asked, Survey
from .tables import Shares, shares_of

_MAIN = ("softmax", "cross_entropy")


@dataclass(frozen=True)
class Opening:
    """What a run asked and found, in words.

    Attributes:
        title: what was asked and found, in one sentence.
        lead: how it was asked, in a few sentences.
        functions: the number of functions that the numbers are about.
        shares: the verdicts on them; on textbook formulas only where nothing else was asked.
        textbook: the verdicts on textbook formulas.
    """

    title: str
    lead: str
    functions: int
    shares: Shares
    textbook: Shares


def opening(survey: Survey) -> Opening:
    """Return the first screen of some runs that hold verdicts."""
    own = [place for place in survey.places if place.asked.kind != TEXTBOOK]
    books = [place for place in survey.places if place.asked.kind == TEXTBOOK]
    told = own or books
    found, textbook = shares_of(survey, told), shares_of(survey, books)
    asked = {place.asked for place in told}
    what = _operations(sorted({it.operation for it in asked}))
    lead = (
        f"{counted(len(survey.cases), 'question')} put to {_who(asked)}, each answer judged "
        "against an exact one."
    )
    if own and textbook.judged:
        wrong = textbook.known + textbook.new
        number = len({place.asked for place in books})
        formulas = counted(number, "textbook formula")
        was = "was" if number == 1 else "were"
        lead += (
            f" {formulas} {was} asked as well, to show where they break: "
            f"{percent(wrong, textbook.judged)} of their answers are wrong; the four "
            "numbers leave them out."
        )
    return Opening(f"{what}: {_found(found)}.", lead, len(asked), found, textbook)


def _found(shares: Shares) -> str:
    if not shares.judged:
        return "nothing that was asked is claimed by a function"
    wrong = shares.known + shares.new
    if not wrong:
        explained = f", and {percent(shares.explained, shares.judged)} differ for a known reason"
        return f"no answer is wrong{explained if shares.explained else ''}"
    right = percent(shares.agree, shares.judged)
    explained = percent(shares.explained, shares.judged)
    is_are = "is" if wrong == 1 else "are"
    middle = f"{explained} differ for a reason that the run shows, and " if shares.explained else ""
    return f"{right} of the answers are right, {middle}{count(wrong)} {is_are} wrong"


def _who(asked: Collection[Asked]) -> str:
    """Return how many functions of which libraries were asked; a user's own functions apart."""
    users = [it for it in asked if it.kind == USER]
    others = [it for it in asked if it.kind != USER]
    noun = "textbook formula" if others and others[0].kind == TEXTBOOK else "function"
    # A package that has a library of its own stands beside it.
    ranks = {
        label_of(it.name, it.framework): library_rank(library_of(it.name, it.framework))
        for it in others
    }
    ordered = sorted(ranks, key=lambda name: (ranks[name], name))
    parts = [f"{counted(len(others), noun)} of {_listed(ordered)}"] if others else []
    parts += [f"{counted(len(users), 'function')} of your own"] if users else []
    return " and to ".join(parts)


def _operations(names: Sequence[str]) -> str:
    """Return the operations as a reader calls them.

    >>> _operations(["cross_entropy", "exp", "nll_loss", "softmax"])
    'Softmax, cross-entropy and their relatives'
    >>> _operations(["exp", "log_softmax"])
    'exp and log_softmax'
    """
    if len(names) > 3 and set(_MAIN) <= set(names):
        return "Softmax, cross-entropy and their relatives"
    told = {"softmax": "softmax", "cross_entropy": "cross-entropy"}
    text = _listed([told.get(name, name) for name in names])
    return text[:1].upper() + text[1:] if names and names[0] in told else text


def _listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
