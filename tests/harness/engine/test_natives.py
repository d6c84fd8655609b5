"""Test how often the framework's own functions are asked what a user's function is asked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.answers import Observation
from lossdiff.harness.engine import Inquiry, natives
from lossdiff.harness.engine.natives import KEPT
from lossdiff.harness.own import declaration_of
from lossdiff.harness.workers import answered

from lossdiff._api.checking import taken_from
from lossdiff._api.frameworks import backend_of

from ...planted import sound
from ...planted.sound import Array

PLAIN = Case.parse("softmax/float32/2x3/normal/-/0")


def half_too_large(x: Array) -> Array:
    return sound.softmax(x) * np.float32(1.5)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Forget what was asked before, and collect the names of the functions that are asked."""
    names: list[str] = []

    def noted(*question: object) -> Observation:
        names.append(question[1].implementation)  # type: ignore[attr-defined]
        return answered(*question)  # type: ignore[arg-type]

    monkeypatch.setattr(natives, "answered", noted)
    KEPT.clear()
    yield names
    KEPT.clear()


def check(case: Case) -> None:
    backend = backend_of("numpy")
    taken = taken_from(half_too_large, declaration_of("softmax", dtypes={"float32"}), backend)
    with Inquiry(backend) as inquiry:
        verdicts = [row.verdict for row in inquiry.put(taken.implementation, case)]
    assert verdicts == ["inaccurate", "unsupported"]  # there is no gradient


def test_the_next_function_gets_the_same_question_and_they_do_not(asked: list[str]) -> None:
    check(PLAIN)
    check(PLAIN)

    assert asked == ["scipy.special.softmax"]


def test_under_another_setting_they_are_asked_again(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check(PLAIN)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    check(PLAIN)

    assert asked == ["scipy.special.softmax"] * 2


def test_the_answers_to_large_questions_are_not_kept(asked: list[str]) -> None:
    large = Case.parse("softmax/float32/2x1000/normal/-/0")
    check(large)
    check(large)

    assert asked == ["scipy.special.softmax"] * 2
