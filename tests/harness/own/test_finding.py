"""Which functions of a file are taken as what, and which are left."""

from __future__ import annotations

import inspect
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from lossdiff.backends import load_backend
from lossdiff.harness.own import Candidate, Left, found_in

from lossdiff.errors import DeclarationError, UserFileError

USERS = Path(__file__).parents[2] / "users"


def found(
    folder: Path, text: str, selected: str = "", name: str = "mine.py"
) -> tuple[list[Candidate], list[Left]]:
    """Return what is found in a file of this text."""
    path = folder / name
    path.write_text(dedent(text))
    return found_in(f"{path}{selected}", "numpy")


def taken(folder: Path, text: str, selected: str = "") -> dict[str, str]:
    """Return the operations of what is taken from a file, by the names of its functions."""
    candidates, _ = found(folder, text, selected)
    return {it.name.removeprefix("mine."): it.operation for it in candidates}


def left(folder: Path, text: str) -> dict[str, str]:
    """Return the reasons for what is left, by the names of the functions."""
    _, some = found(folder, text)
    return {it.name.removeprefix("mine."): it.reason for it in some}


# --- what a file defines ---------------------------------------------------------------------


def test_what_is_imported_is_left() -> None:
    candidates, some = found_in(str(USERS / "imports_its_parts.py"), "numpy")

    assert {it.name: it.operation for it in candidates} == {
        "imports_its_parts.nll": "nll_loss",
        "imports_its_parts.log_sigmoid": "log_sigmoid",
    }
    assert {it.name: it.reason for it in some} == {
        "imports_its_parts.exp": "imported, and not defined here",
        "imports_its_parts.log_softmax": "imported, and not defined here",
        "imports_its_parts.logsumexp": "imported, and not defined here",
    }


def test_what_is_imported_with_a_star_is_left(tmp_path: Path) -> None:
    text = "from numpy import *\ndef sigmoid(x): return 1 / (1 + exp(-x))"

    assert taken(tmp_path, text) == {"sigmoid": "sigmoid"}
    assert left(tmp_path, text) == {"exp": "imported, and not defined here"}


def test_a_bare_alias_of_what_is_imported_is_left(tmp_path: Path) -> None:
    text = "import scipy.special\nsoftmax = scipy.special.softmax\nsigmoid = expit = None"

    assert taken(tmp_path, text) == {}
    assert left(tmp_path, text) == {"softmax": "imported, and not defined here"}


def test_what_a_call_in_the_file_makes_is_defined_there(tmp_path: Path) -> None:
    text = """
        import functools
        import numpy as np
        import scipy.special

        softmax = functools.partial(scipy.special.softmax, axis=-1)
        logsumexp = np.vectorize(scipy.special.logsumexp, signature="(n)->()")
        sigmoid = lambda x: 1 / (1 + np.exp(-x))

        class _Nll:
            def __call__(self, logp, y): return -logp[np.arange(len(y)), y].mean()

        nll = _Nll()
        """

    assert taken(tmp_path, text) == {
        "softmax": "softmax", "logsumexp": "logsumexp", "sigmoid": "sigmoid", "nll": "nll_loss"
    }  # fmt: skip


def test_a_function_that_is_defined_where_an_import_fails_is_taken(tmp_path: Path) -> None:
    text = """
        try:
            from no_such_module import softmax
        except ImportError:
            def softmax(x): ...
        """

    assert taken(tmp_path, text) == {"softmax": "softmax"}


def test_a_function_in_the_wrapping_of_a_decorator_is_taken(tmp_path: Path) -> None:
    text = """
        import functools

        def traced(function):
            @functools.wraps(function)
            def inner(*args, **kwargs): return function(*args, **kwargs)
            return inner

        @traced
        def fused_cross_entropy(logits, labels): ...
        """

    assert taken(tmp_path, text) == {"fused_cross_entropy": "cross_entropy"}


