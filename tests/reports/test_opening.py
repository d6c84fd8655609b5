from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.runfile.rows import VerdictRow
from lossdiff.reports.opening import opening
from lossdiff.reports.survey import Survey, survey

ROW = VerdictRow(
    "softmax/float32/4x10/normal/-/0", "softmax", None, "normal", "4x10", "float32", {},
    "torch.softmax", "torch", "native", "eager", "cpu", "value", "exact",
)  # fmt: skip
WRONG = replace(ROW, verdict="nonfinite", implementation="torch.other")
BOOK = replace(WRONG, kind="textbook", implementation="torch.textbook.softmax", known=True)


@contextmanager
def surveyed(path: Path, *rows: VerdictRow) -> Iterator[Survey]:
    with RunFile.create(path / "run.sqlite") as run:
        run.add(list(rows))
        yield survey([run])


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ((ROW,), "Softmax: no answer is wrong."),
        ((ROW, WRONG), "Softmax: 50% of the answers are right, 1 is wrong."),
        ((ROW, BOOK), "Softmax: no answer is wrong."),
        ((BOOK,), "Softmax: 0% of the answers are right, 1 is wrong."),
        (
            (ROW, replace(ROW, verdict="formula", quantity="gradient_logits")),
            "Softmax: no answer is wrong, and 50% differ for a known reason.",
        ),
        (
            (replace(ROW, verdict="unsupported"),),
            "Softmax: nothing that was asked is claimed by a function.",
        ),
    ],
)
def test_the_first_sentence_says_what_was_asked_and_found(
    rows: tuple[VerdictRow, ...], title: str, tmp_path: Path
) -> None:
    with surveyed(tmp_path, *rows) as found:
        assert opening(found).title == title


def test_numbers_of_textbook_formulas_stand_apart(tmp_path: Path) -> None:
    with surveyed(tmp_path, ROW, BOOK) as found:
        first = opening(found)
    assert (first.functions, first.shares.judged, first.textbook.known) == (1, 1, 1)
    assert "1 textbook formula were asked" not in first.lead
    assert "100% of their answers are wrong" in first.lead


def test_libraries_have_their_own_names_and_users_their_own_functions(tmp_path: Path) -> None:
    optax = replace(ROW, implementation="optax.losses.f", framework="jax")
    mine = replace(ROW, implementation="mine.softmax", kind="user")
    with surveyed(tmp_path, ROW, optax, mine) as found:
        lead = opening(found).lead
    assert "put to 2 functions of PyTorch and Optax and to 1 function of your own, each" in lead
