"""How the tests ask a function of a user's own: the questions for its claim, as in a run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lossdiff.backends import load_backend
from lossdiff.backends.base import Implementation
from lossdiff.backends.claim import Claim, Limits
from lossdiff.cases.model import Case
from lossdiff.harness.engine.flow import Flow
from lossdiff.harness.own import questions_for
from lossdiff.harness.runfile import RunFile, VerdictRow
from lossdiff.harness.verdicts import is_finding
from lossdiff.harness.workers import Catalogue, Question, answered


def taken(
    framework: str,
    operation: str,
    function: Callable[..., Any],
    targets: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
    vjp: Callable[..., Any] | None = None,
    **limits: Any,
) -> Implementation:
    """Return a function as it is taken, with its claim."""
    name = f"mine.{operation}"
    own = Limits(**limits)
    claim = Claim(name, framework, operation, "user", frozenset(targets), frozenset(options), own)
    return Implementation(claim, function, vjp)


def findings(
    implementation: Implementation, cases: Iterable[Case] | None = None, mode: str = "eager"
) -> list[VerdictRow]:
    """Return the findings of a function, in the order of its questions.

    Args:
        implementation: the function.
        cases: the questions; those for its claim by default.
        mode: how it is run.
    """
    claim = implementation.claim
    backend = load_backend(claim.framework)
    backend.extra.append(implementation)
    with (
        tempfile.TemporaryDirectory() as folder,
        RunFile.create(Path(folder) / "run.sqlite") as run,
    ):
        flow = Flow(run, "quick", "cpu")
        flow.findings.meet(claim.framework, Catalogue((claim,), {}))
        for case in questions_for(claim) if cases is None else cases:
            answer = answered(backend, Question(claim.name, mode, case))
            flow.record(claim.framework, [(case, answer)])
        flow.flush()
        rows = list(run.rows(VerdictRow))
    return [row for row in rows if is_finding(row.verdict)]


def words(rows: Iterable[VerdictRow]) -> set[tuple[str, str]]:
    """Return the quantities and verdicts of rows."""
    return {(row.quantity, row.verdict) for row in rows}


def plain(operation: str, kind: str | None = None, family: str = "normal") -> Case:
    """Return an everyday question in float32."""
    target = {"index": "random", "one_hot": "random", "soft": "soft", "multi_label": "binary"}
    case = Case(operation, family, (4, 10), "float32")
    return replace(case, target_kind=kind, target_family=target.get(kind or "", ""))  # type: ignore[arg-type]
