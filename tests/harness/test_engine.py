"""The engine with NumPy alone: whatever a function does to its process, the run goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.cases.model import Case
from lossdiff.cases.suites import Suite
from lossdiff.harness.engine import Engine
from lossdiff.harness.plan import Plan, why_absent
from lossdiff.harness.progress_rows import IncidentRow
from lossdiff.harness.recorder import Recorder
from lossdiff.harness.rows import DomainRow, RelationRow, VerdictRow, WorkerRow
from lossdiff.harness.runfile import RunFile
from lossdiff.harness.verdicts import standing
from lossdiff.harness.worker import UserFileError

HOSTILE = Path(__file__).parents[1] / "hostile"
SOFTMAX = Suite("tiny", (Case.parse("softmax/float32/4x10/normal/-/0"),))
TINY = Suite(
    "tiny",
    tuple(
        Case.parse(text)
        for text in (
            "cross_entropy/index.random/float32/4x10/normal/-/0",
            "cross_entropy/index.too_large/float32/4x10/normal/-/0",
            "softmax/float32/4x10/normal/-/0",
            "softmax/float32/4x10/normal/axis=0/0",
        )
    ),
)


class Told:
    """Remembers the progress that an engine tells."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str, int, int]] = []

    def __call__(self, framework: str, state: str, done: int, total: int) -> None:
        self.steps.append((framework, state, done, total))


def executed(path: Path, plan: Plan) -> tuple[list[VerdictRow], list[WorkerRow], Recorder, Told]:
    """Run a plan; return what it wrote and what it told."""
    told = Told()
    with RunFile.create(path) as run:
        recorder = Engine(plan, run, told).execute()
    with RunFile.open(path) as run:
        return list(run.rows(VerdictRow)), list(run.rows(WorkerRow)), recorder, told


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
        if row.quantity == "value" and row.verdict != "unsupported"
    }


def verdicts(rows: dict[str, VerdictRow]) -> dict[str, str]:
    """Return the word of each row; what agrees is called so."""
    return {
        name: "agrees" if standing(row.verdict) == "agrees" else row.verdict
        for name, row in rows.items()
    }


# --- an ordinary run -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return executed(tmp_path_factory.mktemp("run") / "run.sqlite", Plan(TINY, ("numpy",)))


def test_every_implementation_has_a_verdict_on_every_case_of_its_operation(ordinary: Any) -> None:
    rows, *_ = ordinary

    asked = {(row.implementation, row.case) for row in rows if row.quantity == "value"}
    names = {(row.implementation, row.operation) for row in rows}

    assert asked == {
        (name, case.id) for name, operation in names for case in TINY.cases
        if case.operation == operation
    }  # fmt: skip
    assert ("scipy.special.softmax", "softmax") in names
    assert ("numpy.textbook.cross_entropy_shifted", "cross_entropy") in names


def test_right_answers_agree_and_wrong_ones_do_not(ordinary: Any) -> None:
    rows, *_ = ordinary
    words = {
        (row.implementation, row.case, row.quantity): standing(row.verdict) for row in rows
    }  # fmt: skip
    softmax, axis_0 = TINY.cases[2].id, TINY.cases[3].id
    recipe, mean = "numpy.recipes.cross_entropy", TINY.cases[0].id

    assert words["scipy.special.softmax", softmax, "value"] == "agrees"
    assert words["scipy.special.softmax", axis_0, "value"] == "agrees"
    assert words["numpy.textbook.softmax_over_axis_0", softmax, "value"] == "finding"
    assert words["numpy.textbook.softmax_over_axis_0", axis_0, "value"] == "unsupported"
    assert {words[recipe, mean, name] for name in ("value", "gradient_logits")} == {"agrees"}


def test_an_error_where_one_is_right_is_a_refusal(ordinary: Any) -> None:
    rows, *_ = ordinary
    bad_index = TINY.cases[1].id

    words = {
        row.verdict for row in rows if row.case == bad_index and "recipes" in row.implementation
    }

    assert "refused" in words
    assert not {word for word in words if standing(word) == "finding"}


def test_the_recorder_counts_what_the_file_holds(ordinary: Any) -> None:
    rows, _, recorder, _ = ordinary

    assert recorder.verdicts == Counter(row.verdict.partition(":")[0] for row in rows)
    unknown = [row for row in rows if standing(row.verdict) == "finding" and not row.known]
    assert recorder.unknown == len(unknown)


def test_the_run_says_who_answered_and_with_which_versions(ordinary: Any) -> None:
    _, (worker,), _, _ = ordinary

    assert (worker.framework, worker.device, worker.absent) == ("numpy", "cpu", "")
    assert worker.environment["versions"].keys() == {"numpy", "scipy", "ml_dtypes"}


def test_progress_goes_from_nothing_to_all(ordinary: Any) -> None:
    *_, told = ordinary
    states = [state for _, state, _, _ in told.steps]
    done = [count for _, _, count, _ in told.steps]

    assert (states[0], states[-1]) == ("starting", "done")
    assert done == sorted(done)
    assert told.steps[-1][2] == told.steps[-1][3] > 0


