"""The judge: one observed quantity against the exact answer and its bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.dtypes import Array, Format, format_of
from ...cases.model import Case, Inputs
from ..answers import HVP_LOGITS, Failure, fingerprint
from ..bounds import LADDER, SOUND, Algorithm, bound
from ..oracle import CONTRACT, Convention, Exact, Floats, Solution, limited, solve, solve_second
from ..verdicts import CONVENTION, SEVERITY, UNDEFINED, base, standing
from .conventions import conventions_for, undefined_answer

_RANKS = (
    "exact",
    "faithful",
    "within bound",
    "flushed",
    "order",
    "formula",
    "narrow",
    "inaccurate",
    "nonfinite",
)
_RANK = {name: rank for rank, name in enumerate(_RANKS)}
_HALF = 0.5 + 2.0**-20  # the oracle's own error is below 2^-20 ulp


@dataclass(frozen=True)
class Verdict:
    """What the judge says of one quantity; fields as in `harness.runfile.rows.VerdictRow`."""

    word: str
    ulp: float | None = None
    ratio: float | None = None
    abs_error: float | None = None
    where: str = ""
    exact: str = ""
    got: str = ""
    note: str = ""
    fingerprint: str = ""

    @property
    def is_finding(self) -> bool:
        """Whether it is neither agreement nor explained."""
        return standing(self.word) == "finding"


@dataclass(frozen=True)
class SolvedCase:
    """A case with its arrays and right answers, solved once for all who answer it."""

    case: Case
    inputs: Inputs

    @cached_property
    def judged(self) -> dict[tuple[str, str], Verdict]:
        """Verdicts by quantity and bits: many functions of a framework are one underneath."""
        return {}

    @cached_property
    def solution(self) -> Solution:
        """The answer under the contract."""
        return self._solved(CONTRACT)

    @cached_property
    def alternatives(self) -> list[tuple[str, Solution]]:
        """The answers under other conventions."""
        return [
            (name, solution)
            for name, convention in conventions_for(self.case)
            if not (solution := self._solved(convention)).refusal
        ]

    def _solved(self, convention: Convention) -> Solution:
        solution = solve(self.case, self.inputs, convention)
        if not self.case.is_probed or solution.refusal:
            return solution
        second = solve_second(self.case, self.inputs, convention)
        if second is None:
            return solution
        return replace(solution, quantities={**solution.quantities, HVP_LOGITS: second})

    @cached_property
    def _bounds(self) -> dict[tuple[int, str, object], Floats]:
        return {}

    def bound(self, solution: Solution, quantity: str, algorithm: Algorithm) -> Floats:
        """Return `bounds.bound`, computed once."""
        key = (id(solution), quantity, algorithm)
        if key not in self._bounds:
            self._bounds[key] = bound(self.case, solution, quantity, algorithm)
        return self._bounds[key]


def solved_case(case: Case) -> SolvedCase:
    """Return a case ready to be judged."""
    return SolvedCase(case, case.inputs())


def judge(question: SolvedCase, quantity: str, answer: NDArray[Any] | Failure) -> Verdict:
    """Return the verdict on one quantity of one observation.

    Args:
        question: the case, solved.
        quantity: `value`, `gradient_logits`, `gradient_target` or `hvp_logits`.
        answer: the array that came back, or why there is none.
    """
    if isinstance(answer, Failure):
        return _on_failure(question, answer)
    key = (quantity, fingerprint(answer))
    if key not in question.judged:
        question.judged[key] = replace(_on_array(question, quantity, answer), fingerprint=key[1])
    return question.judged[key]


def _on_failure(question: SolvedCase, failure: Failure) -> Verdict:
    refusal = question.solution.refusal
    if refusal and failure.kind == "raised":
        return Verdict("refused", note=f"{refusal}: {failure.message}")
    if failure.kind == "raised" and question.case.mixes_dtypes:
        return Verdict(f"{CONVENTION}dtypes_refused", note=failure.message)
    if failure.kind == "raised" and not refusal and _is_undefined(question):
        return Verdict(f"{UNDEFINED}error", note=failure.message)
    return Verdict(failure.kind, note=failure.message)


def _is_undefined(question: SolvedCase) -> bool:
    """Whether an error is as good as any answer: nothing is agreed on, or a target is NaN."""
    case, value = question.case, question.solution.quantities["value"].hi
    without_classes = case.contract.reads_classes and case.shape[case.class_axis] == 0
    return without_classes or _holds_nan(question.inputs.target) or _is_all_nan(value)


def _is_all_nan(value: Floats) -> bool:
    return bool(value.size and np.isnan(value).all())


def _holds_nan(target: Array | None) -> bool:
    """Whether a probability of the target is NaN: it is not within [0, 1] either."""
    return target is not None and bool(np.isnan(target.astype(np.float64)).any())


def _on_array(question: SolvedCase, quantity: str, answer: NDArray[Any]) -> Verdict:
    refusal = question.solution.refusal
    if refusal:
        return _accepted(question, quantity, answer, refusal)
    verdict = _judge_against(question, question.solution, quantity, answer)
    if verdict.is_finding and verdict.word != "mismatched":
        return _by_convention(question, quantity, answer) or verdict
    if verdict.word.startswith(UNDEFINED):
        return _by_convention(question, quantity, answer, defines=True) or verdict
    return verdict


def _accepted(question: SolvedCase, quantity: str, answer: NDArray[Any], refusal: str) -> Verdict:
    verdict = _by_convention(question, quantity, answer)
    if verdict is not None:
        return verdict
    got = ", ".join(_text(number) for number in answer.ravel()[:4].astype(np.float64))
    return Verdict("accepted", exact="an error", got=got, note=refusal)


def _by_convention(
    question: SolvedCase, quantity: str, answer: NDArray[Any], *, defines: bool = False
) -> Verdict | None:
    """The convention that the answer meets best: by the milder verdict, then the smaller ratio.

    With `defines`, only conventions that have an answer everywhere.
    """
    met = []
    for name, solution in question.alternatives:
        if quantity not in solution.quantities:
            continue
        if _nan_is_not_met(question, solution, quantity, answer):
            continue
        verdict = _judge_against(question, solution, quantity, answer)
        undefined = verdict.word.startswith(UNDEFINED)
        # In 16 bits `narrow` forgives so much that any convention would be met by accident.
        met_closely = not verdict.is_finding and verdict.word != "narrow"
        if met_closely and not (defines and undefined):
            note = "NaN, as the convention has it" if undefined else verdict.word
            named = replace(verdict, word=CONVENTION + name, note=note)
            met.append((SEVERITY[base(verdict.word)], verdict.ratio or 0.0, named))
    return min(met, key=lambda item: item[:2])[2] if met else None


def _nan_is_not_met(
    question: SolvedCase, solution: Solution, quantity: str, answer: NDArray[Any]
) -> bool:
    """Whether a convention gives NaN where the contract does not, and the answer gives none."""
    due = np.isnan(solution.quantities[quantity].hi)
    if question.solution.refusal:  # then NaN may also stand for no agreed answer
        due = due & (solution.convention.bad_index == "nan")
    else:
        due = due & ~np.isnan(question.solution.quantities[quantity].hi)
    if answer.shape != due.shape or format_of(answer.dtype) is None:
        return True
    return bool((due & ~np.isnan(answer.astype(np.float64))).any())


def _judge_against(
    question: SolvedCase, solution: Solution, quantity: str, answer: NDArray[Any]
) -> Verdict:
    exact = solution.quantities[quantity]
    if answer.shape != exact.shape:
        return Verdict("mismatched", note=f"shape {answer.shape}, where {exact.shape} is due")
    due, form = _due(question.inputs, quantity), format_of(answer.dtype)
    if form is None:
        return Verdict("mismatched", note=f"dtype {answer.dtype.name}, where {due.name} is due")
    verdict = Verdict("exact", note="an empty array")
    if answer.size:
        sheet = _Sheet.of(exact, answer.astype(np.float64), form)
        verdict = sheet.verdict(question, solution, quantity)
    return verdict if answer.dtype == due else _of_another_dtype(question, answer, due, verdict)


def _due(inputs: Inputs, quantity: str) -> np.dtype[Any]:
    """The dtype that the contract gives a result: that of what it is, or is the gradient by."""
    if quantity == "gradient_target":
        assert inputs.target is not None  # noqa: S101 -- or there would be no such quantity
        return inputs.target.dtype
    return inputs.values.dtype


def _of_another_dtype(
    question: SolvedCase, answer: NDArray[Any], due: np.dtype[Any], verdict: Verdict
) -> Verdict:
    """The widest dtype of the arguments, or that of the first, is a convention; no other is."""
    got, taken = answer.dtype, _floating(question.inputs)
    named = ", ".join(f"{name} {dtype.name}" for name, dtype in taken.items())
    known = {_promoted(taken): "promoted", taken["values"]: "dtype_of_logits"}
    if got in known and not verdict.is_finding:
        note = f"{got.name} from {named}, where {due.name} is due: {verdict.word}"
        return replace(verdict, word=CONVENTION + known[got], note=note)
    note = f"dtype {got.name}, where {due.name} is due, from {named}; its numbers: {verdict.word}"
    return replace(verdict, word="mismatched", note=note)


def _floating(inputs: Inputs) -> dict[str, np.dtype[Any]]:
    arrays = {name: array for name, array in vars(inputs).items() if array is not None}
    return {name: array.dtype for name, array in arrays.items() if format_of(array.dtype)}


def _promoted(taken: dict[str, np.dtype[Any]]) -> np.dtype[Any] | None:
    try:
        return np.result_type(*taken.values())
    except TypeError:  # float16 with bfloat16
        return None


@dataclass(frozen=True)
class _Sheet:
    """Errors element by element; flat arrays.

    Attributes:
        exact: the right values.
        got: what came back.
        undefined: where there is no agreed answer.
        special: where one of the two is not finite, and it matters.
        right: where specials match.
        error: absolute errors, 0 where special or undefined.
        ulp: errors in ulp of the exact value.
    """

    shape: tuple[int, ...]
    form: Format
    exact: Exact
    got: Floats
    undefined: NDArray[np.bool_]
    special: NDArray[np.bool_]
    right: NDArray[np.bool_]
    error: Floats
    ulp: Floats

    @classmethod
    def of(cls, exact: Exact, got: Floats, form: Format) -> _Sheet:
        shape = exact.shape
        exact, got = exact.map(np.ravel), got.ravel()
        undefined = np.isnan(exact.hi)
        infinite = np.isinf(exact.hi)
        over = _excess(exact, form)
        expects_inf = infinite | (over >= 0)
        either = ~infinite & (np.abs(over) <= 1)
        special = ~undefined & (expects_inf | ~np.isfinite(got))
        sign = np.sign(exact.hi)
        same = np.isinf(got) & (np.sign(got) == sign)
        at_edge = either & (same | (np.abs(got) == form.max))
        right = special & ((expects_inf & same) | at_edge)
        plain = ~undefined & ~special
        difference = abs(exact - Exact.of(np.where(plain, got, 0.0)))
        error = np.where(plain, difference.to_float(), 0.0)
        binade = np.maximum(np.minimum(exact.exponent - 1, form.emax), form.emin)
        shift = limited(difference.exponent - (binade - form.precision + 1))
        with np.errstate(over="ignore", invalid="ignore"):
            ulp = np.where(plain, np.ldexp(difference.hi, shift), 0.0)
        return cls(shape, form, exact, got, undefined, special, right, error, ulp)

    def verdict(self, question: SolvedCase, solution: Solution, quantity: str) -> Verdict:
        rank = self._ranks(question, solution, quantity)
        sound = question.bound(solution, quantity, SOUND)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            ratio = np.nan_to_num(self.error / sound.ravel(), nan=0.0)
        worst = int(np.lexsort((ratio, rank))[-1])
        word = _RANKS[rank[worst]]
        if self.undefined.any() and rank.max() < _RANK["inaccurate"]:
            word = CONVENTION + undefined_answer(self.got[self.undefined])
            worst = int(np.argmax(self.undefined))
        normal = np.abs(self.exact.to_float()) >= self.form.tiny
        measured = word != "nonfinite"
        return Verdict(
            word,
            ulp=float(self.ulp[normal].max(initial=0.0)) if measured else None,
            ratio=float(ratio.max(initial=0.0)) if measured else None,
            abs_error=float(self.error.max(initial=0.0)) if measured else None,
            where=str(list(map(int, np.unravel_index(worst, self.shape)))) if self.shape else "",
            exact=_exact_text(self.exact, worst),
            got=_text(self.got[worst]),
            note=self._note(question, quantity, word),
        )

    def _note(self, question: SolvedCase, quantity: str, word: str) -> str:
        if word == "narrow":
            return f"sums run in {question.case.dtype}"
        minus = (self.got == 0) & np.signbit(self.got) & ~np.signbit(self.exact.hi)
        return f"{minus.sum()} times -0 for 0" if quantity == "value" and minus.any() else ""

    def _ranks(self, question: SolvedCase, solution: Solution, quantity: str) -> NDArray[np.int64]:
        """The rank of each element; explanations are looked for where they are needed."""
        rank = np.full(self.got.shape, _RANK["inaccurate"])
        sound = question.bound(solution, quantity, SOUND)
        rank[self.error <= sound.ravel()] = _RANK["within bound"]
        rank[self.ulp < 1.0] = _RANK["faithful"]
        rank[self.ulp <= _HALF] = _RANK["exact"]
        rank[self.special] = np.where(self.right, _RANK["exact"], _RANK["nonfinite"])[self.special]
        rank[self.undefined] = _RANK["exact"]
        beyond = rank == _RANK["inaccurate"]
        if beyond.any():
            rank[beyond] = self._explained(question, solution, quantity)[beyond]
        return rank

    def _explained(
        self, question: SolvedCase, solution: Solution, quantity: str
    ) -> NDArray[np.int64]:
        rank = np.full(self.got.shape, _RANK["inaccurate"])
        narrow_form = question.case.dtype in ("float16", "bfloat16")
        for name, algorithm in reversed(LADDER):
            if algorithm.narrow and not narrow_form:
                continue
            limit = question.bound(solution, quantity, algorithm)
            rank[self.error <= limit.ravel()] = _RANK[name]
        # A probability below 2 tiny is flushed; a gradient is up to twice, a second one 4 times it.
        factors: dict[str, int] = {"value": 2, HVP_LOGITS: 8}
        factor = factors.get(quantity, 4)
        flushed = (self.got == 0) & (np.abs(self.exact.to_float()) < factor * self.form.tiny)
        rank[flushed] = _RANK["flushed"]
        return rank


def _excess(exact: Exact, form: Format) -> Floats:
    """How far beyond the overflow threshold 2^(emax+1) − ½ulp a value is, in ulp of the max."""
    if exact.exponent.max(initial=0) <= form.emax:
        return np.full(exact.shape, -np.inf)
    ulp = 2.0 ** (form.emax - form.precision + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        threshold = Exact.of(form.max) + Exact.of(ulp / 2)
        excess = (abs(exact) - threshold) / ulp
        return np.where(np.isfinite(exact.hi), excess.to_float(), 0.0)


def _text(number: Any) -> str:
    return repr(float(number))


def _exact_text(exact: Exact, index: int) -> str:
    if np.isnan(exact.hi[index]):
        return "no agreed answer"
    return repr(float(exact[index].to_float()))
