"""Judge one answer against the exact one and its bounds: the first verdict that holds.

An error is judged by what the contract demands, an array element by element (`element_errors`).
An answer that would be a finding is compared with the documented conventions as well
(`conventions`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import FORMATS, format_of
from ...cases.model import Inputs
from ..answers import Failure, fingerprint
from ..oracle import Solution
from ..verdicts import CONVENTION, UNDEFINED, VerdictKind
from .element_errors import ElementErrors, number_text
from .solved_case import SolvedCase
from .verdict import DtypeMismatch, Refusal, Remark, ShapeMismatch, Verdict

_FAR_NEARER = 16  # times
_SHOWN = 4  # numbers of an answer that should have been an error


def judge(solved: SolvedCase, quantity: str, answer: NDArray[Any] | Failure) -> Verdict:
    """Return the verdict on one quantity of one answer.

    Args:
        solved: the case with its right answers.
        quantity: `value`, `gradient_logits`, `gradient_target` or `hvp_logits`.
        answer: the array that came back, of any dtype and shape, or the reason why there is none.

    Returns:
        The verdict on the worst element, or on the failure.

    >>> from lossdiff.cases.model import Case
    >>> from lossdiff.harness.judging import solved_case
    >>> solved = solved_case(Case.parse("softmax/float32/1x2/two_units/-/0"))
    >>> judge(solved, "value", np.array([[0.5, 0.5]], np.float32)).word
    'inaccurate'
    """
    if isinstance(answer, Failure):
        return _on_failure(solved, answer)
    if solved.inputs.is_whole and format_of(answer.dtype):
        solved = solved.in_dtype(answer.dtype.name)  # any floating dtype is due
    # Many functions give the same bits, and equal bits get the same verdict.
    key = (quantity, fingerprint(answer))
    if key not in solved.judged:
        solved.judged[key] = replace(_on_array(solved, quantity, answer), fingerprint=key[1])
    return solved.judged[key]


def _on_failure(solved: SolvedCase, failure: Failure) -> Verdict:
    """Return the verdict on a missing array; an error is right if the contract demands one."""
    solution = solved.solution
    if failure.kind != "raised":
        return Verdict(failure.kind, detail=failure)
    if solved.case.has_no_batch:  # which is no part of most functions' contracts
        return Verdict(VerdictKind.UNSUPPORTED.word, detail=failure)
    if solution.refusal:
        detail = Refusal(solution.broken_rule, solution.refusal, failure)
        return Verdict(VerdictKind.REFUSED.word, detail=detail)
    if solved.case.mixes_dtypes or solved.inputs.is_whole:
        return Verdict(f"{CONVENTION}dtypes_refused", detail=failure)
    if solved.accepts_errors:
        return Verdict(f"{UNDEFINED}error", detail=failure)
    return Verdict(failure.kind, detail=failure)


def _on_array(solved: SolvedCase, quantity: str, answer: NDArray[Any]) -> Verdict:
    """Return the verdict under the contract, or under a convention that the answer follows."""
    if solved.solution.refusal:
        return _by_convention(solved, quantity, answer) or _accepted(solved.solution, answer)
    verdict = judge_under(solved, solved.solution, quantity, answer)
    # No convention changes a shape or a dtype, beyond those that `_of_another_dtype` knows.
    if verdict.is_finding and verdict.kind is not VerdictKind.MISMATCHED:
        return _by_convention(solved, quantity, answer) or verdict
    if verdict.is_undefined:
        return _by_convention(solved, quantity, answer, defines=True) or verdict
    return verdict


def _accepted(solution: Solution, answer: NDArray[Any]) -> Verdict:
    """Return the verdict on an array where the contract demands an error."""
    got = ", ".join(number_text(it) for it in answer.ravel()[:_SHOWN].astype(np.float64))
    detail = Refusal(solution.broken_rule, solution.refusal)
    return Verdict(VerdictKind.ACCEPTED.word, exact="an error", got=got, detail=detail)


def _by_convention(
    solved: SolvedCase, quantity: str, answer: NDArray[Any], *, defines: bool = False
) -> Verdict | None:
    """Return the verdict under the convention that the answer meets best; None if it meets none.

    The best one has the mildest verdict, and among these the smallest ratio. With `defines`, only
    conventions that define every element are considered.
    """
    met = []
    for name, solution in solved.alternatives:
        if quantity not in solution.quantities:
            continue
        if lacks_a_nan(solved, solution, quantity, answer):
            continue
        verdict = judge_under(solved, solution, quantity, answer)
        if _is_met(solved, quantity, answer, verdict) and not (defines and verdict.is_undefined):
            text = "NaN, as the convention has it" if verdict.is_undefined else verdict.word
            named = replace(verdict, word=CONVENTION + name, detail=Remark(text))
            met.append((verdict.kind.rank, verdict.ratio or 0.0, named))
    return min(met, key=lambda item: item[:2])[2] if met else None


def _is_met(solved: SolvedCase, quantity: str, answer: NDArray[Any], under: Verdict) -> bool:
    """Return whether an answer follows a convention, under which it has a verdict.

    In 16 bits `narrow` forgives so much that any convention would be met by accident. The matrix
    products of a linear loss are often `narrow`, so that it counts there if the answer is far
    nearer to the convention than to the contract.
    """
    if under.is_finding or under.kind is not VerdictKind.NARROW:
        return not under.is_finding
    if not solved.case.contract.is_linear or solved.solution.refusal:
        return False
    error = judge_under(solved, solved.solution, quantity, answer).abs_error
    return (under.abs_error or 0.0) * _FAR_NEARER <= (error or 0.0)


def lacks_a_nan(
    solved: SolvedCase, solution: Solution, quantity: str, answer: NDArray[Any]
) -> bool:
    """Return whether the answer lacks a NaN that the convention demands and the contract does not.

    An answer that avoids the peculiarity of a convention does not meet it.
    """
    expected = np.isnan(solution.quantities[quantity].hi)
    if solved.solution.refusal:  # then a NaN may also mark elements without an agreed answer
        expected = expected & (solution.convention.bad_index == "nan")
    else:
        expected = expected & ~np.isnan(solved.solution.quantities[quantity].hi)
    if answer.shape != expected.shape or format_of(answer.dtype) is None:
        return True
    return bool((expected & ~np.isnan(answer.astype(np.float64))).any())


def judge_under(
    solved: SolvedCase, solution: Solution, quantity: str, answer: NDArray[Any]
) -> Verdict:
    """Return the verdict under one convention: shape first, then dtype, then numbers."""
    exact = solution.quantities[quantity]
    if answer.shape != exact.shape:
        detail = ShapeMismatch(answer.shape, exact.shape)
        return Verdict(VerdictKind.MISMATCHED.word, detail=detail)
    expected, form = _expected_dtype(solved, quantity), format_of(answer.dtype)
    if form is None:
        return _without_format(solved, solution, quantity, answer)
    verdict = Verdict(VerdictKind.EXACT.word, detail=Remark("an empty array"))
    if answer.size:
        errors = ElementErrors.of(exact, answer.astype(np.float64), form)
        verdict = errors.verdict(solved, solution, quantity)
    if answer.dtype == expected:
        return verdict
    return _of_another_dtype(solved, answer.dtype, expected, verdict)


def _without_format(
    solved: SolvedCase, solution: Solution, quantity: str, answer: NDArray[Any]
) -> Verdict:
    """Return the verdict on whole numbers, or on numbers that have no format."""
    expected = _expected_dtype(solved, quantity)
    if answer.dtype.kind not in "biu" or not answer.size:
        mismatch = DtypeMismatch(answer.dtype.name, expected.name)
        return Verdict(VerdictKind.MISMATCHED.word, detail=mismatch)
    numbers = answer.astype(np.float64)
    errors = ElementErrors.of(solution.quantities[quantity], numbers, FORMATS["float64"])
    verdict = errors.verdict(solved, solution, quantity)
    mismatch = DtypeMismatch(answer.dtype.name, expected.name, numbers=verdict.word)
    return replace(verdict, word=VerdictKind.MISMATCHED.word, detail=mismatch)


def _expected_dtype(solved: SolvedCase, quantity: str) -> np.dtype[Any]:
    """Return the dtype of a result: that of the argument with respect to which it is the gradient.

    A value has the dtype of the first argument, unless that has whole numbers.
    """
    inputs = solved.inputs
    if quantity == "gradient_target":
        assert inputs.target is not None  # noqa: S101 -- or there would be no such quantity
        return inputs.target.dtype
    return FORMATS[solved.case.dtype].dtype if inputs.is_whole else inputs.values.dtype


def _of_another_dtype(
    solved: SolvedCase, got: np.dtype[Any], expected: np.dtype[Any], verdict: Verdict
) -> Verdict:
    """Return the verdict on an array of a dtype that the contract does not demand.

    The dtype of the widest argument and that of the first are conventions; any other is wrong.
    """
    # The numbers were judged in the dtype that came back, so that a convention about dtypes is
    # only granted to numbers that are right in it.
    dtypes = _floating(solved.inputs)
    known = {_promoted(dtypes): "promoted", dtypes["values"]: "dtype_of_logits"}
    is_convention = got in known and not verdict.is_finding
    detail = DtypeMismatch(
        got.name,
        expected.name,
        tuple((name, dtype.name) for name, dtype in dtypes.items()),
        verdict.word,
        is_convention,
    )
    word = CONVENTION + known[got] if is_convention else VerdictKind.MISMATCHED.word
    return replace(verdict, word=word, detail=detail)


def _floating(inputs: Inputs) -> dict[str, np.dtype[Any]]:
    """Return the dtypes of the floating arguments, by name."""
    arrays = {name: array for name, array in vars(inputs).items() if array is not None}
    return {name: array.dtype for name, array in arrays.items() if format_of(array.dtype)}


def _promoted(dtypes: dict[str, np.dtype[Any]]) -> np.dtype[Any] | None:
    """Return the dtype that NumPy promotes all arguments to; None where there is none."""
    try:
        return np.result_type(*dtypes.values())
    except TypeError:  # float16 and bfloat16 have no common dtype
        return None