def test_two_runs_give_the_same_rows(ordinary: Any, tmp_path: Path) -> None:
    rows, *_ = ordinary
    again, *_ = executed(tmp_path / "run.sqlite", Plan(TINY, ("numpy",)))

    assert [replace(row, seconds=None) for row in rows] == [
        replace(row, seconds=None) for row in again
    ]


# --- who cannot take part --------------------------------------------------------------------


def test_a_missing_framework_is_reported_once_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(FRAMEWORKS["jax"], imports=("no_such_package",))
    monkeypatch.setitem(FRAMEWORKS, "jax", absent)

    rows, workers, recorder, told = executed(
        tmp_path / "run.sqlite", Plan(SOFTMAX, ("jax", "numpy"))
    )

    reason = "no_such_package not installed; pip install 'lossdiff[jax]'"
    assert [(worker.framework, worker.absent) for worker in workers] == [
        ("jax", reason), ("numpy", "")
    ]  # fmt: skip
    assert {row.framework for row in rows} == {"numpy"}
    assert recorder.verdicts
    assert ("jax", reason, 0, 0) in told.steps


def test_a_framework_without_the_device_is_reported(tmp_path: Path) -> None:
    rows, workers, recorder, _ = executed(
        tmp_path / "run.sqlite", Plan(SOFTMAX, ("numpy",), device="gpu")
    )

    assert [worker.absent for worker in workers] == ["NumPy has no GPU"]
    assert (rows, sum(recorder.verdicts.values())) == ([], 0)


def test_a_mode_that_nobody_has_leaves_nothing_to_ask(tmp_path: Path) -> None:
    rows, workers, recorder, _ = executed(
        tmp_path / "run.sqlite", Plan(SOFTMAX, ("numpy",), modes=("jit",))
    )

    assert [worker.absent for worker in workers] == ["has no such mode; it has eager"]
    assert (rows, sum(recorder.verdicts.values())) == ([], 0)


def test_no_framework_at_all_is_an_empty_run(tmp_path: Path) -> None:
    rows, workers, *_ = executed(tmp_path / "run.sqlite", Plan(SOFTMAX, ()))

    assert (rows, workers) == ([], [])


def test_no_case_at_all_is_an_empty_run(tmp_path: Path) -> None:
    rows, workers, *_ = executed(tmp_path / "run.sqlite", Plan(Suite("tiny", ()), ("numpy",)))

    assert rows == []
    assert [worker.absent for worker in workers] == [""]


def test_who_can_take_part_has_no_excuse() -> None:
    assert why_absent(FRAMEWORKS["numpy"], Plan(SOFTMAX, ("numpy",))) == ""


# --- hostile files ---------------------------------------------------------------------------


def test_whatever_is_returned_or_raised_is_judged_and_the_run_goes_on(tmp_path: Path) -> None:
    rows = values_of(tmp_path, "answers.py", timeout=60)

    mismatched = (
        "returns_none", "returns_none_with_gradient", "returns_a_list", "returns_a_text",
        "returns_a_number", "returns_two", "returns_objects", "returns_texts",
        "returns_complex_numbers", "returns_records", "in_double", "of_the_first_row",
    )  # fmt: skip
    raised = (
        "raises", "raises_without_a_word", "raises_at_length", "raises_a_lone_surrogate",
        "raises_the_unprintable", "leaves", "interrupts", "raises_a_base_exception",
        "ends_a_generator",
    )  # fmt: skip
    agrees = (
        "changes_its_input", "warns", "without_a_gradient_by_hand", "with_a_failing_gradient",
        "with_a_wrong_gradient",
    )  # fmt: skip
    assert verdicts(rows) == {
        "softmax": "agrees",
        "softmax_is_wrong": "inaccurate",
        **{f"softmax_{name}": "mismatched" for name in mismatched},
        **{f"softmax_{name}": "raised" for name in raised},
        **{f"softmax_{name}": "agrees" for name in agrees},
    }
    assert rows["softmax_raises_a_lone_surrogate"].note == r"ValueError: bad \ud800 name"


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
    rows = values_of(tmp_path, "endless.py", timeout=1.0)

    assert verdicts(rows) == {
        "softmax": "agrees",
        "softmax_is_deaf": "timed out",
        "softmax_leaves_a_thread_that_sleeps": "agrees",  # the others are not blamed for it
        "softmax_pretends_to_be_done": "crashed",
        "softmax_sleeps": "timed out",
    }
    assert rows["softmax_is_deaf"].note == rows["softmax_sleeps"].note == "no answer within 1 s"


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

    with pytest.raises(UserFileError, match=r"mine\.py: its process died at .*, with status 9"):
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


# --- the domain of validity ------------------------------------------------------------------


def domain_of(folder: Path, name: str, only: Any, **options: Any) -> tuple[list[DomainRow], Told]:
    """Search for the limits of some softmaxes, as the suite of a name does."""
    suite = Suite(name, (), operations=("softmax",))
    *_, told = executed(folder / "run.sqlite", Plan(suite, ("numpy",), only=only, **options))
    with RunFile.open(folder / "run.sqlite") as run:
        return list(run.rows(DomainRow)), told


