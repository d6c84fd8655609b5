"""The names that everybody uses for an operation, in one table, and what a longer name means.

A name says which operation a function computes, and often which targets it takes. A class is named
like a function, in capitals: `NLLLoss` is read as `nll_loss`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...backends import FRAMEWORKS
from ...cases.operations import BUILT_IN, OPERATIONS, TargetKind

_INDEX: tuple[TargetKind, ...] = ("index",)
_ROWS: tuple[TargetKind, ...] = ("one_hot", "soft")
_BINARY: tuple[TargetKind, ...] = ("multi_label",)


@dataclass(frozen=True)
class Meaning:
    """What a name says of a function.

    Attributes:
        operation: the operation.
        targets: the kinds of target; empty if the name does not say.
    """

    operation: str
    targets: tuple[TargetKind, ...] = ()


def _meanings() -> dict[str, Meaning]:
    """Return the table: for each operation and its targets the names, its own first."""
    table: dict[tuple[str, tuple[TargetKind, ...]], str] = {
        ("softmax", ()): "softmax soft_max",
        ("log_softmax", ()): "log_softmax logsoftmax log_soft_max",
        ("logsumexp", ()): "logsumexp log_sum_exp reduce_logsumexp lse",
        ("nll_loss", _INDEX): "nll_loss nll negative_log_likelihood negative_log_likelihood_loss",
        ("linear_cross_entropy", _INDEX): """
            linear_cross_entropy linear_cross_entropy_loss linear_ce linear_ce_loss linear_xent
            linear_softmax_cross_entropy lm_head_cross_entropy lm_head_loss
            linear_cross_entropy_function cut_cross_entropy cce
            """,
        ("cross_entropy", ()): """
            cross_entropy cross_entropy_loss cross_entropy_with_logits cross_entropy_from_logits
            cross_entropy_with_logits_loss crossentropy crossentropy_loss ce ce_loss xent xent_loss
            xentropy softmax_cross_entropy softmax_cross_entropy_loss softmax_crossentropy
            softmax_xent softmax_loss softmax_ce softmax_ce_loss softmax_with_loss
            softmax_with_cross_entropy softmax_with_cross_entropy_loss
            label_smoothing_cross_entropy label_smooth_cross_entropy_loss
            label_smoothing_cross_entropy_loss cross_entropy_label_smooth
            cross_entropy_with_label_smoothing cross_entropy_label_smoothing
            label_smoothing_loss label_smooth_loss
            """,
        ("cross_entropy", _INDEX): """
            sparse_softmax_cross_entropy sparse_softmax_cross_entropy_with_logits
            softmax_cross_entropy_with_integer_labels sparse_cross_entropy
            sparse_cross_entropy_loss sparse_cross_entropy_with_logits
            multiclass_logistic_loss
            lm_loss causal_lm_loss for_causal_lm_loss next_token_loss next_token_prediction_loss
            language_modeling_loss language_model_loss llm_loss gpt_loss gpt2_loss
            """,
        ("cross_entropy", _ROWS): """
            softmax_cross_entropy_with_logits softmax_cross_entropy_with_logits_v2
            safe_softmax_cross_entropy categorical_cross_entropy_with_logits
            categorical_crossentropy_with_logits
            """,
        ("cross_entropy", ("soft",)): "soft_target_cross_entropy soft_cross_entropy",
        ("cross_entropy_probs", ()): "cross_entropy_probs cross_entropy_error",
        ("cross_entropy_probs", _INDEX): """
            sparse_categorical_crossentropy sparse_categorical_cross_entropy
            """,
        ("cross_entropy_probs", _ROWS): "categorical_crossentropy categorical_cross_entropy",
        ("sigmoid", ()): "sigmoid logistic expit",
        ("log_sigmoid", ()): "log_sigmoid logsigmoid log_expit",
        ("exp", ()): "exp",
        ("binary_cross_entropy", _BINARY): """
            binary_cross_entropy binary_cross_entropy_loss binary_crossentropy
            binary_crossentropy_loss bce bce_loss log_loss binary_log_loss
            """,
        ("binary_cross_entropy_with_logits", _BINARY): """
            binary_cross_entropy_with_logits binary_cross_entropy_with_logits_loss
            binary_cross_entropy_from_logits binary_crossentropy_with_logits
            binary_crossentropy_from_logits bce_with_logits bce_with_logits_loss bce_logits
            bce_from_logits bce_logits_loss sigmoid_cross_entropy sigmoid_cross_entropy_loss
            sigmoid_cross_entropy_with_logits sigmoid_binary_cross_entropy
            sigmoid_binary_cross_entropy_loss sigmoid_crossentropy sigmoid_bce sigmoid_bce_loss
            sigmoid_ce_loss sigmoid_xent binary_logistic_loss weighted_cross_entropy_with_logits
            """,
    }
    return {
        name: Meaning(operation, targets)
        for (operation, targets), names in table.items()
        for name in names.split()
    }


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NAMES = _meanings()
# Words that may stand before a name and do not change what it names.
_BEFORE = _words("""
    my our own custom user masked jit script sequence seq token lm pixel pixelwise spatial
    multiclass correct right good sound wrong bad broken buggy faulty fixed improved better tiny
    mini
    fused fast faster stable stabilized numerically safe robust naive simple
    plain manual vanilla basic efficient optimized vectorized chunked blocked tiled online streaming
    parallel batched batch ref reference exact weighted smooth smoothed compiled scripted jitted
    new old loss activation compute calc dense padded vocab
    calculate get f np triton cuda numba native recipe textbook v1 v2 v3
