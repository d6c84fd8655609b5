"""The names that functions give to the arguments and options of the contract.

A parameter is recognised by its name. To teach the program another name, add it to the tables here;
`lossdiff list names` prints them, and a function with still other names says so in `rename`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ...backends.claim import Fixed

# Names that can mean nothing else come first: they decide where both arrays have loose names, as
# in `(y, t)`, where `t` holds the labels, and `(y_true, y)`, where `y` holds the predictions.
FIRM: dict[str, tuple[str, ...]] = {
    "values": (
        "logits", "logit", "input", "inputs", "scores", "score", "y_pred", "y_hat", "yhat",
        "pred", "preds", "prediction", "predictions", "predicted", "output", "outputs", "logp",
        "log_p", "log_prob", "log_probs", "logprob", "logprobs", "lprobs", "log_probabilities",
        "prob", "probs", "probabilities", "y_prob", "y_proba", "raw_prediction", "log_softmax",
    ),
    "target": (
        "target", "targets", "label", "labels", "y_true", "ytrue", "true", "truth",
        "ground_truth", "gt", "tgt", "onehot", "one_hot", "class_idx", "gold", "y_onehot",
        "one_hot_labels", "label_ids", "target_ids",
    ),
}  # fmt: skip
LOOSE: dict[str, tuple[str, ...]] = {
    "values": ("x", "z", "a", "h", "s", "p", "arr", "array", "tensor", "data", "f"),
    "target": ("y", "t", "q", "b", "actual", "classes"),
}
# What a linear loss takes in place of logits, in which most names of the logits are no others'.
LINEAR: dict[str, tuple[str, ...]] = {
    "values": (
        "hidden", "hiddens", "hidden_states", "hidden_state", "last_hidden_state", "embeddings",
        "embedding", "features", "feats", "activations", "states", "x", "h", "e", "z", "a",
        "h_states", "inp", "hs",
    ),
    "linear_weight": (
        "linear_weight", "lin_weight", "lm_head", "lm_head_weight", "lm_weight", "head_weight",
        "head", "classifier", "classifier_weight", "vocab_weight", "output_weight", "out_weight",
        "proj_weight", "projection", "kernel", "unembedding", "unembed", "w_lm", "w_vocab", "w_out",
        "c",
    ),
    "linear_bias": ("linear_bias", "lin_bias", "lm_head_bias", "head_bias", "bias", "b"),
}  # fmt: skip
# Of a linear loss these are the class weights where a name above is the linear weight's, and else
# the linear weight.
_EITHER_WEIGHT = ("weight", "weights", "w")
_CLASS_WEIGHTS = ("ce_weight", "class_weight", "class_weights", "cls_weight", "loss_weight")
OPTIONS: dict[str, tuple[str, ...]] = {
    "axis": ("axis", "dim", "axes", "dims", "class_axis", "class_dim"),
    "weight": (
        "weight", "weights", "class_weight", "class_weights", "cls_weight", "cls_weights", "w",
    ),
    "pos_weight": ("pos_weight", "pos_weights", "positive_weight", "weight_pos"),
    "ignore_index": (
        "ignore_index", "ignore_idx", "ignore_label", "ignore_class", "ignored_index",
        "ignore_id", "ignore", "pad_id", "pad_idx", "pad_index", "padding_idx", "pad_token_id",
        "lm_ignore_index", "padding_index", "padding_id", "trg_pad_idx", "tgt_pad_idx",
        "trg_pad_id", "tgt_pad_id", "pad_token", "ignore_value", "ignored_class", "void_class",
    ),
    "label_smoothing": (
        "label_smoothing", "smoothing", "label_smooth", "smooth", "smoothing_factor", "ls",
        "label_smoothing_factor", "smooth_eps", "ls_eps",
    ),
    "reduction": ("reduction", "reduce_mode", "reduction_mode", "agg", "size_average", "average"),
    "logit_scale": (
        "logit_scale", "logits_scale", "logit_multiplier", "inverse_temperature", "inv_temperature",
        "temperature", "softmax_temperature", "logits_scaling", "logit_divisor", "logit_scaling",
    ),
    "logit_softcap": (
        "logit_softcap", "logits_softcap", "softcap", "soft_cap", "logit_soft_cap",
        "logits_soft_cap", "logit_softcapping", "final_logit_softcapping", "softcapping",
        "logit_cap", "cap",
    ),
    "z_loss": (
        "z_loss", "lse_square_scale", "z_loss_weight", "z_loss_coef", "z_loss_coeff",
        "z_loss_coefficient", "z_loss_scale", "z_loss_alpha", "z_loss_lambda",
        "z_loss_multiplier", "z_loss_factor",
    ),
    "denominator": (
        "denominator", "num_items_in_batch", "num_items", "n_items", "avg_factor", "normalizer",
        "loss_denominator", "num_valid_tokens", "total_tokens", "num_tokens", "n_tokens",
    ),
    "linear_bias": LINEAR["linear_bias"],
}  # fmt: skip
# Parameters of the scale of logits that divide them.
RECIPROCALS = ("temperature", "softmax_temperature", "logits_scaling", "logit_divisor")
# `eps` is a smoothing if it is one by its size, and else what keeps a logarithm finite.
EPSILON = ("eps", "epsilon", "alpha")
LEAST_SMOOTHING = 1e-3  # a smoothing is larger
# Parameters of what keeps a logarithm finite, where they have such a size.
EPSILONS = ("eps", "epsilon", "clip", "clip_eps", "fuzz")
# What a parameter of the reduction may be given, the most usual first.
SPELLINGS: dict[str, tuple[Fixed, ...]] = {
    "mean": ("mean", "sum_over_batch_size", True, "elementwise_mean", "avg"),
    "none": ("none", None),
    "sum": ("sum", False),
}
FLAGS = ("size_average", "average")  # of the names of a reduction: true for a mean
# Parameters that say whether the first argument holds logits.
LOGITS_FLAGS = ("from_logits", "is_logits", "with_logits", "apply_softmax", "apply_sigmoid")
# Parameters that take the number of classes.
CLASSES = (
    "num_classes", "n_classes", "nclasses", "num_class", "class_num", "nb_classes", "classes",
    "num_labels", "vocab_size", "depth",
)  # fmt: skip
# Parameters of what no operation has, and the value that takes it away; `pos_weight` and
# `label_smoothing` are such where an operation has no such option.
NEUTRAL: dict[str, float] = {
    "pos_weight": 1.0, "label_smoothing": 0.0, "temperature": 1.0, "temp": 1.0, "tau": 1.0,
    "scale": 1.0, "logit_scale": 1.0, "loss_weight": 1.0, "gamma": 0.0, "z_loss": 0.0,
    "z_loss_weight": 0.0, "lse_square_scale": 0.0,
}  # fmt: skip
# All of them, for readers.
PARAMETERS = {
    **{role: (*FIRM[role], *LOOSE[role]) for role in FIRM},
    **OPTIONS,
    "label_smoothing": (*OPTIONS["label_smoothing"], *EPSILON),
    "logits or probabilities": LOGITS_FLAGS,
    "the number of classes": CLASSES,
    **{f"{role} of a linear loss": names for role, names in LINEAR.items()},
}


@dataclass(frozen=True)
class Role:
    """What a parameter is.

    Attributes:
        name: `values`, `target`, the name of an option, or `from_logits`.
        is_firm: whether its name can mean nothing else.
    """

    name: str
    is_firm: bool = True


def usual_names(option: str, present: Collection[str]) -> tuple[str, ...]:
    """Return the names of an option, the most usual first, for a function with some parameters.

    Beside a `class_weight` a `weight` is that of the rows, which no question has.

    >>> usual_names("weight", {"pred", "label", "weight", "class_weight"})[0]
    'class_weight'
    """
    names = OPTIONS.get(option, (option,))
    of_classes = tuple(it for it in names if it.startswith(("class", "cls")))
    if not any(it in present for it in of_classes):
        return names
    return (*of_classes, *(it for it in names if it not in of_classes))


def clip_of(parameter: str, default: Any) -> float:
    """Return the ε that a parameter keeps logarithms finite with; 0 for none.

    >>> clip_of("eps", 1e-12), clip_of("eps", 0.1), clip_of("gamma", 1e-12)
    (1e-12, 0.0, 0.0)
    """
    is_epsilon = parameter.lower().strip("_") in EPSILONS and isinstance(default, float)
    return default if is_epsilon and 0 < default <= LEAST_SMOOTHING else 0.0


def neutral_of(parameter: str, default: Any) -> float | None:
    """Return the value that takes away what a parameter does; None if it has no other already.

    >>> neutral_of("gamma", 2.0), neutral_of("gamma", 0.0), neutral_of("gain", 2.0)
    (0.0, None, None)
    """
    role = role_of(parameter, default)
    neutral = NEUTRAL.get(role.name if role else parameter.lower().strip("_"))
    is_number = isinstance(default, int | float) and not isinstance(default, bool)
    return neutral if is_number and default != neutral else None


def linear_role_of(parameter: str, names: Collection[str], default: Any = None) -> Role | None:
    """Return what a parameter of a linear loss is by its name; None if the name is not known.

    Args:
        parameter: its name.
        names: those of all parameters, in lower case: `weight` is the linear weight unless another
            one is.
        default: its default; None if it has none.

    >>> linear_role_of("weight", {"hidden", "weight", "target"})
    Role(name='linear_weight', is_firm=True)
    >>> linear_role_of("weight", {"input", "linear_weight", "weight"})
    Role(name='weight', is_firm=True)
    """
    name = parameter.lower().strip("_")
    if name in _EITHER_WEIGHT:
        is_other = bool(set(LINEAR["linear_weight"]) & set(names))
        return Role("weight" if is_other else "linear_weight")
    if name in _CLASS_WEIGHTS:
        return Role("weight")
    for role, known in LINEAR.items():
        if name in known:
            return Role(role, is_firm=len(name) > 1)
    return role_of(parameter, default)


def is_switch(parameter: str, default: Any) -> bool:
    """Return whether a parameter switches something on that has its number elsewhere.

    >>> is_switch("label_smooth", True), is_switch("label_smooth", 0.1), is_switch("average", True)
    (True, False, False)
    """
    return isinstance(default, bool) and parameter.lower().strip("_") not in FLAGS


def role_of(parameter: str, default: Any = None) -> Role | None:
    """Return what a parameter is by its name; None if the name is not known.

    Args:
        parameter: its name.
        default: its default; None if it has none.

    >>> role_of("y_true"), role_of("eps", 1e-7), role_of("gamma")
    (Role(name='target', is_firm=True), None, None)
    """
    name = parameter.lower().strip("_")
    if is_switch(name, default):
        return Role("from_logits") if name in LOGITS_FLAGS else None
    for table, is_firm in ((FIRM, True), (OPTIONS, True), (LOOSE, False)):
        for role, names in table.items():
            # A bias belongs to a linear loss; elsewhere `b` holds labels.
            if name in names and role != "linear_bias":
                return Role(role, is_firm)
    if name in EPSILON and isinstance(default, int | float):
        is_smoothing = default == 0 or default > LEAST_SMOOTHING
        return Role("label_smoothing") if is_smoothing else None
    return Role("from_logits") if name in LOGITS_FLAGS else None
