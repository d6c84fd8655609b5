"""`check --impl` reads what a project expects of its own functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow

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


MEAN = """
import numpy as np


def cross_entropy(logits, target, *, ignore_index=-100):
    counts = target != ignore_index
    top = logits.max(1, keepdims=True)
    logp = logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True))
    losses = -np.take_along_axis(logp, np.where(counts, target, 0)[:, None], 1)[:, 0]
    return (np.where(counts, losses, 0).sum() / len(target)).astype(logits.dtype)
"""


def test_a_convention_fails_only_where_the_project_does_not_take_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("mine.py").write_text(MEAN, encoding="utf-8")
    asked = ("--operation", "cross_entropy", "--no-shrink")
    Path("lossdiff.toml").write_text('conventions = ["bad_index_wraps"]\n', encoding="utf-8")

    check(*asked)
    assert "convention mean_over_rows: the mean divides by" in capsys.readouterr().out
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        words = {row.verdict for row in run.rows(VerdictRow)}
    assert "unwanted:mean_over_rows" in words
    assert "convention:bad_index_wraps" in words

    check(*asked, "--conventions", "mean_over_rows")
    with RunFile.open(Path("lossdiff.sqlite")) as run:
        words = {row.verdict for row in run.rows(VerdictRow)}
    assert "convention:mean_over_rows" in words
    assert "unwanted:bad_index_wraps" in words


def test_a_name_of_no_convention_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--conventions", "mean_over_row") is Status.USAGE
    assert "did you mean mean_over_rows" in capsys.readouterr().err
    Path("lossdiff.toml").write_text('conventions = ["mean"]\n', encoding="utf-8")
    assert check() is Status.USAGE
    assert "'mean' is no convention" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--expected", "nowhere.toml") is Status.USAGE
    assert "cannot read nowhere.toml" in capsys.readouterr().err
