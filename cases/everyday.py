"""Everyday cases: the plainest inputs, calls with one option, and edges: one thing is unusual.

The report shows these one by one, where a covering array would mix them with other difficulties.
"""

from __future__ import annotations

from typing import Any

from .model import Case
from .operations import COVERED, Options

EVERYDAY_VALUES = {
    "logits": "normal", "probs": "probs", "log_probs": "log_probs", "hidden": "normal",
}  # fmt: skip
EVERYDAY_TARGETS = {
    "index": "random",
    "one_hot": "random",
    "soft": "soft",
    "multi_label": "binary",
    "real": "numbers",
}
_USUAL_OPTIONS = {
    "weight": "positive",
    "pos_weight": "positive",
    "ignore_index": -1,
    "label_smoothing": 0.1,
}
# What the report's table of edge cases asks of every function, and how it says so: one thing is
# unusual, the rest is as in every training script.
EDGES = {
    "cross_entropy/index.all_ignored/float32/4x10/normal/-/0": "every row is ignored",
    "cross_entropy/index.random/float32/0x3/normal/-/0": "an empty batch",
    "cross_entropy/index.negative/float32/4x10/normal/-/0": "a label −1",
    "cross_entropy/index.too_large/float32/4x10/normal/-/0": "a label C, one beyond the last",
    "cross_entropy/index.random/float32/4x10/neg_inf/-/0": "a class is masked with −inf",
    "cross_entropy/one_hot.random/float32/4x10/neg_inf/-/0": "a class is masked with −inf",
    "cross_entropy/index.random/float32/4x10/all_neg_inf/-/0": "all classes are masked with −inf",
    "softmax/float32/4x10/all_neg_inf/-/0": "all classes are masked with −inf",
    "cross_entropy/index.some_ignored/float32/4x10/nan_where_ignored/-/0": "an ignored row is NaN",
    "cross_entropy/soft.unnormalised/float32/4x10/normal/-/0": "a target does not sum to 1",
}


def with_options() -> list[Case]:
    """Return everyday losses with each usual option alone, and with all together.

    Who ports a call from one framework to another needs an answer without other difficulties.
    """
    cases = []
    for operation in COVERED:
        for kind in operation.targets:
            values: dict[str, Any] = {
                name: value
                for name, value in _USUAL_OPTIONS.items()
                if name in operation.options and (name != "ignore_index" or kind == "index")
            }
            for names in dict.fromkeys([*((name,) for name in values), tuple(values)]):
                ignores = "ignore_index" in names
                cases.append(
                    Case(
                        operation.name,
                        EVERYDAY_VALUES[operation.domain],
                        (4, 10),
                        "float32",
                        kind,
                        "some_ignored" if ignores else EVERYDAY_TARGETS[kind],
                        Options(**{name: values[name] for name in names}),
                    )
                )
    return cases
