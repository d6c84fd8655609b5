"""Define what becomes of a function that a user gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ...backends.base import Implementation
from .declaration import Declaration


@dataclass(frozen=True)
class Candidate:
    """A function that is taken for an operation, before it is called for the first time.

    Attributes:
        name: the name that its user knows: `mine.softmax_loss`.
        function: the callable: a function, a class or an instance.
        operation: the operation that its name or its declaration names.
        declaration: what is declared of it; that of a plain function declares nothing.
        vjp: its gradient written by hand, `(cotangent, values, [target], *, options)`.
        module: the module that it was found in; None if it was given as an object.
        expression: what names it there: an attribute, or `Loss(0.1)`.
    """

    name: str
    function: Callable[..., Any]
    operation: str
    declaration: Declaration
    vjp: Callable[..., Any] | None = None
    module: ModuleType | None = None
    expression: str = ""


@dataclass(frozen=True)
class Left:
    """A name that is not taken.

    Attributes:
        name: the name.
        reason: why it is not taken, in words.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Failed:
    """A function that does not answer one plain question.

    Attributes:
        name: the name.
        operation: the operation that it was taken for.
        question: the call, in words.
        traceback: the traceback of the user's error, without lines of this project.
        hint: what may help; empty if nothing is known.
    """

    name: str
    operation: str
    question: str
    traceback: str
    hint: str = ""


@dataclass(frozen=True)
class Taken:
    """A function that is taken, and what was found out about it.

    Attributes:
        implementation: the function as the harness calls it, with its claim.
        remarks: sentences for its user: what was found out from a call, which defaults of its own
            it has, which parameters are left alone, which convention its mean follows.
    """

    implementation: Implementation
    remarks: tuple[str, ...] = ()