def by_value(rows: list[DomainRow], sweep: str) -> dict[str, float | None]:
    """Return where a sweep breaks the one implementation that was asked, by dtype."""
    return {row.dtype: row.breaks_at for row in rows if row.sweep == sweep}


def test_the_textbook_softmax_breaks_where_exp_overflows(tmp_path: Path) -> None:
    rows, told = domain_of(
        tmp_path, "domain", lambda claim: claim.name == "numpy.textbook.softmax_unshifted"
    )

    limits = {"float16": 11.09, "bfloat16": 88.75, "float32": 88.73, "float64": 709.8}
    assert by_value(rows, "spread") == by_value(rows, "large") == limits
    assert {row.sweep for row in rows} == {"offset", "down", "spread", "large"}
    (everyday,) = [row for row in rows if (row.sweep, row.dtype) == ("spread", "float32")]
    assert everyday.broken_by == "nonfinite"
    assert everyday.case == "softmax/float32/4x10/spread@88.73/-/0"
    assert told.steps[-1][1:] == ("done", told.steps[-1][3], told.steps[-1][3])


def test_a_users_function_breaks_where_it_breaks(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "def softmax(logits):\n"
        "    if abs(logits).max() >= 12.5:\n"
        "        raise OverflowError('too large for me')\n"
        "    e = np.exp(logits - logits.max(-1, keepdims=True))\n"
        "    return e / e.sum(-1, keepdims=True)\n"
    )
    extra = {"numpy": (str(tmp_path / "mine.py"),)}

    rows, _ = domain_of(tmp_path, "quick", lambda claim: claim.kind == "user", extra=extra)

    found = [(row.implementation, row.sweep, row.breaks_at, row.broken_by) for row in rows]
    assert found == [
        ("mine.softmax", "offset", 12.5, "raised"),
        ("mine.softmax", "spread", 12.5, "raised"),
    ]


# --- one thread ------------------------------------------------------------------------------

LARGE = Suite("tiny", (Case.parse("softmax/float32/64x70/grid/-/0"), *TINY.cases))


def threaded(folder: Path, text: str) -> tuple[list[RelationRow], list[VerdictRow], Told]:
    """Ask a user's softmax with many threads, and with one."""
    (folder / "mine.py").write_text(text)
    plan = Plan(
        LARGE, ("numpy",), extra={"numpy": (str(folder / "mine.py"),)},
        only=lambda claim: claim.kind == "user",
    )  # fmt: skip
    rows, *_, told = executed(folder / "run.sqlite", plan)
    with RunFile.open(folder / "run.sqlite") as run:
        relations = [row for row in run.rows(RelationRow) if row.relation == "threads"]
    return relations, [row for row in rows if row.verdict == "nondeterministic"], told


def test_a_large_case_is_asked_again_with_one_thread(tmp_path: Path) -> None:
    text = "import numpy as np\ndef softmax(logits):\n    return np.exp(logits) * 0 + 0.25\n"

    (relation,), nondeterministic, told = threaded(tmp_path, text)

    assert (relation.left, relation.cases, relation.agrees) == ("mine.softmax", 1, True)
    assert nondeterministic == []
    lanes = {framework: (done, total) for framework, _, done, total in told.steps if total}
    assert lanes == {"numpy, --impl": (2, 2), "numpy, --impl, one thread": (1, 1)}


def test_other_bits_with_one_thread_are_explained_and_told(tmp_path: Path) -> None:
    text = (
        "import os\n"
        "def softmax(logits):\n"
        "    return logits * 0 + (0.5 if os.environ.get('OMP_NUM_THREADS') == '1' else 0.25)\n"
    )

    (relation,), (row,), _ = threaded(tmp_path, text)

    assert (relation.agrees, relation.largest_difference) == (False, 0.25)
    assert (row.case, row.quantity, row.note) == (LARGE.cases[0].id, "value", "with one thread")
    assert standing(row.verdict) == "explained"


def test_no_large_case_needs_no_worker_of_one_thread(ordinary: Any) -> None:
    *_, told = ordinary

    assert {framework for framework, *_ in told.steps} == {"numpy"}


def test_what_is_asked_with_one_thread_is_judged_once(tmp_path: Path) -> None:
    plan = Plan(LARGE, ("numpy",), only=lambda claim: claim.name == "numpy.recipes.softmax")

    rows, workers, *_ = executed(tmp_path / "run.sqlite", plan)

    asked = [(row.case, row.quantity) for row in rows]
    assert len(asked) == len(set(asked))
    assert len(workers) == 1


def test_a_missing_framework_is_reported_once_though_it_has_two_kinds_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(FRAMEWORKS["jax"], imports=("no_such_package",))
    monkeypatch.setitem(FRAMEWORKS, "jax", absent)

    _, workers, *_ = executed(tmp_path / "run.sqlite", Plan(LARGE, ("jax",)))

    assert [worker.framework for worker in workers] == ["jax"]
