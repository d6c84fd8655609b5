"""The section of trust: how the judge was judged, how the runs were made, what was not asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.omissions import omissions
from lossdiff.harness.runfile.rows import VerdictRow, WorkerRow
from lossdiff.reports.html import render
from lossdiff.reports.trust import FAULTS, SOUND, trust_of

from ..harness.judging.test_planted import SOUND_IN_NUMPY, SOUND_IN_TORCH
from ..planted.faults import FAULTS as PLANTED
from . import sample

VERDICTS = Path(__file__).parents[2] / "docs" / "verdicts.md"


def test_the_figures_are_those_of_the_planted_implementations() -> None:
    assert (len(PLANTED), len(SOUND_IN_NUMPY) + len(SOUND_IN_TORCH)) == (FAULTS, SOUND)


def test_the_page_on_verdicts_has_the_same_figures() -> None:
    score = f"planted: caught {FAULTS} of {FAULTS}; sound: flagged 0 of {SOUND}"
    assert score in VERDICTS.read_text()


def made(path: Path, frameworks: tuple[str, ...] = ("numpy",), **meta: str) -> RunFile:
    """Return a run of the sample's verdicts on some frameworks."""
    run = RunFile.create(path / "made.sqlite")
    run.set_meta(suite="quick", frameworks=" ".join(frameworks), finished="now", **meta)
    run.add([row for row in sample.verdicts() if row.framework in frameworks])
    return run


def said(run: RunFile) -> dict[str, str]:
    return {omission.what: omission.why for omission in omissions(run)}


@pytest.mark.parametrize(
    ("meta", "why"),
    [
        ({}, "--backend named others"),
        (
            {"implementations": '{"jax": ["mine.py"]}'},
            "with --impl only that function is asked; --all asks everything",
        ),
    ],
)
def test_a_framework_that_was_not_asked_is_named_with_the_reason(
    tmp_path: Path, meta: dict[str, str], why: str
) -> None:
    with made(tmp_path, ("numpy", "jax"), **meta) as run:
        assert said(run)["torch"] == why


def test_an_absent_worker_gives_its_own_reason(tmp_path: Path) -> None:
    with made(tmp_path) as run:
        run.add([WorkerRow("torch", "gpu", {}, "torch sees no GPU")])
        found = said(run)
    assert found["torch on gpu"] == "torch sees no GPU"
    assert "torch" not in found


def test_modes_devices_operations_and_the_rest_of_the_suite_are_named(tmp_path: Path) -> None:
    with made(tmp_path, ("tensorflow",), device="cpu") as run:
        found = said(run)
    assert "tensorflow, function" in found
    assert "tensorflow, xla" not in found
    assert found["any GPU"] == "--device gpu was not given"
    assert "sigmoid" in next(what for what in found if what.startswith("the operations"))
    assert "most cases of the suite full" in found


def test_what_is_left_of_a_run_is_named(tmp_path: Path) -> None:
    with made(tmp_path) as run:
        run.set_meta(finished="", shard="1/3")
        found = said(run)
    assert found["what is left of the run"] == "it was interrupted; --resume goes on with it"
    assert found["the other shards"] == "this is part 1/3 of a run"


def test_a_run_without_verdicts_leaves_nothing_out(tmp_path: Path) -> None:
    with RunFile.create(tmp_path / "empty.sqlite") as run:
        assert omissions(run) == []
        assert "These runs hold no verdicts." in render([run])


@pytest.mark.parametrize(
    ("suite", "why"),
    [
        ("quick", "each compilation takes seconds, so only --suite full asks it by itself"),
        ("full", "--mode named others, or no case is for it"),
    ],
)
def test_a_full_run_does_not_send_its_reader_to_a_full_run(
    tmp_path: Path, suite: str, why: str
) -> None:
    with made(tmp_path, ("torch",)) as run:
        run.set_meta(suite=suite)
        run.drop(VerdictRow, "mode <> 'eager'")
        assert said(run)["torch, compile"] == why


def test_only_what_no_run_asked_is_shown(tmp_path: Path) -> None:
    for name in ("numpy", "jax"):
        (tmp_path / name).mkdir()
    with made(tmp_path / "numpy") as one, made(tmp_path / "jax", ("jax",)) as other:
        found = {it.what for it in trust_of([one, other]).omissions}
    assert "torch" in found
    assert not found & {"numpy", "jax"}


def test_a_run_says_its_command_and_no_digest(tmp_path: Path) -> None:
    command = "lossdiff check --seed 7"
    hidden = {"questions": "3dd93b30", "spent": '{"wall": 1}'}
    with made(tmp_path, command=command, seed="7", **hidden) as run:
        run.set_meta(started="2026-11-28T18:15:05+00:00", finished="2026-11-28T18:20:30+00:00")
        (line,) = trust_of([run]).runs
        page = render([run])
    assert (line.command, line.took, line.started) == (command, 325.0, "2026-11-28 18:15:05 UTC")
    assert ("seed", "7") in line.facts
    assert "3dd93b30" not in page
    assert "wall" not in page.partition('id="trust"')[2]


def test_functions_of_a_user_are_named_by_their_files(tmp_path: Path) -> None:
    with made(tmp_path, implementations='{"jax": ["mine.py", "other.py"]}') as run:
        (line,) = trust_of([run]).runs
    assert ("functions of your own", "mine.py, other.py") in line.facts


def test_a_worker_says_versions_machine_and_settings(tmp_path: Path) -> None:
    facts = {
        "versions": {"torch": "2.13.0"}, "python": "3.11.7", "cpu": "EPYC", "cores": 2,
        "threads": 2, "gpu": None, "deterministic": False,
    }  # fmt: skip
    with made(tmp_path) as run:
        run.add([WorkerRow("torch", "cpu", facts)])
        (line,) = trust_of([run]).workers
    assert (line.versions, line.machine) == ("torch 2.13.0", "Python 3.11.7, EPYC, 2 cores")
    assert line.settings == (("threads", "2"),)
