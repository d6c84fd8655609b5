from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.reports.changes import Changes, changes_of

ROW = VerdictRow(
    "softmax/float32/4x10/normal/-/0", "softmax", None, "normal", "4x10", "float32", {},
    "torch.softmax", "torch", "native", "eager", "cpu", "value", "exact", ulp=0.5,
)  # fmt: skip


def between(path: Path, before: list[VerdictRow], after: list[VerdictRow]) -> Changes | None:
    with (
        RunFile.create(path / "old.sqlite") as old,
        RunFile.create(path / "new.sqlite") as new,
    ):
        old.add(before)
        new.add(after)
        return changes_of([old, new])


def test_what_became_worse_and_better_has_a_line_for_each_function(tmp_path: Path) -> None:
    other = replace(ROW, quantity="gradient_logits")
    healed = replace(ROW, implementation="torch.log_softmax", verdict="nonfinite")
    found = between(
        tmp_path,
        [ROW, other, healed],
        [replace(row, verdict="inaccurate") for row in (ROW, other)]
        + [replace(healed, verdict="exact")],
    )
    assert found
    assert (found.base, found.new, found.compared) == ("old.sqlite", "new.sqlite", "3 answers")
    assert (found.worse_count, found.better_count) == (2, 1)
    assert found.worse == (
        f"torch.softmax, eager: exact → inaccurate (2 answers, such as {ROW.case})",
    )
    assert found.better == (
        f"torch.log_softmax, eager: nonfinite → exact (1 answer, such as {ROW.case})",
    )


def test_an_error_that_grew_says_by_how_much(tmp_path: Path) -> None:
    row = replace(ROW, verdict="inaccurate", known=True)
    found = between(tmp_path, [replace(row, ulp=10.0)], [replace(row, ulp=1000.0)])
    assert found
    assert "inaccurate, 10 → 1,000 ulp" in found.worse[0]


def test_runs_that_agree_have_nothing_to_tell(tmp_path: Path) -> None:
    found = between(tmp_path, [ROW], [ROW])
    assert found
    assert (found.worse, found.better, found.worse_count, found.better_count) == ((), (), 0, 0)


def test_runs_that_share_nothing_are_not_compared(tmp_path: Path) -> None:
    elsewhere = replace(ROW, case="softmax/float32/4x10/ties/-/0")
    assert between(tmp_path, [ROW], [elsewhere]) is None
