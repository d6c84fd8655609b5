"""Define metamorphic relations: a transformed input must give the same answer, transformed back.

The relations need no oracle. They hold for any size and on any device, so they cover sizes that
the oracle is too slow for. The difference of two answers is compared with the sum of both bounds;
there is no tolerance chosen by hand. Relations are checked for cases without options whose numbers
are transformed without rounding (`Case.is_probed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...backends.claim import Claim
from ...cases.dtypes import FORMATS
from ...cases.model import Case, Inputs
from ...cases.stream import Stream
from ..bounds import Algorithm, Arrays, bound, float64_solution
from ..oracle import Floats, Solution

_WORTH_SPLITTING = 4096  # elements; below, a part is computed like the whole
ARRAYS = ("value", "gradient_logits", "gradient_target")


@dataclass(frozen=True)
class Form:
    """A case in its original or a transformed form, as arrays.

    Attributes:
        case: the case; its `inputs()` are those of the original form.
        inputs: the arrays of this form.
        cotangent: the cotangent of the result, in its shape.
    """

    case: Case
    inputs: Inputs
    cotangent: Floats


@dataclass(frozen=True)
class Answered:
    """A form with its answers as float64 arrays."""

    form: Form
    answers: Arrays

    def solution(self) -> Solution:
        """Return the terms of the bounds."""
        return float64_solution(self.form.case, self.form.inputs, self.form.cotangent, self.answers)


Limit = Callable[[Algorithm], Floats]


@dataclass(frozen=True)
class AnswerPair:
    """Two arrays that must agree within a limit, which depends on the algorithm.

    Attributes:
        quantity: the quantity that is compared.
        left, right: the two arrays, in one shape.
        limit: a function that returns the largest difference for an algorithm.
    """

    quantity: str
    left: Floats
    right: Floats
    limit: Limit


@dataclass(frozen=True)
class Relation:
    """A relation between answers of one implementation.

    Attributes:
        name: its name in the verdict `relation:NAME`; `verdicts.RELATION_MEANINGS` states it.
        holds_for: a predicate of the cases and implementations that the relation applies to.
        forms: a function that returns the transformed forms of a form.
        compare: a function that yields the pairs to compare, given the original answer and those
            to the transformed forms.
    """

    name: str
    holds_for: Callable[[Case, Claim], bool]
    forms: Callable[[Form], tuple[Form, ...]]
    compare: Callable[[Answered, tuple[Answered, ...]], Iterator[AnswerPair]]


def _summed(parts: list[tuple[Answered, str, Callable[[Floats], Floats]]]) -> Limit:
    """Return the limit that is the sum of the bounds of some answers.

    Args:
        parts: for each answer the quantity, and a function that gives its bounds a common shape.
    """
    # The terms do not depend on the algorithm, so they are computed once for the whole ladder.
    solutions = {id(answered): answered.solution() for answered, _, _ in parts}

    def limit(algorithm: Algorithm) -> Floats:
        total: Floats = np.zeros(())
        for answered, quantity, shaped in parts:
            solution = solutions[id(answered)]
            total = total + shaped(bound(answered.form.case, solution, quantity, algorithm))
        return total

    return limit


def _same(array: Floats) -> Floats:
    """Return the array unchanged."""
    return array


def _pairwise(
    one: Answered, other: Answered, change: dict[str, Callable[[Floats], Floats]]
) -> Iterator[AnswerPair]:
    """Yield every quantity of one answer with that of the other, transformed back.

    Args:
        one: the original answer.
        other: the answer to the transformed form.
        change: for a quantity the linear function that transforms it back; none for the identity.
    """
    for quantity in one.answers:
        # A quantity that only one form has is reported by `checks`, and has no pair.
        if quantity not in other.answers:
            continue
        back = change.get(quantity, _same)
        limit = _summed([(one, quantity, _same), (other, quantity, lambda b, f=back: np.abs(f(b)))])  # type: ignore[misc]
        yield AnswerPair(quantity, one.answers[quantity], back(other.answers[quantity]), limit)


# --- shift -----------------------------------------------------------------------------------


def _step(case: Case) -> float:
    """Return the largest power of two that can be added to quarters below 16 without rounding."""
    return 2.0 ** (FORMATS[case.dtype].precision - 4)


def _shifted(form: Form) -> tuple[Form, ...]:
    """Return the form with a constant added to all logits."""
    # The sum is exact in the dtype, so the softmax is the same number: a form that computes
    # lse − x, or exp without subtracting the maximum, shows its error here.
    values = (form.inputs.values.astype(np.float64) + _step(form.case)).astype(
        form.inputs.values.dtype
    )
    return (replace(form, inputs=replace(form.inputs, values=values)),)


def _compare_shifted(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield the pairs: a shift leaves all quantities as they are, but moves a logsumexp."""
    change: dict[str, Callable[[Floats], Floats]] = {}
    if one.form.case.operation == "logsumexp":
        step = _step(one.form.case)
        yield from _moved_back(one, others[0], step)
        change = {"value": _same}
        one = replace(one, answers={k: v for k, v in one.answers.items() if k != "value"})
    yield from _pairwise(one, others[0], change)


