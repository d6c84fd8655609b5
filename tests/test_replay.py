"""The noise that was recorded can be judged again."""

from __future__ import annotations

import importlib.util
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


def test_recorded_runs_of_the_same_code_raise_no_alarm_and_a_slowed_one_is_found(
    replay: Any,
) -> None:
    runs = replay.recorded()
    base, new = (replay.joined(*runs[at : at + 2]) for at in (4, 6))

    slower = compare_times(base, replay.slowed(new, "torch")).slower

    assert len(runs) == 21
    assert compare_times(base, new).regressions == ()
    assert {it.who.implementation for it in slower} == {"planted_torch.softmax_steady"}
