"""The right answer to a user's own arrays, and how far a sound computation may be from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.checked import shown
from ..cases.dtypes import FORMATS
from ..cases.model import Inputs
from ..errors import ArgumentValueError
from ..harness.answers import LINEAR_GRADIENTS
from ..harness.bounds import SOUND
from ..harness.formula import Decimals, in_digits
from ..harness.judging import SolvedCase
from ..harness.oracle import Exact, Solution
from .frameworks import named
from .own_case import Asked, asked
from .written import written

_MANY = 100_000  # digits; a logarithm to more takes minutes
MOST_DIGITS = 25  # of what the oracle computes: pairs of float64 numbers, good to about 2^-90


@dataclass(frozen=True)
class Exactly:
    """The right answer to a question.

    Attributes:
        value: the value, as `decimal.Decimal`: one number for a scalar, otherwise an array of
            dtype object, in the shape of the result.
        gradient_logits: the gradient with respect to the first argument, likewise; None for hidden
            states.
        gradient_target: the gradient with respect to the target; None for targets without one.
        dtype: the dtype of the arrays.
        float64: the same quantities, by their names, rounded to float64.
        gradient_hidden: of a linear loss, the gradient with respect to the hidden states.
        gradient_linear_weight: that with respect to the linear weights.
        gradient_linear_bias: that with respect to the bias; None without one.
    """

    value: Any
    gradient_logits: Any
    gradient_target: Any
    dtype: str
    float64: dict[str, NDArray[np.float64]] = field(repr=False)
    gradient_hidden: Any = None
    gradient_linear_weight: Any = None
    gradient_linear_bias: Any = None


def exact(
    operation: str,
    logits: object,
    target: object = None,
    *,
    digits: int = MOST_DIGITS,
    **options: Any,
) -> Exactly:
    """Return the right value of an operation, and its gradients, to many digits.

    They are those of the arrays as they are given: float32 numbers are taken as what they are,
    logits and targets that are text, `Decimal`, `Fraction` or mpmath's numbers to their last digit.
    The gradient is that of the sum of the result, or of its product with `cotangent`.

    Args:
        operation: the name of an operation.
        logits: the first argument: numbers, nested lists, or an array of any framework.
        target: the target, likewise; None for an operation without one.
        digits: the number of significant digits, as many as wanted, up to 100,000.
        options: the options of the operation: `label_smoothing=0.1`, `weight=[1.0, 2.0]`,
            `reduction="none"`, `axis=(1, 2)`, `keepdim=True`, `where=mask`; `dtype` to which the
            arrays are rounded first; `target_kind`; `cotangent`.

    Raises:
        CallError: an argument is of a type, a value or a shape that is not taken.

    >>> print(exact("logsumexp", [0.0, 0.0]).value)
    0.6931471805599453094172321
    >>> exact("cross_entropy", [[0.0, 0.0]], [0], digits=3).gradient_logits.tolist()
    [[Decimal('-0.5'), Decimal('0.5')]]
    """
    if type(digits) is not int or not 1 <= digits <= _MANY:
        raise ArgumentValueError(
            f"digits is {shown(digits)}; allowed: whole numbers from 1 to {_MANY:,}"
        )
    question = asked(operation, logits, target, options)
    solved = solved_of(question)
    # What is far below the numbers of a narrower dtype is a number here.
    solution = solved.in_dtype("float64").solution if solved.by_formula else solved.solution
    right = _decimals(question, solution, digits, logits, target)
    found = {name: question.restored(name, numbers) for name, numbers in right.items()}
    wide = {name: question.restored(name, exact.to_float())
            for name, exact in solution.quantities.items()}  # fmt: skip
    return Exactly(
        _plain(found["value"]),
        _plain(found.get("gradient_logits")),
        _plain(found.get("gradient_target")),
        question.case.dtype,
        wide,
        **{name: found[name] for name in LINEAR_GRADIENTS.values() if name in found},
    )


def _decimals(
    question: Asked, solution: Solution, digits: int, logits: object, target: object
) -> dict[str, NDArray[Any]]:
    """Return the quantities in decimals: the oracle's, or where these are too few, by formulas."""
    case, given = question.case, question.case.given
    assert given is not None  # noqa: S101 -- it was made of arrays
    exactly = {} if question.rounds else dict(_written(question, given, logits, target))
    if digits <= MOST_DIGITS and not exactly:
        return {name: decimals(exact, digits) for name, exact in solution.quantities.items()}
    if case.shape and case.judged_rows < case.shape[0]:
        raise ArgumentValueError(f"digits is {digits}; of so large an array allowed: {MOST_DIGITS}")
    return in_digits(case, given, solution, digits, exactly)


