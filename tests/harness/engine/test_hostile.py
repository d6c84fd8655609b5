"""Hostile files: whatever a function does to its process, the run goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.harness.engine.plan import Plan
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.resume_rows import IncidentRow
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.harness.verdicts import kind_of
from lossdiff.harness.workers.supervisor import why_no_start, why_no_start_after
from lossdiff.harness.workers.watchdog import Ended

from lossdiff.errors import DeviceAbsentError, LostError, UserFileError

from .engine_runs import SOFTMAX, TINY, executed

HOSTILE = Path(__file__).parents[2] / "hostile"


def values_of(folder: Path, file: str, **options: Any) -> dict[str, VerdictRow]:
    """Ask a hostile file for softmax; return the rows of its values by the functions' names."""
    place = str(HOSTILE / file)
    extra = {"numpy": (place,)}
    plan = Plan(
        SOFTMAX, ("numpy",), extra=extra, only=lambda claim: claim.kind == "user", **options
    )
    rows, *_ = executed(folder / "run.sqlite", plan)
    return {
        row.implementation.partition(".")[2]: row
        for row in rows
        if row.quantity == "value" and row.verdict not in ("unsupported", "spoils")
    }


def verdicts(rows: dict[str, VerdictRow]) -> dict[str, str]:
    """Return the word of each row; what agrees is called so."""
    return {
        name: "agrees" if kind_of(row.verdict).category == "agrees" else row.verdict
        for name, row in rows.items()
    }


def test_whatever_is_returned_or_raised_is_judged_and_the_run_goes_on(tmp_path: Path) -> None:
    rows = values_of(tmp_path, "answers.py", timeout=60)

    mismatched = (
        "returns_none", "returns_none_with_gradient", "returns_a_list", "returns_a_text",
        "returns_a_number", "returns_objects", "returns_texts",
        "returns_complex_numbers", "returns_records", "in_double", "of_the_first_row",
        "returns_many_rows_of_nothing",
    )  # fmt: skip
    raised = (
        "raises", "raises_without_a_word", "raises_at_length", "raises_a_lone_surrogate",
        "raises_the_unprintable", "raises_what_has_no_name",
        "leaves", "interrupts", "raises_a_base_exception",
        "ends_a_generator",
    )  # fmt: skip
    agrees = (
        "returns_two", "warns", "without_a_gradient_by_hand",
        "with_a_failing_gradient",
        "with_a_wrong_gradient",
    )  # fmt: skip
    assert verdicts(rows) == {
        "softmax": "agrees",
        "softmax_is_wrong": "inaccurate",
        "softmax_changes_its_input": "mutates:logits",
        **{f"softmax_{name}": "mismatched" for name in mismatched},
        **{f"softmax_{name}": "raised" for name in raised},
        **{f"softmax_{name}": "agrees" for name in agrees},
    }
    assert rows["softmax_raises_a_lone_surrogate"].note == r"ValueError: bad \ud800 name"
    assert rows["softmax_raises_what_has_no_name"].note == "No name: at all"


def test_who_kills_the_process_is_found_and_the_others_are_judged(tmp_path: Path) -> None:
    rows = values_of(tmp_path, "deadly.py", timeout=60)

    assert verdicts(rows) == {
        "softmax": "agrees",
        "softmax_exits": "crashed",
        "softmax_reads_address_0": "crashed",
    }
    assert "status 7" in rows["softmax_exits"].note
    assert "-11" in rows["softmax_reads_address_0"].note  # SIGSEGV


def test_who_never_returns_is_found_and_the_others_are_judged(tmp_path: Path) -> None:
    rows = values_of(tmp_path, "endless.py", timeout=2.0)

    assert verdicts(rows) == {
        "softmax": "agrees",
        "softmax_is_deaf": "timed out",
        "softmax_leaves_a_thread_that_sleeps": "agrees",  # the others are not blamed for it
        "softmax_pretends_to_be_done": "crashed",
        "softmax_sleeps": "timed out",
    }
    assert rows["softmax_is_deaf"].note == rows["softmax_sleeps"].note == "no answer within 2 s"


def test_whatever_ends_a_process_is_a_verdict_for_the_one_that_did_it(tmp_path: Path) -> None:
    rows = values_of(tmp_path, "grim.py", timeout=16.0, memory=2**29)

    assert verdicts(rows) == {
        "softmax": "agrees",
        "softmax_aborts": "crashed",
        "softmax_closes_every_file": "crashed",
        "softmax_exits_with_0": "crashed",
        "softmax_forks": "agrees",
        "softmax_kills_its_group": "crashed",
        "softmax_leaves_a_child": "agrees",
        "softmax_leaves_a_thread_that_exits": "agrees",  # the others are not blamed for it
        "softmax_returns_a_huge_array": "mismatched",
        "softmax_sets_an_alarm": "agrees",
        "softmax_swells": "crashed",
    }
    assert "-6" in rows["softmax_aborts"].note  # SIGABRT
    assert rows["softmax_exits_with_0"].note == "the process ended without an answer"
    assert rows["softmax_swells"].note == "the process took more than 0.5 GiB of memory"
    alive = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert ["sleep", "3600.125"] not in alive