""") | {*FRAMEWORKS, *(name for item in FRAMEWORKS.values() for name in item.imports)}
# The same of a cross-entropy alone: a softcapped softmax is no softmax.
_BEFORE_CROSS_ENTROPY = _words("""
    softcapped softcap soft_capped capped scaled causal lm llm token z unnormalized category
    gpt gpt2 bert llama t5 transformer
""")
# Words after a name with which it names something else; those of derivatives do so unless they
# come after `with` or `without`.
_DERIVATIVES = _words("""
    grad gradient derivative deriv prime diff backward bwd back backprop delta jac jacobian hess
    hessian hvp jvp vjp
""")
_OTHERWISE = _words("""
    inverse inv logit entropy kl kld mse focal dice iou jaccard hinge triplet contrastive margin
    distill distillation mixup rampup rampdown ramp warmup decay schedule scheduler annealing anneal
    lr temperature temp sample sampler sampling policy accuracy acc metric error plot test demo
    example regression classifier classification regressor model layer net network attention config
    cfg params
""")
# What is returned beside a loss.
_WITH_MORE = re.compile(
    r"_(with|and)_(its_)?(grad|grads|gradient|gradients|acc|accuracy|accuracies|metrics)$"
)
# `softmax_masked_cross_entropy` is a cross-entropy: what a function of this kind comes before.
_OF_LOGITS = {
    "softmax": "cross_entropy", "log_softmax": "cross_entropy",
    "sigmoid": "binary_cross_entropy_with_logits",
}  # fmt: skip
_CROSS_ENTROPY = re.compile(r"(^|_)(cross_?entropy|xentropy|xent|ce)(_|$)")
_LOSSES = re.compile(
    r"loss|entropy|softmax|logsumexp|log_sum_exp|sigmoid|(^|_)(nll|bce|xent|ce|likelihood|lse)(_|$)"
)


def snake_case(name: str) -> str:
    """Return the name of a class as a function would be named.

    >>> snake_case("BCEWithLogitsLoss"), snake_case("NLLLoss"), snake_case("cross_entropy2d")
    ('bce_with_logits_loss', 'nll_loss', 'cross_entropy_2d')
    """
    if name.islower():
        return re.sub(r"(?<=[a-z])(?=[123]d(_|$))", "_", name)
    words = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=\d)", "_", name)
    return words.lower()


def meaning_of(name: str) -> tuple[Meaning, bool] | None:
    """Return what a name says, and whether it is just a name of the table; None if it says nothing.

    A name with more words means the same as the longest name in it that begins it, or comes after
    words that change nothing, unless what follows makes it the name of something else.

    >>> meaning_of("softmax_cross_entropy")
    (Meaning(operation='cross_entropy', targets=()), True)
    >>> meaning_of("my_log_softmax_v2")
    (Meaning(operation='log_softmax', targets=()), False)
    >>> meaning_of("sigmoid_prime"), meaning_of("binary_search")
    (None, None)
    >>> meaning_of("softcapped_cross_entropy"), meaning_of("softcapped_softmax")
    ((Meaning(operation='cross_entropy', targets=()), False), None)
    """
    name = _WITH_MORE.sub("", snake_case(name).strip("_"))
    if known := _named(name):
        return known, True
    words, is_of_language_models = name.split("_"), False
    while words:
        for end in range(len(words), 0, -1):
            found = _named("_".join(words[:end]))
            if found:
                found, after = _of_logits(found, words[end:])
                is_other = is_of_language_models and found.operation != "cross_entropy"
                return None if is_other or _is_otherwise(found, after) else (found, False)
        is_of_language_models |= words[0] in _BEFORE_CROSS_ENTROPY
        if words[0] not in _BEFORE | _BEFORE_CROSS_ENTROPY:
            return None
        words = words[1:]
    return None


def _named(name: str) -> Meaning | None:
    """Return what just a name of the table says, or that of an operation that is defined."""
    is_defined = name in OPERATIONS and name not in BUILT_IN
    return Meaning(name) if is_defined else NAMES.get(name)


def _of_logits(found: Meaning, after: list[str]) -> tuple[Meaning, list[str]]:
    """Return the cross-entropy of a softmax or sigmoid, if the words after it name one, and those.

    What a cross-entropy itself has in its name makes it nothing else.
    """
    operation = _OF_LOGITS.get(found.operation)
    if operation is None or not _CROSS_ENTROPY.search("_".join(after)):
        return found, after
    targets = _BINARY if operation.startswith("binary") else _INDEX if "sparse" in after else ()
    return Meaning(operation, targets), [it for it in after if it != "entropy"]


def _is_otherwise(found: Meaning, after: list[str]) -> bool:
    """Return whether the words after a name make it the name of something else."""
    # Many names begin with `exp` that have nothing to do with it: `exp_map`, `exp_moving_average`.
    if found.operation == "exp" and set(after) - _BEFORE:
        return True
    others = _OTHERWISE if {"with", "without"} & set(after) else _OTHERWISE | _DERIVATIVES
    # A cross-entropy with a temperature, or with a logit softcap, has them as options.
    if found.operation == "cross_entropy" and after[:1] == ["with"]:
        others = others - {"temperature", "temp", "logit"}
    return any(word in others or word.removesuffix("s") in others for word in after)


def looks_like_a_loss(name: str) -> bool:
    """Return whether somebody who reads a name expects one of the operations.

    >>> looks_like_a_loss("FocalLoss"), looks_like_a_loss("load_images")
    (True, False)
    """
    return bool(_LOSSES.search(snake_case(name)))


def table() -> list[tuple[str, str, str]]:
    """Return the table as rows: a name, its operation, and the targets that it says."""
    assert set(BUILT_IN) <= set(NAMES)  # noqa: S101 -- each is a name of its own
    return [
        (name, meaning.operation, ", ".join(meaning.targets)) for name, meaning in NAMES.items()
    ]
