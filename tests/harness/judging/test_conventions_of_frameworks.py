"""Each convention with somebody who follows it: the judge says its name.

Where no framework's own function follows a convention, a user's does.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from lossdiff.backends.base import Backend
from lossdiff.cases.model import Case
from lossdiff.harness.judging import judge, solved_case
from lossdiff.harness.judging.conventions import MEANINGS
from lossdiff.harness.workers.evaluate import evaluate
from lossdiff.harness.workers.messages import Setup
from lossdiff.harness.workers.process import load

USERS = Path(__file__).parents[2] / "users"
KERAS, V1, TORCH = "keras.losses", "tf.compat.v1.losses", "torch.nn.functional"
OPTAX = "optax.losses.softmax_cross_entropy_with_integer_labels"

# Convention, framework, implementation, case, quantity.
FOLLOWED = (
    ("mean_over_rows", "tensorflow", f"{KERAS}.SparseCategoricalCrossentropy",
     "cross_entropy/index.random/float32/4x10/normal/weight=with_zeros/0", "value"),
    ("mean_over_nonzero_weights", "tensorflow", f"{V1}.sparse_softmax_cross_entropy",
     "cross_entropy/index.random/float32/4x10/normal/weight=with_zeros/0", "value"),
    ("mean_over_nonzero_weights", "tensorflow", f"{V1}.sigmoid_cross_entropy",
     "binary_cross_entropy_with_logits/multi_label.binary/float32/4x10/normal/weight=with_zeros/0",
     "gradient_logits"),
    ("mean_over_weights", "tensorflow", "keras_users.cross_entropy",
     "cross_entropy/one_hot.random/float32/4x10/normal/weight=positive/0", "value"),
    ("weights_scale_rows", "tensorflow", f"{KERAS}.CategoricalCrossentropy(sample_weight)",
     "cross_entropy/one_hot.random/float32/4x10/normal/weight=positive,label_smoothing=0.1/0",
     "value"),
    ("weights_scale_rows", "tensorflow", f"{KERAS}.CategoricalCrossentropy(sample_weight)",
     "cross_entropy/one_hot.random/float32/4x10/ties/weight=positive,label_smoothing=0.1/0",
     "gradient_logits"),
    ("nothing_counts_as_zero", "tensorflow",
     f"{KERAS}.SparseCategoricalCrossentropy(ignore_class)",
     "cross_entropy/index.all_ignored/float32/4x10/normal/-/0", "value"),
    ("nothing_counts_as_zero", "torch", f"{TORCH}.cross_entropy",
     "cross_entropy/index.all_ignored/float32/4x10/normal/-/0", "gradient_logits"),
    ("bad_index_as_zeros", "jax", "jax.recipes.cross_entropy_by_one_hot",
     "cross_entropy/index.too_large/float32/4x10/normal/-/0", "value"),
    ("bad_index_wraps", "jax", OPTAX,
     "cross_entropy/index.negative/float32/4x10/normal/-/0", "value"),
    ("bad_index_clamped", "numpy", "numpy_users.nll_loss_of_nearest_class",
     "nll_loss/index.too_large/float32/4x10/log_probs/-/0", "value"),
    ("bad_index_is_nan", "jax", OPTAX,
     "cross_entropy/index.too_large/float32/4x10/normal/-/0", "value"),
    ("clip_1e-7", "tensorflow", f"{KERAS}.BinaryCrossentropy(from_logits=False)",
     "binary_cross_entropy/multi_label.binary/float32/4x10/probs_edge/-/0", "value"),
    ("renormalised", "tensorflow", f"{KERAS}.CategoricalCrossentropy(from_logits=False)",
     "cross_entropy_probs/one_hot.random/float32/4x10/probs/-/0", "gradient_logits"),
    ("renormalised_clip_1e-7", "tensorflow", f"{KERAS}.CategoricalCrossentropy(from_logits=False)",
     "cross_entropy_probs/one_hot.random/float32/4x10/probs_edge/-/0", "value"),
    ("clip_1e-7_renormalised", "tensorflow",
     f"{KERAS}.SparseCategoricalCrossentropy(from_logits=False)",
     "cross_entropy_probs/index.random/float32/4x10/probs_edge/-/0", "value"),
    ("log_floor_-100", "torch", f"{TORCH}.binary_cross_entropy",
     "binary_cross_entropy/multi_label.binary/float32/4x10/probs_zero_one/-/0", "value"),
    ("promoted", "torch", f"{TORCH}.cross_entropy",
     "cross_entropy/soft.soft:float64/float32/4x10/normal/-/0", "value"),
    ("promoted", "jax", "jax.recipes.cross_entropy_soft",
     "cross_entropy/soft.soft:float64/float32/4x10/normal/-/0", "value"),
    ("undefined_error", "numpy", "numpy.recipes.softmax",
     "softmax/float32/2x0/normal/-/0", "value"),
    ("dtype_of_logits", "numpy", "numpy_users.cross_entropy_of_one_dtype",
     "cross_entropy/soft.soft:float64/float32/4x10/normal/-/0", "gradient_target"),
    ("dtypes_refused", "tensorflow", "tf.nn.sparse_softmax_cross_entropy_with_logits",
     "cross_entropy/index.random:int8/float32/4x10/normal/-/0", "value"),
    ("dtypes_refused", "torch", f"{TORCH}.cross_entropy",
     "cross_entropy/index.random/float32/4x10/normal/weight=positive:float64/0", "value"),
    ("undefined_nan", "torch", f"{TORCH}.cross_entropy",
     "cross_entropy/index.all_ignored/float32/4x10/normal/-/0", "value"),
    ("undefined_inf", "torch", "torch.logsumexp",
     "logsumexp/float32/4x10/all_neg_inf/-/0", "value"),
    ("undefined_zero", "numpy", "numpy_users.softmax_zero_where_masked",
     "softmax/float32/4x10/all_neg_inf/-/0", "value"),
    ("undefined_number", "numpy", "numpy_users.softmax_of_large_negatives",
     "softmax/float32/4x10/all_neg_inf/-/0", "value"),
)  # fmt: skip


@cache
def backend(framework: str) -> Backend:
    """Return a framework with its users' own functions."""
    places = {"numpy": "numpy_users.py", "tensorflow": "keras_users.py"}
    extra = [str(USERS / places[framework])] if framework in places else []
    return load(Setup(framework, extra=tuple(extra)))


@pytest.mark.parametrize(
    ("convention", "framework", "name", "case", "quantity"),
    [pytest.param(*row, marks=pytest.mark.framework(row[1])) for row in FOLLOWED],
    ids=[f"{convention}-{name}-{quantity}" for convention, _, name, _, quantity in FOLLOWED],
)
def test_who_follows_a_convention_is_said_to(
    convention: str, framework: str, name: str, case: str, quantity: str
) -> None:
    asked = Case.parse(case)
    assert backend(framework).implementations[name].unsupported(asked) == ""

    answer = evaluate(backend(framework), name, "eager", asked).answers[quantity]

    assert judge(solved_case(asked), quantity, answer).word == f"convention:{convention}"


def test_every_convention_has_somebody_who_follows_it() -> None:
    of_users = {
        "clip_declared",
        "computed_in_float32",
        "unchecked",
        "overflows_on_the_way",
        "clip_eps",
        "wide_types",
    }  # see `test_own_rules`
    assert {convention for convention, *_ in FOLLOWED} == set(MEANINGS) - of_users


def test_every_framework_follows_one() -> None:
    assert {framework for _, framework, *_ in FOLLOWED} == {"numpy", "torch", "jax", "tensorflow"}
