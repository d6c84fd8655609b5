"""Cases of one's own, from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lossdiff.harness.engine.scheduler import Engine
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow

from lossdiff._cli.status import Status

from .command import NUMPY, TINY, never


def test_cases_from_files_are_asked_and_kept(lossdiff: Any) -> None:
    logits = np.array([[0.5, -1.0, 2.0]], np.float32)
    np.savez("mine.npz", logits=logits, spec='{"operation": "logsumexp"}')

    ended = lossdiff("check", *NUMPY, "--cases", "mine.npz")

    assert ended.status == Status.OK
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        (case,) = {row.case for row in run.rows(VerdictRow)} - {TINY[0].id}
        np.testing.assert_array_equal(logits, run.case(case).inputs().values)


def test_a_case_file_that_cannot_be_used_ends_with_2_before_the_work(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "execute", never)
    np.savez("mine.npz", logits=np.ones((1, 3)), spec='{"operation": "logsumxp"}')

    ended = lossdiff("check", *NUMPY, "--cases", "mine.npz")

    assert ended.status == Status.USAGE
    assert "mine.npz: operation is 'logsumxp'; allowed: softmax" in ended.error
    assert not Path("lossdiff.sqlite").exists()
