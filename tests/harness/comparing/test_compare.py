"""Two runs: what got worse, what vanished, what became slower, and what did not."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from junitparser import Failure, JUnitXml
from lossdiff.harness.comparing.compare import Comparison, compare
from lossdiff.harness.comparing.snapshot import names_of, read_snapshot
from lossdiff.harness.comparing.times import FEW
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow, WorkerRow
from lossdiff.harness.runfile.timing_rows import PassRow, ProcessRow
from lossdiff.reports.comparison_markdown import markdown
from lossdiff.reports.junit import write_junit

from lossdiff._cli import main as cli
from lossdiff._cli.bench import commit

CASE = "softmax/float32/4x10/normal/-/0"
NAMES = {
    "numpy": "scipy.special.softmax",
    "torch": "torch.nn.functional.softmax",
    "jax": "jax.nn.softmax",
    "tensorflow": "tf.nn.softmax",
}
SLOW = "torch.nn.functional.softmax"
ROW = VerdictRow(
    CASE, "softmax", None, "normal", "4x10", "float32", {}, SLOW, "torch", "native", "eager",
    "cpu", "value", "faithful", ulp=0.7, fingerprint="ab",
)  # fmt: skip
Change = Callable[[VerdictRow], VerdictRow]
Make = Callable[..., Path]


def verdicts() -> Iterator[VerdictRow]:
    for framework, name in NAMES.items():
        for quantity in ("value", "gradient_logits"):
            yield replace(ROW, framework=framework, implementation=name, quantity=quantity)


def timed(seed: int, slower: float, passes: int) -> Iterator[Any]:
    """Draw times: the whole machine drifts, each round has a delay, one may be slower."""
    draws = np.random.default_rng(seed)
    machine = draws.normal(0, 0.05)
    for number, framework in enumerate(list(NAMES) * passes, 1):
        yield ProcessRow(number, (number - 1) // 4 + 1, framework, "cpu", "one", 1, 1e10, [0.1],
                         [1e-5], 0.5, "", {}, "file.json")  # fmt: skip
        name, drift = NAMES[framework], machine + draws.normal(0, 0.02)
        for mode, direction, cache in itertools.product(
            ("eager", "jit"), ("forward", "forward+backward"), ("hot", "cold")
        ):
            cost = 1e-3 * np.exp(drift) * (1 + slower * (name == SLOW and mode == "eager"))
            times = cost * (1 + draws.exponential(0.01, 12))
            yield PassRow(number, CASE, name, framework, mode, "cpu", direction, "one", cache,
                          times.tolist(), [1], 0.1, None, None, "", {"value": "ab"},
                          "faithful")  # fmt: skip


def add(run: RunFile, rows: Iterable[Any]) -> None:
    """Write rows of both kinds, those of a kind together: each writing is a commit."""
    rows = list(rows)
    run.add([row for row in rows if isinstance(row, ProcessRow)])
    run.add([row for row in rows if isinstance(row, PassRow)])


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a run file."""
    numbers = itertools.count()

    def written(
        change: Change = lambda row: row, *, cpu: str = "a cpu", version: str = "2.13",
        seed: int | None = None, slower: float = 0.0, passes: int = 9,
        passed: Callable[[PassRow], PassRow | None] = lambda row: row, **meta: str,
    ) -> Path:  # fmt: skip
        path = tmp_path / f"run{next(numbers)}.sqlite"
        with RunFile.create(path) as run:
            run.set_meta(**{"suite": "bench", **meta})
            for name in [meta.pop("only")] if "only" in meta else NAMES:
                facts = {"cpu": cpu, "cores": 2, "versions": {name: version}}
                run.add([WorkerRow(name, "cpu", facts)])
            run.add([changed for row in verdicts() if (changed := change(row)) is not None])
            if seed is not None:
                rows = timed(seed, slower, passes)
                add(run, (passed(row) if isinstance(row, PassRow) else row for row in rows))
        return path

    return written


def of(name: str, **values: Any) -> Change:
    """Change the value that one implementation gives."""
    return lambda row: (
        replace(row, **values) if (row.implementation, row.quantity) == (name, "value") else row
    )


def kinds(found: Comparison) -> list[tuple[str, str, bool]]:
    return [(it.answer.implementation, it.kind, it.is_regression) for it in found.accuracy.changes]


# --- answers ---------------------------------------------------------------------------------


def test_the_same_answers_are_no_change(make: Make) -> None:
    found = compare(make(), make())

    assert found.answers == 8
    assert (found.accuracy.changes, found.regressions) == ((), ())