def test_a_package_offers_what_its_modules_define(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "acme_g"
    folder.mkdir()
    (folder / "parts.py").write_text("def softmax(x): ...")
    (folder / "__init__.py").write_text(
        "from .parts import softmax\nfrom scipy.special import logsumexp\n"
    )
    monkeypatch.chdir(tmp_path)

    candidates, some = found_in("acme_g", "numpy")

    assert [it.name for it in candidates] == ["acme_g.softmax"]
    assert [it.name for it in some] == ["acme_g.logsumexp"]


def test_private_names_tests_and_other_functions_are_passed_over(tmp_path: Path) -> None:
    text = """
        def _softmax(x): ...
        def test_softmax(): ...
        def load_data(path): ...
        softmax = 3
        class LossOutput: ...
        """

    assert found(tmp_path, text) == ([], [])


# --- what a name and a signature say ---------------------------------------------------------


def test_a_longer_name_counts_if_the_signature_fits(tmp_path: Path) -> None:
    text = """
        def softmax_kl_loss(p, q): ...
        def sigmoid_rampup(step, length): ...
        def sigmoid_prime(x): ...
        def my_softmax(x, temperature): ...
        def softmax_loss_vectorized(W, X, y, reg): ...
        def fast_softmax(x, temperature=1.0): ...
        def weighted_cross_entropy(logits, labels, weight): ...
        """

    unnamed = "its name is no operation's; if it is one, name it: FILE.py:NAME=OPERATION"
    assert taken(tmp_path, text) == {
        "fast_softmax": "softmax", "weighted_cross_entropy": "cross_entropy"
    }  # fmt: skip
    assert left(tmp_path, text) == {
        "softmax_kl_loss": unnamed,
        "sigmoid_rampup": unnamed,
        "sigmoid_prime": unnamed,
        "my_softmax": "it needs 2 arguments, and softmax takes 1",
        "softmax_loss_vectorized": "it needs 3 arguments, and cross_entropy takes 2",
    }


def test_an_object_is_what_its_class_is_or_the_function_that_it_is_a_part_of(
    tmp_path: Path,
) -> None:
    text = """
        import functools
        class CrossEntropyLoss:
            def __call__(self, logits, target): ...
        def bce_with_logits(logits, target, reduction="mean"): ...
        criterion, loss_fn = CrossEntropyLoss(), functools.partial(bce_with_logits, reduction="sum")
        """

    found = taken(tmp_path, text)

    assert found["criterion"] == "cross_entropy"
    assert found["loss_fn"] == "binary_cross_entropy_with_logits"


def test_a_method_with_the_name_of_an_operation_is_named(tmp_path: Path) -> None:
    text = """
        class Losses:
            name = "of ours"
            @staticmethod
            def cross_entropy(logits, target): ...
        """

    assert "mine.py:Losses.cross_entropy" in left(tmp_path, text)["Losses"]


def test_a_name_says_the_targets_unless_the_file_does(tmp_path: Path) -> None:
    text = """
        targets = {"nll": {"index"}, "softmax_cross_entropy_with_logits": ["one_hot"]}
        def softmax_cross_entropy_with_logits(labels, logits): ...
        def sparse_cross_entropy(logits, labels): ...
        def cross_entropy(logits, labels): ...
        """

    candidates, _ = found(tmp_path, text)

    assert [it.declaration.targets for it in candidates] == [{"one_hot"}, {"index"}, None]


def test_classes_are_taken_if_their_objects_can_be_called(tmp_path: Path) -> None:
    text = """
        class NLLLoss:
            def __init__(self, reduction="mean"): ...
            def __call__(self, log_probs, target): ...
        class SoftmaxWithLoss:
            def forward(self, x, t): ...
            def backward(self, dout=1): ...
        class CELoss:
            def __init__(self, device): ...
            def forward(self, x, t): ...
        class Sigmoid:
            def fit(self): ...
        """

    assert taken(tmp_path, text) == {"NLLLoss": "nll_loss", "SoftmaxWithLoss": "cross_entropy"}
    assert left(tmp_path, text) == {
        "CELoss": "its constructor needs device: name an object of it, CELoss(device=…)",
        "Sigmoid": "its objects cannot be called",
    }


def test_a_class_with_apply_is_called_by_it_with_the_names_of_forward(tmp_path: Path) -> None:
    text = """
        class Function:
            @classmethod
            def apply(cls, *arguments): return cls.forward(None, *arguments)

        class _Softmax(Function):
            @staticmethod
            def forward(ctx, x, axis=-1): return x, axis
            @staticmethod
            def backward(ctx, g): ...

        softmax = _Softmax.apply
        """

    for selected in ("", ":_Softmax=softmax", ":_Softmax.apply=softmax"):
        (candidate,), _ = found(tmp_path, text, selected)
        assert str(inspect.signature(candidate.function)) == "(x, axis=-1)"
        assert candidate.function(2, axis=0) == (2, 0)


def test_one_function_under_two_names_is_taken_once(tmp_path: Path) -> None:
    text = "def softmax(x): ...\nstable_softmax = softmax"

    assert taken(tmp_path, text) == {"softmax": "softmax"}
    assert left(tmp_path, text) == {"stable_softmax": "it is mine.softmax under another name"}


def test_a_gradient_by_hand_goes_with_its_function(tmp_path: Path) -> None:
    (candidate,), some = found(tmp_path, "def exp(x): ...\ndef exp_vjp(cotangent, x): return 7")

    assert candidate.vjp is not None
    assert candidate.vjp(1, 2) == 7
    assert some == []


# --- what is declared ------------------------------------------------------------------------


DECLARED = """
    import functools
    import scipy.special
    from lossdiff.harness.own import implements

    def counted(function):
        @functools.wraps(function)
        def inner(*args): return function(*args)
        return inner

    @counted
    @implements("cross_entropy", targets={"index"}, reduction="none")
    def fused(a, b): ...

    implements("log_softmax")(scipy.special.log_softmax)
    """


def test_what_is_declared_is_taken_whatever_its_name(tmp_path: Path) -> None:
    candidates, some = found(tmp_path, DECLARED)

    assert {it.name: it.operation for it in candidates} == {
        "mine.fused": "cross_entropy", "mine.log_softmax": "log_softmax"
    }  # fmt: skip
    assert candidates[0].declaration.targets == {"index"}
    assert candidates[0].function.__wrapped__ is not None  # as the file has it
    assert some == []


def test_an_object_that_is_named_keeps_what_is_declared_of_it(tmp_path: Path) -> None:
    (candidate,), _ = found(tmp_path, DECLARED, ":fused")

    assert candidate.declaration.limits.fixed == (("reduction", "none"),)


# --- one object ------------------------------------------------------------------------------


def test_one_object_is_taken_as_what_is_said(tmp_path: Path) -> None:
    text = "class Loss:\n  def __init__(self, eps): self.eps = eps\n  def __call__(self, x, t): ..."

    (candidate,), some = found(tmp_path, text, ":Loss(eps=0.1)=cross_entropy")

    assert (candidate.name, candidate.operation) == ("mine.Loss(eps=0.1)", "cross_entropy")
    assert candidate.function.eps == 0.1
    assert candidate.declaration.operation == "cross_entropy"
    assert some == []


def test_one_object_is_taken_by_its_name_if_nothing_is_said(tmp_path: Path) -> None:
    text = "def nll(x, t): ...\nfrom scipy.special import softmax"

    assert taken(tmp_path, text, ":nll") == {"nll": "nll_loss"}
    assert taken(tmp_path, text, ":softmax") == {
        "softmax": "softmax"
    }  # it is named, so it is meant


PARTIAL = """
    import functools
    class CrossEntropy:
        def __init__(self, size, reduction="mean"):
            self.size, self.reduction = size, reduction
        def __call__(self, logits, target): return logits
    criterion = functools.partial(CrossEntropy, 10, reduction="sum")
    unmade = functools.partial(CrossEntropy, reduction="sum")
"""


def test_of_a_partial_class_an_object_is_made(tmp_path: Path) -> None:
    (candidate,), some = found(tmp_path, PARTIAL)

    assert (candidate.name, candidate.operation) == ("mine.criterion", "cross_entropy")
    assert getattr(candidate.function, "reduction", "") == "sum"
    assert {it.name: it.reason for it in some}["mine.unmade"].startswith(
        "no object of it can be made: TypeError: "
    )


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        (":loss", "has no attribute 'loss' (it has softmax)"),
        (":focl", "has no attribute 'focl' (did you mean focal?)"),
        (":focal", "its name is no operation's; say what it is, "),
        (":LIMIT=softmax", "is 'int', and cannot be called"),
        (":broken()=softmax", "cannot be evaluated: ZeroDivisionError: division by zero"),
        (":softmax(1, 2, 3)=softmax", "cannot be evaluated: TypeError: softmax() takes 1"),
    ],
)
def test_an_object_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, selected: str, expected: str
) -> None:
    text = "LIMIT = 3\ndef softmax(x): ...\ndef focal(x, t): ...\ndef broken(): 1 / 0"

    with pytest.raises(UserFileError) as error:
        found(tmp_path, text, selected)

    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_operation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="did you mean cross_entropy"):
        found(tmp_path, "def f(x, t): ...", ":f=cros_entropy")