def _moved_back(one: Answered, other: Answered, step: float) -> Iterator[AnswerPair]:
    """Yield the value of a logsumexp with the shifted one minus the shift."""
    limit = _summed([(one, "value", _same), (other, "value", _same)])
    yield AnswerPair("value", one.answers["value"], other.answers["value"] - step, limit)


# --- order of the classes --------------------------------------------------------------------


def _permutation(case: Case) -> np.ndarray:
    """Return a fixed permutation of the classes."""
    # A stable sort gives equal keys the same order on every platform.
    keys = Stream("permutation").integers(2**30, case.shape[case.class_axis])
    return np.argsort(keys, kind="stable")


def _permuted(form: Form) -> tuple[Form, ...]:
    """Return the form with permuted classes: logits, targets, and cotangents of each class."""
    order, axis, inputs = _permutation(form.case), form.case.class_axis, form.inputs
    target, cotangent = inputs.target, form.cotangent
    # A label follows its class to the new position, which the inverse permutation gives.
    if target is not None and form.case.target_kind == "index":
        target = np.argsort(order)[target].astype(target.dtype)
    elif target is not None:
        target = np.take(target, order, axis)
    if cotangent.shape == form.case.shape:
        cotangent = np.take(cotangent, order, axis)
    values = np.take(inputs.values, order, axis)
    return (Form(form.case, replace(inputs, values=values, target=target), cotangent),)


