"""Measure the commands that read run files on large ones: `tox run -e scale`.

Runs of a million verdicts and of ten thousand benchmarks in nine passes are written. For each
command the script prints its wall time, its CPU time and its peak resident memory. The rows are
made up, with texts as long as those of a real run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice, product
from pathlib import Path

import numpy as np
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow, WorkerRow
from lossdiff.harness.runfile.schema import Row
from lossdiff.harness.runfile.timing_rows import PassRow, ProcessRow

CHUNK = 20_000  # rows in one commit
FRAMEWORKS = {
    "numpy": "scipy.special.log_softmax",
    "torch": "torch.nn.functional.log_softmax",
    "jax": "jax.nn.log_softmax",
    "tensorflow": "tf.nn.log_softmax",
}
DTYPES = ("float16", "bfloat16", "float32", "float64")
QUANTITIES = ("value", "gradient_logits")
ROUNDS = 30


def verdicts(number: int, changed: int = 0) -> Iterator[VerdictRow]:
    """Yield verdicts; every so many have become inaccurate, unless that is 0."""
    places = list(product(DTYPES, ("normal", "ties"), FRAMEWORKS.items(), QUANTITIES))
    for n in range(number):
        seed, place = divmod(n, len(places))
        dtype, family, (framework, name), quantity = places[place]
        is_wrong = changed > 0 and n % changed == 0
        word = "inaccurate" if is_wrong or n % 1000 == 0 else ("exact", "faithful")[n % 2]
        yield VerdictRow(
            f"log_softmax/{dtype}/4x10/{family}/axis=1/{seed}", "log_softmax", None, family,
            "4x10", dtype, {"axis": 1}, name, framework, "native", "eager", "cpu", quantity,
            "unsupported" if n % 10 == 9 else word, ulp=0.5, ratio=0.25, abs_error=1e-8,
            where="[1, 2]", exact="-2.3025850929940459", got="-2.302585",
            fingerprint=f"{n:032x}", seconds=1e-5,
        )  # fmt: skip


def benchmarks(number: int, passes: int, seed: int) -> Iterator[Row]:
    """Yield the processes and passes of benchmarks whose times are drawn."""
    draws = np.random.default_rng(seed)
    places = list(
        product(DTYPES, FRAMEWORKS.items(), ("forward", "forward+backward"), ("hot", "cold"))
    )
    keys = [(1 + n // len(places), *places[n % len(places)]) for n in range(number)]
    for process, (one, framework) in enumerate(product(range(1, passes + 1), FRAMEWORKS), 1):
        yield ProcessRow(
            process, one, framework, "cpu", "one", 1, 1e10, [0.1], [1e-5], 0.5, "", {}, "a.json"
        )
        mine = [key for key in keys if key[2][0] == framework]
        times = 1e-3 * (1 + draws.exponential(0.01, (len(mine), ROUNDS)))
        for (rows, dtype, (_, name), direction, cache), seconds in zip(mine, times, strict=True):
            yield PassRow(
                process, f"log_softmax/{dtype}/{rows}x10/normal/-/0", name, framework, "eager",
                "cpu", direction, "one", cache, seconds.tolist(), [1], None, None, None, "",
                {"value": "ab"}, "faithful",
            )  # fmt: skip


def write(path: Path, rows: Iterable[Row]) -> Path:
    """Write a run file, some thousand rows at a time."""
    rows = iter(rows)
    with RunFile.create(path) as run:
        run.set_meta(version="0", command="check", suite="full", seed="0", started="", finished="x")
        facts = {"cpu": "a cpu", "cores": 2}
        run.add([WorkerRow(name, "cpu", {**facts, "versions": {name: "1"}}) for name in FRAMEWORKS])
        while some := list(islice(rows, CHUNK)):
            run.add(some)
    return path


def measure(*arguments: str | Path) -> None:
    """Run a command, and print its time, its peak memory and its lines of output."""
    command = [sys.executable, "-m", "lossdiff", *map(str, arguments)]
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - begun
        out.seek(0)
        lines = sum(1 for _ in out)
    process.returncode = os.waitstatus_to_exitcode(status)
    words = " ".join(it.stem if isinstance(it, Path) else it for it in arguments)
    cpu, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024  # in KiB on Linux
    said = f"{lines:,} lines, status {process.returncode}"
    print(f"{words:48} {took:6.1f} s {cpu:6.1f} s CPU {memory:6.0f} MiB  {said}", flush=True)


def main() -> None:
    """Write the run files and measure the commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdicts", type=int, default=1_000_000, help="in each of two runs")
    parser.add_argument("--benchmarks", type=int, default=10_000, help="in each of two runs")
    parser.add_argument("--passes", type=int, default=9, help="of each benchmark")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        base, few, many = (
            write(place / f"{name}.sqlite", verdicts(asked.verdicts, changed))
            for name, changed in (("base", 0), ("few_changed", 100), ("all_changed", 1))
        )
        timed = [
            write(place / f"timed_{n}.sqlite", benchmarks(asked.benchmarks, asked.passes, n))
            for n in (1, 2)
        ]
        measure("compare", base, few)
        measure("compare", base, many, "--junit", place / "junit.xml")
        measure("compare", *timed, "--junit", place / "junit.xml")
        measure("show", base)
        measure("show", base, "--all")
        measure("show", base, "--format", "jsonl")
        measure("merge", base, "-o", place / "merged.sqlite")
        measure("report", base, "-o", place / "report.html")
        measure("report", *timed, "-o", place / "report.html")
        measure("repro", base, "log_softmax/float32/4x10/normal/axis=1/0", "--no-shrink")


if __name__ == "__main__":
    main()