def test_who_reaches_out_of_its_process_ends_neither_the_run_nor_another_function(
    tmp_path: Path,
) -> None:
    rows = values_of(tmp_path, "reaching.py", timeout=8.0)

    ending = (
        "overwrites_every_file_and_exits", "ends_the_group_of_its_parent", "kills_its_parent",
        "sends_every_file_nowhere",
    )  # fmt: skip
    found = verdicts(rows)
    assert {name: found.pop(f"softmax_{name}") for name in ending} == dict.fromkeys(
        ending, "crashed"
    )
    # While the judging process waits for the rest of the frame, the worker goes on with what was
    # sent ahead. The time limit ends it, or one of those functions does, whichever comes first:
    # the answer is lost either way, and how is not known.
    assert found.pop("softmax_announces_a_long_answer") in ("timed out", "crashed")
    assert len(found) == 12
    assert set(found.values()) == {"agrees"}
    alive = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert ["sleep", "3600.375"] not in alive


def test_each_death_is_written_down(tmp_path: Path) -> None:
    values_of(tmp_path, "deadly.py")

    with RunFile.open(tmp_path / "run.sqlite") as run:
        told = [(row.implementation, row.outcome) for row in run.rows(IncidentRow)]

    assert sorted(told) == [
        ("deadly.softmax_exits", "asked again, alone"),
        ("deadly.softmax_exits", "judged"),
        ("deadly.softmax_reads_address_0", "asked again, alone"),
        ("deadly.softmax_reads_address_0", "judged"),
    ]


def test_a_slow_start_is_not_held_against_the_questions_that_follow(tmp_path: Path) -> None:
    """A fresh worker, after a crash, imports the framework and the file again."""
    rows = values_of(tmp_path, "slow_start.py", timeout=1.0)

    assert verdicts(rows) == {"softmax": "agrees", "softmax_exits": "crashed"}


def test_what_functions_print_is_not_on_our_streams(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = values_of(tmp_path, "noisy.py", timeout=60)

    assert verdicts(rows) == {
        "softmax": "agrees",
        "softmax_floods": "agrees",
        "softmax_handles_signals": "agrees",
        "softmax_slams_the_streams": "agrees",
        "softmax_moves_away": "agrees",
    }
    assert tuple(capfd.readouterr()) == ("", "")


def test_a_function_that_works_in_no_mode_is_asked_in_none(tmp_path: Path) -> None:
    assert values_of(tmp_path, "answers.py", modes=("jit",)) == {}


def test_a_file_that_cannot_be_used_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import sys\nsys.exit(0)\n")

    with pytest.raises(UserFileError, match="SystemExit: 0"):
        values_of(tmp_path, str(tmp_path / "mine.py"))


def test_a_file_that_kills_its_process_at_the_import_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import os\nos._exit(9)\n")

    with pytest.raises(UserFileError, match=r"mine\.py: its process died at the import"):
        values_of(tmp_path, str(tmp_path / "mine.py"))


def test_a_file_for_a_framework_that_is_missing_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(FRAMEWORKS["jax"], imports=("no_such_package",))
    monkeypatch.setitem(FRAMEWORKS, "jax", absent)
    plan = Plan(SOFTMAX, ("jax", "numpy"), extra={"jax": ("mine.py",)})

    rows, workers, *_ = executed(tmp_path / "run.sqlite", plan)

    assert {worker.framework: bool(worker.absent) for worker in workers} == {
        "jax": True, "numpy": False
    }  # fmt: skip
    assert {row.framework for row in rows} == {"numpy"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise RuntimeError('half installed')", "does not import: RuntimeError: half installed"),
        ("import os\nos._exit(9)", "its process died at the import"),
    ],
)
def test_a_file_is_not_blamed_for_a_framework_that_does_not_start_without_it_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    (tmp_path / "scipy").mkdir()
    (tmp_path / "scipy/__init__.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)  # workers search where we do
    extra = {"numpy": (str(HOSTILE / "answers.py"),)}

    rows, workers, *_ = executed(tmp_path / "run.sqlite", Plan(SOFTMAX, ("numpy",), extra=extra))

    assert [worker.framework for worker in workers] == ["numpy"]
    assert reason in workers[0].absent
    assert rows == []


def test_what_a_file_changes_in_a_framework_does_not_change_what_is_said_of_it(
    tmp_path: Path,
) -> None:
    alone, *_ = executed(tmp_path / "alone.sqlite", Plan(TINY, ("numpy",)))
    extra = {"numpy": (str(HOSTILE / "poisonous.py"),)}

    beside, *_ = executed(tmp_path / "beside.sqlite", Plan(TINY, ("numpy",), extra=extra))

    def said(rows: list[VerdictRow]) -> set[tuple[str, ...]]:
        return {(row.implementation, row.case, row.quantity, row.verdict) for row in rows}

    theirs = {it for it in said(beside) if it[0].startswith("poisonous.")}
    assert said(beside) - theirs == said(alone)
    assert {verdict for *_, verdict in theirs} == {"raised", "unsupported"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DeviceAbsentError("numpy sees no GPU"), "numpy sees no GPU"),
        (LostError("its process died at the import"), "its process died at the import"),
        (ImportError("no numpy\nhere"), "does not import: ImportError: no numpy"),
    ],
)
def test_why_a_worker_offers_nothing_is_said_in_one_line(error: Exception, expected: str) -> None:
    assert why_no_start(error) == expected


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (Ended.of_status(9), "its process died at the import, with status 9"),
        (Ended.of_status(0), "its process died at the import: the process ended without an answer"),
        (
            Ended("timed out", "no answer within 300 s"),
            "it was not imported: no answer within 300 s",
        ),
        (
            Ended("crashed", "the process took more than 0.1 GiB of memory"),
            "its process died at the import: the process took more than 0.1 GiB of memory",
        ),
    ],
)
def test_how_a_process_ended_at_its_start_is_said_in_one_line(ended: Ended, expected: str) -> None:
    assert why_no_start_after(ended) == expected
