"""The noise that was recorded can be judged again."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lossdiff.harness.comparison_time import compare_times

SCRIPT = Path(__file__).parents[1] / "scripts" / "gate" / "replay.py"


@pytest.fixture(scope="module")
def replay() -> Any:
    spec = importlib.util.spec_from_file_location("replay", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pairs(replay: Any) -> list[tuple[Any, Any]]:
    """Return neighbours of six passes each."""
    return list(pairwise(replay.doubled(replay.recorded())))


def test_recorded_runs_of_the_same_code_raise_no_alarm(pairs: Any) -> None:
    assert [compare_times(base, new).regressions for base, new in pairs] == [()] * len(pairs)


def test_a_slowed_implementation_is_found_in_every_recorded_pair(replay: Any, pairs: Any) -> None:
    for base, new in pairs:
        slower = compare_times(base, replay.slowed(new, "torch")).slower
        assert {it.who.implementation for it in slower} == {"planted_torch.softmax_steady"}
