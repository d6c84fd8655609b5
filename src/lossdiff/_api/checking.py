"""Judge a function of the user's: `check_implementation` and `assert_agrees`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..backends import EAGER, FRAMEWORKS
from ..backends.base import Backend
from ..cases.model import Case
from ..cases.operations import OPERATIONS
from ..errors import ArgumentTypeError, ArgumentValueError, NoAnswerError
from ..harness.answers import one_line
from ..harness.engine import Inquiry
from ..harness.own import (
    Candidate,
    Declaration,
    Failed,
    Left,
    Taken,
    as_function,
    declaration_of,
    is_partial_class,
    learn,
    questions_for,
)
from ..harness.runfile import WorkerRow
from .expected import Expected, expected_of, taking
from .frameworks import backend_of, framework_for, named, seed_of, several, switch
from .isolated import checked_in_workers
from .items import match
from .recording import record
from .result import Result, warn_of

SUITES = ("quick", "full")


def check_implementation(
    function: Callable[..., Any],
    operation: str,
    *,
    framework: str | None = None,
    suite: str = "quick",
    modes: Sequence[str] = (EAGER,),
    strict: bool = False,
    isolate: bool = False,
    seed: int = 0,
    expected: str | Path | None = None,
    conventions: Collection[str] | None = None,
    **declared: Any,
) -> Result:
    """Ask a function the questions of its claim, and judge each answer against the exact one.

    It runs in this process; a function that may end or hang it is better asked with `isolate`.

    Args:
        function: a function, a callable object, or a class whose instances are callable.
        operation: the operation that it computes; `lossdiff list operations` names them.
        framework: the framework whose arrays it takes; it may be left out where it is seen from
            the function.
        suite: `quick`, or `full` for some hundred times as many questions.
        modes: the modes in which the framework runs it; `interpret` goes with `isolate` only.
        strict: whether a finding that the framework's own function shares counts.
        isolate: whether it runs in a worker process, which imports it from its file or module.
        seed: other seeds ask the same questions with other numbers.
        expected: a file of expected findings; None for `lossdiff.toml` or `pyproject.toml` in the
            current folder or above it, where there is one.
        conventions: the names of the conventions that it may follow, such as `{"mean_over_rows"}`;
            any other is a finding unless the framework's own function follows it, too. None for
            those of the project's file, or all.
        declared: what is said of the function, by the keywords of `lossdiff.implements`:
            `targets={"index"}`, `reduction="none"`, `rename={"label_smoothing": "eps"}`, …

    Returns:
        The verdicts; `result.ok` says whether there is no finding.

    Raises:
        CallError: an argument is wrong, or the function does not answer one plain question.
        DeclarationError: what is said of it names something that does not exist.
        FrameworkAbsentError: the framework is not installed.

    >>> import numpy as np
    >>> def softmax(x, axis=-1):
    ...     e = np.exp(x)
    ...     return e / e.sum(axis, keepdims=True)
    >>> result = check_implementation(softmax, "softmax", framework="numpy")
    >>> result.ok, result.findings[0].verdict
    (False, 'nonfinite')
    """
    _check_callable(function)
    named("operation", operation, OPERATIONS)
    named("suite", suite, SUITES)
    framework = framework_for(function, framework)
    modes, seed = several("modes", modes, EAGER), seed_of(seed)
    strict, isolate = switch("strict", strict), switch("isolate", isolate)
    for mode in modes:
        named(f"mode of {framework}", mode, FRAMEWORKS[framework].mode_names)
        if FRAMEWORKS[framework].mode(mode).is_interpreter and not isolate:
            raise ArgumentValueError(
                f"the mode {mode!r} needs a process of its own: give isolate=True"
            )
    declaration = declaration_of(operation, **declared)
    known = taking(expected_of(expected), conventions)
    about: dict[str, Any] = {
        "declared": tuple(sorted(declared.items())),
        "called": called(function),
    }
    if isolate:
        result = checked_in_workers(
            function, operation, framework, declared, suite=suite, modes=modes, seed=seed,
            strict=strict, expected=known,
        )  # fmt: skip
        return replace(result, **about)
    backend = backend_of(framework)
    with backend.as_guest():
        taken = taken_from(function, declaration, backend)
        cases = questions_for(taken.implementation.claim, suite=suite, seed=seed)
        result = judged(
            backend, taken, cases, modes=modes, strict=strict, expected=known, suite=suite
        )
    return replace(result, **about)


def assert_agrees(
    function: Callable[..., Any],
    operation: str,
    *,
    framework: str | None = None,
    suite: str = "quick",
    modes: Sequence[str] = (EAGER,),
    strict: bool = False,
    isolate: bool = False,
    seed: int = 0,
    expected: str | Path | None = None,
    conventions: Collection[str] | None = None,
    **declared: Any,
) -> None:
    """Raise an AssertionError that shows the findings, if a function has one.

    Args:
        function: as for `check_implementation`, like all other arguments.
        operation: the operation that it computes.
        framework: the framework whose arrays it takes.
        suite: `quick` or `full`.
        modes: the modes in which the framework runs it.
        strict: whether a finding that the framework's own function shares counts.
        isolate: whether it runs in a worker process.
        seed: other seeds ask with other numbers.
        expected: a file of expected findings.
        conventions: the conventions that it may follow.
        declared: what is said of the function.

    Warns:
        ConventionWarning: it follows a convention that the framework's own function does not, and
            `conventions` says nothing about it.

    Raises:
        AssertionError: the function has a finding; the message is the table of them.
        CallError: an argument is wrong, or the function does not answer one plain question.
        FrameworkAbsentError: the framework is not installed.

    >>> from scipy.special import softmax
    >>> assert_agrees(softmax, "softmax", framework="numpy", dtypes={"float32", "float64"})
    """
    __tracebackhide__ = True
    result = check_implementation(
        function,
        operation,
        framework=framework,
        suite=suite,
        modes=modes,
        strict=strict,
        isolate=isolate,
        seed=seed,
        expected=expected,
        conventions=conventions,
        **declared,
    )
    if not result.ok:
        raise AssertionError(f"\n{result}")
    warn_of(result)


def taken_from(function: Callable[..., Any], declaration: Declaration, backend: Backend) -> Taken:
    """Learn how a function is called, and add it to a backend.

    Raises:
        NoAnswerError: it does not answer one plain question.
        ArgumentValueError: its signature cannot be understood.
    """
    made = _made(function)
    candidate = Candidate(name_of(function), made, declaration.operation, declaration)
    learnt = learn(candidate, backend)
    if isinstance(learnt, Left):
        raise ArgumentValueError(f"{learnt.name} is not taken: {learnt.reason}")
    if isinstance(learnt, Failed):
        raise NoAnswerError(
            f"{learnt.name} does not answer {learnt.question}\n{learnt.traceback.rstrip()}"
        )
    taken = _renamed(learnt, backend)
    backend.extra.append(taken.implementation)
    backend.__dict__.pop("implementations", None)  # they are listed once
    return taken


def _renamed(taken: Taken, backend: Backend) -> Taken:
    """Return a function under a name that none of the framework's functions has."""
    own = taken.implementation
    if own.name not in backend.implementations:
        return taken
    claim = replace(own.claim, name=f"{own.name} (given)")
    return replace(taken, implementation=replace(own, claim=claim))


