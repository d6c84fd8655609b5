"""Count the false alarms of the gate, and the planted faults that it finds.

    python scripts/gate/experiment.py --runs 7 --passes 9 --out lossdiff-out/gate

All runs are of the same code, and each is compared with every later one, so that any regression is
a false alarm. Every run also times three variants of each framework's softmax in the same
processes: unchanged, ten percent slower, and with one wrong bit. In a copy of the later run the
slower variant takes the name of the unchanged one, and the gate must find it; in another copy the
variant with the wrong bit does. Runs whose files exist are used again.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

from lossdiff.harness.comparing.compare import compare
from lossdiff.harness.comparing.snapshot import read_snapshot

HERE = Path(__file__).parent
FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")
TABLES = ("verdicts", "passes", "timings")
LEAST = 0.95  # share of the planted slowdowns that has to be found


@dataclass(frozen=True)
class Planted:
    """Whether the planted faults of one framework were found.

    Attributes:
        slowed: the measured slowdown, a fraction.
        found: whether the gate found it.
        bit_found: whether the comparison found the wrong bit.
    """

    slowed: float
    found: bool
    bit_found: bool


@dataclass(frozen=True)
class Pair:
    """The result of comparing two runs.

    Attributes:
        alarms: the regressions, all of them false alarms.
        drift: the common-mode drift, a fraction.
        planted: the planted faults by framework.
    """

    alarms: tuple[str, ...]
    drift: float
    planted: dict[str, Planted]


def main() -> int:
    """Run the experiment, and return 0 if the required figures are reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--passes", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("lossdiff-out/gate"))
    parser.add_argument("--backend", action="append", choices=FRAMEWORKS, default=[])
    options = parser.parse_args()
    if options.runs < 2:
        parser.error(f"--runs {options.runs}: allowed are 2 and more")
    names = tuple(options.backend) or FRAMEWORKS
    runs = [run(options, number, names) for number in range(1, options.runs + 1)]
    pairs = []
    for base, new in combinations(runs, 2):
        pairs.append(pair(base, new, names, options.out))
        print(line(f"{base.stem}, {new.stem}", pairs[-1]), flush=True)
    return summary(pairs)


def run(options: argparse.Namespace, number: int, names: tuple[str, ...]) -> Path:
    """Make one run unless its file exists."""
    path: Path = options.out / f"run{number}.sqlite"
    # The file gets its name when it is complete, so that an interrupted run is made again.
    if not path.exists():
        command = [
            sys.executable,
            "-m",
            "lossdiff",
            "bench",
            "--passes",
            str(options.passes),
            "--seed",
            str(number),
            "-o",
            str(path.with_suffix(".part")),
        ]
        for name in names:
            command += ["--backend", name, "--impl", f"{name}={HERE / f'planted_{name}.py'}"]
        print(f"run {number} of {options.runs}", flush=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"run {number} failed: {done.stderr.strip().splitlines()[-1]}")
        path.with_suffix(".part").rename(path)
    return path


def pair(base: Path, new: Path, frameworks: tuple[str, ...], out: Path) -> Pair:
    """Compare two runs of the same code, then again with faults planted in the later one."""
    whole = compare(base, new)
    return Pair(
        alarms=whole.regressions,
        drift=whole.times.drift or 0.0,
        planted={name: planted(base, new, name, out) for name in frameworks},
    )


def planted(base: Path, new: Path, framework: str, out: Path) -> Planted:
    """Plant the faults of one framework, and return whether they are found."""
    steady = f"planted_{framework}.softmax_steady"
    slow = renamed(new, out / "slowed.sqlite", f"planted_{framework}.softmax_slowed", steady)
    wrong = renamed(new, out / "flipped.sqlite", f"planted_{framework}.softmax_flipped", steady)
    flipped = [it for it in compare(base, wrong).accuracy if it.is_regression]
    return Planted(
        slowed=measured(new, framework),
        found=any(it.who.implementation == steady for it in compare(base, slow).times.slower),
        bit_found=any(it.answer.implementation == steady for it in flipped),
    )


def renamed(run_file: Path, copy: Path, one: str, other: str) -> Path:
    """Return a copy of a run in which one implementation takes the place of another."""
    shutil.copy(run_file, copy)
    # The context commits but does not close, and an open file could not be copied over on Windows.
    with sqlite3.connect(copy) as connection:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table} WHERE implementation = ?", (other,))
            connection.execute(
                f"UPDATE {table} SET implementation = ? WHERE implementation = ?", (other, one)
            )
    connection.close()
    return copy


def measured(run_file: Path, framework: str) -> float:
    """Return the median slowdown of the slowed implementation within the same processes."""
    return median(_ratios(run_file, framework)) - 1


def _ratios(run_file: Path, framework: str) -> Iterator[float]:
    times = read_snapshot(run_file).times
    for key, passes in times.items():
        other = key._replace(implementation=f"planted_{framework}.softmax_slowed")
        is_steady = key.implementation == f"planted_{framework}.softmax_steady"
        if is_steady and key.mode == "eager" and key.direction == "forward" and other in times:
            both = passes.keys() & times[other].keys()
            yield from (times[other][it].fastest / passes[it].fastest for it in both)


def line(name: str, it: Pair) -> str:
    """Return the result of one pair in a line, with a line for each false alarm."""
    missed = [
        f"; {framework}: {what} MISSED"
        for framework, found in it.planted.items()
        for what, is_found in (
            (f"slower by {found.slowed:.1%}", found.found),
            ("wrong bit", found.bit_found),
        )
        if not is_found
    ]
    return (
        f"{name}: {len(it.alarms)} false alarms, drift {it.drift:+.1%}"
        + "".join(missed)
        + "".join(f"\n    {alarm}" for alarm in it.alarms)
    )


def summary(pairs: list[Pair]) -> int:
    """Print the counts, and return 0 if the required figures are reached."""
    number, alarmed = len(pairs), sum(bool(it.alarms) for it in pairs)
    print(f"comparisons of the same code with a false alarm: {alarmed} of {number}")
    is_reached = not alarmed
    for framework in pairs[0].planted:
        found = [it.planted[framework] for it in pairs]
        slowed, bits = sum(it.found for it in found), sum(it.bit_found for it in found)
        print(
            f"{framework}: slowed by {median(it.slowed for it in found):.1%}, "
            f"found in {slowed} of {number}; wrong bit found in {bits}"
        )
        is_reached &= slowed >= LEAST * number and bits == number
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
