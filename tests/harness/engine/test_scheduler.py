"""The engine with NumPy alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.cases.model import Case
from lossdiff.cases.suites import Suite
from lossdiff.harness.engine.plan import Plan, why_absent
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import DomainRow, RelationRow, VerdictRow
from lossdiff.harness.verdicts import is_finding, kind_of

from .engine_runs import SOFTMAX, TINY, Told, executed

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
        (row.implementation, row.case, row.quantity): kind_of(row.verdict).category for row in rows
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
    assert not {word for word in words if is_finding(word)}


def test_the_findings_count_what_the_file_holds(ordinary: Any) -> None:
    rows, _, findings, _ = ordinary

    assert findings.verdicts == Counter(row.verdict.partition(":")[0] for row in rows)
    unknown = [row for row in rows if is_finding(row.verdict) and not row.known]
    assert findings.unknown == len(unknown)


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

    rows, workers, findings, told = executed(
        tmp_path / "run.sqlite", Plan(SOFTMAX, ("jax", "numpy"))
    )

    reason = "no_such_package not installed; pip install 'lossdiff[jax]'"
    assert [(worker.framework, worker.absent) for worker in workers] == [
        ("jax", reason), ("numpy", "")
    ]  # fmt: skip
    assert {row.framework for row in rows} == {"numpy"}
    assert findings.verdicts
    assert ("jax", reason, 0, 0) in told.steps


def test_a_framework_without_the_device_is_reported(tmp_path: Path) -> None:
    rows, workers, findings, _ = executed(
        tmp_path / "run.sqlite", Plan(SOFTMAX, ("numpy",), device="gpu")
    )

    assert [worker.absent for worker in workers] == ["NumPy has no GPU"]
    assert (rows, sum(findings.verdicts.values())) == ([], 0)


def test_a_mode_that_nobody_has_leaves_nothing_to_ask(tmp_path: Path) -> None:
    rows, workers, findings, _ = executed(
        tmp_path / "run.sqlite", Plan(SOFTMAX, ("numpy",), modes=("jit",))
    )

    assert [worker.absent for worker in workers] == ["has no such mode; it has eager"]
    assert (rows, sum(findings.verdicts.values())) == ([], 0)


def test_no_framework_at_all_is_an_empty_run(tmp_path: Path) -> None:
    rows, workers, *_ = executed(tmp_path / "run.sqlite", Plan(SOFTMAX, ()))

    assert (rows, workers) == ([], [])


def test_no_case_at_all_is_an_empty_run(tmp_path: Path) -> None:
    rows, workers, *_ = executed(tmp_path / "run.sqlite", Plan(Suite("tiny", ()), ("numpy",)))

    assert rows == []
    assert [worker.absent for worker in workers] == [""]


def test_who_can_take_part_has_no_excuse() -> None:
    assert why_absent(FRAMEWORKS["numpy"], Plan(SOFTMAX, ("numpy",))) == ""


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
    workers = {framework: (done, total) for framework, _, done, total in told.steps if total}
    assert workers == {"numpy, --impl": (2, 2), "numpy, --impl, one thread": (1, 1)}


def test_other_bits_with_one_thread_are_explained_and_told(tmp_path: Path) -> None:
    text = (
        "import os\n"
        "def softmax(logits):\n"
        "    return logits * 0 + (0.5 if os.environ.get('OMP_NUM_THREADS') == '1' else 0.25)\n"
    )

    (relation,), (row,), _ = threaded(tmp_path, text)

    assert (relation.agrees, relation.largest_difference) == (False, 0.25)
    assert (row.case, row.quantity, row.note) == (LARGE.cases[0].id, "value", "with one thread")
    assert kind_of(row.verdict).category == "explained"


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
