"""The experiment with the gate, but for the runs: what came of them is given."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from .scripts import script


@pytest.fixture(scope="module")
def experiment() -> Any:
    return script("gate/experiment.py")


def pair(experiment: Any, *, alarms: int = 0, found: bool = True, bit_found: bool = True) -> Any:
    planted = experiment.Planted(0.11, found, bit_found)
    return experiment.Pair(("slower",) * alarms, 0.01, {"torch": planted})


@pytest.mark.parametrize(
    ("last", "status"),
    [
        ({}, 0),
        ({"found": False}, 0),  # 19 of 20
        ({"alarms": 1}, 1),
        ({"bit_found": False}, 1),
    ],
)
def test_one_missed_slowdown_in_twenty_is_allowed_and_nothing_else(
    experiment: Any, capsys: pytest.CaptureFixture[str], last: dict[str, Any], status: int
) -> None:
    pairs = [pair(experiment)] * 19 + [pair(experiment, **last)]

    assert experiment.summary(pairs) == status

    said = capsys.readouterr().out
    assert f"with a false alarm: {last.get('alarms', 0)} of 20" in said
    assert f"found in {20 - (last.get('found') is False)} of 20" in said


def test_two_missed_slowdowns_in_twenty_are_too_many(experiment: Any) -> None:
    pairs = [pair(experiment)] * 18 + [pair(experiment, found=False)] * 2

    assert experiment.summary(pairs) == 1


def test_a_pair_says_what_was_missed(experiment: Any) -> None:
    missed = pair(experiment, alarms=1, found=False, bit_found=False)

    assert experiment.line("run1, run2", missed) == (
        "run1, run2: 1 false alarms, drift +1.0%; torch: slower by 11.0% MISSED; "
        "torch: wrong bit MISSED\n    slower"
    )


def test_a_single_run_has_nothing_to_be_compared_with(
    experiment: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["experiment.py", "--runs", "1"])

    with pytest.raises(SystemExit):
        experiment.main()

    assert "--runs 1: allowed are 2 and more" in capsys.readouterr().err
