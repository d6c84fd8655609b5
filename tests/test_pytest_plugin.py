"""The plug-in for pytest: it costs nothing until it is used, and works under pytest-xdist."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MINE = """
import lossdiff
import numpy as np


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_unshifted(x, axis=-1):
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)


@lossdiff.parametrize("softmax", framework="numpy", dtypes={"float32"}, ranks={2})
def test_mine(question):
    question.check(softmax)


@lossdiff.parametrize("softmax", framework="numpy", dtypes={"float32"}, ranks={2})
def test_unshifted(question):
    question.check(softmax_unshifted)
"""
SOME = ("-k", "normal or exp_overflow")


def run(folder: Path, *arguments: str, text: str = MINE, status: int | None = None) -> str:
    (folder / "test_mine.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, "test_mine.py"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    allowed = {0, 1} if status is None else {status}
    assert done.returncode in allowed, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run(tmp_path_factory.mktemp("mine"), "-v", *SOME, "--lossdiff-report=page.html")


def test_each_question_is_an_item_whose_id_is_that_of_the_case(output: str) -> None:
    assert "test_mine.py::test_mine[softmax/float32/4x10/normal/-/0] PASSED" in output


def test_a_failure_prints_the_case_and_the_line_that_repeats_it(output: str) -> None:
    assert "test_unshifted[softmax/float32/" in output
    assert "again, in Python:" in output
    assert "'softmax/float32/" in output
    assert ".check(softmax_unshifted)" in output


def test_a_failure_has_room_in_a_terminal(output: str) -> None:
    shown = [line for line in output.splitlines() if line.startswith(("E ", "question = "))]

    assert any(line.startswith("E ") for line in shown)
    assert [line for line in shown if line.startswith("E ") and len(line) > 80] == []
    assert "conventions=None" not in output  # the item names what is said of the function alone


def test_a_line_names_the_versions_and_the_oracle(output: str) -> None:
    (line,) = [line for line in output.splitlines() if line.startswith("lossdiff 0.")]

    assert "numpy " in line
    assert "oracle" in line


def test_a_page_is_written(output: str) -> None:
    assert "lossdiff: page.html" in output


def test_xdist_need_not_be_installed(tmp_path: Path) -> None:
    output = run(tmp_path, "-p", "no:xdist", "--collect-only", "-q", status=0)

    assert "test_mine[softmax/float32/4x10/normal/-/0]" in output


def test_workers_of_xdist_send_what_they_have_judged(tmp_path: Path) -> None:
    output = run(tmp_path, "-n", "2", *SOME, "--lossdiff-report=page.html")

    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "lossdiff: page.html" in output
    assert "test_mine.softmax_unshifted" in page
    assert "test_mine.softmax" in page


EXPECTED = """
[[entry]]
id = "overflows"
implementations = ["*.softmax_unshifted"]
verdicts = ["nonfinite", "relation:*"]
reason = "is called with small numbers only"
[[entry]]
id = "repaired"
implementations = ["*.softmax_unshifted"]
verdicts = ["raised"]
reason = "raised once"
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["here", "xdist"])
def test_an_expected_finding_that_no_item_has_fails_a_whole_run(
    workers: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "lossdiff.toml").write_text(EXPECTED, encoding="utf-8")
    only = MINE.partition("@lossdiff")[0] + "@lossdiff" + MINE.rpartition("@lossdiff")[2]

    whole = run(tmp_path, *workers, text=only, status=1)
    part = run(tmp_path, *workers, "-k", "exp_overflow", text=only, status=0)

    assert "lossdiff: expected, and not found: repaired" in whole
    assert "not found: overflows" not in whole
    assert "not found" not in part


def test_full_asks_more(tmp_path: Path) -> None:
    text = """
import lossdiff

@lossdiff.parametrize("sigmoid", framework="numpy", dtypes={"float32"}, ranks={2})
def test_mine(question):
    pass
"""
    quick, full = (
        int(run(tmp_path, "-q", *more, text=text).split(" passed")[0].split()[-1])
        for more in ((), ("--lossdiff-full",))
    )

    assert quick < full


def test_nothing_is_imported_unless_it_is_used(tmp_path: Path) -> None:
    text = """
import sys

def test_nothing():
    assert "lossdiff.pytest_plugin" in sys.modules
    assert not {"numpy", "lossdiff.cases", "lossdiff._api"} & set(sys.modules)
"""
    output = run(tmp_path, "--lossdiff-report=page.html", text=text)

    assert "1 passed" in output
    assert "lossdiff: nothing was judged, and no page was written" in output
    assert "oracle" not in output


def test_a_question_that_the_function_does_not_take_is_skipped_with_its_reason(
    tmp_path: Path,
) -> None:
    text = """
import lossdiff
import numpy as np

def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)

@lossdiff.parametrize("softmax", framework="numpy", dtypes={"float32"}, ranks={3})
def test_mine(question):
    question.check(softmax)
"""
    output = run(tmp_path, "-rs", *SOME, text=text)

    assert "failed" not in output
    assert "test_mine.softmax has no axis" in output
