"""Say of a user's functions, before anything is asked, what is taken as what, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from textwrap import wrap

from ..harness.engine import Plan, introduced
from ..harness.own import Failed, Learnt, Left
from ..harness.workers import NO_SPARES, Introduction, Spares
from .output import echo

_WIDTH = 80
_INDENT = "    "


def met(plan: Plan, spares: Spares = NO_SPARES) -> tuple[Plan, bool]:
    """Get to know the users' functions of a plan, and print what becomes of each.

    Args:
        plan: the plan.
        spares: keep the processes for the questions.

    Returns:
        The plan with what was learnt, and whether a function failed its plain question.

    Raises:
        UserFileError: a file cannot be used, or none of its functions is taken.
        DeclarationError: what is said of a function names something that does not exist.
    """
    plan, found = introduced(plan, spares)
    for framework, introduction in found.items():
        for line in lines_of(framework, introduction):
            echo(line)
    return plan, any(it.failed for it in found.values())


def lines_of(framework: str, introduction: Introduction) -> Iterator[str]:
    """Yield lines that say what became of a user's functions.

    Args:
        framework: the framework whose arrays they take.
        introduction: what became of them.
    """
    for learnt in introduction.learnt:
        if learnt.failed is None:
            yield from _folded(_taken(learnt), "")
            for remark in learnt.remarks:
                yield from _folded(remark, _INDENT)
    yield from _left(introduction.left)
    for failed in introduction.failed:
        yield from _failed(failed)
    if not introduction.learnt:
        yield f"{framework}: none of your functions is of these operations"


def _taken(learnt: Learnt) -> str:
    claim = learnt.claim
    options = sorted(claim.options - dict(claim.limits.fixed).keys())
    fixed = [f"{name}={value}" for name, value in claim.limits.fixed]
    said = [", ".join(sorted(claim.targets)), ", ".join([*options, *fixed])]
    what = "; ".join(filter(None, said))
    return f"{claim.name} is taken as {claim.operation}{f' ({what})' if what else ''}"


def _left(left: tuple[Left, ...]) -> Iterator[str]:
    """Yield a line for each reason, with the names of all that is left for it."""
    ordered = sorted(left, key=lambda it: it.reason)
    for reason, same in groupby(ordered, key=lambda it: it.reason):
        yield from _folded(f"left: {', '.join(it.name for it in same)} ({reason})", "")


def _failed(failed: Failed) -> Iterator[str]:
    yield from failed.traceback.splitlines()
    line = f"{failed.name}, taken as {failed.operation}, does not answer {failed.question}"
    yield from _folded(f"{line}: it is asked nothing else", "")
    if failed.hint:
        yield from _folded(failed.hint, _INDENT)


def _folded(text: str, indent: str) -> list[str]:
    return wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}{_INDENT}",
        break_long_words=False,
        break_on_hyphens=False,
    )
