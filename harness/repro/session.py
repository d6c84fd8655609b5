"""Evaluate one question at a time in a process of its own, and judge the answer in this one.

A call that ends its process or does not return gets a verdict like any other; the next question
goes to a fresh process.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray
from pebble import ProcessExpired

from ...backends import FRAMEWORKS
from ...cases.model import Case
from ...errors import DeviceAbsentError, SessionError
from ..answers import Failure
from ..judging import Remark, SolvedCase, Verdict, judge, solved_case
from ..workers import (
    START_TIMEOUT,
    Catalogue,
    Setup,
    Source,
    ask_quantity,
    catalogue,
    process_pool,
    source,
)

# The errors of a process that does not start; RuntimeError is what frameworks raise at the import.
_NO_START = (ProcessExpired, FutureTimeoutError, DeviceAbsentError, ImportError, RuntimeError)


@dataclass(frozen=True)
class AnswerSelector:
    """Selects one answer to a case.

    Attributes:
        implementation: the name of the implementation.
        mode: the mode in which the framework runs it.
        quantity: `value`, `gradient_logits`, `gradient_target` or `hvp_logits`.
        all_gradients: whether all gradients are computed in the same call, as in a run, or this
            quantity alone.
    """

    implementation: str
    mode: str
    quantity: str
    all_gradients: bool = False


class Session:
    """One worker process of a framework; use it in a `with` statement.

    Attributes:
        catalogue: the claims of the framework's implementations, and its versions.
    """

    def __init__(self, framework: str, device: str = "cpu", extra: tuple[str, ...] = ()) -> None:
        """Start the process and import the framework there.

        Args:
            framework: a name of `FRAMEWORKS`.
            device: `cpu` or `gpu`.
            extra: files or modules of the user's own implementations.

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
        # A forked process would share locks and threads of this one, which frameworks do not bear.
        context = multiprocessing.get_context("spawn")
        loads = context.Event()
        setup = Setup(framework, device, extra)
        self._pool = process_pool(setup, context, loads)
        try:
            self.catalogue: Catalogue = self._pool.schedule(
                catalogue, timeout=START_TIMEOUT
            ).result()
        except _NO_START as error:
            self._end()
            raise SessionError(f"{framework} does not start: {error}") from error
        except BaseException:
            self._end()
            raise
        loads.set()

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
        self._pool.stop()
        self._pool.join()

    def verdict(self, case: Case, selector: AnswerSelector, timeout: float = 120.0) -> Verdict:
        """Evaluate a case and judge the answer; a crash and a time-out are verdicts too.

        Args:
            case: the case to evaluate.
            selector: the answer to judge.
            timeout: the seconds that the answer may take.
        """
        question = self.question(case)
        solution = question.solution
        if not solution.refusal and selector.quantity not in solution.quantities:
            missing = Remark(f"the case has no {selector.quantity}")
            return Verdict("unsupported", detail=missing)
        return judge(question, selector.quantity, self.answer(case, selector, timeout))

    def answer(
        self, case: Case, selector: AnswerSelector, timeout: float = 120.0
    ) -> NDArray[Any] | Failure:
        """Evaluate a case; return the answer as an array, or the reason why there is none.

        Args:
            case: the case to evaluate.
            selector: the answer to return.
            timeout: the seconds that the answer may take.
        """
        future = self._pool.schedule(
            ask_quantity, args=[case, *vars(selector).values()], timeout=timeout
        )
        try:
            return future.result()
        except FutureTimeoutError:
            return Failure("timed out", f"no answer within {timeout:g} s")
        except ProcessExpired as error:
            message = f"the process died with status {error.exitcode}"
            return Failure("crashed", message, status=error.exitcode)

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
        future = self._pool.schedule(source, args=[case, *vars(selector).values()], timeout=120)
        return future.result()
