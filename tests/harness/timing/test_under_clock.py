"""What stands under the clock."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
from lossdiff.harness.timing.under_clock import calling


class Result:
    """What a call gives; it can be seen to be gone."""


def test_sets_of_arguments_take_turns() -> None:
    seen: list[tuple[Any, ...]] = []
    call = calling(lambda *given: seen.append(given), [["a", 1], ["b", 2]])

    for _ in range(3):
        call()

    assert seen == [("a", 1), ("b", 2), ("a", 1)]


def test_nothing_is_called_before_the_clock_starts() -> None:
    seen: list[str] = []

    calling(seen.append, [["a"]])

    assert seen == []


def test_each_result_is_waited_for_before_its_call_ends() -> None:
    waited: list[str] = []
    call = calling(str.upper, [["a"], ["b"]], waited.append)

    call()
    first = list(waited)
    call()

    assert (first, waited) == (["A"], ["A", "B"])


@pytest.mark.parametrize("wait", [None, lambda result: result], ids=["at once", "waited"])
def test_a_result_is_gone_when_its_call_ends(wait: Any) -> None:
    alive: list[weakref.ref[Result]] = []

    def function() -> Result:
        result = Result()
        alive.append(weakref.ref(result))
        return result

    returned = calling(function, [[]], wait)()

    assert not isinstance(returned, Result)
    assert [one() for one in alive] == [None]


def test_an_error_is_not_swallowed_and_the_next_call_is_made() -> None:
    seen: list[int] = []

    def function(number: int) -> None:
        seen.append(number)
        if number == 1:
            raise ValueError("once")

    call = calling(function, [[1], [2]])
    with pytest.raises(ValueError, match="once"):
        call()
    call()

    assert seen == [1, 2]
