"""Pointing: the row and the classes of a case that its verdict is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case
from lossdiff.harness.judging import Verdict
from lossdiff.harness.repro.pointing import pointed_at
from lossdiff.harness.repro.reductions import as_given

WEIGHTED = "cross_entropy/index.random/float32/4x10/normal/weight=positive/0"


def first_of(text: str, where: str = "") -> Case:
    """Return the first case that is proposed for one that has a verdict at some place."""
    case = as_given(Case.parse(text), "value")
    return next(pointed_at(case, Verdict("inaccurate", where=where)))


def test_the_worst_element_comes_with_the_largest_one_of_its_row() -> None:
    whole = Case.parse("softmax/float32/2x3x5/normal/axis=1/0").inputs().values

    found = first_of("softmax/float32/2x3x5/normal/axis=1/0", "[1, 0, 4]")

    largest = whole[1, :, 4].argmax()
    assert found.inputs().values.ravel().tolist() == [whole[1, 0, 4], whole[1, largest, 4]]


def test_a_row_keeps_its_label_and_the_weight_of_its_class() -> None:
    whole = Case.parse(WEIGHTED).inputs()
    assert whole.target is not None
    assert whole.weight is not None
    label = int(whole.target[2])

    found = first_of(WEIGHTED, "[2]").inputs()

    assert found.target is not None
    assert found.weight is not None
    at = int(found.target[0])
    assert found.values[0, at] == whole.values[2, label]
    assert found.weight[at] == whole.weight[label]


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        (
            "cross_entropy/index.too_large/float32/4x10/normal/-/0",
            lambda it: (it.target >= it.values.shape[1]).all(),
        ),
        ("softmax/float32/4x10/neg_inf/-/0", lambda it: np.isneginf(it.values).any()),
        ("softmax/float32/4x10/normal/-/0", lambda it: it.values.max() > 1),
    ],
    ids=["a label out of range", "an infinity", "the largest number"],
)
def test_without_a_place_the_input_that_stands_out_is_taken(
    text: str, is_kept: Callable[[Any], bool]
) -> None:
    found = first_of(text)

    assert found.shape[0] == 1
    assert is_kept(found.inputs())


@pytest.mark.parametrize(
    "text", ["softmax/float32/0x3/normal/-/0", "exp/float32/scalar/normal/-/0"]
)
def test_what_has_no_part_is_left(text: str) -> None:
    case = Case.parse(text)

    assert list(pointed_at(case, Verdict("mismatched"))) == []


def test_a_place_that_is_not_there_is_not_believed() -> None:
    case = Case.parse("softmax/float32/4x10/normal/-/0")

    assert [it.shape for it in pointed_at(case, Verdict("inaccurate", where="[9, 9, 9]"))]
