"""Timing: which benchmarks there are, and how pytest-benchmark is run over them.

Each framework is timed in a process of its own, one after the other, by pytest-benchmark on
`benchmark_suite.py`; its standard JSON is kept beside the run file. What is timed has been
asked and judged in the same run, on the very same inputs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..backends.base import Claim
from ..cases.model import Case
from ..cases.suites import Suite
from .recorder import is_finding
from .runfile import RunFile, TimingRow, VerdictRow
from .verdicts import SEVERITY, base

# (64, 10) and the tutorial's (50000, 10) for all, a language model's (256, 50257) for the loss
# that it spends its time on.
_SIZES: dict[str, tuple[tuple[int, ...], ...]] = {
    "softmax": ((64, 10), (50000, 10)),
    "log_softmax": ((64, 10), (50000, 10)),
    "cross_entropy": ((64, 10), (50000, 10), (256, 50257)),
    "binary_cross_entropy_with_logits": ((64, 10), (50000, 10)),
}
_TARGETS = {"cross_entropy": "index", "binary_cross_entropy_with_logits": "multi_label"}
# One name for each kernel: aliases and textbook formulas would only repeat it.
DEFAULT_PATTERNS = (
    "torch.nn.functional.softmax",
    "torch.nn.functional.log_softmax",
    "torch.nn.functional.cross_entropy",
    "torch.nn.functional.binary_cross_entropy_with_logits",
    "jax.nn.*",
    "optax.losses.softmax_cross_entropy_with_integer_labels",
    "optax.losses.sigmoid_binary_cross_entropy",
    "tf.nn.softmax",
    "tf.nn.log_softmax",
    "tf.nn.sparse_softmax_cross_entropy_with_logits",
    "tf.nn.sigmoid_cross_entropy_with_logits",
    "keras.losses.SparseCategoricalCrossentropy",
    "scipy.special.softmax",
    "scipy.special.log_softmax",
    "numpy.recipes.cross_entropy",
    "numpy.recipes.binary_cross_entropy_with_logits",
)
_UNTIMED = ("unsupported", "raised", "crashed", "timed out", "mismatched")
DIRECTIONS = ("forward", "forward+backward")
PLAN_VARIABLE = "LOSSDIFF_BENCHMARKS"
_MAX_TIME = 0.05  # seconds of measured rounds for a benchmark, once it has its least number


_SOME_RAISED = 1  # pytest's status; what ran is in the JSON all the same


class BenchError(RuntimeError):
    """The benchmarks of a framework could not be run; the message says why."""


@dataclass(frozen=True)
class Benchmark:
    """One thing that is timed."""

    framework: str
    implementation: str
    mode: str
    device: str
    direction: str
    case: str

    @property
    def id(self) -> str:
        """The name under which pytest-benchmark keeps it."""
        case = Case.parse(self.case)
        shape = "x".join(map(str, case.shape))
        name = f"{self.implementation}-{self.mode}-{self.device}-{case.dtype}-{shape}"
        return f"{name}-{self.direction}"


def bench_suite(operations: Sequence[str] = (), dtype: str = "float32") -> Suite:
    """Return the cases that are timed: everyday logits of three sizes."""
    cases = []
    for operation, shapes in _SIZES.items():
        if operations and operation not in operations:
            continue
        kind: Any = _TARGETS.get(operation)
        family = {"index": "random", "multi_label": "binary"}.get(kind, "")
        cases += [Case(operation, "normal", shape, dtype, kind, family) for shape in shapes]
    return Suite("bench", tuple(cases), compiled=True)


def is_timed(claim: Claim) -> bool:
    """Whether an implementation is timed: one name for each kernel, and a user's own."""
    patterns = DEFAULT_PATTERNS if claim.kind != "user" else ("*",)
    return any(fnmatchcase(claim.name, pattern) for pattern in patterns)


