"""Show each cause of findings by a small input, and put that to the main function of each library.

`check` does this once its questions are answered, because the frameworks are there then; whoever
reads the run need not have them. A search ends after a number of questions, so that two runs of
the same questions have the same examples; the limits of time are far beyond what it takes, except
for a user's function that is slow.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...backends import EAGER, FRAMEWORKS, Library
from ...backends.claim import Claim
from ...cases.dtypes import FORMATS
from ...cases.model import Case
from ...errors import LossdiffError
from ..answers import Failure
from ..causes import FindingCause, causes_of_findings, findings_of, is_scripted
from ..judging import as_judged
from ..own import Learnt
from ..runfile import ExampleAnswerRow, ExampleRow, RunFile, VerdictRow, WorkerRow
from ..verdicts import VerdictKind, kind_of
from ..workers import AnswerSelector
from .again import asked_again
from .array_lines import array_line
from .same_mistake import same_mistake
from .session import NONE_IDLE, Idle, Session
from .shrink import shrink

_QUESTIONS = 100  # candidates for one cause
_COMPILED = 12  # how often their signature may change where each is compiled
_SECONDS = 120.0  # for one cause
_OWN_SECONDS = 10.0  # for one cause in a user's function, whose user waits for it
_DEADLY = 10  # candidates where each ends a process
_ANSWER = 60.0  # seconds for one answer, which a busy machine may need to compile
_ALL = 600.0  # seconds for all causes; what is left then has no example
_MOST = 80  # causes that get an example, the worst first
_MOST_OWN = 20  # of those in users' functions
_LARGEST = 2**20  # elements of a case that is shrunk
_TRIED = 3  # functions of a library that are asked until one has the quantity
_SHIPPED = ("native", "recipe")
_OWN = "user"  # the kind of a user's function
YOURS = "yours"  # stands for the library of a user's function
_TEXT = 200  # characters of a message


class Shown(Protocol):
    """A cause that an input shows.

    Attributes:
        id: its name, by which its example is found again.
        plainest: the finding that is shrunk.
        looks_like: the mistake that its findings look like; empty for none.
    """

    @property
    def id(self) -> str: ...

    @property
    def plainest(self) -> VerdictRow: ...

    @property
    def looks_like(self) -> str: ...


@dataclass(frozen=True)
class Yours:
    """Users' functions, as a session needs them.

    Attributes:
        files: their files or modules, by framework.
        learnt: what is known of them; a framework that is not there asks them plain questions.
    """

    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    learnt: Mapping[str, tuple[Learnt, ...]] = field(default_factory=dict)


def missing_examples(run: RunFile, own: Iterable[Shown] = ()) -> list[Shown]:
    """Return the causes of a run that a small input can show and that have none yet.

    Args:
        run: an open run file.
        own: the causes in users' functions, the worst first; they come before all others.
    """
    there = {row.cause for row in run.rows(ExampleRow)}
    # ONNX's own evaluator is no framework, and is asked nothing else.
    started = {row.framework for row in run.rows(WorkerRow) if not row.absent} & set(FRAMEWORKS)

    def is_shown(cause: Shown) -> bool:
        row = cause.plainest
        is_endless = kind_of(row.verdict) is VerdictKind.TIMED_OUT
        return is_scripted(row.verdict) and not is_endless and row.framework in started

    mine: list[Shown] = [cause for cause in own if is_shown(cause)]
    theirs: list[Shown] = [
        cause for cause in causes_of_findings(findings_of(run)) if is_shown(cause)
    ]
    found = [*mine[:_MOST_OWN], *theirs[:_MOST]]
    return [cause for cause in found if cause.id not in there]


def write_examples(
    run: RunFile,
    causes: Sequence[Shown],
    yours: Yours | None = None,
    idle: Idle = NONE_IDLE,
    say: Callable[[int], None] = lambda _: None,
) -> None:
    """Shrink the plainest finding of each cause, ask every library, and write both into the run.

    A framework that does not start here, and a finding that does not show again, are left out.

    Args:
        run: the run, open for writing.
        causes: the causes, as `missing_examples` returns them.
        yours: the users' functions of the run.
        idle: the processes that are left of the run.
        say: is told how many causes are done.
    """
    end = time.monotonic() + _ALL
    with ExitStack() as stack:
        sessions = _Sessions(run, yours or Yours(), idle, stack)
        for number, cause in enumerate(causes, 1):
            if time.monotonic() > end:
                return
            run.add(list(_example(run, cause, sessions)))
            say(number)


class _Sessions:
    """The sessions of a run, each started when it is first needed.

    A user's file may change its framework, so that its functions have a session of their own.
    """

    def __init__(self, run: RunFile, yours: Yours, idle: Idle, stack: ExitStack) -> None:
        self._yours, self._idle, self._stack = yours, idle, stack
        self._devices = {
            row.framework: row.device
            for row in run.rows(WorkerRow)
            if not row.absent and row.framework in FRAMEWORKS
        }
        self._started: dict[tuple[str, bool], Session | None] = {}

    def showing(self, row: VerdictRow) -> Session | None:
        """Return the session of the function of a finding; None if it does not start here."""
        return self.of(row.framework, is_own=row.kind == _OWN)

    def of(self, framework: str, *, is_own: bool = False) -> Session | None:
        """Return the session of a framework, or that of the user's functions in it."""
        key = framework, is_own
        if key not in self._started:
            files = self._yours.files.get(framework, ()) if is_own else ()
            learnt = self._yours.learnt.get(framework) if is_own else None
            try:
                device = self._devices[framework]
                session = Session(framework, device, files, learnt=learnt, idle=self._idle)
                self._started[key] = self._stack.enter_context(session)
            except LossdiffError:
                self._started[key] = None
        return self._started[key]

    def __iter__(self) -> Iterator[Session]:
        for framework in sorted(self._devices, key=list(FRAMEWORKS).index):
            session = self.of(framework)
            if session is not None:
                yield session


