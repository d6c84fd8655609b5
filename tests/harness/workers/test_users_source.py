"""The call of a user's function as a script writes it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from lossdiff.backends import dialect_of, load_backend
from lossdiff.backends.claim import Calling
from lossdiff.cases.model import Case
from lossdiff.harness.own import Learnt, found_in, learnt_of
from lossdiff.harness.workers.source_text import Source
from lossdiff.harness.workers.users_source import users_source, with_classes

LOSS = {"values": "logits", "target": "target"}
TEXT = """
    import numpy as np
    from lossdiff.harness.own import implements

    LIMIT = 2

    def _rows(x, t):
        z = x - x.max(1, keepdims=True)
        return -(z - np.log(np.exp(z).sum(1, keepdims=True)))[np.arange(len(t)), t]

    @implements("cross_entropy", targets={"index"})
    def fused(labels, logits, reduction="none"):
        rows = _rows(logits, labels)
        return {"none": rows, "mean": rows.mean(), "sum": rows.sum()}[reduction]

    class Loss:
        def __init__(self, label_smoothing=0.0): ...
        def __call__(self, x, t): return _rows(x, t).mean()

    class SoftmaxWithLoss:
        def forward(self, x, t):
            self.p = np.exp(-_rows(x, t))
            return _rows(x, t).mean()
        def backward(self, dout=1): return dout * self.p

    def softmax_loss(x, t):
        return _rows(x, t).mean(), np.zeros_like(x)

    @implements("cross_entropy", layout="classes_last", targets={"index"}, reduction="mean")
    def at_end(x, t):
        return -x[..., 0].mean(), x

    class Layer:
        def forward(self, x):
            e = np.exp(x - x.max(1, keepdims=True))
            self.output = e / e.sum(1, keepdims=True)
        def backward(self, dout):
            self.dinputs = 2 * dout

    def exp(x): return np.exp(x)
    def exp_vjp(cotangent, x): return (cotangent * np.exp(x),)
    """


def source(
    folder: Path, selected: str, *, gradient: bool = False, case: str = "", **options: object
) -> Source:
    """Return the text of a function of a file, and of a call of it."""
    path = folder / "text.py"
    path.write_text(dedent(TEXT))
    (candidate,), _ = found_in(f"{path}:{selected}", "numpy")
    learnt = learnt_of(candidate, load_backend("numpy"))
    assert isinstance(learnt, Learnt)
    of_one = candidate.operation in ("exp", "softmax")
    return users_source(
        candidate, learnt.calling, {"values": "logits"} if of_one else LOSS, options,
        dialect_of("numpy"), wants_gradient=gradient,
        with_classes=with_classes(learnt.calling, Case.parse(case)) if case else (),
    )  # fmt: skip


def value_of(found: Source, expression: str, **arrays: object) -> object:
    """Execute a text, and evaluate an expression in it."""
    names: dict[str, object] = {}
    exec("\n".join([*found.imports, *found.definitions]), names)  # noqa: S102 -- the text of a test
    names |= {"logits": np.array([[1.0, 2.0]]), "target": np.array([0]), "cotangent": 2.0}
    names |= arrays
    return eval(expression, names)  # noqa: S307 -- the same


def test_arrays_go_in_their_order_and_options_where_they_are_not_the_default(
    tmp_path: Path,
) -> None:
    found = source(tmp_path, "fused")

    assert found.call == "fused(target, logits, reduction='mean')"
    assert value_of(found, found.call) == pytest.approx(1.3132617)


def test_what_declares_is_not_a_part_of_the_text(tmp_path: Path) -> None:
    found = source(tmp_path, "fused")

    assert found.imports == ("import numpy as np",)
    assert [text.partition("(")[0] for text in found.definitions] == ["def _rows", "def fused"]


def test_an_option_of_a_class_goes_to_its_constructor(tmp_path: Path) -> None:
    plain = source(tmp_path, "Loss=cross_entropy")
    smoothed = source(tmp_path, "Loss=cross_entropy", label_smoothing=0.1)

    assert plain.call == "Loss()(logits, target)"
    assert smoothed.call == "Loss(label_smoothing=0.1)(logits, target)"
    assert value_of(plain, plain.call) == pytest.approx(1.3132617)


def test_an_object_is_written_as_the_expression_that_names_it(tmp_path: Path) -> None:
    found = source(tmp_path, "Loss(0.0)=cross_entropy")

    assert found.call.startswith("Loss(0.0)(")
    assert value_of(found, found.call) == pytest.approx(1.3132617)


def test_a_pair_is_divided_into_the_value_and_the_gradient(tmp_path: Path) -> None:
    found = source(tmp_path, "softmax_loss", gradient=True)

    assert value_of(found, found.call) == pytest.approx(1.3132617)
    (gradient,) = value_of(found, found.gradient)  # type: ignore[misc]
    assert gradient.shape == (1, 2)


def test_each_row_has_its_own_cotangent_where_losses_are_not_reduced(tmp_path: Path) -> None:
    found = source(tmp_path, "softmax_loss", gradient=True, reduction="none")

    assert found.gradient == "(cotangent[:, None] * softmax_loss(logits, target)[1],)"


def test_the_backward_pass_of_an_object_follows_its_forward_pass(tmp_path: Path) -> None:
    found = source(tmp_path, "SoftmaxWithLoss=cross_entropy", gradient=True)

    assert found.call == "SoftmaxWithLoss().forward(logits, target)"
    (gradient,) = value_of(found, found.gradient)  # type: ignore[misc]
    assert gradient == pytest.approx(2 * 0.2689414)


def test_a_gradient_by_hand_is_called_beside_the_function(tmp_path: Path) -> None:
    value, both = source(tmp_path, "exp"), source(tmp_path, "exp", gradient=True)

    assert value.call == "np.exp(logits)"  # the single call that it consists of
    assert both.gradient == "exp_vjp(cotangent, logits)"
    assert value_of(both, both.gradient)[0].tolist() == (2 * np.exp([[1.0, 2.0]])).tolist()  # type: ignore[index]


def test_classes_are_moved_for_a_function_that_has_them_on_the_last_axis(tmp_path: Path) -> None:
    index, soft = (
        f"cross_entropy/{kind}/float64/2x3x5/normal/-/0" for kind in ("index.random", "soft.soft")
    )
    moved = "np.moveaxis(logits, 1, -1)"

    assert source(tmp_path, "at_end").call.startswith("at_end(logits")
    found = source(tmp_path, "at_end", gradient=True, case=index)

    assert found.call == f"at_end({moved}, target)[0]"
    arrays = {"logits": np.arange(30.0).reshape(2, 3, 5), "target": np.zeros((2, 5), np.int64)}
    assert value_of(found, found.call, **arrays) == -9.5
    (gradient,) = value_of(found, found.gradient, **arrays)  # type: ignore[misc]
    assert gradient.shape == (2, 3, 5)
    assert source(tmp_path, "at_end", case=soft).call == (
        f"at_end({moved}, np.moveaxis(target, 1, -1))[0]"
    )


def test_a_layer_that_keeps_what_it_makes_is_asked_for_it(tmp_path: Path) -> None:
    found = source(tmp_path, "Layer=softmax", gradient=True)

    assert found.call == "((made := Layer()).forward(logits), made.output)[1]"
    assert value_of(found, found.call).sum() == pytest.approx(1)  # type: ignore[attr-defined]
    assert value_of(found, found.gradient)[0] == pytest.approx(4)  # type: ignore[index]


def test_what_lies_beside_the_file_is_looked_for_there(tmp_path: Path) -> None:
    (tmp_path / "parts_of_text.py").write_text("def halved(x): return x / 2")
    (tmp_path / "beside.py").write_text(
        "from parts_of_text import halved\nimport numpy as np\ndef exp(x): return np.exp(halved(x))"
    )
    (candidate,), _ = found_in(f"{tmp_path / 'beside.py'}", "numpy")

    found = users_source(
        candidate, Calling((("values", "x"),)), {"values": "x"}, {}, dialect_of("numpy"),
        wants_gradient=False,
    )  # fmt: skip

    assert found.folders == (str(tmp_path),)
