from __future__ import annotations

import pytest
from lossdiff.reports.axis import axis, between


def test_equal_ratios_are_equal_distances() -> None:
    scale = axis([1e-6, 1e-2], str, margin=0.0)
    assert [scale.at(10.0**power) for power in range(-6, -1)] == [0, 25, 50, 75, 100]


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-9])
def test_what_is_below_the_axis_stands_at_its_beginning(value: float) -> None:
    assert axis([1.0, 10.0], str, margin=0.1).at(value) == 0.0


@pytest.mark.parametrize("values", [[], [0.0], [3.0], [3.0, 3.0]])
def test_one_number_or_none_has_an_axis(values: list[float]) -> None:
    scale = axis(values, str, margin=0.0)
    assert scale.high > scale.low


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.4), (0.0, 1.2), (-6.3, -2.1), (0.0, 300.0)])
def test_an_axis_has_a_few_round_ticks(low: float, high: float) -> None:
    ticks = between(low, high, "{:g}".format).ticks
    assert 2 <= len(ticks) <= 5
    assert [tick.at for tick in ticks] == sorted(tick.at for tick in ticks)
    assert {tick.text.strip("0.").partition("e")[0] for tick in ticks} <= {"1", "2", "3", "5"}


def test_the_grid_has_a_line_at_each_tick() -> None:
    scale = between(0.0, 2.0, str)
    assert scale.grid.count("linear-gradient") == len(scale.ticks)
    assert "50.0%" in scale.grid
