"""What a function's name says of it."""

from __future__ import annotations

import pytest
from lossdiff.cases.operations import OPERATIONS
from lossdiff.harness.own.names import NAMES, looks_like_a_loss, meaning_of, snake_case, table


@pytest.mark.parametrize(
    ("name", "operation", "targets"),
    [
        ("softmax", "softmax", set()),
        ("softmax_cross_entropy", "cross_entropy", set()),
        ("softmax_cross_entropy_with_logits", "cross_entropy", {"one_hot", "soft"}),
        ("sparse_softmax_cross_entropy_with_logits", "cross_entropy", {"index"}),
        ("sparse_categorical_crossentropy", "cross_entropy_probs", {"index"}),
        ("categorical_crossentropy", "cross_entropy_probs", {"one_hot", "soft"}),
        ("softmax_loss", "cross_entropy", set()),
        ("nll", "nll_loss", {"index"}),
        ("bce", "binary_cross_entropy", {"multi_label"}),
        ("log_loss", "binary_cross_entropy", {"multi_label"}),
        ("sigmoid_cross_entropy_with_logits", "binary_cross_entropy_with_logits", {"multi_label"}),
        ("CrossEntropyLoss", "cross_entropy", set()),
        ("NLLLoss", "nll_loss", {"index"}),
        ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits", {"multi_label"}),
        ("LogSumExp", "logsumexp", set()),
        ("SparseCategoricalCrossentropy", "cross_entropy_probs", {"index"}),
        ("SoftTargetCrossEntropy", "cross_entropy", {"soft"}),
    ],
)  # fmt: skip
def test_a_name_of_the_table_says_the_operation_and_often_the_targets(
    name: str, operation: str, targets: set[str]
) -> None:
    found = meaning_of(name)

    assert found is not None
    assert (found[0].operation, set(found[0].targets), found[1]) == (operation, targets, True)


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("my_softmax", "softmax"),
        ("log_softmax_unshifted", "log_softmax"),
        ("fused_cross_entropy", "cross_entropy"),
        ("cross_entropy_smoothed", "cross_entropy"),
        ("FusedCrossEntropyLoss", "cross_entropy"),
        ("CrossEntropy2d", "cross_entropy"),
        ("cross_entropy2d", "cross_entropy"),
        ("cross_entropy_loss_and_accuracy", "cross_entropy"),
        ("weighted_unnormalized_softmax_cross_entropy", "cross_entropy"),
        ("softmax_sparse_crossentropy_ignoring_last_label", "cross_entropy"),
        ("sigmoid_weighted_cross_entropy", "binary_cross_entropy_with_logits"),
        ("gpt2_cross_entropy", "cross_entropy"),
        ("gpt_loss", "cross_entropy"),
        ("stable_bce_with_logits_v2", "binary_cross_entropy_with_logits"),
        ("softmax_loss_and_grad", "cross_entropy"),
        ("softmax_with_a_wrong_gradient", "softmax"),
        ("numpy_softmax", "softmax"),
        ("Activation_Softmax", "softmax"),
    ],
)
def test_a_name_with_more_words_means_the_same(name: str, operation: str) -> None:
    found = meaning_of(name)

    assert found is not None
    assert found[0].operation == operation


@pytest.mark.parametrize(
    "name",
    [
        "sigmoid_prime", "softmax_kl_loss", "sigmoid_rampup", "softmax_grad", "softmax_vjp",
        "cross_entropy_backward", "sigmoid_focal_loss", "bce_dice_loss", "softmax_entropy",
        "exp_moving_average", "exp_lr", "dsoftmax", "gumbel_softmax", "binary_search",
        "SoftmaxRegression", "softmax2", "softmaximum", "masked_lm", "loss", "",
        "cross_entropy_accuracy", "softmax_focal_cross_entropy",
    ],
)  # fmt: skip
def test_a_name_of_something_else_says_nothing(name: str) -> None:
    assert meaning_of(name) is None


def test_each_operation_is_named_by_itself() -> None:
    assert {name: NAMES[name].operation for name in OPERATIONS} == {it: it for it in OPERATIONS}


def test_the_table_says_no_target_that_its_operation_does_not_take() -> None:
    wrong = [
        name
        for name, meaning in NAMES.items()
        if not set(meaning.targets) <= set(OPERATIONS[meaning.operation].targets)
    ]

    assert wrong == []
    assert len(table()) == len(NAMES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("log_softmax", "log_softmax"),
        ("BCELoss", "bce_loss"),
        ("LSE", "lse"),
        ("Loss_CategoricalCrossentropy", "loss_categorical_crossentropy"),
    ],
)
def test_a_class_is_read_as_a_function_would_be_named(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("FocalLoss", True), ("softmax_kl_loss", True), ("dice", False), ("forward", False)],
)
def test_what_looks_like_a_loss_is_told_by_its_name(name: str, *, expected: bool) -> None:
    assert looks_like_a_loss(name) == expected
