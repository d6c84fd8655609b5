"""Read the examples of a run: the smallest input of a cause, and what each function gives on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..cases.model import Case
from ..harness.causes import library_rank
from ..harness.runfile import ExampleAnswerRow, ExampleRow, RunFile
from ..harness.verdicts import kind_of
from .survey import options_text
from .tables import without_traces


class Given(NamedTuple):
    """What one function gives on the input of a card.

    Attributes:
        library: its library, as users write it.
        implementation, mode: what was asked, and how it was run.
        text: the answer, or the error.
        verdict: the verdict on it.
        is_wrong: whether that is a finding.
    """

    library: str
    implementation: str
    mode: str
    text: str
    verdict: str
    is_wrong: bool


@dataclass(frozen=True)
class Example:
    """The smallest input that was found to show a cause.

    Attributes:
        inputs: the name and the numbers of each array.
        options: the options of the call; empty for none.
        dtype: that of the first argument.
        what: what the numbers are, in words.
        right: the right answer.
        given: what each function gives, in the order of the libraries.
    """

    inputs: tuple[tuple[str, str], ...]
    options: str
    dtype: str
    what: str
    right: str
    given: tuple[Given, ...]


def examples_of(runs: Iterable[RunFile]) -> dict[str, Example]:
    """Return the examples of some runs by the id of their cause; those of later runs count."""
    found: dict[str, Example] = {}
    for run in runs:
        answers: dict[str, list[ExampleAnswerRow]] = defaultdict(list)
        for answer in run.rows(ExampleAnswerRow):
            answers[answer.cause].append(answer)
        found |= {row.cause: _example(row, answers[row.cause]) for row in run.rows(ExampleRow)}
    return found


def _example(row: ExampleRow, answers: Sequence[ExampleAnswerRow]) -> Example:
    case = Case.parse(row.case)
    options = case.options.given()
    given = [
        Given(
            it.library,
            it.implementation,
            it.mode,
            without_traces(it.given),
            it.verdict,
            kind_of(it.verdict).category == "finding",
        )
        for it in sorted(answers, key=_order)
    ]
    return Example(
        tuple(row.inputs.items()),
        options_text({key: it for key, it in options.items() if key not in row.inputs}),
        case.dtype,
        _what(case, row.quantity),
        row.right,
        tuple(given),
    )


def _order(answer: ExampleAnswerRow) -> tuple[object, ...]:
    """Return a key that puts the user's function first, then the libraries in their order."""
    return answer.kind != "user", library_rank(answer.library), answer.implementation


def _what(case: Case, quantity: str) -> str:
    """Return what the numbers of a quantity are, in words."""
    if quantity == "value":
        return quantity
    if quantity == "hvp_logits":
        return "second derivative"
    by = "the target" if quantity == "gradient_target" else case.contract.domain.replace("_", "-")
    if case.contract.is_linear:
        by = quantity.removeprefix("gradient_").replace("_", " ").replace("hidden", "hidden states")
    # What comes in to the backward pass is 5/8 where the result is a number.
    is_number = bool(case.target_kind) and case.options.reduction != "none"
    incoming = "of 5/8" if is_number else "of eighths"
    return f"gradient with respect to {by}, for an incoming gradient {incoming}"
