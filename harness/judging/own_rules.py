"""Judge users' functions: what they declare, and what is fair of a function that nobody documents.

The numbers come first: an array of another dtype is judged by its numbers, and its dtype is a
second remark. Two conventions at once are tried, and an error, or a NaN, counts as an answer only
if the function answers the same question with the fault taken out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import FORMATS, format_of
from ...cases.model import Inputs
from ..answers import VALUE, Failure, WithoutFault
from ..oracle import CONTRACT, Convention, Solution
from ..verdicts import CONVENTION, UNDEFINED, VerdictKind
from .conventions import conventions_for
from .judge import judge, judge_under, lacks_a_nan
from .looks_like import fits
from .mistakes_of_softmax import clipped
from .solved_case import SolvedCase
from .verdict import DtypeMismatch, Remark, Verdict

NOT_IMPLEMENTED = "NotImplementedError"
_OF_ERRORS = (f"{CONVENTION}dtypes_refused", f"{UNDEFINED}error", VerdictKind.REFUSED.word)
_OF_NAN = f"{CONVENTION}bad_index_is_nan"
_OF_NOTHING = "nothing_counts_as_zero"
DECLARED_CLIP, CLIP_OF_DTYPE = "clip_declared", "clip_eps"
USUAL_CLIP, _USUAL_EPSILON = "clip_1e-7", 1e-7
IN_FLOAT32 = "computed_in_float32"
UNCHECKED = "unchecked"
AS_ZEROS = "bad_index_as_zeros"
OVERFLOWS = "overflows_on_the_way"
WIDE_TYPES = "wide_types"
_NEXT_TO_LARGEST = 8
_FAR_NEARER = 16  # times


@dataclass(frozen=True)
class OwnRules:
    """What is known of a user's function and of its answer.

    Attributes:
        result_dtype: the dtype of its values that it declares; empty for none.
        clip: the ε to which it declares that probabilities are clipped; 0 for none.
        without_fault: how it answers the same question with the fault taken out.
        widens: whether arrays that it makes without a dtype are float64 only because it is asked
            with the 64-bit types of its framework, which its users have not.
    """

    result_dtype: str = ""
    clip: float = 0.0
    without_fault: WithoutFault = ""
    widens: bool = False


NO_RULES = OwnRules()


def judge_own(
    solved: SolvedCase,
    quantity: str,
    answer: NDArray[Any] | Failure,
    rules: OwnRules = NO_RULES,
) -> Verdict:
    """Return the verdict on one quantity of an answer of a user's function.

    Args:
        solved: the case with its right answers.
        quantity: `value`, `gradient_logits`, `gradient_target` or `hvp_logits`.
        answer: the array that came back, or the reason why there is none.
        rules: what is known of the function.
    """
    if not (rules.widens and _is_float64_for_less(solved, answer)):
        return _judged(solved, quantity, answer, rules)
    assert isinstance(answer, np.ndarray)  # noqa: S101 -- of float64
    narrow = answer.astype(FORMATS[solved.case.dtype].dtype)
    verdict = _judged(solved, quantity, narrow, rules)
    agrees = verdict.kind.category == "agrees"
    return replace(verdict, word=CONVENTION + WIDE_TYPES) if agrees else verdict


def _judged(
    solved: SolvedCase, quantity: str, answer: NDArray[Any] | Failure, rules: OwnRules
) -> Verdict:
    verdict = judge(solved, quantity, answer)
    if isinstance(answer, Failure):
        return _on_failure(verdict, answer, rules.without_fault)
    if verdict.word == _OF_NAN and rules.without_fault in ("nan", "error"):
        verdict = _accepted(solved, verdict)
        overflows = _overflows(solved, quantity, answer, verdict)
        return replace(verdict, word=CONVENTION + OVERFLOWS) if overflows else verdict
    if rules.result_dtype and quantity == VALUE:
        return _of_declared_dtype(solved, quantity, answer, rules, verdict)
    if _is_unchecked(solved, verdict):
        return replace(verdict, word=CONVENTION + UNCHECKED)
    verdict = _numbers_first(solved, quantity, answer, verdict)
    if _overflows(solved, quantity, answer, verdict):
        return replace(verdict, word=CONVENTION + OVERFLOWS)
    return _under_more_conventions(solved, quantity, answer, rules, verdict)


def _is_float64_for_less(solved: SolvedCase, answer: NDArray[Any] | Failure) -> bool:
    is_wide = isinstance(answer, np.ndarray) and answer.dtype == np.float64
    return is_wide and solved.case.dtype in set(FORMATS) - {"float64"}


def _on_failure(verdict: Verdict, failure: Failure, without_fault: WithoutFault) -> Verdict:
    """Return the verdict on an error, which is no answer if any question raises it."""
    is_unwritten = failure.error == NOT_IMPLEMENTED or failure.message.startswith(NOT_IMPLEMENTED)
    if failure.kind == "raised" and is_unwritten:
        return Verdict(VerdictKind.UNSUPPORTED.word, detail=failure)
    if verdict.word in _OF_ERRORS and without_fault == "error":
        return Verdict(VerdictKind.RAISED.word, detail=failure)
    return verdict


def _accepted(solved: SolvedCase, verdict: Verdict) -> Verdict:
    remark = Remark("NaN, which the function gives without a label out of range, too")
    word = VerdictKind.ACCEPTED.word
    assert solved.solution.refusal  # noqa: S101 -- or the convention would not be tried
    return replace(verdict, word=word, exact="an error", detail=remark)


def _is_unchecked(solved: SolvedCase, verdict: Verdict) -> bool:
    """Return whether numbers were taken that are no probabilities.

    A loss of a few lines checks no numbers, which costs time and is its caller's business.
    """
    broken = solved.solution.broken_rule
    return verdict.kind is VerdictKind.ACCEPTED and broken in ("probability", "target probability")


def _overflows(solved: SolvedCase, quantity: str, answer: NDArray[Any], verdict: Verdict) -> bool:
    """Return whether numbers next to the largest one made a step overflow, and nothing else.

    Hardly any function avoids it: a difference of two such numbers, or their sum, is infinite. A
    mistake that shows with smaller numbers, too, is a finding there.
    """
    is_refused = bool(solved.solution.refusal)
    if verdict.kind is not (VerdictKind.ACCEPTED if is_refused else VerdictKind.NONFINITE):
        return False
    form = FORMATS[solved.case.dtype]
    arrays = (it for it in vars(solved.inputs).values() if it is not None)
    floats = [it.astype(np.float64) for it in arrays if format_of(it.dtype)]
    largest = max(np.abs(it[np.isfinite(it)]).max(initial=0.0) for it in floats)
    are_numbers = np.isfinite(answer.astype(np.float64))
    if not is_refused:
        right = solved.solution.quantities[quantity].to_float()
        are_numbers &= np.abs(right) > form.max
    return bool(largest > form.max / _NEXT_TO_LARGEST and not are_numbers.any())


# --- dtypes ----------------------------------------------------------------------------------


def _numbers_first(
    solved: SolvedCase, quantity: str, answer: NDArray[Any], verdict: Verdict
) -> Verdict:
    """Return the verdict on the numbers of an array of another dtype, if they are wrong."""
    detail = verdict.detail
    if not isinstance(detail, DtypeMismatch) or detail.is_convention or not detail.numbers:
        return verdict
    if _is_wider(solved, answer, "float32") and detail.expected == solved.case.dtype:
        widened = _widened(solved, answer.dtype.name)
        wide = judge(widened, quantity, answer)
        # A sum of numbers next to the largest one overflows in float32 as it does in bfloat16.
        overflows = _overflows(widened, quantity, answer, wide)
        if overflows or not wide.is_finding:
            note = Remark(f"{detail}, and {wide.word} as numbers of {answer.dtype.name}")
            return replace(
                wide, word=CONVENTION + (OVERFLOWS if overflows else IN_FLOAT32), detail=note
            )
    # Numbers of a wider dtype are judged as those of the dtype that is due.
    due = FORMATS[detail.expected].dtype
    form = format_of(answer.dtype)
    is_wider = form is not None and form.precision > FORMATS[detail.expected].precision
    numbers = judge(solved, quantity, answer.astype(due)) if is_wider else None
    word = detail.numbers if numbers is None else numbers.word
    said = replace(detail, numbers=word)
    if numbers is not None and (numbers.is_finding or numbers.convention):
        # A finding stays one whatever convention its numbers follow.
        kept = numbers.word if numbers.is_finding else verdict.word
        return replace(numbers, word=kept, detail=said, fingerprint=verdict.fingerprint)
    is_wrong = numbers is None and word in (
        VerdictKind.INACCURATE.word, VerdictKind.NONFINITE.word
    )  # fmt: skip
    return replace(verdict, word=word if is_wrong else verdict.word, detail=said)


def _of_declared_dtype(
    solved: SolvedCase, quantity: str, answer: NDArray[Any], rules: OwnRules, verdict: Verdict
) -> Verdict:
    """Return the verdict on a value whose dtype the function declares."""
    declared = rules.result_dtype
    if answer.dtype.name != declared:
        detail = DtypeMismatch(answer.dtype.name, declared, (), verdict.word)
        is_right = not verdict.is_finding
        return replace(verdict, word="mismatched", detail=detail) if is_right else verdict
    if solved.solution.refusal or declared == solved.case.dtype:
        return _under_more_conventions(solved, quantity, answer, rules, verdict)
    if FORMATS[declared].precision > FORMATS[solved.case.dtype].precision:
        wide = _widened(solved, declared)
        return _under_more_conventions(wide, quantity, answer, rules, judge(wide, quantity, answer))
    narrow = verdict.detail
    if isinstance(narrow, DtypeMismatch) and narrow.numbers:
        return replace(verdict, word=narrow.numbers, detail=Remark(f"declared: {declared}"))
    return verdict


def _is_wider(solved: SolvedCase, answer: NDArray[Any], dtype: str) -> bool:
    is_16_bits = FORMATS[solved.case.dtype].dtype.itemsize == 2
    return is_16_bits and answer.dtype.name == dtype and not solved.solution.refusal


def _widened(solved: SolvedCase, dtype: str) -> SolvedCase:
    """Return the same question in a wider dtype, which holds its numbers without rounding."""
    form = FORMATS[dtype]
    inputs = Inputs(
        *(
            array.astype(form.dtype) if array is not None and format_of(array.dtype) else array
            for array in vars(solved.inputs).values()
        )
    )
    return SolvedCase(replace(solved.case, dtype=dtype, target_dtype=""), inputs)


# --- conventions -----------------------------------------------------------------------------


def _under_more_conventions(
    solved: SolvedCase, quantity: str, answer: NDArray[Any], rules: OwnRules, verdict: Verdict
) -> Verdict:
    """Return the verdict under the declared ε, or under two conventions at once."""
    if verdict.kind not in (VerdictKind.INACCURATE, VerdictKind.NONFINITE, VerdictKind.ACCEPTED):
        return verdict
    for name, convention in _more_conventions(solved, rules):
        solution = solved.under(convention)
        if solution.refusal or quantity not in solution.quantities:
            continue
        if not lacks_a_nan(solved, solution, quantity, answer):
            found = judge_under(solved, solution, quantity, answer)
            if _is_met(solved, solution, quantity, answer, found):
                return replace(found, word=CONVENTION + name, detail=Remark(found.word))
    if rules.clip and not solved.by_formula and fits(solved, quantity, answer, clipped(rules.clip)):
        return replace(verdict, word=CONVENTION + DECLARED_CLIP, detail=Remark(f"{rules.clip:g}"))
    of_probs = solved.case.contract.domain == "probs"
    if of_probs and quantity != VALUE and fits(solved, quantity, answer, clipped(_USUAL_EPSILON)):
        return replace(verdict, word=CONVENTION + USUAL_CLIP, detail=Remark(verdict.word))
    return verdict


def _more_conventions(solved: SolvedCase, rules: OwnRules) -> Iterator[tuple[str, Convention]]:
    yield from _of_labels(solved)
    single = [it for it in conventions_for(solved.case) if it[0] != _OF_NOTHING]
    if solved.case.contract.domain == "probs" and not solved.by_formula:
        unit = 2 * FORMATS[solved.case.dtype].unit_roundoff
        own = [(DECLARED_CLIP, Convention(clip=rules.clip))] if rules.clip else []
        own.append((CLIP_OF_DTYPE, Convention(clip=unit)))
        yield from own
        single += own
    for (one, left), (other, right) in combinations(single, 2):
        both = _together(left, right)
        if both is not None:
            yield f"{one}+{other}", both


def _of_labels(solved: SolvedCase) -> Iterator[tuple[str, Convention]]:
    """Yield what a loss does with a label out of range, in 16 bits (see `_is_met`) and else.

    A fused loss of one-hot targets has the gradient p − target whatever a target sums to, also
    where a label means no class.
    """
    if solved.solution.broken_rule != "label":
        return
    yield from (it for it in conventions_for(solved.case) if it[1].bad_index != "error")
    if solved.inputs.weight is None and solved.case.contract.domain == "logits":
        yield AS_ZEROS, Convention(bad_index="zeros", sums_to_1=True)
        yield AS_ZEROS, Convention(bad_index="zeros", sums_to_1=True, mean_over="rows")


def _is_met(
    solved: SolvedCase,
    solution: Solution,
    quantity: str,
    answer: NDArray[Any],
    under: Verdict,
) -> bool:
    """Return whether an answer follows a convention, under which it has a verdict.

    In 16 bits `narrow` forgives so much that conventions would be met by accident. Where an error
    is due there is no other answer to be near to, and it counts if what it forgives is little
    beside the numbers themselves.
    """
    if under.is_finding or under.kind is not VerdictKind.NARROW:
        return not under.is_finding
    if not solved.solution.refusal:
        return False
    right = solution.quantities[quantity].to_float()
    off = np.abs(answer.astype(np.float64) - right)
    return bool((_FAR_NEARER * off <= np.abs(right).max(initial=0.0)).all())


def _together(one: Convention, other: Convention) -> Convention | None:
    """Return both conventions at once; None if they are about the same choice."""
    changes: dict[str, Any] = {}
    for convention in (one, other):
        for field in fields(Convention):
            value = getattr(convention, field.name)
            if value != getattr(CONTRACT, field.name):
                if field.name in changes:
                    return None
                changes[field.name] = value
    return Convention(**changes)
