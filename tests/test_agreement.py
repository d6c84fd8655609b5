"""The comparison of clocks, but for the clocks: what they say is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from lossdiff.harness.timing.benchmarks import Benchmark
from lossdiff.harness.timing.plan import TimedProcess

from .scripts import script

SMALL, LARGE = "softmax/float32/64x10/normal/-/0", "softmax/float32/256x50257/normal/-/0"


@pytest.fixture(scope="module", name="script")
def agreement() -> Any:
    return script("agreement.py")


def test_clocks_are_compared_turn_by_turn(script: Any) -> None:
    """The machine was half as fast in the last turn; both saw it."""
    found = script.agreement("torch", SMALL, [(1.02, 1.0), (1.01, 1.0), (2.02, 2.0)])

    assert found.name == "torch.nn.functional.softmax eager 64x10"
    assert found.apart == pytest.approx(0.01)
    assert (found.ours, found.theirs) == (1.02, 1.0)


def test_each_case_is_timed_once_and_hot_where_it_can_be(script: Any) -> None:
    def benchmark(case: str, cache: Any, mode: str = "jit") -> Benchmark:
        return Benchmark("jax", "jax.nn.softmax", mode, "cpu", "forward", case, "one", cache)

    hot, cold, only = (
        benchmark(SMALL, "hot"), benchmark(SMALL, "cold"), benchmark(LARGE, "cold")
    )  # fmt: skip
    other = benchmark(SMALL, "hot", "eager")

    process = TimedProcess(1, 1, "jax", "one", 0, (hot, cold, only, other))

    assert set(script.picked(process).benchmarks) == {hot, only}


@pytest.mark.parametrize(
    ("first_turn", "expected"),
    [(0, ["benchmark", SMALL, SMALL, "benchmark"]), (1, [SMALL, "benchmark", "benchmark", SMALL])],
)
def test_the_other_clock_comes_now_after_the_benchmark_and_now_before_it(
    script: Any, first_turn: int, expected: list[str]
) -> None:
    said: list[str] = []

    def timer(case: Any, copies: int) -> Any:
        return lambda: said.append(case.id) or 0.5

    clock = script.OtherClock(timer, first_turn)
    for turn in (0, 1):
        item = SimpleNamespace(callspec=SimpleNamespace(
            params={"turn": turn, "item": SimpleNamespace(case=SMALL, cache="hot")}
        ))  # fmt: skip
        around = clock.pytest_runtest_call(item)
        next(around)
        said.append("benchmark")
        assert next(around, "ended") == "ended"
    for around in [clock.pytest_runtest_call(SimpleNamespace())]:  # no benchmark of ours
        assert list(around) == [None]

    assert said == expected
    assert clock.times == {SMALL: [0.5, 0.5]}


def test_of_cold_inputs_the_other_clock_has_as_many_copies(
    script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script.machine, "cache_bytes", lambda: 2**28)
    found: list[int] = []

    def timer(case: Any, copies: int) -> Any:
        found.append(copies)
        return lambda: 0.5

    clock = script.OtherClock(timer)
    for case, cache in ((SMALL, "hot"), (LARGE, "cold")):
        item = Benchmark("jax", "jax.nn.softmax", "jit", "cpu", "forward", case, "one", cache)
        clock._time(item)

    assert found == [1, 11]  # 2 times 256 MiB over 256 * 50257 * 4 bytes
