"""Runs of the engine with NumPy alone, on a case or a few."""

from __future__ import annotations

from pathlib import Path

from lossdiff.cases.model import Case
from lossdiff.cases.suites import Suite
from lossdiff.harness.engine.findings import Findings
from lossdiff.harness.engine.plan import Plan
from lossdiff.harness.engine.scheduler import Engine
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow, WorkerRow

SOFTMAX = Suite("tiny", (Case.parse("softmax/float32/4x10/normal/-/0"),))
TINY = Suite(
    "tiny",
    tuple(
        Case.parse(text)
        for text in (
            "cross_entropy/index.random/float32/4x10/normal/-/0",
            "cross_entropy/index.too_large/float32/4x10/normal/-/0",
            "softmax/float32/4x10/normal/-/0",
            "softmax/float32/4x10/normal/axis=0/0",
        )
    ),
)


class Told:
    """Remembers the progress that an engine tells."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str, int, int]] = []

    def __call__(self, framework: str, state: str, done: int, total: int) -> None:
        self.steps.append((framework, state, done, total))


def executed(path: Path, plan: Plan) -> tuple[list[VerdictRow], list[WorkerRow], Findings, Told]:
    """Run a plan; return what it wrote and what it told."""
    told = Told()
    with RunFile.create(path) as run:
        findings = Engine(plan, run, told).execute()
    with RunFile.open(path) as run:
        return list(run.rows(VerdictRow)), list(run.rows(WorkerRow)), findings, told
