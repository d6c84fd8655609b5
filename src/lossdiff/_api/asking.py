"""Ask every framework that is installed on a user's own arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..backends import EAGER, FRAMEWORKS
from ..backends.base import Backend
from ..errors import FrameworkAbsentError
from ..harness.answers import Failure
from ..harness.judging import SolvedCase, Verdict, judge
from ..harness.workers import evaluate
from ..printing import printable
from ..reports.legend import mark_of
from .frameworks import PLAIN, backend_of, named, several
from .own_case import Asked, asked
from .shown import frame_of, html_of, rendered

_STYLES = {"agree": "green", "explained": "yellow", "finding": "bold red", "neutral": "dim"}
_KINDS = ("native", "recipe")


@dataclass(frozen=True)
class Reply:
    """The answer of one function, in one quantity.

    Attributes:
        implementation: the name of the function.
        framework: the framework that it belongs to.
        quantity: `value`, `gradient_logits` or `gradient_target`.
        verdict: the verdict on it; `unsupported` where the function does not take the question.
        ulp: the largest error in units in the last place; None where it is not measured.
        ratio: the largest error over the bound of a sound computation.
        answer: the array that came back; None where there is none.
        note: the explanation, or the error that was raised.
    """

    implementation: str
    framework: str
    quantity: str
    verdict: str
    ulp: float | None
    ratio: float | None
    answer: NDArray[Any] | None
    note: str


@dataclass(frozen=True)
class Replies:
    """What every framework answers to one question.

    Attributes:
        case: the id of the question.
        right: the right answer, by quantity, rounded to float64; empty where it is an error.
        refusal: why the right answer is an error; empty where it is a number.
        rows: the answers, those of a framework together.
        absent: the frameworks that were not asked, each with the reason.
        not_taken: the functions that do not take the question, each with the reason.
    """

    case: str
    right: dict[str, NDArray[np.float64]]
    refusal: str
    rows: tuple[Reply, ...]
    absent: dict[str, str] = field(default_factory=dict)
    not_taken: dict[str, str] = field(default_factory=dict)

    def to_pandas(self) -> Any:
        """Return the answers as a `pandas.DataFrame`, a row for each.

        Raises:
            FrameworkAbsentError: pandas is not installed.
        """
        return frame_of(self.rows)

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = []
        if self.refusal:
            parts.append(Text(f"right: an error, {self.refusal}"))
        else:
            table = _table()
            for quantity, right in self.right.items():
                table.add_row(f"  {quantity}", _short(right), "", "")
            parts += [Text("right"), table]
        for name, rows in groupby(self.rows, key=lambda row: row.implementation):
            table = _table()
            for row in rows:
                _add(table, row)
            parts += [Text(printable(name), "bold"), table]
        return Group(*parts, *map(Text, self._left()))

    def _left(self) -> Iterator[str]:
        for framework, reason in self.absent.items():
            yield f"{framework} was not asked: {reason}"
        if self.not_taken:
            yield f"{len(self.not_taken)} functions do not take it; see not_taken"

    def __str__(self) -> str:
        return rendered(self)

    def _repr_html_(self) -> str:
        return html_of(self)


def ask(
    operation: str,
    logits: object,
    target: object = None,
    *,
    frameworks: Sequence[str] | None = None,
    **options: Any,
) -> Replies:
    """Ask the functions of every framework that is installed about your own arrays.

    Args:
        operation: the name of an operation.
        logits: the first argument: numbers, nested lists, or an array of any framework.
        target: the target, likewise; None for an operation without one.
        frameworks: the frameworks to ask; None for all that are installed, each of which is
            imported.
        options: the options of the operation, as for `lossdiff.exact`.

    Returns:
        Value and gradients of each function, with their errors and verdicts; it prints as a table.

    Raises:
        CallError: an argument is of a type, a value or a shape that is not taken.

    >>> replies = ask("softmax", [1000.0, 0.0], frameworks=["numpy"], dtype="float32")
    >>> [(row.implementation, row.verdict) for row in replies.rows if row.quantity == "value"][0]
    ('scipy.special.softmax', 'exact')
    """
    question = asked(operation, logits, target, options)
    given = question.case.given
    assert given is not None  # noqa: S101 -- it was made of arrays
    solved = SolvedCase(question.case, given)
    rows: list[Reply] = []
    absent: dict[str, str] = {}
    not_taken: dict[str, str] = {}
    if isinstance(frameworks, str):  # whose letters would be names
        frameworks = (frameworks,)
    if frameworks is not None:
        frameworks = several("frameworks", frameworks, PLAIN)
        for name in frameworks:
            named("framework", name, FRAMEWORKS)
    for name in frameworks or FRAMEWORKS:
        try:
            backend = backend_of(name)
        except FrameworkAbsentError as error:
            absent[name] = str(error)
            continue
        with backend.as_guest():
            rows += _replies(backend, question, solved, not_taken)
    solution = solved.solution
    right = {name: question.restored(name, exact.to_float())
             for name, exact in solution.quantities.items()}  # fmt: skip
    return Replies(question.case.id, right, solution.refusal, tuple(rows), absent, not_taken)


def _replies(
    backend: Backend, question: Asked, solved: SolvedCase, not_taken: dict[str, str]
) -> Iterator[Reply]:
    case = question.case
    for name, implementation in backend.implementations.items():
        if implementation.operation != case.operation or implementation.kind not in _KINDS:
            continue
        if reason := implementation.unsupported(case):
            not_taken[name] = reason
            continue
        observation = evaluate(backend, name, EAGER, case)
        value = observation.answers["value"]
        if isinstance(value, Failure) and case.has_no_batch:
            not_taken[name] = f"takes no row without a batch: {value}"
            continue
        for quantity, answer in observation.answers.items():
            if solved.solution.refusal or quantity in solved.solution.quantities:
                verdict = judge(solved, quantity, answer)
                yield _reply(question, name, backend.framework, quantity, verdict, answer)


def _reply(
    question: Asked,
    name: str,
    framework: str,
    quantity: str,
    verdict: Verdict,
    answer: NDArray[Any] | Failure,
) -> Reply:
    array = None
    if not isinstance(answer, Failure):
        right = verdict.kind.word != "mismatched"
        array = question.restored(quantity, answer) if right else answer
    return Reply(
        name, framework, quantity, verdict.word, verdict.ulp, verdict.ratio, array, verdict.note
    )


def _table() -> Table:
    """Return a table whose columns are as wide as those of the others."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for width in (17, 30, 20):
        table.add_column(width=width, overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    return table


def _add(table: Table, row: Reply) -> None:
    mark = mark_of(row.verdict)
    given = row.note if row.answer is None else _short(row.answer)
    ulp = "" if row.ulp is None else f"{row.ulp:.3g} ulp"
    verdict = Text(f"{mark.symbol} {row.verdict}", _STYLES[mark.group])
    table.add_row(f"  {row.quantity}", Text(printable(given)), verdict, ulp)


def _short(array: NDArray[Any]) -> str:
    """Return the first numbers of an array, in eight digits."""
    flat = array.ravel()[:2].astype(np.float64)
    text = " ".join(f"{number:.8g}" for number in flat)
    return text + (" …" if array.size > len(flat) else "")
