"""`lossdiff.ask`: every framework on a user's own arrays."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from lossdiff.backends import FRAMEWORKS

import lossdiff
from lossdiff._api import frameworks
from lossdiff.errors import FrameworkAbsentError

LOGITS, LABELS = [[1.0, 2.0, 3.0], [0.0, -1.0, 5.0]], [2, 0]


def test_value_and_gradient_of_each_function_are_judged() -> None:
    found = lossdiff.ask("cross_entropy", LOGITS, LABELS, frameworks=["numpy"], label_smoothing=0.1)

    quantities = {(row.implementation, row.quantity): row.verdict for row in found.rows}
    assert quantities["numpy.recipes.cross_entropy", "value"] in {"exact", "faithful"}
    assert ("numpy.recipes.cross_entropy", "gradient_logits") in quantities
    np.testing.assert_allclose(found.rows[0].answer, found.right["value"], rtol=1e-15)


def test_it_prints_as_a_table_of_eighty_columns() -> None:
    found = lossdiff.ask("softmax", LOGITS, frameworks=["numpy"])

    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert "scipy.special.softmax" in str(found)
    assert " ulp" in str(found)
    assert found._repr_html_().startswith("<pre")


def test_rows_without_a_batch_are_left_to_those_that_take_them() -> None:
    found = lossdiff.ask("cross_entropy", LOGITS[0], 2, frameworks=["numpy"])

    assert all(row.verdict != "raised" for row in found.rows)
    assert "takes no row without a batch" in found.not_taken["numpy.recipes.cross_entropy"]


@pytest.mark.framework("torch")
def test_tensors_of_one_framework_are_asked_of_another() -> None:
    import torch

    found = lossdiff.ask(
        "binary_cross_entropy_with_logits",
        torch.ones(2, 3), torch.zeros(2, 3), weight=torch.rand(2, 1), pos_weight=2.0,
        frameworks=["numpy", "torch"],
    )  # fmt: skip

    assert {row.framework for row in found.rows} == {"numpy", "torch"}
    assert not [row for row in found.rows if row.verdict in {"raised", "inaccurate"}]


@pytest.mark.framework("jax")
def test_a_setting_of_the_user_is_as_it_was_afterwards() -> None:
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    try:
        found = lossdiff.ask("softmax", LOGITS, frameworks=["jax"])

        assert not jax.config.jax_enable_x64
        assert {row.verdict for row in found.rows} <= {"exact", "faithful", "within bound"}
    finally:
        jax.config.update("jax_enable_x64", before)


def test_an_invalid_question_shows_who_refuses_it() -> None:
    found = lossdiff.ask("cross_entropy", LOGITS, [2, 7], frameworks=["numpy"])

    assert found.refusal == "an index target out of range"
    assert "right: an error" in str(found)


def test_a_framework_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = replace(FRAMEWORKS["jax"], imports=("no_such_package",))
    monkeypatch.setitem(FRAMEWORKS, "jax", missing)

    found = lossdiff.ask("softmax", LOGITS, frameworks=["numpy", "jax"])

    assert found.absent == {
        "jax": "jax: no_such_package not installed; pip install 'lossdiff[jax]'"
    }
    with pytest.raises(FrameworkAbsentError, match="no_such_package not installed"):
        frameworks.backend_of("jax")


@pytest.mark.parametrize("axis", [(0, 1), None])
def test_several_axes_are_asked_as_one(axis: tuple[int, ...] | None) -> None:
    found = lossdiff.ask("softmax", LOGITS, axis=axis, frameworks=["numpy"])

    value = next(row for row in found.rows if row.quantity == "value")
    assert value.answer is not None
    np.testing.assert_allclose(value.answer.sum(), 1.0)
    assert value.answer.shape == (2, 3)
    assert value.verdict in {"exact", "faithful", "within bound"}


def test_numbers_without_axes_are_asked_of_binary_losses() -> None:
    found = lossdiff.ask(
        "binary_cross_entropy_with_logits", 0.5, 1.0, weight=2.0, pos_weight=3.0,
        frameworks=["numpy"],
    )  # fmt: skip

    assert {row.verdict for row in found.rows} <= {"exact", "faithful", "within bound"}
    assert found.rows[0].answer is not None
    assert found.rows[0].answer.shape == ()


def test_the_table_of_pandas_needs_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(FrameworkAbsentError, match="pip install pandas"):
        lossdiff.ask("softmax", LOGITS, frameworks=["numpy"]).to_pandas()
