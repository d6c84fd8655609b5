"""Apply the gate to recorded runs: each `recorded_*.npz` has runs of the same code, of nine passes.

    python scripts/gate/replay.py
    python scripts/gate/replay.py --record lossdiff-out/gate recorded_third.npz

After a change of the gate this shows in minutes how its false alarms and its findings change, with
all frameworks and as if each had been timed alone. For each benchmark and pass the file has the
time that one round in twenty does not exceed, on the machine that docs/timing.md names.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from lossdiff.harness.comparing.snapshot import BenchmarkKey, PassTime, RunSnapshot, read_snapshot
from lossdiff.harness.comparing.times import compare_times
from numpy.typing import NDArray
from scipy import stats

HERE = Path(__file__).parent
FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")


def main() -> None:
    """Print the counts, after recording other runs if that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--record",
        nargs=2,
        metavar=("FOLDER", "NAME"),
        help="of `experiment.py`, and of the file beside this one",
    )
    given = parser.parse_args().record
    if given:
        record(Path(given[0]), HERE / given[1])
    for path in sorted(HERE.glob("recorded_*.npz")):
        runs = recorded(path)
        print(f"--- {path.name}")
        spreads(runs)
        print("with all frameworks")
        show(runs, FRAMEWORKS)
        for framework in FRAMEWORKS:
            print(f"with {framework} alone")
            show([alone(run, framework) for run in runs], [framework])


def record(folder: Path, out: Path) -> None:
    """Store the fastest calls of the runs of an experiment."""
    # By number: sorted as text, run10 would precede run2.
    paths = sorted(folder.glob("run*.sqlite"), key=lambda path: int(path.stem.removeprefix("run")))
    runs = [read_snapshot(path) for path in paths]
    # Only benchmarks of all runs, so that the times are one array: run, benchmark, pass.
    keys = sorted(set.intersection(*(set(run.times) for run in runs)))
    fastest = [[[it.fastest for it in run.times[key].values()] for key in keys] for run in runs]
    clocks = [list(run.clocks.values()) for run in runs]
    np.savez_compressed(
        out,
        keys=np.array(keys),
        fastest=np.array(fastest, np.float32),
        clocks=np.array(clocks, np.float32),
    )


def recorded(path: Path) -> list[RunSnapshot]:
    """Return the recorded runs with the parts that the comparison of times reads."""
    with np.load(path) as data:
        keys = [BenchmarkKey(*map(str, key)) for key in data["keys"]]
        runs = zip(data["fastest"].tolist(), data["clocks"].tolist(), strict=True)
        return [
            RunSnapshot(path, {}, {}, {}, times_of(keys, times), dict(enumerate(clocks)), {})
            for times, clocks in runs
        ]


def times_of(
    keys: list[BenchmarkKey], times: list[list[float]]
) -> dict[BenchmarkKey, dict[int, PassTime]]:
    """Return the times of one run."""
    return {
        key: {number: PassTime(time, time) for number, time in enumerate(passes)}
        for key, passes in zip(keys, times, strict=True)
    }


def alone(run: RunSnapshot, framework: str) -> RunSnapshot:
    """Return a run with the benchmarks of one framework only."""
    times = {key: passes for key, passes in run.times.items() if key.framework == framework}
    return replace(run, times=times)


def slowed(run: RunSnapshot, framework: str) -> RunSnapshot:
    """Return a run in which the slowed softmax takes the place of the steady one."""
    one, other = (f"planted_{framework}.softmax_{name}" for name in ("slowed", "steady"))
    times = {
        key._replace(implementation=other) if key.implementation == one else key: passes
        for key, passes in run.times.items()
        if key.implementation != other
    }
    return replace(run, times=times)


def spreads(runs: Sequence[RunSnapshot]) -> None:
    """Print how far the fastest calls of the same code differ, framework by framework."""
    # Differences of logarithms are relative changes. The difference of two runs has twice the
    # variance of one, hence the square root.
    keys = list(runs[0].times)
    times = np.log(
        [[[it.fastest for it in run.times[key].values()] for run in runs] for key in keys]
    )
    of_passes = deviation((times - np.median(times, 2, keepdims=True)).reshape(len(keys), -1))
    of_runs = deviation(np.diff(times.min(2))) / np.sqrt(2)
    for framework in FRAMEWORKS:
        mine = [key.framework == framework for key in keys]
        for name, values in (("from pass to pass", of_passes), ("from run to run", of_runs)):
            middle, high = np.percentile(values[mine], [50, 90])
            print(f"{framework}: {name} {middle:.1%}, for a tenth of the benchmarks {high:.1%}")


def deviation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the robust standard deviation of each row."""
    return np.asarray(stats.median_abs_deviation(values, axis=1, scale="normal"))


def show(runs: Sequence[RunSnapshot], frameworks: Sequence[str]) -> None:
    """Print how many false alarms and how many planted slowdowns the gate finds in all pairs."""
    pairs = list(combinations(runs, 2))
    alarms = sum(bool(compare_times(*pair).regressions) for pair in pairs)
    print(f"comparisons of the same code with a false alarm: {alarms} of {len(pairs)}")
    for framework in frameworks:
        planted = f"planted_{framework}.softmax_steady"
        found = 0
        for base, new in pairs:
            slower = compare_times(base, slowed(new, framework)).slower
            found += any(it.who.implementation == planted for it in slower)
        print(f"10% slower, {framework}: found in {found} of {len(pairs)}")


if __name__ == "__main__":
    main()
