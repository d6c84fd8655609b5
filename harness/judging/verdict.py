"""The types of a verdict on one quantity: facts, from which sentences are made for readers."""

from __future__ import annotations

from dataclasses import dataclass

from ..answers import Failure
from ..verdicts import CONVENTION, UNDEFINED, VerdictKind, kind_of

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ShapeMismatch:
    """The fact that an array has another shape than the contract demands.

    Attributes:
        got, expected: the two shapes.
    """

    got: Shape
    expected: Shape

    @property
    def about(self) -> tuple[object, ...]:
        """The facts that equal mismatches share, whatever the shape of the case."""
        return ("shape",)

    def __str__(self) -> str:
        return f"shape {self.got}, where {self.expected} is due"


@dataclass(frozen=True)
class DtypeMismatch:
    """The fact that an array has another dtype than the contract demands.

    Attributes:
        got, expected: the names of the two dtypes.
        arguments: the name and dtype of each floating argument; empty where `got` is no floating
            dtype.
        numbers: the verdict on the numbers regardless of their dtype; empty if it has no numbers.
        is_convention: whether a convention names this dtype.
    """

    got: str
    expected: str
    arguments: tuple[tuple[str, str], ...] = ()
    numbers: str = ""
    is_convention: bool = False

    @property
    def about(self) -> tuple[object, ...]:
        """The facts that equal mismatches share, whatever the numbers of the case."""
        return "dtype", self.got, self.expected

    def __str__(self) -> str:
        named = ", ".join(f"{name} {dtype}" for name, dtype in self.arguments)
        if not self.numbers:
            return f"dtype {self.got}, where {self.expected} is due"
        if self.is_convention:
            return f"{self.got} from {named}, where {self.expected} is due: {self.numbers}"
        origin = f", from {named}" if named else ""
        return (
            f"dtype {self.got}, where {self.expected} is due{origin}; its numbers: {self.numbers}"
        )


@dataclass(frozen=True)
class Refusal:
    """The fact that the contract demands an error.

    Attributes:
        rule: the name of the rule that the case breaks.
        sentence: a sentence about the broken rule, for readers.
        failure: the error that was raised; None where an array came back.
    """

    rule: str
    sentence: str
    failure: Failure | None = None

    @property
    def about(self) -> tuple[object, ...]:
        """The facts that equal refusals share, whatever the shape of the case."""
        return "refusal", self.rule

    def __str__(self) -> str:
        return self.sentence if self.failure is None else f"{self.sentence}: {self.failure}"


@dataclass(frozen=True)
class Remark:
    """A remark for readers in addition to the numbers; no code decides by it."""

    text: str

    @property
    def about(self) -> tuple[object, ...]:
        """An empty tuple: verdicts are not compared by their remarks."""
        return ()

    def __str__(self) -> str:
        return self.text


Detail = Failure | ShapeMismatch | DtypeMismatch | Refusal | Remark


@dataclass(frozen=True)
class Verdict:
    """The verdict on one quantity of one answer.

    Attributes:
        word: the kind, with the name of a convention or a relation after a colon.
        ulp: the largest error in units in the last place of the exact value; None where it is
            not measured.
        ratio: the largest error over the bound of a sound algorithm.
        abs_error: the largest absolute error.
        where: the index of the worst element, as text.
        exact, got: the two numbers there, as text.
        detail: further facts, typed by their subject; None where there are none.
        fingerprint: the fingerprint of the array; empty where there is none.

    >>> Verdict("convention:promoted").convention
    'promoted'
    """

    word: str
    ulp: float | None = None
    ratio: float | None = None
    abs_error: float | None = None
    where: str = ""
    exact: str = ""
    got: str = ""
    detail: Detail | None = None
    fingerprint: str = ""

    @property
    def kind(self) -> VerdictKind:
        """The kind of verdict, with its category, rank and meaning."""
        return kind_of(self.word)

    @property
    def convention(self) -> str:
        """The name of the convention that is followed; empty for none."""
        return self.word.removeprefix(CONVENTION) if self.word.startswith(CONVENTION) else ""

    @property
    def is_undefined(self) -> bool:
        """Whether there is no agreed answer."""
        return self.word.startswith(UNDEFINED)

    @property
    def is_finding(self) -> bool:
        """Whether the answer neither agrees with the exact one nor has an explanation."""
        return self.kind.category == "finding"

    @property
    def note(self) -> str:
        """The detail as a sentence for readers; no code decides by it."""
        return "" if self.detail is None else str(self.detail)
