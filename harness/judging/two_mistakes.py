"""Name two mistakes in one gradient: what comes in is ignored, and something else is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from .mistake import GRADIENTS, Mistake
from .mistakes import MISTAKES
from .problem import Problem
from .steps import Steps
from .traced import Array

AS_WELL = ", and the incoming gradient is ignored"


def _ignoring(steps: Steps) -> Steps:
    """Return steps that take an incoming gradient of 1 for what comes in."""

    def ones(problem: Problem, v: Array) -> Array:
        return steps.incoming(problem, np.ones_like(v))

    return replace(steps, incoming=ones)


def _as_well(mistake: Mistake) -> Mistake:
    return replace(
        mistake,
        name=mistake.name + AS_WELL,
        make=lambda: _ignoring(mistake.make()),
        quantities=tuple(it for it in mistake.quantities if it in GRADIENTS),
    )


def ignoring_incoming(mistakes: Iterable[Mistake] = MISTAKES) -> tuple[Mistake, ...]:
    """Return the mistakes of gradients, each in a backward pass that ignores what comes in.

    >>> ignoring_incoming()[0].name.endswith(", and the incoming gradient is ignored")
    True
    """
    return tuple(map(_as_well, mistakes))
