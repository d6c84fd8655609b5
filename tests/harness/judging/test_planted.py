"""The judge is judged: planted faults are caught, sound implementations are not flagged.

The functions of `tests/planted` are asked the cases of the `quick` suite as a user's own file is
asked them. A fault is caught if the judge says something else of it than of the sound base, and
that is a finding, or the word that `expected` beside the fault names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.backends.base import Backend
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite
from lossdiff.harness.judging import SolvedCase, Verdict, judge, solved_case
from lossdiff.harness.verdicts import is_finding, kind_of
from lossdiff.harness.workers.evaluate import evaluate
from lossdiff.harness.workers.messages import Setup
from lossdiff.harness.workers.process import load

from ...planted import (
    faults_binary,
    faults_gradients,
    faults_lanes,
    faults_options,
    faults_precision,
    faults_special,
    faults_stability,
    sound_losses,
    sound_sums,
    sound_two_pass,
)

FAULTY = (
    faults_binary, faults_gradients, faults_lanes, faults_options, faults_precision,
    faults_special, faults_stability,
)  # fmt: skip
SOUND = (sound_losses, sound_sums, sound_two_pass)
IN_TORCH = sound_two_pass.__name__.replace("two_pass", "torch")


def _table(name: str) -> dict[str, Any]:
    """Return a table that the faulty modules may hold."""
    return {fault: row for module in FAULTY for fault, row in getattr(module, name, {}).items()}


# What only `full` shows: the cases that do, by a part of their ids, and why `quick` does not.
FULL: dict[str, tuple[str, str]] = _table("full")
EXPECTED: dict[str, str] = _table("expected")
# A step on the way overflows, though the result does not: the ledger has it for every framework.
OVERFLOWING = ("finfo_max", "half_max", "exp_overflow")


@cache
def backend(framework: str) -> Backend:
    """Return a framework with the planted functions as a user's own."""
    modules = [module.__name__ for module in (*FAULTY, *SOUND)]
    extra = tuple(modules) if framework == "numpy" else (IN_TORCH,)
    return load(Setup(framework, extra=extra))


def names(*modules: ModuleType) -> list[str]:
    """Return the functions of some modules, by their full names."""
    prefixes = tuple(module.__name__.rpartition(".")[2] + "." for module in modules)
    return [name for name in backend("numpy").implementations if name.startswith(prefixes)]


def short(name: str) -> str:
    """Return a function's name without that of its module."""
    return name.rpartition(".")[2]


FAULTS = names(*FAULTY)
SOUND_IN_NUMPY = names(*SOUND)
SOUND_IN_TORCH = [
    "log_softmax_of_detached_maximum", "softmax_of_logsumexp", "cross_entropy_fused",
    "cross_entropy_chunked", "nll_loss_indexed", "log_sigmoid_double_where",
    "binary_cross_entropy_with_logits_double_where",
]  # fmt: skip

# Cases beyond the quick suite where a sound implementation comes close to its bound.
HARD = {
    "sound_two_pass.binary_cross_entropy_with_logits": (
        "binary_cross_entropy_with_logits/multi_label.fractional/float64/3x70/half_max"
        "/pos_weight=positive/0"
    ),
    "sound_sums.logsumexp_logaddexp": "logsumexp/float32/64x3/exp_overflow/axis=0/0",
}


@cache
def question(case: Case) -> SolvedCase:
    """Return a case, solved once for all who answer it."""
    return solved_case(case)


@cache
def cases(suite_name: str, operation: str) -> tuple[Case, ...]:
    """Return the cases of an operation."""
    return tuple(case for case in suite(suite_name).cases if case.operation == operation)


def verdicts(framework: str, name: str, case: Case) -> dict[str, Verdict]:
    """Ask one function one case, and judge each quantity."""
    answers = evaluate(backend(framework), name, "eager", case).answers
    return {quantity: judge(question(case), quantity, got) for quantity, got in answers.items()}


@cache
def sound_words(case: Case) -> dict[str, str]:
    """Return what is said of the sound base."""
    name = f"sound_two_pass.{case.operation}"
    return {quantity: said.word for quantity, said in verdicts("numpy", name, case).items()}


