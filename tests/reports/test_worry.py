"""Who has to worry: the wrong answers by the input that they are on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lossdiff.harness.runfile import RunFile, VerdictRow
from lossdiff.reports.cards import cards
from lossdiff.reports.survey import survey
from lossdiff.reports.worry import Worry, worry

MASKED = VerdictRow(
    "cross_entropy/one_hot.random/float32/4x10/neg_inf/-/0", "cross_entropy", "one_hot", "neg_inf",
    "4x10", "float32", {}, "optax.losses.softmax_cross_entropy", "jax", "native", "eager", "cpu",
    "value", "nonfinite", known=True, ledger="zero-label-times-infinite-log-prob",
)  # fmt: skip


def worries(path: Path, *rows: VerdictRow) -> Worry:
    with RunFile.create(path / "run.sqlite") as run:
        run.add(list(rows))
        found = survey([run])
        return worry(found.findings, cards(found))


def test_wrong_answers_are_told_by_the_input_that_they_are_on(tmp_path: Path) -> None:
    found = worries(
        tmp_path,
        MASKED,
        replace(MASKED, quantity="gradient_logits", verdict="accepted"),
        replace(MASKED, dtype="float16", family="normal"),
        replace(MASKED, kind="textbook", family="normal"),
    )

    assert (found.total, found.everyday, found.cards) == (3, 0, ())
    assert found.rare == (
        "1 are numbers for invalid input, where an error is due, 1 are in 16 bits and "
        "1 are on infinite, huge, tiny or otherwise extreme numbers"
    )


def test_what_is_wrong_on_everyday_numbers_is_named_by_its_cause(tmp_path: Path) -> None:
    found = worries(tmp_path, MASKED, replace(MASKED, family="normal"))

    assert found.everyday == 1
    assert [(card.id, card.everyday) for card in found.cards] == [(MASKED.ledger, 1)]
