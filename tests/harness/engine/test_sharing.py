"""A user's functions are asked alone, and what the framework's own show alike is shared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lossdiff.cases.suites import selected, suite
from lossdiff.harness.engine.plan import Plan
from lossdiff.harness.verdicts import is_finding

from .engine_runs import executed

QUICK = selected(suite("quick"), ("softmax", "cross_entropy"))


def plan_of(framework: str, file: Path, text: str) -> Plan:
    file.write_text(text, encoding="utf-8")
    return Plan(
        QUICK, (framework,), ("eager",), extra={framework: (str(file),)}, jobs=2, only_own=True
    )


def test_a_users_functions_are_asked_alone_what_is_made_for_their_claims(tmp_path: Path) -> None:
    text = "import numpy as np\ndef softmax(x):\n    return np.exp(x) / np.exp(x).sum(-1)[:, None]"

    rows, _, findings, _ = executed(
        tmp_path / "run.sqlite", plan_of("numpy", tmp_path / "mine.py", text)
    )

    assert {row.implementation for row in rows} == {"mine.softmax"}
    no_claim = [row.quantity for row in rows if row.verdict == "unsupported"]
    assert "value" not in no_claim  # it has no gradient
    assert {"31", "1025"} <= {row.shape.rpartition("x")[2] for row in rows}
    assert findings.unknown > 0  # it overflows


def test_a_suite_of_no_question_is_asked_nothing(tmp_path: Path) -> None:
    text = "def softmax(x):\n    return x"
    plan = plan_of("numpy", tmp_path / "mine.py", text)
    asked = replace(plan, suite=selected(suite("quick"), ("exp",)))

    rows, *_ = executed(tmp_path / "run.sqlite", asked)

    assert rows == []


@pytest.mark.framework("torch")
def test_the_findings_of_a_wrapper_are_the_frameworks_own_and_others_are_not(
    tmp_path: Path,
) -> None:
    text = (
        "import torch.nn.functional as F\n"
        "def cross_entropy(logits, target, label_smoothing=0.0):\n"
        "    return F.cross_entropy(logits, target, label_smoothing=label_smoothing)\n"
        "def cross_entropy_doubled(logits, target):\n"
        "    return 2 * F.cross_entropy(logits, target)\n"
    )

    rows, _, findings, told = executed(
        tmp_path / "run.sqlite", plan_of("torch", tmp_path / "mine.py", text)
    )

    found = [row for row in rows if is_finding(row.verdict)]
    wrapper = [row for row in found if row.implementation == "mine.cross_entropy"]
    doubled = [row for row in found if row.implementation == "mine.cross_entropy_doubled"]
    assert wrapper
    assert {row.shared for row in wrapper} == {"torch.nn.functional.cross_entropy"}
    assert findings.unknown == sum(not row.shared and not row.known for row in doubled) > 0
    assert told.steps[-1][:2] == ("torch, its own", "done")
