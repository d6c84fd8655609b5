"""Say which cases a function claims to support, and how it is called, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..cases.families import is_finite
from ..cases.model import Case
from ..cases.targets import is_hard, sums_to_1

Kind = Literal["native", "recipe", "textbook", "user"]
Layout = Literal["classes_first", "classes_last"]
Returns = Literal["value", "value_and_gradient", "forward_backward"]
Fixed = bool | int | float | str | None


@dataclass(frozen=True)
class Limits:
    """What a function does not do, beyond the targets and options that it lacks.

    An empty field, or a 0, limits nothing.

    Attributes:
        dtypes: the dtypes of the first argument that it takes.
        ranks: the numbers of axes of the first argument that it takes.
        max_classes: the largest number of classes.
        classes: the only number of classes.
        fixed: the options that have one value in it, such as `("reduction", "none")` for a loss
            that returns a number for each row.
        lacks: values that an option does not have in it, such as `("reduction", "sum")`.
        required: the options that it cannot be called without.
        finite_logits_only: whether NaN and infinities are excluded from its first argument.
        hard_labels: whether every number of its target is 0 or 1.
        targets_sum_to_1: whether the targets of each row sum to 1.
        gradient_by_target: whether it has a gradient with respect to the target.
        result_dtype: the dtype of its results whatever the dtypes of its arguments.
        clip: its own documented ε: probabilities are clipped to [ε, 1 − ε].
    """

    dtypes: frozenset[str] = frozenset()
    ranks: frozenset[int] = frozenset()
    max_classes: int = 0
    classes: int = 0
    fixed: tuple[tuple[str, Fixed], ...] = ()
    lacks: tuple[tuple[str, Fixed], ...] = ()
    required: frozenset[str] = frozenset()
    finite_logits_only: bool = False
    hard_labels: bool = False
    targets_sum_to_1: bool = False
    gradient_by_target: bool = True
    result_dtype: str = ""
    clip: float = 0.0

    def _other_classes(self, case: Case) -> str:
        """Return why a case has not as many classes as are taken; empty if it has."""
        number = case.shape[case.class_axis] if case.shape else 0
        if self.max_classes and number > self.max_classes:
            return f"takes at most {self.max_classes} classes"
        is_other = bool(self.classes and case.shape) and number != self.classes
        return f"takes {self.classes} classes only" if is_other else ""

    def unsupported(self, case: Case) -> str:
        """Return why a case is beyond the limits; empty if it is not."""
        if self.dtypes and case.dtype not in self.dtypes:
            return f"does not take {case.dtype}"
        if self.ranks and len(case.shape) not in self.ranks:
            return f"does not take {len(case.shape)} axes"
        if reason := self._other_classes(case):
            return reason
        for option, value in self.fixed:
            if case.contract.level(case.options, option) != value:
                return f"its {option} is {value}"
        for option, value in self.lacks:
            if case.contract.level(case.options, option) == value:
                return f"has no {option} {value}"
        level = case.contract.level
        lacking = sorted(name for name in self.required if level(case.options, name) is None)
        return f"needs {', '.join(lacking)}" if lacking else self._numbers_unsupported(case)

    def _numbers_unsupported(self, case: Case) -> str:
        # The families say what they draw, so that no array is needed to decide.
        if self.finite_logits_only and not is_finite(case.family):
            return "takes finite numbers only"
        if self.hard_labels and not is_hard(case.target_kind, case.target_family):
            return "takes targets of 0 and 1 only"
        if self.targets_sum_to_1 and not sums_to_1(case.target_kind, case.target_family):
            return "takes targets that sum to 1 only"
        return ""


NO_LIMITS = Limits()


@dataclass(frozen=True)
class Calling:
    """How a user's function is called.

    Attributes:
        arguments: pairs of an argument of the contract (`values`, `target`) and the name of the
            parameter that takes it, in the order of the signature; an empty name passes it by its
            position.
        options: pairs of an option of the contract, `weight` and `pos_weight` included, and the
            name of the parameter that takes it. All but weights are passed even at their default,
            which need not be the function's own.
        spelling: how the parameter of an option spells a value, `("reduction", "none", None)`.
        inverted: the options whose parameter takes the reciprocal, as a temperature does.
        always: parameters that always get one value, `("from_logits", True)`.
        classes: the parameter that takes the number of classes; empty for none.
        layout: the place of the classes among the axes of the function's arrays.
        returns: the value alone, or a tuple of the value and the gradient with respect to the
            first argument, as courses write it; or an object with the methods `forward` and
            `backward`.
        item: the key of the value, where it comes in a dictionary; otherwise empty.
        constructs: whether the options go to a constructor, whose object takes the arrays.
        shifts: whether it compares the scores of each token with the label of the next one, and
            so leaves out the last scores and the first label.
    """

    arguments: tuple[tuple[str, str], ...] = (("values", ""), ("target", ""))
    options: tuple[tuple[str, str], ...] = ()
    spelling: tuple[tuple[str, Fixed, Fixed], ...] = ()
    inverted: tuple[str, ...] = ()
    always: tuple[tuple[str, Fixed], ...] = ()
    classes: str = ""
    layout: Layout = "classes_first"
    returns: Returns = "value"
    item: str = ""
    constructs: bool = False
    shifts: bool = False

    def spelled(self, option: str, value: Fixed) -> Fixed:
        """Return the value of an option as the function's parameter has it.

        >>> Calling(inverted=("logit_scale",)).spelled("logit_scale", 0.25)
        4.0
        """
        for name, contract, own in self.spelling:
            if (name, contract) == (option, value):
                return own
        return 1 / float(value) if option in self.inverted and value else value


@dataclass(frozen=True)
class Claim:
    """The cases that an implementation claims to support.

    It consists of plain data only, so that it can be sent between processes.

    Attributes:
        name: the name that its users know, such as `torch.nn.functional.cross_entropy`.
        framework: the framework whose arrays it takes.
        operation: the operation that it computes.
        kind: native function, recipe of native functions, textbook formula, or a user's own.
        targets: the kinds of target that it takes.
        options: the options that its signature names.
        limits: what it does not do otherwise.

    >>> claim = Claim("mine.softmax", "numpy", "softmax", "user", frozenset(), frozenset())
    >>> claim.unsupported(Case.parse("softmax/float32/3x5x2/normal/axis=1/0"))
    'has no axis'
    """

    name: str
    framework: str
    operation: str
    kind: Kind
    targets: frozenset[str]
    options: frozenset[str]
    limits: Limits = NO_LIMITS

    def unsupported(self, case: Case) -> str:
        """Return why the case is not claimed; empty if it is."""
        if case.target_kind and case.target_kind not in self.targets:
            return f"takes no {case.target_kind} target"
        missing = sorted(case.needs - self.options - {name for name, _ in self.limits.fixed})
        return f"has no {', '.join(missing)}" if missing else self.limits.unsupported(case)