@pytest.mark.parametrize(
    ("values", "kind", "regression"),
    [
        ({"verdict": "inaccurate"}, "worse", True),
        ({"verdict": "unsupported"}, "worse", True),
        ({"verdict": "order"}, "worse", True),
        ({"verdict": "inaccurate", "known": True, "ledger": "known-one"}, "worse", False),
        ({"fingerprint": "cd"}, "bits changed", True),
        ({"ulp": 3.0, "fingerprint": "cd"}, "ulp grew", True),
        ({"ulp": 0.9, "fingerprint": "cd", "verdict": "within bound"}, "bits changed", True),
    ],
)
def test_what_became_of_an_answer(
    make: Make, values: dict[str, Any], kind: str, regression: bool
) -> None:
    found = compare(make(), make(of(SLOW, **values)))

    assert kinds(found) == [(SLOW, kind, regression)]


def test_another_convention_is_worse_than_the_one_before(make: Make) -> None:
    before = make(of(SLOW, verdict="convention:mean_over_rows"))

    found = compare(before, make(of(SLOW, verdict="convention:clipped")))

    assert kinds(found) == [(SLOW, "worse", True)]


def test_a_better_verdict_is_no_regression(make: Make) -> None:
    found = compare(make(of(SLOW, verdict="inaccurate")), make())

    assert kinds(found) == [(SLOW, "better", False)]


def test_other_bits_are_expected_of_another_version(make: Make) -> None:
    found = compare(make(), make(of(SLOW, fingerprint="cd"), version="2.14"))

    assert kinds(found) == [(SLOW, "bits changed", False)]
    assert found.accuracy.changes[0].expected == "other versions"


def test_a_wrong_bit_under_the_clock_is_found(make: Make) -> None:
    def whole(digest: str) -> Callable[[PassRow], PassRow]:
        bits = {"value": "ab", "value:whole": digest}
        return lambda row: replace(row, fingerprints=bits) if row.implementation == SLOW else row

    base, new = make(seed=1, passed=whole("ab")), make(seed=2, passed=whole("cd"))

    assert kinds(compare(base, new)) == [(SLOW, "bits changed", True)] * 2
    assert kinds(compare(base, make(seed=2, passed=whole("ab")))) == []


# --- coverage --------------------------------------------------------------------------------


def test_what_vanished_fails_and_what_appeared_does_not(make: Make) -> None:
    whole = make()
    part = make(lambda row: None if row.implementation == SLOW else row)

    lost, gained = compare(whole, part), compare(part, whole)

    assert [(it.implementation, it.count) for it in lost.coverage.vanished] == [(SLOW, 2)]
    assert "2 answers vanished" in lost.regressions[0]
    assert (gained.coverage.vanished, gained.regressions) == ((), ())
    assert [it.implementation for it in gained.coverage.appeared] == [SLOW]


def test_runs_that_were_asked_different_things_say_nothing_of_coverage(make: Make) -> None:
    part = make(lambda row: None if row.implementation == SLOW else row, suite="full")

    found = compare(make(), part)

    assert found.coverage.vanished == ()
    assert "suite bench and full" in found.coverage.incomparable


