"""Measure the overhead of lossdiff over the frameworks: `tox run -e overhead`.

The suite `quick` is run twice, so that the second run finds what compilers have stored. For each
run the script prints the wall time in comparison with the frameworks' own calls and imports, which
are timed inside the workers of the same run, and the verdicts per second in comparison with their
number if all cores did nothing but these calls. Then it runs `fuzz` with few and with many cases of
NumPy, and prints the memory of the judging process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow

CORES = os.cpu_count() or 1


def run(path: Path, *options: str) -> tuple[dict[str, Any], int]:
    """Run `check`, and return the profile of the run and its number of verdicts."""
    command = [sys.executable, "-m", "lossdiff", "check", "-o", str(path), *options]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    # Status 1 only says that there are new findings.
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    with RunFile.open(path) as found:
        return json.loads(found.meta["spent"]), found.count(VerdictRow, "verdict != 'unsupported'")


def show_time(spent: dict[str, Any], verdicts: int) -> None:
    """Print the wall time in comparison with the time of the frameworks themselves."""
    # Calls and imports are summed over all workers, and wall time is divided by their sum: with
    # several workers in parallel the ratio may be below 1.
    calls, imports = (sum(spent[name].values()) for name in ("calls", "imports"))
    print(f"wall time                    {spent['wall']:8.1f} s")
    print(f"  imports, in the workers    {imports:8.1f} s")
    print(f"  bare calls, in the workers {calls:8.1f} s")
    print(f"  judging, CPU               {spent['judging']:8.1f} s")
    print(f"wall / (imports + calls)     {spent['wall'] / (imports + calls):8.2f}")
    print(f"verdicts                     {verdicts:8d}")
    print(f"  a second of asking         {verdicts / spent['asking']:8.0f}")
    print(f"  at most, by the calls      {verdicts * CORES / calls:8.0f}")
    print(f"  a CPU second of judging    {verdicts / spent['judging']:8.0f}")
    print(f"memory of the judging process {spent['memory']:7.0f} MiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", action="append", default=[], help="only these frameworks")
    parser.add_argument(
        "--cases",
        type=int,
        nargs="*",
        default=[10_000, 100_000],
        help="how many cases of fuzz the memory is measured with",
    )
    asked = parser.parse_args()
    backends = [text for name in asked.backend for text in ("--backend", name)]
    # Both runs write the same file. The second one finds the caches that compilers keep on disk.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.sqlite"
        for name in ("quick, as it comes", "quick, warm"):
            print(f"\n{name}")
            show_time(*run(path, *backends))
        for count in asked.cases:
            spent, verdicts = run(
                path, "--suite", "fuzz", "--count", str(count), "--backend", "numpy"
            )
            print(f"\nfuzz, {count} cases, NumPy: {verdicts} verdicts")
            print(f"memory of the judging process {spent['memory']:7.0f} MiB")


if __name__ == "__main__":
    main()
