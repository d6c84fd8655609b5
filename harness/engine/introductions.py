"""Get to know the users' functions of a plan before anything is asked."""

from __future__ import annotations

from dataclasses import replace

from ...backends import FRAMEWORKS
from ...errors import DeviceAbsentError, LostError
from ..workers import (
    NO_SPARES,
    Introduction,
    Limits,
    Setup,
    Spares,
    introduce,
    share_of_memory,
)
from .plan import Plan, why_absent


def introduced(plan: Plan, spares: Spares = NO_SPARES) -> tuple[Plan, dict[str, Introduction]]:
    """Return a plan that knows its users' functions, and what became of each of them.

    Frameworks that do not start with the files are left to the run, which finds out whether the
    files or the framework are at fault.

    Args:
        plan: the plan; frameworks whose functions it knows already are not asked again.
        spares: keep the processes for the questions.

    Raises:
        UserFileError: a file cannot be used, or none of its functions is taken.
        DeclarationError: what is said of a function names something that does not exist.
    """
    met: dict[str, Introduction] = {}
    limits = Limits(plan.timeout, plan.memory or share_of_memory(1))
    for name in plan.frameworks:
        files = plan.extra.get(name, ())
        if not files or name in plan.learnt or why_absent(FRAMEWORKS[name], plan):
            continue
        setup = Setup(
            name,
            plan.device,
            files,
            cache=plan.cache,
            mode=plan.mode_of(name),
            python=plan.python,
        )
        try:
            met[name] = introduce(setup, limits, plan.suite.operations, spares=spares)
        except (LostError, DeviceAbsentError):
            continue
    learnt = {name: it.learnt for name, it in met.items()}
    return replace(plan, learnt={**plan.learnt, **learnt}), met