def _compare_permuted(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield every quantity with the permuted one, whose classes are put back in order."""
    case = one.form.case
    back = np.argsort(_permutation(case))

    def ordered(array: Floats) -> Floats:
        return np.take(array, back, case.class_axis) if array.shape == case.shape else array

    yield from _pairwise(one, others[0], dict.fromkeys(ARRAYS, ordered))


# --- sums over the classes -------------------------------------------------------------------


def _no_forms(form: Form) -> tuple[Form, ...]:
    """Return no transformed form, for relations within one answer."""
    return ()


def _compare_sums(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield the sums over the classes: probabilities add up to 1, gradients to 0."""
    case, axis = one.form.case, one.form.case.class_axis

    def over(array: Floats) -> Floats:
        return np.asarray(array.sum(axis))

    if case.operation == "softmax":
        total = over(one.answers["value"])
        yield AnswerPair("value", total, np.ones_like(total), _summed([(one, "value", over)]))
    if case.operation == "log_softmax":
        # An error b of log p is an error p(e^b − 1) of p.
        p = np.exp(one.answers["value"])
        limit = _summed([(one, "value", lambda b: over(p * np.expm1(np.minimum(b, 1.0))))])
        yield AnswerPair("value", over(p), np.ones_like(over(p)), limit)
    # The gradient of logsumexp is a softmax times the cotangent, and does not add up to 0.
    if case.operation != "logsumexp" and "gradient_logits" in one.answers:
        total = over(one.answers["gradient_logits"])
        limit = _summed([(one, "gradient_logits", over)])
        yield AnswerPair("gradient_logits", total, np.zeros_like(total), limit)


# --- parts of a batch ------------------------------------------------------------------------


def _halves(form: Form) -> tuple[Form, ...]:
    """Return the two halves of a batch."""
    rows = form.case.shape[0]
    return tuple(_part(form, part) for part in (slice(0, rows // 2), slice(rows // 2, rows)))


def _part(form: Form, part: slice) -> Form:
    """Return the form restricted to some rows."""
    inputs = form.inputs
    target = None if inputs.target is None else inputs.target[part]
    inputs = replace(inputs, values=inputs.values[part], target=target)
    cotangent = form.cotangent[part] if form.cotangent.ndim else form.cotangent
    return Form(replace(form.case, shape=inputs.values.shape), inputs, cotangent)


def _compare_halves(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield every quantity of the batch with those of its halves, joined or added up."""
    case = one.form.case
    is_mean = case.contract.is_loss and case.options.reduction == "mean"
    # A mean over the batch is the mean of the halves' means, weighted by their numbers of rows.
    shares = [other.form.case.shape[0] / case.shape[0] if is_mean else 1.0 for other in others]
    for quantity, left in one.answers.items():
        if any(quantity not in other.answers for other in others):
            continue
        parts = [
            share * other.answers[quantity] for share, other in zip(shares, others, strict=True)
        ]
        # Quantities with rows are joined, a reduced loss is added up.
        right = np.concatenate(parts) if left.ndim else np.asarray(sum(parts))
        terms: list[tuple[Answered, str, Callable[[Floats], Floats]]] = [(one, quantity, _same)]
        for number, (share, other) in enumerate(zip(shares, others, strict=True)):
            place = _placed(number, share, case.shape[0], bool(left.ndim))
            terms.append((other, quantity, place))
        yield AnswerPair(quantity, left, right, _summed(terms))


def _placed(number: int, share: float, rows: int, is_array: bool) -> Callable[[Floats], Floats]:
    """Return a function that puts the bound of one half at its rows in the whole batch.

    Args:
        number: 0 for the first half, 1 for the second.
        share: the factor of this half in a mean.
        rows: the number of rows in the whole batch.
        is_array: whether the quantity has rows, and is not a scalar.
    """

    def place(limits: Floats) -> Floats:
        if not is_array:
            return share * limits
        before = number * (rows // 2)
        widths = [(before, rows - before - len(limits)), *[(0, 0)] * (limits.ndim - 1)]
        return np.pad(share * limits, widths)

    return place


# --- one-hot targets -------------------------------------------------------------------------


def _as_one_hot(form: Form) -> tuple[Form, ...]:
    """Return the form with one-hot targets instead of labels."""
    case, inputs = form.case, form.inputs
    assert inputs.target is not None  # noqa: S101 -- the relation holds for index targets only
    # The target gets the dtype of the logits, as most frameworks demand of probabilities.
    one_hot = np.arange(case.shape[case.class_axis]) == inputs.target[..., None]
    target = np.moveaxis(one_hot, -1, case.class_axis).astype(inputs.values.dtype)
    inputs = replace(inputs, target=target)
    return (Form(case.with_target("one_hot", case.target_family), inputs, form.cotangent),)


def _compare_plainly(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield every quantity with that of the other form as it is."""
    yield from _pairwise(one, others[0], {})


# --- reflection ------------------------------------------------------------------------------


def _reflected(form: Form) -> tuple[Form, ...]:
    """Return the form with x replaced by −x, probabilities p by 1 − p, and targets z by 1 − z."""
    inputs, one = form.inputs, form.inputs.values.dtype.type(1)
    # The subtraction from 1 is exact for the numbers of probed cases.
    is_probs = form.case.contract.domain == "probs"
    values = one - inputs.values if is_probs else -inputs.values
    target = None if inputs.target is None else one - inputs.target
    return (replace(form, inputs=replace(inputs, values=values, target=target)),)


def _compare_reflected(one: Answered, others: tuple[Answered, ...]) -> Iterator[AnswerPair]:
    """Yield the pairs: σ(x) = 1 − σ(−x), log σ(x) = x + log σ(−x), BCE(x, z) = BCE(−x, 1 − z).

    The gradients are those of both sides.
    """
    operation, x = one.form.case.operation, one.form.inputs.values.astype(np.float64)
    cotangent = one.form.cotangent
    # What transforms each quantity back: d/dx of f(−x) is −f'(−x), and log σ has slope 1 more.
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
    """Return whether the operation takes the logits of classes."""
    return case.contract.reads_classes and case.contract.domain == "logits"


def _is_of_classes(case: Case, claim: Claim) -> bool:
    """Return whether the operation has a class axis."""
    return case.contract.reads_classes


def _is_worth_splitting(case: Case, claim: Claim) -> bool:
    """Return whether a half may be computed by another kernel or in other blocks."""
    return case.shape[0] > 1 and int(np.prod(case.shape)) >= _WORTH_SPLITTING


def _takes_both(case: Case, claim: Claim) -> bool:
    """Return whether the implementation takes labels as well as one-hot targets."""
    return case.target_kind == "index" and "one_hot" in claim.targets


def _is_symmetric(case: Case, claim: Claim) -> bool:
    """Return whether the operation has a symmetry between x and −x."""
    return not case.contract.reads_classes and case.operation != "exp"


RELATIONS = (
    Relation("shift", _is_of_logits, _shifted, _compare_shifted),
    Relation("permutation", _is_of_classes, _permuted, _compare_permuted),
    Relation("sums", _is_of_logits, _no_forms, _compare_sums),
    Relation("split", _is_worth_splitting, _halves, _compare_halves),
    Relation("one_hot", _takes_both, _as_one_hot, _compare_plainly),
    Relation("reflection", _is_symmetric, _reflected, _compare_reflected),
)
