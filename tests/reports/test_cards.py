"""The cards of causes: what each says, and the sentences for the beginning of a page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lossdiff.cases.ledger import ledger
from lossdiff.harness.runfile import ExampleAnswerRow, ExampleRow, RunFile, VerdictRow
from lossdiff.reports.cards import Card, cards_of, headline_causes

MASKED = VerdictRow(
    "cross_entropy/one_hot.random/float32/4x10/neg_inf/-/0", "cross_entropy", "one_hot", "neg_inf",
    "4x10", "float32", {}, "optax.losses.softmax_cross_entropy", "jax", "native", "eager", "cpu",
    "value", "nonfinite", known=True, ledger="zero-label-times-infinite-log-prob",
)  # fmt: skip
NEW = replace(MASKED, known=False, ledger="", looks_like="softmax applied twice")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.create(tmp_path / "my run.sqlite") as made:
        yield made


def card(run: RunFile, row: VerdictRow = MASKED, **facts: Any) -> Card:
    (found,) = cards_of([replace(row, **facts)], run)
    return found


def test_a_known_cause_is_told_as_the_ledger_tells_it(run: RunFile) -> None:
    found = card(run)

    assert found.title == "a masked class makes a one-hot loss NaN"
    assert found.sentence == f"{found.title} in Optax"
    assert found.link == "https://github.com/google-deepmind/optax/issues/896"
    assert found.is_reported
    assert not found.script


def test_a_cause_that_nobody_has_reported_comes_with_its_script(run: RunFile) -> None:
    found = card(run, ledger="torch-logsumexp-gradient")

    assert not found.is_reported
    assert found.script == "docs/to_report/torch-logsumexp-gradient.py"


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("softmax-gradient-ignores-sum-of-labels", "since tensorflow 2.4"),
        ("keras-smoothing-ignores-axis", "up to keras 3.15"),
        ("torch-logsumexp-gradient", ""),
    ],
)
def test_the_versions_of_an_entry_are_said(run: RunFile, name: str, versions: str) -> None:
    assert card(run, ledger=name).versions == versions


def test_an_entry_that_this_version_does_not_know_is_told_by_its_id(run: RunFile) -> None:
    assert card(run, ledger="of-another-version").title == "of another version"


def test_a_new_cause_says_what_it_looks_like(run: RunFile) -> None:
    found = card(run, NEW)

    name = "optax.losses.softmax_cross_entropy"
    assert (found.section, found.title) == ("new", f"{name}: nonfinite value")
    assert found.sentence == f"{found.title}, which looks like softmax applied twice"
    assert found.reason == "looks like: softmax applied twice"
    assert not found.is_reported


def test_a_new_cause_of_several_functions_is_named_by_its_operation(run: RunFile) -> None:
    (found,) = cards_of([NEW, replace(NEW, implementation="optax.losses.other")], run)

    assert found.title == "cross_entropy: nonfinite value"


def test_what_16_bits_alone_show_says_so(run: RunFile) -> None:
    assert card(run, NEW, dtype="float16").title.endswith(" value (float16)")


def test_the_command_can_be_pasted_into_a_shell(run: RunFile) -> None:
    words = shlex.split(card(run, implementation="it's.f(axis=0)", mode="jit").command)

    assert words == [
        "lossdiff", "repro", str(run.path), MASKED.case, "--impl", "it's.f(axis=0)",
        "--mode", "jit", "--quantity", "value",
    ]  # fmt: skip


def test_what_no_script_can_show_is_listed_instead(run: RunFile) -> None:
    found = card(run, verdict="relation:shift")

    assert shlex.split(found.command)[:4] == ["lossdiff", "show", str(run.path), "--case"]


def test_a_card_has_the_example_of_its_cause_with_the_libraries_in_order(run: RunFile) -> None:
    small = "cross_entropy/one_hot.random/float32/1x2/shrunk:0123456789ab/-/0"
    row = ExampleRow(
        MASKED.ledger, MASKED.case, small, *("optax.losses.x", "jax", "native", "eager", "cpu"),
        "value", "nonfinite", {"logits": "[[0, -inf]]", "target": "[[1, 0]]"}, "0",
    )  # fmt: skip
    answers = [
        ExampleAnswerRow(row.cause, library, name, "jax", "native", "eager", "cpu", word, given)
        for library, name, word, given in (
            ("Optax", "optax.losses.x", "nonfinite", "nan"),
            ("PyTorch", "torch.x", "exact", "0"),
        )
    ]
    run.add([row, *answers])

    example = card(run).example

    assert example is not None
    assert example.inputs == (("logits", "[[0, -inf]]"), ("target", "[[1, 0]]"))
    told = [(it.library, it.text, it.is_wrong) for it in example.given]
    assert told == [("PyTorch", "0", False), ("Optax", "nan", True)]


def test_a_card_names_the_libraries_that_its_example_does_not_show(run: RunFile) -> None:
    small = "cross_entropy/one_hot.random/float32/1x2/shrunk:0123456789ab/-/0"
    who = ("optax.losses.x", "jax", "native", "eager", "cpu")
    row = ExampleRow(
        MASKED.ledger, MASKED.case, small, *who, "value", "nonfinite", {"logits": "[0]"}, "0"
    )
    given = ExampleAnswerRow(row.cause, "Optax", *who, "nonfinite", "nan")
    other = replace(MASKED, implementation="torch.nn.CrossEntropyLoss", framework="torch")
    run.add([row, given])

    (found,) = cards_of([MASKED, other], run)

    assert found.elsewhere == ("PyTorch",)


def test_findings_on_recipes_and_textbook_formulas_are_counted_apart(run: RunFile) -> None:
    kinds = ("native", "native", "recipe", "textbook")

    (found,) = cards_of([replace(MASKED, kind=kind) for kind in kinds], run)

    assert found.many == "2 findings, 1 on recipes, 1 on textbook formulas"
    assert card(run, kind="textbook").many == "1 finding"


def test_headlines_are_the_first_causes_that_people_meet(run: RunFile) -> None:
    rows = [
        replace(MASKED, verdict="accepted", ledger="accepts-target-outside-0-1"),
        replace(MASKED, kind="textbook", ledger="textbook-relations"),
        MASKED,
        NEW,
    ]

    first = headline_causes(cards_of(rows, run))

    assert [card.sentence for card in first] == [
        f"{NEW.implementation}: nonfinite value, which looks like softmax applied twice",
        "a masked class makes a one-hot loss NaN in Optax",
        "a label outside [0, 1] raises no error in Optax",
    ]
    assert headline_causes(cards_of(rows, run), limit=1) == [first[0], first[-1]]


def test_where_formulas_alone_are_wrong_they_are_told(run: RunFile) -> None:
    rows = [replace(MASKED, kind="textbook", ledger="textbook-relations")]

    assert len(headline_causes(cards_of(rows, run))) == 1


def test_every_entry_of_the_ledger_has_a_title_of_its_own() -> None:
    titles = [entry.title for entry in ledger()]

    assert len(set(titles)) == len(titles)
    assert [it for it in titles if not it or it.endswith(".") or len(it) > 90] == []
