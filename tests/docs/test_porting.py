"""The page on porting: its code is executed, and each function of it is judged.

A block is executed as it is printed, and answers the everyday cases that its function claims. It
may give what the page says of it, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.backends.base import Backend
from lossdiff.backends.texts import text_of
from lossdiff.cases.everyday import EVERYDAY_TARGETS, EVERYDAY_VALUES, with_options
from lossdiff.cases.faultless import without_fault
from lossdiff.cases.model import Case
from lossdiff.cases.operations import LANGUAGE_MODELS, OPERATIONS, Options
from lossdiff.cases.suites import suite
from lossdiff.harness.judging import SolvedCase, judge, solved_case
from lossdiff.harness.verdicts import VERDICTS
from lossdiff.harness.workers.evaluate import evaluate
from lossdiff.harness.workers.messages import Setup
from lossdiff.harness.workers.process import load

from .pages import ROOT

PAGE = (ROOT / "docs" / "porting.md").read_text(encoding="utf-8")
_BLOCK = re.compile(
    r"^### `([^`\n]+)`\n\n(\w+), [^\n]*\n\n```python\n(.*?)```", re.MULTILINE | re.DOTALL
)
_TABLE = re.compile(r"^## `(\w+)`(?:, ([\w-]+) target)?\n\n(.*?)^\n", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"\[`([^`]+)`\]\(#([^)]*)\)([^|]*)")
BLOCKS = {name: (framework, code) for name, framework, code in _BLOCK.findall(PAGE)}


def said_of(name: str) -> set[str]:
    """Return the verdicts that the page names of a function, beside right ones."""
    texts = " ".join(text for named, _, text in _CELL.findall(PAGE) if named == name)
    return {word for word in re.findall(r"\d+ ([a-z]+(?: bound)?)(?=[:,;]|\s*$)", texts)
            if word in VERDICTS}  # fmt: skip


def calls_of(name: str) -> set[tuple[str, str, frozenset[str]]]:
    """Return the calls for which the page names a function: operation, target and options."""
    return {
        (operation, target.replace("-", "_"), frozenset(re.findall(r"`(\w+)`", options)))
        for operation, target, table in _TABLE.findall(PAGE)
        for _, options, *cells in (line.split("|") for line in table.splitlines()[2:])
        if any(f"[`{name}`]" in cell for cell in cells)
    }


@cache
def cases() -> tuple[Case, ...]:
    """Return the everyday cases of every operation: without options, and with each of them."""
    plain = [
        Case(
            operation.name, EVERYDAY_VALUES[operation.domain], shape, "float32", kind,
            EVERYDAY_TARGETS.get(kind or "", ""), hidden=8 if operation.is_linear else 0,
        )
        for operation in OPERATIONS.values()
        for kind in (operation.targets or (None,))
        for shape in ((4, 10), (2, 3, 5))
        if shape == (4, 10) or (operation.is_loss and not operation.is_linear)
    ]  # fmt: skip
    trained = [
        case for case in suite("quick").cases
        if case.needs & {*LANGUAGE_MODELS} and not without_fault(case)
    ]  # fmt: skip
    together = [
        replace(case, options=Options(weight="positive", pos_weight="positive"))
        for case in plain
        if "pos_weight" in OPERATIONS[case.operation].options
    ]
    return (*plain, *with_options(), *trained, *together)


@cache
def solved(case: Case) -> SolvedCase:
    return solved_case(case)


def as_printed(backend: Backend, name: str, code: str) -> None:
    """Put what a block defines in the place of the implementation that it shows."""
    module: Any = ModuleType("printed")
    exec(compile(code, name, "exec"), vars(module))  # noqa: S102 -- a page of this repository
    shown = backend.implementations[name]
    function = shown.function.__name__
    backend.implementations[name] = replace(
        shown, function=getattr(module, function), vjp=getattr(module, f"{function}_vjp", None)
    )


def wrong(backend: Backend, name: str) -> Iterator[str]:
    """Yield the verdicts on a function that are neither right nor named by the page."""
    calls, allowed = calls_of(name), said_of(name)
    asked = [
        it
        for it in cases()
        if (it.operation, it.target_kind or "", it.needs - {"reduction"}) in calls
    ]
    assert asked, f"the page names {name} for no call"
    for case in asked:
        answers = evaluate(backend, name, "eager", case).answers
        for quantity, answer in answers.items():
            if quantity != "gradient_target":
                verdict = judge(solved(case), quantity, answer)
                no_gradient = quantity != "value" and verdict.kind.word == "unsupported"
                agrees = verdict.kind.category == "agrees" or no_gradient
                if not agrees and verdict.kind.word not in allowed:
                    yield f"{name}: {quantity} of {case.id} is {verdict.word}"


@pytest.mark.parametrize(
    "framework", [pytest.param(it, marks=pytest.mark.framework(it)) for it in FRAMEWORKS]
)
def test_each_block_runs_and_gives_what_the_page_says(framework: str) -> None:
    backend = load(Setup(framework))
    blocks = {name: code for name, (owner, code) in BLOCKS.items() if owner == framework}
    for name, code in blocks.items():
        as_printed(backend, name, code)

    found = [line for name in blocks for line in wrong(backend, name)]

    assert blocks
    assert found == []


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_the_text_of_its_implementation(name: str) -> None:
    framework, code = BLOCKS[name]
    text = text_of(framework, name)
    assert text is not None
    assert code.strip() == text.code, "make the page again: scripts/make_porting.py"


def test_every_function_that_a_table_names_has_its_code() -> None:
    named = {name for name, _, _ in _CELL.findall(PAGE)}
    assert named == set(BLOCKS)
    assert "there is none" in PAGE


def test_a_block_that_does_something_else_is_found() -> None:
    backend = load(Setup("numpy"))
    name = "numpy.recipes.cross_entropy"
    as_printed(backend, name, BLOCKS[name][1].replace("losses.sum() / divisor", "losses.mean()"))
    assert any("value of" in line for line in wrong(backend, name))