@pytest.mark.parametrize("cut", [{"finished": ""}, {"finished": "then", "timed": ""}])
def test_a_run_that_was_cut_off_is_incomplete_and_not_blamed(
    make: Make, cut: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    whole, xml = make(seed=1), tmp_path / "c.xml"
    part = make(lambda row: None if row.implementation == SLOW else row, **cut)

    found, back = compare(whole, part), compare(part, whole)

    assert (found.regressions, back.regressions) == ((), ())
    assert (found.coverage.vanished, back.coverage.appeared) == ((), ())
    assert found.incomplete == f"{part.name} was cut off; not compared: 2 answers, 32 timings"
    assert back.incomplete == found.incomplete
    assert cli.run(["compare", str(whole), str(part), "--junit", str(xml)]) == 3
    shown = capsys.readouterr()
    assert shown.err == f"lossdiff: incomplete; {found.incomplete}\n"
    assert "no regressions in 6 answers and 0 benchmarks; a run is incomplete" in shown.out
    assert found.incomplete in xml.read_text()


def test_what_a_cut_off_run_reached_is_judged(make: Make) -> None:
    part = make(of(SLOW, verdict="inaccurate"), finished="")

    assert cli.run(["compare", str(make(seed=1)), str(part)]) == 1


def test_a_run_of_which_passes_are_missing_is_compared_as_far_as_it_goes(make: Make) -> None:
    def reached(row: PassRow) -> PassRow | None:
        early = row.framework in ("numpy", "torch")
        return row if row.process <= (12 if early else 4) else None

    base, part = make(seed=1), make(seed=2, passed=reached, finished="then", timed="")
    found = compare(base, part)

    assert found.times.compared == 16
    assert found.incomplete == f"{part.name} was cut off; not compared: 16 timings of one pass"
    assert found.regressions == ()
    assert "16 benchmarks unclear: fewer than 8 passes" in markdown(found)
    assert "16 benchmarks not comparable: a run with 1 pass" in markdown(found)


def test_a_run_of_which_one_framework_has_enough_passes_is_judged_there(make: Make) -> None:
    def reached(row: PassRow) -> PassRow | None:
        return row if row.framework != "jax" or row.process <= 4 * 7 else None

    times = compare(make(seed=1), make(seed=2, slower=0.5, passed=reached)).times

    assert {it.who.implementation for it in times.slower} == {SLOW}
    few = [it for it in (*times.benchmarks, *times.implementations) if it.reason]
    assert {it.who.framework for it in few} == {"jax"}
    assert {(it.verdict, it.reason) for it in few} == {("unclear", FEW)}


def test_fewer_than_eight_passes_say_so_in_every_report(make: Make, tmp_path: Path) -> None:
    xml = tmp_path / "c.xml"
    found = compare(make(seed=1, passes=7), make(seed=2, passes=9, slower=0.5))

    assert (found.times.compared, found.regressions) == (32, ())
    assert "32 benchmarks: 32 unclear." in markdown(found)
    assert f"32 benchmarks unclear: {FEW}." in markdown(found)
    write_junit(found, xml)
    assert xml.read_text().count(f"unclear: {FEW}") == 32 + 16


# --- times -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_same_code_again_is_no_slower(make: Make, seed: int) -> None:
    times = compare(make(seed=seed), make(seed=100 + seed)).times

    assert times.compared == 32
    assert {it.verdict for it in times.benchmarks} <= {"same", "unclear"}
    assert times.regressions == ()


@pytest.mark.parametrize("seed", range(5))
def test_ten_percent_are_found_and_blamed_on_whose_they_are(make: Make, seed: int) -> None:
    """Processes differ by 2%, and one implementation each has to stand for its framework."""
    base, new = make(seed=seed, passes=12), make(seed=100 + seed, slower=0.1, passes=12)
    times = compare(base, new).times

    blamed = {(it.who.implementation, it.who.mode) for it in times.slower}
    assert blamed == {(SLOW, "eager")}
    assert times.slower[0].change == pytest.approx(0.1, abs=0.05)


def test_what_was_slower_is_faster_the_other_way_round(make: Make) -> None:
    times = compare(make(seed=1, slower=0.3), make(seed=2)).times

    assert times.regressions == ()
    assert {it.who.implementation for it in times.benchmarks if it.verdict == "faster"} == {SLOW}


def test_three_percent_are_too_little_to_count(make: Make) -> None:
    assert compare(make(seed=1), make(seed=2, slower=0.03)).times.regressions == ()


@pytest.mark.parametrize(
    ("other", "reason"),
    [({"cpu": "b cpu"}, "another machine: cpu was a cpu, is b cpu"), ({"passes": 1}, "1 pass")],
)
def test_times_that_cannot_be_compared_say_why(
    make: Make, other: dict[str, Any], reason: str
) -> None:
    times = compare(make(seed=1), make(seed=2, slower=3.0, **other)).times

    assert reason in times.incomparable
    assert {it.verdict for it in times.benchmarks} == {"not comparable"}
    assert (times.compared, times.regressions) == (0, ())


# --- the command -----------------------------------------------------------------------------


def test_exit_statuses(make: Make, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    same, worse = make(), make(of(SLOW, verdict="inaccurate"))
    other = make(lambda row: replace(row, implementation=f"other.{row.framework}"), suite="full")

    assert cli.run(["compare", str(same), str(make())]) == 0
    assert cli.run(["compare", str(same), str(worse)]) == 1
    assert "regression: torch.nn.functional.softmax eager: worse" in capsys.readouterr().err
    assert cli.run(["compare", str(same), str(other)]) == 3
    assert capsys.readouterr().err.startswith("lossdiff: nothing could be compared; ")
    assert cli.run(["compare", str(same)]) == 2
    assert cli.run(["compare", str(same), str(tmp_path / "none.sqlite")]) == 2
    assert "there is no run file" in capsys.readouterr().err


def test_of_runs_that_share_nothing_nothing_is_called_vanished(
    make: Make, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = make(lambda row: replace(row, implementation=f"other.{row.framework}"))

    status = cli.run(["compare", str(make()), str(other), "--junit", str(tmp_path / "c.xml")])

    out, err = capsys.readouterr()
    reason = "no answer and no benchmark is in both runs"
    assert (status, err) == (3, f"lossdiff: nothing could be compared; {reason}\n")
    assert "anished" not in out
    assert "the base has 8 answers of 4 implementations; the new run has 8 answers" in out
    xml = (tmp_path / "c.xml").read_text("utf-8")
    assert "<failure" not in xml
    assert reason in xml


def test_markdown_and_junit_say_the_same(make: Make, tmp_path: Path) -> None:
    text, xml = tmp_path / "out" / "c.md", tmp_path / "out" / "c.xml"
    paths = [str(make(seed=1)), str(make(of(SLOW, verdict="nonfinite"), seed=2, slower=0.2))]

    status = cli.run(["compare", *paths, "--markdown", str(text), "--junit", str(xml)])

    assert status == 1
    assert "faithful → nonfinite" in text.read_text()
    assert "| **slower**" in text.read_text()
    cases = [case for suite in JUnitXml.fromfile(str(xml)) for case in suite]
    failed = {case.name for case in cases if any(isinstance(it, Failure) for it in case.result)}
    assert f"{SLOW} eager" in failed
    assert f"{SLOW} eager one all forward" in failed
    assert all(SLOW in name for name in failed)


def test_hostile_names_end_no_cell_and_no_document(make: Make, tmp_path: Path) -> None:
    name, xml = "a|b<script>\0\x1b]]>", tmp_path / "c.xml"
    hostile = lambda row: replace(row, implementation=name, fingerprint="cd")  # noqa: E731
    base = make(lambda row: replace(row, implementation=name))

    status = cli.run(["compare", str(base), str(make(hostile)), "--junit", str(xml),
                      "--markdown", str(tmp_path / "c.md")])  # fmt: skip

    assert status == 1
    assert [suite.name for suite in JUnitXml.fromfile(str(xml))] == ["answers", "coverage", "times"]
    lines = [line for line in (tmp_path / "c.md").read_text().splitlines() if "script" in line]
    assert lines
    assert all("<script" not in line and "\\|b" in line for line in lines)


def test_many_runs_show_the_course_and_the_step(
    make: Make, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    runs = [make(seed=seed, slower=0.5 * (seed > 2), commit=f"commit{seed}") for seed in range(5)]
    text = tmp_path / "c.md"

    assert cli.run(["compare", *map(str, runs), "--markdown", str(text)]) == 1

    heading = text.read_text().splitlines()[0]
    assert heading == f"## {capsys.readouterr().out.splitlines()[0]}"
    stepped = [line for line in text.read_text().splitlines() if "**slower** at" in line]
    assert len(stepped) == 4
    assert all("at commit3" in line and SLOW in line for line in stepped)


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        ([{"commit": "c1"}, {"commit": "c2"}], ["c1", "c2"]),
        ([{"label": "mine", "commit": "c1"}, {"commit": "c2"}], ["mine", "c2"]),
        ([{"commit": "c1"}, {"commit": "c1"}], ["c1 (run0.sqlite)", "c1 (run1.sqlite)"]),
        ([{}, {"commit": "c2"}], ["run0.sqlite", "c2"]),
        (
            [{"only": "jax", "version": "1"}, {"only": "jax", "version": "2", "label": "new"}],
            ["jax 1", "new, jax 2"],
        ),
        ([{"version": "1"}, {"version": "2"}], ["run0.sqlite", "run1.sqlite"]),
    ],
)
def test_runs_are_called_by_what_tells_them_apart(
    make: Make, runs: list[dict[str, str]], names: list[str]
) -> None:
    assert names_of([read_snapshot(make(**run)) for run in runs]) == names


def test_one_lucky_round_of_hundreds_is_not_what_counts(make: Make) -> None:
    """Of twenty or fewer the fastest is, though."""
    hundreds = [1.0] * 90 + [2.0] * 10 + [0.5]

    for times, expected in ((hundreds, 1.0), ([2.0, 1.0, 3.0], 1.0)):
        path = make(seed=1, passed=lambda row, times=times: replace(row, times=times))
        found = {
            it.fastest for passes in read_snapshot(path).times.values() for it in passes.values()
        }
        assert found == {expected}


def test_files_of_the_same_name_are_told_apart_by_their_place(make: Make) -> None:
    side = read_snapshot(make())

    assert names_of([side, side]) == ["run0.sqlite (run 1)", "run0.sqlite (run 2)"]


def test_the_commit_is_that_of_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == ""

    (tmp_path / "file").write_text("1")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-qm", "one"], ["tag", "v1"]):
        subprocess.run([*git, *command], check=True)
    short = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert commit() == short
    (tmp_path / "file").write_text("2")
    assert commit() == f"{short}-dirty"
    monkeypatch.setenv("PATH", "")
    assert commit() == ""
