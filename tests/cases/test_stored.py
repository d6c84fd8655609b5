"""The worked examples and the digits' logits, as the package carries them."""

from __future__ import annotations

import numpy as np
import pytest
from lossdiff.cases.operations import OPERATIONS
from lossdiff.cases.stored import DIGITS_STAGES, WorkedExample, stored_values, worked_examples

EXAMPLES = pytest.mark.parametrize("example", worked_examples().values(), ids=worked_examples())


def test_there_are_25_worked_examples() -> None:
    assert len(worked_examples()) == 25


@EXAMPLES
def test_an_example_says_where_it_is_printed_and_how_exactly(example: WorkedExample) -> None:
    assert example.source
    assert example.operation in OPERATIONS
    assert 0 < example.atol < 0.05
    assert np.isfinite(example.expected).all()


@EXAMPLES
def test_an_example_has_the_target_that_its_operation_takes(example: WorkedExample) -> None:
    if example.target_kind is None:
        assert example.target is None
        return
    assert example.target is not None
    assert example.target_kind in OPERATIONS[example.operation].targets
    if example.target_kind == "index":
        assert example.target.shape == (example.values.shape[0], *example.values.shape[2:])
        assert np.array_equal(example.target, example.target.astype(np.int64))
    else:
        assert example.target.shape == example.values.shape


@EXAMPLES
def test_an_example_is_found_by_its_family(example: WorkedExample) -> None:
    stored = stored_values(f"worked:{example.name}", example.values.shape)

    assert stored is not None
    assert stored.values is example.values
    assert stored.target is example.target


@pytest.mark.parametrize("stage", DIGITS_STAGES)
def test_the_digits_are_1797_rows_of_10_classes(stage: str) -> None:
    stored = stored_values(f"digits:{stage}", (1797, 10))

    assert stored is not None
    assert stored.target is not None
    assert (stored.values.shape, stored.values.dtype) == ((1797, 10), np.float64)
    assert stored.target.shape == (1797,)
    assert set(stored.target.tolist()) == set(range(10))
    assert np.isfinite(stored.values).all()


def test_fewer_digits_are_the_first_ones() -> None:
    some, every = stored_values("digits:end", (64, 10)), stored_values("digits:end", (1797, 10))

    assert some is not None
    assert every is not None
    assert np.array_equal(some.values, every.values[:64])


def test_the_digits_are_learnt_from_stage_to_stage() -> None:
    right = []
    for stage in DIGITS_STAGES:
        stored = stored_values(f"digits:{stage}", (1797, 10))
        assert stored is not None
        right.append((stored.values.argmax(axis=1) == stored.target).mean())

    assert right == sorted(right)
    assert right[-1] > 0.9


def test_drawn_families_are_not_stored() -> None:
    assert stored_values("normal", (4, 10)) is None


@pytest.mark.parametrize("family", ["worked:nothing", "digits:tomorrow"])
def test_what_is_not_there_is_an_error(family: str) -> None:
    with pytest.raises(KeyError):
        stored_values(family, (1797, 10))
