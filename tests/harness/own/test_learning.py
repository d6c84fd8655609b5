"""A user's function is taken for what it is, whatever its parameters are called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import load_backend
from lossdiff.backends.base import Backend, Implementation
from lossdiff.backends.claim import Limits
from lossdiff.cases.model import Case
from lossdiff.harness.own import Candidate, Declaration, Failed, Left, Taken, learn
from lossdiff.harness.workers import evaluate

LOGITS = np.array([[1.0, 2.0, 4.0], [0.5, -1.0, 3.0]])
LABELS = np.array([2, 0])


@pytest.fixture(scope="module")
def numpy() -> Backend:
    return load_backend("numpy")


def taken(function: Callable[..., Any], operation: str, backend: Backend, **declared: Any) -> Taken:
    found = learn(Candidate("mine", function, operation, Declaration(**declared)), backend)
    assert isinstance(found, Taken), found
    return found


def log_softmax(x: Any) -> Any:
    shifted = x - x.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def losses(x: Any, t: Any) -> Any:
    return -np.take_along_axis(log_softmax(x), np.expand_dims(t, 1), 1)[:, 0]


def value(made: Implementation, **options: Any) -> Any:
    return made.function(LOGITS, LABELS, **options)


def test_a_loss_without_a_reduction_is_taken_for_the_one_that_it_makes(numpy: Backend) -> None:
    made = {
        reduction: taken(function, "cross_entropy", numpy)
        for reduction, function in (
            ("none", losses),
            ("mean", lambda x, t: losses(x, t).mean()),
            ("sum", lambda x, t: losses(x, t).sum()),
        )
    }

    for reduction, found in made.items():
        assert dict(found.implementation.claim.limits.fixed) == {"reduction": reduction}
    assert "it has no `reduction`: it returns a loss each" in made["none"].remarks


def test_where_its_own_default_is_an_error_a_number_is_passed(numpy: Backend) -> None:
    def cross_entropy(x: Any, t: Any, smooth_factor: float | None = None) -> Any:
        share = smooth_factor / x.shape[1]  # type: ignore[operator]
        smooth = -log_softmax(x).sum(1) * share
        return ((1 - share * x.shape[1]) * losses(x, t) + smooth).mean()

    found = taken(
        cross_entropy, "cross_entropy", numpy, rename=(("label_smoothing", "smooth_factor"),)
    )
    assert found.implementation.claim.options == {"label_smoothing"}
    assert any("smooth_factor=None raises TypeError" in it for it in found.remarks)


def test_an_error_of_its_own_default_hides_neither_axes_nor_what_it_takes(numpy: Backend) -> None:
    def loss(log_probs: Any, labels: Any, pad_id: Any = None) -> Any:
        if pad_id is None:
            raise ValueError("pad_id is None")
        rows, steps, _ = log_probs.shape
        picked = log_probs[np.arange(rows)[:, None], np.arange(steps), labels]
        return -(picked * (labels != pad_id)).sum() / (labels != pad_id).sum()

    found = taken(loss, "cross_entropy", numpy, targets=frozenset({"index"}))

    assert found.implementation.claim.operation == "nll_loss"
    assert found.implementation.claim.limits.ranks == {3}
    assert any("pad_id=None raises ValueError" in it for it in found.remarks)


def test_of_more_rows_the_sum_of_a_wrong_loss_grows_and_its_mean_does_not(numpy: Backend) -> None:
    wrong = [
        ("mean", lambda x, t: 4 * losses(x, t).mean()),  # the sum of the four rows of most cases
        ("mean", lambda x, t: (losses(x, t) + 2.0).mean()),
        ("sum", lambda x, t: (losses(x, t) - 1.9).sum()),
    ]

    for reduction, function in wrong:
        made = taken(function, "cross_entropy", numpy).implementation
        assert dict(made.claim.limits.fixed) == {"reduction": reduction}


def test_labels_first_are_labels(numpy: Backend) -> None:
    def by_name(y_true: Any, y_pred: Any) -> Any:
        return losses(y_pred, y_true)

    def by_trial(a: Any, b: Any) -> Any:
        return losses(b, a)

    for function in (by_name, by_trial):
        made = taken(function, "cross_entropy", numpy).implementation
        assert np.allclose(value(made), losses(LOGITS, LABELS))


def test_of_two_loose_names_for_labels_the_second_holds_them(numpy: Backend) -> None:
    def cross_entropy_error(y: Any, t: Any) -> Any:
        return -np.log(y[np.arange(len(t)), t] + 1e-7).sum() / len(t)

    made = taken(cross_entropy_error, "cross_entropy", numpy)

    assert made.implementation.operation == "cross_entropy_probs"
    assert "it takes probabilities" in made.remarks
    assert made.implementation.claim.limits.ranks == {2}


def test_a_loss_and_its_gradient_are_value_and_gradient(numpy: Backend) -> None:
    def softmax_loss(x: Any, y: Any) -> Any:
        p = np.exp(log_softmax(x))
        p[np.arange(len(y)), y] -= 1
        return losses(x, y).mean(), p / len(y)

    found = taken(softmax_loss, "cross_entropy", numpy)

    assert "it returns the value and its gradient" in found.remarks
    assert np.allclose(value(found.implementation), losses(LOGITS, LABELS).mean())
    assert found.implementation.vjp is not None
    (gradient,) = found.implementation.vjp(np.float64(2), LOGITS, LABELS)
    assert np.allclose(gradient, 2 * softmax_loss(LOGITS, LABELS)[1])


def test_a_loss_and_its_probabilities_are_a_value_and_more(numpy: Backend) -> None:
    def softmax_loss(x: Any, y: Any) -> Any:
        return losses(x, y).mean(), np.exp(log_softmax(x))

    found = taken(softmax_loss, "cross_entropy", numpy)

    assert "of the tuple that it returns, the first is taken" in found.remarks


@pytest.mark.parametrize("key", ["loss", "of the batch"])
def test_the_value_of_a_dictionary_is_found(key: str, numpy: Backend) -> None:
    def loss(x: Any, y: Any) -> Any:
        more = {"probs": np.exp(log_softmax(x))} if key == "loss" else {}
        return {**more, key: losses(x, y).mean()}

    found = taken(loss, "cross_entropy", numpy)

    assert f"of the dictionary that it returns, {key!r} is taken" in found.remarks
    assert np.allclose(value(found.implementation), losses(LOGITS, LABELS).mean())


def test_an_object_that_is_called_may_have_a_gradient_for_a_cotangent_of_1(numpy: Backend) -> None:
    class Loss:
        def __call__(self, x: Any, t: Any) -> Any:
            self.p, self.t = np.exp(log_softmax(x)), t
            return losses(x, t).mean()

        def backward(self) -> Any:
            gradient = self.p.copy()
            gradient[np.arange(len(self.t)), self.t] -= 1
            return gradient / len(self.t)

    made = taken(Loss, "cross_entropy", numpy).implementation

    assert made.vjp is not None
    once, twice = (made.vjp(np.float64(it), LOGITS, LABELS)[0] for it in (1, 2))
    assert np.allclose(once.sum(1), 0)
    assert np.array_equal(twice, 2 * once)


def test_a_class_with_forward_and_backward_is_value_and_gradient(numpy: Backend) -> None:
    class Layer:
        def forward(self, x: Any, t: Any) -> Any:
            self.p, self.t = np.exp(log_softmax(x)), t
            return losses(x, t).mean()

        def backward(self, dout: Any = 1) -> Any:
            gradient = self.p.copy()
            gradient[np.arange(len(self.t)), self.t] -= 1
            return gradient * dout / len(self.t)

    made = taken(Layer, "cross_entropy", numpy).implementation

    assert made.vjp is not None
    (gradient,) = made.vjp(np.float64(1), LOGITS, LABELS)
    assert gradient.shape == LOGITS.shape
    assert np.allclose(gradient.sum(1), 0)


def test_a_layer_that_keeps_what_it_makes_need_not_return_it(numpy: Backend) -> None:
    class Softmax:
        def forward(self, inputs: Any) -> None:
            self.output = np.exp(log_softmax(inputs))

        def backward(self, dvalues: Any) -> None:
            inner = (self.output * dvalues).sum(1, keepdims=True)
            self.dinputs = self.output * (dvalues - inner)

    made = taken(Softmax, "softmax", numpy).implementation

    assert np.allclose(made.function(LOGITS).sum(1), 1)
    assert made.vjp is not None
    (gradient,) = made.vjp(np.ones_like(LOGITS), LOGITS)
    assert np.allclose(gradient, 0)


def test_a_backward_that_needs_more_than_what_comes_in_is_not_judged(numpy: Backend) -> None:
    class Loss:
        def forward(self, y_pred: Any, y_true: Any) -> Any:
            return -np.log((y_pred * y_true).sum(1))

        def backward(self, dvalues: Any, y_true: Any) -> None:
            self.dinputs = -y_true / dvalues / len(dvalues)

    found = taken(Loss, "cross_entropy_probs", numpy)

    assert found.implementation.vjp is None
    assert "its backward needs dvalues and y_true: only its value is judged" in found.remarks


def test_options_are_known_by_their_other_names(numpy: Backend) -> None:
    def loss(scores: Any, labels: Any, class_weights: Any = None, smooth: float = 0.0) -> Any:
        del class_weights, smooth
        return losses(scores, labels)

    def softmax(x: Any, dim: int = 0) -> Any:
        e = np.exp(x - x.max(dim, keepdims=True))
        return e / e.sum(dim, keepdims=True)

    assert taken(loss, "cross_entropy", numpy).implementation.options == {
        "weight",
        "label_smoothing",
    }
    found = taken(softmax, "softmax", numpy)
    assert found.implementation.options == {"axis"}
    assert found.remarks == ("its own default dim=0 does not count: options are passed",)
    assert np.allclose(found.implementation.function(LOGITS).sum(1), 1)


def test_a_switch_is_no_number_and_leaves_the_number_to_its_neighbour(numpy: Backend) -> None:
    class Smooth:
        def __init__(self, eps: float = 0.1, *, label_smooth: bool = True) -> None:
            self.share = eps if label_smooth else 0.0

        def __call__(self, inputs: Any, targets: Any) -> Any:
            smooth = -log_softmax(inputs).mean(1)
            return ((1 - self.share) * losses(inputs, targets) + self.share * smooth).mean()

    found = taken(Smooth, "cross_entropy", numpy)

    assert dict(found.implementation.calling.options) == {"label_smoothing": "eps"}
    assert "left alone: label_smooth=True" in found.remarks


def test_a_small_epsilon_is_no_smoothing(numpy: Backend) -> None:
    def loss(x: Any, t: Any, eps: float = 1e-12) -> Any:
        return losses(x, t) + eps

    found = taken(loss, "cross_entropy", numpy)

    assert found.implementation.options == frozenset()
    assert found.implementation.claim.limits.clip == 1e-12
    assert "eps=1e-12 is taken for the ε that it clips probabilities to" in found.remarks


def test_a_loss_that_is_wrong_is_taken_for_what_its_mistake_fits(numpy: Backend) -> None:
    """Nothing is near `-log10(p)`, but of probabilities it is 1/ln 10 times what is due."""

    def loss(y_hat: Any, y: Any) -> Any:
        return -np.log10(np.take_along_axis(y_hat, np.expand_dims(y, 1), 1))[:, 0]

    found = taken(loss, "cross_entropy", numpy)

    assert found.implementation.operation == "cross_entropy_probs"
    assert "it takes probabilities" in found.remarks


def test_a_binary_loss_that_is_divided_by_the_batch_is_taken_for_a_mean(numpy: Backend) -> None:
    def loss(p: Any, z: Any) -> Any:
        return -(z * np.log(p) + (1 - z) * np.log(1 - p)).sum() / len(z)

    found = taken(loss, "binary_cross_entropy", numpy)

    assert dict(found.implementation.claim.limits.fixed) == {"reduction": "mean"}


def test_a_keyword_that_is_bound_is_the_one_value_of_its_option(numpy: Backend) -> None:
    def loss(x: Any, t: Any, reduction: str = "mean") -> Any:
        each = losses(x, t)
        return {"none": each, "mean": each.mean(), "sum": each.sum()}[reduction]

    found = taken(functools.partial(loss, reduction="sum"), "cross_entropy", numpy)

    assert dict(found.implementation.claim.limits.fixed) == {"reduction": "sum"}
    assert not found.implementation.options


def test_a_reduction_has_the_functions_own_spelling(numpy: Backend) -> None:
    def loss(x: Any, t: Any, size_average: bool = True) -> Any:
        return losses(x, t).mean() if size_average else losses(x, t).sum()

    made = taken(loss, "cross_entropy", numpy).implementation

    assert np.allclose(value(made), losses(LOGITS, LABELS).mean())
    assert np.allclose(value(made, reduction="sum"), losses(LOGITS, LABELS).sum())


def test_a_reduction_that_it_refuses_is_not_claimed(numpy: Backend) -> None:
    def loss(x: Any, t: Any, reduction: str = "mean") -> Any:
        each = losses(x, t)
        return {"mean": each.mean(), "sum": each.sum()}[reduction]

    found = taken(loss, "cross_entropy", numpy)

    assert found.implementation.claim.limits.lacks == (("reduction", "none"),)
    assert any("it has no reduction 'none': KeyError" in it for it in found.remarks)


def test_keywords_that_are_passed_on_are_options_and_others_are_not(numpy: Backend) -> None:
    def passes_on(*args: Any, **kwargs: Any) -> Any:
        def inner(x: Any, t: Any, label_smoothing: float = 0.0) -> Any:
            del label_smoothing
            return losses(x, t)

        return inner(*args, **kwargs)

    def swallows(x: Any, t: Any, **kwargs: Any) -> Any:
        del kwargs
        return losses(x, t)

    assert taken(passes_on, "cross_entropy", numpy).implementation.options == {"label_smoothing"}
    found = taken(swallows, "cross_entropy", numpy)
    assert found.implementation.options == frozenset()
    assert "any keyword that it takes besides is left alone" in found.remarks


def test_the_kinds_of_target_are_found_out(numpy: Backend) -> None:
    def one_hot(x: Any, labels: Any) -> Any:
        return -(labels * log_softmax(x)).sum(1)

    def of_index(x: Any, labels: Any, weight: Any = None) -> Any:
        return losses(x, labels) if weight is None else losses(x, labels) * weight[labels]

    assert taken(one_hot, "cross_entropy", numpy).implementation.targets == {"one_hot", "soft"}
    assert taken(of_index, "cross_entropy", numpy).implementation.targets == {"index"}


def test_what_it_refuses_is_said_once_and_not_asked(numpy: Backend) -> None:
    def loss(x: Any, t: Any) -> Any:
        if x.dtype == np.float16:
            raise TypeError("not implemented for 'Half'")
        return losses(x, t)

    found = taken(loss, "cross_entropy", numpy)

    assert found.implementation.claim.limits.dtypes == {"float32", "float64"}
    assert "it does not take float16: TypeError: not implemented for 'Half'" in found.remarks


def test_a_function_that_is_float32_on_purpose_is_not_asked_float64(numpy: Backend) -> None:
    found = taken(lambda x, t: losses(x.astype(np.float32), t), "cross_entropy", numpy)

    assert found.implementation.claim.limits.dtypes == {"float16", "float32"}


def test_classes_on_the_last_axis_are_found_out(numpy: Backend) -> None:
    def loss(logits: Any, labels: Any) -> Any:
        shifted = logits - logits.max(-1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        return -np.take_along_axis(logs, labels[..., None], -1)[..., 0]

    found = taken(loss, "cross_entropy", numpy)

    assert found.implementation.calling is not None
    assert found.implementation.calling.layout == "classes_last"
    images, labels = np.zeros((2, 3, 5)), np.zeros((2, 5), int)
    assert found.implementation.function(images, labels).shape == (2, 5)


def test_a_function_that_ignores_a_class_by_default_need_not_ignore_other_labels(
    numpy: Backend,
) -> None:
    def loss(x: Any, t: Any, pad_id: int = 0) -> Any:
        if (t < 0).any():
            raise IndexError("no such class")
        return losses(x, t)[t != pad_id].mean()

    def by_default(x: Any, t: Any, ignore_index: int = -100) -> Any:
        return loss(x, t, ignore_index)

    found = taken(loss, "cross_entropy", numpy)
    lacks = found.implementation.claim.limits.lacks
    assert lacks == (("ignore_index", -100), ("ignore_index", -1))
    assert "it cannot ignore the label -100 and -1: IndexError: no such class" in found.remarks
    own = taken(by_default, "cross_entropy", numpy).implementation.claim.limits
    assert own.lacks == ()


def test_its_own_default_says_whether_it_takes_logits(numpy: Backend) -> None:
    def sparse_categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = True) -> Any:
        return losses(y_pred if from_logits else np.log(y_pred), y_true)

    found = taken(sparse_categorical_crossentropy, "cross_entropy_probs", numpy)

    assert found.implementation.operation == "cross_entropy"
    assert "it takes logits" in found.remarks


def test_what_no_operation_has_is_taken_away_and_said(numpy: Backend) -> None:
    def loss(x: Any, t: Any, gamma: float = 2.0) -> Any:
        each = losses(x, t)
        return ((1 - np.exp(-each)) ** gamma * each).mean()

    found = taken(loss, "cross_entropy", numpy)

    assert "gamma=0 is passed, not its own 2.0: cross_entropy has no such option" in found.remarks
    assert np.allclose(value(found.implementation), losses(LOGITS, LABELS).mean())


def test_an_object_that_is_made_with_what_no_operation_has_is_left(numpy: Backend) -> None:
    def bce(p: Any, z: Any, temperature: float = 1.0) -> Any:
        return -np.mean(z * np.log(p) + (1 - z) * np.log(1 - p)) / temperature

    warm = functools.partial(bce, temperature=2.0)
    found = learn(Candidate("mine.bce", warm, "binary_cross_entropy", Declaration()), numpy)

    assert isinstance(found, Left)
    assert "temperature=2.0, and binary_cross_entropy has no such option" in found.reason


def test_the_smoothing_of_a_binary_loss_is_an_option(numpy: Backend) -> None:
    def bce(p: Any, z: Any, smoothing: float = 0.1) -> Any:
        z = z * (1 - smoothing) + smoothing / 2
        return -np.mean(z * np.log(p) + (1 - z) * np.log(1 - p))

    found = taken(bce, "binary_cross_entropy", numpy)
    assert found.implementation.claim.options == {"label_smoothing"}

    fixed = taken(functools.partial(bce, smoothing=0.2), "binary_cross_entropy", numpy)
    assert ("label_smoothing", 0.2) in fixed.implementation.claim.limits.fixed


def test_an_object_with_weights_of_its_own_is_left(numpy: Backend) -> None:
    class Loss:
        pos_weight = np.array([2.0])

        def __call__(self, x: Any, t: Any) -> Any:
            return losses(x, t) * self.pos_weight

    found = learn(Candidate("mine.loss", Loss(), "cross_entropy", Declaration()), numpy)

    assert found == Left(
        "mine.loss", "it is made with a pos_weight of its own, which no question has"
    )


def test_the_number_of_classes_is_passed_to_what_asks_for_it(numpy: Backend) -> None:
    class Loss:
        def __init__(self, num_classes: int, smoothing: float = 0.1) -> None:
            self.classes, self.smoothing = num_classes, smoothing

        def __call__(self, x: Any, t: Any) -> Any:
            z = np.eye(self.classes)[t] * (1 - self.smoothing) + self.smoothing / self.classes
            return -(z * log_softmax(x)).sum(1).mean()

    found = taken(Loss, "cross_entropy", numpy)

    assert found.implementation.claim.options == {"label_smoothing"}
    for classes in (3, 5):
        given = np.arange(2.0 * classes).reshape(2, classes)
        due = losses(given, np.array([0, 1])).mean()
        assert np.allclose(found.implementation.function(given, np.array([0, 1])), due)


def test_arrays_that_come_first_are_passed_by_position(numpy: Backend) -> None:
    calls = []

    def loss(labels: Any, logits: Any, **options: Any) -> Any:
        return losses(logits, labels).mean()

    def recorded(*args: Any, **kwargs: Any) -> Any:
        calls.append((len(args), set(kwargs)))
        return loss(*args, **kwargs)

    functools.update_wrapper(recorded, loss)
    taken(recorded, "cross_entropy", numpy)

    assert {it for it, _ in calls} == {2}


def test_hard_labels_are_found_out(numpy: Backend) -> None:
    def loss(p: Any, y: Any) -> Any:
        return -np.log(np.where(y == 1, p, 1 - p))

    found = taken(loss, "binary_cross_entropy", numpy)

    assert found.implementation.claim.limits.hard_labels


def test_a_number_of_python_is_a_number(numpy: Backend) -> None:
    def log_loss(y_true: Any, y_pred: Any) -> float:
        return float(-np.mean(y_true * np.log(y_pred) + (1 - y_true) * np.log(1 - y_pred)))

    made = taken(log_loss, "binary_cross_entropy", numpy).implementation

    assert dict(made.claim.limits.fixed) == {"reduction": "mean"}


def test_a_number_of_python_has_no_dtype_of_its_own(numpy: Backend) -> None:
    def loss(x: Any, t: Any) -> float:
        return float(losses(x, t).mean())

    def by_rows(x: Any, t: Any) -> Any:
        return losses(x, t).sum() / np.int64(len(t))

    for function in (loss, by_rows):
        numpy.extra.append(made := taken(function, "cross_entropy", numpy).implementation)
        case = Case.parse("cross_entropy/index.random/float32/4x10/normal/-/0")
        answer = evaluate(numpy, made.claim.name, "eager", case).answers["value"]
        numpy.extra.remove(made)

        assert isinstance(answer, np.ndarray)
        assert answer.dtype == np.float32


def test_what_is_declared_is_not_looked_for(numpy: Backend) -> None:
    limits = Limits(fixed=(("reduction", "none"),), dtypes=frozenset({"float64"}))

    made = taken(losses, "cross_entropy", numpy, targets=frozenset({"index"}), limits=limits)

    assert made.implementation.claim.limits.dtypes == {"float64"}
    assert made.implementation.targets == {"index"}


def test_a_parameter_that_nothing_is_known_of_is_named(numpy: Backend) -> None:
    left = learn(
        Candidate("mine", lambda x, t, gamma: losses(x, t) * gamma, "cross_entropy", Declaration()),
        numpy,
    )

    assert isinstance(left, Left)
    assert "it needs 'gamma'" in left.reason


def test_a_function_that_answers_nothing_shows_its_own_traceback(numpy: Backend) -> None:
    def typo(x: Any, t: Any) -> Any:
        return np.sofmax(x, t)  # type: ignore[attr-defined]

    failed = learn(Candidate("mine", typo, "cross_entropy", Declaration()), numpy)

    assert isinstance(failed, Failed)
    lines = failed.traceback.splitlines()
    assert "in typo" in lines[1]
    assert lines[-1].startswith("AttributeError")


def test_a_wrong_function_is_taken_and_left_to_the_judge(numpy: Backend) -> None:
    def ten_times(x: Any, t: Any, reduction: str = "mean") -> Any:
        each = 10 * losses(x, t)
        return {"none": each, "mean": each.mean(), "sum": each.sum()}[reduction]

    made = taken(ten_times, "cross_entropy", numpy).implementation

    assert made.claim.limits.lacks == ()
    assert made.options == {"reduction"}


@pytest.mark.framework("torch")
def test_an_instance_has_the_options_that_it_was_made_with() -> None:
    from torch import nn

    backend = load_backend("torch")
    made = taken(nn.CrossEntropyLoss(label_smoothing=0.1), "cross_entropy", backend)
    built = taken(nn.CrossEntropyLoss, "cross_entropy", backend)

    assert dict(made.implementation.claim.limits.fixed) == {
        "reduction": "mean",
        "ignore_index": -100,
        "label_smoothing": 0.1,
    }
    assert built.implementation.options >= {"weight", "label_smoothing", "reduction"}


@pytest.mark.framework("jax")
def test_a_function_that_cannot_be_compiled_is_learnt_eagerly() -> None:
    import jax.numpy as jnp

    def softmax(x: Any) -> Any:
        e = jnp.exp(x - float(x.max()))  # a number is not known while a compiler traces
        return e / e.sum(-1, keepdims=True)

    assert taken(softmax, "softmax", load_backend("jax")).implementation.operation == "softmax"


def test_weights_are_passed_beside_options_with_a_spelling(numpy: Backend) -> None:
    def loss(x: Any, t: Any, weight: Any = None, reduction: str = "mean") -> Any:
        each = losses(x, t) * (1 if weight is None else weight[t])
        return {"none": each, "mean": each.mean(), "sum": each.sum()}[reduction]

    made = taken(loss, "cross_entropy", numpy).implementation

    weight = np.array([1.0, 2.0, 3.0])
    got = value(made, weight=weight, reduction="sum")
    assert np.allclose(got, (losses(LOGITS, LABELS) * weight[LABELS]).sum())


def test_a_gradient_by_hand_has_the_functions_own_names(numpy: Backend) -> None:
    def softmax(x: Any, dim: int = 0) -> Any:
        e = np.exp(x - x.max(dim, keepdims=True))
        return e / e.sum(dim, keepdims=True)

    def softmax_vjp(cotangent: Any, x: Any, dim: int = 0) -> Any:
        p = softmax(x, dim)
        return (p * (cotangent - (p * cotangent).sum(dim, keepdims=True)),)

    found = learn(Candidate("mine", softmax, "softmax", Declaration(), vjp=softmax_vjp), numpy)

    assert isinstance(found, Taken)
    assert found.implementation.vjp is not None
    (gradient,) = found.implementation.vjp(LOGITS, LOGITS)
    assert np.allclose(gradient, softmax_vjp(LOGITS, LOGITS, 1)[0])


def test_a_flag_for_the_mean_has_no_third_value(numpy: Backend) -> None:
    def loss(x: Any, t: Any, size_average: bool = True) -> Any:
        return losses(x, t).mean() if size_average else losses(x, t).sum()

    assert taken(loss, "cross_entropy", numpy).implementation.claim.limits.lacks == (
        ("reduction", "none"),
    )


def test_nothing_is_passed_as_the_function_itself_says_it(numpy: Backend) -> None:
    def loss(x: Any, t: Any, smooth: float | None = None) -> Any:
        if smooth is None:
            return losses(x, t)
        return (1 - smooth) * losses(x, t) - smooth * log_softmax(x).mean(1) + 1e9 * (smooth == 0)

    made = taken(loss, "cross_entropy", numpy).implementation

    assert np.allclose(value(made), losses(LOGITS, LABELS))


def capped_loss(
    logits: Any,
    labels: Any,
    temperature: float = 1.0,
    softcap: float = 0.0,
    lse_square_scale: float = 0.0,
    num_items_in_batch: float | None = None,
) -> Any:
    z = logits / temperature
    if softcap > 0:
        z = softcap * np.tanh(z / softcap)
    lse = (z - log_softmax(z))[:, 0]
    rows = losses(z, labels) + lse_square_scale * lse**2
    return rows.sum() / (num_items_in_batch or len(rows))


def test_options_of_language_models_are_known_by_their_other_names(numpy: Backend) -> None:
    made = taken(capped_loss, "cross_entropy", numpy).implementation

    assert made.options == {"logit_scale", "logit_softcap", "z_loss", "denominator"}
    scaled = value(made, logit_scale=0.25, logit_softcap=3.0, z_loss=0.5, denominator=7.0)
    assert scaled == capped_loss(LOGITS, LABELS, 4.0, 3.0, 0.5, 7.0)
    assert value(made) == capped_loss(LOGITS, LABELS)


def test_a_cap_and_a_count_without_which_a_function_is_not_called_are_always_given(
    numpy: Backend,
) -> None:
    def counted(logits: Any, labels: Any, num_items_in_batch: float) -> Any:
        return losses(logits, labels).sum() / num_items_in_batch

    def capped(logits: Any, labels: Any, softcap: float = 30.0) -> Any:
        return losses(softcap * np.tanh(logits / softcap), labels).mean()

    for function, option in ((counted, "denominator"), (capped, "logit_softcap")):
        limits = taken(function, "cross_entropy", numpy).implementation.claim.limits
        assert limits.required == {option}


def test_an_object_has_the_temperature_that_it_was_made_with(numpy: Backend) -> None:
    class Scaled:
        def __init__(self, temperature: float, softcap: float = 0.0) -> None:
            self.temperature, self.softcap = temperature, softcap

        def __call__(self, logits: Any, labels: Any) -> Any:
            return losses(logits / self.temperature, labels).mean()

    limits = taken(Scaled(4.0), "cross_entropy", numpy).implementation.claim.limits

    assert dict(limits.fixed) == {"logit_scale": 0.25, "reduction": "mean"}


def test_an_option_that_is_not_implemented_is_not_claimed(numpy: Backend) -> None:
    def loss(logits: Any, labels: Any, weight: Any = None, softcap: float = 0.0) -> Any:
        if weight is not None or softcap:
            raise NotImplementedError("not yet")
        return losses(logits, labels).mean()

    found = taken(loss, "cross_entropy", numpy)

    assert found.implementation.options == set()
    assert "it has no softcap: NotImplementedError: not yet" in found.remarks
    assert value(found.implementation) == loss(LOGITS, LABELS)


def test_a_compiled_function_says_its_parameters_in_its_schema(numpy: Backend) -> None:
    class Argument:
        def __init__(self, name: str, default_value: Any = None) -> None:
            self.name, self.default_value = name, default_value

        def has_default_value(self) -> bool:
            return self.default_value is not None

    class Compiled:
        __signature__ = 0  # none
        schema = type("Schema", (), {"arguments": [
            Argument("logits"), Argument("target"), Argument("ignore_index", -100),
        ]})()  # fmt: skip

        def __call__(self, *given: Any, **options: Any) -> Any:
            each = losses(*given) * (given[1] != options["ignore_index"])
            return each.sum() / (given[1] != options["ignore_index"]).sum()

    found = taken(Compiled(), "cross_entropy", numpy)

    assert found.implementation.options == {"ignore_index"}


def test_beside_the_weights_of_classes_a_weight_is_that_of_rows(numpy: Backend) -> None:
    def loss(pred: Any, label: Any, weight: Any = None, class_weight: Any = None) -> Any:
        each = losses(pred, label) * (1 if class_weight is None else class_weight[label])
        return each if weight is None else each * weight

    found = taken(loss, "cross_entropy", numpy)

    assert dict(found.implementation.calling.options) == {"weight": "class_weight"}
    assert "left alone: weight=None" in found.remarks


def test_weights_that_are_one_for_each_row_are_left_alone(numpy: Backend) -> None:
    def loss(logits: Any, labels: Any, weights: Any = None) -> Any:
        weights = 1.0 if weights is None else weights
        return (losses(logits, labels) * weights).mean()

    def of_classes(logits: Any, labels: Any, class_weights: Any = None) -> Any:
        return loss(logits, labels, class_weights)

    found = taken(loss, "cross_entropy", numpy)
    accused = taken(of_classes, "cross_entropy", numpy)

    assert not found.implementation.claim.options
    assert "left alone: weights, which has a weight for each row, and not each class" in (
        found.remarks
    )
    assert accused.implementation.claim.options == {"weight"}


def test_a_loss_that_shifts_its_labels_is_given_one_row_more(numpy: Backend) -> None:
    """As `for token t predict t + 1`: the last scores and the first label are not used."""

    def lm_loss(logits: Any, targets: Any, ignore_index: int = -100) -> Any:
        kept = targets[1:] != ignore_index
        each = losses(logits[:-1], np.where(kept, targets[1:], 0))
        return np.where(kept, each, 0).sum() / kept.sum()

    found = taken(lm_loss, "cross_entropy", numpy)

    assert value(found.implementation) == pytest.approx(losses(LOGITS, LABELS).mean())
    assert found.implementation.options == {"ignore_index"}
    said = "it compares each row of scores with the label of the next one"
    assert said in found.remarks


def test_a_loss_of_ten_classes_is_asked_about_ten(numpy: Backend) -> None:
    def loss(logits: Any, labels: Any) -> Any:
        return -(np.eye(10)[labels] * log_softmax(logits)).sum(1).mean()

    found = taken(loss, "cross_entropy", numpy)

    assert found.implementation.claim.limits.classes == 10
    assert any(it.startswith("it takes 10 classes only: ValueError") for it in found.remarks)
