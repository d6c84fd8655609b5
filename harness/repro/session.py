"""Evaluate one question at a time in a process of its own, and judge the answer in this one.

A call that ends its process or does not return gets a verdict like any other; the next question
goes to a fresh process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from ...backends import FRAMEWORKS
from ...cases.model import Case
from ...errors import DeviceAbsentError, LostError, SessionError, SourceError
from ..answers import Failure
from ..judging import OwnRules, Remark, SolvedCase, Verdict, judge, judge_own, solved_case
from ..own import Learnt
from ..workers import (
    NO_SPARES,
    AnswerRequest,
    AnswerSelector,
    Caller,
    Catalogue,
    Ended,
    Limits,
    Setup,
    Source,
    SourceRequest,
    Spares,
    introduce,
    share_of_memory,
    unpack,
)

_SOURCE_TIMEOUT = 120.0  # seconds
_LEARN_TIMEOUT = 30.0  # of the plain questions to one function


@dataclass(frozen=True)
class Idle:
    """The idle processes of a run, and the setting by which they are known.

    Attributes:
        spares: the processes.
        cache: the folder in which their compilers keep programs; see `Setup`.
    """

    spares: Spares = NO_SPARES
    cache: str | None = None


NONE_IDLE = Idle()


class Session:
    """One worker process of a framework; use it in a `with` statement.

    Attributes:
        catalogue: the claims of the framework's implementations, and its versions.
    """

    def __init__(
        self,
        framework: str,
        device: str = "cpu",
        extra: tuple[str, ...] = (),
        memory: int = 0,
        only: str = "",
        learnt: tuple[Learnt, ...] | None = None,
        idle: Idle = NONE_IDLE,
    ) -> None:
        """Start the process and import the framework there.

        Args:
            framework: a name of `FRAMEWORKS`.
            device: `cpu` or `gpu`.
            extra: files or modules of the user's own implementations.
            memory: bytes that the process may take; 0 for its share of the machine.
            only: the name of the user's function that is shown; empty for all.
            learnt: what is known of the user's functions; None if they are asked plain questions.
            idle: the processes that are left of a run.

        Raises:
            SessionError: the framework is missing, or does not start.
            UserFileError: a file of implementations cannot be used.
        """
        if framework not in FRAMEWORKS:
            raise SessionError(f"{framework} is not asked in a process; nothing can be shown of it")
        # A missing framework is found here, since an import error of the process says less.
        missing = FRAMEWORKS[framework].why_missing
        if missing:
            raise SessionError(missing)
        self.framework, self.device, self.extra = framework, device, extra
        self._question: SolvedCase | None = None
        setup = Setup(framework, device, extra, learnt, cache=idle.cache)
        limit = memory or share_of_memory(1)
        self._caller = Caller(setup, limit, idle.spares)
        try:
            if extra and learnt is None:
                learnt = introduce(setup, Limits(_LEARN_TIMEOUT, limit), only=only).learnt
                self._caller = Caller(replace(setup, learnt=learnt), limit)
            self.catalogue: Catalogue = self._caller.catalogue()
        except (LostError, DeviceAbsentError) as error:
            self._end()
            raise SessionError(f"{framework} does not start: {error}") from error
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._caller.close()

    def verdict(self, case: Case, selector: AnswerSelector, timeout: float = 120.0) -> Verdict:
        """Evaluate a case and judge the answer; a crash and a time-out are verdicts too.

        Args:
            case: the case to evaluate.
            selector: the answer to judge.
            timeout: the seconds that the answer may take.
        """
        return self.judged(case, selector, timeout)[1]

    def judged(
        self, case: Case, selector: AnswerSelector, timeout: float = 120.0
    ) -> tuple[NDArray[Any] | Failure, Verdict]:
        """Return the answer to a case with the verdict on it; see `verdict`."""
        question = self.question(case)
        solution = question.solution
        if not solution.refusal and selector.quantity not in solution.quantities:
            missing = f"the case has no {selector.quantity}"
            return Failure("unsupported", missing), Verdict("unsupported", detail=Remark(missing))
        answer = self.answer(case, selector, timeout)
        own = {claim.name: claim.limits for claim in self.catalogue.own}
        if selector.implementation in own:
            limits = own[selector.implementation]
            rules = OwnRules(limits.result_dtype, limits.clip)
            return answer, judge_own(question, selector.quantity, answer, rules)
        return answer, judge(question, selector.quantity, answer)

    def answer(
        self, case: Case, selector: AnswerSelector, timeout: float = 120.0
    ) -> NDArray[Any] | Failure:
        """Evaluate a case; return the answer as an array, or the reason why there is none.

        Args:
            case: the case to evaluate.
            selector: the answer to return.
            timeout: the seconds that the answer may take.
        """
        found = self._caller.call(AnswerRequest(case, selector), timeout)
        if isinstance(found, Ended):
            return Failure(found.kind, found.message, status=found.status)
        return unpack(found)

    def question(self, case: Case) -> SolvedCase:
        """Return the solved case; the last one is stored for further answers to it."""
        if self._question is None or self._question.case.id != case.id:
            self._question = solved_case(case)
        return self._question

    def source(self, case: Case, selector: AnswerSelector) -> Source:
        """Return the program text of an implementation and of its call for a case.

        Raises:
            SourceError: the source text of the implementation cannot be found.
        """
        found = self._caller.call(SourceRequest(case, selector), _SOURCE_TIMEOUT)
        if isinstance(found, Ended):
            raise SourceError(f"the source cannot be read: {found.message}")
        source: Source = found
        return source
