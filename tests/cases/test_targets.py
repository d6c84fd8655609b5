"""Families of targets: labels, probabilities and wrong shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lossdiff.cases.operations import OF_NUMBERS
from lossdiff.cases.stream import Stream
from lossdiff.cases.targets import LABELS, NUMERIC, WRONG_SHAPES, targets_of


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_classes_unless_they_are_meant_to_be_bad(name: str) -> None:
    logits = Stream("logits").normal(50, 6)
    labels = LABELS[name].draw(Stream(name), logits)
    valid = (labels >= 0) & (labels < 6)

    assert labels.shape == (50,)
    assert labels.dtype == np.int64
    assert valid.all() == (not LABELS[name].is_bad)


@pytest.mark.parametrize("name", NUMERIC)
def test_numbers_of_targets_are_what_their_names_say(name: str) -> None:
    target = NUMERIC[name].draw(Stream(name), 40, 7)
    inside = (target >= 0) & (target <= 1)

    assert target.shape == (40, 7)
    outside = ("soft_negative", "above", "above_one", "soft_nan", "binary_nan")
    family = NUMERIC[name]
    assert inside.all() == (name not in outside and family.kind != "real")
    if family.kind == "soft":
        assert family.sums_to_1 == np.allclose(target.sum(axis=1), 1)
    assert family.is_hard == bool(np.isin(target, (0, 1)).all())
    if name == "zeros":
        assert ((target == 0).sum(axis=1) == 5).all()
    if name == "binary":
        assert set(target.ravel()) == {0.0, 1.0}
    if name == "all_zero":
        assert not target.any()
    if name in ("soft_nan", "binary_nan"):
        assert np.argwhere(np.isnan(target)).tolist() == [[39, 0]]


def test_each_kind_of_target_has_its_families() -> None:
    assert set(targets_of("index")) == set(LABELS) > set(targets_of("one_hot"))
    assert {name for kind in OF_NUMBERS for name in targets_of(kind)} == set(NUMERIC)


@pytest.mark.parametrize("families", [LABELS, NUMERIC, WRONG_SHAPES])
def test_every_family_says_what_it_is_there_to_find(families: dict[str, Any]) -> None:
    assert all(family.name == name and family.why for name, family in families.items())


@pytest.mark.parametrize("name", WRONG_SHAPES)
def test_a_wrong_shape_is_another_than_that_of_the_right_target(name: str) -> None:
    target = np.zeros((4, 10), np.int64)

    assert WRONG_SHAPES[name].change(target).shape != target.shape
