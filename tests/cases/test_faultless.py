"""The fault of a question is taken out, and nothing else."""

from __future__ import annotations

import pytest
from lossdiff.cases.faultless import without_fault
from lossdiff.cases.model import Case
from lossdiff.cases.suites import suite
from lossdiff.harness.oracle import solve

CE = "cross_entropy/index.{}/float32/4x10/normal/-/0"


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (CE.format("too_large"), CE.format("random")),
        (CE.format("wrong_length"), CE.format("random")),
        (CE.format("random:int32"), CE.format("random")),
        (
            "cross_entropy/soft.soft_negative/float32/4x10/normal/reduction=sum/0",
            "cross_entropy/soft.soft/float32/4x10/normal/reduction=sum/0",
        ),
        (
            "binary_cross_entropy/multi_label.above_one/float32/4x10/probs_outside/-/0",
            "binary_cross_entropy/multi_label.binary/float32/4x10/probs/-/0",
        ),
        ("softmax/float32/4x10/nan/-/0", "softmax/float32/4x10/normal/-/0"),
        ("softmax/float32/4x10/normal/axis=7/0", "softmax/float32/4x10/normal/-/0"),
    ],
)
def test_a_fault_is_taken_out(given: str, plain: str) -> None:
    found = without_fault(Case.parse(given))

    assert found is not None
    assert found.id == plain


def test_a_question_without_a_fault_has_none_to_take_out() -> None:
    assert without_fault(Case.parse(CE.format("random"))) is None
    assert without_fault(Case.parse("softmax/float32/4x10/normal_100/axis=0/0")) is None


def test_no_error_is_due_once_the_fault_is_taken_out() -> None:
    plain = {it.id: it for case in suite("quick").cases[::5] if (it := without_fault(case))}

    assert len(plain) > 20
    assert [it.id for it in plain.values() if solve(it, it.inputs()).refusal] == []
