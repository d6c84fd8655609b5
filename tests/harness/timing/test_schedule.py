"""In which order processes run; `test_bench` has the schedule of one side."""

from __future__ import annotations

from itertools import groupby

from lossdiff.harness.timing.plan import TimedProcess
from lossdiff.harness.timing.schedule import in_turn


def processes(passes: int, core: int) -> list[TimedProcess]:
    names = ("torch", "jax")
    return [
        TimedProcess(2 * number + place, number, name, "one", core, ())
        for number in range(1, passes + 1)
        for place, name in enumerate(names)
    ]


def test_the_sides_follow_each_other_framework_by_framework() -> None:
    found = list(in_turn([processes(20, 0), processes(20, 1)], seed=0))

    turns = [
        [(side, it.core) for side, it in members]
        for _, members in groupby(found, key=lambda item: (item[1].pass_number, item[1].framework))
    ]
    assert len(turns) == 40
    assert all(sorted(side for side, _ in turn) == [0, 1] for turn in turns)
    assert all(len({core for _, core in turn}) == 1 for turn in turns)


def test_which_side_comes_first_is_left_to_chance_and_repeatable() -> None:
    sides = [processes(20, 0), processes(20, 0)]
    found = list(in_turn(sides, seed=1))

    first = [side for side, _ in found[::2]]
    assert 10 < sum(first) < 30
    assert found == list(in_turn(sides, seed=1))
    assert found != list(in_turn(sides, seed=2))


def test_a_side_that_lacks_a_framework_leaves_the_other_one_alone() -> None:
    only = [it for it in processes(3, 0) if it.framework == "jax"]

    found = list(in_turn([processes(3, 0), only], seed=0))

    assert [side for side, it in found if it.framework == "torch"] == [0, 0, 0]
    assert sorted(side for side, it in found if it.framework == "jax") == [0, 0, 0, 1, 1, 1]


def test_one_side_keeps_its_order() -> None:
    mine = processes(3, 0)

    assert [it for _, it in in_turn([mine], seed=0)] == mine
