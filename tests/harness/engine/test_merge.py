"""Joining runs: the parts give the whole, and what is no part is refused in one line."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lossdiff.cases.suites import Suite
from lossdiff.harness.causes import ease
from lossdiff.harness.engine.identity import identity, users_files
from lossdiff.harness.engine.merge import merge
from lossdiff.harness.engine.plan import Plan
from lossdiff.harness.engine.shards import sharded
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import ExampleAnswerRow, ExampleRow, VerdictRow, WorkerRow
from lossdiff.harness.runfile.timing_rows import MemoryRow, PassRow, ProcessRow, TimingRow
from lossdiff.harness.timing.results import summaries

from lossdiff.errors import RunFileError

from ..runfile.test_nothing_lost import PLAN
from .interruption import content, run_here

Runs = Callable[..., Path]


@pytest.fixture
def run_of(tmp_path: Path) -> Runs:
    """Run a part of the plan, and say in the file what it is."""

    def run(name: str, part_of: tuple[int, int] = (1, 1), plan: Plan = PLAN, **meta: str) -> Path:
        part = replace(plan, suite=sharded(plan.suite, part_of), shard=part_of)
        path = tmp_path / f"{name}.sqlite"
        run_here(path, part)
        with RunFile.reopen(path) as made:
            said = identity(part, plan.suite)
            made.set_meta(**{**said, "started": "a", "finished": "b", "command": name, **meta})
        return path

    return run


def joined(folder: Path, *paths: Path) -> tuple[Path, dict[str, set[int]]]:
    """Join runs; return the whole, and what is missing of it."""
    into = folder / "whole.sqlite"
    with RunFile.create(into) as run:
        return into, merge(paths, run)


def test_the_shards_together_are_the_whole(run_of: Runs, tmp_path: Path) -> None:
    whole = content(run_of("all"))
    parts = [run_of(str(part), (part, 3)) for part in (1, 2, 3)]

    path, missing = joined(tmp_path, *parts)

    assert missing == {}
    assert content(path) == whole
    assert all(len(content(part)["verdicts"]) < len(whole["verdicts"]) for part in parts)
    with RunFile.open(path) as run:
        assert run.meta["shard"] == "1/1"
        assert run.meta["joined"] == "1\n2\n3"


def test_parts_may_be_joined_step_by_step_and_it_is_said_what_is_missing(
    run_of: Runs, tmp_path: Path
) -> None:
    one, two, three = (run_of(str(part), (part, 3)) for part in (1, 2, 3))

    some, missing = joined(tmp_path, one, three)
    assert missing == {"numpy": {2}}
    some = some.rename(tmp_path / "some.sqlite")
    path, missing = joined(tmp_path, two, some)

    assert missing == {}
    assert content(path) == content(run_of("all"))


def test_the_whole_names_the_users_files_of_every_part(run_of: Runs, tmp_path: Path) -> None:
    said = ['{"numpy": ["a.py", "b.py"]}', "", '{"numpy": ["b.py", "c.py"], "torch": ["d.py"]}']
    parts = [run_of(str(at), (at, 3), implementations=files) for at, files in enumerate(said, 1)]

    path, _ = joined(tmp_path, *parts)

    with RunFile.open(path) as run:
        files = users_files(run.meta)
    assert files == {"numpy": ("a.py", "b.py", "c.py"), "torch": ("d.py",)}


@pytest.mark.parametrize(("digests", "whole"), [("aaa", "a"), ("aab", "")])
def test_the_whole_has_the_users_functions_that_its_parts_have_in_common(
    run_of: Runs, tmp_path: Path, digests: str, whole: str
) -> None:
    parts = [run_of(str(at), (at, 3), functions=digest) for at, digest in enumerate(digests, 1)]

    path, _ = joined(tmp_path, *parts)

    with RunFile.open(path) as run:
        assert run.meta["functions"] == whole


def renamed(path: Path, framework: str, *, device: str = "cpu") -> Path:
    """Pretend that another framework, or another device, gave the answers."""
    with RunFile.reopen(path) as run:
        for table in ("verdicts", "domains", "answers", "workers", "relations", "asked", "levels"):
            run._connection.execute(
                f"UPDATE {table} SET framework = ?, device = ?", (framework, device)
            )
        for table in ("worked",):
            run._connection.execute(f"UPDATE {table} SET framework = ?", (framework,))
        run._connection.commit()
    return path


def rows_of(path: Path, kind: Any) -> list[Any]:
    with RunFile.open(path) as run:
        return list(run.rows(kind))


def test_of_two_examples_of_a_cause_the_whole_has_that_of_the_plainer_finding(
    run_of: Runs, tmp_path: Path
) -> None:
    parts = [run_of(str(part), (part, 2)) for part in (1, 2)]
    places: dict[str, tuple[object, ...]] = {}
    for path in parts:
        with RunFile.reopen(path) as run:
            row = next(run.rows(VerdictRow))
            who = (row.implementation, row.framework, row.kind, row.mode, row.device)
            found = (row.quantity, row.verdict, {"logits": path.stem}, "0")
            run.add([
                ExampleRow("cause", row.case, row.case, *who, *found),
                ExampleAnswerRow("cause", "NumPy", *who, row.verdict, path.stem),
            ])  # fmt: skip
            places[path.stem] = ease(row)

    path, _ = joined(tmp_path, *parts)

    plainer = min(places, key=lambda name: places[name])
    assert [row.inputs for row in rows_of(path, ExampleRow)] == [{"logits": plainer}]
    assert [row.given for row in rows_of(path, ExampleAnswerRow)] == [plainer]


def test_of_one_example_in_two_runs_all_answers_are_kept(run_of: Runs, tmp_path: Path) -> None:
    parts = [run_of("numpy"), renamed(run_of("torch"), "torch")]
    for path in parts:
        with RunFile.reopen(path) as run:
            row = next(run.rows(VerdictRow))
            who = (row.implementation, row.framework, row.kind, row.mode, row.device)
            found = (row.quantity, row.verdict, {"logits": "[0]"}, "0")
            run.add([
                ExampleRow("cause", row.case, row.case, *who, *found),
                ExampleAnswerRow("cause", row.framework, *who, row.verdict, "[1]"),
            ])  # fmt: skip

    path, _ = joined(tmp_path, *parts)

    assert len(rows_of(path, ExampleRow)) == 1
    assert {row.library for row in rows_of(path, ExampleAnswerRow)} == {"numpy", "torch"}


@pytest.mark.parametrize(("framework", "device"), [("torch", "cpu"), ("numpy", "gpu")])
def test_frameworks_and_devices_stand_side_by_side(
    run_of: Runs, tmp_path: Path, framework: str, device: str
) -> None:
    one, other = run_of("one"), renamed(run_of("other"), framework, device=device)

    path, missing = joined(tmp_path, one, other)

    assert missing == {}
    rows = rows_of(path, VerdictRow)
    assert len(rows) == 2 * len(rows_of(one, VerdictRow))
    assert {(row.framework, row.device) for row in rows} == {("numpy", "cpu"), (framework, device)}
    assert len(content(path)["relations"]) == 2 * len(content(one)["relations"])


def test_the_same_answers_twice_are_taken_once(run_of: Runs, tmp_path: Path) -> None:
    one, again = run_of("one"), run_of("again")

    path, _ = joined(tmp_path, one, again)

    assert content(path) == content(one)


def test_who_was_absent_in_one_run_and_answered_in_another_was_not_absent(
    run_of: Runs, tmp_path: Path
) -> None:
    one, other = run_of("one"), renamed(run_of("other"), "torch")
    with RunFile.reopen(one) as run:
        run.add([WorkerRow("torch", "cpu", {}, "not installed")])

    path, _ = joined(tmp_path, one, other)

    assert [(row.framework, row.absent) for row in rows_of(path, WorkerRow)] == [
        ("numpy", ""), ("torch", "")
    ]  # fmt: skip


def other_suite() -> Plan:
    return replace(PLAN, suite=Suite("quick", PLAN.suite.cases[:-1], operations=("softmax",)))


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"suite": "full"}, "asked other questions than .*one.sqlite: --suite quick, not full"),
        ({"seed": "3"}, "asked other questions than .*: --seed 0, not 3"),
        ({"questions": "other"}, "asked other questions than .*: cases that differ"),
        ({"version": "9"}, "asked other questions than .*: lossdiff 0.1.0, not 9"),
        ({"shard": "1/2"}, "is shard 1/2, and .*one.sqlite is shard 1/1"),
        ({"finished": ""}, "is not complete: go on with it first, with --resume"),
    ],
)
def test_what_is_no_part_of_the_same_whole_is_refused(
    run_of: Runs, tmp_path: Path, meta: dict[str, str], expected: str
) -> None:
    one, other = run_of("one"), run_of("other", **meta)

    with pytest.raises(RunFileError, match=expected) as refusal:
        joined(tmp_path, one, other)

    assert str(refusal.value).startswith(str(other))
    assert "\n" not in str(refusal.value)


def test_a_case_is_named_that_only_one_run_asked(run_of: Runs, tmp_path: Path) -> None:
    one, other = run_of("one"), run_of("other", plan=other_suite())

    with pytest.raises(RunFileError, match="for example softmax/float32/64x70/grid/-/0"):
        joined(tmp_path, one, other)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE verdicts SET verdict = 'crashed' WHERE rowid = 9", "both asked numpy on cpu, and"),
        ("DELETE FROM verdicts WHERE rowid = 9", "both asked numpy on cpu, and differ: .*nothing"),
        (
            "UPDATE workers SET environment = json_set(environment, '$.versions.numpy', '1.0')",
            "has numpy .*, and .*other.sqlite has numpy 1.0: compare them",
        ),
    ],
)
def test_runs_that_contradict_each_other_are_refused(
    run_of: Runs, tmp_path: Path, change: str, expected: str
) -> None:
    one, other = run_of("one"), run_of("other")
    with RunFile.reopen(other) as run:
        run._connection.execute(change)
        run._connection.commit()

    with pytest.raises(RunFileError, match=expected):
        joined(tmp_path, one, other)


def timed(path: Path, framework: str, **meta: str) -> Path:
    """Add what a framework was timed at: two passes, and what they come to."""
    about = (framework, "eager", "cpu", "forward", "one", "hot")
    with RunFile.reopen(path) as run:
        row = next(run.rows(VerdictRow))
        for number in (1, 2):
            run.add([ProcessRow(number, number, framework, "cpu", "one", 1, 1e10, [0.1], [1e-5],
                                None, "", {}, "")])  # fmt: skip
            run.add([PassRow(number, row.case, row.implementation, *about, [number * 1e-3], [1],
                             0.1, None, None, "", {}, row.verdict)])  # fmt: skip
        run.add([MemoryRow(row.case, row.implementation, *about[:-1], 4096)])
        run.add(summaries(run))
        run.set_meta(**meta)
    return path


def test_timings_come_with_what_they_were_made_of(run_of: Runs, tmp_path: Path) -> None:
    meta = {"benchmarks": "quick", "label": "x", "commit": "c", "timed": "t"}
    one = timed(run_of("one"), "numpy", **meta)
    other = timed(renamed(run_of("other"), "torch"), "torch", **{**meta, "timed": ""})

    path, _ = joined(tmp_path, one, other)

    processes = {row.number: row.framework for row in rows_of(path, ProcessRow)}
    assert processes == {1: "numpy", 2: "numpy", 3: "torch", 4: "torch"}
    assert all(processes[row.process] == row.framework for row in rows_of(path, PassRow))
    with RunFile.open(path) as run:
        assert sorted(summaries(run), key=str) == sorted(run.rows(TimingRow), key=str)
        assert {key: run.meta[key] for key in meta} == {**meta, "timed": ""}
    assert [row.memory for row in rows_of(path, TimingRow)] == [4096, 4096]


def test_three_times_as_many_verdicts_need_no_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[merge.__module__], "_BATCH", 50)
    row = VerdictRow(
        "", "softmax", None, "normal", "4x10", "float32", {}, "mine", "numpy", "user", "eager",
        "cpu", "value", "exact",
    )  # fmt: skip
    said = {**identity(PLAN, PLAN.suite), "started": "a", "finished": "b", "command": ""}

    def parts(number: int) -> Iterator[Path]:
        for name in ("one", "again"):
            path = tmp_path / f"{number}_{name}.sqlite"
            with RunFile.create(path) as run:
                run.set_meta(**said)
                run.add([WorkerRow("numpy", "cpu", {})])
                run.add([replace(row, case=f"softmax/float32/4x10/normal/-/{n}")
                         for n in range(number)])  # fmt: skip
            yield path

    peaks = []
    for number in (400, 1200):
        runs = list(parts(number))
        joined(tmp_path, *runs)
        tracemalloc.start()
        path, _ = joined(tmp_path, *runs)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        with RunFile.open(path) as run:
            assert run.count(VerdictRow) == number  # what both have is taken once

    assert peaks[1] - peaks[0] < 50 * (1200 - 400)  # a kept answer has hundreds of bytes