def _example(
    run: RunFile, cause: Shown, sessions: _Sessions
) -> Iterator[ExampleRow | ExampleAnswerRow]:
    """Yield the rows of a cause; nothing if its finding does not show again."""
    row, session = cause.plainest, sessions.showing(cause.plainest)
    case = run.case(row.case)
    if session is None or math.prod(case.shape) > _LARGEST or not _offers(session, row):
        return
    selector, verdict = asked_again(session, case, row, _ANSWER)
    if verdict.word != as_judged(row.verdict):
        return
    others = list(_others(cause, case, sessions))
    small, limit = case, signatures_of(session.framework, row.mode)
    if limit:
        shows = same_mistake(session, case, selector, cause.looks_like)
        is_deadly = verdict.kind is VerdictKind.CRASHED
        small = shrink(
            session,
            case,
            selector,
            verdict,
            timeout=_OWN_SECONDS if row.kind == _OWN else _SECONDS,
            questions=_DEADLY if is_deadly else _QUESTIONS,
            signatures=limit,
            also=lambda tried: shows(tried) and all(map(partial(_is_wrong, tried), others)),
        ).case
    arrays = {name: array for name, array in vars(small.inputs()).items() if array is not None}
    names = {"values": small.contract.domain}
    yield ExampleRow(
        cause.id,
        row.case,
        small.id,
        row.implementation,
        row.framework,
        row.kind,
        row.mode,
        session.device,
        selector.quantity,
        row.verdict,
        {names.get(name, name): array_line(array) for name, array in arrays.items()},
        _right(session, small, selector.quantity),
    )
    yield from _answers(cause, small, [_Asked(session, selector), *others], sessions)


class _Asked(NamedTuple):
    """A function that shows a cause, in the session of its framework."""

    session: Session
    selector: AnswerSelector


def _others(cause: Shown, case: Case, sessions: _Sessions) -> Iterator[_Asked]:
    """Yield the functions of other libraries that show a cause by the same question."""
    for row in cause.beside if isinstance(cause, FindingCause) else ():
        session = sessions.showing(row)
        if session is not None and _offers(session, row):
            selector, verdict = asked_again(session, case, row, _ANSWER)
            if verdict.word == row.verdict:
                yield _Asked(session, selector)