def benchmarks_of(run: RunFile, framework: str) -> list[Benchmark]:
    """Return the benchmarks of a framework: what the run has judged, in both directions."""
    rows = run.rows(VerdictRow, "framework = ? AND quantity = 'value'", (framework,))
    answered = {
        (row.implementation, row.mode, row.case): row.device
        for row in rows
        if row.verdict not in _UNTIMED
    }
    with_gradient = {
        (row.implementation, row.mode, row.case)
        for row in run.rows(
            VerdictRow, "framework = ? AND quantity = 'gradient_logits'", (framework,)
        )
        if row.verdict not in _UNTIMED
    }
    return [
        Benchmark(framework, name, mode, device, direction, case)
        for (name, mode, case), device in answered.items()
        for direction in DIRECTIONS
        if direction == "forward" or (name, mode, case) in with_gradient
    ]


def time_framework(
    run: RunFile, framework: str, extra: Sequence[str] = (), device: str = "cpu"
) -> list[TimingRow]:
    """Time a framework's benchmarks and return their rows, verdicts beside them.

    Raises:
        BenchError: pytest-benchmark is missing, or its process failed.
    """
    if find_spec("pytest_benchmark") is None:
        raise BenchError("pytest-benchmark is not installed; pip install 'lossdiff[bench]'")
    benchmarks = benchmarks_of(run, framework)
    if not benchmarks:
        return []
    result = run.path.with_name(f"{run.path.stem}-{framework}-{device}-benchmark.json")
    plan = {
        "framework": framework,
        "device": device,
        "extra": list(extra),
        "benchmarks": [vars(benchmark) for benchmark in benchmarks],
    }
    result.unlink(missing_ok=True)  # an older one must not be taken for this run's
    _run_pytest(plan, result)
    document = json.loads(result.read_text())
    return list(_rows(run, document, result.name))


def _run_pytest(plan: dict[str, Any], result: Path) -> None:
    suite, plan_file = Path(__file__).with_name("benchmark_suite.py"), result.with_suffix(".plan")
    command = [
        sys.executable, "-m", "pytest", str(suite), "-q", "-p", "pytest_benchmark.plugin",
        "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={result.parent}",
        f"--benchmark-json={result}", f"--benchmark-max-time={_MAX_TIME}",
        "--benchmark-min-rounds=5", "--benchmark-disable-gc", "--benchmark-warmup=off",
    ]  # fmt: skip
    # Settings of a pytest around us (options, xdist) are not for this one.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {
        **ours,
        PLAN_VARIABLE: str(plan_file),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    if plan["device"] == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    plan_file.write_text(json.dumps(plan))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    plan_file.unlink()
    if done.returncode not in (0, _SOME_RAISED) or not result.exists():
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise BenchError(f"timing {plan['framework']} failed: {' '.join(last)}")


def _rows(run: RunFile, document: dict[str, Any], source: str) -> Iterator[TimingRow]:
    for measured in document["benchmarks"]:
        about, stats = measured["extra_info"], measured["stats"]
        case = Case.parse(about["case"])
        verdict, agrees, kind = _verdict(run, about)
        yield TimingRow(
            case=about["case"],
            operation=case.operation,
            implementation=about["implementation"],
            framework=about["framework"],
            kind=kind,
            mode=about["mode"],
            device=about["device"],
            dtype=case.dtype,
            shape="x".join(map(str, case.shape)),
            direction=about["direction"],
            median=stats["median"],
            iqr=stats["iqr"],
            minimum=stats["min"],
            rounds=stats["rounds"],
            first_call=about["first_call"],
            source=source,
            verdict=verdict,
            agrees=agrees,
        )


def _verdict(run: RunFile, about: dict[str, Any]) -> tuple[str, bool, str]:
    """The worst verdict of what the benchmark computes, on the inputs that it times."""
    condition = '"case" = ? AND implementation = ? AND mode = ? AND verdict != ?'
    if about["direction"] == "forward":
        condition += " AND quantity = 'value'"
    arguments = (about["case"], about["implementation"], about["mode"], "unsupported")
    rows = list(run.rows(VerdictRow, condition, arguments))
    worst = max(rows, key=lambda row: SEVERITY[base(row.verdict)])
    return worst.verdict, not is_finding(worst), worst.kind
