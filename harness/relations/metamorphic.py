"""Relations that need no oracle: the same question in another form must give the same answer.

They hold for any size and on any device, so they reach where the oracle is too slow. Both
answers are held against the sum of both bounds, never against a tolerance chosen by hand. They
are asked of cases whose numbers survive the change of form without rounding
(`Case.is_probed`), without options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...backends.base import Claim
from ...cases.dtypes import FORMATS
from ...cases.model import Case, Inputs
from ...cases.stream import Stream
from ..bounds import Algorithm, Arrays, bound, float64_solution
from ..oracle import Floats, Solution

_WORTH_SPLITTING = 4096  # elements; below, a part is computed like the whole
ARRAYS = ("value", "gradient_logits", "gradient_target")


@dataclass(frozen=True)
class Form:
    """A question as arrays.

    Attributes:
        case: the question; its `inputs()` are those of the plain form.
        inputs: the arrays of this form.
        cotangent: of the result, in its shape.
    """

    case: Case
    inputs: Inputs
    cotangent: Floats


@dataclass(frozen=True)
class Answered:
    """A form with what came back, as float64."""

    form: Form
    answers: Arrays

    def solution(self) -> Solution:
        """Return the terms of the bounds."""
        return float64_solution(self.form.case, self.form.inputs, self.form.cotangent, self.answers)


Limit = Callable[[Algorithm], Floats]


@dataclass(frozen=True)
class AnswerPair:
    """Two arrays that must agree within a limit, which depends on the algorithm."""

    quantity: str
    left: Floats
    right: Floats
    limit: Limit


@dataclass(frozen=True)
class Relation:
    """A relation between answers of one implementation.

    Attributes:
        name: in the verdict `relation:NAME`; `verdicts.RELATION_MEANINGS` says what must hold.
        holds_for: whether it is asked of a case and an implementation.
        forms: the other forms of a question.
        compare: the comparisons between the plain answer and those of the other forms.
    """

    name: str
    holds_for: Callable[[Case, Claim], bool]
    forms: Callable[[Form], tuple[Form, ...]]
    compare: Callable[[Answered, tuple[Answered, ...]], Iterator[AnswerPair]]


def _summed(parts: list[tuple[Answered, str, Callable[[Floats], Floats]]]) -> Limit:
    """The sum of the bounds of some answers, each brought into one shape."""
    solutions = {id(answered): answered.solution() for answered, _, _ in parts}

    def limit(algorithm: Algorithm) -> Floats:
        total: Floats = np.zeros(())
        for answered, quantity, shaped in parts:
            solution = solutions[id(answered)]
            total = total + shaped(bound(answered.form.case, solution, quantity, algorithm))
        return total

    return limit


def _same(array: Floats) -> Floats:
    return array


def _pairwise(
    one: Answered, other: Answered, change: dict[str, Callable[[Floats], Floats]]
) -> Iterator[AnswerPair]:
    """Every quantity of one answer against that of the other, changed back."""
    for quantity in one.answers:
        if quantity not in other.answers:
            continue
        back = change.get(quantity, _same)
        limit = _summed([(one, quantity, _same), (other, quantity, lambda b, f=back: np.abs(f(b)))])  # type: ignore[misc]
        yield AnswerPair(quantity, one.answers[quantity], back(other.answers[quantity]), limit)


# --- shift -----------------------------------------------------------------------------------


def _step(case: Case) -> float:
    """The largest power of two that can be added to quarters below 16 without rounding."""
    return 2.0 ** (FORMATS[case.dtype].precision - 4)


def _shifted(form: Form) -> tuple[Form, ...]:
    values = (form.inputs.values.astype(np.float64) + _step(form.case)).astype(
        form.inputs.values.dtype
    )
    return (replace(form, inputs=replace(form.inputs, values=values)),)


def _compare_shifted(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    change: dict[str, Callable[[Floats], Floats]] = {}
    if one.form.case.operation == "logsumexp":
        step = _step(one.form.case)
        yield from _moved_back(one, others[0], step)
        change = {"value": _same}
        one = replace(one, answers={k: v for k, v in one.answers.items() if k != "value"})
    yield from _pairwise(one, others[0], change)


def _moved_back(one: Answered, other: Answered, step: float) -> Iterator[AnswerPair]:
    limit = _summed([(one, "value", _same), (other, "value", _same)])
    yield AnswerPair("value", one.answers["value"], other.answers["value"] - step, limit)


# --- order of the classes --------------------------------------------------------------------


def _permutation(case: Case) -> np.ndarray:
    keys = Stream("permutation").integers(2**30, case.shape[case.class_axis])
    return np.argsort(keys, kind="stable")


def _permuted(form: Form) -> tuple[Form, ...]:
    order, axis, inputs = _permutation(form.case), form.case.class_axis, form.inputs
    target, cotangent = inputs.target, form.cotangent
    if target is not None and form.case.target_kind == "index":
        target = np.argsort(order)[target].astype(target.dtype)
    elif target is not None:
        target = np.take(target, order, axis)
    if cotangent.shape == form.case.shape:
        cotangent = np.take(cotangent, order, axis)
    values = np.take(inputs.values, order, axis)
    return (Form(form.case, replace(inputs, values=values, target=target), cotangent),)


def _compare_permuted(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    case = one.form.case
    back = np.argsort(_permutation(case))

    def ordered(array: Floats) -> Floats:
        return np.take(array, back, case.class_axis) if array.shape == case.shape else array

    yield from _pairwise(one, others[0], dict.fromkeys(ARRAYS, ordered))


# --- sums over the classes -------------------------------------------------------------------


def _no_forms(form: Form) -> tuple[Form, ...]:
    return ()


def _compare_sums(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    case, axis = one.form.case, one.form.case.class_axis

    def over(array: Floats) -> Floats:
        return np.asarray(array.sum(axis))

    if case.operation == "softmax":
        total = over(one.answers["value"])
        yield AnswerPair("value", total, np.ones_like(total), _summed([(one, "value", over)]))
    if case.operation == "log_softmax":
        p = np.exp(one.answers["value"])
        limit = _summed([(one, "value", lambda b: over(p * np.expm1(np.minimum(b, 1.0))))])
        yield AnswerPair("value", over(p), np.ones_like(over(p)), limit)
    if case.operation != "logsumexp" and "gradient_logits" in one.answers:
        total = over(one.answers["gradient_logits"])
        limit = _summed([(one, "gradient_logits", over)])
        yield AnswerPair("gradient_logits", total, np.zeros_like(total), limit)


# --- parts of a batch ------------------------------------------------------------------------


def _halves(form: Form) -> tuple[Form, ...]:
    rows = form.case.shape[0]
    return tuple(_part(form, part) for part in (slice(0, rows // 2), slice(rows // 2, rows)))


def _part(form: Form, part: slice) -> Form:
    inputs = form.inputs
    target = None if inputs.target is None else inputs.target[part]
    inputs = replace(inputs, values=inputs.values[part], target=target)
    cotangent = form.cotangent[part] if form.cotangent.ndim else form.cotangent
    return Form(replace(form.case, shape=inputs.values.shape), inputs, cotangent)


def _compare_halves(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    case = one.form.case
    is_mean = case.contract.is_loss and case.options.reduction == "mean"
    shares = [other.form.case.shape[0] / case.shape[0] if is_mean else 1.0 for other in others]
    for quantity, left in one.answers.items():
        if any(quantity not in other.answers for other in others):
            continue
        parts = [
            share * other.answers[quantity] for share, other in zip(shares, others, strict=True)
        ]
        right = np.concatenate(parts) if left.ndim else np.asarray(sum(parts))
        terms: list[tuple[Answered, str, Callable[[Floats], Floats]]] = [(one, quantity, _same)]
        for number, (share, other) in enumerate(zip(shares, others, strict=True)):
            place = _placed(number, share, case.shape[0], bool(left.ndim))
            terms.append((other, quantity, place))
        yield AnswerPair(quantity, left, right, _summed(terms))


def _placed(number: int, share: float, rows: int, is_array: bool) -> Callable[[Floats], Floats]:
    """The bound of one half, among the rows of the whole."""

    def place(limits: Floats) -> Floats:
        if not is_array:
            return share * limits
        before = number * (rows // 2)
        widths = [(before, rows - before - len(limits)), *[(0, 0)] * (limits.ndim - 1)]
        return np.pad(share * limits, widths)

    return place


# --- one-hot targets -------------------------------------------------------------------------


def _as_one_hot(form: Form) -> tuple[Form, ...]:
    case, inputs = form.case, form.inputs
    assert inputs.target is not None  # noqa: S101 -- the relation holds for index targets only
    one_hot = np.arange(case.shape[case.class_axis]) == inputs.target[..., None]
    target = np.moveaxis(one_hot, -1, case.class_axis).astype(inputs.values.dtype)
    inputs = replace(inputs, target=target)
    return (Form(case.with_target("one_hot", case.target_family), inputs, form.cotangent),)


def _compare_plainly(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    yield from _pairwise(one, others[0], {})


# --- reflection ------------------------------------------------------------------------------


def _reflected(form: Form) -> tuple[Form, ...]:
    inputs, one = form.inputs, form.inputs.values.dtype.type(1)
    is_probs = form.case.contract.domain == "probs"
    values = one - inputs.values if is_probs else -inputs.values
    target = None if inputs.target is None else one - inputs.target
    return (replace(form, inputs=replace(inputs, values=values, target=target)),)


def _compare_reflected(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """σ(x) = 1 − σ(−x), log σ(x) = x + log σ(−x), BCE(x, z) = BCE(−x, 1 − z), and gradients."""
    operation, x = one.form.case.operation, one.form.inputs.values.astype(np.float64)
    cotangent = one.form.cotangent
    change: dict[str, Callable[[Floats], Floats]] = {"gradient_logits": np.negative}
    if operation == "sigmoid":
        change = {"value": lambda y: 1 - y}
    elif operation == "log_sigmoid":
        change = {"value": lambda y: x + y, "gradient_logits": lambda y: cotangent - y}
    else:
        change["gradient_target"] = np.negative
    for quantity in one.answers:
        if quantity in others[0].answers:
            back = change.get(quantity, _same)
            limit = _summed([(one, quantity, _same), (others[0], quantity, _same)])
            right = back(others[0].answers[quantity])
            yield AnswerPair(quantity, one.answers[quantity], right, limit)


# --- the table -------------------------------------------------------------------------------


def _is_of_logits(case: Case, claim: Claim) -> bool:
    return case.contract.reads_classes and case.contract.domain == "logits"


def _is_of_classes(case: Case, claim: Claim) -> bool:
    return case.contract.reads_classes


def _is_worth_splitting(case: Case, claim: Claim) -> bool:
    return case.shape[0] > 1 and int(np.prod(case.shape)) >= _WORTH_SPLITTING


def _takes_both(case: Case, claim: Claim) -> bool:
    return case.target_kind == "index" and "one_hot" in claim.targets


def _is_symmetric(case: Case, claim: Claim) -> bool:
    return not case.contract.reads_classes and case.operation != "exp"


RELATIONS = (
    Relation("shift", _is_of_logits, _shifted, _compare_shifted),
    Relation("permutation", _is_of_classes, _permuted, _compare_permuted),
    Relation("sums", _is_of_logits, _no_forms, _compare_sums),
    Relation("split", _is_worth_splitting, _halves, _compare_halves),
    Relation("one_hot", _takes_both, _as_one_hot, _compare_plainly),
    Relation("reflection", _is_symmetric, _reflected, _compare_reflected),
)