def _is_wrong(case: Case, asked: _Asked) -> bool:
    verdict = asked.session.verdict(case, asked.selector, _ANSWER)
    return verdict.kind.category == "finding"


def _offers(session: Session, row: VerdictRow) -> bool:
    return row.implementation in {claim.name for claim in session.catalogue.claims}


def signatures_of(name: str, mode: str) -> int:
    """Return how often the signature of smaller cases may change in a mode of a framework.

    It is few where each signature is compiled, and none where that takes seconds.

    >>> signatures_of("torch", "eager"), signatures_of("torch", "compile")
    (100, 0)
    """
    framework = FRAMEWORKS[name]
    if framework.mode(mode).is_slow:
        return 0
    return _COMPILED if mode != EAGER or framework.workers > 1 else _QUESTIONS


def _right(session: Session, case: Case, quantity: str) -> str:
    solution = session.question(case).solution
    if solution.refusal:
        return "an error"
    exact = solution.quantities[quantity].to_float()
    with np.errstate(over="ignore"):
        rounded = FORMATS[case.dtype].round(exact)
    # A NaN marks what has no agreed answer.
    return array_line(rounded).replace("nan", "any")


# --- what every library gives ----------------------------------------------------------------


def _answers(
    cause: Shown, case: Case, showing: Sequence[_Asked], sessions: _Sessions
) -> Iterator[ExampleAnswerRow]:
    """Yield the answers of the functions that show a cause, and of each library's main function."""
    shown, selector = cause.plainest, showing[0].selector
    if shown.kind == _OWN:
        yield _answer(cause, case, showing[0], YOURS, shown.kind)
    for session in sessions:
        kinds = {claim.name: claim.kind for claim in session.catalogue.claims}
        for library in FRAMEWORKS[session.framework].known_as:
            theirs = [it for it in showing if it.session is session and _holds(library, it)]
            for asked in theirs:
                kind = kinds[asked.selector.implementation]
                yield _answer(cause, case, asked, library.label, kind)
            names = {it.selector.implementation for it in theirs}
            for claim in _main(session, library, case)[:_TRIED]:
                if claim.name in names:
                    break
                one = replace(selector, implementation=claim.name, mode=EAGER)
                row = _answer(cause, case, _Asked(session, one), library.label, claim.kind)
                if row.verdict != VerdictKind.UNSUPPORTED.word:
                    yield row
                    break


def _holds(library: Library, asked: _Asked) -> bool:
    return library.holds(asked.selector.implementation)


def _answer(cause: Shown, case: Case, asked: _Asked, library: str, kind: str) -> ExampleAnswerRow:
    session, selector = asked
    given, verdict = session.judged(case, selector, _ANSWER)
    return ExampleAnswerRow(
        cause.id,
        library,
        selector.implementation,
        session.framework,
        kind,
        selector.mode,
        session.device,
        verdict.word,
        _said(given, case),
    )


def _main(session: Session, library: Library, case: Case) -> list[Claim]:
    """Return the main functions of a library that take a case, the best one first."""
    ranked = [
        (rank, place, claim)
        for place, claim in enumerate(session.catalogue.claims)
        if (rank := _rank(library, claim, case)) is not None
    ]
    return [claim for _, _, claim in sorted(ranked, key=lambda it: it[:2])]


def _rank(library: Library, claim: Claim, case: Case) -> int | None:
    if claim.operation != case.operation or claim.kind not in _SHIPPED or claim.unsupported(case):
        return None
    return library.rank(claim.name) if library.holds(claim.name) else None


def _said(given: NDArray[np.generic] | Failure, case: Case) -> str:
    if isinstance(given, Failure):
        return given.message[:_TEXT]
    dtype = "" if given.dtype.name == case.dtype else f" ({given.dtype.name})"
    return array_line(given) + dtype
