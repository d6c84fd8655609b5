"""Shards: each case once, signatures together, and the parts alike."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from lossdiff.backends.claim import Claim
from lossdiff.cases.model import Case
from lossdiff.cases.suites import Suite, suite
from lossdiff.cases.sweeps import SWEEPS
from lossdiff.harness.engine.shards import expected_cost, sharded, takes
from lossdiff.harness.engine.validity import ValiditySearch

CLAIM = Claim("acme.softmax", "torch", "softmax", "user", frozenset(), frozenset())


@cache
def quick() -> Suite:
    return suite("quick")


@cache
def parts_of_quick(number: int) -> tuple[Suite, ...]:
    return tuple(sharded(quick(), (part, number)) for part in range(1, number + 1))


def cost(part: Suite) -> tuple[float, float]:
    """Return what asking and compiling a part is expected to take."""
    signatures: dict[str, list[Case]] = {}
    for case in part.cases:
        signatures.setdefault(str(case.signature), []).append(case)
    asking, compiling = zip(*(expected_cost(part, it) for it in signatures.values()), strict=True)
    return sum(asking), sum(compiling)


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_all_parts_together_have_each_case_once_and_in_order(number: int) -> None:
    parts = parts_of_quick(number)

    asked = Counter(case.id for part in parts for case in part.cases)

    assert asked == Counter(case.id for case in quick().cases)
    order = {case.id: place for place, case in enumerate(quick().cases)}
    for part in parts:
        places = [order[case.id] for case in part.cases]
        assert places == sorted(places)


@pytest.mark.parametrize("number", [2, 3, 7])
def test_a_signature_is_compiled_in_one_part_alone(number: int) -> None:
    homes: dict[str, set[int]] = {}
    for place, part in enumerate(parts_of_quick(number)):
        for case in part.cases:
            homes.setdefault(str(case.signature), set()).add(place)

    assert all(len(home) == 1 for home in homes.values())


@pytest.mark.parametrize("number", [2, 3, 7])
def test_parts_take_about_as_long_as_each_other(number: int) -> None:
    """Both for who only asks and for who compiles."""
    asking, compiling = zip(*map(cost, parts_of_quick(number)), strict=True)

    assert max(asking) <= 1.1 * sum(asking) / number
    assert max(compiling) <= sum(compiling) / number + 1


def test_a_part_keeps_what_the_suite_is() -> None:
    part = sharded(quick(), (1, 2))

    assert (part.name, part.compiled, part.operations) == ("quick", False, ())
    assert sharded(quick(), (1, 1)) == quick()


def test_there_may_be_more_parts_than_cases() -> None:
    one = Suite("tiny", quick().cases[:1])

    assert [len(sharded(one, (part, 3)).cases) for part in (1, 2, 3)] == [1, 0, 0]
    assert sharded(Suite("tiny", ()), (2, 3)).cases == ()


def test_each_search_has_one_home_and_every_part_has_some() -> None:
    searches = [
        ValiditySearch(CLAIM, mode, dtype, sweep)
        for mode in ("eager", "jit")
        for dtype in ("float16", "float32", "float64")
        for sweep in SWEEPS.values()
    ]

    homes = [[part for part in (1, 2, 3) if takes((part, 3), search)] for search in searches]

    assert all(len(home) == 1 for home in homes)
    assert {part for (part,) in homes} == {1, 2, 3}
    assert all(takes((1, 1), search) for search in searches)
