"""One question at a time, in a process that may die."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.cases.model import Case
from lossdiff.harness.repro import session as module
from lossdiff.harness.repro.reductions import as_given
from lossdiff.harness.repro.session import Asker, AskerError, Point
from lossdiff.harness.workers.messages import UserFileError

HOSTILE = Path(__file__).parents[2] / "hostile"
SOFTMAX = Case.parse("softmax/float32/4x10/normal/-/0")
SOFT = Case.parse("cross_entropy/soft.unnormalised/float32/4x10/normal/-/0")
FINE = ("exact", "faithful", "within bound")


@pytest.fixture(scope="module")
def numpy_asker() -> Iterator[Asker]:
    """NumPy with functions that die and that never return."""
    files = (str(HOSTILE / "deadly.py"), str(HOSTILE / "endless.py"))
    with Asker("numpy", extra=files) as asker:
        yield asker


def test_a_given_case_gets_the_verdict_of_its_source(numpy_asker: Asker) -> None:
    point = Point("numpy.recipes.softmax", "eager", "gradient_logits")

    assert numpy_asker.verdict(SOFTMAX, point) == numpy_asker.verdict(
        as_given(SOFTMAX, "gradient_logits"), point
    )


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("quantity", ["value", "gradient_logits", "gradient_target"])
def test_each_quantity_can_be_had_alone(numpy_asker: Asker, quantity: str, whole: bool) -> None:
    point = Point("numpy.recipes.cross_entropy", "eager", quantity, whole)

    assert numpy_asker.verdict(SOFT, point).word in FINE


def test_a_quantity_that_a_case_does_not_have(numpy_asker: Asker) -> None:
    point = Point("numpy.recipes.softmax", "eager", "gradient_target")

    assert numpy_asker.verdict(SOFTMAX, point).word == "unsupported"


def test_a_case_that_is_not_claimed(numpy_asker: Asker) -> None:
    point = Point("numpy.textbook.cross_entropy_shifted", "eager", "value")

    assert numpy_asker.verdict(SOFT, point).note == "takes no soft target"


def test_the_dead_and_the_deaf_are_replaced(numpy_asker: Asker) -> None:
    deaf, dead = "endless.softmax_is_deaf", "deadly.softmax_reads_address_0"

    assert numpy_asker.verdict(SOFTMAX, Point(dead, "eager", "value")).word == "crashed"
    verdict = numpy_asker.verdict(SOFTMAX, Point(deaf, "eager", "value"), timeout=0.5)
    assert (verdict.word, verdict.note) == ("timed out", "no answer within 0.5 s")
    fine = numpy_asker.verdict(SOFTMAX, Point("deadly.softmax", "eager", "value"))
    assert fine.word in FINE


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {**FRAMEWORKS, "torch": type(FRAMEWORKS["torch"])("torch", ("no_torch",), "torch", ())}
    monkeypatch.setattr(module, "FRAMEWORKS", absent)

    with pytest.raises(AskerError, match=r"^no_torch not installed; pip install 'lossdiff\[torch"):
        Asker("torch")
    with pytest.raises(AskerError, match=r"^abacus is not asked in a process"):
        Asker("abacus")
    with pytest.raises(AskerError, match=r"^numpy does not start: NumPy has no GPU$"):
        Asker("numpy", "gpu")


def test_a_users_file_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import nothing_of_this_name\n")

    with pytest.raises(UserFileError, match=r"mine\.py cannot be imported"):
        Asker("numpy", extra=(str(path),))
