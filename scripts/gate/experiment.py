"""Count how often the gate cries wolf, and how often it sees what is planted.

    python scripts/gate/experiment.py --count 20 --passes 6 --out lossdiff-out/gate

One run more than `--count` is made, all of the same code. Neighbours are compared: what the gate
calls a regression is a false alarm. In every run each framework also has its softmax as it is, ten
percent slower, and with one bit wrong, timed in the same processes. In a copy of the later run the
slowed one takes the name of the steady one: the gate must find it. In another copy the one with the
wrong bit does. Runs that are there already are used again.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from lossdiff.harness.comparison import compare
from lossdiff.harness.sides import read_side

HERE = Path(__file__).parent
FRAMEWORKS = ("numpy", "torch", "tensorflow", "jax")  # planted in turn
TABLES = ("verdicts", "passes", "timings")


@dataclass(frozen=True)
class Pair:
    """What two neighbouring runs gave."""

    alarms: tuple[str, ...]
    shift: float
    noise: float
    planted: str
    slowed: float
    found: bool
    bit_found: bool


def main() -> int:
    """Run the experiment; 0 where the figures are reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("lossdiff-out/gate"))
    parser.add_argument("--backend", action="append", choices=FRAMEWORKS, default=[])
    options = parser.parse_args()
    names = tuple(options.backend) or FRAMEWORKS
    runs = [run(options, number, names) for number in range(options.count + 1)]
    pairs = []
    for number, (base, new) in enumerate(pairwise(runs)):
        pairs.append(pair(base, new, names[number % len(names)], options.out))
        print(line(number, pairs[-1]), flush=True)
    return summary(pairs)


def run(options: argparse.Namespace, number: int, names: tuple[str, ...]) -> Path:
    """Make one run, unless it is there."""
    path: Path = options.out / f"run{number}.sqlite"
    if not path.exists():
        command = [sys.executable, "-m", "lossdiff", "bench", "--passes", str(options.passes),
                   "--seed", str(number), "-o", str(path.with_suffix(".part"))]  # fmt: skip
        for name in names:
            command += ["--backend", name, "--impl", f"{name}={HERE / f'planted_{name}.py'}"]
        print(f"run {number} of {options.count}", flush=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"run {number} failed: {done.stderr.strip().splitlines()[-1]}")
        path.with_suffix(".part").rename(path)
    return path


def pair(base: Path, new: Path, framework: str, out: Path) -> Pair:
    """Compare two runs of the same code, then the later one with something planted."""
    whole = compare(base, new)
    steady = f"planted_{framework}.softmax_steady"
    slow = renamed(new, out / "slowed.sqlite", f"planted_{framework}.softmax_slowed", steady)
    wrong = renamed(new, out / "flipped.sqlite", f"planted_{framework}.softmax_flipped", steady)
    flipped = [it for it in compare(base, wrong).accuracy if it.is_regression]
    return Pair(
        alarms=whole.regressions,
        shift=whole.times.shift or 0.0,
        noise=whole.times.noise or 0.0,
        planted=steady,
        slowed=measured(new, framework),
        found=any(it.who.implementation == steady for it in compare(base, slow).times.slower),
        bit_found=any(it.answer.implementation == steady for it in flipped),
    )


def renamed(run_file: Path, copy: Path, one: str, other: str) -> Path:
    """Copy a run in which one implementation takes the place of another."""
    shutil.copy(run_file, copy)
    with sqlite3.connect(copy) as connection:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table} WHERE implementation = ?", (other,))
            connection.execute(
                f"UPDATE {table} SET implementation = ? WHERE implementation = ?", (other, one)
            )
    connection.close()
    return copy


def measured(run_file: Path, framework: str) -> float:
    """By how much the slowed one was slower than the steady one in the same processes."""
    return median(_ratios(run_file, framework)) - 1


def _ratios(run_file: Path, framework: str) -> Iterator[float]:
    times = read_side(run_file).times
    for key, passes in times.items():
        other = key._replace(implementation=f"planted_{framework}.softmax_slowed")
        is_steady = key.implementation == f"planted_{framework}.softmax_steady"
        if is_steady and key.mode == "eager" and key.direction == "forward" and other in times:
            both = passes.keys() & times[other].keys()
            yield from (times[other][it].fastest / passes[it].fastest for it in both)


def line(number: int, it: Pair) -> str:
    """What one pair gave, in a line."""
    return (
        f"pair {number}: {len(it.alarms)} false alarms, "
        f"shift {it.shift:+.1%}, noise {it.noise:.1%}; "
        f"{it.planted} slowed by {it.slowed:.1%}: {'found' if it.found else 'MISSED'}; "
        f"wrong bit {'found' if it.bit_found else 'MISSED'}"
        + "".join(f"\n    {alarm}" for alarm in it.alarms)
    )


def summary(pairs: list[Pair]) -> int:
    """Print the counts; 0 where the figures are reached."""
    alarmed = sum(bool(it.alarms) for it in pairs)
    found, bits, number = (
        sum(it.found for it in pairs),
        sum(it.bit_found for it in pairs),
        len(pairs),
    )
    print(f"A/A comparisons with a false alarm: {alarmed} of {number}")
    print(f"planted slowdowns found: {found} of {number}")
    print(f"planted wrong bits found: {bits} of {number}")
    return 0 if not alarmed and found >= 0.95 * number and bits == number else 1


if __name__ == "__main__":
    sys.exit(main())