def _written(
    question: Asked, given: Inputs, logits: object, target: object
) -> Iterator[tuple[str, Decimals]]:
    """Yield the arguments that float64 does not hold, as they were written."""
    for name, one, rounded in (("values", logits, given.values), ("target", target, given.target)):
        exactly = None if one is None else written(one)
        if exactly is None or rounded is None or (name == "target" and rounded.dtype.kind in "iu"):
            continue
        # What a mask has left out is 0 or infinite in the arrays of the case.
        is_number = np.isfinite(rounded) & (rounded != 0)
        floats = np.frompyfunc(Decimal, 1, 1)(rounded.astype(np.float64).astype(object))
        yield name, np.where(is_number, question.placed(exactly), floats)


def tolerance(
    operation: str,
    logits: object,
    target: object = None,
    *,
    quantity: str = "value",
    **options: Any,
) -> NDArray[np.float64]:
    """Return how far a sound computation may be from the right answer, element by element.

    It is made for an assertion of your own: `abs(mine - right) <= tolerance(…)`, where `right` is
    `exact(…).float64["value"]`.

    Args:
        operation: the name of an operation.
        logits: the first argument: numbers, nested lists, or an array of any framework.
        target: the target, likewise; None for an operation without one.
        quantity: `value`, or a gradient such as `gradient_logits`.
        options: as for `exact`; `dtype` is the one that is computed in.

    Returns:
        Absolute errors as float64, in the shape of the quantity.

    Raises:
        CallError: an argument is of a type, a value or a shape that is not taken.

    >>> tolerance("softmax", [0.0, 0.0], dtype="float32").round(9)
    array([3.87e-07, 3.87e-07])
    """
    question = asked(operation, logits, target, options)
    solved = solved_of(question)
    solution = solved.solution
    named("quantity", quantity, solution.quantities)
    limit = solved.bound(solution, quantity, SOUND)
    # A sound computation may be a rounding away also where the analysis promises more.
    with np.errstate(over="ignore", invalid="ignore"):
        right = np.abs(solution.quantities[quantity].to_float())
        half = right * FORMATS[question.case.dtype].unit_roundoff
    limit = np.maximum(limit, np.nan_to_num(half, nan=0.0, posinf=0.0))
    return question.restored(quantity, limit)


def solved_of(question: Asked) -> SolvedCase:
    """Return a question with its right answer.

    Raises:
        ArgumentValueError: the right answer is an error.
    """
    given = question.case.given
    assert given is not None  # noqa: S101 -- it was made of arrays
    solved = SolvedCase(question.case, given)
    if solved.solution.refusal:
        raise ArgumentValueError(f"the right answer is an error: {solved.solution.refusal}")
    return solved


def decimals(exact: Exact, digits: int) -> NDArray[Any]:
    """Return exact numbers as an array of `Decimal`, rounded to a number of digits.

    At most `MOST_DIGITS` are right.
    """
    flat = exact.map(np.ravel)
    found = np.empty(flat.shape, object)
    with localcontext() as context:
        for place in range(flat.hi.size):
            found[place] = _decimal(flat, place, digits, context)
    return found.reshape(exact.shape)


def _decimal(exact: Exact, place: int, digits: int, context: Any) -> Decimal:
    context.prec = 60
    high, low = float(exact.hi[place]), float(exact.lo[place])
    if not np.isfinite(high) or not high:
        return Decimal(high)
    whole = Decimal(high) + (Decimal(low) if np.isfinite(low) else 0)
    scaled = whole * Decimal(2) ** int(exact.exponent[place])
    context.prec = digits
    return +scaled


def _plain(array: NDArray[Any] | None) -> Any:
    """Return the number of an array without axes, and other arrays as they are."""
    return array.item() if array is not None and array.ndim == 0 else array