# --- frameworks' own kinds of objects --------------------------------------------------------


def of_framework(name: str, framework: str, folder: Path, text: str) -> list[Any]:
    pytest.importorskip(name, reason=f"asks objects of {name}")
    load_backend(framework)  # which imports it as workers do
    path = folder / f"of_{framework}.py"
    path.write_text(dedent(text))
    candidates, some = found_in(str(path), framework)
    assert [it.reason for it in some] == []
    return [(it.name.partition(".")[2], it.operation) for it in candidates]


def test_modules_functions_and_scripts_of_torch_are_taken(tmp_path: Path) -> None:
    text = """
        import torch

        class LabelSmoothingCrossEntropy(torch.nn.Module):
            def __init__(self, smoothing=0.1): super().__init__()
            def forward(self, x, target): ...

        class _Exp(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x): return torch.exp(x)
            @staticmethod
            def backward(ctx, g): return g

        exp = _Exp.apply
        bce = torch.nn.BCELoss(reduction="sum")
        """

    assert of_framework("torch", "torch", tmp_path, text) == [
        ("LabelSmoothingCrossEntropy", "cross_entropy"),
        ("exp", "exp"),
        ("bce", "binary_cross_entropy"),
    ]


def test_functions_of_c_that_a_file_imports_refuse_nothing(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="asks objects of torch")
    load_backend("torch")
    path = tmp_path / "of_c.py"
    path.write_text(
        "from torch import exp, log_softmax as lsm, sigmoid\n"
        "def nll(log_probs, labels): return -log_probs.gather(1, labels[:, None]).mean()\n"
    )

    candidates, some = found_in(str(path), "torch")

    assert [(it.name, it.operation) for it in candidates] == [("of_c.nll", "nll_loss")]
    assert [it.name for it in some] == ["of_c.exp", "of_c.sigmoid"]


def test_functions_with_gradients_of_jax_are_taken(tmp_path: Path) -> None:
    text = """
        from functools import partial
        import jax

        @jax.custom_vjp
        def log_sigmoid(x): return jax.nn.log_sigmoid(x)

        log_sigmoid.defvjp(lambda x: (log_sigmoid(x), x), lambda x, g: (g * jax.nn.sigmoid(-x),))

        @partial(jax.jit, static_argnames="axis")
        def softmax(x, axis=-1): return jax.nn.softmax(x, axis)

        xent = jax.vmap(lambda logits, label: -jax.nn.log_softmax(logits)[label])
        """

    assert of_framework("jax", "jax", tmp_path, text) == [
        ("log_sigmoid", "log_sigmoid"), ("softmax", "softmax"), ("xent", "cross_entropy")
    ]  # fmt: skip
