"""What results do not depend on: one line for implementations that say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lossdiff.harness.runfile import RelationRow
from lossdiff.reports.invariance import COLUMNS, invariance_lines
from lossdiff.reports.survey import survey

if TYPE_CHECKING:
    from lossdiff.harness.runfile.file import RunFile

SOFTMAX, LOG_SOFTMAX = "torch.softmax", "torch.log_softmax"


def row(
    relation: str, name: str, difference: float = 0.0, ratio: float = 0.0, note: str = ""
) -> RelationRow:
    """Return the checks of one relation."""
    return RelationRow(
        relation, name, name, "torch", "eager", "float32", 2, difference, ratio, ratio <= 1, note
    )


def said(rows: list[RelationRow], run: RunFile) -> dict[tuple[str, ...], dict[str, str]]:
    """Return by implementations what each column says."""
    return {
        line.names: {
            title: f"{cell.kept} {cell.ratio:g}"
            for title, cell in zip(COLUMNS.values(), line.cells, strict=True)
            if cell
        }
        for line in invariance_lines(survey([run]), rows)
    }


def test_implementations_that_say_the_same_stand_in_one_line(run: RunFile) -> None:
    rows = [row("rows", SOFTMAX, 1e-8, 0.25), row("rows", LOG_SOFTMAX, 1e-8, 0.5)]

    assert said(rows, run) == {(LOG_SOFTMAX, SOFTMAX): {"order of rows": "within the bounds 0.5"}}


def test_one_other_bit_in_one_dtype_ends_the_same_bits(run: RunFile) -> None:
    rows = [row("again", SOFTMAX), row("alone", SOFTMAX), row("alone", SOFTMAX, 1e-8, 0.5)]

    assert said(rows, run) == {
        (SOFTMAX,): {"the run": "same bits 0", "other rows": "within the bounds 0.5"}
    }


def test_what_depends_on_it_is_told_from_what_is_explained(run: RunFile) -> None:
    rows = [
        row("padding", SOFTMAX, 1.0, 7.0),
        RelationRow(
            "padding", LOG_SOFTMAX, LOG_SOFTMAX, "torch", "eager", "float32", 2, 1.0, 7.0, True,
            "formula",
        ),
    ]  # fmt: skip

    assert said(rows, run) == {
        (SOFTMAX,): {"padding": "no 7"},
        (LOG_SOFTMAX,): {"padding": "explained 7"},
    }


def test_textbook_formulas_and_other_relations_are_left_out(run: RunFile) -> None:
    rows = [row("rows", "jax.textbook.softmax_unshifted"), row("shift", SOFTMAX)]

    assert said(rows, run) == {}
