"""`check --markdown` and `check --junit`: they say what the terminal and the exit status say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from junitparser import Failure, JUnitXml, Skipped
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow, WorkerRow
from lossdiff.reports.check_junit import write_junit
from lossdiff.reports.check_markdown import markdown
from lossdiff.reports.outcome import outcome_of

from lossdiff._cli import execution
from lossdiff._cli.status import Status

from ..reports import sample
from .command import GOOD, NUMPY, WRONG, write

BOTH = ("--markdown", "page.md", "--junit", "junit.xml")


def failures(path: str = "junit.xml") -> dict[str, str]:
    """Return the text of each failure by the name of its case."""
    cases = [case for suite in JUnitXml.fromfile(path) for case in suite]
    return {case.name: it.text for case in cases for it in case.result if isinstance(it, Failure)}


def page(path: str = "page.md") -> str:
    return Path(path).read_text(encoding="utf-8")


def test_a_check_without_findings_has_no_failure(lossdiff: Any) -> None:
    impl = write("mine.py", GOOD)

    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={impl}", *BOTH)

    assert ended.status == Status.OK
    assert page().startswith("## lossdiff: no new findings")
    assert failures() == {}
    names = {case.name for suite in JUnitXml.fromfile("junit.xml") for case in suite}
    assert "mine.logsumexp" in names


def test_a_finding_is_a_failure_and_a_line_of_the_page(lossdiff: Any) -> None:
    impl = write("mine.py", WRONG)

    ended = lossdiff("check", *NUMPY, "--impl", f"numpy={impl}", *BOTH)

    assert ended.status == Status.FINDINGS
    assert set(failures()) == {"mine.logsumexp"}
    first = failures()["mine.logsumexp"].splitlines()
    assert ": right " in first[0]
    assert first[1].startswith("  logsumexp/")
    assert "| mine.logsumexp | **" in page()
    assert "no new findings" not in page()


def test_where_nothing_is_asked_both_say_so(lossdiff: Any) -> None:
    ended = lossdiff("check", "--backend", "numpy", "--operation", "nll_loss", *BOTH)

    assert ended.status == Status.NOTHING
    assert page().startswith("## lossdiff: nothing was asked")
    assert set(failures()) == {"questions were answered", "the run is as expected"}
    assert "nothing could be asked" in failures()["the run is as expected"]


def test_a_stale_entry_of_the_ledger_fails_the_run_and_is_named(
    lossdiff: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "_stale", lambda *_: ["an-old-entry"])

    ended = lossdiff("check", *NUMPY, *BOTH)

    assert ended.status == Status.FINDINGS
    assert "an-old-entry" in failures()["the run is as expected"]
    assert "an-old-entry" in page()


def test_a_framework_that_is_absent_is_skipped(tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([next(sample.verdicts())])
        run.add([WorkerRow("jax", "cpu", {}, absent="No module named 'jax'")])
        outcome = outcome_of(run)
    write_junit(outcome, tmp_path / "junit.xml")

    cases = [case for suite in JUnitXml.fromfile(str(tmp_path / "junit.xml")) for case in suite]
    (skipped,) = [case for case in cases if any(isinstance(it, Skipped) for it in case.result)]
    assert skipped.name == "jax on cpu was asked"
    assert "jax on cpu was not asked: No module named 'jax'" in markdown(outcome)


def test_hostile_texts_end_no_cell_and_no_document(tmp_path: Path) -> None:
    with RunFile.open(sample.make(tmp_path / "run.sqlite")) as run:
        outcome = outcome_of(run, ["a|b<script>\0]]>"])
    text = markdown(outcome)
    write_junit(outcome, tmp_path / "junit.xml")

    assert "<script" not in text
    assert "\0" not in text
    assert failures(str(tmp_path / "junit.xml"))["the run is as expected"] == "a|b<script>?]]>"


def test_many_kinds_of_findings_are_cut_and_counted(tmp_path: Path) -> None:
    row = replace(next(sample.verdicts()), verdict="raised", note="no")
    with RunFile.create(tmp_path / "run.sqlite") as run:
        rows: list[VerdictRow] = [replace(row, implementation=f"torch.f{n}") for n in range(25)]
        run.add(rows)
        text = markdown(outcome_of(run))

    assert text.count("**raised**") == 20
    assert "5 more kinds in the run file." in text


def test_a_convention_of_a_function_that_passes_is_in_both(tmp_path: Path) -> None:
    row = replace(
        next(sample.verdicts()),
        kind="user",
        implementation="mine.loss",
        verdict="convention:mean_over_rows",
    )
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([row])
        outcome = outcome_of(run)
    write_junit(outcome, tmp_path / "junit.xml")

    assert "| mine.loss | convention mean_over_rows: the mean divides by" in markdown(outcome)
    cases = [case for suite in JUnitXml.fromfile(str(tmp_path / "junit.xml")) for case in suite]
    printed = {case.name: case.system_out for case in cases}
    assert printed["mine.loss"].startswith("convention mean_over_rows: the mean divides by")
    assert failures(str(tmp_path / "junit.xml")) == {}
