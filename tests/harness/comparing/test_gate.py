"""The gate on runs that were drawn: how often it raises a false alarm and finds ten percent.

Whole runs are drawn as they are measured: a machine that drifts, processes that differ, each
benchmark's own noise. What is slowed is so forward, and in part with the gradient.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from lossdiff.harness.comparing.history import history
from lossdiff.harness.comparing.snapshot import BenchmarkKey, PassTime, RunSnapshot
from lossdiff.harness.comparing.times import FEW, TimeComparison, Who, compare_times
from lossdiff.harness.runfile import IN_TURN

FRAMEWORKS = ("numpy", "torch", "jax", "tensorflow")
PAIRS = 10
SLOWED = Who("torch", "torch.f1", "eager", "cpu", "one", "forward")
KEYS = tuple(
    BenchmarkKey(
        framework, f"{framework}.f{number}", mode, "cpu", f"softmax/float32/{shape}/normal/-/0",
        direction, "one", cache,
    )
    for framework in FRAMEWORKS
    for number in range(5)
    for mode in (("eager", "jit") if framework in ("jax", "tensorflow") else ("eager",))
    for direction in ("forward", "forward+backward")
    for shape, cache in (("64x10", "hot"), ("50000x10", "hot"), ("50000x10", "cold"))
)  # fmt: skip


@dataclass(frozen=True)
class Noise:
    """Standard deviations, as shares; the noise is normal but for `delay`.

    Attributes:
        process: what a process does to all of its benchmarks.
        own: each benchmark's own, from pass to pass.
        between: each benchmark's own, from run to run.
        kinds: by how much half of all processes are slower than the others.
        delay: each benchmark's own, from pass to pass, which only adds: exponential.
    """

    process: float
    own: float
    between: float = 0.0
    kinds: float = 0.0
    delay: float = 0.0


def drawn(
    draws: np.random.Generator, noise: Noise, passes: int, slowed: dict[str, float] | None = None
) -> RunSnapshot:
    """Draw one run; some frameworks or implementations are slowed by a share."""
    slowed = slowed or {}
    machine = draws.normal(0, 0.05) + draws.normal(0, 0.02, passes)
    processes = {
        name: draws.normal(0, noise.process, passes) + noise.kinds * draws.integers(2, size=passes)
        for name in FRAMEWORKS
    }
    times = {}
    for key in KEYS:
        share = slowed.get(key.framework, 0) + slowed.get(f"{key.implementation} {key.mode}", 0)
        logs = machine + processes[key.framework] + draws.normal(0, noise.own, passes)
        logs += draws.normal(0, noise.between)
        if noise.delay:
            logs += draws.exponential(noise.delay, passes)
        logs += np.log1p(share if key.direction == "forward" else 0.35 * share)
        seconds = 1e-3 * np.exp(logs)
        times[key] = {n: PassTime(one, one) for n, one in enumerate(seconds.tolist())}
    clocks = dict(enumerate((1e-5 * np.exp(machine)).tolist()))
    return RunSnapshot(Path("run.sqlite"), {}, {}, {}, times, clocks, {})


def judged(
    seed: int, noise: Noise, passes: int = 9, slowed: dict[str, float] | None = None
) -> TimeComparison:
    """Compare two runs of the same code, but for what is slowed."""
    draws = np.random.default_rng(seed)
    return compare_times(drawn(draws, noise, passes), drawn(draws, noise, passes, slowed))


def blamed(times: TimeComparison) -> set[str]:
    return {f"{it.who.implementation} {it.who.mode}" for it in times.slower}


@pytest.mark.parametrize(
    "noise",
    [
        Noise(process=0.02, own=0.003),
        Noise(process=0.003, own=0.02),
        Noise(process=0.01, own=0.02, between=0.02),
        Noise(process=0.02, own=0.08),
        Noise(process=0.01, own=0.01, kinds=0.3),
    ],
)
def test_the_same_code_raises_no_alarm(noise: Noise) -> None:
    assert [blamed(judged(seed, noise)) for seed in range(PAIRS)] == [set()] * PAIRS


@pytest.mark.parametrize(
    ("noise", "least"),
    [
        (Noise(process=0.01, own=0.01), 10),
        (Noise(process=0.003, own=0.02), 10),
        (Noise(process=0.01, own=0.02), 9),
        (Noise(process=0.003, own=0.003, delay=0.02), 9),
        (Noise(process=0.003, own=0.003, delay=0.05), 9),
    ],
)
def test_ten_percent_of_one_implementation_are_found(noise: Noise, least: int) -> None:
    found = []
    for seed in range(PAIRS):
        slow = f"{FRAMEWORKS[seed % 4]}.f1 eager"
        found.append(blamed(judged(seed, noise, slowed={slow: 0.1})))
        assert found[-1] <= {slow}

    assert sum(map(bool, found)) >= least


def test_runs_that_were_timed_in_turn_have_no_drift_to_take_out() -> None:
    whole = drawn(np.random.default_rng(1), Noise(process=0.003, own=0.003), passes=9)
    mine = {key: times for key, times in whole.times.items() if key.framework == "torch"}
    base = replace(whole, times=mine)
    hurried = replace(base, clocks={number: 0.7 * one for number, one in base.clocks.items()})

    apart, turned = (
        compare_times(replace(base, meta=meta), replace(hurried, meta=meta))
        for meta in ({}, {IN_TURN: "one session"})
    )

    assert apart.drift == pytest.approx(-0.3)
    assert (turned.slower, turned.drift) == ((), None)


def test_other_sessions_were_not_in_turn() -> None:
    run = drawn(np.random.default_rng(1), Noise(process=0.003, own=0.003), passes=9)
    one, other = (replace(run, meta={IN_TURN: name}) for name in ("one", "other"))

    assert compare_times(one, other).drift is not None


@pytest.mark.parametrize("passes", [3, 7])
def test_fewer_than_eight_passes_are_unclear_however_large_the_change(passes: int) -> None:
    times = judged(1, Noise(process=0.003, own=0.003), passes, {"torch.f1 eager": 1.0})

    changes = (*times.benchmarks, *times.implementations)
    assert {(it.verdict, it.reason) for it in changes} == {("unclear", FEW)}
    assert times.regressions == ()
    (told,) = [it.change for it in times.implementations if it.who == SLOWED]
    assert told == pytest.approx(1.0, abs=0.05)


def test_calm_runs_of_the_same_code_are_the_same() -> None:
    times = judged(1, Noise(process=0.003, own=0.003))

    verdicts = Counter(it.verdict for it in times.implementations)
    assert verdicts.keys() <= {"same", "unclear"}
    assert verdicts["same"] > 0.9 * verdicts.total()


def test_what_did_not_become_faster_with_the_rest_is_not_slower() -> None:
    faster = {f"torch.f{number} eager": -0.2 for number in range(1, 5)}

    for seed in range(PAIRS):
        times = judged(seed, Noise(process=0.002, own=0.003), slowed=faster)
        assert blamed(times) == set()
        assert "faster" in {it.verdict for it in times.implementations}


def test_a_framework_that_is_slower_as_a_whole_is_found() -> None:
    times = judged(1, Noise(process=0.005, own=0.005), slowed={"jax": 0.1})

    assert {it.who.framework for it in times.slower} == {"jax"}


def test_a_step_that_one_benchmark_does_not_show_is_told_by_all_of_its_implementation() -> None:
    draws, noise = np.random.default_rng(4), Noise(process=0.003, own=0.025)
    slowed = [{}, {}, {"torch.f1 eager": 0.1}, {"torch.f1 eager": 0.1}]
    found = history([drawn(draws, noise, 9, share) for share in slowed])

    stepped = [it for it in found.trends if it.step is not None]
    assert {it.key.implementation for it in stepped} == {"torch.f1"}
    assert {(it.step, it.verdict) for it in stepped} == {(2, "slower")}
    assert len([it for it in stepped if it.key.direction == "forward"]) == 3
