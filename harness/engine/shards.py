"""Divide a run into shards that take equally long.

Cases of one signature stay together, so that nothing is compiled in two shards. Searches for the
domain of validity are distributed by their sweeps.
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

# The unit of cost is one plain call of a small case.
_PREPARING = 10.0  # tracing a signature and compiling its operators
_PROBING = 12.0  # a case that is repeated and transformed
_ELEMENTS = 5000  # this many elements double the cost of a call
_Cost = tuple[float, float]  # of calls, and of compilations: a framework may have one of them only


def expected_cost(suite: Suite, cases: list[Case]) -> _Cost:
    """Return the expected cost of the cases of one signature.

    Calls and compilations are counted separately: the ratio of their times differs between
    frameworks, and the same shards must suit all of them.

    Args:
        suite: the suite, which decides what is compiled.
        cases: all of its cases with one signature.
    """
    compiled = any(map(suite.is_compiled, cases))
    asked = sum(
        (_PROBING if case.is_probed else 1.0) * (1 + int(np.prod(case.shape)) / _ELEMENTS)
        for case in cases
    )
    return _PREPARING + asked, float(compiled)


def sharded(suite: Suite, shard: tuple[int, int]) -> Suite:
    """Return one shard of a suite; all shards together have each case once.

    Args:
        suite: the whole suite.
        shard: number of the shard, from 1 on, and the number of shards.
    """
    part, parts = shard
    if parts == 1:
        return suite
    signatures = groupby(suite.cases, key=lambda case: str(case.signature))
    costs = {name: expected_cost(suite, list(same)) for name, same in signatures}
    mine = _distributed(costs, parts)[part - 1]
    return replace(suite, cases=Cases(case for case in suite.cases if str(case.signature) in mine))


def _distributed(costs: dict[str, _Cost], parts: int) -> list[set[str]]:
    """Distribute signatures to shards, the longest first, each to the one with most room for it."""
    totals = [sum(column) or 1.0 for column in zip(*costs.values(), strict=True)] or [1.0, 1.0]
    fractions = {
        name: tuple(cost / total for cost, total in zip(pair, totals, strict=True))
        for name, pair in costs.items()
    }
    loads, shards = [(0.0, 0.0)] * parts, [set[str]() for _ in range(parts)]
    for name in sorted(fractions, key=lambda name: (-sum(fractions[name]), name)):
        asking, compiling = fractions[name]
        # Adding to the shard where the sum of the squared loads grows least keeps both kinds of
        # cost even.
        grows = [load[0] * asking + load[1] * compiling for load in loads]
        place = grows.index(min(grows))
        loads[place] = (loads[place][0] + asking, loads[place][1] + compiling)
        shards[place].add(name)
    return shards


def takes(shard: tuple[int, int], search: ValiditySearch) -> bool:
    """Return whether a shard takes a search.

    All searches of one framework, mode, dtype and sweep are in the same shard.

    Args:
        shard: number of the shard, from 1 on, and the number of shards.
        search: the search.
    """
    # A digest of the names distributes them evenly, and equally in all processes: Python's own
    # hash of a string differs between them.
    part, parts = shard
    text = f"{search.claim.framework}/{search.mode}/{search.dtype}/{search.sweep.name}"
    number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
    return number % parts == part - 1
