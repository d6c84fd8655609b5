"""The causes of findings in lines: in full for `show`, in short at the end of `check`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lossdiff.harness.runfile import ExampleAnswerRow, ExampleRow, RunFile, VerdictRow
from lossdiff.reports.card_lines import card_lines, short_lines
from lossdiff.reports.cards import cards_of
from lossdiff.reports.listing import Line
from rich.cells import cell_len

MASKED = VerdictRow(
    "cross_entropy/one_hot.random/float32/4x10/neg_inf/-/0", "cross_entropy", "one_hot", "neg_inf",
    "4x10", "float32", {}, "optax.losses.softmax_cross_entropy", "jax", "native", "eager", "cpu",
    "value", "nonfinite", known=True, ledger="zero-label-times-infinite-log-prob", exact="2.5",
    got="nan",
)  # fmt: skip
NEW = replace(MASKED, known=False, ledger="", implementation="optax.losses.new")
BOOK = replace(MASKED, kind="textbook", ledger="textbook-relations")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.create(tmp_path / "run.sqlite") as made:
        yield made


def text(lines: Iterable[Line]) -> str:
    return "\n".join(line.text for line in lines)


def flat(lines: Iterable[Line]) -> str:
    return " ".join(text(lines).split())


def test_show_tells_a_cause_with_its_reason_its_source_and_its_command(run: RunFile) -> None:
    said = flat(card_lines(cards_of([MASKED], run), 80))

    assert "a masked class makes a one-hot loss NaN (1 finding)" in said
    assert "optax.losses.softmax_cross_entropy" in said
    assert "https://github.com/google-deepmind/optax/issues/896" in said
    assert "right 2.5, given nan" in said
    assert f"--impl {MASKED.implementation} --quantity value" in said


def test_show_tells_the_smallest_input_and_who_is_wrong_on_it(run: RunFile) -> None:
    small = "cross_entropy/one_hot.random/float32/1x2/shrunk:0123456789ab/-/0"
    run.add([
        ExampleRow(
            MASKED.ledger, MASKED.case, small, MASKED.implementation, "jax", "native", "eager",
            "cpu", "value", "nonfinite", {"logits": "[[-inf, 0]]", "target": "[[0, 1]]"}, "0",
        ),
        *(
            ExampleAnswerRow(MASKED.ledger, who, f"{who}.f", "jax", "native", "eager", "cpu", *said)
            for who, said in {"JAX": ("exact", "0"), "Optax": ("nonfinite", "nan")}.items()
        ),
    ])  # fmt: skip

    said = flat(card_lines(cards_of([MASKED], run), 80))

    assert "on logits = [[-inf, 0]], target = [[0, 1]], float32" in said
    assert "value: right 0; JAX 0; Optax nan (wrong)" in said


def test_new_causes_are_told_first_and_named(run: RunFile) -> None:
    heads = [line.text for line in card_lines(cards_of([MASKED, NEW], run), 80) if line.group]

    assert heads[0].startswith("  optax.losses.new: nonfinite value")
    assert len(heads) == 2


def test_check_ends_with_a_line_for_each_of_the_worst_causes(run: RunFile) -> None:
    rows = [replace(MASKED, ledger=f"cause-{n}") for n in range(20)]

    lines = list(short_lines(cards_of([*rows, NEW, BOOK], run), 80))

    assert lines[0] == Line("new: optax.losses.new: nonfinite value", "finding")
    assert lines[1].text == "    value: right 2.5, given nan"
    assert lines[-1].text == "and 13 more, 1 in textbook formulas"
    assert len(lines) <= 12


def test_where_nothing_is_wrong_nothing_is_said(run: RunFile) -> None:
    assert list(short_lines([], 80)) == list(card_lines([], 80)) == []


@pytest.mark.parametrize("name", ["long." * 40, "x" * 300, "関数" * 100, "\x1b[31mred\u202e [b]"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(run: RunFile, name: str, width: int) -> None:
    rows = [replace(NEW, implementation=name, got="", exact="", note=name), MASKED]
    cards = cards_of(rows, run)

    lines = [*card_lines(cards, width), *short_lines(cards, width)]

    assert max(cell_len(line.text) for line in lines) <= width