def catches(name: str, asked: Iterable[Case]) -> Iterator[str]:
    """Yield what catches a fault: the case, the quantity and the word."""
    implementation = backend("numpy").implementations[name]
    word = EXPECTED.get(short(name))
    for case in asked:
        if implementation.unsupported(case):
            continue
        for quantity, said in verdicts("numpy", name, case).items():
            is_caught = said.word == word if word else said.is_finding
            if is_caught and said.word != sound_words(case)[quantity]:
                yield f"{said.word}: {quantity} of {case.id}"


def shown_by_full(name: str) -> Iterator[Case]:
    """Yield the cases of `full` that may show what `quick` does not."""
    operation = backend("numpy").implementations[name].operation
    part, _ = FULL[short(name)]
    return (case for case in cases("full", operation) if part in case.id)


@cache
def caught_by(name: str) -> str:
    """Return the first verdict that catches a fault; empty if there is none."""
    if short(name) in FULL:
        return next(catches(name, shown_by_full(name)), "")
    return next(catches(name, cases("quick", backend("numpy").implementations[name].operation)), "")


@cache
def flags(framework: str, name: str) -> tuple[str, ...]:
    """Return the findings on a sound implementation."""
    implementation = backend(framework).implementations[name]
    asked = cases("quick", implementation.operation)
    return tuple(_findings(framework, name, asked))


def _findings(framework: str, name: str, asked: Iterable[Case]) -> Iterator[str]:
    implementation = backend(framework).implementations[name]
    return (
        f"{said.word}: {quantity} of {case.id}, {said.where} {said.exact} {said.got}"
        for case in asked
        if not implementation.unsupported(case)
        for quantity, said in verdicts(framework, name, case).items()
        if is_finding(said.word) and not _overflows(case, said)
    )


def _overflows(case: Case, said: Verdict) -> bool:
    infinite = said.word == "nonfinite" and said.got in ("inf", "-inf")
    return infinite and case.family in OVERFLOWING


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_caught(name: str) -> None:
    assert caught_by(name)


@pytest.mark.parametrize("name", [name for name in FAULTS if short(name) in FULL])
def test_quick_does_not_show_what_full_is_said_to_show(name: str) -> None:
    operation = backend("numpy").implementations[name].operation

    assert next(catches(name, cases("quick", operation)), "") == ""


@pytest.mark.parametrize("name", SOUND_IN_NUMPY)
def test_a_sound_implementation_is_not_flagged(name: str) -> None:
    assert flags("numpy", name) == ()


@pytest.mark.framework("torch")
@pytest.mark.parametrize("name", SOUND_IN_TORCH)
def test_a_sound_implementation_in_torch_is_not_flagged(name: str) -> None:
    assert flags("torch", f"sound_torch.{name}") == ()


@pytest.mark.parametrize(("name", "case"), HARD.items())
def test_a_sound_implementation_is_not_flagged_where_it_is_hard(name: str, case: str) -> None:
    assert list(_findings("numpy", name, [Case.parse(case)])) == []


def test_every_table_names_faults_that_exist() -> None:
    planted = {short(name) for name in names(*FAULTY)}

    assert {*FULL, *EXPECTED} <= planted
    assert {kind_of(word).category for word in EXPECTED.values()} == {"explained"}
    assert len(planted) >= 55


def test_the_score(record_property: Callable[[str, object], None]) -> None:
    missed = [name for name in FAULTS if not caught_by(name)]
    sound = [("numpy", name) for name in SOUND_IN_NUMPY]
    if not FRAMEWORKS["torch"].missing:
        sound += [("torch", f"sound_torch.{name}") for name in SOUND_IN_TORCH]
    flagged = [name for framework, name in sound if flags(framework, name)]
    score = (
        f"planted: caught {len(FAULTS) - len(missed)} of {len(FAULTS)}; "
        f"sound: flagged {len(flagged)} of {len(sound)}"
    )
    record_property("summary", "\n".join([score, *(f"  not caught: {name}" for name in missed)]))

    assert not missed
    assert not flagged
