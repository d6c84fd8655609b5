from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.reports.survey import survey
from lossdiff.reports.witnesses import witnesses

ROW = VerdictRow(
    "softmax/float32/4x10/normal/-/0", "softmax", None, "normal", "4x10", "float32", {},
    "torch.softmax", "torch", "native", "eager", "cpu", "value", "exact",
)  # fmt: skip


def test_everybody_who_was_asked_stands_with_his_verdict(tmp_path: Path) -> None:
    other = replace(ROW, implementation="jax.softmax", framework="jax", verdict="nonfinite")
    elsewhere = replace(ROW, case="softmax/float32/4x10/ties/-/0", verdict="faithful")
    with RunFile.create(tmp_path / "run.sqlite") as run:
        run.add([ROW, other, elsewhere])
        found = witnesses([run], survey([run]).asked, [(ROW.case, "value")])
    assert {(ROW.case, "value")} == found.keys()
    words = {word: {it.name for it in who} for word, who in found[ROW.case, "value"].items()}
    assert words == {"exact": {"torch.softmax"}, "nonfinite": {"jax.softmax"}}


def test_of_two_runs_the_later_counts(tmp_path: Path) -> None:
    with (
        RunFile.create(tmp_path / "a.sqlite") as one,
        RunFile.create(tmp_path / "b.sqlite") as two,
    ):
        one.add([replace(ROW, verdict="inaccurate")])
        two.add([ROW])
        found = witnesses([one, two], survey([one, two]).asked, [(ROW.case, "value")])
    assert found[ROW.case, "value"].keys() == {"exact"}
