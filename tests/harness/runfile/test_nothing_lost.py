"""A run that is cut short anywhere goes on, asks nothing twice, and ends as if nothing had been.

Three ways of failing are tried at fifty random places, several in a row, at the layer that
writes and at the one that judges; the answers come from this process, so that each run takes a
moment. What kills real processes is in `test_killed.py`.
"""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from lossdiff.cases.model import Case
from lossdiff.cases.suites import Suite, suite
from lossdiff.harness.engine.plan import Plan

from lossdiff.errors import RunFileError

from ..engine.interruption import CUTS, HereHandle, Rows, content, run_here


def some_cases() -> tuple[Case, ...]:
    """Return cases that leave rows in every table: worked, related, repeated, plain."""
    families = ("normal", "two_units", "grid", "all_neg_inf")
    wanted = [
        case
        for case in suite("quick").cases
        if case.operation in ("softmax", "sigmoid", "cross_entropy")
        and (case.family in families or case.family.startswith("worked"))
    ]
    return (*wanted[::3], Case.parse("softmax/float32/64x70/grid/-/0"))


# Named quick: it searches for the domain of validity, too.
PLAN = Plan(
    Suite("quick", some_cases(), operations=("softmax",)),
    ("numpy",),
    only=lambda claim: claim.kind != "textbook",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    path = tmp_path_factory.mktemp("run") / "run.sqlite"
    run_here(path, PLAN)
    return content(path)


def test_the_undisturbed_run_has_rows_wherever_something_could_be_lost(whole: Rows) -> None:
    tables = {table for table, rows in whole.items() if rows}

    assert tables == {
        "verdicts", "worked", "relations", "domains", "workers", "asked", "levels", "answers",
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(50))
def test_a_run_that_is_cut_short_ends_like_one_that_was_not(
    whole: Rows, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, path = random.Random(seed), tmp_path / "run.sqlite"  # noqa: S311 -- a place to cut
    monkeypatch.setattr("lossdiff.harness.engine.batches.BATCH_SIZE", draw.choice((1, 5, 48)))
    HereHandle.twice = []

    for number in range(3):
        cut = CUTS[(seed + number) % len(CUTS)](draw, 20)
        with cut, suppress(RunFileError, KeyboardInterrupt):
            run_here(path, PLAN, resume=number > 0)
    run_here(path, PLAN, resume=True)

    assert content(path) == whole
    assert HereHandle.twice == []


@pytest.mark.parametrize("cut", CUTS)
def test_each_way_of_failing_leaves_a_part_of_the_run(
    whole: Rows, tmp_path: Path, cut: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the test above would show nothing."""
    monkeypatch.setattr("lossdiff.harness.engine.batches.BATCH_SIZE", 5)
    left = []
    for seed in range(8):
        path = tmp_path / f"{seed}.sqlite"
        with cut(random.Random(seed), 20), suppress(RunFileError, KeyboardInterrupt):  # noqa: S311
            run_here(path, PLAN)
        left.append(len(content(path)["verdicts"]))

    assert min(left) < max(left) <= len(whole["verdicts"])
    assert sum(0 < rows < len(whole["verdicts"]) for rows in left) >= 3
