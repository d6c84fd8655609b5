"""What `full` asks besides its covering array."""

from __future__ import annotations

import pytest
from lossdiff.cases.factors import CLASSES, OUT_OF_RANGE, RANKS, ROWS
from lossdiff.cases.lists import _bad_input, _blocks, _laid_out, _sizes, _unreduced
from lossdiff.cases.model import Case
from lossdiff.cases.operations import COVERED
from lossdiff.harness.answers import Failure
from lossdiff.harness.judging import judge, solved_case


def test_every_number_of_classes_and_rows_and_every_rank_is_asked() -> None:
    shapes = {case.shape for case in _sizes() if case.operation == "softmax"}

    assert {shape[1] for shape in shapes if shape[0] == 2 and len(shape) == 2} >= set(CLASSES)
    assert {shape[0] for shape in shapes if shape[1:] == (3,)} >= set(ROWS)
    assert {tuple(map(int, rank.split("x"))) for rank in RANKS} <= shapes


def test_losses_have_a_batch_and_classes() -> None:
    for case in _sizes():
        if case.contract.is_loss:
            assert len(case.shape) > 1
            assert 0 not in case.shape[1:]


def test_every_operation_is_asked_in_every_layout() -> None:
    assert {case.operation for case in _laid_out()} == {it.name for it in COVERED}


def test_blocks_and_their_remainders_meet_numbers_that_upset_one() -> None:
    asked = {(case.shape, case.family) for case in _blocks() if case.operation == "softmax"}

    assert {((5, 33), "neg_inf_but_one"), ((300, 4), "one_large"), ((2, 1000), "far_tail")} <= asked
    assert {case.operation for case in _blocks()} == {it.name for it in COVERED}


def test_every_loss_is_asked_row_by_row() -> None:
    losses = {operation.name for operation in COVERED if operation.is_loss}

    assert {case.operation for case in _unreduced()} == losses


@pytest.mark.parametrize("case", _bad_input(), ids=lambda case: case.id)
def test_an_error_is_due_for_bad_input(case: Case) -> None:
    question = solved_case(case)

    assert question.solution.refusal
    assert judge(question, "value", Failure("raised", "no")).word == "refused"


def test_the_refusals_say_what_is_wrong() -> None:
    said = {solved_case(case).solution.refusal for case in _bad_input()}

    assert {
        "an axis out of range",
        "a label_smoothing outside [0, 1]",
        "an index target that holds no whole numbers",
        "a target of shape (5,), where (4,) is due",
        "a target of shape (4, 11), where (4, 10) is due",
    } <= said
    assert set(OUT_OF_RANGE) == {"axis", "label_smoothing"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("softmax/float32/2x0/normal/-/0", "convention:undefined_error"),
        ("cross_entropy/index.random/float32/0x3/normal/-/0", "convention:undefined_error"),
        ("softmax/float32/0x3/normal/-/0", "raised"),
        ("sigmoid/float32/2x0/normal/-/0", "raised"),
        ("cross_entropy/index.random/float32/0x3/normal/reduction=sum/0", "raised"),
    ],
)
def test_an_error_is_an_answer_only_where_nothing_is_agreed_on(text: str, word: str) -> None:
    question = solved_case(Case.parse(text))

    assert judge(question, "value", Failure("raised", "zero-size array")).word == word
