"""The judge is judged: planted faults are caught, sound implementations are not flagged.

The functions of `tests/planted` answer the cases of the `quick` suite as those of a user's own file
do. A fault is caught by a verdict that the sound implementation does not get on the same case, and
that is a finding, or the one that `expect` names in the fault's row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.backends.base import Backend
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite
from lossdiff.harness.judging import SolvedCase, Verdict, judge, solved_case
from lossdiff.harness.verdicts import kind_of
from lossdiff.harness.workers.evaluate import evaluate
from lossdiff.harness.workers.messages import Setup
from lossdiff.harness.workers.process import load

from ...planted import faults, sound, sound_variants
from ...planted.altered import Row, altered, functions_of, row

PLANTED = {
    "numpy": tuple(module.__name__ for module in (faults, sound, sound_variants)),
    "torch": (f"{sound.__name__}_torch",),
}
SOUND_IN_NUMPY = [
    *(f"sound.{name.removesuffix('_vjp')}" for name in vars(sound) if name.endswith("_vjp")),
    *(f"sound_variants.{row.name}" for row in sound_variants.VARIANTS),
]
SOUND_IN_TORCH = [
    "log_softmax_of_detached_maximum", "softmax_of_logsumexp", "cross_entropy_fused",
    "cross_entropy_chunked", "nll_loss_indexed", "log_sigmoid_double_where",
    "binary_cross_entropy_with_logits_double_where",
]  # fmt: skip

# A step on the way overflows, though the result does not: the ledger has it for every framework.
OVERFLOWING = ("finfo_max", "half_max", "exp_overflow")
# Cases beyond the quick suite where a sound implementation comes close to its bound.
HARD = {
    "sound.binary_cross_entropy_with_logits": (
        "binary_cross_entropy_with_logits/multi_label.fractional/float64/3x70/half_max"
        "/pos_weight=positive/0"
    ),
    "sound_variants.logsumexp_logaddexp": "logsumexp/float32/64x3/exp_overflow/axis=0/0",
}


@cache
def backend(framework: str) -> Backend:
    """Return a framework with the planted functions as a user's own."""
    return load(Setup(framework, extra=PLANTED[framework]))


@cache
def question(case: Case) -> SolvedCase:
    """Return a case, solved once for all implementations."""
    return solved_case(case)


def cases_for(framework: str, name: str, suite_name: str = "quick") -> list[Case]:
    """Return the cases of a suite that an implementation supports."""
    implementation = backend(framework).implementations[name]
    return [
        case
        for case in cases(suite_name, implementation.operation)
        if not implementation.unsupported(case)
    ]


@cache
def cases(suite_name: str, operation: str) -> tuple[Case, ...]:
    return tuple(case for case in suite(suite_name).cases if case.operation == operation)


def verdicts(framework: str, name: str, case: Case) -> dict[str, Verdict]:
    """Return the verdict on each quantity that one implementation answers to one case."""
    answers = evaluate(backend(framework), name, "eager", case).answers
    return {quantity: judge(question(case), quantity, got) for quantity, got in answers.items()}


@cache
def sound_words(case: Case) -> dict[str, str]:
    """Return the verdicts on the sound implementation."""
    found = verdicts("numpy", f"sound.{case.operation}", case)
    return {quantity: verdict.word for quantity, verdict in found.items()}


def catches(fault: Row, among: Iterable[Case]) -> Iterator[str]:
    """Yield the verdicts that catch a fault: word, quantity and case."""
    for case in among:
        for quantity, verdict in verdicts("numpy", f"faults.{fault.name}", case).items():
            right = verdict.word == fault.expect if fault.expect else verdict.is_finding
            if right and verdict.word != sound_words(case)[quantity]:
                yield f"{verdict.word}: {quantity} of {case.id}"


@cache
def caught_by(fault: Row) -> str:
    """Return the first verdict that catches a fault; empty if there is none."""
    name = f"faults.{fault.name}"
    if fault.full is None:
        return next(catches(fault, cases_for("numpy", name)), "")
    part, _ = fault.full
    among = (case for case in cases_for("numpy", name, "full") if part in case.id)
    return next(catches(fault, among), "")


def findings(framework: str, name: str, among: Iterable[Case]) -> Iterator[str]:
    """Yield the findings on a sound implementation."""
    return (
        f"{verdict.word}: {quantity} of {case.id}, {verdict.where} {verdict.exact} {verdict.got}"
        for case in among
        for quantity, verdict in verdicts(framework, name, case).items()
        if verdict.is_finding and not _overflows(case, verdict)
    )


@cache
def flags(framework: str, name: str) -> tuple[str, ...]:
    return tuple(findings(framework, name, cases_for(framework, name)))


def _overflows(case: Case, verdict: Verdict) -> bool:
    infinite = verdict.word == "nonfinite" and verdict.got in ("inf", "-inf")
    return infinite and case.family in OVERFLOWING


def each(rows: Iterable[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", [pytest.param(it, id=it.name) for it in rows])


@each(faults.FAULTS)
def test_a_planted_fault_is_caught(fault: Row) -> None:
    assert caught_by(fault)


@each(fault for fault in faults.FAULTS if fault.full)
def test_quick_does_not_show_what_full_is_said_to_show(fault: Row) -> None:
    assert next(catches(fault, cases_for("numpy", f"faults.{fault.name}")), "") == ""


@pytest.mark.parametrize("name", SOUND_IN_NUMPY)
def test_a_sound_implementation_is_not_flagged(name: str) -> None:
    assert flags("numpy", name) == ()


@pytest.mark.framework("torch")
@pytest.mark.parametrize("name", SOUND_IN_TORCH)
def test_a_sound_implementation_in_torch_is_not_flagged(name: str) -> None:
    assert flags("torch", f"sound_torch.{name}") == ()


@pytest.mark.parametrize(("name", "case"), HARD.items())
def test_a_sound_implementation_is_not_flagged_where_it_is_hard(name: str, case: str) -> None:
    assert list(findings("numpy", name, [Case.parse(case)])) == []


def test_what_is_expected_of_a_fault_explains_and_is_no_finding() -> None:
    assert {kind_of(fault.expect).category for fault in faults.FAULTS if fault.expect} == {
        "explained"
    }


@pytest.mark.parametrize("old", ["not in the file", "return"])
def test_a_text_that_does_not_stand_in_the_source_once_cannot_be_changed(old: str) -> None:
    with pytest.raises(ValueError, match=r"times in sound\.py"):
        altered((old, "pass"))


@pytest.mark.parametrize("names", [("softmax_a", "softmax_a"), ("no_operation",)])
def test_a_row_has_a_name_of_its_own_that_begins_with_an_operation(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=f"{names[0]} begins with no operation, or is there twice"):
        functions_of([row(name, "") for name in names])


def test_the_score(record_property: Callable[[str, object], None]) -> None:
    missed = [fault.name for fault in faults.FAULTS if not caught_by(fault)]
    implementations = [("numpy", name) for name in SOUND_IN_NUMPY]
    if not FRAMEWORKS["torch"].missing:
        implementations += [("torch", f"sound_torch.{name}") for name in SOUND_IN_TORCH]
    flagged = [name for framework, name in implementations if flags(framework, name)]
    score = (
        f"planted: caught {len(faults.FAULTS) - len(missed)} of {len(faults.FAULTS)}; "
        f"sound: flagged {len(flagged)} of {len(implementations)}"
    )
    record_property("summary", "\n".join([score, *(f"  not caught: {name}" for name in missed)]))

    assert len(faults.FAULTS) >= 138
    assert not missed
    assert not flagged
