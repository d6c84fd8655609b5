"""Shards: a run in parts, each as long as the others.

Cases of one signature stay together, so that nothing is compiled in two parts; searches for the
domain of validity are dealt out by what they sweep.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from itertools import groupby

import numpy as np

from ...cases.model import Case
from ...cases.packed import Cases
from ...cases.suites import Suite
from .validity import ValiditySearch

_PREPARING = 10.0  # plain questions: a signature is traced, its operators are compiled
_PROBING = 12.0  # plain questions: a case that is asked again and in other forms
_ELEMENTS = 5000  # as many more elements take as long as the question itself
_Cost = tuple[float, float]  # of asking, and of compiling: a framework may do one of them alone


def expected_cost(suite: Suite, cases: list[Case]) -> _Cost:
    """Return what the cases of one signature are expected to take.

    In plain questions, and in compilations: their ratio is another in each framework, and the
    same shards must serve all of them.
    """
    compiled = any(map(suite.is_compiled, cases))
    asked = sum(
        (_PROBING if case.is_probed else 1.0) * (1 + int(np.prod(case.shape)) / _ELEMENTS)
        for case in cases
    )
    return _PREPARING + asked, float(compiled)


def sharded(suite: Suite, shard: tuple[int, int]) -> Suite:
    """Return one of several parts of a suite: part and number, from 1 on.

    All parts together have each case once.
    """
    part, parts = shard
    if parts == 1:
        return suite
    signatures = groupby(suite.cases, key=lambda case: str(case.signature))
    costs = {name: expected_cost(suite, list(same)) for name, same in signatures}
    mine = _dealt(costs, parts)[part - 1]
    return replace(suite, cases=Cases(case for case in suite.cases if str(case.signature) in mine))


def _dealt(costs: dict[str, _Cost], parts: int) -> list[set[str]]:
    """Deal signatures out, the longest first, each to where most room is left for it."""
    totals = [sum(column) or 1.0 for column in zip(*costs.values(), strict=True)] or [1.0, 1.0]
    shares = {
        name: tuple(cost / total for cost, total in zip(pair, totals, strict=True))
        for name, pair in costs.items()
    }
    loads, dealt = [(0.0, 0.0)] * parts, [set[str]() for _ in range(parts)]
    for name in sorted(shares, key=lambda name: (-sum(shares[name]), name)):
        asking, compiling = shares[name]
        # Where the sum of the squares grows least: both kinds of cost are kept even.
        grows = [load[0] * asking + load[1] * compiling for load in loads]
        place = grows.index(min(grows))
        loads[place] = (loads[place][0] + asking, loads[place][1] + compiling)
        dealt[place].add(name)
    return dealt


def takes(shard: tuple[int, int], search: ValiditySearch) -> bool:
    """Whether a shard takes a search, and all of the same mode, dtype and sweep."""
    part, parts = shard
    text = f"{search.claim.framework}/{search.mode}/{search.dtype}/{search.sweep.name}"
    number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
    return number % parts == part - 1
