"""Find the findings on a user's functions that the framework's own functions show alike.

A finding that comes from the framework is no fault of the function that calls it. After the user's
functions have been asked, each question with a finding is put to the framework's own functions of
the same operation, in a process that imports nothing of the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from ...cases.packed import in_parts
from ...errors import LossdiffError
from ..answers import Observation
from ..judging import Remark, Verdict, as_judged
from ..own import alike, askable
from ..runfile import RunFile, VerdictRow
from ..verdicts import VerdictKind, is_finding, kind_of
from ..workers import NO_SPARES, Caller, Ended, Question, Setup, Spares
from .findings import Findings
from .judgement import Judge
from .plan import Plan

_TOGETHER = 16  # questions; a framework's own function rarely ends its process
_MOST = 4000  # findings of one framework that are compared
_Asked = tuple[Question, str]  # a question to the framework, and the id of the user's
Progress = Callable[[str, str, int, int], None]  # framework, state, done, total


def share_findings(
    plan: Plan, run: RunFile, judge: Judge, progress: Progress, spares: Spares = NO_SPARES
) -> int:
    """Mark the findings on a user's functions that are the framework's own.

    Args:
        plan: the plan of the run.
        run: has the rows of the user's functions.
        judge: judges the answers of the framework's functions.
        progress: is told how far it is.
        spares: have a process of the framework, perhaps, and keep it for a later step.

    Returns:
        The number of findings that were marked and that no ledger names.
    """
    marked = 0
    for framework in plan.extra:
        where = "kind = 'user' AND framework = ? AND shared = ''"
        rows = [it for it in run.rows(VerdictRow, where, (framework,)) if is_finding(it.verdict)]
        if not rows:
            continue
        setup = _setup(plan, framework)
        # Where the framework's own functions end, what they do is unknown and excuses nothing.
        with Caller(setup, plan.memory, spares) as caller, suppress(LossdiffError):
            asked = _Comparison(plan, run, judge, caller)
            name = f"{framework}, its own"
            pairs = asked.pairs(rows[:_MOST], partial(progress, name, "asking"))
            progress(name, "done", asked.size, asked.size)
            run.share(pairs)
            marked += sum(not row.known for row, _ in pairs)
    return marked


def start_ahead(plan: Plan, findings: Findings, framework: str, spares: Spares) -> None:
    """Start the process of `share_findings`, once there are findings, while others are asked."""
    if any(map(is_finding, findings.verdicts)):
        spares.start(_setup(plan, framework))


def _setup(plan: Plan, framework: str) -> Setup:
    return Setup(framework, plan.device, cache=plan.cache, python=plan.python)


class _Comparison:
    """Asks the functions of one framework what findings were made with.

    Attributes:
        size: the number of questions.
    """

    size = 0

    def __init__(self, plan: Plan, run: RunFile, judge: Judge, caller: Caller) -> None:
        self._plan, self._run, self._judge, self._caller = plan, run, judge, caller
        catalogue = caller.catalogue()
        self._natives = [it for it in catalogue.claims if it.kind == "native"]
        self._findings = Findings(plan.device)  # of rows that are not written
        self._findings.meet(catalogue.claims[0].framework, catalogue)

    def pairs(
        self, rows: Sequence[VerdictRow], told: Callable[[int, int], None]
    ) -> list[tuple[VerdictRow, str]]:
        """Return each finding that a function of the framework shows alike, with its name.

        Args:
            rows: the findings.
            told: is called with the number of questions that are done, and of all.
        """
        by_question: dict[tuple[str, str], list[VerdictRow]] = {}
        for row in rows:
            by_question.setdefault((row.case, row.mode), []).append(row)
        questions = list(self._questions(by_question))
        self.size = len(questions)
        found: dict[int, tuple[VerdictRow, str]] = {}
        for number, batch in enumerate(in_parts(questions, _TOGETHER)):
            told(number * _TOGETHER, len(questions))
            for (question, of), observation in self._answered(batch):
                theirs = list(self._verdicts(question, observation))
                for mine in by_question[of, question.mode]:
                    is_other = question.case.id != of
                    if is_other and kind_of(mine.verdict) is not VerdictKind.NONFINITE:
                        continue
                    if any(_is_alike(mine, quantity, it) for quantity, it in theirs):
                        found.setdefault(id(mine), (mine, question.implementation))
        return list(found.values())

    def _questions(self, asked: Iterable[tuple[str, str]]) -> Iterator[_Asked]:
        for name, mode in asked:
            case = self._run.case(name)
            for claim in self._natives:
                its = askable(claim, case) if claim.operation == case.operation else None
                if its is not None:
                    yield Question(claim.name, mode, its), name

    def _answered(self, batch: Sequence[_Asked]) -> Iterator[tuple[_Asked, Observation]]:
        """Yield the answers; where one ends the process, those of the others one by one."""
        answers = self._caller.observations([it for it, _ in batch], self._plan.timeout)
        if not isinstance(answers, Ended):
            yield from zip(batch, answers, strict=True)
        elif len(batch) > 1:
            for asked in batch:
                yield from self._answered([asked])

    def _verdicts(
        self, question: Question, observation: Observation
    ) -> Iterator[tuple[str, Verdict]]:
        claim = self._findings.claim(self._natives[0].framework, question.implementation)
        judgement = self._judge.judge(claim, question.case, observation)
        for row in self._findings.rows_of(judgement):
            yield row.quantity, _verdict_of(row)


def _is_alike(mine: VerdictRow, quantity: str, theirs: Verdict) -> bool:
    if mine.verdict != as_judged(mine.verdict):
        return mine.quantity == quantity and as_judged(mine.verdict) == theirs.word
    # What is mismatched is said in the note alone.
    is_same = mine.verdict != VerdictKind.MISMATCHED.word or mine.note == theirs.note
    return mine.quantity == quantity and is_same and alike(_verdict_of(mine), theirs)


def _verdict_of(row: VerdictRow) -> Verdict:
    return Verdict(
        row.verdict,
        row.ulp,
        row.ratio,
        row.abs_error,
        row.where,
        row.exact,
        row.got,
        Remark(row.note) if row.note else None,
        row.fingerprint,
    )
