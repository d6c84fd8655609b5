"""One test item for each question: `lossdiff.parametrize` for pytest."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..backends import FRAMEWORKS
from ..backends.base import Backend
from ..backends.claim import Claim
from ..cases.checked import shown
from ..cases.model import Case
from ..cases.operations import OPERATIONS
from ..errors import ArgumentTypeError, ArgumentValueError, FrameworkAbsentError
from ..harness.own import Declaration, Taken, declaration_of, questions_for
from .checking import SUITES as ASKED
from .checking import called, judged, taken_from
from .expected import conventions_of, expected_of, taking
from .frameworks import backend_of, named, seed_of
from .items import note, plan
from .result import warn_of

if TYPE_CHECKING:
    import pytest

FULL = "LOSSDIFF_FULL"  # set by `pytest --lossdiff-full`, which workers of xdist inherit


@dataclass(frozen=True)
class Question:
    """One case, to be put to a function of the user's.

    Attributes:
        id: the id of the case, from which its arrays follow.
        framework: the framework whose arrays the function takes.
        declared: pairs of what is said of the function.
        conventions: the names of the conventions that it may follow; None for those of the
            project's file, or all.

    >>> import numpy as np
    >>> def softmax(x, axis=-1):
    ...     e = np.exp(x - x.max(axis, keepdims=True))
    ...     return e / e.sum(axis, keepdims=True)
    >>> Question("softmax/float32/1x3/zeros/-/0", "numpy").check(softmax)
    """

    id: str
    framework: str
    declared: tuple[tuple[str, Any], ...] = ()
    conventions: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        parts = [repr(self.id), repr(self.framework)]
        parts += [repr(self.declared)] if self.declared else []
        parts += [f"conventions={self.conventions!r}"] if self.conventions is not None else []
        return f"Question({', '.join(parts)})"

    @property
    def case(self) -> Case:
        """The case: its operation, options, dtype and shape, and its arrays.

        Raises:
            ArgumentValueError: the text is not the id of a case.
        """
        if not isinstance(self.id, str):
            raise ArgumentTypeError(f"id is {shown(self.id)}; it must be the id of a case, a text")
        try:
            return Case.parse(self.id)
        except ValueError as error:
            raise ArgumentValueError(str(error)) from error

    def check(self, function: Callable[..., Any]) -> None:
        """Put the question to a function, and raise an AssertionError if it has a finding.

        Args:
            function: the function; it is learnt once for all of its questions.

        Warns:
            ConventionWarning: the answer follows a convention that the framework's own function
                does not, and nothing says whether the function may.

        Raises:
            AssertionError: the answer is a finding; the message shows the line that repeats it.
            CallError: the function does not answer one plain question.
        """
        __tracebackhide__ = True
        named("framework", self.framework, FRAMEWORKS)
        case = self.case
        backend, taken = _learnt(function, self)  # which looks at what is declared
        key = case.operation, self.framework, repr(self.declared)
        note(key, taken.implementation.name, self.id)
        if reason := taken.implementation.unsupported(case):
            _skip(f"{taken.implementation.name} {reason}")
            return
        known = taking(expected_of(None), self.conventions)
        result = judged(backend, taken, [case], expected=known)
        result = replace(result, declared=self.declared, called=called(function))
        if result.findings:
            raise AssertionError(f"\n{result}")
        warn_of(result)


def parametrize(
    operation: str,
    *,
    framework: str,
    suite: str | None = None,
    seed: int = 0,
    conventions: Collection[str] | None = None,
    **declared: Any,
) -> pytest.MarkDecorator:
    """Return a decorator that makes one pytest item of a test for each question.

    The test takes an argument `question`, a `Question`; the ids of the items are those of the
    cases. A question that the function does not take is skipped, with the reason.

    Args:
        operation: the operation that the function computes.
        framework: the framework whose arrays it takes.
        suite: `quick` or `full`; None for `quick`, or `full` with `pytest --lossdiff-full`.
        seed: other seeds ask the same questions with other numbers.
        conventions: the names of the conventions that it may follow; None for those of the
            project's file, or all.
        declared: what is said of it, by the keywords of `lossdiff.implements`. Without `targets`
            the questions have index targets, or those of the binary losses.

    Raises:
        CallError: a name is not one of those that are allowed.
        DeclarationError: what is said names something that does not exist.
        FrameworkAbsentError: pytest is not installed.

    >>> parametrize("softmax", framework="numpy").args[0]
    'question'
    """
    try:
        import pytest
    except ImportError as error:
        raise FrameworkAbsentError("pytest is not installed; pip install pytest") from error
    named("operation", operation, OPERATIONS)
    named("framework", framework, FRAMEWORKS)
    if suite is None:
        suite = "full" if os.environ.get(FULL) else "quick"
    chosen, seed = named("suite", suite, ASKED), seed_of(seed)
    claim = _claim(operation, framework, declaration_of(operation, **declared))
    said = tuple(sorted(declared.items()))
    taken = conventions_of(conventions)
    may = None if taken is None else tuple(sorted(taken))
    questions = [Question(case.id, framework, said, may)
                 for case in questions_for(claim, suite=chosen, seed=seed)]  # fmt: skip
    plan((operation, framework, repr(said)), chosen, [item.id for item in questions])
    return pytest.mark.parametrize("question", questions, ids=[item.id for item in questions])


def _claim(operation: str, framework: str, declaration: Declaration) -> Claim:
    """Return the widest claim that a function of which this is said may have."""
    contract = OPERATIONS[operation]
    targets = declaration.targets
    if targets is None:
        targets = frozenset(contract.targets[:1])
    fixed = {name for name, _ in declaration.limits.fixed}
    options = frozenset(contract.options) - fixed
    return Claim("", framework, operation, "user", targets, options, declaration.limits)


_LEARNT: dict[tuple[int, str, str, str], tuple[Callable[..., Any], Backend, Taken]] = {}


def _learnt(function: Callable[..., Any], question: Question) -> tuple[Backend, Taken]:
    """Return what a function was taken for, which is learnt with its first question."""
    operation = question.case.operation
    declaration = declaration_of(operation, **_pairs(question.declared))
    key = id(function), question.framework, operation, repr(question.declared)
    if key not in _LEARNT:
        backend = backend_of(question.framework)
        with backend.as_guest():
            taken = taken_from(function, declaration, backend)
        _LEARNT[key] = function, backend, taken  # a function that is kept has an id of its own
    return _LEARNT[key][1:]


def _pairs(given: object) -> dict[str, Any]:
    """Return what is said of a function as keywords.

    Raises:
        ArgumentTypeError: it is said in another form.
    """
    pairs = given if isinstance(given, tuple) else (None,)
    if all(isinstance(it, tuple) and len(it) == 2 and isinstance(it[0], str) for it in pairs):
        return dict(pairs)
    due = "pairs of a keyword of `lossdiff.implements` and its value"
    raise ArgumentTypeError(f"declared is {shown(given)}; it must be a tuple of {due}")


def _skip(reason: str) -> None:
    """Skip the test that asks, where pytest runs one."""
    if pytest := sys.modules.get("pytest"):
        pytest.skip(reason)
