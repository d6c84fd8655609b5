"""A loss whose name does not say what it takes is taken for what the plain question shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.harness.own import Candidate, Declaration, Taken, learn
from lossdiff.harness.own.names import meaning_of


def log_softmax(x: Any) -> Any:
    shifted = x - x.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def picked(x: Any, labels: Any) -> Any:
    return -x[np.arange(len(labels)), labels].mean()


def nll_of_logits(logits: Any, labels: Any) -> Any:
    return picked(log_softmax(logits), labels)


def cross_entropy_of_log_probs(log_probs: Any, labels: Any) -> Any:
    return picked(log_probs, labels)


def log_loss_of_classes(y_true: Any, y_prob: Any) -> Any:
    return -(y_true * np.log(y_prob)).sum() / len(y_prob)


def log_loss_of_elements(y_true: Any, y_prob: Any) -> Any:
    return -(y_true * np.log(y_prob) + (1 - y_true) * np.log(1 - y_prob)).mean()


def twice_nll(x: Any, labels: Any) -> Any:
    return 2 * picked(x, labels)


@pytest.mark.parametrize(
    ("name", "function", "operation", "said"),
    [
        ("nll", nll_of_logits, "cross_entropy", "it takes logits"),
        ("nll", picked, "nll_loss", ""),
        ("nll", twice_nll, "nll_loss", ""),
        ("cross_entropy", cross_entropy_of_log_probs, "nll_loss", "it takes log-probabilities"),
        # Scores that are indexed without their softmax are a mistake.
        ("cross_entropy", picked, "cross_entropy", ""),
        ("log_loss", log_loss_of_classes, "cross_entropy_probs",
         "it is a loss over classes, and takes probabilities"),
        ("log_loss", log_loss_of_elements, "binary_cross_entropy", ""),
        # Of a binary loss the term of 1 − target is missing.
        ("bce", log_loss_of_classes, "binary_cross_entropy", ""),
    ],
)  # fmt: skip
def test_a_loss_is_taken_for_what_its_answer_says(
    name: str, function: Callable[..., Any], operation: str, said: str
) -> None:
    meaning = meaning_of(name)
    assert meaning is not None
    declared = Declaration(targets=frozenset(meaning[0].targets) or None)
    candidate = Candidate(f"mine.{name}", function, meaning[0].operation, declared)

    found = learn(candidate, load_backend("numpy"))

    assert isinstance(found, Taken)
    assert found.implementation.claim.operation == operation
    assert any(it.startswith("it takes l") or "over classes" in it for it in found.remarks) == bool(
        said
    )
    assert not said or said in found.remarks
