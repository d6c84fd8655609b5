"""`check --impl` reads what a project expects of its own functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lossdiff._cli.main import run
from lossdiff._cli.status import Status

MINE = """
import numpy as np

targets = {}


def softmax(x, axis=-1):
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)
"""
ENTRY = """
[[entry]]
id = "unshifted"
implementations = "mine.softmax"
verdicts = ["nonfinite", "relation:*"]
reason = "overflows, and is not used"
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def check(*options: str) -> Status:
    return Status(run(["check", "--impl", "numpy=mine.py", "--suite", "quick", *options]))


def test_findings_that_are_expected_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    Path("lossdiff.toml").write_text(ENTRY, encoding="utf-8")

    assert check() is Status.OK
    assert re.search(r"no new findings, [1-9]\d* known", capsys.readouterr().out)


def test_an_entry_that_matches_nothing_fails(capsys: pytest.CaptureFixture[str]) -> None:
    more = ENTRY.replace('"unshifted"', '"other"').replace('"nonfinite", "relation:*"', '"crashed"')
    Path("mine.toml").write_text(ENTRY + more, encoding="utf-8")

    assert check("--expected", "mine.toml") is Status.FINDINGS
    assert "ledger entries that match nothing: other" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--expected", "nowhere.toml") is Status.USAGE
    assert "cannot read nowhere.toml" in capsys.readouterr().err
