"""What a call does besides answering is found: it writes to its arguments, or spoils its graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lossdiff.cases.model import Case

from .asked import findings, plain, taken, words

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.framework("torch")

SOFTMAX = [plain("softmax"), plain("softmax", family="grid")]
LOSS = [plain("cross_entropy", "index"), plain("cross_entropy", "index", "grid")]


def softmax_of(backward: Any) -> Any:
    """Return a softmax whose backward pass is `backward(ctx, incoming gradient)`."""

    class Softmax(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            p = torch.softmax(x, -1)
            ctx.save_for_backward(p)
            return p.clone()

        @staticmethod
        def backward(ctx: Any, incoming: Any) -> Any:
            return backward(ctx, incoming)

    return lambda x, **_: Softmax.apply(x)


def loss_of(backward: Any) -> Any:
    """Return a mean cross-entropy, whose backward pass gets the gradient for a cotangent of 1."""

    class Loss(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any, target: Any) -> Any:
            p = torch.softmax(x, 1)
            p[torch.arange(len(x)), target] -= 1
            ctx.save_for_backward(p / len(x))
            return torch.nn.functional.cross_entropy(x, target)

        @staticmethod
        def backward(ctx: Any, incoming: Any) -> Any:
            return backward(ctx.saved_tensors[0], incoming), None

    return Loss.apply


def of_loss(function: Any, cases: list[Case]) -> set[tuple[str, str]]:
    return words(findings(taken("torch", "cross_entropy", function, ("index",)), cases))


def of_softmax(function: Any, cases: list[Case]) -> set[tuple[str, str]]:
    return words(findings(taken("torch", "softmax", function, (), ("axis",)), cases))


def right(ctx: Any, incoming: Any) -> Any:
    (p,) = ctx.saved_tensors
    return p * (incoming - (p * incoming).sum(-1, keepdim=True))


def test_functions_that_only_answer_have_no_finding() -> None:
    assert of_softmax(softmax_of(right), SOFTMAX) == set()
    assert of_loss(loss_of(lambda gradient, incoming: gradient * incoming), LOSS) == set()


def test_a_backward_pass_that_ignores_what_comes_in_is_wrong() -> None:
    found = of_loss(loss_of(lambda gradient, _: gradient), LOSS[:1])

    assert found == {("gradient_logits", "inaccurate")}


def test_a_softmax_that_overwrites_its_logits_is_found_though_its_numbers_are_right() -> None:
    class InPlace(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            p = torch.softmax(x, -1)
            ctx.save_for_backward(p)
            x.data.copy_(p)
            return p.clone()

        @staticmethod
        def backward(ctx: Any, incoming: Any) -> Any:
            return right(ctx, incoming)

    found = of_softmax(lambda x, **_: InPlace.apply(x), SOFTMAX[:1])

    assert found == {("value", "mutates:logits")}


def test_a_backward_pass_that_overwrites_the_incoming_gradient_is_found() -> None:
    def overwrites(ctx: Any, incoming: Any) -> Any:
        (p,) = ctx.saved_tensors
        incoming.mul_(p)
        return incoming - p * incoming.sum(-1, keepdim=True)

    assert of_softmax(softmax_of(overwrites), SOFTMAX[:1]) == {
        ("gradient_logits", "mutates:cotangent")
    }


def test_writing_where_no_gradient_is_wanted_is_found() -> None:
    def writes_in_inference(x: Any, *, axis: int = -1) -> Any:
        if x.requires_grad:
            return torch.softmax(x, axis)
        return x.copy_(torch.softmax(x, axis))

    assert of_softmax(writes_in_inference, SOFTMAX[:1]) == {("value", "mutates:logits")}


def test_writing_to_the_target_and_to_the_weights_is_found_by_their_names() -> None:
    def shifts_labels(x: Any, target: Any, *, weight: Any = None) -> Any:
        loss = torch.nn.functional.cross_entropy(x, target, weight)
        target.data.add_(1)
        if weight is not None:
            weight.data.div_(weight.sum())
        return loss

    case = Case.parse("cross_entropy/index.random/float32/4x10/normal/weight=positive/0")
    own = taken("torch", "cross_entropy", shifts_labels, ("index",), ("weight",))

    assert words(findings(own, [case])) >= {
        ("value", "mutates:target"),
        ("value", "mutates:weight"),
    }


def test_a_saved_gradient_that_is_scaled_in_place_is_found_by_a_second_backward_pass() -> None:
    def scales_in_place(gradient: Any, incoming: Any) -> Any:
        gradient.data.mul_(incoming)  # the version of the tensor does not change
        return gradient

    found = of_loss(loss_of(scales_in_place), LOSS)

    assert found == {("gradient_logits", "relation:second_backward")}


def test_a_second_backward_pass_that_raises_says_why() -> None:
    def raises_later(gradient: Any, incoming: Any) -> Any:
        gradient.mul_(incoming)  # the next pass notices it
        return gradient

    own = taken("torch", "cross_entropy", loss_of(raises_later), ("index",))
    (row,) = findings(own, LOSS[:1])

    assert (row.quantity, row.verdict) == ("gradient_logits", "relation:second_backward")
    assert "modified by an inplace operation" in row.note


def test_a_value_that_is_wrong_only_without_a_gradient_is_found() -> None:
    def forgets_the_shift(x: Any, target: Any) -> Any:
        loss = torch.nn.functional.cross_entropy(x, target)
        return loss if x.requires_grad else loss + 1

    assert of_loss(forgets_the_shift, LOSS) == {("value", "relation:with_gradient")}


def test_other_bits_without_a_gradient_are_no_finding() -> None:
    def takes_another_way(x: Any, target: Any) -> Any:
        if x.requires_grad:
            return torch.nn.functional.cross_entropy(x, target)
        return -torch.log_softmax(x.double(), 1)[torch.arange(len(x)), target].mean().float()

    assert of_loss(takes_another_way, LOSS) == set()


def test_a_function_of_numpy_that_writes_is_found_in_each_of_its_arrays() -> None:
    def softmax(x: Any, *, axis: int = -1) -> Any:
        x -= x.max(axis, keepdims=True)
        np.exp(x, out=x)
        x /= x.sum(axis, keepdims=True)
        return x

    own = taken("numpy", "softmax", softmax, (), ("axis",))

    assert words(findings(own, SOFTMAX[:1])) == {("value", "mutates:logits")}


@pytest.mark.framework("tensorflow")
def test_a_graph_of_tensorflow_whose_gradient_changes_is_found() -> None:
    tf = pytest.importorskip("tensorflow")

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def loss(x: Any) -> Any:
        passes: list[int] = []

        def backward(incoming: Any) -> Any:
            passes.append(1)
            return incoming * tf.math.softmax(x) / float(len(passes))

        return tf.reduce_logsumexp(x, -1), lambda g: backward(g[:, None])

    own = taken("tensorflow", "logsumexp", lambda x, **_: loss(x), (), ("axis",))

    assert ("gradient_logits", "relation:second_backward") in words(
        findings(own, [plain("logsumexp")])
    )


def test_a_function_that_is_judged_in_python_is_asked_in_the_same_ways() -> None:
    import lossdiff

    def scales_in_place(gradient: Any, incoming: Any) -> Any:
        gradient.data.mul_(incoming)
        return gradient

    result = lossdiff.check_implementation(
        loss_of(scales_in_place), "cross_entropy", framework="torch", targets={"index"}
    )

    assert "relation:second_backward" in {row.verdict for row in result.verdicts}
