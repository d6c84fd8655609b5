"""One question at a time, in a process that may die."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.cases.model import Case
from lossdiff.harness.repro import session as module
from lossdiff.harness.repro.reductions import as_given
from lossdiff.harness.repro.session import AnswerSelector, Session

from lossdiff.errors import SessionError, UserFileError

HOSTILE = Path(__file__).parents[2] / "hostile"
SOFTMAX = Case.parse("softmax/float32/4x10/normal/-/0")
SOFT = Case.parse("cross_entropy/soft.unnormalised/float32/4x10/normal/-/0")
FINE = ("exact", "faithful", "within bound")


@pytest.fixture(scope="module")
def numpy_asker() -> Iterator[Session]:
    """NumPy with functions that die."""
    with Session("numpy", extra=(str(HOSTILE / "deadly.py"),)) as session:
        yield session


def test_a_given_case_gets_the_verdict_of_its_source(numpy_asker: Session) -> None:
    selector = AnswerSelector("numpy.recipes.softmax", "eager", "gradient_logits")

    assert numpy_asker.verdict(SOFTMAX, selector) == numpy_asker.verdict(
        as_given(SOFTMAX, "gradient_logits"), selector
    )


@pytest.mark.parametrize("all_gradients", [False, True])
@pytest.mark.parametrize("quantity", ["value", "gradient_logits", "gradient_target"])
def test_each_quantity_can_be_had_alone(
    numpy_asker: Session, quantity: str, all_gradients: bool
) -> None:
    selector = AnswerSelector("numpy.recipes.cross_entropy", "eager", quantity, all_gradients)

    assert numpy_asker.verdict(SOFT, selector).word in FINE


def test_a_quantity_that_a_case_does_not_have(numpy_asker: Session) -> None:
    selector = AnswerSelector("numpy.recipes.softmax", "eager", "gradient_target")

    assert numpy_asker.verdict(SOFTMAX, selector).word == "unsupported"


def test_a_case_that_is_not_claimed(numpy_asker: Session) -> None:
    selector = AnswerSelector("numpy.textbook.cross_entropy_shifted", "eager", "value")

    assert numpy_asker.verdict(SOFT, selector).note == "takes no soft target"


def test_the_dead_are_replaced(numpy_asker: Session) -> None:
    dead = AnswerSelector("deadly.softmax_reads_address_0", "eager", "value")

    assert numpy_asker.verdict(SOFTMAX, dead).word == "crashed"
    fine = numpy_asker.verdict(SOFTMAX, AnswerSelector("deadly.softmax", "eager", "value"))
    assert fine.word in FINE


def test_the_deaf_are_replaced(deaf: Session) -> None:
    selector = AnswerSelector("endless.softmax_is_deaf", "eager", "value")

    verdict = deaf.verdict(SOFTMAX, selector, timeout=0.5)

    assert (verdict.word, verdict.note) == ("timed out", "no answer within 0.5 s")
    fine = deaf.verdict(SOFTMAX, AnswerSelector("numpy.recipes.softmax", "eager", "value"))
    assert fine.word in FINE


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {**FRAMEWORKS, "torch": replace(FRAMEWORKS["torch"], imports=("no_torch",))}
    monkeypatch.setattr(module, "FRAMEWORKS", absent)

    with pytest.raises(
        SessionError, match=r"^no_torch not installed; pip install 'lossdiff\[torch"
    ):
        Session("torch")
    with pytest.raises(SessionError, match=r"^abacus is not asked in a process"):
        Session("abacus")
    with pytest.raises(SessionError, match=r"^numpy does not start: NumPy has no GPU$"):
        Session("numpy", "gpu")


def test_a_users_file_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import nothing_of_this_name\n")

    with pytest.raises(UserFileError, match=r"mine\.py cannot be imported"):
        Session("numpy", extra=(str(path),))
