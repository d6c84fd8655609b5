"""What a test does otherwise than the page prints, each with its reason.

Every line of these tables names something that a page prints: a test fails where it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from lossdiff.cases.suites import Suite, suite
from lossdiff.harness.engine import validity as domain
from lossdiff.harness.timing import benchmarks

from lossdiff._cli import check, output
from lossdiff._cli import list as list_
from lossdiff._cli.status import Status

from .pages import ROOT

# Blocks that are no command, no code and no output, by page and beginning.
NOT_RUN = {
    ("docs/layering.md", "cases/      the questions: "): "a drawing of the folders",
    ("docs/layering.md", "suite → shard → worker pools "): "a drawing",
    ("docs/runs.md", "suite → shard → worker pools "): "a drawing",
    ("docs/verdicts.md", "pytest tests/harness/judging/test_planted.py\n"):
        "the planted faults are a test themselves, of 41 s",
    ("docs/words.md", "cross_entropy/index.random/"): "an id with its parts named below it",
}  # fmt: skip

# Pages whose blocks another test executes.
EXECUTED_ELSEWHERE = {
    "docs/porting.md": "test_porting.py executes and judges its blocks, all of a framework at once",
}

# Commands of `lossdiff` whose options are read, but which are not run.
ONLY_READ = {
    "lossdiff bench --backend jax --against .venv-base -o jax.sqlite": "it needs an older release",
    "lossdiff check --suite full --scheduler tcp://host:8786": "there is no cluster at that host",
    "lossdiff check --scheduler tcp://host:8786 -o run.sqlite": "there is no cluster at that host",
}

# What has to be there before a command, because the page leaves it to the reader.
BEFORE = {
    "lossdiff merge 1.sqlite 2.sqlite 3.sqlite 4.sqlite -o full.sqlite": [
        f"lossdiff check --suite full --shard {part}/4 -o {part}.sqlite" for part in (2, 3, 4)
    ],
    "lossdiff merge 1.sqlite 2.sqlite 3.sqlite -o whole.sqlite": [
        f"lossdiff check --shard {part}/3 -o {part}.sqlite" for part in (2, 3)
    ],
    "lossdiff check --impl torch=examples/kernels/triton_cross_entropy.py --impl "
    "jax=examples/kernels/pallas_cross_entropy.py --mode interpret -o kernels.sqlite": [
        f"cp -r {ROOT / 'examples'} .",
    ],
    "lossdiff compare base.sqlite new.sqlite --markdown comparison.md --junit comparison.xml": [
        "cp bench.sqlite base.sqlite", "cp bench.sqlite new.sqlite",
    ],
}  # fmt: skip

# Commands that end with another status than 0, and why.
STATUS = {
    "lossdiff check --impl torch=kernel.py --mode interpret -o kernel.sqlite":
        (Status.FINDINGS, "the page says why: one number stands for the incoming gradient"),
    "lossdiff check --backend torch --impl torch=test_losses.py:my_loss=cross_entropy "
    "-o losses.sqlite": (Status.FINDINGS, "the page says why: a logarithm of 0"),
    "lossdiff check --impl torch=test_losses.py:my_loss=cross_entropy -o losses.sqlite":
        (Status.FINDINGS, "the page says why: smoothing over C - 1 classes"),
    "lossdiff check --impl torch=mine.py -o mine.sqlite":
        (Status.FINDINGS, "the page says why: the gradient of an ignored row is NaN"),
}  # fmt: skip

# Snippets that are a part of a file which a command of the page has written: the file is run.
PART_OF = {("docs/repro.md", "import sys\n"): "bug.py"}

# Cases that a page speaks of without their id; those with their id are asked anyway.
ALSO_ASKED = {
    "docs/kernels.md": ["cross_entropy/index.random/float32/4x10/offset_1e7/-/0"],
    "README.md": ["cross_entropy/index.some_ignored/float64/4x10/all_neg_inf/ignore_index=-1/0"],
}


@dataclass(frozen=True)
class Smaller:
    """Options that are added to a command, unless it has them, so that it takes less time."""

    command: str
    adds: tuple[str, ...]
    reason: str
    only: str = ""  # a word of the commands that it is for; empty for all that name no --impl


SMALLER = (
    Smaller("check", ("--backend", "numpy"), "one framework starts in a second, four in a minute"),
    Smaller("bench", ("--passes", "1"), "a pass is the same each time"),
    Smaller("check", ("--no-shrink",), "each answer is interpreted", only="interpret"),
)


def smaller(command: list[str]) -> list[str]:
    """Return a command with what makes it smaller."""
    for rule in SMALLER:
        # What names `--impl` names its framework.
        is_other = rule.only not in command if rule.only else "--impl" in command
        is_chosen = rule.adds[0] in command or is_other
        if command[0] == rule.command and not is_chosen:
            command = [*command, *rule.adds]
    return command


def _small(text: str) -> Callable[..., Suite]:
    @cache  # the shards of a page are parts of one suite
    def small(name: str, *, seed: int = 0, count: int = 1000) -> Suite:
        whole, first = suite(name, seed=seed, count=count), {}
        for case in whole.cases:
            first.setdefault(case.operation, case.id)
        cases = (case for case in whole.cases
                 if case.id == first[case.operation] or case.id in text)  # fmt: skip
        return replace(whole, cases=tuple(cases))

    return small


def small_world(page: str, text: str) -> AbstractContextManager[None]:
    """Have the commands of a page ask little, as long as this lasts.

    - A suite asks the cases that the page names, and one of each operation: `full` has 11,372.
    - A search for the domain of validity is made of one function's offsets: a whole one takes
      minutes.
    - What is timed is small: to judge 50,000 rows takes seconds.
    - A table is as wide as it has to be, so that no cell is broken and each can be compared.
    - What fits a terminal fits 80 columns.
    """

    @contextmanager
    def world() -> Any:
        with pytest.MonkeyPatch.context() as patch:
            named = text + "\n".join(ALSO_ASKED.get(page, ()))
            for command in (check, list_):
                patch.setattr(command, "suite", _small(named))
            narrow = domain.Scope(("softmax",), ("offset",), ("float32",), ("eager",))
            patch.setattr(domain, "SCOPES", {"domain": narrow})
            for operation in benchmarks._SIZES:
                patch.setitem(benchmarks._SIZES, operation, ((64, 10),))
            patch.setattr(output, "width", lambda: 400)
            patch.setenv("COLUMNS", "80")
            yield

    return world()
