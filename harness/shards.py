"""Shards: a run in parts, each as long as the others.

Cases of one signature stay together, so that nothing is compiled in two parts; searches for the
domain of validity are dealt out by what they sweep.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

import numpy as np

from ..cases.model import Case
from ..cases.suites import Suite
from .domain import Search

# What a question takes, in units of a plain one: measured on one machine, it is the ratios that
# matter, and roughly.
_COMPILING = 200.0  # a signature that compilers see
_PREPARING = 10.0  # a signature: tracing, and operators that are compiled for its shapes
_PROBING = 12.0  # a case that is asked again and in other forms
_ELEMENTS = 5000  # as many more elements take as long as the question itself


def expected_cost(suite: Suite, cases: list[Case]) -> float:
    """Return what the cases of one signature are expected to take, in plain questions."""
    compiled = any(suite.is_compiled(case, "jit") for case in cases)
    asked = sum(
        (_PROBING if case.is_probed else 1.0) * (1 + int(np.prod(case.shape)) / _ELEMENTS)
        for case in cases
    )
    return _PREPARING + _COMPILING * compiled + asked


def sharded(suite: Suite, shard: tuple[int, int]) -> Suite:
    """Return one of several parts of a suite: part and number, from 1 on.

    All parts together have each case once.
    """
    part, parts = shard
    if parts == 1:
        return suite
    signatures: dict[str, list[Case]] = {}
    for case in suite.cases:
        signatures.setdefault(str(case.signature), []).append(case)
    costs = {name: expected_cost(suite, cases) for name, cases in signatures.items()}
    loads, mine = [0.0] * parts, set()
    for name in sorted(costs, key=lambda name: (-costs[name], name)):
        place = loads.index(min(loads))
        loads[place] += costs[name]
        if place == part - 1:
            mine.add(name)
    cases = tuple(case for case in suite.cases if str(case.signature) in mine)
    return replace(suite, cases=cases)


def takes(shard: tuple[int, int], search: Search) -> bool:
    """Whether a shard takes a search, and all of the same mode, dtype and sweep."""
    part, parts = shard
    text = f"{search.claim.framework}/{search.mode}/{search.dtype}/{search.sweep.name}"
    number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
    return number % parts == part - 1
