"""The judge: one observed quantity against the exact answer and its bounds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.dtypes import Format, format_of
from ..cases.model import Case, Inputs
from .arithmetic import Exact, Floats, limited
from .bounds import bound
from .conventions import conventions_for, undefined_answer
from .observation import Failure
from .oracle import solve
from .precision import LADDER, SOUND
from .solution import Solution
from .verdicts import CONVENTION, SEVERITY, base, standing

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
    """What the judge says of one quantity; fields as in `harness.runfile.VerdictRow`."""

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
class Question:
    """A case with its arrays and right answers, solved once for all who answer it."""

    case: Case
    inputs: Inputs

    @cached_property
    def solution(self) -> Solution:
        """The answer under the contract."""
        return solve(self.case, self.inputs)

    @cached_property
    def alternatives(self) -> list[tuple[str, Solution]]:
        """The answers under other conventions."""
        return [
            (name, solution)
            for name, rules in conventions_for(self.case)
            if not (solution := solve(self.case, self.inputs, rules)).refusal
        ]

    @cached_property
    def _bounds(self) -> dict[tuple[int, str, object], Floats | None]:
        return {}

    def bound(self, solution: Solution, quantity: str, algorithm: Any) -> Floats | None:
        """Return `bounds.bound`, computed once."""
        key = (id(solution), quantity, algorithm)
        if key not in self._bounds:
            self._bounds[key] = bound(self.case, solution, quantity, algorithm)
        return self._bounds[key]


def question_of(case: Case) -> Question:
    """Return a case ready to be judged."""
    return Question(case, case.inputs())


def judge(question: Question, quantity: str, answer: NDArray[Any] | Failure) -> Verdict:
    """Return the verdict on one quantity of one observation.

    Args:
        question: the case, solved.
        quantity: `value`, `gradient_logits` or `gradient_target`.
        answer: the array that came back, or why there is none.
    """
    refusal = question.solution.refusal
    if isinstance(answer, Failure):
        if refusal and answer.kind == "raised":
            return Verdict("refused", note=f"{refusal}: {answer.message}")
        return Verdict(answer.kind, note=answer.message)
    fingerprint = _fingerprint(answer)
    if refusal:
        verdict = _accepted(question, quantity, answer, refusal)
    else:
        verdict = _judge_against(question, question.solution, quantity, answer)
        if verdict.is_finding and verdict.word != "mismatched":
            verdict = _by_convention(question, quantity, answer) or verdict
    return replace(verdict, fingerprint=fingerprint)


def _fingerprint(answer: NDArray[Any]) -> str:
    head = f"{answer.dtype.name}{answer.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(answer).tobytes()).hexdigest()[:16]


def _accepted(question: Question, quantity: str, answer: NDArray[Any], refusal: str) -> Verdict:
    verdict = _by_convention(question, quantity, answer)
    if verdict is not None:
        return verdict
    got = ", ".join(_text(number) for number in answer.ravel()[:4].astype(np.float64))
    return Verdict("accepted", exact="an error", got=got, note=refusal)


def _by_convention(question: Question, quantity: str, answer: NDArray[Any]) -> Verdict | None:
    """The convention that the answer meets best: by the milder verdict, then the smaller ratio."""
    met = []
    for name, solution in question.alternatives:
        if _nan_is_not_met(question, solution, quantity, answer):
            continue
        verdict = _judge_against(question, solution, quantity, answer)
        if not verdict.is_finding:
            note = "NaN, as the convention has it" if "undefined" in verdict.word else verdict.word
            named = replace(verdict, word=CONVENTION + name, note=note)
            met.append((SEVERITY[base(verdict.word)], verdict.ratio or 0.0, named))
    return min(met, key=lambda item: item[:2])[2] if met else None


def _nan_is_not_met(
    question: Question, solution: Solution, quantity: str, answer: NDArray[Any]
) -> bool:
    """Whether a convention gives NaN where the contract does not, and the answer gives none."""
    due = np.isnan(solution.quantities[quantity].hi)
    if not question.solution.refusal:
        due = due & ~np.isnan(question.solution.quantities[quantity].hi)
    if answer.shape != due.shape or format_of(answer.dtype) is None:
        return True
    return bool((due & ~np.isnan(answer.astype(np.float64))).any())


def _judge_against(
    question: Question, solution: Solution, quantity: str, answer: NDArray[Any]
) -> Verdict:
    exact = solution.quantities[quantity]
    mismatch = _mismatch(question, exact, answer)
    if mismatch:
        return Verdict("mismatched", note=mismatch)
    form = format_of(answer.dtype)
    assert form is not None  # noqa: S101 -- a mismatch otherwise
    if not answer.size:
        return Verdict("exact", note="an empty array")
    sheet = _Sheet.of(exact, answer.astype(np.float64), form)
    return sheet.verdict(question, solution, quantity)


def _mismatch(question: Question, exact: Exact, answer: NDArray[Any]) -> str:
    wanted = question.inputs.values.dtype
    if answer.dtype != wanted:
        return f"dtype {answer.dtype.name}, where {wanted.name} is due"
    if answer.shape != exact.shape:
        return f"shape {answer.shape}, where {exact.shape} is due"
    return ""


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

    def verdict(self, question: Question, solution: Solution, quantity: str) -> Verdict:
        rank = self._ranks(question, solution, quantity)
        sound = question.bound(solution, quantity, SOUND)
        assert sound is not None  # noqa: S101 -- pairwise sums are never vacuous here
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
            note=self._note(word),
        )

    def _ranks(self, question: Question, solution: Solution, quantity: str) -> NDArray[np.int64]:
        """The rank of each element; explanations are looked for where they are needed."""
        rank = np.full(self.got.shape, _RANK["inaccurate"])
        sound = question.bound(solution, quantity, SOUND)
        assert sound is not None  # noqa: S101 -- pairwise sums are never vacuous here
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
        self, question: Question, solution: Solution, quantity: str
    ) -> NDArray[np.int64]:
        rank = np.full(self.got.shape, _RANK["inaccurate"])
        narrow_form = self.form.name in ("float16", "bfloat16")
        for name, algorithm in reversed(LADDER):
            if algorithm.narrow and not narrow_form:
                continue
            limit = question.bound(solution, quantity, algorithm)
            if limit is not None:
                rank[self.error <= limit.ravel()] = _RANK[name]
        flushed = (self.got == 0) & (np.abs(self.exact.to_float()) < 2 * self.form.tiny)
        rank[flushed] = _RANK["flushed"]
        return rank

    def _note(self, word: str) -> str:
        if word != "narrow":
            return ""
        return f"sums run in {self.form.name}"


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