def judged(
    backend: Backend,
    taken: Taken,
    cases: Sequence[Case],
    *,
    modes: Sequence[str] = (EAGER,),
    strict: bool = False,
    expected: Expected,
    suite: str = "",
) -> Result:
    """Put cases to a function that was taken, and return the result.

    Args:
        backend: the framework, whose `extra` holds the function.
        taken: the function.
        cases: the questions.
        modes: the modes in which each is asked.
        strict: whether a finding that the framework shares counts.
        expected: the findings that its project expects.
        suite: the suite, if the cases are all of it; only then is an entry that matches nothing
            known to be stale.
    """
    whole = cases if suite else ()
    with Inquiry(
        backend, modes=modes, strict=strict, expected=expected.entries,
        conventions=expected.conventions, cases=whole,
    ) as inquiry:  # fmt: skip
        rows = [row for case in cases for row in inquiry.put(taken.implementation, case)]
        match(inquiry.findings.matched)
        stale = expected.stale(inquiry.findings.matched, taken.implementation.claim, suite)
    record(rows, WorkerRow(backend.framework, backend.device, backend.environment()))
    return Result(
        tuple(rows), taken.implementation.claim, taken.remarks, strict=strict, stale=stale,
        conventions=expected.conventions,
    )  # fmt: skip


def _made(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what is called with arrays: of a partial class the object that it makes.

    A class with a backward pass of its own is called by its `apply`.

    Raises:
        ArgumentTypeError: the class takes more arguments.
    """
    if not is_partial_class(function):
        return as_function(function) or function
    try:
        made: Callable[..., Any] = function()
    except Exception as error:
        reason = one_line(error)
        raise ArgumentTypeError(f"{name_of(function)} cannot be made: {reason}") from error
    return made


def name_of(function: Callable[..., Any]) -> str:
    """Return the name that the user knows a function by: `mine.softmax_loss`."""
    inner = getattr(function, "func", function)
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    module = getattr(inner, "__module__", None) or type(inner).__module__
    name = name.rpartition("<locals>.")[2]
    return name if module in ("__main__", "builtins") else f"{module}.{name}"


def _check_callable(function: object) -> None:
    if not callable(function):
        kind = type(function).__name__
        raise ArgumentTypeError(f"a {kind} is no function; give the function itself, uncalled")


def called(function: Callable[..., Any]) -> str:
    """Return a function's own name, as it stands in a line of program text."""
    name: str = getattr(function, "__name__", "f")
    return name if name.isidentifier() else "f"
