"""The noise that was recorded can be judged again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from lossdiff.harness.comparing.times import compare_times

from .scripts import script


@pytest.fixture(scope="module")
def replay() -> Any:
    return script("gate/replay.py")


@pytest.fixture(scope="module", params=["first", "second"])
def pairs(replay: Any, request: pytest.FixtureRequest) -> list[tuple[Any, Any]]:
    """Return neighbours."""
    return list(pairwise(replay.recorded(replay.HERE / f"recorded_{request.param}.npz")))


def test_recorded_runs_of_the_same_code_raise_no_alarm(pairs: Any) -> None:
    assert [compare_times(base, new).regressions for base, new in pairs] == [()] * len(pairs)


@pytest.mark.parametrize("framework", ["numpy", "torch", "tensorflow", "jax"])
def test_a_slowed_implementation_is_found_in_every_recorded_pair_of_neighbours(
    replay: Any, pairs: Any, framework: str
) -> None:
    for base, new in pairs:
        slower = compare_times(base, replay.slowed(new, framework)).slower
        assert {it.who.implementation for it in slower} == {f"planted_{framework}.softmax_steady"}


def test_a_run_may_be_taken_as_if_it_held_one_framework(replay: Any, pairs: Any) -> None:
    base, new = (replay.alone(run, "torch") for run in pairs[0])

    assert {key.framework for key in base.times} == {"torch"}
    drift = min(new.clocks.values()) / min(base.clocks.values()) - 1
    assert compare_times(base, new).drift == pytest.approx(drift)  # of the reference kernel
