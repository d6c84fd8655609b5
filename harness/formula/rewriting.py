"""Change some steps of a formula that was recorded, and record what comes of it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from .functions import OF_FORMS
from .graph import Array

Change = Callable[[Array, tuple[Array, ...]], Array | None]
_DEEP = 3  # steps into a term, as far as two terms are compared


def written(array: Array) -> list[Array]:
    """Return the steps that a formula was written with, each after those that it reads.

    The steps inside the functions over the classes and the logistic ones are not among them.
    """
    found: dict[Array, None] = {}
    waiting = [(array, False)]
    while waiting:
        step, is_ready = waiting.pop()
        if step in found:
            continue
        if is_ready:
            found[step] = None
        else:
            waiting.append((step, True))
            waiting += [(it, False) for it in read_by(step)]
    return list(found)


def read_by(step: Array) -> tuple[Array, ...]:
    """Return what a step reads; of a function of the formula its argument."""
    return step.args if step.wrt is None else (step.wrt,)


def are_same(some: tuple[Array, ...], others: tuple[Array, ...]) -> bool:
    """Return whether two lists hold the same arrays, and not only arrays of the same numbers."""
    return len(some) == len(others) and all(map(operator.is_, some, others))


def rewritten(array: Array, change: Change) -> Array:
    """Return an array of which some steps are changed.

    Args:
        array: the result of a formula.
        change: a function of a step, and of what it reads by now; it returns another array, or None
            to leave the step as it is.

    Returns:
        The changed array, or the same one where nothing is changed.
    """
    made: dict[Array, Array] = {}
    for step in written(array):
        reads = tuple(made[it] for it in read_by(step))
        changed = change(step, reads)
        if changed is None:
            changed = step if are_same(reads, read_by(step)) else _again(step, reads)
        made[step] = changed
    return made[array]


def everywhere(
    steps: Iterable[Array], changes_of: Callable[[Array], Iterable[tuple[str, Change]]]
) -> Iterator[tuple[str, Change]]:
    """Yield changes of single steps, and those of one name together, as formulas repeat terms.

    Args:
        steps: the steps.
        changes_of: yields the named changes of a step.
    """
    together: dict[object, tuple[str, list[Change]]] = {}
    for step in steps:
        for place, (name, change) in enumerate(changes_of(step)):
            yield name, change
            # Steps that are alike come of one line of the formula.
            for key in ((name, place, _likeness(step, _DEEP)), name):
                together.setdefault(key, (name, []))[1].append(change)
    seen = set()
    for name, changes in together.values():
        if len(changes) > 1 and tuple(changes) not in seen:
            seen.add(tuple(changes))
            yield name, partial(first_of, changes)


def first_of(changes: list[Change], step: Array, reads: tuple[Array, ...]) -> Array | None:
    """Return what the first of some changes makes of a step."""
    found = (change(step, reads) for change in changes)
    return next((it for it in found if it is not None), None)


def _likeness(step: Array, depth: int) -> object:
    """Return what is the same for two steps that do the same with different arrays."""
    if step.op == "constant":
        return str(step.value) if step.shape == () else step.op
    read = read_by(step) if depth else ()
    named = step.value if isinstance(step.value, str | float) else None
    return step.op, named, tuple(_likeness(it, depth - 1) for it in read)


def _again(step: Array, reads: tuple[Array, ...]) -> Array:
    """Return the same step of other arrays."""
    if step.wrt is None:
        return replace(step, args=reads)
    function = OF_FORMS[step.value]
    found = function(reads[0])
    return found if found.shape == step.shape else Array("reshape", (found,), step.shape)
