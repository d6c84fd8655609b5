"""The protocol: which functions are implementations, what they claim, and how they are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.backends.base import (
    Backend,
    Claim,
    Implementation,
    call_for,
    implementations_of,
    operation_of,
    result_shape,
)
from lossdiff.backends.claim import Limits
from lossdiff.cases.model import Case
from lossdiff.cases.operations import OPERATIONS


# Stand-ins for implementations: nobody calls them.
def by_logits(logits: Any) -> Any: ...
def by_target(logits: Any, target: Any) -> Any: ...


INDEX = "cross_entropy/index.random/float32/4x10/normal"


def module_of(**attributes: Any) -> ModuleType:
    """Return a module as a user would write it."""
    module = ModuleType("package.mine")
    vars(module).update(attributes)
    return module


def only(module: ModuleType) -> Implementation:
    """Return the one implementation of a module."""
    (implementation,) = implementations_of(module, "numpy")
    return implementation


def of(function: Callable[..., Any], operation: str = "cross_entropy") -> Implementation:
    """Return a function as an implementation."""
    return only(module_of(**{operation: function}))


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_function_named_after_an_operation_answers_it(name: str) -> None:
    operation = operation_of(name)

    assert operation is OPERATIONS[name]
    assert operation_of(f"{name}_of_mine") is operation


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("log_softmax_shifted", "log_softmax"),
        ("softmax_log", "softmax"),
        ("binary_cross_entropy_with_logits_soft", "binary_cross_entropy_with_logits"),
        ("binary_cross_entropy_with", "binary_cross_entropy"),
        ("cross_entropy_probs_picked", "cross_entropy_probs"),
        ("cross_entropy_probabilities", "cross_entropy"),
    ],
)
def test_the_longest_name_that_fits_decides(name: str, operation: str) -> None:
    assert operation_of(name) is OPERATIONS[operation]


@pytest.mark.parametrize(
    "name", ["", "soft", "softmax2", "softmaxes", "my_softmax", "_softmax", "Softmax", "expit"]
)
def test_other_names_answer_nothing(name: str) -> None:
    assert operation_of(name) is None


def test_what_is_no_function_or_not_named_so_is_left_out() -> None:
    module = module_of(
        softmax=by_logits,
        softmax_vjp=by_target,
        sigmoid="text",
        log_softmax=None,
        helper=by_logits,
        namespace="mine",
    )

    assert [found.name for found in implementations_of(module, "numpy")] == ["mine.softmax"]


def test_without_a_namespace_the_modules_own_name_is_used() -> None:
    assert of(by_logits, "softmax").name == "mine.softmax"


def test_a_module_names_itself_its_functions_and_its_kind() -> None:
    module = module_of(
        cross_entropy=by_target,
        softmax=by_logits,
        namespace="acme.losses",
        names={"cross_entropy": "acme.CrossEntropy"},
        kind="recipe",
    )

    found = {item.name: item for item in implementations_of(module, "torch")}

    assert found.keys() == {"acme.CrossEntropy", "acme.losses.softmax"}
    assert {item.kind for item in found.values()} == {"recipe"}
    assert {item.claim.framework for item in found.values()} == {"torch"}


def test_a_gradient_by_hand_belongs_to_the_function_whose_name_it_bears() -> None:
    def gradient(cotangent: Any, logits: Any) -> Any:
        return (cotangent,)

    module = module_of(softmax=abs, softmax_vjp=gradient, softmax_other=abs)
    with_gradient, without = implementations_of(module, "numpy")

    assert with_gradient.vjp is gradient
    assert without.vjp is None


# --- claims ----------------------------------------------------------------------------------


def test_options_are_the_keywords_that_a_function_has() -> None:
    def cross_entropy(logits: Any, target: Any, *, weight: Any = None, strange: int = 0) -> Any: ...

    assert of(cross_entropy).options == {"weight"}


def test_a_function_that_takes_any_keyword_claims_every_usual_option() -> None:
    assert of(lambda *arrays, **options: (arrays, options)).options == {
        "weight", "ignore_index", "label_smoothing", "reduction"
    }  # fmt: skip
    assert "z_loss" in of(lambda *arrays, z_loss=0.0, **rest: (arrays, z_loss, rest)).options


@pytest.mark.parametrize(
    ("operation", "targets"),
    [
        ("cross_entropy", {"index"}),
        ("nll_loss", {"index"}),
        ("cross_entropy_probs", {"index"}),
        ("binary_cross_entropy", {"multi_label"}),
        ("binary_cross_entropy_with_logits", {"multi_label"}),
        ("softmax", set()),
        ("exp", set()),
    ],
)
def test_a_function_that_says_nothing_takes_the_usual_target(
    operation: str, targets: set[str]
) -> None:
    assert of(lambda *arrays: arrays[0], operation).targets == targets


def test_a_module_says_which_targets_a_function_takes() -> None:
    module = module_of(cross_entropy=by_target, targets={"cross_entropy": ["soft", "one_hot"]})

    assert only(module).targets == {"soft", "one_hot"}


@pytest.mark.parametrize("targets", ["index", {"multi_label"}, ["soft", "hard"]])
def test_targets_that_an_operation_does_not_have_are_refused(targets: Any) -> None:
    module = module_of(cross_entropy=by_target, targets={"cross_entropy": targets})

    with pytest.raises(ValueError, match="it must be a set of index, one_hot, soft"):
        only(module)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (f"{INDEX}/-/0", ""),
        (f"{INDEX}/reduction=sum/0", ""),
        (f"{INDEX}/weight=positive/0", "has no weight"),
        (f"{INDEX}/weight=positive,label_smoothing=0.1/0", "has no label_smoothing, weight"),
        ("cross_entropy/soft.soft/float32/4x10/normal/-/0", "takes no soft target"),
        ("cross_entropy/index.some_ignored/float32/4x10/normal/-/0", "has no ignore_index"),
    ],
)
def test_what_is_not_claimed_says_why(case: str, reason: str) -> None:
    claim = Claim(
        "f", "numpy", "cross_entropy", "user", frozenset({"index"}), frozenset({"reduction"})
    )

    assert claim.unsupported(Case.parse(case)) == reason


@pytest.mark.parametrize(
    ("limits", "case", "reason"),
    [
        (
            {"finite_logits_only": True},
            "index.random/float32/4x10/nan",
            "takes finite numbers only",
        ),
        ({"finite_logits_only": True}, "index.random/float32/4x10/normal", ""),
        ({"hard_labels": True}, "soft.soft/float32/4x10/normal", "takes targets of 0 and 1 only"),
        ({"hard_labels": True}, "one_hot.random/float32/4x10/normal", ""),
        (
            {"targets_sum_to_1": True},
            "soft.unnormalised/float32/4x10/normal",
            "takes targets that sum to 1 only",
        ),
        ({"targets_sum_to_1": True}, "soft.soft/float32/4x10/normal", ""),
    ],
)
def test_limits_of_the_numbers_say_why(limits: dict[str, Any], case: str, reason: str) -> None:
    kinds = frozenset({"index", "one_hot", "soft"})
    claim = Claim("f", "numpy", "cross_entropy", "user", kinds, frozenset(), Limits(**limits))

    assert claim.unsupported(Case.parse(f"cross_entropy/{case}/-/0")) == reason


# --- calls -----------------------------------------------------------------------------------


def test_a_call_passes_arrays_by_place_and_options_by_name() -> None:
    case = Case.parse(f"{INDEX}/weight=positive,reduction=sum/0")
    inputs = case.inputs()
    call = call_for(of(lambda *arrays, **options: (arrays, options)), case, inputs)

    arrays, options = call("logits", "target", "weight")

    assert call.arguments == ("values", "target", "weight")
    assert arrays == ("logits", "target")
    assert options == {"weight": "weight", "reduction": "sum"}


def test_an_option_at_its_default_is_not_passed_on() -> None:
    case = Case.parse(f"{INDEX}/-/0")

    assert call_for(of(by_target), case, case.inputs()).options == ()


def test_a_gradient_by_hand_is_called_like_its_function_after_the_cotangent() -> None:
    case = Case.parse(f"{INDEX}/reduction=sum/0")
    module = module_of(
        cross_entropy=by_target,
        cross_entropy_vjp=lambda *arrays, **options: (arrays, options),
    )
    call = call_for(only(module), case, case.inputs())

    assert call.vjp("cotangent", "logits", "target") == (
        ("cotangent", "logits", "target"), {"reduction": "sum"}
    )  # fmt: skip


def test_without_a_gradient_by_hand_there_is_none() -> None:
    case = Case.parse(f"{INDEX}/-/0")
    call = call_for(of(by_target), case, case.inputs())

    with pytest.raises(NotImplementedError, match="no gradient is written"):
        call.vjp("cotangent", "logits", "target")


@pytest.mark.parametrize(
    ("case", "wrt", "positions"),
    [
        (f"{INDEX}/-/0", ("values",), (0,)),
        ("softmax/float32/4x10/normal/-/0", ("values",), (0,)),
        ("cross_entropy/one_hot.random/float32/4x10/normal/-/0", ("values",), (0,)),
        ("cross_entropy/soft.soft/float32/4x10/normal/-/0", ("values", "target"), (0, 1)),
    ],
)
def test_gradients_are_by_the_logits_and_by_soft_targets(
    case: str, wrt: tuple[str, ...], positions: tuple[int, ...]
) -> None:
    parsed = Case.parse(case)
    call = call_for(of(lambda *arrays: arrays, parsed.operation), parsed, parsed.inputs())

    assert (call.wrt, call.positions) == (wrt, positions)


@pytest.mark.parametrize(
    ("case", "shape"),
    [
        ("softmax/float32/2x3x5/normal/axis=1/0", (2, 3, 5)),
        ("logsumexp/float32/2x3x5/normal/axis=1/0", (2, 5)),
        ("logsumexp/float32/2x3x5/normal/-/0", (2, 3)),
        ("sigmoid/float32/2x3/normal/-/0", (2, 3)),
        ("cross_entropy/index.random/float32/2x3x5/normal/-/0", ()),
        ("cross_entropy/index.random/float32/2x3x5/normal/reduction=none/0", (2, 5)),
        ("cross_entropy/soft.soft/float32/2x3x5/normal/reduction=none/0", (2, 5)),
        ("binary_cross_entropy/multi_label.binary/float32/2x3/probs/reduction=none/0", (2, 3)),
        ("binary_cross_entropy/multi_label.binary/float32/2x3/probs/reduction=sum/0", ()),
    ],
)
def test_the_shape_of_a_result_is_that_of_the_contract(case: str, shape: tuple[int, ...]) -> None:
    assert result_shape(Case.parse(case)) == shape


# --- backends --------------------------------------------------------------------------------


class _Minimal(Backend):
    """A backend without a framework."""

    description = FRAMEWORKS["numpy"]
    modules = ()
    packages = ("numpy",)

    def to_array(self, array: Any) -> Any:
        return array

    to_numpy = synchronize = to_array

    def forward(self, call: Any, mode: str) -> Any:  # noqa: ARG002
        return call

    forward_backward = forward

    def facts(self) -> dict[str, Any]:
        return {"threads": 1}


def test_the_environment_holds_versions_device_and_facts() -> None:
    environment = _Minimal("cpu").environment()

    assert environment == {"versions": {"numpy": np.__version__}, "device": "cpu", "threads": 1}


def test_a_users_own_implementations_are_found_by_name() -> None:
    mine = of(by_logits, "softmax")

    assert _Minimal("cpu", [mine]).implementations == {"mine.softmax": mine}


def test_two_implementations_of_one_name_are_refused() -> None:
    mine = of(by_logits, "softmax")

    with pytest.raises(ValueError, match=r"a second function is named mine\.softmax"):
        _ = _Minimal("cpu", [mine, mine]).implementations


def test_a_framework_that_is_not_installed_says_what_is_missing() -> None:
    assert FRAMEWORKS["numpy"].missing == ()
    assert FRAMEWORKS["numpy"].why_missing == ""
    absent = replace(FRAMEWORKS["jax"], imports=("numpy", "no_such"))
    assert absent.missing == ("no_such",)
    assert absent.why_missing == "no_such not installed; pip install 'lossdiff[jax]'"
    assert replace(absent, extra="").why_missing == "no_such not installed; pip install no_such"
